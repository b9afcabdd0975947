"""Asking Paystack: the sweep's hours, the daily list in both directions, and staff's reconciling."""

import datetime as dt
from types import SimpleNamespace

import pytest
from django.utils import timezone

from audit.models import Record
from payments import paystack
from payments.models import Payment, ReviewItem
from payments.services import asking
from payments.services.asking import check_due_payments, compare_with_listing, next_check
from tests.api.keys import key_client, session_client
from tests.factories import alice, treasurer
from tests.payments.shop import assert_books_balance, credits_of, make_payment, paid

MINUTE, HOUR = dt.timedelta(minutes=1), dt.timedelta(hours=1)
RECONCILE = "/api/payments/reconcile/"


def transaction(payment, **fields):
    """Paystack's answer about it: paid, unless told otherwise."""
    usual = {
        "id": str(1_000 + payment.pk),
        "reference": payment.reference,
        "status": "success",
        "amount": payment.price,
        "requested_amount": payment.price,
        "currency": payment.currency,
        "domain": payment.domain,
        "channel": "card",
        "gateway_response": "Approved",
    }
    return SimpleNamespace(**usual | fields)


class FakePaystack:
    """Answers by reference; what it does not have it does not know."""

    def __init__(self):
        self.answers, self.asked, self.pages = {}, [], []

    def verify(self, *, reference):
        self.asked.append(reference)
        answer = self.answers.get(reference) or paystack.NotFoundError("Not found", status=404)
        if isinstance(answer, Exception):
            raise answer
        return answer

    def list_transactions(self, *, since, until, page):
        return SimpleNamespace(items=self.pages[page - 1], page=page, pages=len(self.pages))


@pytest.fixture
def there(monkeypatch):
    """Paystack's side."""
    fake = FakePaystack()
    monkeypatch.setattr(asking.paystack, "verify", fake.verify)
    monkeypatch.setattr(asking.paystack, "list_transactions", fake.list_transactions)
    return fake


def test_it_is_asked_after_2_5_15_and_60_minutes_then_hourly_for_72_hours():
    began = dt.datetime(2026, 3, 1, tzinfo=dt.UTC)
    at, hours = asking.first_check(began), []
    while at is not None:
        hours.append((at - began) / MINUTE)
        at = next_check(began, at)
    assert hours[:6] == [2, 5, 15, 60, 120, 180]
    assert hours[-1] == 72 * 60
    assert len(hours) == 3 + 72


@pytest.mark.django_db
def test_the_sweep_settles_what_was_paid(there):
    payment = make_payment()
    there.answers[payment.reference] = transaction(payment)
    assert check_due_payments(now=timezone.now()) == 0
    assert check_due_payments(now=payment.created_at + 2 * MINUTE) == 1
    payment.refresh_from_db()
    assert (payment.status, payment.settled_by, payment.check_after) == ("succeeded", "sweep", None)
    assert credits_of(alice()) == 50


@pytest.mark.django_db
def test_what_nobody_paid_for_three_days_expires_and_may_still_be_paid(there):
    payment = make_payment()
    while payment.check_after is not None:
        check_due_payments(now=payment.check_after)
        payment.refresh_from_db()
    assert (payment.status, payment.checks) == ("expired", 75)
    there.pages = [[transaction(payment)]]
    compare_with_listing(now=timezone.now())
    assert Payment.objects.get().status == "succeeded"
    assert credits_of(alice()) == 50


@pytest.mark.django_db
@pytest.mark.parametrize(
    "error", [paystack.OutcomeUnknownError("slow"), paystack.PaystackUnavailableError("away")]
)
def test_one_that_can_not_be_asked_about_does_not_hold_up_the_others(there, error):
    first, second = make_payment(), make_payment()
    there.answers = {first.reference: error, second.reference: transaction(second)}
    assert check_due_payments(now=second.created_at + 2 * MINUTE) == 2
    first.refresh_from_db()
    second.refresh_from_db()
    assert (first.status, second.status) == ("created", "succeeded")
    assert first.check_after == first.created_at + 5 * MINUTE


@pytest.mark.django_db
def test_what_is_for_people_is_not_asked_about_again(there):
    payment = make_payment()
    there.answers[payment.reference] = transaction(payment, amount=5, requested_amount=None)
    check_due_payments(now=payment.created_at + 2 * MINUTE)
    assert check_due_payments(now=payment.created_at + 9 * HOUR) == 0
    assert ReviewItem.objects.get().kind == "amount"


@pytest.mark.django_db
def test_a_failure_of_ours_is_shown_to_people_and_tried_again(there, monkeypatch):
    payment = make_payment()
    there.answers[payment.reference] = transaction(payment)

    def fail(**_fields):
        raise RuntimeError("a bug")

    with monkeypatch.context() as patch:
        patch.setattr(asking, "settle_payment", fail)
        check_due_payments(now=payment.created_at + 2 * MINUTE)
    assert "RuntimeError: a bug" in ReviewItem.objects.get().reason
    check_due_payments(now=payment.created_at + 5 * MINUTE)
    assert credits_of(alice()) == 50


def test_two_sweeps_at_once_ask_once_about_each(cloned_db, parallel, there):
    payments = [make_payment() for _number in range(6)]
    there.answers = {payment.reference: transaction(payment) for payment in payments}
    at = payments[-1].created_at + 2 * MINUTE
    outcomes = parallel(lambda: check_due_payments(now=at), 3)
    assert not outcomes.errors
    assert sorted(there.asked) == sorted(payment.reference for payment in payments)
    assert credits_of(alice()) == 300
    assert_books_balance()


@pytest.mark.django_db
def test_the_daily_list_finds_orphans_in_both_directions(there):
    known, late, refunded, unlisted = paid(), make_payment(), paid(), paid()
    Payment.objects.filter(pk__in=[unlisted.pk, known.pk, refunded.pk]).update(checks=1)
    stranger = transaction(known, reference="somebody-elses", id="77")
    there.pages = [
        [transaction(known), transaction(late)],
        [
            stranger,
            transaction(refunded, status="reversed"),
            transaction(known, reference="x", status="failed"),
        ],
    ]
    now = timezone.now() + 2 * HOUR
    assert compare_with_listing(now=now) == 2
    assert compare_with_listing(now=now) == 0
    assert credits_of(alice()) == 200
    kinds = dict(ReviewItem.objects.values_list("kind", "payment"))
    assert kinds == {"orphan_there": None, "orphan_here": unlisted.pk}


@pytest.mark.django_db
def test_one_listed_payment_that_can_not_be_settled_does_not_hold_up_the_others(there, monkeypatch):
    broken, whole = make_payment(), make_payment()
    there.pages = [[transaction(broken), transaction(whole)]]
    settle = asking.settle_payment

    def fail(*, payment, **fields):
        if payment == broken:
            raise RuntimeError("a bug")
        return settle(payment=payment, **fields)

    monkeypatch.setattr(asking, "settle_payment", fail)
    compare_with_listing(now=timezone.now())
    assert credits_of(alice()) == 50
    assert ReviewItem.objects.get().payment == broken


def reconcile(client, name):
    return client.post(RECONCILE, {"transactionId": name}, content_type="application/json")


@pytest.mark.django_db
@pytest.mark.parametrize("named", ["reference", "public_id"])
def test_staff_reconcile_by_the_api(there, named):
    payment = make_payment()
    there.answers[payment.reference] = transaction(payment)
    answer = reconcile(session_client(treasurer()), str(getattr(payment, named)))
    assert answer.status_code == 200
    assert answer.json() == {
        "success": True,
        "result": "settled",
        "reference": payment.reference,
        "status_before": "created",
        "status_after": "succeeded",
        "credits_added": 50,
    }
    again = reconcile(session_client(treasurer()), str(1_000 + payment.pk)).json()
    assert (again["result"], again["credits_added"]) == ("already settled", 0)
    acts = Record.objects.filter(action="payment.reconciled", actor=treasurer())
    assert [record.data for record in acts.order_by("pk")] == [
        {"before": "created", "outcome": "settled"},
        {"before": "succeeded", "outcome": "already settled"},
    ]


@pytest.mark.django_db
def test_what_paystack_does_not_know_or_answer_is_said_and_kept_in_the_trail(there):
    payment = make_payment()
    client = session_client(treasurer())
    answer = reconcile(client, payment.reference)
    assert (answer.status_code, answer.json()["code"]) == (409, "unknown_at_paystack")
    there.answers[payment.reference] = paystack.OutcomeUnknownError("slow")
    answer = reconcile(client, payment.reference)
    assert (answer.status_code, answer.json()["code"]) == (502, "paystack_unavailable")
    outcomes = [record.data["outcome"] for record in Record.objects.filter(action="payment.reconciled")]
    assert sorted(outcomes) == ["no answer", "unknown at Paystack"]


@pytest.mark.django_db
@pytest.mark.parametrize("name", ["nothing", "5", "\x00", "a" * 36, "0" * 36])
def test_an_unknown_payment_is_not_there(there, name):
    assert reconcile(session_client(treasurer()), name).status_code in (400, 404)


@pytest.mark.django_db
def test_a_key_without_the_scope_reconciles_nothing(there):
    answer = reconcile(key_client(treasurer(), "draws:monitor"), make_payment().reference)
    assert answer.status_code in (403, 404)
    assert not Record.objects.filter(action="payment.reconciled").exists()
    assert reconcile(key_client(alice(), "entries:read"), "x").status_code in (403, 404)
