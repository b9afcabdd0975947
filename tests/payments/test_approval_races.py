"""Deciding under real parallel connections."""

from typing import Any

import pytest
from django.utils import timezone

from draws import services
from draws.models import Draw
from payments import approvals
from payments.checking import check_ledger
from payments.models import Approval, LedgerEntry
from tests.draws.factories import make_draft
from tests.payments.asking import ABOVE, ask, asker, farid, fatma, free, fresh, request

pytestmark = pytest.mark.usefixtures("cloned_db")


def test_two_approvers_at_once_do_it_once(parallel: Any) -> None:
    draw = make_draft()
    approval, people = request(draw), (fatma(), farid())

    def approve(index: int) -> Approval:
        return approvals.approve(approval=approval, by=people[index % 2], now=timezone.now())

    outcomes = parallel(approve, 8)
    assert free(draw) == ABOVE
    assert LedgerEntry.objects.count() == 1
    winner = fresh(approval).decided_by
    assert {done.decided_by for done in outcomes.results} == {winner}
    # The other's four tries are told so; the same person's repeats are no error.
    assert len(outcomes.results) == 4
    assert all(isinstance(error, approvals.AlreadyDecidedError) for error in outcomes.errors)
    assert check_ledger() == []


def test_approving_and_rejecting_at_once_ends_one_way(parallel: Any) -> None:
    draw = make_draft()
    approval, one, other = request(draw), fatma(), farid()

    def decide(index: int) -> Approval:
        now = timezone.now()
        if index:
            return approvals.reject(approval=approval, by=other, note="No", now=now)
        return approvals.approve(approval=approval, by=one, now=now)

    outcomes = parallel(decide, 2)
    assert len(outcomes.results) == len(outcomes.errors) == 1
    is_done = fresh(approval).state == Approval.State.DONE
    assert free(draw) == (ABOVE if is_done else 0)


def test_approving_while_the_draw_is_cancelled_leaves_nothing_in_a_dead_pool(parallel: Any) -> None:
    approver, canceller = fatma(), asker()
    for turn in range(5):
        draw = make_draft()
        approval = request(draw, idem_key=f"fund:{turn}")

        def work(index: int, draw: Draw = draw, approval: Approval = approval) -> Any:
            now = timezone.now()
            if index:
                return services.cancel_draw(draw=draw, by=canceller, reason="Rain", now=now)
            return approvals.approve(approval=approval, by=approver, now=now)

        outcomes = parallel(work, 2)
        assert all(isinstance(error, approvals.CantBeDoneError) for error in outcomes.errors)
        assert free(draw) == 0
    assert check_ledger() == []


def test_the_same_form_sent_many_times_at_once_asks_once(parallel: Any) -> None:
    draw, by = make_draft(), asker()
    outcomes = parallel(lambda: ask(draw, by=by), 8)
    assert outcomes.errors == []
    assert {outcome.approval.pk for outcome in outcomes.results} == {Approval.objects.get().pk}


def test_expiring_and_approving_at_once_ends_one_way(parallel: Any) -> None:
    draw = make_draft()
    approval, by = request(draw), fatma()
    in_time = approval.expires_at.replace(microsecond=0) - (approval.expires_at - approval.requested_at) / 2

    def work(index: int) -> Any:
        if index:
            return approvals.expire_approvals(now=approval.expires_at)
        return approvals.approve(approval=approval, by=by, now=in_time)

    parallel(work, 2)
    state = fresh(approval).state
    assert (state, free(draw)) in ((Approval.State.DONE, ABOVE), (Approval.State.EXPIRED, 0))
