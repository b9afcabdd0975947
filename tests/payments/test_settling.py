"""Settling: whoever learns first books it, once, and only what was promised."""

import datetime as dt
import uuid

import pytest
from django.db import DatabaseError, connection, transaction
from django.utils import timezone

from audit.models import Record
from notifications.models import Message
from payments.accounts import ensure_accounts, member_account
from payments.ledger import Leg, post
from payments.models import LedgerEntry, Package, Payment, ReviewItem
from payments.purchasables import Purchasable, Quote
from payments.services import settling
from payments.services.checkout import CheckoutError, PriceChangedError, begin_checkout
from payments.services.lots import unused_credits
from payments.services.settling import Result, Source, issued_account, settle_payment
from tests.factories import alice, bob
from tests.payments.shop import (
    assert_books_balance,
    balance,
    charge,
    credits_of,
    make_package,
    make_payment,
    paid,
    settle,
)

Status = Payment.Status


@pytest.mark.django_db
def test_a_paid_payment_fills_the_wallet_and_the_books():
    payment = make_payment()
    settlement = settle(payment, channel="mobile_money")
    assert (settlement.result, settlement.was, settlement.credits_added) == (Result.SETTLED, "created", 50)
    payment.refresh_from_db()
    assert (payment.status, payment.paid_amount, payment.channel) == ("succeeded", 40_000, "mobile_money")
    assert credits_of(alice()) == 50
    assert (balance("paystack:KES"), balance("revenue:sales:KES")) == (-40_000, 40_000)
    assert balance("issued:credits:CREDIT") == -50
    assert Message.objects.get(kind="payments.payment_settled").about == payment.name
    assert Record.objects.filter(action="payment.settled", target=payment.name).count() == 1
    assert_books_balance()


@pytest.mark.django_db
@pytest.mark.parametrize("source", list(Source))
def test_learning_it_again_changes_nothing(source):
    payment = paid()
    again = settle_payment(payment=payment, charge=charge(payment), source=source, now=timezone.now())
    assert (again.result, again.credits_added) == (Result.ALREADY, 0)
    assert credits_of(alice()) == 50
    assert Message.objects.filter(kind="payments.payment_settled").count() == 1


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("fields", "kind"),
    [
        ({"amount": 39_999}, "amount"),
        ({"amount": None}, "amount"),
        ({"amount": 0}, "amount"),
        ({"amount": 41_000, "requested_amount": 39_999}, "amount"),
        ({"amount": 30_000, "requested_amount": 40_000}, "amount"),  # taken in part
        ({"currency": "NGN"}, "currency"),
        ({"currency": ""}, "currency"),
        ({"domain": "live"}, "domain"),
        ({"domain": ""}, "domain"),
    ],
)
def test_what_does_not_fit_is_for_people_and_credits_nothing(fields, kind):
    payment = make_payment()
    assert settle(payment, **fields).result is Result.REVIEW
    assert settle(payment, **fields).result is Result.REVIEW
    item = ReviewItem.objects.get()
    assert (item.kind, item.payment, item.state) == (kind, payment, "open")
    assert credits_of(alice()) == 0
    assert not LedgerEntry.objects.exists()
    assert Payment.objects.get().status == "created"


@pytest.mark.django_db
def test_fees_that_the_payer_bears_do_not_get_in_the_way():
    payment = make_payment()
    assert settle(payment, amount=40_610, requested_amount=40_000).result is Result.SETTLED
    assert balance("revenue:sales:KES") == 40_000
    assert not ReviewItem.objects.exists()


@pytest.mark.django_db
def test_too_much_is_credited_as_promised_and_shown_to_people():
    payment = make_payment()
    assert settle(payment, amount=50_000).result is Result.SETTLED
    assert credits_of(alice()) == 50
    assert ReviewItem.objects.get().key == f"payment:{payment.public_id}:more"


@pytest.mark.django_db
def test_what_was_mended_after_all_closes_its_review():
    payment = make_payment()
    settle(payment, amount=1)
    settle(payment)
    item = ReviewItem.objects.get()
    assert item.state == "resolved"
    assert item.notes.get().text == "It was settled after all."


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("said", "status"), [("failed", "failed"), ("abandoned", "abandoned"), ("ongoing", "pending")]
)
def test_what_is_not_paid_can_still_be_paid_later(said, status):
    payment = make_payment()
    assert settle(payment, status=said, message="Declined").result is Result.UNPAID
    assert Payment.objects.get().status == status
    assert settle(payment).result is Result.SETTLED
    assert credits_of(alice()) == 50


@pytest.mark.django_db
@pytest.mark.parametrize("said", ["failed", "abandoned", "pending"])
def test_old_news_does_not_undo_a_payment(said):
    payment = paid()
    assert settle(payment, status=said).result is Result.ALREADY
    assert Payment.objects.get().status == "succeeded"


@pytest.mark.django_db
def test_a_reversal_of_what_is_booked_is_for_people():
    payment = paid()
    assert settle(payment, status="reversed").result is Result.REVIEW
    assert ReviewItem.objects.get().key.endswith(":reversed")
    assert credits_of(alice()) == 50


@pytest.mark.django_db
def test_a_price_that_changes_after_the_checkout_changes_nothing():
    payment = make_payment(package=make_package())
    Package.objects.update(price=90_000, credits=1)
    settle(payment)
    assert credits_of(alice()) == 50


@pytest.mark.django_db
def test_the_buyer_is_asked_again_when_the_price_is_not_the_one_they_saw():
    package = make_package(price=45_000)
    with pytest.raises(PriceChangedError):
        begin_checkout(
            kind="package",
            item=str(package.public_id),
            buyer=alice(),
            expected=(40_000, "KES"),
            checkout_key=uuid.uuid4(),
            now=timezone.now(),
        )
    assert not Payment.objects.exists()


@pytest.mark.django_db
def test_a_form_sent_twice_is_one_payment_and_nobody_elses():
    payment = make_payment()
    same = {
        "kind": "package",
        "item": payment.item,
        "checkout_key": payment.checkout_key,
        "now": timezone.now(),
    }
    assert begin_checkout(buyer=alice(), **same) == payment
    with pytest.raises(CheckoutError):
        begin_checkout(buyer=bob(), **same)


@pytest.mark.django_db
def test_the_owner_of_what_was_bought_is_called_once_inside_the_transaction(monkeypatch):
    calls = []
    kind = Purchasable(
        kind="ticket",
        words="Tickets",
        quote=lambda item, buyer, now: Quote(title="One ticket", price=1_000, currency="KES"),
        settle=lambda payment, now: calls.append(payment.item),
    )
    monkeypatch.setattr(settling, "purchasable", lambda name: kind)
    payment = make_payment()
    settle(payment)
    settle(payment)
    assert calls == [payment.item]


@pytest.mark.django_db
def test_an_owner_that_fails_undoes_all_of_it(monkeypatch):
    def fail(payment, now):
        raise RuntimeError("sold out")

    kind = Purchasable(kind="ticket", words="Tickets", quote=lambda *_: None, settle=fail)
    payment = make_payment()
    monkeypatch.setattr(settling, "purchasable", lambda name: kind)
    with pytest.raises(RuntimeError):
        settle(payment)
    assert Payment.objects.get().status == "created"
    assert not LedgerEntry.objects.exists()
    assert not Message.objects.exists()


def test_ten_at_once_book_it_once(cloned_db, parallel):
    payment = make_payment()
    sources = list(Source)
    outcomes = parallel(
        lambda index: (
            settle_payment(
                payment=payment, charge=charge(payment), source=sources[index % 5], now=timezone.now()
            ).result
        ),
        10,
    )
    assert not outcomes.errors
    assert sorted(outcomes.results) == sorted([Result.SETTLED, *[Result.ALREADY] * 9])
    assert credits_of(alice()) == 50
    assert_books_balance()


@pytest.mark.django_db
@pytest.mark.parametrize(
    "change",
    [
        "price = 1",
        "credits = 5000",
        "currency = 'USD'",
        "member_id = NULL",
        "reference = 'other'",
        "title = 'Other'",
        "domain = 'live'",
        "status = 'pending', entry_id = NULL, settled_at = NULL",
        "status = 'failed', entry_id = NULL, settled_at = NULL",
        "paid_amount = 1",
        "entry_id = NULL",
    ],
)
def test_not_even_straight_sql_changes_what_was_promised_or_booked(change):

    paid()
    with pytest.raises(DatabaseError), transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(f"UPDATE payments_payment SET {change}")


@pytest.mark.django_db
@pytest.mark.parametrize("status", ["succeeded", "refunded", "disputed"])
def test_not_even_straight_sql_makes_it_paid_without_an_entry(status):

    make_payment()
    with pytest.raises(DatabaseError), transaction.atomic(), connection.cursor() as cursor:
        cursor.execute("UPDATE payments_payment SET status = %s", [status])


@pytest.mark.django_db
def test_payments_are_never_deleted():
    make_payment()
    with pytest.raises(DatabaseError), transaction.atomic():
        Payment.objects.all()._raw_delete("default")


@pytest.mark.django_db
def test_gifts_do_not_hide_what_was_spent():

    payment = paid()
    accounts = ensure_accounts([member_account(alice().pk, "CREDIT"), issued_account()])
    wallet, issued = accounts[member_account(alice().pk, "CREDIT").code], accounts[issued_account().code]
    for key, amount in (("gift", 30), ("spend", -35)):
        post(
            idem_key=key,
            kind=f"test.{key}",
            legs=[Leg(wallet, amount), Leg(issued, -amount)],
            about="test",
            actor=None,
            now=timezone.now() + dt.timedelta(seconds=1),
        )
    assert unused_credits(payment) == 15
