"""What Paystack says, in types of our own: pure functions over its JSON, for answers and for the events of webhooks.

Paystack's documents show every shape that is survived here: `metadata` as object, text, `""`, `0` or missing; amounts as
numbers or texts; `paid_at` beside `paidAt`; refunds with their transaction as an object, a number or a reference.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, Generic, TypeVar

Item = TypeVar("Item")
_REQUIRED = object()


class UnreadableError(ValueError):
    """Something that has to be there is missing or of another form. The message names it."""


@dataclass(frozen=True)
class Checkout:
    """A payment that was begun: where to send who pays."""

    authorization_url: str
    access_code: str
    reference: str


@dataclass(frozen=True)
class Transaction:
    """A payment as Paystack sees it. Credit on `status == "success"` alone.

    `amount` is what was paid; where the payer bears the fees it is more than the `requested_amount`.
    """

    id: str
    reference: str
    status: str
    amount: int
    requested_amount: int | None
    currency: str
    domain: str
    paid_at: datetime | None
    gateway_response: str
    channel: str
    fees: int | None
    metadata: dict[str, Any]
    customer_email: str
    raw: dict[str, Any] = field(repr=False)


@dataclass(frozen=True)
class RefundState:
    """A refund: `pending`, `processing`, `processed`, `failed` or `needs-attention`.

    `id` is "" in events, which have none; `transaction_reference` is "" where Paystack names the transaction by its
    number alone. `known_of` is everything by which it names the transaction.
    """

    id: str
    transaction_reference: str
    amount: int
    currency: str
    status: str
    raw: dict[str, Any] = field(repr=False)
    merchant_note: str = ""
    known_of: frozenset[str] = frozenset()


@dataclass(frozen=True)
class TransferState:
    """A payment out: `pending`, `otp`, `success`, `failed`, `reversed`, … `code` is Paystack's, `TRF_…`."""

    reference: str
    code: str
    status: str
    amount: int
    currency: str
    raw: dict[str, Any] = field(repr=False)


@dataclass(frozen=True)
class Bank:
    """A bank or mobile money; `type` is what a recipient there has to be: `kepss`, `mobile_money`, `nuban`, …"""

    name: str
    code: str
    type: str


@dataclass(frozen=True)
class Page(Generic[Item]):
    """One page of a list."""

    items: list[Item]
    page: int
    pages: int


def read_transaction(data: Mapping[str, Any]) -> Transaction:
    """A transaction out of an answer, or out of a `charge.*` event. Raises `UnreadableError`."""
    customer = data.get("customer")
    return Transaction(
        id=text_in(data, "id"),
        reference=text_in(data, "reference"),
        status=text_in(data, "status"),
        amount=whole_in(data, "amount") or 0,
        requested_amount=whole_in(data, "requested_amount", missing=None),
        currency=text_in(data, "currency").upper(),
        domain=text_in(data, "domain"),
        paid_at=_moment_in(data, "paid_at") or _moment_in(data, "paidAt"),
        gateway_response=text_in(data, "gateway_response", missing=""),
        channel=text_in(data, "channel", missing=""),
        fees=_fees_in(data),
        metadata=read_metadata(data.get("metadata")),
        customer_email=text_in(customer, "email", missing="") if isinstance(customer, dict) else "",
        raw=dict(data),
    )


def read_refund(data: Mapping[str, Any]) -> RefundState:
    """A refund out of an answer, or out of a `refund.*` event. Raises `UnreadableError`."""
    transaction = data.get("transaction")
    whole: Mapping[str, Any] = transaction if isinstance(transaction, dict) else {"id": transaction}
    reference = text_in(whole, "reference", missing="") or text_in(data, "transaction_reference", missing="")
    return RefundState(
        id=text_in(data, "id", missing=""),
        transaction_reference=reference,
        amount=whole_in(data, "amount") or 0,
        currency=text_in(data, "currency").upper(),
        status=text_in(data, "status"),
        raw=dict(data),
        merchant_note=text_in(data, "merchant_note", missing=""),
        known_of=frozenset(filter(None, (reference, text_in(whole, "id", missing="")))),
    )


def read_transfer(data: Mapping[str, Any]) -> TransferState:
    """A transfer out of an answer, or out of a `transfer.*` event. Raises `UnreadableError`."""
    return TransferState(
        reference=text_in(data, "reference"),
        code=text_in(data, "transfer_code", missing=""),
        status=text_in(data, "status"),
        amount=whole_in(data, "amount") or 0,
        currency=text_in(data, "currency").upper(),
        raw=dict(data),
    )


def read_bank(data: Mapping[str, Any]) -> Bank:
    """A bank out of a list. Raises `UnreadableError`."""
    return Bank(text_in(data, "name"), text_in(data, "code"), text_in(data, "type", missing=""))


def read_metadata(value: Any) -> dict[str, Any]:
    """Metadata as an object, whatever Paystack made of it: an object, its JSON as text, or nothing in many forms."""
    if isinstance(value, str):
        try:
            value = json.loads(value)
        except (ValueError, RecursionError):
            return {}
    return dict(value) if isinstance(value, dict) else {}


def text_in(data: Mapping[str, Any], name: str, missing: Any = _REQUIRED) -> str:
    """The text or number under `name` as text, `missing` where there is none, or `UnreadableError` where it has to be."""
    value = data.get(name)
    if isinstance(value, int) and not isinstance(value, bool):
        value = str(value)
    if isinstance(value, str) and value:
        return value
    if missing is _REQUIRED:
        raise UnreadableError(f"{name} is missing or no text")
    return str(missing)


def whole_in(data: Mapping[str, Any], name: str, missing: Any = _REQUIRED) -> int | None:
    """The whole number under `name`, which may be written as text. Raises `UnreadableError`."""
    value = data.get(name)
    if value is None or value == "":
        if missing is _REQUIRED:
            raise UnreadableError(f"{name} is missing")
        return None if missing is None else int(missing)
    if isinstance(value, str) and value.isascii() and value.isdigit() and len(value) <= 18:
        return int(value)
    if isinstance(value, int) and not isinstance(value, bool) and 0 <= value < 10**18:
        return value
    if isinstance(value, float) and value.is_integer() and 0 <= value < 2**53:
        return int(value)
    raise UnreadableError(f"{name} is no whole number")


def _fees_in(data: Mapping[str, Any]) -> int | None:
    try:
        return whole_in(data, "fees", missing=None)
    except UnreadableError:
        return None  # for the books of the curious: never what a payment fails by


def _moment_in(data: Mapping[str, Any], name: str) -> datetime | None:
    value = data.get(name)
    if not value:
        return None
    try:
        at = datetime.fromisoformat(value)
    except (TypeError, ValueError):
        return None  # never what a payment fails by
    return at if at.tzinfo else at.replace(tzinfo=UTC)
