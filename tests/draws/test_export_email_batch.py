"""`manage.py export_email_batch`: the mails of a draw, for sending elsewhere."""

import csv
import io
import json

import pytest
from django.core.management import CommandError, call_command
from django.utils import timezone

from notifications.services import expand_due_messages
from tests.draws.factories import make_draft, make_executed
from tests.factories import alice, bob

pytestmark = pytest.mark.django_db


def export(slug: str, *options: str) -> tuple[str, str]:
    out, err = io.StringIO(), io.StringIO()
    call_command("export_email_batch", slug, *options, stdout=out, stderr=err)
    return out.getvalue(), err.getvalue()


@pytest.fixture
def draw():
    type(alice()).objects.filter(pk=alice().pk).update(display_name="=cmd()")
    draw = make_executed(entrants=4, members=[alice(), bob()], title='=HYPERLINK("x"), the draw')
    expand_due_messages(now=timezone.now())
    return draw


def test_it_writes_what_each_entrant_is_told(draw):
    text, err = export(draw.slug)
    assert err == ""
    rows = list(csv.DictReader(io.StringIO(text)))
    assert list(rows[0]) == ["recipient", "subject", "body", "template_kind"]
    by_kind = {}
    for row in rows:
        by_kind.setdefault(row["template_kind"], []).append(row["recipient"])
    entrants = {entry.identity for entry in draw.entries.all()}
    assert len(by_kind["draws.winner_announcement"]) == 3
    assert len(by_kind["draws.non_winner"]) == 3
    told = by_kind["draws.winner_announcement"] + by_kind["draws.non_winner"]
    assert set(told) == entrants
    assert set(by_kind["draws.entries_frozen"]) == entrants
    assert by_kind["draws.admin_summary"] == ["admin@example.com"]


def test_no_cell_begins_a_formula(draw):
    for row in csv.reader(io.StringIO(export(draw.slug)[0])):
        assert not any(cell.startswith(("=", "+", "-", "@")) for cell in row)


def test_json_lines_are_whole_and_unchanged(draw):
    text, _err = export(draw.slug, "--format", "jsonl", "--kind", "draws.non_winner")
    mails = [json.loads(line) for line in text.splitlines()]
    assert len(mails) == 3
    assert {mail["template_kind"] for mail in mails} == {"draws.non_winner"}
    assert all(draw.title in mail["subject"] + mail["body"] for mail in mails)


def test_it_says_when_it_is_too_early():
    draw = make_executed(entrants=2)
    text, err = export(draw.slug)
    assert text == "recipient,subject,body,template_kind\n"
    assert "export again later" in err


def test_it_needs_a_draw_that_is_there():
    make_draft()
    with pytest.raises(CommandError, match="no draw"):
        export("nothing")
    with pytest.raises(CommandError, match="invalid choice"):
        export("nothing", "--kind", "draws.nonsense")
