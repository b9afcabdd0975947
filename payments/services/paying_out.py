"""Paying out what Finance agreed to: a Paystack transfer under our own reference, settled by its events.

Paystack is asked outside of any transaction, once. After an answer that got lost it is asked what became of the
reference before it is sent again; and it refuses a reference that it has seen, so nothing is paid twice.
"""

import datetime as dt
from collections.abc import Mapping
from typing import Any

import structlog
from django.db import transaction
from django.utils.translation import gettext as _

from audit.services import record
from payments import paystack
from payments.accounts import member_account
from payments.charges import text, whole
from payments.models import Payment, WebhookEvent, Withdrawal
from payments.services.reviewing import resolve_by_itself
from payments.services.settling import paystack_account
from payments.services.waits import wait_after
from payments.services.withdrawing import leaving_account, move, review, review_key, tell_member

log = structlog.get_logger(__name__)

State = Withdrawal.State
LEASE = dt.timedelta(minutes=2)
"""Longer than one talk with Paystack takes."""
_GONE_WRONG = frozenset({"failed", "reversed", "abandoned", "blocked", "rejected"})


def send_due_withdrawals(*, now: dt.datetime, limit: int = 50) -> int:
    """Send what is due, and ask about what Paystack has not finished; returns how many."""
    asked = 0
    for withdrawal in Withdrawal.objects.due(now)[:limit]:
        mine = Withdrawal.objects.filter(
            pk=withdrawal.pk, try_after=withdrawal.try_after, state__in=Withdrawal.LEAVING
        )
        if mine.update(try_after=now + LEASE):
            _send(withdrawal, now)
            asked += 1
    return asked


def note_event(
    event: WebhookEvent, name: str, data: Mapping[str, Any], now: dt.datetime
) -> tuple[Payment | None, str] | None:
    """What an event `transfer.*` says about a withdrawal of ours; None where it is somebody else's."""
    withdrawal = Withdrawal.objects.filter(reference=event.reference).first() if event.reference else None
    if withdrawal is None:
        return None
    status = name.removeprefix("transfer.")
    amount, currency = whole(data.get("amount")), text(data.get("currency"), 10).upper()
    if (amount, currency) != (withdrawal.amount, withdrawal.unit):
        review(
            withdrawal,
            _("Paystack tells of a transfer with our reference and another amount."),
            now,
            about="amount",
        )
        return None, "another amount"
    apply_status(withdrawal=withdrawal, status=status, code=text(data.get("transfer_code"), 80), now=now)
    return None, status


def apply_status(*, withdrawal: Withdrawal, status: str, code: str = "", now: dt.datetime) -> Withdrawal:
    """Write down what Paystack says of a transfer, whoever learned it, however often."""
    with transaction.atomic():
        withdrawal = Withdrawal.objects.select_for_update().get(pk=withdrawal.pk)
        is_leaving = withdrawal.state in Withdrawal.LEAVING
        by_paystack = withdrawal.state == State.PAID and not withdrawal.evidence
        if status == "success" and is_leaving:
            _finish(withdrawal, State.PAID, status, code, now)
        elif (status in _GONE_WRONG and is_leaving) or (status == "reversed" and by_paystack):
            _finish(withdrawal, State.FAILED, status, code, now)
        elif is_leaving:
            _goes_on(withdrawal, status, code, now)
        elif status == "success" and not by_paystack:
            review(
                withdrawal,
                _("Paystack says that it paid this, which is finished here: %(state)s.")
                % {"state": withdrawal.get_state_display().lower()},
                now,
                about="paid-elsewhere",
            )
    return withdrawal


def _finish(withdrawal: Withdrawal, state: State, status: str, code: str, now: dt.datetime) -> None:
    was_paid = withdrawal.state == State.PAID
    withdrawal.state, withdrawal.outcome, withdrawal.was_sent = state, status, True
    withdrawal.transfer_code = code or withdrawal.transfer_code
    withdrawal.finished_at, withdrawal.try_after = now, None
    withdrawal.save()
    resolve_by_itself(review_key(withdrawal), note=status, now=now)
    record(
        actor=None,
        action=f"withdrawal.{state}",
        target=withdrawal,
        data={"amount": withdrawal.amount, "unit": withdrawal.unit, "status": status},
        now=now,
    )
    outside, wallet = paystack_account(withdrawal.unit), member_account(withdrawal.member_id, withdrawal.unit)
    if state == State.PAID:
        tell_member(withdrawal, "paid", now=now)
        key, kind, source, target = "paid", "withdrawal.paid", leaving_account(withdrawal), outside
    else:
        tell_member(withdrawal, "failed", now=now)
        key, kind, target = "given_back", "withdrawal.released", wallet
        source = outside if was_paid else leaving_account(withdrawal)
    move(
        withdrawal,
        key=f"withdrawal:{withdrawal.public_id}:{key}",
        kind=kind,
        source=source,
        target=target,
        by=None,
        now=now,
    )


def _goes_on(withdrawal: Withdrawal, status: str, code: str, now: dt.datetime) -> None:
    is_held = status == "otp"
    is_new = withdrawal.state != State.ATTENTION
    withdrawal.state = State.ATTENTION if is_held else State.SENT
    withdrawal.outcome, withdrawal.was_sent = status[:300], True
    withdrawal.transfer_code = code or withdrawal.transfer_code
    withdrawal.attempts = min(withdrawal.attempts + 1, 30_000)
    withdrawal.try_after = now + wait_after(withdrawal.attempts)
    withdrawal.save()
    if is_held and is_new:
        review(
            withdrawal, _("Paystack wants a code for this transfer: finish it in Paystack's dashboard."), now
        )


def _send(withdrawal: Withdrawal, now: dt.datetime) -> None:
    try:
        found = _look(withdrawal) if withdrawal.was_sent else None
        if found is None:
            if withdrawal.state != State.APPROVED:
                _hand_over(withdrawal, _("Paystack does not know this transfer any more."), now)
                return
            found = _transfer(withdrawal)
            if found is None:
                return
    except paystack.PaystackRefusedError as error:
        if error.code == "duplicate_reference" or "reference already exists" in str(error).lower():
            _try_later(withdrawal, str(error), now)  # it got through before: it is asked about next
        else:
            _hand_over(withdrawal, _("Paystack refuses a withdrawal: %(error)s") % {"error": error}, now)
        return
    except paystack.PaystackError as error:
        log.warning("withdrawal_outcome_unknown", withdrawal=str(withdrawal.public_id), error=str(error))
        _try_later(withdrawal, str(error), now)
        return
    apply_status(withdrawal=withdrawal, status=found.status, code=found.code, now=now)


def _look(withdrawal: Withdrawal) -> paystack.TransferState | None:
    try:
        return paystack.verify_transfer(reference=withdrawal.reference)
    except paystack.NotFoundError:
        return None


def _transfer(withdrawal: Withdrawal) -> paystack.TransferState | None:
    """Send it; None where somebody decided otherwise meanwhile."""
    recipient = withdrawal.recipient or paystack.create_recipient(
        type=withdrawal.recipient_type,
        name=withdrawal.account_name,
        account_number=withdrawal.account_number,
        bank_code=withdrawal.bank_code,
        currency=withdrawal.unit,
    )
    # Before it is sent: it may get through. From here on nobody can reject it.
    mine = Withdrawal.objects.filter(pk=withdrawal.pk, state=State.APPROVED)
    if not mine.update(was_sent=True, recipient=recipient):
        return None
    return paystack.transfer(
        reference=withdrawal.reference,
        amount=withdrawal.amount,
        currency=withdrawal.unit,
        recipient=recipient,
        reason=_("Withdrawal"),
    )


def _try_later(withdrawal: Withdrawal, why: str, now: dt.datetime) -> None:
    attempts = withdrawal.attempts + 1
    Withdrawal.objects.filter(pk=withdrawal.pk, state__in=Withdrawal.LEAVING).update(
        attempts=attempts, outcome=why[:300], try_after=now + wait_after(attempts)
    )


def _hand_over(withdrawal: Withdrawal, why: str, now: dt.datetime) -> None:
    """Nothing was sent, and only people get on: they send it again, pay it by hand or reject it."""
    with transaction.atomic():
        changed = Withdrawal.objects.filter(pk=withdrawal.pk, state__in=Withdrawal.LEAVING).update(
            state=State.ATTENTION, outcome=why[:300], try_after=None, was_sent=False
        )
        if changed:
            review(withdrawal, why, now)
