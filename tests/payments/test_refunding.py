"""Refunds: credits and money wait together, Paystack is asked once, and never more goes back than was paid."""

import dataclasses
import datetime as dt
import uuid
from collections import deque

import pytest
from django.utils import timezone

from accounts.privacy import person_at
from payments import paystack
from payments.accounts import ensure_accounts, member_account
from payments.approvals import approve
from payments.ledger import InsufficientFundsError, Leg, post
from payments.models import Approval, Dispute, Payment, Refund, ReviewItem
from payments.privacy import why_not_yet
from payments.services import refunding
from payments.services.lots import unused_credits
from payments.services.refunding import RefundError, ask_due_refunds, refundable, request_refund
from payments.services.settling import issued_account
from tests.factories import admin, alice, bob, treasurer
from tests.payments.shop import (
    assert_books_balance,
    balance,
    credits_of,
    dispute_event,
    make_package,
    make_payment,
    paid,
    send,
    settle,
)

HOUR = dt.timedelta(hours=1)


class FakeRefunds:
    """What Paystack would do: keeps refunds, and misbehaves as told for one call each."""

    def __init__(self):
        self.made, self.moods, self.calls = [], deque(), []

    def refund(self, *, transaction, amount, currency, reason, merchant_note):
        self.calls.append("refund")
        mood = self.moods.popleft() if self.moods else "accept"
        if mood == "unavailable":
            raise paystack.PaystackUnavailableError("no line")
        if mood == "refuse":
            raise paystack.PaystackRefusedError("Insufficient balance", status=400)
        state = paystack.RefundState(
            id=str(100 + len(self.made)),
            transaction_reference=transaction,
            amount=amount,
            currency=currency,
            status="pending",
            raw={},
            merchant_note=merchant_note,
        )
        self.made.append(state)
        if mood == "lose the answer":
            raise paystack.OutcomeUnknownError("time is up")
        return state

    def list_refunds(self, *, transaction):
        self.calls.append("list")
        return self.made

    def becomes(self, status):

        self.made = [dataclasses.replace(one, status=status) for one in self.made]


@pytest.fixture
def there(monkeypatch):
    """Paystack's side."""
    fake = FakeRefunds()
    monkeypatch.setattr(refunding.paystack, "refund", fake.refund)
    monkeypatch.setattr(refunding.paystack, "list_refunds", fake.list_refunds)
    return fake


def ask(payment, credits, *, by=None, amount=None, key=None):
    return request_refund(
        payment=payment,
        credits=credits,
        amount=amount,
        by=by or treasurer(),
        reason="Not needed any more",
        idem_key=key or f"refund:{uuid.uuid4()}",
        now=timezone.now(),
    )


def spend(credits, key="spend"):
    accounts = ensure_accounts([member_account(alice().pk, "CREDIT"), issued_account()])
    wallet, issued = accounts[member_account(alice().pk, "CREDIT").code], accounts[issued_account().code]
    post(
        idem_key=key,
        kind="test.spent",
        legs=[Leg(wallet, -credits), Leg(issued, credits)],
        about="test",
        actor=None,
        now=timezone.now(),
    )


def event(name, refund, **data):
    usual = {"transaction_reference": refund.payment.reference, "amount": str(refund.amount)}
    return {"event": f"refund.{name}", "data": {"status": name, **usual, **data}}


@pytest.mark.django_db
def test_unused_credits_go_back_and_are_burnt(client, there):
    payment = paid()
    spend(20)
    assert refundable(payment) == (30, 24_000)
    ask(payment, 30)
    refund = Refund.objects.get()
    held = f"held:payment:{payment.public_id}"
    assert (refund.amount, credits_of(alice())) == (24_000, 0)
    assert (balance(f"{held}:CREDIT"), balance(f"{held}:KES")) == (30, 24_000)
    assert ask_due_refunds(now=timezone.now()) == 1
    refund.refresh_from_db()
    assert (refund.state, refund.paystack_id, there.calls) == ("asked", 100, ["refund"])
    assert send(client, event("processed", refund)).status_code == 200
    refund.refresh_from_db()
    payment.refresh_from_db()
    assert (refund.state, payment.status) == ("processed", "partly_refunded")
    assert balance(f"{held}:CREDIT") == balance(f"{held}:KES") == 0
    assert (balance("paystack:KES"), balance("revenue:sales:KES")) == (-16_000, 16_000)
    assert_books_balance()


@pytest.mark.django_db
def test_all_of_it_is_refunded_to_the_last_cent(client, there):
    payment = paid()
    ask(payment, 50)
    ask_due_refunds(now=timezone.now())
    send(client, event("processed", Refund.objects.get()))
    payment.refresh_from_db()
    assert payment.status == "refunded"
    assert (balance("paystack:KES"), balance("revenue:sales:KES"), credits_of(alice())) == (0, 0, 0)
    with pytest.raises(RefundError):
        ask(payment, 1, amount=1)


@pytest.mark.django_db
def test_a_refund_that_fails_gives_everything_back(client, there):
    payment = paid()
    ask(payment, 50)
    ask_due_refunds(now=timezone.now())
    send(client, event("failed", Refund.objects.get()))
    assert credits_of(alice()) == 50
    assert unused_credits(payment) == 50
    assert Payment.objects.get().status == "succeeded"
    assert refundable(Payment.objects.get()) == (50, 40_000)
    assert_books_balance()


@pytest.mark.django_db
@pytest.mark.parametrize("name", ["processed", "failed"])
def test_what_is_finished_stays_so(client, there, name):
    ask(paid(), 50)
    ask_due_refunds(now=timezone.now())
    refund = Refund.objects.get()
    send(client, event(name, refund))
    before = credits_of(alice())
    for other in ("failed", "processed", "pending", "needs-attention"):
        send(client, event(other, refund, extra=1))
    refund.refresh_from_db()
    assert (refund.state, credits_of(alice())) == (name, before)
    assert_books_balance()


@pytest.mark.django_db
def test_who_read_the_list_for_longer_than_its_lease_asks_for_nothing(there, monkeypatch):
    """Another worker took it over, and has asked: the list that was read is older than that."""
    there.moods.append("unavailable")
    ask(paid(), 50)
    ask_due_refunds(now=timezone.now())  # so that the list is read at the next attempt
    refund = Refund.objects.get()
    late = refund.try_after + 2 * refunding.LEASE

    def slow_list(*, transaction):
        before = list(there.made)
        monkeypatch.setattr(refunding.paystack, "list_refunds", there.list_refunds)
        assert ask_due_refunds(now=late) == 1  # the other
        return before

    monkeypatch.setattr(refunding.paystack, "list_refunds", slow_list)
    assert ask_due_refunds(now=refund.try_after) == 1
    assert len(there.made) == 1


@pytest.mark.django_db
def test_after_a_lost_answer_the_list_is_read_before_it_is_asked_again(there):
    there.moods.append("lose the answer")
    ask(paid(), 50)
    now = timezone.now()
    ask_due_refunds(now=now)
    refund = Refund.objects.get()
    assert (refund.state, refund.was_sent) == ("requested", True)
    assert refund.try_after >= now + refunding.LEASE
    ask_due_refunds(now=refund.try_after)
    refund.refresh_from_db()
    assert (refund.state, refund.paystack_id) == ("asked", 100)
    assert there.calls == ["refund", "list"]


@pytest.mark.django_db
def test_what_never_left_is_sent_again(there):
    there.moods.append("unavailable")
    ask(paid(), 50)
    ask_due_refunds(now=timezone.now())
    ask_due_refunds(now=timezone.now() + HOUR)
    assert there.calls == ["refund", "list", "refund"]
    assert len(there.made) == 1


@pytest.mark.django_db
def test_what_paystack_refuses_is_for_people_and_stays_set_aside(there):
    there.moods.append("refuse")
    ask(paid(), 50)
    ask_due_refunds(now=timezone.now())
    refund = Refund.objects.get()
    assert (refund.state, refund.try_after) == ("attention", None)
    assert "Insufficient balance" in ReviewItem.objects.get().reason
    assert credits_of(alice()) == 0


@pytest.mark.django_db
def test_without_a_webhook_the_sweep_learns_of_it(there):
    ask(paid(), 50)
    ask_due_refunds(now=timezone.now())
    there.becomes("processed")
    ask_due_refunds(now=timezone.now() + HOUR)
    assert Refund.objects.get().state == "processed"


@pytest.mark.django_db
def test_two_equal_refunds_are_told_apart_by_asking(client, there):
    payment = paid()
    for _time in range(2):
        ask(payment, 10)
    ask_due_refunds(now=timezone.now())
    send(client, event("processed", Refund.objects.first()))
    assert set(Refund.objects.values_list("state", flat=True)) == {"asked"}
    there.becomes("processed")
    ask_due_refunds(now=timezone.now() + HOUR)
    assert set(Refund.objects.values_list("state", flat=True)) == {"processed"}
    assert_books_balance()


@pytest.mark.django_db
def test_a_refund_that_nobody_here_asked_for_is_for_people(client):
    payment = paid()
    data = {"status": "processed", "transaction_reference": payment.reference, "amount": 500}
    send(client, {"event": "refund.processed", "data": data})
    assert ReviewItem.objects.get().kind == "refund"
    assert credits_of(alice()) == 50


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("credits", "amount"), [(51, None), (31, None), (30, 24_001), (0, 100), (-1, None), (30, 40_000)]
)
def test_more_than_is_unused_or_than_it_is_worth_does_not_go_back(credits, amount):
    payment = paid()
    spend(20)
    with pytest.raises(RefundError):
        ask(payment, credits, amount=amount)
    assert credits_of(alice()) == 30
    assert not Refund.objects.exists()


@pytest.mark.django_db
def test_what_is_not_paid_is_not_refunded():
    with pytest.raises(RefundError):
        ask(make_payment(), 50, amount=40_000)


@pytest.mark.django_db
def test_nobody_refunds_their_own_payment():
    with pytest.raises(RefundError):
        ask(paid(buyer=treasurer()), 50, by=treasurer())


@pytest.mark.django_db
def test_above_the_limit_a_second_person_agrees_first(settings, there):
    settings.APPROVAL_LIMITS = ["KES=39999"]
    payment = paid()
    assert ask(payment, 50, by=treasurer()).waits
    assert credits_of(alice()) == 50
    assert not Refund.objects.exists()
    approve(approval=Approval.objects.get(), by=admin(), now=timezone.now())
    assert credits_of(alice()) == 0
    assert Refund.objects.get().by == treasurer()


@pytest.mark.django_db
def test_the_same_request_twice_is_one_refund(there):
    payment = paid()
    for _time in range(2):
        ask(payment, 10, key="refund:once")
    assert Refund.objects.count() == 1


def test_ten_at_once_never_send_back_more_than_was_paid(cloned_db, parallel):
    payment, finance = paid(), treasurer()
    outcomes = parallel(lambda: ask(payment, 20, by=finance), 10)
    assert all(isinstance(error, RefundError) for error in outcomes.errors)
    assert len(outcomes.results) == 2
    assert credits_of(alice()) == 10
    assert_books_balance()


def test_spending_and_refunding_at_once_never_use_a_credit_twice(cloned_db, parallel):
    payment, finance = paid(), treasurer()

    def act(index):
        if index % 2:
            spend(30, key=f"spend:{index}")
        else:
            ask(payment, 30, by=finance)

    outcomes = parallel(act, 8)
    assert len(outcomes.results) == 1
    assert {type(error) for error in outcomes.errors} <= {RefundError, InsufficientFundsError}
    assert credits_of(alice()) == 20
    assert_books_balance()


@pytest.mark.django_db
def test_a_dispute_sets_unspent_credits_aside_and_tells_finance(client):
    payment = paid()
    spend(20)
    for name in ("create", "remind", "remind"):
        assert send(client, dispute_event(payment, name)).status_code == 200
    dispute = Dispute.objects.get()
    assert (dispute.held_credits, dispute.due_at.isoformat()) == (30, "2026-12-24T10:00:00+00:00")
    assert (credits_of(alice()), Payment.objects.get().status) == (0, "disputed")
    assert ReviewItem.objects.get().kind == "dispute"
    with pytest.raises(RefundError):
        ask(payment, 1, amount=1)
    assert_books_balance()


@pytest.mark.django_db
def test_a_dispute_that_is_won_gives_them_back(client):
    payment = paid()
    send(client, dispute_event(payment))
    send(client, dispute_event(payment, "resolve", status="resolved", resolution="declined"))
    assert (credits_of(alice()), Payment.objects.get().status) == (50, "succeeded")
    assert (Dispute.objects.get().state, ReviewItem.objects.get().state) == ("won", "resolved")
    assert refundable(Payment.objects.get()) == (50, 40_000)
    assert_books_balance()


@pytest.mark.django_db
def test_a_dispute_that_is_lost_takes_money_and_credits(client):
    payment = paid()
    spend(20)
    send(client, dispute_event(payment))
    for _time in range(2):
        send(client, dispute_event(payment, "resolve", status="resolved", resolution="merchant-accepted"))
    assert (credits_of(alice()), Payment.objects.get().status) == (0, "refunded")
    assert (balance("paystack:KES"), balance("revenue:sales:KES")) == (0, 0)
    assert Dispute.objects.get().state == "lost"
    assert_books_balance()


@pytest.mark.django_db
def test_a_dispute_never_takes_what_went_back_already(client, there):
    payment = paid()
    ask(payment, 25)
    ask_due_refunds(now=timezone.now())
    send(client, event("processed", Refund.objects.get()))
    send(client, dispute_event(payment))
    send(client, dispute_event(payment, "resolve", status="resolved", resolution="merchant-accepted"))
    assert balance("paystack:KES") == 0
    assert_books_balance()


@pytest.mark.django_db
def test_gifts_of_somebody_else_do_not_help(there):
    first, second = paid(), paid(buyer=bob())
    ask(first, 50)
    assert refundable(second) == (50, 40_000)
    assert credits_of(bob()) == 50


@pytest.mark.django_db
def test_a_package_in_another_currency_goes_back_in_that_currency(there):
    payment = make_payment(package=make_package(currency="CAD", price=1_001, credits=3))
    settle(payment)
    assert refundable(Payment.objects.get()) == (3, 1_001)
    ask(payment, 1)
    assert Refund.objects.get().amount == 333


@pytest.mark.django_db
def test_a_refund_made_elsewhere_is_not_taken_for_ours_that_nobody_has_sent_yet(client, there):
    payment = paid()
    ask(payment, 10)
    refund = Refund.objects.get()
    send(client, event("processed", refund))
    refund.refresh_from_db()
    assert refund.state == "requested"
    assert ReviewItem.objects.get().kind == "refund"
    assert_books_balance()


@pytest.mark.django_db
def test_nobody_is_erased_while_money_of_theirs_is_on_its_way(client, there):
    payment, person = paid(), person_at(alice().email)
    assert why_not_yet(person=person) == ""
    ask(payment, 10)
    assert "not finished" in why_not_yet(person=person)
    ask_due_refunds(now=timezone.now())
    send(client, event("processed", Refund.objects.get()))
    assert why_not_yet(person=person) == ""
    send(client, dispute_event(payment))
    assert "not finished" in why_not_yet(person=person)
