"""The demo data: made by the services that people use, showing what they do, and sound to the last row.

Filling the site takes seconds, so the tests of this module share one that is filled, and change nothing in it.
"""

import datetime as dt
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from django.core.management import CommandError, call_command
from django.utils import timezone

from accounts.models import User
from audit.services import seal_new_records
from audit.verification import verify_audit
from config import demo
from draws import analytics
from draws import services as draws
from draws.models import Award, Draw, EntryImport, Winner
from payments.approvals import waiting, waiting_for
from payments.checking import check_ledger
from payments.models import Approval
from tests import databases
from tests.draws.proofs import assert_proof_holds


@pytest.fixture(scope="module")
def report(
    django_db_setup: None, django_db_blocker: Any, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[EntryImport]:
    """A database with the demo in it; the import that filling it gave."""
    with (
        django_db_blocker.unblock(),
        databases.cloned() as name,
        databases.connected_to(name),
        pytest.MonkeyPatch.context() as patch,
    ):
        folder = tmp_path_factory.mktemp("demo")
        patch.setattr("django.conf.settings.DATA_DIR", folder, raising=False)
        yield demo.seed(clock=timezone.now)


pytestmark = pytest.mark.usefixtures("report")


def states(slug: str) -> set[str]:
    return set(Winner.objects.filter(draw__slug=slug).values_list("state", flat=True))


def test_it_is_sound_to_the_last_row():
    now = timezone.now()
    assert check_ledger() == []
    summary = draws.check_draws(now=now)
    assert summary.differences == {}
    assert summary.checked == Draw.objects.filter(status="completed").count() >= 18
    seal_new_records(now=now)
    trail = verify_audit(now=now, known_digests=[])
    assert trail.is_sound, trail.faults
    assert trail.records > 500


def test_the_stand_alone_verifier_confirms_each_draw_of_the_last_weeks():
    special = Draw.objects.filter(status="completed").exclude(slug__startswith="draw-of-the-month")
    newest = Draw.objects.filter(slug__startswith="draw-of-the-month").latest("draw_at")
    for draw in [*special, newest]:
        assert_proof_holds(draw)


def test_there_is_a_draw_in_every_state_and_one_of_every_kind():
    now = timezone.now()
    assert set(Draw.objects.values_list("status", flat=True)) == {
        "draft",
        "active",
        "completed",
        "cancelled",
        "void",
    }
    phases = {draw.phase(now) for draw in Draw.objects.filter(status="active")}
    assert {"upcoming", "open", "frozen"} <= phases
    assert Draw.objects.filter(audience="group").exists()
    assert Draw.objects.filter(min_age=18).exclude(countries=[]).exists()
    assert Draw.objects.exclude(excludes=[]).filter(status="completed").count() == 2
    assert Draw.objects.get(slug="weekend-at-the-coast").changes.get().reason
    last = Draw.objects.get(slug="festival-third-evening")
    assert last.dispositions.filter(state="excluded").exists()


def test_there_are_prizes_of_every_kind_in_every_state():
    kinds = {"cash", "credits", "voucher", "physical"}
    for state in ("claimable", "paid", "expired"):
        assert set(Award.objects.filter(state=state).values_list("kind", flat=True)) == kinds, state
    assert set(Award.objects.filter(state="claimed").values_list("kind", flat=True)) == {
        "voucher",
        "physical",
    }
    assert states("harvest-supper") == {
        "drawn",
        "claimed",
        "paid",
        "declined",
        "forfeited",
        "disqualified",
    }
    assert Draw.objects.get(slug="book-tokens").vacant_slots == 1
    forgotten = Award.objects.get(about=Draw.objects.get(slug="lanterns-by-the-lake").about, identity=None)
    assert not forgotten.is_reachable


def test_two_draws_wait_for_what_is_announced_elsewhere():
    lottery = Draw.objects.get(slug="numbers-from-the-lottery")
    text = lottery.announced_texts.get(confirmed_at=None)
    assert text.entered_by.email == f"manager@{demo.DOMAIN}"
    weather = Draw.objects.get(slug="warmest-day-of-the-week")
    assert "is not entered and confirmed yet" in weather.execution_error
    assert weather.is_overdue(timezone.now())


def test_the_plots_of_a_year_have_something_to_show():
    zone = Draw.objects.first().zone
    today = timezone.now().astimezone(zone).date()
    period = analytics.Period(today - dt.timedelta(days=400), today, zone)
    tables = {report.name: report.table(period) for report in analytics.REPORTS}
    assert len({row[0] for row in tables["awarded-by-month"].rows}) >= 12
    assert len(tables["winners-by-country"].rows) >= 4
    assert len(tables["winners-by-age"].rows) >= 4
    assert {row[0] for row in tables["claims"].rows} == {"cash", "credits", "voucher", "physical"}
    assert {row[0] for row in tables["pool-use"].rows} >= {"KES", "CREDIT"}
    assert all(table.rows for table in tables.values())


def test_whoever_comes_may_win_for_certain_within_minutes():
    now = timezone.now()
    for slug in ("welcome-drink", "welcome-parcel"):
        draw = Draw.objects.get(slug=slug)
        assert draw.phase(now) == "open"
        assert not draw.entries.exists()
        assert draw.draw_at - now < dt.timedelta(minutes=12)
    rigged = Draw.objects.get(slug="alice-against-bob")
    weights = dict(rigged.entries.values_list("identity", "weight"))
    assert weights == {f"alice@{demo.DOMAIN}": 10**6, f"bob@{demo.DOMAIN}": 1}
    assert rigged.draw_at - now < dt.timedelta(minutes=4)


def test_an_import_has_a_report_of_what_it_refused(report):
    assert (report.accepted, report.rejected, report.draw.slug) == (500, 6, "opening-night")
    assert report.rejections.count() == 6


def test_it_shows_a_large_amount_that_was_approved_and_two_that_wait():
    done = Approval.objects.filter(state="done")
    assert {(row.requested_by.email, row.decided_by.email) for row in done} == {
        (f"admin@{demo.DOMAIN}", f"finance@{demo.DOMAIN}")
    }
    now = timezone.now()
    funding = waiting(now=now).get(about=Draw.objects.get(slug="new-years-draw").about)
    wallet = waiting(now=now).exclude(pk=funding.pk).get()
    assert set(waiting_for(User.objects.get(email=f"admin@{demo.DOMAIN}"), now=now)) == {funding, wallet}
    assert set(waiting_for(User.objects.get(email=f"finance@{demo.DOMAIN}"), now=now)) == {funding}


def test_nobody_in_it_could_be_anybody():
    for person in User.objects.all():
        assert person.email.endswith(f"@{demo.DOMAIN}")
        first, _space, initial = person.display_name.partition(" ")
        assert (first.isalpha(), len(initial), initial[1:]) == (True, 2, "."), person.display_name
    guests = Award.objects.filter(member=None, identity__isnull=False)
    assert all(award.identity.endswith("@example.org") for award in guests)


def test_it_fills_nothing_but_an_empty_site():
    count = Draw.objects.count()
    with pytest.raises(CommandError, match="There is data in this database already"):
        call_command("seed_demo")
    call_command("seed_demo", "--if-empty")
    assert Draw.objects.count() == count


def test_its_files_are_where_people_look_for_them(report, settings):
    assert Path(settings.DATA_DIR, "demo", report.file_name).read_bytes().count(b"\n") == 507
