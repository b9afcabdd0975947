"""Refunds: credits that were not used go back as the money that was paid for them.

Asking for one moves the credits, and the money they are worth, to accounts of their own in one transaction; so neither
can be spent, or refunded again, while Paystack makes up its mind. Talking to Paystack happens outside: it is asked once,
and after an answer that got lost its list of refunds is read before it is asked again.
"""

import datetime as dt
from collections.abc import Collection, Mapping
from typing import Any

import structlog
from django.db import transaction
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from accounts.models import User
from audit.services import record
from payments import paystack
from payments.accounts import ensure_accounts, member_account
from payments.approvable import ApprovableKind, MoneyAct, Signatures
from payments.approvals import Outcome, request_or_do
from payments.charges import identifier, text, whole
from payments.ledger import Leg, post
from payments.lots import refund_amount
from payments.models import LedgerEntry, Payment, Refund, ReviewItem, WebhookEvent
from payments.money import format_amount
from payments.services.lots import held_account, holdings_of, lock_wallet, unused_credits
from payments.services.reviewing import open_review, resolve_by_itself
from payments.services.settling import issued_account, paystack_account, sales_account
from payments.services.standing import going_back, standing
from payments.services.waits import wait_after

log = structlog.get_logger(__name__)

REFUND_PAYMENT = "payments.refund_payment"
State = Refund.State
Status = Payment.Status
_FINAL = (State.PROCESSED, State.FAILED)
"""Paystack's words for these are ours."""
LEASE = dt.timedelta(minutes=2)
"""How long the list of refunds may be read, and then again how long one may be asked for; nothing is asked for without
it. Also how long Paystack's list has to catch up with a lost answer."""
_NOTE = "fairground refund "
"""What stands in Paystack's note of a refund before our number, by which a lost one is found again."""


class RefundError(Exception):
    """This can't be refunded like this. Nothing was moved; the message is a sentence for staff."""


def refundable(payment: Payment) -> tuple[int, int]:
    """Unused credits of a payment, and what they are worth on their way back, in minor units."""
    if payment.status not in (Status.SUCCEEDED, Status.PARTLY_REFUNDED):
        return 0, 0
    unused = unused_credits(payment)
    return unused, _worth(payment, unused)


def request_refund(
    *,
    payment: Payment,
    credits: int,
    amount: int | None = None,
    by: User,
    reason: str,
    notes: str = "",
    idem_key: str,
    now: dt.datetime,
) -> Outcome:
    """Send back what `credits` unused credits of `payment` are worth; above the limit a second person agrees first.

    `amount` (minor units) is for things that are no credits, and for less than they are worth. Raises `RefundError`,
    `payments.approvals.ApprovalError`.
    """
    if not 0 <= credits <= payment.credits:
        raise RefundError(_("This payment brought %(credits)s credits.") % {"credits": payment.credits})
    if amount is None:
        amount = _worth(payment, credits) if credits else 0
    if amount <= 0:
        raise RefundError(_("Nothing of this payment can be refunded."))
    act = MoneyAct(
        kind=REFUND_PAYMENT,
        amounts={payment.currency: amount} | ({"CREDIT": credits} if credits else {}),
        params={
            "payment": str(payment.public_id),
            "credits": credits,
            "amount": amount,
            "notes": notes.strip(),
        },
        about=payment.name,
        reason=reason.strip(),
        idem_key=idem_key,
    )
    return request_or_do(act=act, by=by, now=now)


def ask_due_refunds(*, now: dt.datetime, limit: int = 50) -> int:
    """Ask Paystack for refunds that are due, and about those it has not decided; returns how many."""
    asked, began = 0, timezone.now()
    for refund in Refund.objects.due(now).select_related("payment")[:limit]:
        later = now + LEASE + (timezone.now() - began)  # those before it may have taken their time
        if Refund.objects.filter(pk=refund.pk, try_after=refund.try_after).update(try_after=later):
            asked += 1
            try:
                _ask(refund, later, now, began)
            except Exception as error:
                log.exception("refund_not_asked", refund=str(refund.public_id))
                why = f"{type(error).__name__}: {error}"[:300]
                _review(refund, _("Asking Paystack about a refund failed: %(error)s") % {"error": why}, now)
    return asked


def note_event(
    event: WebhookEvent, name: str, data: Mapping[str, Any], now: dt.datetime
) -> tuple[Payment | None, str] | None:
    """What an event `refund.*` says. Where it could be one of several refunds, Paystack is asked which."""
    payment = Payment.objects.filter(reference=event.reference).first() if event.reference else None
    if payment is None:
        return None
    Payment.objects.select_for_update().get(pk=payment.pk)
    status = text(data.get("status"), 40) or name.removeprefix("refund.")
    amount, number = whole(data.get("amount")), identifier(data.get("id"))
    refunds = list(payment.refunds.all())
    if number is not None:
        named = [refund for refund in refunds if refund.paystack_id == number]
        refunds = named or [refund for refund in refunds if refund.paystack_id is None]
    # What we have not asked for yet can't be what Paystack speaks of.
    fitting = [refund for refund in refunds if refund.amount == amount and refund.was_sent]
    still_open = [refund for refund in fitting if refund.state in Refund.OPEN]
    if still_open and len(fitting) == 1:
        apply_status(refund=still_open[0], status=status, paystack_id=number, now=now)
        return payment, status
    if still_open:  # old news about a finished one looks the same
        Refund.objects.filter(pk__in=[refund.pk for refund in still_open]).update(try_after=now)
        return payment, "several refunds of this amount: Paystack is asked"
    if number is not None and (
        same := [one for one in fitting if one.paystack_id is None and one.state == status]
    ):
        # Finished by an event without a number: this is its number, so another one of this amount is another refund.
        Refund.objects.filter(pk=same[0].pk).update(paystack_id=number)
    if fitting and status in _FINAL and all(refund.state != status for refund in fitting):
        open_review(
            kind=ReviewItem.Kind.REFUND,
            key=f"{_review_key(fitting[0])}:contradicted",
            reason=_("Paystack calls a refund %(theirs)s that is %(ours)s here: look at its dashboard.")
            % {"theirs": status, "ours": fitting[0].get_state_display().lower()},
            payment=payment,
            event=event,
            now=now,
        )
    if not fitting and status == "processed":
        open_review(
            kind=ReviewItem.Kind.REFUND,
            key=f"payment:{payment.public_id}:refund-elsewhere:{number or event.pk}",
            reason=_("Paystack refunded %(amount)s that nobody here asked for: book it, or ask who did.")
            % {"amount": "?" if amount is None else format_amount(amount, payment.currency)},
            payment=payment,
            event=event,
            now=now,
        )
    return payment, status


def apply_status(*, refund: Refund, status: str, paystack_id: int | None, now: dt.datetime) -> Refund:
    """Write down what Paystack says of a refund. What is finished stays so."""
    with transaction.atomic():
        payment = Payment.objects.select_for_update().get(pk=refund.payment_id)
        refund = Refund.objects.select_for_update().get(pk=refund.pk)
        if refund.state not in Refund.OPEN:
            return refund
        refund.paystack_id = refund.paystack_id or paystack_id
        refund.was_sent, refund.outcome = True, status
        if status in _FINAL:
            refund.state = State.PROCESSED if status == "processed" else State.FAILED
            refund.finished_at, refund.try_after = now, None
            refund.save()
            resolve_by_itself(_review_key(refund), note=status, now=now)
            record(
                actor=None,
                action=f"refund.{refund.state}",
                target=refund,
                data={"payment": str(payment.public_id), "amount": refund.amount, "credits": refund.credits},
                now=now,
            )
            payment.status = standing(payment)
            payment.save(update_fields=["status"])
            _finish(payment, refund, now)
            return refund
        is_new = refund.state != State.ATTENTION
        refund.state = State.ATTENTION if status == "needs-attention" else State.ASKED
        refund.attempts += 1
        refund.try_after = now + wait_after(refund.attempts)
        refund.save()
        if refund.state == State.ATTENTION and is_new:
            _review(refund, _("Paystack can't send a refund back by itself: look at its dashboard."), now)
    return refund


def _worth(payment: Payment, credits: int) -> int:
    if not payment.credits or credits > payment.credits:
        return 0
    return refund_amount(
        unused=credits,
        credits=payment.credits,
        price=payment.price,
        currency=payment.currency,
        going_back=going_back(payment),
    )


def _ask(refund: Refund, lease: dt.datetime, now: dt.datetime, began: dt.datetime) -> None:
    reference = refund.payment.reference
    try:
        found = None
        if refund.was_sent:
            known = paystack.list_refunds(transaction=str(refund.payment.paystack_id or reference))
            found = next((one for one in known if _is_ours(one, refund)), None)
        if found is None and refund.state != State.REQUESTED:
            # Paystack has acknowledged it: a list without it is behind, and asking again would send money twice.
            _postpone(refund, str(_("Paystack's list of refunds lacks this one.")), now)
            return
        if found is None:
            # Written before it is sent, as it may get through; and only by whoever still holds the lease: twenty pages
            # of a slow list can outlast it, and somebody else has asked meanwhile.
            ours = Refund.objects.filter(pk=refund.pk, try_after=lease)
            renewed = max(lease, now + (timezone.now() - began)) + LEASE
            if not ours.update(was_sent=True, try_after=renewed):
                log.warning("refund_taken_by_another", refund=str(refund.public_id))
                return
            found = paystack.refund(
                transaction=reference,
                amount=refund.amount,
                currency=refund.payment.currency,
                reason=refund.reason,
                merchant_note=f"{_NOTE}{refund.public_id}",
            )
    except paystack.PaystackRefusedError as error:
        with transaction.atomic():
            Refund.objects.filter(pk=refund.pk, state__in=Refund.OPEN).update(
                state=State.ATTENTION, outcome=str(error)[:300], try_after=None
            )
            _review(refund, _("Paystack refuses a refund: %(error)s") % {"error": error}, now)
        return
    except paystack.PaystackError as error:
        log.warning("refund_outcome_unknown", refund=str(refund.public_id), error=str(error))
        _postpone(refund, str(error), now)
        return
    apply_status(refund=refund, status=found.status, paystack_id=identifier(found.id), now=now)


def _postpone(refund: Refund, why: str, now: dt.datetime) -> None:
    wait = wait_after(refund.attempts + 1)
    Refund.objects.filter(pk=refund.pk, state__in=Refund.OPEN).update(
        attempts=refund.attempts + 1, outcome=why[:300], try_after=now + wait
    )


def _is_ours(one: paystack.RefundState, refund: Refund) -> bool:
    if refund.paystack_id is not None and identifier(one.id) == refund.paystack_id:
        return True
    return f"{_NOTE}{refund.public_id}" in one.merchant_note


def _review(refund: Refund, reason: str, now: dt.datetime) -> None:
    open_review(
        kind=ReviewItem.Kind.REFUND, key=_review_key(refund), reason=reason, payment=refund.payment, now=now
    )


def _review_key(refund: Refund) -> str:
    return f"refund:{refund.public_id}"


def _finish(payment: Payment, refund: Refund, now: dt.datetime) -> None:
    """Burn what waited, or give it back. The last of its transaction."""
    is_done = refund.state == State.PROCESSED
    held_money = held_account(payment, payment.currency)
    money_to = paystack_account(payment.currency) if is_done else sales_account(payment.currency)
    moves = [(held_money, -refund.amount), (money_to, refund.amount)]
    if refund.credits:
        assert payment.member_id is not None
        credits_to = issued_account() if is_done else member_account(payment.member_id, "CREDIT")
        moves += [(held_account(payment, "CREDIT"), -refund.credits), (credits_to, refund.credits)]
    accounts = ensure_accounts([spec for spec, _amount in moves])
    post(
        idem_key=f"refund:{refund.public_id}:finished",
        kind="refund.processed" if is_done else "refund.released",
        legs=[Leg(accounts[spec.code], amount) for spec, amount in moves],
        about=payment.name,
        reason=refund.reason,
        actor=None,
        now=now,
    )


# ── The act, alone or with a second person ────────────────────────────────────────────────────────────────


def _payment_of(act: MoneyAct) -> Payment:
    return Payment.objects.get(public_id=act.params["payment"])


def _names(abouts: Collection[str]) -> Mapping[str, str]:
    numbers = [about.removeprefix("payments.payment:") for about in abouts]
    return {payment.name: payment.reference for payment in Payment.objects.filter(public_id__in=numbers)}


def _moves(act: MoneyAct) -> Mapping[str, int]:
    payment = _payment_of(act)
    amount, credits = int(act.params["amount"]), int(act.params["credits"])
    moves = {
        sales_account(payment.currency).code: -amount,
        held_account(payment, payment.currency).code: amount,
    }
    if credits:
        assert payment.member_id is not None
        moves[member_account(payment.member_id, "CREDIT").code] = -credits
        moves[held_account(payment, "CREDIT").code] = credits
    return moves


def _hold(act: MoneyAct, signatures: Signatures, now: dt.datetime) -> LedgerEntry:
    """Set aside what goes back, and leave it to the sweep to ask Paystack."""
    payment = Payment.objects.select_for_update().get(public_id=act.params["payment"])
    amount, credits = int(act.params["amount"]), int(act.params["credits"])
    if (known := Refund.objects.filter(idem_key=act.idem_key).first()) is not None:
        assert known.held_entry is not None
        return known.held_entry
    _check(payment, amount, credits)
    if payment.member_id is not None and payment.member_id in (
        signatures.by.pk,
        signatures.approved_by.pk if signatures.approved_by else None,
    ):
        raise RefundError(_("Nobody refunds their own payment: ask a colleague."))
    refund = Refund.objects.create(
        idem_key=act.idem_key,
        payment=payment,
        credits=credits,
        amount=amount,
        reason=act.reason,
        notes=str(act.params["notes"]),
        by=signatures.by,
        requested_at=now,
        try_after=now,
    )
    record(
        actor=signatures.by,
        action="refund.requested",
        target=refund,
        data={
            "payment": str(payment.public_id),
            "amount": amount,
            "currency": payment.currency,
            "credits": credits,
            "reason": act.reason,
        },
        now=now,
    )
    specs = [sales_account(payment.currency), held_account(payment, payment.currency)]
    if credits:
        assert payment.member_id is not None
        specs += [member_account(payment.member_id, "CREDIT"), held_account(payment, "CREDIT")]
    accounts = ensure_accounts(specs)
    entry = post(
        idem_key=act.idem_key,
        kind="refund.held",
        legs=[Leg(accounts[code], moved) for code, moved in _moves(act).items()],
        about=payment.name,
        reason=act.reason,
        actor=signatures.by,
        now=now,
    )
    refund.held_entry = entry
    refund.save(update_fields=["held_entry"])
    return entry


def _check(payment: Payment, amount: int, credits: int) -> None:
    if payment.status not in (Status.SUCCEEDED, Status.PARTLY_REFUNDED):
        raise RefundError(
            _("This payment is %(status)s: nothing of it can be refunded.")
            % {"status": payment.get_status_display().lower()}
        )
    left = payment.price - going_back(payment)
    if amount > left:
        raise RefundError(
            _("Of this payment %(left)s is left to refund.") % {"left": format_amount(left, payment.currency)}
        )
    if not credits:
        if payment.credits:
            raise RefundError(_("Money for credits goes back together with the credits."))
        return
    wallet = lock_wallet(payment)
    unused = holdings_of(wallet).lots.get(payment.name, 0) if wallet else 0
    if credits > unused:
        raise RefundError(
            _("%(unused)s credits of this payment are unused; %(wanted)s can't be taken back.")
            % {"unused": unused, "wanted": credits}
        )
    if amount > _worth(payment, credits):
        raise RefundError(_("That is more than these credits are worth."))


PAYMENT_REFUND = ApprovableKind(
    name=REFUND_PAYMENT,
    words=gettext_lazy("Refund a payment"),
    permission="payments.manage_payments",
    names=_names,
    moves=_moves,
    do=_hold,
    refusals=(RefundError,),
)
