"""Checking out: a payment with its frozen price is committed first, and only then Paystack is asked for its page.

The form carries a key, so that sent twice it is one payment. Paystack is asked once for each payment: it refuses a
reference that it has seen, so that an answer which got lost can't be had again. Nobody has seen that page then, nothing
can have been paid on it, and the buyer begins anew.
"""

import datetime as dt
import secrets
import time
import uuid

import structlog
from django.db import transaction
from django.utils.translation import gettext as _

from accounts.models import User
from audit.services import record
from payments import paystack
from payments.keys import domain
from payments.models import Payment
from payments.purchasables import Quote, purchasable
from payments.services.asking import first_check

log = structlog.get_logger(__name__)

Status = Payment.Status
_TWIN_S = 10
"""How long the second of two equal requests waits for the page that the first is asking for."""


class CheckoutError(Exception):
    """The checkout can't go on. Nothing was taken; the message says what to do."""


class PriceChangedError(CheckoutError):
    """What the buyer saw is not what it costs now. `quote` is what does."""

    def __init__(self, quote: Quote) -> None:
        super().__init__(_("The price has changed since you saw it: look at it again."))
        self.quote = quote


def begin_checkout(
    *,
    kind: str,
    item: str,
    buyer: User | None,
    email: str = "",
    expected: tuple[int, str] | None = None,
    checkout_key: uuid.UUID,
    now: dt.datetime,
) -> Payment:
    """The payment of this checkout key, made if it isn't there: its price, currency and credits are fixed from here.

    `expected` is the price (minor units, currency) that the buyer agreed to. Raises `NotForSaleError`,
    `PriceChangedError`, `CheckoutError` when the key belongs to somebody else.
    """
    known = Payment.objects.filter(checkout_key=checkout_key).first()
    if known is not None:
        if known.member_id != (buyer.pk if buyer else None):
            raise CheckoutError(_("This form was used already: open the page again."))
        return known
    quote = purchasable(kind).quote(item, buyer, now)
    if expected is not None and expected != (quote.price, quote.currency):
        raise PriceChangedError(quote)
    with transaction.atomic():
        payment, is_new = Payment.objects.get_or_create(
            checkout_key=checkout_key,
            defaults={
                "reference": f"fg-{secrets.token_hex(12)}",
                "member": buyer,
                "email": buyer.email if buyer else email,
                "kind": kind,
                "item": item,
                "title": quote.title,
                "credits": quote.credits,
                "price": quote.price,
                "currency": quote.currency,
                "domain": domain(),
                "created_at": now,
                "check_after": first_check(now),
            },
        )
        if is_new:
            record(
                actor=buyer,
                action="payment.created",
                target=payment,
                data={
                    "kind": kind,
                    "item": item,
                    "price": quote.price,
                    "currency": quote.currency,
                    "credits": quote.credits,
                },
                now=now,
            )
    return payment


def paystack_page(*, payment: Payment, callback_url: str, now: dt.datetime) -> str:
    """The address of Paystack's page for this payment, asked for once. Talks to Paystack; no transaction may be open.

    Raises `CheckoutError` where there is none.
    """
    is_first = Payment.objects.filter(pk=payment.pk, asked_at=None, status=Status.CREATED).update(
        asked_at=now
    )
    if not is_first:
        return _page_of_twin(payment)
    try:
        page = paystack.initialize(
            reference=payment.reference,
            email=payment.email,
            amount=payment.price,
            currency=payment.currency,
            callback_url=callback_url,
            metadata={
                "payment_id": str(payment.public_id),
                "user_id": str(payment.member.public_id) if payment.member else "",
                "credits": payment.credits,
            },
        )
    except paystack.PaystackRefusedError as error:
        _give_up(payment, str(error))
        raise CheckoutError(
            _("Paystack did not accept this payment: %(error)s") % {"error": error}
        ) from error
    except paystack.PaystackError as error:
        log.warning("checkout_not_opened", payment=str(payment.public_id), error=str(error))
        _give_up(payment, str(error))
        raise CheckoutError(
            _("Paystack does not answer at the moment. Nothing was taken: try again in a minute.")
        ) from error
    Payment.objects.filter(pk=payment.pk, status=Status.CREATED).update(
        status=Status.INITIALIZED, authorization_url=page.authorization_url
    )
    return page.authorization_url


def _give_up(payment: Payment, why: str) -> None:
    """Failed, as far as anybody knows: the sweep still asks, and a late success still counts."""
    Payment.objects.filter(pk=payment.pk, status=Status.CREATED).update(
        status=Status.FAILED, failure=why[:300]
    )


def _page_of_twin(payment: Payment) -> str:
    """What another request got that came with the same key."""
    until = time.monotonic() + _TWIN_S
    while True:
        payment = Payment.objects.get(pk=payment.pk)
        if payment.authorization_url and payment.status in Payment.OPEN:
            return payment.authorization_url
        if payment.status != Status.CREATED:
            raise CheckoutError(
                payment.failure
                if payment.status == Status.FAILED and payment.failure
                else _("This payment is %(status)s already.")
                % {"status": payment.get_status_display().lower()}
            )
        if time.monotonic() > until:
            raise CheckoutError(_("Paystack does not answer at the moment. Nothing was taken: try again."))
        time.sleep(0.1)
