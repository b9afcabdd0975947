"""What can be done at the stand-in: begin, pay, give back, pay out, and what moves on by itself.

Refusals are in Paystack's own words, as its documents have them.
"""

import re
from collections.abc import Callable, Mapping
from datetime import datetime, timedelta
from typing import Any
from urllib.parse import parse_qsl, urlencode, urlsplit

from django.core.exceptions import ValidationError
from django.core.validators import validate_email
from django.db import IntegrityError, transaction
from django.db.models import Sum

from payments.standin import shapes
from payments.standin.banks import bank_name
from payments.standin.models import (
    OUTCOMES,
    Behaviour,
    Effect,
    Operation,
    Recipient,
    Refund,
    Transaction,
    Transfer,
)
from payments.standin.webhooks import enqueue

CURRENCIES = frozenset({"NGN", "GHS", "ZAR", "KES", "USD", "XOF", "EGP", "RWF"})
RECIPIENT_TYPES = frozenset({"nuban", "ghipss", "mobile_money", "kepss", "basa"})
STEP = timedelta(seconds=2)
"""How long a refund or a transfer stays as it is."""
_REFERENCE = re.compile(r"[A-Za-z0-9\-.=]{1,100}")
_TRANSFER_REFERENCE = re.compile(r"[a-z0-9_-]{16,50}")


class RefusedError(Exception):
    """It was not done. `answer` is what Paystack says of it, with HTTP `status`."""

    def __init__(self, message: str, code: str = "invalid_params", *, status: int = 400) -> None:
        super().__init__(message)
        self.status = status
        self.answer = shapes.error(message, code)


def begin(*, asked: Mapping[str, Any], now: datetime) -> Transaction:
    """Begin a payment. Raises `RefusedError`."""
    reference = str(asked.get("reference") or f"t{now.timestamp():.0f}{now.microsecond}")
    if not _REFERENCE.fullmatch(reference):
        raise RefusedError("Invalid character in transaction reference. Only -,., =and alphanumeric allowed")
    email = str(asked.get("email") or "")
    try:
        validate_email(email)
    except ValidationError:
        raise RefusedError("Invalid Email Address Passed") from None
    currency = str(asked.get("currency") or "NGN").upper()
    if currency not in CURRENCIES:
        raise RefusedError("Currency not supported by merchant", "unsupported_currency", status=403)
    callback_url = str(asked.get("callback_url") or "")
    if callback_url and urlsplit(callback_url).scheme not in ("http", "https"):
        raise RefusedError("Invalid callback URL")
    amount = _amount(asked)
    try:
        with transaction.atomic():
            return Transaction.objects.create(
                reference=reference,
                email=email,
                requested_amount=amount,
                amount=amount,
                currency=currency,
                callback_url=callback_url,
                metadata=asked.get("metadata"),
                channel="mobile_money" if currency == "KES" else "card",
                created_at=now,
            )
    except IntegrityError:
        raise RefusedError("Duplicate Transaction Reference", "duplicate_reference") from None


def pay(*, access_code: str, now: datetime) -> Transaction:
    """Somebody pays. A payment that succeeded stays as it is, and is told of once."""
    with transaction.atomic():
        row = Transaction.objects.select_for_update().get(access_code=access_code)
        if row.status in (Transaction.Status.SUCCESS, Transaction.Status.REVERSED):
            return row
        row.status = Transaction.Status.SUCCESS
        row.gateway_response = "Approved"
        row.paid_at, row.pay_at = now, None
        _misbehave(row)
        row.save()
        enqueue(shapes.charge_event(row), now=now)
        return row


def decline(*, access_code: str, now: datetime) -> Transaction:
    """The bank says no. There is no event of that; who wants to know asks."""
    return _unless_paid(access_code, status=Transaction.Status.FAILED, gateway_response="Declined")


def pay_late(*, access_code: str, after: timedelta, now: datetime) -> Transaction:
    """It pays itself, after so long."""
    return _unless_paid(access_code, pay_at=now + after)


def give_back(*, asked: Mapping[str, Any], now: datetime) -> Refund:
    """Begin a refund. Raises `RefusedError`."""
    behaviour = Behaviour.take(Operation.REFUND, OUTCOMES)
    with transaction.atomic():
        row = find_transaction(str(asked.get("transaction") or ""), lock=True)
        if row.status == Transaction.Status.REVERSED:
            raise RefusedError("Transaction has been fully reversed", "transaction_reversed")
        if row.status != Transaction.Status.SUCCESS:
            raise RefusedError("Transaction has not been completed", "transaction_not_successful")
        refunds = row.refunds.exclude(status=Refund.Status.FAILED)
        left = row.amount - (refunds.aggregate(sum=Sum("amount"))["sum"] or 0)
        amount = _amount(asked) if asked.get("amount") not in (None, "") else left
        if currency := asked.get("currency"):
            _same_currency(str(currency), row.currency)
        if amount > left or left == 0:
            raise RefusedError("Refund amount cannot be more than transaction amount")
        refund = Refund.objects.create(
            transaction=row,
            amount=amount,
            ends_as=_END_OF_REFUND.get(behaviour.effect if behaviour else "", Refund.Status.PROCESSED),
            merchant_note=str(asked.get("merchant_note") or f"Refund for transaction {row.reference}"),
            customer_note=str(asked.get("customer_note") or f"Refund for transaction {row.reference}"),
            created_at=now,
            updated_at=now,
            step_at=now + STEP,
        )
        enqueue(shapes.refund_event(refund), now=now)
        return refund


def make_recipient(*, asked: Mapping[str, Any], now: datetime) -> Recipient:
    """Make somebody known who may be paid out to, once. Raises `RefusedError`."""
    given = {name: str(asked.get(name) or "") for name in ("type", "name", "account_number", "bank_code")}
    currency = str(asked.get("currency") or "NGN").upper()
    if given["type"] not in RECIPIENT_TYPES:
        raise RefusedError("Invalid recipient type")
    if not given["name"]:
        raise RefusedError("Name is required")
    if not given["account_number"]:
        raise RefusedError("Account number is required")
    if not bank_name(given["bank_code"], currency):
        raise RefusedError("Bank code is invalid", "invalid_bank_code")
    row, _is_new = Recipient.objects.get_or_create(
        type=given["type"],
        account_number=given["account_number"],
        bank_code=given["bank_code"],
        currency=currency,
        defaults={"name": given["name"], "created_at": now},
    )
    return row


def pay_out(*, asked: Mapping[str, Any], now: datetime) -> Transfer:
    """Begin a payment out. Raises `RefusedError`."""
    reference = str(asked.get("reference") or f"auto-{now.timestamp():.0f}-{now.microsecond:06d}")
    if not re.fullmatch(r"[a-z0-9_-]*", reference):
        raise RefusedError("Your reference contains illegal special characters")
    if not _TRANSFER_REFERENCE.fullmatch(reference):
        raise RefusedError("Transfer reference must be between 16 and 50 characters")
    recipient = Recipient.objects.filter(code=str(asked.get("recipient") or "")).first()
    if recipient is None:
        raise RefusedError("Recipient specified is invalid", "invalid_recipient", status=404)
    if currency := asked.get("currency"):
        _same_currency(str(currency), recipient.currency)
    amount = _amount(asked)
    behaviour = Behaviour.take(Operation.TRANSFER, OUTCOMES)
    effect = behaviour.effect if behaviour else ""
    is_held = effect == Effect.OTP
    try:
        with transaction.atomic():
            return Transfer.objects.create(
                reference=reference,
                recipient=recipient,
                amount=amount,
                currency=recipient.currency,
                reason=str(asked.get("reason") or ""),
                status=Transfer.Status.OTP if is_held else Transfer.Status.PENDING,
                ends_as=_END_OF_TRANSFER.get(effect, Transfer.Status.SUCCESS),
                created_at=now,
                updated_at=now,
                step_at=None if is_held else now + STEP,
            )
    except IntegrityError:
        raise RefusedError(
            "Please provide a unique reference. Reference already exists on a transfer", "duplicate_reference"
        ) from None


def dispute(*, reference: str, what: str, resolution: str, now: datetime) -> None:
    """Somebody wants money back from their bank; `what` is create, remind or resolve. Raises `RefusedError`."""
    with transaction.atomic():
        row = find_transaction(reference, lock=True)
        if not row.paid_at:
            raise RefusedError("Transaction has not been completed", "transaction_not_successful")
        row.disputed_at = row.disputed_at or now
        row.save(update_fields=["disputed_at"])
        enqueue(shapes.dispute_event(row, what, now=now, resolution=resolution), now=now)


def move_on(*, now: datetime) -> int:
    """Everything that moves by itself and whose time has come; how many did."""
    late = Transaction.objects.filter(pay_at__lte=now).values_list("access_code", flat=True)
    moved = len([pay(access_code=access_code, now=now) for access_code in late])
    while _step(Refund.objects.select_related("transaction"), _move_refund, now):
        moved += 1
    while _step(Transfer.objects.select_related("recipient"), _move_transfer, now):
        moved += 1
    return moved


def find_transaction(named: str, *, lock: bool = False) -> Transaction:
    """By reference, or by Paystack's number. Raises `RefusedError`."""
    rows = Transaction.objects.select_for_update() if lock else Transaction.objects.all()
    row = rows.filter(reference=named).first()
    if row is None and named.isascii() and named.isdigit() and len(named) < 18:
        row = rows.filter(pk=shapes.key_of_transaction(int(named))).first()
    if row is None:
        raise RefusedError("Transaction reference not found", "transaction_not_found")
    return row


def way_back(row: Transaction) -> str:
    """Where who pays is sent afterwards, as Paystack sends them; "" when nobody has said."""
    if not row.callback_url:
        return ""
    parts = urlsplit(row.callback_url)
    query = [
        *parse_qsl(parts.query, keep_blank_values=True),
        ("trxref", row.reference),
        ("reference", row.reference),
    ]
    return parts._replace(query=urlencode(query)).geturl()


_END_OF_REFUND = {
    Effect.FAIL.value: Refund.Status.FAILED,
    Effect.ATTENTION.value: Refund.Status.NEEDS_ATTENTION,
}
_END_OF_TRANSFER = {
    Effect.FAIL.value: Transfer.Status.FAILED,
    Effect.REVERSE.value: Transfer.Status.REVERSED,
}


def _misbehave(row: Transaction) -> None:
    behaviour = Behaviour.take(Operation.PAY)
    if behaviour is None:
        return
    match behaviour.effect:
        case Effect.UNDERPAY:
            row.amount = max(row.requested_amount - (behaviour.value or 100), 1)
        case Effect.OVERPAY:
            row.amount = row.requested_amount + (behaviour.value or 100)
        case Effect.LIVE:
            row.domain = "live"


def _unless_paid(access_code: str, **values: Any) -> Transaction:
    unpaid = (Transaction.Status.ABANDONED, Transaction.Status.FAILED)
    Transaction.objects.filter(access_code=access_code, status__in=unpaid).update(**values)
    return Transaction.objects.get(access_code=access_code)


def _step(rows: Any, move: Callable[[Any, datetime], None], now: datetime) -> bool:
    """Move one row on; whether there was one. Whoever is moved by somebody else just now is passed over."""
    with transaction.atomic():
        row = rows.select_for_update(skip_locked=True, of=("self",)).filter(step_at__lte=now).first()
        if row is None:
            return False
        move(row, now)
        return True


def _move_refund(row: Refund, now: datetime) -> None:
    ends = row.status == Refund.Status.PROCESSING
    row.status = row.ends_as if ends else Refund.Status.PROCESSING
    row.step_at = None if ends else now + STEP
    row.updated_at = now
    row.save()
    if row.status == Refund.Status.PROCESSED:
        of = row.transaction
        back = of.refunds.filter(status=Refund.Status.PROCESSED).aggregate(sum=Sum("amount"))["sum"] or 0
        if back >= of.amount:
            Transaction.objects.filter(pk=of.pk).update(status=Transaction.Status.REVERSED)
    enqueue(shapes.refund_event(row), now=now)


def _move_transfer(row: Transfer, now: datetime) -> None:
    row.status, row.step_at, row.updated_at = row.ends_as, None, now
    row.save()
    enqueue(shapes.transfer_event(row, bank_name(row.recipient.bank_code, row.currency)), now=now)


def _amount(asked: Mapping[str, Any]) -> int:
    """Paystack takes numbers and texts."""
    text = str(asked.get("amount"))
    if not (text.isascii() and text.isdigit() and 0 < int(text) <= 10**15):
        raise RefusedError("Invalid Amount Sent", "invalid_amount")
    return int(text)


def _same_currency(asked: str, held: str) -> None:
    if asked.upper() != held:
        raise RefusedError("Currency does not match", "currency_mismatch")
