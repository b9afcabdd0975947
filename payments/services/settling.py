"""Settling a payment: the one function for webhook, callback, sweep and staff, safe at any interleaving.

Whoever learns first that a payment was paid books it; everybody after them finds it booked. The payment's row is the
lock, the ledger's key (`payment:<uuid>:settled`) the guard behind it.
"""

import datetime as dt
from dataclasses import dataclass
from enum import StrEnum

from django.db import transaction
from django.urls import reverse
from django.utils.translation import gettext as _

from accounts.models import User
from audit.services import record
from notifications.recipients import Recipient
from notifications.services import notify
from payments.accounts import AccountSpec, ensure_accounts, member_account
from payments.charges import ABANDONED, FAILURES, SUCCESS, Charge
from payments.ledger import Leg, post
from payments.models import LedgerEntry, Payment, ReviewItem
from payments.money import format_amount
from payments.purchasables import purchasable
from payments.services.reviewing import open_review, resolve_by_itself

Status = Payment.Status
_MENDED = (ReviewItem.Kind.AMOUNT, ReviewItem.Kind.CURRENCY, ReviewItem.Kind.DOMAIN, "not-settled")
"""What was wrong with a payment until it was settled."""


class Source(StrEnum):
    """Who learned what became of a payment."""

    WEBHOOK = "webhook"
    CALLBACK = "callback"
    SWEEP = "sweep"
    LISTING = "listing"
    STAFF = "staff"


class Result(StrEnum):
    """What settling came to."""

    SETTLED = "settled"
    ALREADY = "already settled"
    REVIEW = "for review"
    UNPAID = "not paid"


@dataclass(frozen=True, slots=True)
class Settlement:
    """The payment as it is now, and what this attempt came to. `was` is its status before."""

    payment: Payment
    result: Result
    was: str

    @property
    def credits_added(self) -> int:
        """Credits that this very attempt put into the wallet."""
        return self.payment.credits if self.result is Result.SETTLED else 0


def paystack_account(currency: str) -> AccountSpec:
    """Paystack: where money of payers comes from and refunds go to. No floor, a sum instead of a balance."""
    return AccountSpec(code=f"paystack:{currency}", unit=currency, floor=None, is_materialised=False)


def sales_account(currency: str) -> AccountSpec:
    """What was ever sold, less what went back."""
    return AccountSpec(code=f"revenue:sales:{currency}", unit=currency, floor=None, is_materialised=False)


def issued_account() -> AccountSpec:
    """Where bought credits come from, and where refunded ones go: below zero by what is out."""
    return AccountSpec(code="issued:credits:CREDIT", unit="CREDIT", floor=None, is_materialised=False)


def settle_payment(
    *, payment: Payment, charge: Charge, source: Source, by: User | None = None, now: dt.datetime
) -> Settlement:
    """Write down what Paystack says about `payment`; where it was paid, hand over what was bought, once.

    Credits only what the payment promised when it began, and only where status, currency and domain fit and the amount
    covers the price; otherwise it opens a review item. What the owner of the bought kind raises undoes all of it.
    """
    with transaction.atomic():
        payment = Payment.objects.select_for_update(of=("self",)).select_related("member").get(pk=payment.pk)
        was = payment.status
        if charge.status != SUCCESS:
            result = _not_paid(payment, charge, now)
        elif payment.is_paid:
            result = Result.ALREADY
        elif (wrong := _what_is_wrong(payment, charge)) is not None:
            kind, reason = wrong
            open_review(
                kind=kind, key=f"payment:{payment.public_id}:{kind}", reason=reason, payment=payment, now=now
            )
            payment.check_after = None  # asking again brings the same answer
            payment.save(update_fields=["check_after"])
            result = Result.REVIEW
        else:
            _book(payment, charge, source=source, by=by, now=now)
            result = Result.SETTLED
    return Settlement(payment, result, was)


def _what_is_wrong(payment: Payment, charge: Charge) -> tuple[str, str] | None:
    """Kind of review and sentence, where a successful charge is not what was asked for."""
    if charge.domain != payment.domain:
        return ReviewItem.Kind.DOMAIN, _(
            "Paystack calls it a %(theirs)s payment, and it began as a %(ours)s one."
        ) % {
            "theirs": charge.domain or "?",
            "ours": payment.domain,
        }
    if charge.currency != payment.currency:
        return ReviewItem.Kind.CURRENCY, _("Paid in %(theirs)s; the price is in %(ours)s.") % {
            "theirs": charge.currency or "?",
            "ours": payment.currency,
        }
    if charge.amount is None or min(charge.amount, charge.covers or 0) < payment.price:
        paid = "?" if charge.amount is None else format_amount(charge.amount, payment.currency)
        return ReviewItem.Kind.AMOUNT, _("%(paid)s was paid; the price is %(price)s.") % {
            "paid": paid,
            "price": format_amount(payment.price, payment.currency),
        }
    return None


def _book(payment: Payment, charge: Charge, *, source: Source, by: User | None, now: dt.datetime) -> None:
    payment.status, payment.settled_at, payment.settled_by = Status.SUCCEEDED, now, source
    payment.paid_amount, payment.channel = charge.amount, charge.channel
    payment.paystack_id, payment.check_after, payment.failure = charge.paystack_id, None, ""
    if charge.covers is not None and charge.covers > payment.price:
        open_review(
            kind=ReviewItem.Kind.AMOUNT,
            key=f"payment:{payment.public_id}:more",
            reason=_("%(paid)s was paid for %(price)s: what is too much has to go back by hand.")
            % {
                "paid": format_amount(charge.covers, payment.currency),
                "price": format_amount(payment.price, payment.currency),
            },
            payment=payment,
            now=now,
        )
    purchasable(payment.kind).settle(payment, now)
    record(
        actor=by,
        action="payment.settled",
        target=payment,
        data={
            "by": str(source),
            "price": payment.price,
            "paid": payment.paid_amount or 0,
            "currency": payment.currency,
            "credits": payment.credits,
        },
        now=now,
    )
    resolve_by_itself(
        *(f"payment:{payment.public_id}:{matter}" for matter in _MENDED),
        note=_("It was settled after all."),
        now=now,
    )
    if payment.member is not None:
        notify(
            kind="payments.payment_settled",
            about=payment.name,
            context={
                "title": payment.title,
                "price": format_amount(payment.price, payment.currency),
                "credits": payment.credits,
                "reference": payment.reference,
                "page": reverse("payments:payment", args=[payment.public_id]),
            },
            recipients=[Recipient.of(payment.member)],
            idem_key=f"payment:{payment.public_id}:settled",
            not_before=now,
            now=now,
        )
    payment.entry = _post(payment, by=by, now=now)
    payment.save()


def _post(payment: Payment, *, by: User | None, now: dt.datetime) -> LedgerEntry:
    specs = [paystack_account(payment.currency), sales_account(payment.currency)]
    amounts = [-payment.price, payment.price]
    if payment.credits:
        assert payment.member_id is not None, "credits go into somebody's wallet"
        specs += [issued_account(), member_account(payment.member_id, "CREDIT")]
        amounts += [-payment.credits, payment.credits]
    accounts = ensure_accounts(specs)
    return post(
        idem_key=f"payment:{payment.public_id}:settled",
        kind="payment.settled",
        legs=[Leg(accounts[spec.code], amount) for spec, amount in zip(specs, amounts, strict=True)],
        about=payment.name,
        actor=by,
        now=now,
    )


def _not_paid(payment: Payment, charge: Charge, now: dt.datetime) -> Result:
    if payment.is_paid:
        if charge.status == "reversed" and payment.status == Status.SUCCEEDED:
            open_review(
                kind=ReviewItem.Kind.ORPHAN_HERE,
                key=f"payment:{payment.public_id}:reversed",
                reason=_("Paystack says that this payment, which is booked here, was reversed."),
                payment=payment,
                now=now,
            )
            return Result.REVIEW
        return Result.ALREADY  # an old piece of news about something that was paid since
    if charge.status in FAILURES:
        payment.status, payment.failure = Status.FAILED, charge.message
    elif charge.status == ABANDONED:
        payment.status = Status.ABANDONED
    elif payment.status != Status.EXPIRED:
        payment.status = Status.PENDING
    payment.save(update_fields=["status", "failure"])
    return Result.UNPAID
