"""Events in every shape that Paystack documents, with values of our own, and all the traps that its examples hold.

Nearly half have neither `id` nor `reference`; `metadata` is `0`, `""`, a text of JSON, missing or an object; a refund's
amount is text or a number; a charge without our metadata; names that nothing here knows.
"""

import json
import os
from pathlib import Path
from typing import Any

from payments.models import Payment

_CUSTOMER = {"id": 7, "customer_code": "CUS_test", "email": "payer@example.com", "metadata": None}
_PLAN = {"id": 3, "name": "Monthly", "plan_code": "PLN_test", "amount": 50_000, "interval": "monthly"}


def _plain(event: str, **data: Any) -> dict[str, Any]:
    return {"event": event, "data": data}


def _charge(reference: str, **data: Any) -> dict[str, Any]:
    usual = {
        "id": 9_000_001,
        "domain": "test",
        "status": "success",
        "reference": reference,
        "amount": 10_000,
        "currency": "NGN",
        "message": None,
        "customer": _CUSTOMER,
    }
    return {"event": "charge.success", "data": usual | data}


def strangers() -> list[dict[str, Any]]:
    """Events about things that are not ours."""
    assigned = {"customer": _CUSTOMER, "identification": {"status": "failed"}}
    subscription = {"status": "active", "subscription_code": "SUB_test", "amount": 50_000, "plan": _PLAN}
    invoice = {
        "invoice_code": "INV_test",
        "amount": 50_000,
        "paid": True,
        "transaction": {"reference": "inv1"},
    }
    request = {
        "id": 51,
        "amount": 10_000_000,
        "status": "pending",
        "metadata": None,
        "offline_reference": "x",
    }
    hold = {"id": 61, "reference": "pre_1", "amount": 1_000, "status": "authorized"}
    return [
        _plain("customeridentification.failed", customer_id=1, reason="unreadable"),
        _plain("customeridentification.success", customer_id="1", customer_code="CUS_test"),
        _plain("dedicatedaccount.assign.failed", **assigned, dedicated_account=None),
        _plain("dedicatedaccount.assign.success", **assigned, dedicated_account={"id": 5}),
        _plain("direct_debit.authorization.active", reference="dd1", authorization_code="AUTH_x"),
        _plain("direct_debit.authorization.created", authorization_code="AUTH_x"),
        _plain("bank.transfer.rejected", transaction_reference="bt1", amount=100),
        _charge("dd-charge", metadata="", id=1_504_000_001),
        _charge("eft-charge", metadata="", amount=100, currency="ZAR"),
        _charge("mobile-charge", metadata="", channel="mobile_money", currency="GHS"),
        _charge("transfer-charge", metadata="", requested_amount=25_000, amount=25_000),
        _charge("qr-charge", metadata=0),
        _charge("ussd-charge", metadata=None, id=None),
        _charge("subscription-charge", metadata={"invoice_action": "update"}),
        _charge("json-charge", metadata='{"cart": 5}'),
        _charge("odd-charge", metadata=[1], amount="10000", log=None),
        _plain("preauthorization.reserve.success", **hold),
        _plain("preauthorization.capture.success", **hold | {"status": "captured"}),
        _plain("preauthorization.capture.failed", **hold | {"status": "capture_failed"}),
        _plain("preauthorization.release.success", **hold | {"status": "released"}),
        _plain("preauthorization.release.failed", **hold | {"status": "release_failed"}),
        _plain("refund.pending", transaction_reference="other", amount="10000", status="pending"),
        _plain("refund.processing", transaction_reference="other", amount="10000", status="processing"),
        _plain("refund.processed", transaction_reference="other", amount="5000", status="processed"),
        _plain("refund.failed", transaction_reference="other", amount=20_000, status="failed"),
        _plain("charge.dispute.create", id=71, transaction={"reference": "other"}, refund_amount=100),
        _plain("charge.dispute.remind", id=71, transaction={"reference": "other"}, due_at="2026-12-01"),
        _plain("charge.dispute.resolve", id=71, transaction={"reference": "other"}, status="resolved"),
        _plain("invoice.create", **invoice),
        _plain("invoice.update", **invoice),
        _plain("invoice.payment_failed", **invoice | {"paid": False}),
        _plain("paymentrequest.pending", **request),
        _plain("paymentrequest.success", **request | {"status": "success"}),
        _plain("subscription.create", **subscription),
        _plain("subscription.disable", **subscription | {"status": "complete"}),
        _plain("subscription.not_renew", **subscription | {"id": 81}),
        {"event": "subscription.expiring_cards", "data": [{"expiry_date": "12/2026", "brand": "visa"}]},
        _plain("transfer.success", id=91, reference="t-1", amount=1_000, status="success"),
        _plain("transfer.failed", id=92, reference="t-2", amount=1_000, status="failed"),
        _plain("transfer.reversed", id=93, reference="t-3", amount=1_000, status="reversed"),
        {"event": "something.new"},
        {"event": "something.odd", "data": "text"},
        {"event": "something.deep", "data": {"transaction": "no object", "reference": {"a": 1}}},
    ]


def about(payment: Payment, number: int) -> list[dict[str, Any]]:
    """Three events that say the same about a payment of ours, in different ways."""
    paid = {"amount": payment.price, "currency": payment.currency, "domain": payment.domain, "id": number}
    ours = {"payment_id": str(payment.public_id)}
    return [
        _charge(payment.reference, **paid, metadata=ours),
        _charge(payment.reference, **paid, metadata="", channel="card"),
        _charge(payment.reference, **paid | {"amount": str(payment.price)}, metadata=ours, message="again"),
    ]


def documented() -> list[dict[str, Any]]:
    """Paystack's own examples, from the file of JSON objects that `PAYSTACK_EVENTS` names; they are theirs, and not in here."""
    path = os.environ.get("PAYSTACK_EVENTS")
    return list(json.loads(Path(path).read_text()).values()) if path else []
