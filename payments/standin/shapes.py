"""The JSON of Paystack, as its documents show it: answers, errors, events. Pure functions of rows."""

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

from payments.standin.models import Recipient, Refund, Transaction, Transfer

INTEGRATION = 100_043
_FIRST_TRANSACTION = 4_099_260_000
_FIRST_REFUND = 3_018_000
_FIRST_TRANSFER = 69_123_000
_FIRST_RECIPIENT = 13_584_000
_FIRST_DISPUTE = 358_000
_DISPUTE_DUE = timedelta(hours=24)
Json = dict[str, Any]


def moment(at: datetime | None) -> str | None:
    """`2022-08-09T14:21:32.000Z`."""
    return (
        at.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.") + f"{at.microsecond // 1000:03d}Z" if at else None
    )


def ok(message: str, data: Any, **more: Any) -> Json:
    """An answer that something was done."""
    return {"status": True, "message": message, "data": data} | more


def error(message: str, code: str, *, next_step: str = "", kind: str = "validation_error") -> Json:
    """An answer that it was not."""
    step = next_step or "Ensure that the value(s) you're passing are valid."
    return {"status": False, "message": message, "meta": {"nextStep": step}, "type": kind, "code": code}


def page_meta(*, total: int, page: int, per_page: int) -> Json:
    """What stands below a page of a list. Paystack gives `perPage` back as a number here and as text there."""
    return {
        "total": total,
        "skipped": (page - 1) * per_page,
        "perPage": str(per_page),
        "page": page,
        "pageCount": max(-(-total // per_page), 1),
    }


def transaction_number(transaction: Transaction) -> int:
    """Paystack's id of it: large, as its are."""
    return _FIRST_TRANSACTION + transaction.pk


def key_of_transaction(number: int) -> int:
    """The other way round."""
    return number - _FIRST_TRANSACTION


def transaction(row: Transaction) -> Json:
    """As `verify` and `charge.success` tell of it."""
    metadata: Any = "" if row.metadata is None else row.metadata
    return {
        "id": transaction_number(row),
        "domain": row.domain,
        "status": row.status,
        "reference": row.reference,
        "receipt_number": None,
        "amount": row.amount,
        "message": None,
        "gateway_response": row.gateway_response,
        "paid_at": moment(row.paid_at),
        "created_at": moment(row.created_at),
        "channel": row.channel,
        "currency": row.currency,
        "ip_address": None,
        "metadata": metadata,
        "log": None,
        "fees": row.fees if row.paid_at else None,
        "fees_split": None,
        "authorization": _authorization(row) if row.paid_at else {},
        "customer": _customer(row),
        "plan": None,
        "split": {},
        "order_id": None,
        "paidAt": moment(row.paid_at),
        "createdAt": moment(row.created_at),
        "requested_amount": row.requested_amount,
        "pos_transaction_data": None,
        "source": None,
        "fees_breakdown": None,
        "transaction_date": moment(row.created_at),
        "plan_object": {},
        "subaccount": {},
    }


def _authorization(row: Transaction) -> Json:
    return {
        "authorization_code": f"AUTH_{row.access_code[:10]}",
        "bin": "408408",
        "last4": "4081",
        "exp_month": "12",
        "exp_year": "2030",
        "channel": row.channel,
        "card_type": "visa ",
        "bank": "TEST BANK",
        "country_code": "KE" if row.currency == "KES" else "NG",
        "brand": "visa",
        "reusable": True,
        "signature": f"SIG_{row.access_code}",
        "account_name": None,
    }


def _customer(row: Transaction) -> Json:
    return {
        "id": _FIRST_DISPUTE + row.pk,
        "first_name": None,
        "last_name": None,
        "email": row.email,
        "customer_code": f"CUS_{row.access_code[:15]}",
        "phone": None,
        "metadata": None,
        "risk_action": "default",
        "international_format_phone": None,
    }


def refund_created(row: Refund) -> Json:
    """The answer to asking for one: the transaction is an object."""
    of = row.transaction
    return {
        "transaction": {
            "id": transaction_number(of),
            "domain": of.domain,
            "reference": of.reference,
            "amount": of.amount,
            "paid_at": moment(of.paid_at),
            "channel": of.channel,
            "currency": of.currency,
            "authorization": {"exp_month": None, "exp_year": None, "account_name": None},
            "customer": {"international_format_phone": None},
            "plan": {},
            "subaccount": {"currency": None},
            "split": {},
            "order_id": None,
            "paidAt": moment(of.paid_at),
            "pos_transaction_data": None,
            "source": None,
            "fees_breakdown": None,
        },
        "integration": INTEGRATION,
        "deducted_amount": 0,
        "channel": None,
        "merchant_note": row.merchant_note,
        "customer_note": row.customer_note,
        "status": row.status,
        "refunded_by": "standin@fairground.example",
        "expected_at": moment(row.created_at + timedelta(days=7)),
        "currency": of.currency,
        "domain": of.domain,
        "amount": row.amount,
        "fully_deducted": False,
        "id": _FIRST_REFUND + row.pk,
        "createdAt": moment(row.created_at),
        "updatedAt": moment(row.updated_at),
    }


def refund_listed(row: Refund) -> Json:
    """As the list tells of it: the transaction is a number."""
    is_over = row.status == Refund.Status.PROCESSED
    return {
        "integration": INTEGRATION,
        "transaction": transaction_number(row.transaction),
        "dispute": None,
        "settlement": None,
        "id": _FIRST_REFUND + row.pk,
        "domain": row.transaction.domain,
        "currency": row.transaction.currency,
        "amount": row.amount,
        "status": row.status,
        "refunded_at": moment(row.updated_at) if is_over else None,
        "expected_at": moment(row.created_at + timedelta(days=7)),
        "channel": row.transaction.channel,
        "refunded_by": "standin@fairground.example",
        "customer_note": row.customer_note,
        "merchant_note": row.merchant_note,
        "deducted_amount": row.amount if is_over else 0,
        "fully_deducted": is_over,
        "bank_reference": None,
        "reason": row.status.upper(),
        "customer": None,
        "initiated_by": "standin@fairground.example",
        "reversed_at": None,
        "session_id": None,
    }


def refund_event(row: Refund) -> Json:
    """An event has no id, and its amount is text until it is over."""
    is_over = row.status in (Refund.Status.PROCESSED, Refund.Status.FAILED)
    return {
        "event": f"refund.{row.status}",
        "data": {
            "status": row.status,
            "transaction_reference": row.transaction.reference,
            "refund_reference": f"TRF_{row.pk:016d}" if is_over else None,
            "amount": row.amount if row.status == Refund.Status.FAILED else str(row.amount),
            "currency": row.transaction.currency,
            "processor": "instant-transfer",
            "customer": {"first_name": None, "last_name": None, "email": row.transaction.email},
            "integration": INTEGRATION,
            "domain": row.transaction.domain,
        },
    }


def recipient(row: Recipient, bank_name: str) -> Json:
    """Somebody who may be paid out to."""
    return {
        "active": True,
        "createdAt": moment(row.created_at),
        "currency": row.currency,
        "description": None,
        "domain": "test",
        "email": None,
        "id": _FIRST_RECIPIENT + row.pk,
        "integration": INTEGRATION,
        "metadata": None,
        "name": row.name,
        "recipient_code": row.code,
        "type": row.type,
        "updatedAt": moment(row.created_at),
        "is_deleted": False,
        "isDeleted": False,
        "details": {
            "authorization_code": None,
            "account_number": row.account_number,
            "account_name": row.name,
            "bank_code": row.bank_code,
            "bank_name": bank_name,
        },
    }


def transfer_created(row: Transfer) -> Json:
    """The answer to asking for one: the recipient is a number."""
    return {
        "domain": "test",
        "amount": row.amount,
        "currency": row.currency,
        "reference": row.reference,
        "source": "balance",
        "source_details": None,
        "reason": row.reason,
        "status": row.status,
        "failures": None,
        "transfer_code": row.code,
        "titan_code": None,
        "transferred_at": None,
        "id": _FIRST_TRANSFER + row.pk,
        "integration": INTEGRATION,
        "recipient": _FIRST_RECIPIENT + row.recipient_id,
        "createdAt": moment(row.created_at),
        "updatedAt": moment(row.updated_at),
    }


def transfer(row: Transfer, bank_name: str) -> Json:
    """As `verify` tells of it."""
    return transfer_created(row) | {
        "recipient": recipient(row.recipient, bank_name),
        "session": {"provider": None, "id": None},
        "request": _FIRST_TRANSFER + row.pk,
        "fee_charged": 0,
        "fees_breakdown": None,
        "gateway_response": None,
    }


def transfer_event(row: Transfer, bank_name: str) -> Json:
    """An event about a payment out."""
    data = transfer(row, bank_name) | {
        "integration": {"id": INTEGRATION, "is_live": True, "business_name": "Fairground"}
    }
    return {"event": f"transfer.{row.status}", "data": data}


def dispute_event(row: Transaction, what: str, *, now: datetime, resolution: str | None) -> Json:
    """An event about somebody who wants their money back from their bank; `what` is create, remind or resolve."""
    began = row.disputed_at or now
    is_resolved = what == "resolve"
    return {
        "event": f"charge.dispute.{what}",
        "data": {
            "id": _FIRST_DISPUTE + row.pk,
            "refund_amount": row.amount,
            "currency": row.currency,
            "status": "resolved" if is_resolved else "awaiting-merchant-feedback",
            "resolution": resolution if is_resolved else None,
            "domain": row.domain,
            "transaction": transaction(row) | {"metadata": "", "authorization": {}},
            "transaction_reference": None,
            "category": "chargeback",
            "customer": _customer(row),
            "bin": "408408",
            "last4": "4081",
            "dueAt": moment(began + _DISPUTE_DUE),
            "resolvedAt": moment(now) if is_resolved else None,
            "evidence": None,
            "attachments": None,
            "note": None,
            "history": [{"status": "pending", "by": row.email, "createdAt": moment(began)}],
            "messages": [{"sender": row.email, "body": "Debited without value", "createdAt": moment(began)}],
            "created_at": moment(began),
            "updated_at": moment(now),
        },
    }


def charge_event(row: Transaction) -> Json:
    """The event of a payment. There is none of a failure: those are found by asking."""
    return {"event": "charge.success", "data": transaction(row) | {"plan": {}}}


def bank(number: int, of: Mapping[str, str]) -> Json:
    """A bank or mobile money of a list."""
    return {
        "id": number,
        "name": of["name"],
        "slug": of["name"].lower().replace(" ", "-"),
        "code": of["code"],
        "longcode": "",
        "gateway": None,
        "pay_with_bank": False,
        "supports_transfer": True,
        "active": True,
        "country": of["country"],
        "currency": of["currency"],
        "type": of["type"],
        "is_deleted": False,
        "createdAt": "2020-12-07T16:19:09.000Z",
        "updatedAt": "2020-12-07T16:19:09.000Z",
    }
