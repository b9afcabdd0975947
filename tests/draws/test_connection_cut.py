"""The database connection taken away in the middle: nothing is half done, and the next run or request goes on.

A job that was cut is not dead: it has to come to rest by itself, note what happened where that is its way, and
do the other draws' work over a new connection.
"""

import datetime as dt
from threading import Thread

import pytest
from django.db import connection
from django.utils import timezone
from structlog.testing import capture_logs

from audit.models import Record
from draws import services
from draws.models import Award, Draw, DrawReport, Entry, Winner
from draws.services import executing, failing, freezing
from notifications.models import Message
from payments.models import LedgerEntry, Posting
from tests.draws.factories import (
    CASH,
    CREDITS,
    HOUR,
    SMALL,
    VOUCHER,
    assert_ledger_balances,
    balance,
    make_draw,
    make_executed,
    make_frozen,
    pool_of,
    winners_of,
)
from tests.draws.processes import cut_connections, gate, start, twin_of
from tests.draws.proofs import assert_proof_holds, holders
from tests.draws.test_award_races import LATE
from tests.draws.visitors import Visitor
from tests.factories import alice, bob
from tests.live import wait_until

SEVERAL = 6


def cut_in_the_middle(cloned_db, work, table: str, event: str = "INSERT", when: str = "") -> None:
    """Run `work()` in a process of its own, cut its connection at that statement, and see it end by itself."""
    with gate(cloned_db) as shut:
        shut.shut(table, event, when)
        process = start(work)
        shut.cut(shut.wait_for_one())
        process.join(60)
    assert process.exitcode == 0


# ── Jobs ──────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("table", "event", "when", "is_locked"),
    [
        ("audit_record", "INSERT", "NEW.action = 'draw.entries_locked'", False),
        ("draws_draw", "UPDATE", "NEW.manifest IS NOT NULL", True),
        ("notifications_message", "INSERT", "NEW.kind = 'draws.entries_frozen'", True),
    ],
    ids=["locking", "storing the manifest", "telling"],
)
def test_a_freeze_that_is_cut_goes_on_with_the_same_manifest(cloned_db, table, event, when, is_locked):
    draw = make_draw(entrants=20, closes_in=-HOUR)
    cut_in_the_middle(cloned_db, lambda: services.freeze_due_draws(now=timezone.now()), table, event, when)
    draw.refresh_from_db()
    assert (draw.frozen_at is not None, draw.manifest) == (is_locked, None)
    now = timezone.now() + dt.timedelta(minutes=1)  # it was a failure, and is tried again after a wait
    with twin_of(cloned_db):
        services.freeze_due_draws(now=now)
        expected = Draw.objects.get(pk=draw.pk).manifest
    assert len(services.freeze_due_draws(now=now)) == 1
    draw.refresh_from_db()
    assert draw.manifest == expected
    assert Message.objects.filter(kind="draws.entries_frozen", about=draw.about).count() == 1


PAYING = [
    ("payments_ledgerentry", "INSERT", ""),
    ("payments_posting", "INSERT", ""),
    ("payments_account", "UPDATE", ""),
    ("draws_award", "INSERT", ""),
    ("draws_winner", "INSERT", ""),
    ("draws_drawreport", "INSERT", ""),
    ("notifications_message", "INSERT", "NEW.kind = 'draws.winner_announcement'"),
]


@pytest.mark.parametrize(("table", "event", "when"), PAYING)
def test_an_execution_that_is_cut_pays_nobody_and_the_next_run_draws_the_same(cloned_db, table, event, when):
    draw = make_frozen(entrants=40, members=[alice(), bob()], prizes=[CASH, SMALL, CREDITS, VOUCHER])
    with twin_of(cloned_db):
        services.execute_due_draws(now=timezone.now())
        expected = winners_of(draw), Draw.objects.get(pk=draw.pk).report.proof
    before = {table.__name__: table.objects.count() for table in (Winner, Award, LedgerEntry, Posting)}
    cut_in_the_middle(cloned_db, lambda: services.execute_due_draws(now=timezone.now()), table, event, when)
    draw.refresh_from_db()
    assert (draw.status, draw.executed_at) == (Draw.Status.ACTIVE, None)
    assert {
        table.__name__: table.objects.count() for table in (Winner, Award, LedgerEntry, Posting)
    } == before
    # Noted over a new connection, and told to the admins: nothing failed silently.
    assert draw.execution_error
    assert Message.objects.filter(kind="draws.execution_failed", about=draw.about).count() == 1
    assert services.execute_due_draws(now=draw.next_attempt_at).draws_processed == 1
    draw.refresh_from_db()
    assert winners_of(draw) == expected[0]
    assert draw.report.proof == expected[1]
    assert DrawReport.objects.count() == Record.objects.filter(action="draw.executed").count() == 1
    assert LedgerEntry.objects.filter(kind__in=("prize.paid", "prize.owed"), about=draw.about).count() == 4
    assert Message.objects.filter(kind="draws.winner_announcement", about=draw.about).count() == 1
    assert pool_of(draw)[:2] == (0, 0)
    assert_ledger_balances()
    assert_proof_holds(draw)


@pytest.mark.parametrize(
    ("table", "event", "when"),
    [
        ("draws_disposition", "INSERT", "NEW.state = 'promoted'"),
        ("payments_posting", "INSERT", ""),
        ("draws_winner", "INSERT", ""),
        ("draws_award", "UPDATE", ""),
        ("notifications_message", "INSERT", "NEW.kind = 'draws.prize_forfeited'"),
    ],
)
def test_an_expiry_that_is_cut_takes_nothing_and_the_next_run_completes(cloned_db, table, event, when):
    draw = make_executed(entrants=10, prizes=[CASH, SMALL])
    now = draw.draw_at + LATE
    tables = (Winner, Award, LedgerEntry, Posting, Message, Record)
    before = [table.objects.count() for table in tables]
    cut_in_the_middle(cloned_db, lambda: services.expire_awards(now=now), table, event, when)
    assert [table.objects.count() for table in tables] == before
    assert holders(draw) == {0: 0, 1: 1, 2: 2}
    assert services.expire_awards(now=now).expired == 3
    assert holders(draw) == {0: 3, 1: 4, 2: 5}
    assert LedgerEntry.objects.filter(kind="prize.forfeited", about=draw.about).count() == 3
    assert Message.objects.filter(kind="draws.prize_forfeited", about=draw.about).count() == 1
    assert_proof_holds(draw)


def cut_once(cloned_db, real):
    """`real`, but the first time it is called the connection goes just before; outside of any transaction."""
    calls = []

    def wrapped(*args, **kwargs):
        calls.append(args)
        if len(calls) == 1:
            cut_connections(cloned_db)
        return real(*args, **kwargs)

    return wrapped


@pytest.mark.parametrize("step", ["collect_randomness", "execution_checks", "compute_outcome", "_write"])
def test_a_draw_that_is_cut_between_transactions_is_noted_and_the_next_one_is_drawn(
    cloned_db, monkeypatch, step
):
    first, second = make_frozen(), make_frozen()
    monkeypatch.setattr(executing, step, cut_once(cloned_db, getattr(executing, step)))
    summary = services.execute_due_draws(now=timezone.now())
    assert (summary.draws_processed, summary.failed) == (1, 1)
    first.refresh_from_db()
    second.refresh_from_db()
    assert (first.status, second.status) == (Draw.Status.ACTIVE, Draw.Status.COMPLETED)
    assert first.execution_error
    assert services.execute_due_draws(now=first.next_attempt_at).draws_processed == 1
    assert_proof_holds(first)


@pytest.mark.parametrize("step", ["_lock_entries", "entries_blocks", "store_entries_file"])
def test_a_freeze_that_is_cut_between_transactions_does_not_hold_up_the_next_one(
    cloned_db, monkeypatch, step
):
    first, second = make_draw(entrants=3, closes_in=-HOUR), make_draw(entrants=3, closes_in=-HOUR)
    monkeypatch.setattr(freezing, step, cut_once(cloned_db, getattr(freezing, step)))
    assert services.freeze_due_draws(now=timezone.now()) == [second]
    assert services.freeze_due_draws(now=timezone.now() + dt.timedelta(minutes=1)) == [first]


def test_a_failure_that_cannot_even_be_written_down_is_in_the_log(cloned_db, monkeypatch):
    make_frozen()

    def gone(**given):
        raise ConnectionError("there is no database any more")

    monkeypatch.setattr(executing, "collect_randomness", gone)
    monkeypatch.setattr(failing, "_write_down", gone)
    with capture_logs() as lines:
        assert services.execute_due_draws(now=timezone.now()).failed == 1
    assert [line["event"] for line in lines] == ["execution_failed"]


# ── Pages ─────────────────────────────────────────────────────────────────────────────────────────────────


def ask_and_be_cut(cloned_db, visitor, path: str, table: str, event: str, when: str) -> tuple[int, str]:
    """POST to `path`, and lose the database at that statement."""
    answers = []
    with gate(cloned_db) as shut:
        shut.shut(table, event, when)
        asking = Thread(target=lambda: answers.append(visitor.ask("POST", path)))
        asking.start()
        shut.cut(shut.wait_for_one())
        asking.join(60)
    [(status, text, _)] = answers
    return status, text


def fill_the_pool(cloned_db, visitor) -> None:
    """Let as many requests stand in the database at once as make the pool hold several connections."""
    with gate(cloned_db) as shut:
        shut.shut("draws_entry")
        path = f"/draws/{make_draw().slug}/enter/"
        crowd = [Thread(target=visitor.ask, args=("POST", path)) for _ in range(SEVERAL)]
        for each in crowd:
            each.start()
        wait_until(lambda: open_connections(cloned_db) >= SEVERAL + 2, "several connections", 60)
        shut.open()
        for each in crowd:
            each.join(60)


def open_connections(cloned_db) -> int:
    """How many connections to the test's database are open; two of them are the test's own."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT numbackends FROM pg_stat_database WHERE datname = %s", [cloned_db.name])
        return int(cursor.fetchone()[0])


def assert_apology(status: int, text: str) -> None:
    assert status in (500, 503)
    assert "what you sent either counts or it does not" in text
    for leak in ("Traceback", "psycopg", "OperationalError", "terminating connection", "SELECT"):
        assert leak not in text


@pytest.mark.parametrize(
    ("table", "when"), [("draws_entry", ""), ("notifications_message", "NEW.kind = 'draws.entry_receipt'")]
)
def test_entering_that_is_cut_says_so_and_works_the_next_time(cloned_db, live_site, table, when):
    draw, visitor = make_draw(), Visitor(live_site, alice())
    path = f"/draws/{draw.slug}/enter/"
    assert_apology(*ask_and_be_cut(cloned_db, visitor, path, table, "INSERT", when))
    assert not Entry.objects.exists()
    for _ in range(2):
        assert visitor.ask("POST", path)[::2] == (302, f"/draws/{draw.slug}/receipt/")
    assert Entry.objects.get().member == alice()
    assert Message.objects.filter(kind="draws.entry_receipt").count() == 1


@pytest.mark.parametrize(
    ("table", "event", "when"),
    [
        ("payments_posting", "INSERT", ""),
        ("draws_award", "UPDATE", ""),
        ("audit_record", "INSERT", "NEW.action = 'award.claimed'"),
    ],
)
def test_claiming_that_is_cut_says_so_and_pays_the_next_time_once(cloned_db, live_site, table, event, when):
    draw = make_executed(members=[alice()], entrants=0, prizes=[CASH], pays="on_claim")
    award, visitor = Award.objects.get(), Visitor(live_site, alice())
    path = f"/prizes/{award.public_id}/"
    assert_apology(*ask_and_be_cut(cloned_db, visitor, path, table, event, when))
    wallet = f"member:{alice().pk}:KES"
    assert (balance(wallet), pool_of(draw)) == (0, (0, 0, 100_000))
    for _ in range(2):
        assert visitor.ask("POST", path)[::2] == (302, path)
    assert (balance(wallet), pool_of(draw)) == (100_000, (0, 0, 0))
    assert_proof_holds(draw)


def test_a_pool_full_of_dead_connections_fails_no_page(cloned_db, live_site):
    """As after a restart of PostgreSQL: psycopg_pool alone would wait longer from one to the next, and give up."""
    visitor = Visitor(live_site, alice())
    for _ in range(3):
        fill_the_pool(cloned_db, visitor)
        connection.close()
        assert cut_connections(cloned_db) >= SEVERAL
        assert [visitor.ask("GET", "/dashboard/")[0] for _ in range(4)] == [200] * 4
