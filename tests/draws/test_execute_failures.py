"""When a draw can't be executed: nothing is changed, the admins are told once, it is tried again, and succeeds."""

import datetime as dt
import os
from contextlib import contextmanager

import pytest
from cryptography.fernet import Fernet
from django.core.files.base import ContentFile
from django.core.files.storage import default_storage
from django.db import connection
from django.utils import timezone

from audit.models import Record
from draws import services
from draws.models import Award, Draw, DrawReport, Prize, Winner
from draws.services import executing
from draws.services.freezing import entries_file_name
from draws.vault import seal_secret
from notifications.models import Message
from payments.models import LedgerEntry
from tests.draws.factories import (
    CASH,
    SMALL,
    assert_ledger_balances,
    entries_text,
    make_draw,
    make_frozen,
    pool_of,
    stored_text,
    winners_of,
)
from tests.draws.processes import at_once
from tests.factories import admin


@contextmanager
def guards_off(table):
    """What only the owner of the table can do: switch its triggers off."""
    with connection.cursor() as cursor:
        cursor.execute("SET CONSTRAINTS ALL IMMEDIATE")
        cursor.execute(f"ALTER TABLE {table} DISABLE TRIGGER USER")
        yield cursor
        cursor.execute(f"ALTER TABLE {table} ENABLE TRIGGER USER")


def overwrite_stored(draw, content):
    """Put something else where the entries file lies."""
    name = entries_file_name(draw)
    default_storage.delete(name)
    default_storage.save(name, ContentFile(content))


def assert_nothing_drawn(draw):
    draw.refresh_from_db()
    assert draw.status == Draw.Status.ACTIVE
    assert draw.executed_at is None
    for table in (Winner, DrawReport):
        assert not table.objects.filter(draw=draw).exists()
    assert not Award.objects.filter(about=draw.about).exists()
    assert not LedgerEntry.objects.filter(kind__startswith="prize.").exists()
    assert not Message.objects.filter(kind="draws.winner_announcement").exists()


def failures():
    """How often a failure went on record, and how often the admins were told."""
    return (
        Record.objects.filter(action="draw.execution_failed").count(),
        Message.objects.filter(kind="draws.execution_failed").count(),
    )


def run(draw, *, at=None):
    """One run of the job; returns (draws processed, failed)."""
    summary = services.execute_due_draws(now=at or draw.draw_at)
    return summary.draws_processed, summary.failed


# ── The pool ──────────────────────────────────────────────────────────────────────────────────────────────


def make_short(by=4):
    """A draw whose prizes grew after they were set aside."""
    draw = make_draw(entrants=12, closes_in=dt.timedelta(hours=-2), prizes=[CASH, SMALL])
    Prize.objects.filter(draw=draw, code="p2").update(quantity=2 + by)
    return services.freeze_draw(draw_id=draw.pk, now=draw.closes_at)


@pytest.mark.django_db
def test_a_short_pool_refuses_the_draw_and_changes_nothing():
    draw = make_short()
    before = pool_of(draw)
    assert run(draw) == (0, 1)
    assert_nothing_drawn(draw)
    assert pool_of(draw) == before
    assert "Fund the pool with KES 400.00 more" in draw.execution_error
    assert draw.attempts == 1
    assert draw.next_attempt_at > draw.draw_at
    assert failures() == (1, 1)


@pytest.mark.django_db
def test_once_the_pool_is_funded_the_next_run_draws():
    draw = make_short()
    run(draw)
    services.fund_draw(
        draw=draw, unit="KES", amount=40_000, by=admin(), reason="More", idem_key="more", now=timezone.now()
    )
    assert run(draw, at=draw.draw_at + dt.timedelta(minutes=1)) == (1, 0)
    draw.refresh_from_db()
    assert (draw.execution_error, draw.attempts, draw.next_attempt_at) == ("", 2, None)
    assert len(winners_of(draw)) == 7
    assert pool_of(draw) == (0, 0, 160_000)
    assert services.verify_stored_draw(draw) == []
    assert_ledger_balances()


@pytest.mark.django_db
def test_what_is_free_in_the_pool_covers_prizes_that_grew():
    draw = make_draw(entrants=12, closes_in=dt.timedelta(hours=-2), prizes=[CASH, SMALL], extra=50_000)
    Prize.objects.filter(draw=draw, code="p2").update(quantity=6)
    services.freeze_draw(draw_id=draw.pk, now=draw.closes_at)
    assert run(draw) == (1, 0)
    assert pool_of(draw) == (10_000, 0, 160_000)


# ── Failing again and again ───────────────────────────────────────────────────────────────────────────────


@pytest.mark.django_db
def test_it_is_not_tried_again_before_its_time():
    draw = make_short()
    run(draw)
    draw.refresh_from_db()
    assert run(draw, at=draw.next_attempt_at - dt.timedelta(seconds=1)) == (0, 0)
    assert run(draw, at=draw.next_attempt_at) == (0, 1)


@pytest.mark.django_db
def test_the_waits_grow_to_ten_minutes_and_the_admins_are_told_once():
    draw = make_short()
    now, waits = draw.draw_at, []
    for _ in range(9):
        assert run(draw, at=now) == (0, 1)
        draw.refresh_from_db()
        waits.append((draw.next_attempt_at - now).total_seconds())
        now = draw.next_attempt_at
    for wait, most in zip(waits, [10, 30, 60, 120, 300, 600, 600, 600, 600], strict=True):
        assert most / 2 <= wait <= most
    assert failures() == (9, 1)
    assert draw.attempts == 9


@pytest.mark.django_db
def test_another_failure_is_told_too(monkeypatch):
    draw = make_frozen()
    for number, text in enumerate(["First", "First", "Second"]):
        monkeypatch.setattr(executing, "compute_outcome", raising(RuntimeError(text)))
        run(draw, at=draw.draw_at + dt.timedelta(hours=number))
    assert failures() == (3, 2)


@pytest.mark.django_db
def test_a_failure_without_a_word_is_told_once(monkeypatch):
    draw = make_frozen()
    monkeypatch.setattr(executing, "compute_outcome", raising(MemoryError()))
    for number in range(3):
        run(draw, at=draw.draw_at + dt.timedelta(hours=number))
    draw.refresh_from_db()
    assert draw.execution_error == "MemoryError"
    assert failures() == (3, 1)


@pytest.mark.django_db
def test_one_draw_that_fails_stops_no_other(monkeypatch):
    bad, good = make_short(), make_frozen(prizes=[CASH])
    assert run(good, at=max(bad.draw_at, good.draw_at)) == (1, 1)
    assert_nothing_partial(bad)
    good.refresh_from_db()
    assert good.status == Draw.Status.COMPLETED


def assert_nothing_partial(draw):
    draw.refresh_from_db()
    assert draw.status == Draw.Status.ACTIVE
    assert not Winner.objects.filter(draw=draw).exists()


@pytest.mark.django_db
@pytest.mark.parametrize("step", ["award_prizes", "_write_report", "tell_results", "_release_leftover"])
def test_a_failure_in_the_middle_of_writing_undoes_all_of_it(monkeypatch, step):
    draw = make_frozen()
    before = pool_of(draw)
    with monkeypatch.context() as patch:
        real = getattr(executing, step)

        def fail(**arguments):
            real(**arguments)
            raise OSError("the disk is full")

        def fail_at(*positional, **arguments):
            real(*positional, **arguments)
            raise OSError("the disk is full")

        patch.setattr(executing, step, fail_at if step == "_release_leftover" else fail)
        assert run(draw) == (0, 1)
    assert_nothing_drawn(draw)
    assert pool_of(draw) == before
    assert draw.execution_error == "the disk is full"
    assert run(draw, at=draw.next_attempt_at) == (1, 0)
    assert services.verify_stored_draw(Draw.objects.get(pk=draw.pk)) == []


def raising(error):
    def raise_it(*_arguments, **_named):
        raise error

    return raise_it


def test_eight_workers_that_fail_at_once_are_one_failure(cloned_db):
    draw = make_short()
    now = draw.draw_at
    at_once(lambda: services.execute_due_draws(now=now).failed, 8)
    assert_nothing_drawn(draw)
    assert draw.attempts == 1
    assert failures() == (1, 1)


@pytest.mark.django_db
def test_a_failure_by_hand_is_written_down_with_who_asked(monkeypatch):
    draw = make_frozen()
    monkeypatch.setattr(executing, "compute_outcome", raising(OSError("gone")))
    with pytest.raises(OSError, match="gone"):
        services.execute_draw(draw_id=draw.pk, by=admin(), reason="Now", now=draw.draw_at)
    assert Record.objects.get(action="draw.execution_failed").actor == admin()


# ── Tampering ─────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.django_db
@pytest.mark.parametrize(
    "tampered",
    [
        b"",
        b"\xff\xfe",
        b"not,an,entries file\n",
        lambda text: text[:-1],
        lambda text: text[: len(text) // 2],
        lambda text: "".join(reversed(text.splitlines(keepends=True))),
        lambda text: text.splitlines(keepends=True)[0],
    ],
    ids=["empty", "binary", "another", "cut by one", "torn", "turned round", "one line"],
)
def test_a_stored_file_that_was_tampered_with_is_made_again(tampered):
    draw = make_frozen(entrants=12)
    text = stored_text(draw)
    overwrite_stored(draw, tampered if isinstance(tampered, bytes) else tampered(text).encode())
    assert run(draw) == (1, 0)
    assert stored_text(draw) == text == entries_text(draw)
    assert services.verify_stored_draw(Draw.objects.get(pk=draw.pk)) == []


@pytest.mark.django_db
def test_a_well_formed_file_that_makes_somebody_rich_is_not_drawn_from():
    draw = make_frozen(entrants=12)
    rows, first = [], 0
    for line in stored_text(draw).splitlines():
        pid, _first, count = line.split(",")
        count = 10**9 if not rows else int(count)
        rows.append(f"{pid},{first},{count}\n")
        first += count
    overwrite_stored(draw, "".join(rows).encode())
    assert run(draw) == (1, 0)
    assert services.verify_stored_draw(Draw.objects.get(pk=draw.pk)) == []


@pytest.mark.django_db
def test_a_missing_file_is_made_again():
    draw = make_frozen()
    default_storage.delete(entries_file_name(draw))
    assert run(draw) == (1, 0)
    assert stored_text(draw) == entries_text(draw)


@pytest.mark.django_db
@pytest.mark.parametrize(
    "change",
    [
        "UPDATE draws_entry SET weight = 1000000 WHERE id = (SELECT min(id) FROM draws_entry)",
        "UPDATE draws_entry SET pid = sha256(pid) WHERE id = (SELECT min(id) FROM draws_entry)",
        "INSERT INTO draws_entry (draw_id, identity, name, pid, salt, weight, source, entered_at)"
        " SELECT draw_id, 'late@example.org', '', sha256('late'), salt, 1, source, entered_at"
        " FROM draws_entry LIMIT 1",
        "DELETE FROM draws_entry WHERE id = (SELECT min(id) FROM draws_entry)",
    ],
    ids=["richer", "another person", "one more", "one less"],
)
def test_entries_changed_behind_the_guards_are_refused_when_the_file_is_gone_too(change):
    draw = make_frozen(entrants=12)
    with guards_off("draws_entry") as cursor:
        cursor.execute(change)
    default_storage.delete(entries_file_name(draw))
    assert run(draw) == (0, 1)
    assert_nothing_drawn(draw)
    assert "not those that were frozen" in draw.execution_error
    assert failures() == (1, 1)
    assert not default_storage.exists(entries_file_name(draw))  # what would be wrong is not published


@pytest.mark.django_db
def test_it_succeeds_once_the_entries_are_as_they_were():
    draw = make_frozen(entrants=12)
    with guards_off("draws_entry") as cursor:
        cursor.execute("UPDATE draws_entry SET weight = weight + 1000")
    default_storage.delete(entries_file_name(draw))
    run(draw)
    with guards_off("draws_entry") as cursor:
        cursor.execute("UPDATE draws_entry SET weight = weight - 1000")
    draw.refresh_from_db()
    assert run(draw, at=draw.next_attempt_at) == (1, 0)
    assert services.verify_stored_draw(Draw.objects.get(pk=draw.pk)) == []


@pytest.mark.django_db
@pytest.mark.parametrize("change", ["weight = weight + 1", "pid = sha256(pid)"])
def test_a_winner_whose_row_is_not_what_was_frozen_gets_nothing(change):
    draw = make_frozen(entrants=3)  # as many as slots: each of them wins
    with guards_off("draws_entry") as cursor:
        cursor.execute(f"UPDATE draws_entry SET {change} WHERE id = (SELECT max(id) FROM draws_entry)")
    assert run(draw) == (0, 1)
    assert_nothing_drawn(draw)
    assert "not in the database as it was frozen" in draw.execution_error


@pytest.mark.django_db
def test_a_manifest_changed_behind_the_guards_is_not_drawn_from():
    draw = make_frozen()
    with guards_off("draws_draw") as cursor:
        cursor.execute("""UPDATE draws_draw SET manifest = jsonb_set(manifest, '{alternates}', '9')""")
    assert run(draw) == (0, 1)
    assert_nothing_drawn(draw)
    assert "manifest" in draw.execution_error


@pytest.mark.django_db
def test_another_secret_than_the_one_committed_to_is_refused():
    draw = make_frozen()
    Draw.objects.filter(pk=draw.pk).update(secret_encrypted=seal_secret(os.urandom(32)))
    assert run(draw) == (0, 1)
    assert_nothing_drawn(draw)
    assert "not the one that was committed to" in draw.execution_error


@pytest.mark.django_db
def test_a_secret_that_no_key_opens_is_refused_and_the_old_key_mends_it(settings):
    draw = make_frozen()
    keys = settings.DRAW_SECRET_KEYS
    settings.DRAW_SECRET_KEYS = [Fernet.generate_key().decode()]
    assert run(draw) == (0, 1)
    assert_nothing_drawn(draw)
    assert "DRAW_SECRET_KEYS" in draw.execution_error
    settings.DRAW_SECRET_KEYS = [*settings.DRAW_SECRET_KEYS, *keys]
    assert run(draw, at=draw.next_attempt_at) == (1, 0)


# ── What the check of a finished draw finds ───────────────────────────────────────────────────────────────


@pytest.fixture
def drawn(db):
    draw = make_frozen(entrants=12)
    run(draw)
    draw.refresh_from_db()
    return draw


@pytest.mark.parametrize(
    ("table", "change", "finding"),
    [
        ("draws_entry", "UPDATE draws_entry SET weight = weight + 1", "entries in the database"),
        ("draws_drawreport", "UPDATE draws_drawreport SET report_sha256 = repeat('0', 64)", "its own hash"),
        (
            "draws_drawreport",
            "UPDATE draws_drawreport SET proof = jsonb_set(proof, '{ranks,0,ticket}', '-1')",
            "its own hash",
        ),
        (
            "draws_winner",
            "UPDATE draws_winner SET entry_id = (SELECT id FROM draws_entry WHERE id NOT IN"
            " (SELECT entry_id FROM draws_winner) LIMIT 1) WHERE slot = 0",
            "winner of slot 0",
        ),
        ("draws_winner", "UPDATE draws_winner SET slot = 77 WHERE slot = 0", "knows nothing"),
        ("draws_winner", "DELETE FROM draws_winner WHERE slot = 1", "winner of slot 1"),
        ("draws_draw", "UPDATE draws_draw SET manifest_sha256 = repeat('0', 64)", "another manifest"),
    ],
)
def test_the_check_of_a_finished_draw_names_what_was_changed_behind_the_guards(drawn, table, change, finding):
    assert services.verify_stored_draw(drawn) == []
    with guards_off(table) as cursor:
        cursor.execute(change)
    assert any(finding in sentence for sentence in services.verify_stored_draw(Draw.objects.get(pk=drawn.pk)))


def test_a_winner_slipped_in_is_found(drawn):
    loser = drawn.entries.exclude(pk__in=drawn.winners.values("entry")).first()
    award = Award.objects.create(
        key="slipped",
        about=drawn.about,
        pool=drawn.pool,
        title="x",
        kind="voucher",
        state="claimable",
        created_at=timezone.now(),
    )
    Winner.objects.create(
        draw=drawn,
        slot=50,
        rank=50,
        entry=loser,
        prize=drawn.prizes.first(),
        award=award,
        ticket=0,
        created_at=timezone.now(),
    )
    assert any("slot 50" in sentence for sentence in services.verify_stored_draw(drawn))
