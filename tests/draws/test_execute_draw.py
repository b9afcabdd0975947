"""Executing: who wins what, what is paid, what is left, and what is written down."""

import datetime as dt

import pytest
from django.utils import timezone

from audit.models import Record
from draws import proof, services
from draws.models import Award, Draw, DrawReport, Winner
from draws.selection import draw_ranks
from draws.vault import open_secret
from payments.models import LedgerEntry
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
from tests.factories import admin, alice, bob, carol

pytestmark = pytest.mark.django_db


def test_each_slot_goes_to_the_rank_that_the_published_algorithm_draws():
    draw = make_frozen(entrants=20, prizes=[CASH, SMALL, VOUCHER])
    seed = proof.seed_of(
        manifest=draw.manifest,
        revealed=[proof.reveal_commit(secret_hex=open_secret(draw.secret_encrypted).hex())],
    )
    entries = sorted(draw.entries.all(), key=lambda entry: bytes(entry.pid))
    firsts = [sum(entry.weight for entry in entries[:n]) for n in range(len(entries))]
    ranks = list(draw_ranks(seed=seed, firsts=firsts, total=sum(entry.weight for entry in entries)))
    services.execute_draw(draw_id=draw.pk, now=draw.draw_at)
    assert winners_of(draw) == [
        (slot, slot, entries[ranks[slot].index].pid_hex, code)
        for slot, code in enumerate(["p1", "p2", "p2", "p3"])
    ]


def test_the_draw_is_completed_with_one_report_in_the_trail():
    draw = make_executed(entrants=10, prizes=[CASH, SMALL])
    report = draw.report
    assert draw.status == Draw.Status.COMPLETED
    assert draw.executed_at == draw.draw_at
    assert (draw.attempts, draw.execution_error, draw.next_attempt_at) == (1, "", None)
    assert (report.entries_count, report.winners_count) == (10, 3)
    assert report.tickets == sum(draw.entries.values_list("weight", flat=True))
    assert report.awarded == {"KES": 120_000}
    assert report.leftover == {"KES": 0}
    assert proof.report_sha256(report.proof) == report.report_sha256
    assert report.audit_record.action == "draw.executed"
    assert report.audit_record.data["report_sha256"] == report.report_sha256
    assert services.verify_stored_draw(draw) == []


def test_members_are_paid_at_once_and_outsiders_money_waits():
    draw = make_executed(entrants=0, members=[alice(), bob()], prizes=[("Prize", "cash", 500, 2)])
    assert balance(f"member:{alice().pk}:KES") == balance(f"member:{bob().pk}:KES") == 500
    assert pool_of(draw) == (0, 0, 0)
    assert set(draw.winners.values_list("state", flat=True)) == {Winner.State.PAID}
    outside = make_executed(entrants=3, prizes=[("Prize", "cash", 500, 2)])
    assert pool_of(outside) == (0, 0, 1000)
    awards = Award.objects.filter(about=outside.about)
    assert set(awards.values_list("state", flat=True)) == {Award.State.CLAIMABLE}
    assert {award.claim_until for award in awards} == {outside.draw_at + dt.timedelta(days=14)}
    assert_ledger_balances()


def test_credits_go_to_the_wallet_and_things_wait_to_be_handed_over():
    draw = make_executed(
        entrants=0,
        members=[alice(), bob(), carol()],
        prizes=[CREDITS, VOUCHER, ("Bicycle", "physical", 0, 1)],
    )
    kinds = {award.kind: award for award in Award.objects.filter(about=draw.about)}
    assert kinds["credits"].state == Award.State.PAID
    assert balance(f"member:{kinds['credits'].member_id}:CREDIT") == 30
    for kind in ("voucher", "physical"):
        assert kinds[kind].state == Award.State.CLAIMABLE
        assert kinds[kind].payout is None
    assert draw.report.awarded == {"CREDIT": 30}


def test_fewer_entries_than_slots_leave_money_over():
    draw = make_executed(entrants=2, prizes=[("First", "cash", 700, 1), ("Others", "cash", 100, 5)])
    assert [(slot, code) for slot, _rank, _pid, code in winners_of(draw)] == [(0, "p1"), (1, "p2")]
    assert pool_of(draw) == (400, 0, 800)
    assert draw.report.awarded == {"KES": 800}
    assert draw.report.leftover == {"KES": 400}
    assert [slot["rank"] for slot in draw.report.proof["slots"]] == [0, 1, None, None, None, None]
    assert services.verify_stored_draw(draw) == []
    assert_ledger_balances()


def test_what_is_left_returns_to_the_funder_when_the_draw_says_so():
    draw = make_executed(
        entrants=1, extra=50, prizes=[("One", "cash", 100, 4)], leftover_policy=Draw.Leftover.RETURNS
    )
    assert pool_of(draw) == (0, 0, 100)
    assert draw.report.leftover == {"KES": 350}
    returned = LedgerEntry.objects.get(kind="pool.leftover_returned")
    assert sorted(returned.postings.values_list("amount", flat=True)) == [-350, 350]
    assert_ledger_balances()


def test_what_is_left_stays_in_the_pool_otherwise():
    draw = make_executed(entrants=1, extra=50, prizes=[("One", "cash", 100, 4)])
    assert pool_of(draw) == (350, 0, 100)
    assert not LedgerEntry.objects.filter(kind="pool.leftover_returned").exists()


def test_executing_again_does_nothing():
    draw = make_executed()
    before = winners_of(draw)
    assert services.execute_draw(draw_id=draw.pk, now=draw.draw_at + HOUR) is None
    assert services.execute_due_draws(now=draw.draw_at + HOUR) == services.ExecutionSummary()
    assert winners_of(draw) == before
    assert DrawReport.objects.count() == 1


def test_the_job_takes_what_is_due_and_leaves_the_rest():
    due = make_frozen(prizes=[CASH])
    later = make_draw(entrants=3, closes_in=-HOUR)
    services.freeze_draw(draw_id=later.pk, now=later.closes_at)
    summary = services.execute_due_draws(now=due.draw_at)
    assert summary == services.ExecutionSummary(1, 1, {"KES": 100_000}, 0)
    later.refresh_from_db()
    assert later.status == Draw.Status.ACTIVE


def test_missed_draws_are_caught_up_and_their_lateness_is_recorded():
    draws = [make_frozen(prizes=[CASH]), make_frozen(prizes=[SMALL])]
    now = draws[0].draw_at + dt.timedelta(days=3)
    assert [draw.is_overdue(now) for draw in draws] == [True, True]
    summary = services.execute_due_draws(now=now)
    assert (summary.draws_processed, summary.winners_selected) == (2, 3)
    trail = Record.objects.filter(action="draw.executed")
    assert {entry.target: entry.data["late_s"] for entry in trail} == {
        draw.about: int((now - draw.draw_at).total_seconds()) for draw in draws
    }


def test_a_draw_missed_before_its_freeze_is_frozen_late_and_waits_its_least_time():
    draw = make_draw(entrants=3, closes_in=-5 * HOUR)
    now = timezone.now()
    services.freeze_due_draws(now=now)
    assert services.execute_due_draws(now=now).draws_processed == 0
    assert services.execute_due_draws(now=now + dt.timedelta(seconds=600)).draws_processed == 1
    draw.refresh_from_db()
    assert draw.draw_at == now.replace(microsecond=0) + dt.timedelta(seconds=600)


def test_by_hand_needs_a_reason():
    draw = make_frozen()
    with pytest.raises(services.ExecutionError, match="Say why"):
        services.execute_draw(draw_id=draw.pk, by=admin(), reason="  ", now=draw.draw_at)


def test_by_hand_needs_a_frozen_draw_and_leaves_no_failure_behind():
    draw = make_draw(entrants=3)
    with pytest.raises(services.ExecutionError, match="Fairness lock is on"):
        services.execute_draw(draw_id=draw.pk, by=admin(), reason="Now", now=timezone.now())
    draw.refresh_from_db()
    assert (draw.status, draw.execution_error, draw.attempts) == (Draw.Status.ACTIVE, "", 0)


def test_by_hand_never_before_the_least_wait_is_over():
    draw = make_frozen()
    early = draw.frozen_at + dt.timedelta(seconds=599)
    with pytest.raises(services.ExecutionError, match="Its time has come"):
        services.execute_draw(draw_id=draw.pk, by=admin(), reason="Now", now=early)


def test_by_hand_it_may_be_earlier_than_announced_and_says_who_and_why():
    draw = make_draw(entrants=5, closes_in=-HOUR, draw_at=timezone.now() + 3 * HOUR)
    services.freeze_draw(draw_id=draw.pk, now=draw.closes_at)
    now = draw.closes_at + dt.timedelta(seconds=600)
    assert services.execute_due_draws(now=now).draws_processed == 0
    assert services.execute_draw(draw_id=draw.pk, by=admin(), reason="The show is over", now=now)
    trail = Record.objects.get(action="draw.executed")
    assert (trail.actor, trail.data["reason"]) == (admin(), "The show is over")
