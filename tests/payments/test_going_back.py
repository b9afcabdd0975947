"""Refunds and disputes of one payment know of each other, and old or contradictory news of Paystack's harms neither."""

import datetime as dt
import json
import uuid

import pytest
from django.utils import timezone

from payments import paystack
from payments.models import Dispute, Payment, Refund, ReviewItem, WebhookEvent
from payments.services import webhook
from payments.services.refunding import RefundError, ask_due_refunds, request_refund
from tests.factories import alice, treasurer
from tests.payments.shop import (
    assert_books_balance,
    balance,
    credits_of,
    dispute_event,
    make_payment,
    paid,
    settle,
    success_event,
)
from tests.payments.truth import Truth

HOUR = dt.timedelta(hours=1)
LOST = {"status": "resolved", "resolution": "merchant-accepted"}
WON = {"status": "resolved", "resolution": "declined"}


@pytest.fixture
def there(monkeypatch):
    """Paystack's side, which knows of no payment yet."""
    truth = Truth()
    for name in ("verify", "refund", "list_refunds"):
        monkeypatch.setattr(paystack, name, getattr(truth, name))
    return truth


def tell(event):
    content = event if isinstance(event, bytes) else json.dumps(event).encode()
    return webhook.receive(body=content, now=timezone.now())


def ask(payment, credits):
    request_refund(
        payment=payment,
        credits=credits,
        by=treasurer(),
        reason="Not needed",
        idem_key=f"refund:{uuid.uuid4()}",
        now=timezone.now(),
    )
    return Refund.objects.latest("pk")


def bought(there):
    """A payment that both sides know."""
    payment = make_payment()
    there.pay(payment.reference, amount=payment.price, currency="KES", domain="test")
    return settle(payment, paystack_id=there.charges[payment.reference]["id"]).payment


def status_of(payment):
    return Payment.objects.get(pk=payment.pk).status


@pytest.mark.django_db
def test_two_lost_disputes_take_the_price_once_and_the_rest_is_for_people():
    payment = paid()
    for number in (1, 2):
        tell(dispute_event(payment, id=number))
    for number in (1, 2):
        tell(dispute_event(payment, "resolve", id=number, **LOST))
    assert balance("paystack:KES") == 0
    second = Dispute.objects.get(paystack_id=2)
    assert second.amount == 0
    assert ReviewItem.objects.get(key=f"dispute:{second.public_id}:more").state == "open"
    assert_books_balance()


@pytest.mark.django_db
def test_a_payment_is_disputed_until_its_last_dispute_is_decided():
    payment = paid()
    for number in (1, 2):
        tell(dispute_event(payment, id=number))
    tell(dispute_event(payment, "resolve", id=1, **WON))
    assert status_of(payment) == "disputed"
    tell(dispute_event(payment, "resolve", id=2, **WON))
    assert status_of(payment) == "succeeded"


@pytest.mark.django_db
@pytest.mark.parametrize("status", ["processed", "failed"])
def test_a_refund_that_ends_while_a_dispute_is_open_leaves_it_disputed(there, status):
    payment = bought(there)
    ask(payment, 10)
    ask_due_refunds(now=timezone.now())
    tell(dispute_event(payment))
    tell(there.refund_event(there.refunds[0], status, has_number=True, variant=0))
    assert status_of(payment) == "disputed"
    with pytest.raises(RefundError):
        ask(payment, 1)


@pytest.mark.django_db
def test_a_refund_that_fails_after_a_lost_dispute_is_not_asked_for_again(there):
    payment = bought(there)
    ask(payment, 10)
    ask_due_refunds(now=timezone.now())
    tell(dispute_event(payment, refund_amount=36_000))
    tell(dispute_event(payment, "resolve", refund_amount=36_000, **LOST))
    tell(there.refund_event(there.refunds[0], "failed", has_number=True, variant=0))
    assert status_of(payment) == "partly_refunded"
    assert credits_of(alice()) == 10
    ask_for = ask(payment, 10)
    assert ask_for.amount == 40_000 - Dispute.objects.get().amount
    assert_books_balance()


@pytest.mark.django_db
def test_old_news_of_a_failed_refund_does_not_fail_the_next_one(there):
    payment = bought(there)
    first = ask(payment, 10)
    ask_due_refunds(now=timezone.now())
    tell(there.refund_event(there.refunds[0], "failed", has_number=True, variant=0))
    there.refunds[0].history.append("failed")
    second = ask(payment, 10)
    ask_due_refunds(now=timezone.now())
    tell(there.refund_event(there.refunds[0], "failed", has_number=False, variant=1))
    first.refresh_from_db()
    second.refresh_from_db()
    assert (first.state, second.state) == ("failed", "asked")
    there.refunds[1].history.append("processed")
    ask_due_refunds(now=timezone.now() + HOUR)
    second.refresh_from_db()
    assert second.state == "processed"


@pytest.mark.django_db
def test_the_number_of_another_refund_does_not_decide_ours(there):
    payment = bought(there)
    ours = ask(payment, 10)
    ask_due_refunds(now=timezone.now())
    other = there.make_refund(payment.reference, ours.amount, "by hand")
    tell(there.refund_event(other, "processed", has_number=True, variant=0))
    ours.refresh_from_db()
    assert ours.state == "asked"
    assert ReviewItem.objects.get().key == f"payment:{payment.public_id}:refund-elsewhere:{other.id}"


@pytest.mark.django_db
def test_a_refund_by_hand_is_noticed_after_ours_ended_without_a_number(there):
    payment = bought(there)
    ask(payment, 10)
    there.moods.append("lost")
    ask_due_refunds(now=timezone.now())
    ours = there.refunds[0]
    tell(there.refund_event(ours, "processed", has_number=False, variant=0))
    tell(there.refund_event(ours, "processed", has_number=True, variant=0))
    assert not ReviewItem.objects.exists()
    other = there.make_refund(payment.reference, ours.amount, "by hand")
    tell(there.refund_event(other, "processed", has_number=True, variant=0))
    assert ReviewItem.objects.get().kind == "refund"


@pytest.mark.django_db
@pytest.mark.parametrize(("first", "then"), [("failed", "processed"), ("processed", "failed")])
def test_a_contradiction_about_a_finished_refund_is_for_people(there, first, then):
    payment = bought(there)
    refund = ask(payment, 10)
    ask_due_refunds(now=timezone.now())
    for status in (first, first, then, then):
        tell(there.refund_event(there.refunds[0], status, has_number=True, variant=0))
    assert ReviewItem.objects.get().key == f"refund:{refund.public_id}:contradicted"


@pytest.mark.django_db
def test_a_refund_that_was_acknowledged_is_never_sent_again(there):
    payment = bought(there)
    refund = ask(payment, 10)
    ask_due_refunds(now=timezone.now())
    there.moods.append("behind")
    ask_due_refunds(now=timezone.now() + HOUR)
    assert len(there.refunds) == 1
    refund.refresh_from_db()
    assert refund.state == "asked"
    assert refund.try_after > timezone.now() + HOUR


@pytest.mark.django_db
def test_one_refund_that_breaks_does_not_hold_up_the_others(there, monkeypatch):
    payment = bought(there)
    broken, fine = ask(payment, 10), ask(payment, 20)

    def refund(*, amount, **asked):
        if amount == broken.amount:
            raise ValueError("a defect of ours")
        return there.refund(amount=amount, **asked)

    monkeypatch.setattr(paystack, "refund", refund)
    assert ask_due_refunds(now=timezone.now()) == 2
    fine.refresh_from_db()
    assert fine.state == "asked"
    assert "a defect of ours" in ReviewItem.objects.get(key=f"refund:{broken.public_id}").reason


@pytest.mark.django_db
def test_a_dispute_that_comes_before_its_payment_is_booked_waits_for_it():
    payment = make_payment()
    assert tell(dispute_event(payment)).is_flagged
    event = WebhookEvent.objects.get()
    assert (event.state, ReviewItem.objects.get().state) == ("failed", "open")
    tell(success_event(payment))
    webhook.work_on_due_events(now=timezone.now() + HOUR)
    assert (status_of(payment), credits_of(alice())) == ("disputed", 0)
    assert ReviewItem.objects.get(event=event).state == "resolved"


@pytest.mark.django_db
def test_a_dispute_without_a_number_is_for_people():
    payment = paid()
    tell(dispute_event(payment, id=None))
    assert ReviewItem.objects.get().payment == payment
    assert status_of(payment) == "succeeded"


@pytest.mark.django_db
def test_another_end_of_a_dispute_than_the_booked_one_is_for_people():
    payment = paid()
    tell(dispute_event(payment, "resolve", **WON))
    tell(dispute_event(payment, "resolve", **LOST))
    assert Dispute.objects.get().state == "won"
    assert ReviewItem.objects.filter(key__endswith=":contradicted").exists()
