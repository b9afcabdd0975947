"""Many at the same moment: entering, the cutoff, publishing, freezing, executing. Real connections and processes."""

import itertools
import os
import threading
import time
from functools import partial
from pathlib import Path

import psycopg
import pytest
from django.core.files.storage import default_storage
from django.db import connections, transaction
from django.utils import timezone

from audit.models import Record
from draws import services
from draws.models import Award, Draw, DrawReport, Entry, Prize, Winner
from draws.services.entering import lock_open_draw
from notifications.models import Delivery, Message
from payments.models import LedgerEntry
from tests.draws.factories import (
    CASH,
    CREDITS,
    HOUR,
    SMALL,
    add_entry,
    assert_ledger_balances,
    entries_text,
    fund,
    make_draft,
    make_draw,
    make_frozen,
    pool_of,
    stored_text,
    winners_of,
)
from tests.draws.processes import at_once, gate, start, together, twin_of
from tests.factories import admin, alice, bob

EIGHT = 8


# ── Publishing and entering ───────────────────────────────────────────────────────────────────────────────


def test_many_who_publish_at_once_publish_once(parallel):
    draw = make_draft()
    fund(draw)
    outcomes = parallel(
        lambda: services.publish_draw(draw=draw, by=None, now=timezone.now()).commitment, EIGHT
    )
    assert outcomes.errors == []
    assert len(set(outcomes.results)) == 1
    assert pool_of(draw) == (0, 120_000, 0)


def pressing(draw, member):
    """The button, for threads: pressed, it gives the number of the entry."""
    return lambda: services.enter_draw(draw=draw, member=member, now=timezone.now()).pk


def test_the_button_pressed_many_times_at_once_makes_one_entry_and_one_receipt(parallel, soak_rounds):
    member = alice()
    for _ in range(soak_rounds(2, 40)):
        draw = make_draw()
        outcomes = parallel(pressing(draw, member), EIGHT)
        assert outcomes.errors == []
        assert len(set(outcomes.results)) == 1
        assert Entry.objects.filter(draw=draw).count() == 1
        receipt = Message.objects.get(kind="draws.entry_receipt", about=draw.about)
        assert Delivery.objects.filter(message=receipt).count() == 1


# ── The cutoff ────────────────────────────────────────────────────────────────────────────────────────────


@pytest.fixture
def open_transaction(cloned_db):
    """A second connection in whose transaction somebody is entering; it commits when the test says so."""
    with psycopg.connect(cloned_db.url) as connection:
        yield connection
        connection.rollback()


def enter_slowly(connection, draw, identity="slow@example.org"):
    """What the service sends, by a connection that has not committed yet."""
    connection.execute(
        "SELECT scope FROM draws_draw WHERE id = %s AND status = 'active' AND frozen_at IS NULL "
        "AND opens_at <= clock_timestamp() AND clock_timestamp() < closes_at FOR SHARE",
        [draw.pk],
    )
    insert_straight(connection, draw, identity)


def insert_straight(connection, draw, identity="slow@example.org"):
    connection.execute(
        "INSERT INTO draws_entry (draw_id, identity, name, pid, salt, weight, source, entered_at) "
        "VALUES (%s, %s, '', sha256(%s::bytea), '\\x00', 5, 'button', now())",
        [draw.pk, identity, identity],
    )


def assert_file_is_the_table(draw):
    draw.refresh_from_db()
    assert stored_text(draw) == entries_text(draw)
    assert draw.manifest["entries"]["count"] == draw.entries.count()


@pytest.mark.parametrize("insert", [enter_slowly, insert_straight], ids=["by the service", "straight"])
def test_an_entry_whose_transaction_is_open_over_the_cutoff_is_in_the_file(open_transaction, insert):
    draw = make_draw(entrants=3)
    insert(open_transaction, draw)
    after = draw.closes_at + HOUR
    assert services.freeze_draw(draw_id=draw.pk, now=after) is None  # it waits for whoever is entering
    draw.refresh_from_db()
    assert draw.frozen_at is None
    open_transaction.commit()
    assert services.freeze_draw(draw_id=draw.pk, now=after) is not None
    assert_file_is_the_table(draw)
    assert draw.entries.filter(identity="slow@example.org").exists()


def test_an_entry_whose_transaction_fails_after_the_cutoff_leaves_nothing(open_transaction):
    draw = make_draw(entrants=3)
    enter_slowly(open_transaction, draw)
    open_transaction.rollback()
    services.freeze_draw(draw_id=draw.pk, now=draw.closes_at)
    assert_file_is_the_table(draw)
    assert draw.entries.count() == 3


def test_an_entry_that_comes_while_the_freeze_is_open_waits_and_is_refused(cloned_db):
    draw = make_draw(entrants=3)
    refused = []

    def enter():
        with psycopg.connect(cloned_db.url) as connection:
            try:
                insert_straight(connection, draw)
            except psycopg.Error as error:
                refused.append(str(error))

    with transaction.atomic():
        Draw.objects.select_for_update().get(pk=draw.pk)
        late = threading.Thread(target=enter)
        late.start()
        late.join(0.5)
        assert late.is_alive()  # it waits for the row that the freeze holds
        services.freeze_draw(draw_id=draw.pk, now=draw.closes_at)
    late.join(30)
    assert "takes no entries" in refused[0]
    assert_file_is_the_table(draw)


def test_freezing_by_hand_waits_for_the_entry_under_way_and_takes_it(open_transaction, cloned_db):
    draw, by = make_draw(entrants=3), admin()
    enter_slowly(open_transaction, draw)
    done = []

    def freeze():
        try:
            done.append(
                services.freeze_draw(draw_id=draw.pk, by=by, reason="The hall is full", now=timezone.now())
            )
        finally:
            connections.close_all()

    freezing = threading.Thread(target=freeze)
    freezing.start()
    freezing.join(0.5)
    assert freezing.is_alive()
    open_transaction.commit()
    freezing.join(30)
    assert done[0] is not None
    assert_file_is_the_table(draw)
    assert draw.entries.count() == 4


def test_a_prize_changed_in_an_open_transaction_is_in_the_manifest(open_transaction):
    draw = make_draw(entrants=3, extra=10**6)
    open_transaction.execute(
        "UPDATE draws_prize SET quantity = 4 WHERE draw_id = %s AND code = 'p2'", [draw.pk]
    )
    assert services.freeze_draw(draw_id=draw.pk, now=draw.closes_at) is None
    open_transaction.commit()
    services.freeze_draw(draw_id=draw.pk, now=draw.closes_at)
    draw.refresh_from_db()
    assert [prize["quantity"] for prize in draw.manifest["prizes"]] == [1, 4]
    assert list(Prize.objects.filter(draw=draw).values_list("quantity", flat=True)) == [1, 4]


def enter_until_closed(draw):
    """Enter one after the other for as long as the draw is open; returns how many."""
    for number in itertools.count():
        try:
            with transaction.atomic():
                lock_open_draw(draw)
                add_entry(draw, f"{os.getpid()}.{number}@example.org")
        except services.EntryRefusedError:
            return number


def freeze_in_the_crowd(draw, by):
    """Freeze by hand once the crowd is at it; returns 0 entries made."""
    while Entry.objects.filter(draw=draw).count() < 40:
        time.sleep(0.001)
    assert services.freeze_draw(draw_id=draw.pk, by=by, reason="Enough", now=timezone.now())
    return 0


def test_frozen_in_the_middle_of_a_crowd_every_entry_is_in_the_file_or_refused(cloned_db, soak_rounds):
    for _ in range(soak_rounds(1, 25)):
        draw = make_draw(entrants=1)
        entering = [partial(enter_until_closed, draw)] * 3
        made = together([*entering, partial(freeze_in_the_crowd, draw, admin())])
        assert_file_is_the_table(draw)
        assert draw.entries.count() == 1 + sum(made)


# ── Freezing and executing ────────────────────────────────────────────────────────────────────────────────


def test_eight_processes_that_freeze_at_once_make_one_manifest_and_one_notice(cloned_db, soak_rounds):
    for _ in range(soak_rounds(1, 25)):
        draw = make_draw(entrants=30, closes_in=-HOUR)
        frozen = at_once(lambda: len(services.freeze_due_draws(now=timezone.now())), EIGHT)
        assert sum(frozen) == 1
        assert_file_is_the_table(draw)
        assert Message.objects.filter(kind="draws.entries_frozen", about=draw.about).count() == 1
        for action in ("draw.entries_locked", "draw.frozen"):
            assert Record.objects.filter(action=action, target=draw.about).count() == 1


def test_freezing_at_once_leaves_one_file_behind(cloned_db):
    draw = make_draw(entrants=30, closes_in=-HOUR)
    at_once(lambda: len(services.freeze_due_draws(now=timezone.now())), EIGHT)
    folder = Path(default_storage.path(f"draws/{draw.public_id}"))
    assert [path.name for path in folder.iterdir()] == ["entries.csv"]


def assert_drawn_once(draw):
    """One set of winners, each paid once, one report, one message of each kind."""
    draw.refresh_from_db()
    assert draw.status == Draw.Status.COMPLETED
    assert draw.execution_error == ""
    slots = sum(prize.quantity for prize in draw.prizes.all())
    winners = Winner.objects.filter(draw=draw)
    assert sorted(winners.values_list("slot", flat=True)) == list(range(slots))
    assert winners.values("entry").distinct().count() == slots
    awards = Award.objects.filter(about=draw.about)
    assert awards.count() == slots
    with_money = awards.exclude(unit="").count()
    payouts = LedgerEntry.objects.filter(about=draw.about, kind__in=("prize.paid", "prize.owed"))
    assert payouts.count() == with_money
    assert DrawReport.objects.filter(draw=draw).count() == 1
    assert Record.objects.filter(action="draw.executed", target=draw.about).count() == 1
    assert not Record.objects.filter(action="draw.execution_failed", target=draw.about).exists()
    for kind in ("winner_announcement", "non_winner", "admin_summary"):
        assert Message.objects.filter(kind=f"draws.{kind}", about=draw.about).count() == 1
    assert pool_of(draw)[:2] == (0, 0)
    assert services.verify_stored_draw(draw) == []
    assert_ledger_balances()


def test_eight_processes_that_execute_at_once_draw_once(cloned_db, soak_rounds):
    for _ in range(soak_rounds(2, 50)):
        draw = make_frozen(entrants=40, members=[alice(), bob()], prizes=[CASH, SMALL, CREDITS])
        with twin_of(cloned_db):
            services.execute_due_draws(now=timezone.now())
            expected = winners_of(draw)
        summaries = at_once(lambda: services.execute_due_draws(now=timezone.now()), EIGHT)
        assert sum(summary.draws_processed for summary in summaries) == 1
        assert sum(summary.failed for summary in summaries) == 0
        assert sum(summary.winners_selected for summary in summaries) == 4
        assert_drawn_once(draw)
        assert winners_of(draw) == expected


def test_eight_processes_share_many_draws_without_a_deadlock(cloned_db, soak_rounds):
    for _ in range(soak_rounds(1, 15)):
        people = [alice(), bob()]
        draws = [make_frozen(entrants=6, members=people, prizes=[CASH, SMALL, CREDITS]) for _ in range(12)]
        summaries = at_once(lambda: services.execute_due_draws(now=timezone.now()), EIGHT)
        assert sum(summary.draws_processed for summary in summaries) == 12
        for draw in draws:
            assert_drawn_once(draw)


def test_a_draw_that_another_worker_is_writing_is_left_to_it(cloned_db):
    draw = make_frozen(entrants=10)
    with gate(cloned_db) as shut:
        shut.shut("draws_winner")
        worker = start(lambda: services.execute_due_draws(now=timezone.now()))
        shut.wait_for_one()
        with transaction.atomic():
            held = Draw.objects.select_for_update(skip_locked=True).filter(pk=draw.pk).first()
        assert held is None
        shut.open()
        worker.join(60)
    assert_drawn_once(draw)


def test_a_draw_cancelled_while_it_is_being_computed_is_not_drawn(cloned_db, monkeypatch):
    draw = make_frozen(entrants=10)
    compute = services.executing.compute_outcome

    def compute_and_be_late(of):
        with pytest.raises(services.PublishError, match="being drawn"):
            services.cancel_draw(draw=of, by=admin(), reason="Too late", now=timezone.now())
        return compute(of)

    monkeypatch.setattr(services.executing, "compute_outcome", compute_and_be_late)
    services.execute_due_draws(now=timezone.now())
    assert_drawn_once(draw)
