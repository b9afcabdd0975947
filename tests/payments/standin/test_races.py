"""Many at once at the stand-in: what happens once at Paystack happens once here."""

from collections import Counter

import pytest
from django.utils import timezone

from payments.standin import services, webhooks
from payments.standin.models import (
    Behaviour,
    Operation,
    OutgoingWebhook,
    Recipient,
    Refund,
    Transaction,
    Transfer,
)

ASKED = {"reference": "fg-1", "email": "a@b.example", "amount": 500, "currency": "KES"}
MPESA = {"type": "mobile_money", "name": "A", "account_number": "07", "bank_code": "MPESA", "currency": "KES"}


@pytest.fixture(autouse=True)
def _nothing_is_sent(monkeypatch):
    monkeypatch.setattr(webhooks, "send_soon", lambda: None)


def counted(outcomes):
    """How many did it, and how many were refused; anything else fails."""
    assert all(isinstance(error, services.RefusedError) for error in outcomes.errors), outcomes.errors
    return len(outcomes.results), len(outcomes.errors)


def test_a_reference_is_begun_once(parallel):
    assert counted(parallel(lambda: services.begin(asked=ASKED, now=timezone.now()), 6)) == (1, 5)
    assert Transaction.objects.count() == 1


def test_a_payment_is_paid_and_told_of_once(parallel):
    row = services.begin(asked=ASKED, now=timezone.now())
    parallel(lambda: services.pay(access_code=row.access_code, now=timezone.now()), 6)
    assert [sent.event for sent in OutgoingWebhook.objects.all()] == ["charge.success"]


def test_no_more_is_given_back_than_was_paid(parallel):
    row = services.begin(asked=ASKED, now=timezone.now())
    services.pay(access_code=row.access_code, now=timezone.now())
    asked = {"transaction": "fg-1", "amount": 200}
    assert counted(parallel(lambda: services.give_back(asked=asked, now=timezone.now()), 6)) == (2, 4)
    assert sum(refund.amount for refund in Refund.objects.all()) == 400


def test_a_transfer_is_made_once(parallel):
    recipient = services.make_recipient(asked=MPESA, now=timezone.now())
    asked = {"reference": "fg-withdrawal-0001", "amount": 5, "recipient": recipient.code}
    assert counted(parallel(lambda: services.pay_out(asked=asked, now=timezone.now()), 6)) == (1, 5)
    assert Transfer.objects.count() == 1


def test_an_account_becomes_one_recipient(parallel):
    done = parallel(lambda: services.make_recipient(asked=MPESA, now=timezone.now()).code, 6)
    assert done.errors == []
    assert set(done.results) == {Recipient.objects.get().code}


def test_what_is_due_moves_on_once(parallel):
    row = services.begin(asked=ASKED, now=timezone.now())
    services.pay(access_code=row.access_code, now=timezone.now())
    services.give_back(asked={"transaction": "fg-1"}, now=timezone.now())
    done = parallel(lambda: services.move_on(now=timezone.now() + services.STEP), 6)
    assert done.errors == []
    assert sum(done.results) == 1
    events = Counter(sent.event for sent in OutgoingWebhook.objects.all())
    assert events == {"charge.success": 1, "refund.pending": 1, "refund.processing": 1}


def test_a_behaviour_is_used_up_exactly(parallel):
    Behaviour.objects.create(operation=Operation.BANKS, effect="error", times_left=3)
    done = parallel(lambda: Behaviour.take(Operation.BANKS) is not None, 8)
    assert Counter(done.results) == {True: 3, False: 5}
