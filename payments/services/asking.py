"""Asking Paystack what became of a payment: by the callback, the sweep and staff; and its list, once a day.

Two, five, fifteen and sixty minutes after the checkout, then every hour for three days: people pay late. A payment that
is `abandoned` by then has not been given up, only one that `expired` has, and even that may still be settled by a webhook.
"""

import datetime as dt

import structlog
from django.db import transaction
from django.utils.translation import gettext as _

from accounts.models import User
from audit.services import record
from payments import paystack
from payments.charges import SUCCESS, Charge, identifier
from payments.models import Payment, ReviewItem
from payments.services.reviewing import open_review
from payments.services.settling import Settlement, Source, settle_payment

log = structlog.get_logger(__name__)

Status = Payment.Status
MINUTE = dt.timedelta(minutes=1)
_AFTER = (2 * MINUTE, 5 * MINUTE, 15 * MINUTE, 60 * MINUTE)
GIVE_UP_AFTER = dt.timedelta(hours=72)
LEASE = 2 * MINUTE
SWEEP_SIZE = 50
LISTED = dt.timedelta(days=3)


class NotKnownThereError(Exception):
    """Paystack does not know this reference: nobody has been on its page."""


def first_check(created_at: dt.datetime) -> dt.datetime:
    """When Paystack is asked for the first time."""
    return created_at + _AFTER[0]


def next_check(created_at: dt.datetime, now: dt.datetime) -> dt.datetime | None:
    """When it is asked after `now`; None when it has been asked long enough."""
    for after in _AFTER:
        if created_at + after > now:
            return created_at + after
    hour = 60 * MINUTE
    following = now + hour
    return following if following <= created_at + GIVE_UP_AFTER else None


def check_payment(
    *, payment: Payment, source: Source, by: User | None = None, now: dt.datetime
) -> Settlement:
    """Ask Paystack about a payment and write down the answer. Talks to Paystack; no transaction may be open.

    Raises `paystack.PaystackError` where there is no answer, `NotKnownThereError` where it knows nothing.
    """
    try:
        found = paystack.verify(reference=payment.reference)
    except paystack.NotFoundError as error:
        raise NotKnownThereError(_("Paystack does not know this payment.")) from error
    return settle_payment(payment=payment, charge=charge_from(found), source=source, by=by, now=now)


def charge_from(found: paystack.Transaction) -> Charge:
    """What the seam answers, as what settling takes."""
    return Charge(
        reference=found.reference,
        status=found.status,
        amount=found.amount,
        currency=found.currency,
        domain=found.domain,
        requested_amount=found.requested_amount,
        paystack_id=identifier(found.id),
        channel=found.channel,
        message=found.gateway_response,
    )


def check_due_payments(*, now: dt.datetime, limit: int = SWEEP_SIZE) -> int:
    """Ask about payments that are due, a few at a time; returns how many. One that fails does not hold up the others."""
    checked = 0
    for payment in Payment.objects.due_for_check(now)[:limit]:
        lease = Payment.objects.filter(pk=payment.pk, check_after=payment.check_after)
        if not lease.update(check_after=now + LEASE):
            continue  # somebody else asks
        checked += 1
        try:
            check_payment(payment=payment, source=Source.SWEEP, now=now)
        except NotKnownThereError:
            pass  # nobody opened Paystack's page yet
        except paystack.PaystackError as error:
            log.warning("payment_not_checked", payment=str(payment.public_id), error=str(error))
        except Exception as error:
            _note_failure(payment, error, now)
        _plan_next(payment, now)
    return checked


def reconcile_payment(*, payment: Payment, by: User, now: dt.datetime) -> Settlement:
    """`check_payment` as an act of staff: who, when and what came of it are in the trail, also where nothing came.

    Raises what `check_payment` raises.
    """
    outcome = "no answer"
    try:
        settlement = check_payment(payment=payment, source=Source.STAFF, by=by, now=now)
        outcome = str(settlement.result)
    except NotKnownThereError:
        outcome = "unknown at Paystack"
        raise
    finally:
        record(
            actor=by,
            action="payment.reconciled",
            target=payment,
            data={"before": payment.status, "outcome": outcome},
            now=now,
        )
    return settlement


def compare_with_listing(*, now: dt.datetime) -> int:
    """Hold Paystack's list of the last days against ours, in both directions; returns how many items it opened.

    Paid there and not settled here: settled. Paid there and unknown here, or settled here and not on the list: for
    people. Talks to Paystack; raises `paystack.PaystackError`, and does nothing by halves that can't be done again.
    """
    since, opened = now - LISTED, 0
    listed: set[str] = set()
    page, pages = 1, 1
    while page <= pages:
        found = paystack.list_transactions(since=since, until=now, page=page)
        pages, page = found.pages, page + 1
        paid = {one.reference: one for one in found.items if one.status == SUCCESS}
        # What went back whole is called reversed there; it was paid all the same.
        listed |= {one.reference for one in found.items if one.status in (SUCCESS, "reversed")}
        ours = {one.reference: one for one in Payment.objects.filter(reference__in=paid)}
        for reference, one in paid.items():
            payment = ours.get(reference)
            if payment is None:
                opened += _open_orphan(
                    f"listing:{one.id}",
                    ReviewItem.Kind.ORPHAN_THERE,
                    _("Paystack took a payment under %(reference)s, which nobody here knows.")
                    % {"reference": reference},
                    None,
                    now,
                )
            elif not payment.is_paid:
                try:
                    settle_payment(payment=payment, charge=charge_from(one), source=Source.LISTING, now=now)
                except Exception as error:
                    _note_failure(payment, error, now)
    # What was paid at the edges of the time may stand on the list of another day.
    booked = Payment.objects.filter(
        status__in=Payment.PAID, settled_at__gt=since + LISTED / 3, settled_at__lt=now - 60 * MINUTE
    )
    for payment in booked.exclude(reference__in=listed):
        opened += _open_orphan(
            f"payment:{payment.public_id}:unlisted",
            ReviewItem.Kind.ORPHAN_HERE,
            _("This payment is booked here, and is not among those that Paystack lists."),
            payment,
            now,
        )
    return opened


def _note_failure(payment: Payment, error: Exception, now: dt.datetime) -> None:
    """Show it to people; the other payments go on."""
    log.error("payment_not_settled", payment=str(payment.public_id), exc_info=error)
    with transaction.atomic():
        open_review(
            kind=ReviewItem.Kind.EVENT,
            key=f"payment:{payment.public_id}:not-settled",
            reason=_("Settling this payment failed: %(error)s")
            % {"error": f"{type(error).__name__}: {error}"[:300]},
            payment=payment,
            now=now,
        )


def _open_orphan(key: str, kind: str, reason: str, payment: Payment | None, now: dt.datetime) -> bool:
    is_new = not ReviewItem.objects.filter(key=key).exists()
    with transaction.atomic():
        open_review(kind=kind, key=key, reason=reason, payment=payment, now=now)
    return is_new


def _plan_next(payment: Payment, now: dt.datetime) -> None:
    with transaction.atomic():
        payment = Payment.objects.select_for_update().get(pk=payment.pk)
        if payment.check_after is None:
            return  # settled, or for people
        payment.checks += 1
        payment.check_after = next_check(payment.created_at, now)
        if payment.check_after is None and payment.status in (*Payment.OPEN, Status.ABANDONED):
            payment.status = Status.EXPIRED
        payment.save(update_fields=["checks", "check_after", "status"])
