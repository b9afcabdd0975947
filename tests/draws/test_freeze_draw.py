"""Freezing: the entries file, the manifest, and when each may be made."""

import datetime as dt
import os
from hashlib import sha256
from zoneinfo import ZoneInfo

import pytest
from django.core.files.storage import default_storage
from django.core.management import call_command
from django.utils import timezone

from audit.canonical import canonical_json
from audit.merkle import merkle_root
from audit.models import Record
from draws import services, vwd1
from draws.models import Draw
from draws.services import freezing
from notifications.models import Message
from tests.draws.factories import (
    CASH,
    HOUR,
    SMALL,
    VOUCHER,
    add_entrants,
    add_entry,
    entries_text,
    fund,
    make_draft,
    make_draw,
    make_frozen,
    pool_of,
    stored_text,
)
from tests.factories import admin, alice

pytestmark = pytest.mark.django_db


def rfc3339(moment):
    return moment.strftime("%Y-%m-%dT%H:%M:%SZ")


def test_the_manifest_says_everything_that_was_promised_and_nothing_else():
    draw = make_frozen(entrants=25, prizes=[CASH, SMALL, VOUCHER], title="Zawadi – ১ 🎁", rules="Kanuni\r\n")
    text = entries_text(draw)
    lines = text.encode().splitlines()
    assert draw.manifest == {
        "spec": "vwd1",
        "draw_id": str(draw.public_id),
        "scope": str(draw.public_id),
        "title": "Zawadi – ১ 🎁",
        "rules_sha256": sha256(b"Kanuni\r\n").hexdigest(),
        "opens_at": rfc3339(draw.opens_at),
        "closes_at": rfc3339(draw.closes_at),
        "frozen_at": rfc3339(draw.frozen_at),
        "draw_at": rfc3339(draw.draw_at),
        "entries": {
            "count": 25,
            "tickets": sum(draw.entries.values_list("weight", flat=True)),
            "sha256": sha256(text.encode()).hexdigest(),
            "merkle_root": merkle_root(lines).hex(),
        },
        "prizes": [{"id": "p1", "quantity": 1}, {"id": "p2", "quantity": 2}, {"id": "p3", "quantity": 1}],
        "alternates": 4,
        "excludes": [],
        "min_wait_s": 600,
        "randomness": [{"type": "commit", "sha256": draw.commitment}],
    }
    canonical = services.canonical_manifest(draw)
    assert canonical == canonical_json(draw.manifest)
    assert draw.manifest_sha256 == sha256(canonical).hexdigest()
    vwd1.validate_manifest(draw.manifest)


def test_the_manifest_is_the_same_after_a_journey_through_the_database():
    draw = make_frozen()
    again = Draw.objects.get(pk=draw.pk)
    assert services.canonical_manifest(again) == services.canonical_manifest(draw)
    assert vwd1.manifest_sha256(again.manifest) == again.manifest_sha256


@pytest.mark.parametrize("count", [1, 2, 3, 1000])
def test_the_entries_file_is_the_table_in_the_order_of_the_pids(count):
    draw = make_frozen(entrants=count)
    text = stored_text(draw)
    assert text == entries_text(draw)
    assert text.count("\n") == count == draw.entries_count
    assert "@" not in text


def test_a_stored_file_can_be_read_by_a_web_server():
    path = default_storage.path(freezing.entries_file_name(make_frozen()))
    with open(path, "rb") as file:
        assert os.fstat(file.fileno()).st_mode & 0o777 == 0o644


def test_the_job_freezes_what_has_closed_and_nothing_else():
    closed, open_still, draft = make_draw(entrants=2, closes_in=-HOUR), make_draw(entrants=2), make_draft()
    assert [draw.pk for draw in services.freeze_due_draws(now=timezone.now())] == [closed.pk]
    for draw in (open_still, draft):
        draw.refresh_from_db()
        assert draw.frozen_at is None


def test_freezing_again_does_nothing():
    draw = make_frozen()
    assert services.freeze_due_draws(now=timezone.now()) == []
    assert services.freeze_draw(draw_id=draw.pk, now=timezone.now()) is None
    assert services.freeze_draw(draw_id=draw.pk, now=timezone.now(), by=admin(), reason="Again") is None
    assert Message.objects.filter(kind="draws.entries_frozen").count() == 1


def test_a_freeze_in_time_leaves_the_times_alone():
    draw = make_draw(entrants=2, closes_in=-HOUR)
    frozen = services.freeze_draw(draw_id=draw.pk, now=draw.closes_at + dt.timedelta(milliseconds=400))
    assert frozen.frozen_at == frozen.closes_at == draw.closes_at
    assert frozen.draw_at == draw.draw_at


def test_a_late_freeze_puts_the_real_times_in_and_moves_the_draw():
    draw = make_draw(entrants=2, closes_in=-5 * HOUR)
    now = timezone.now()
    services.freeze_due_draws(now=now)
    frozen = Draw.objects.get(pk=draw.pk)
    assert frozen.closes_at == draw.closes_at
    assert frozen.frozen_at == now.replace(microsecond=0)
    assert frozen.draw_at == frozen.frozen_at + dt.timedelta(seconds=600)
    assert frozen.manifest["draw_at"] == rfc3339(frozen.draw_at)
    message = Message.objects.get(kind="draws.entries_frozen")
    assert dt.datetime.fromisoformat(message.context["draw_at"]) == frozen.draw_at


def test_by_hand_it_needs_a_reason():
    draw = make_draw(entrants=2)
    with pytest.raises(services.FreezeError, match="Say why"):
        services.freeze_draw(draw_id=draw.pk, now=timezone.now(), by=admin(), reason="  ")
    draw.refresh_from_db()
    assert draw.frozen_at is None


def test_by_hand_it_closes_entries_at_once_and_says_who_and_why():
    draw = make_draw(entrants=2)
    now = timezone.now()
    frozen = services.freeze_draw(draw_id=draw.pk, now=now, by=admin(), reason="The hall is full")
    assert frozen.closes_at == frozen.frozen_at == now.replace(microsecond=0)
    assert frozen.draw_at == draw.draw_at
    trail = Record.objects.get(action="draw.entries_locked")
    assert (trail.actor, trail.data["reason"]) == (admin(), "The hall is full")
    with pytest.raises(services.EntryRefusedError, match="Entries are closed"):
        services.enter_draw(draw=draw, member=alice(), now=timezone.now())


def test_without_an_admin_it_never_closes_entries_early():
    draw = make_draw(entrants=2)
    assert services.freeze_draw(draw_id=draw.pk, now=timezone.now(), reason="Now") is None
    draw.refresh_from_db()
    assert draw.frozen_at is None


def test_by_hand_it_refuses_a_draw_that_has_not_opened():
    draw = make_draw(closes_in=9 * HOUR)
    with pytest.raises(services.FreezeError, match="not opened yet"):
        services.freeze_draw(draw_id=draw.pk, now=timezone.now(), by=admin(), reason="Now")


def test_a_draw_without_entries_is_void_and_its_money_goes_back():
    draw = make_draw(closes_in=-HOUR, extra=99)
    assert pool_of(draw) == (99, 120_000, 0)
    services.freeze_due_draws(now=timezone.now())
    draw.refresh_from_db()
    assert (draw.status, draw.entries_count, draw.manifest) == (Draw.Status.VOID, 0, None)
    assert pool_of(draw) == (0, 0, 0)
    assert Record.objects.get(action="draw.voided").data == {"returned": {"KES": 120_099}}
    assert Message.objects.filter(kind="draws.draw_void").count() == 1
    assert not Message.objects.filter(kind="draws.entries_frozen").exists()
    assert services.execute_due_draws(now=timezone.now() + HOUR) == services.ExecutionSummary()
    assert services.freeze_due_draws(now=timezone.now()) == []


def test_a_draw_cancelled_between_the_steps_gets_no_manifest(monkeypatch):
    draw = make_draw(entrants=2, closes_in=-HOUR)
    store = freezing.store_entries_file

    def cancel_meanwhile(file, of):
        store(file, of)
        services.cancel_draw(draw=of, by=admin(), reason="Rain", now=timezone.now())

    monkeypatch.setattr(freezing, "store_entries_file", cancel_meanwhile)
    assert services.freeze_due_draws(now=timezone.now()) == []
    draw.refresh_from_db()
    assert (draw.status, draw.manifest) == (Draw.Status.CANCELLED, None)


def test_one_draw_that_fails_stops_no_other(monkeypatch):
    bad, good = make_draw(entrants=1, closes_in=-2 * HOUR), make_draw(entrants=1, closes_in=-HOUR)
    store = freezing.store_entries_file

    def fail_for_one(file, draw):
        if draw.pk == bad.pk:
            raise OSError("the disk is full")
        store(file, draw)

    monkeypatch.setattr(freezing, "store_entries_file", fail_for_one)
    assert [draw.pk for draw in services.freeze_due_draws(now=timezone.now())] == [good.pk]
    monkeypatch.undo()
    assert services.freeze_due_draws(now=timezone.now()) == []  # not at once again
    assert [draw.pk for draw in services.freeze_due_draws(now=timezone.now() + HOUR)] == [bad.pk]


def test_a_file_that_can_not_be_written_leaves_no_part_of_it(monkeypatch):
    draw = make_draw(entrants=3, closes_in=-HOUR)

    def fail(*_arguments):
        raise OSError("the disk is full")

    monkeypatch.setattr(freezing.os, "fsync", fail)
    services.freeze_due_draws(now=timezone.now())
    assert default_storage.listdir(f"draws/{draw.public_id}")[1] == []


def test_as_many_tickets_as_json_can_hold():
    draw = make_draw(closes_in=-HOUR)
    add_entry(draw, "rich@example.org", weight=2**53 - 3)
    add_entry(draw, "poor@example.org", weight=1)
    add_entry(draw, "late@example.org", weight=1)
    services.freeze_due_draws(now=timezone.now())
    draw.refresh_from_db()
    assert draw.manifest["entries"]["tickets"] == 2**53 - 1
    services.execute_draw(draw_id=draw.pk, now=draw.draw_at + HOUR)
    assert services.verify_stored_draw(Draw.objects.get(pk=draw.pk)) == []


def test_the_commands_do_what_beat_does(capsys):
    draw = make_draw(entrants=3, closes_in=-HOUR, min_wait_s=30)
    call_command("freeze_due_draws")
    draw.refresh_from_db()
    assert f"{draw.slug}: active, 3 entries {draw.manifest_sha256}" in capsys.readouterr().out


# ── Summer time ───────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("zone", "local", "utc"),
    [
        ("America/Toronto", dt.datetime(2027, 3, 14, 1, 59, 59), "2027-03-14T06:59:59Z"),
        ("America/Toronto", dt.datetime(2027, 3, 14, 3, 0, 0), "2027-03-14T07:00:00Z"),
        ("America/Toronto", dt.datetime(2026, 11, 1, 1, 30, 0), "2026-11-01T05:30:00Z"),
        ("America/Toronto", dt.datetime(2026, 11, 1, 1, 30, 0, fold=1), "2026-11-01T06:30:00Z"),
        ("Europe/London", dt.datetime(2027, 3, 28, 2, 0, 0), "2027-03-28T01:00:00Z"),
        ("Europe/London", dt.datetime(2026, 10, 25, 1, 0, 0, fold=1), "2026-10-25T01:00:00Z"),
        ("Africa/Nairobi", dt.datetime(2027, 1, 1, 0, 0, 0), "2026-12-31T21:00:00Z"),
        ("Asia/Dhaka", dt.datetime(2027, 1, 1, 0, 0, 0), "2026-12-31T18:00:00Z"),
    ],
)
def test_times_are_kept_in_utc_across_the_nights_when_clocks_change(zone, local, utc):
    closes_at = local.replace(tzinfo=ZoneInfo(zone))
    opens_at = closes_at.astimezone(dt.UTC) - dt.timedelta(hours=24)
    draw = make_draft(
        closes_at=closes_at,
        opens_at=opens_at,
        draw_at=closes_at.astimezone(dt.UTC) + dt.timedelta(hours=1),
        time_zone=zone,
    )
    fund(draw)
    draw = services.publish_draw(draw=draw, by=None, now=opens_at)
    add_entrants(draw, 2)
    draw = Draw.objects.get(pk=draw.pk)
    assert draw.phase(draw.closes_at - dt.timedelta(seconds=1)) == "open"
    assert draw.phase(draw.closes_at) == "closed"
    services.freeze_draw(draw_id=draw.pk, now=draw.closes_at)
    draw.refresh_from_db()
    assert draw.manifest["closes_at"] == draw.manifest["frozen_at"] == utc
    length = dt.datetime.fromisoformat(draw.manifest["closes_at"]) - dt.datetime.fromisoformat(
        draw.manifest["opens_at"]
    )
    assert length == dt.timedelta(hours=24)
    assert draw not in Draw.objects.due_to_execute(draw.draw_at - dt.timedelta(seconds=1))
    assert draw in Draw.objects.due_to_execute(draw.draw_at)
