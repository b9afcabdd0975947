"""Adjusting a member's wallet by hand."""

import pytest
from django.utils import timezone

from audit.models import Record
from payments import approvals
from payments.adjustments import AdjustmentError, adjust_wallet
from payments.checking import check_ledger
from payments.ledger import InsufficientFundsError
from payments.models import Account, Approval, Posting
from tests.factories import alice
from tests.payments.asking import ABOVE, farid, fatma, fresh
from tests.payments.books import balance, give, wallet

pytestmark = pytest.mark.django_db


def adjust(amount: int, *, member=None, unit: str = "KES", **fields):
    values = {"by": fatma(), "reason": "Goodwill", "idem_key": "adjust:1", "now": timezone.now()} | fields
    return adjust_wallet(member=member or alice(), unit=unit, amount=amount, **values)


def test_a_small_amount_goes_in_at_once():
    entry = adjust(500).entry
    assert balance(wallet(alice())) == 500
    assert (entry.kind, entry.actor, entry.reason) == ("wallet.adjusted", fatma(), "Goodwill")
    assert entry.about == f"accounts.user:{alice().public_id}"
    other = Account.objects.get(code="world:adjustments:KES")
    assert Posting.objects.get(account=other).amount == -500
    assert check_ledger() == []


def test_it_stands_on_record_without_the_person_s_name():
    adjust(500)
    row = Record.objects.get(action="wallet.adjusted")
    assert (row.actor, row.data["amount"], row.data["reason"]) == (fatma(), 500, "Goodwill")
    assert alice().email not in str(row.data) + row.target


def test_it_goes_out_too_but_never_below_zero():
    give(alice(), 300)
    adjust(-200)
    assert balance(wallet(alice())) == 100
    with pytest.raises(InsufficientFundsError):
        adjust(-101, idem_key="adjust:2")
    assert balance(wallet(alice())) == 100
    assert check_ledger() == []


@pytest.mark.parametrize("amount", [ABOVE, -ABOVE])
def test_a_large_amount_waits_in_either_direction(amount):
    give(alice(), ABOVE)
    approval = adjust(amount).approval
    assert balance(wallet(alice())) == ABOVE
    approvals.approve(approval=approval, by=farid(), now=timezone.now())
    assert balance(wallet(alice())) == ABOVE + amount
    assert check_ledger() == []


def test_a_wallet_that_was_spent_meanwhile_keeps_the_request_waiting():
    give(alice(), ABOVE)
    approval = adjust(-ABOVE).approval
    adjust(-10, idem_key="adjust:2")
    with pytest.raises(approvals.CantBeDoneError, match="are needed"):
        approvals.approve(approval=approval, by=farid(), now=timezone.now())
    assert fresh(approval).state == Approval.State.REQUESTED


def test_sent_twice_it_is_done_once():
    assert adjust(500).entry == adjust(500).entry
    assert balance(wallet(alice())) == 500
    assert Record.objects.filter(action="wallet.adjusted").count() == 1


def test_nobody_adjusts_their_own_wallet():
    with pytest.raises(AdjustmentError, match="own wallet"):
        adjust(5, member=fatma())


def test_nobody_agrees_to_their_own_gain():
    approval = adjust(ABOVE, member=farid()).approval
    with pytest.raises(approvals.CantBeDoneError, match="your own wallet"):
        approvals.approve(approval=approval, by=farid(), now=timezone.now())
    assert not Posting.objects.exists()


@pytest.mark.parametrize(("amount", "reason"), [(0, "Goodwill"), (5, " ")])
def test_it_needs_an_amount_and_a_reason(amount, reason):
    with pytest.raises((AdjustmentError, approvals.ApprovalError)):
        adjust(amount, reason=reason)
    assert not Posting.objects.exists()
