"""Buying in tests: a package, a payment at Paystack, and events as Paystack signs them."""

import datetime as dt
import hashlib
import hmac
import json
import secrets
import uuid
from typing import Any

from django.conf import settings
from django.db.models import Sum
from django.test import Client
from django.utils import timezone

from accounts.models import User
from payments.accounts import wallet_balances
from payments.charges import Charge
from payments.checking import check_ledger
from payments.models import Account, Dispute, Package, Payment, Posting, Refund, WebhookEvent, Withdrawal
from payments.packages import KIND
from payments.services import webhook
from payments.services.checkout import begin_checkout
from payments.services.refunding import request_refund
from payments.services.settling import Settlement, Source, settle_payment
from payments.services.withdrawing import Destination, ask_withdrawal
from tests.factories import alice, treasurer
from tests.payments.books import give

KEY = "sk_test_" + "a" * 40
OLD_KEY = "sk_test_" + "b" * 40
WEBHOOK = "/webhooks/paystack/"


def make_package(**fields: Any) -> Package:
    """Fifty credits for KES 400.00, as in the first design."""
    return Package.objects.create(
        **{"title": "Fifty credits", "credits": 50, "price": 40_000, "currency": "KES"} | fields
    )


def make_payment(
    *, buyer: User | None = None, package: Package | None = None, now: dt.datetime | None = None
) -> Payment:
    """A checkout that has begun."""
    package = package or Package.objects.first() or make_package()
    return begin_checkout(
        kind=KIND,
        item=str(package.public_id),
        buyer=buyer or alice(),
        checkout_key=uuid.uuid4(),
        now=now or timezone.now(),
    )


def charge(payment: Payment, **fields: Any) -> Charge:
    """What Paystack says when all of it was paid."""
    return Charge(
        **{
            "reference": payment.reference,
            "status": "success",
            "amount": payment.price,
            "currency": payment.currency,
            "domain": payment.domain,
            "paystack_id": secrets.randbelow(2**40) + 1,
        }
        | fields
    )


def settle(payment: Payment, **fields: Any) -> Settlement:
    """Settle as a webhook would."""
    return settle_payment(
        payment=payment, charge=charge(payment, **fields), source=Source.WEBHOOK, now=timezone.now()
    )


def paid(**fields: Any) -> Payment:
    """A payment whose credits are in the wallet."""
    return settle(make_payment(**fields)).payment


def success_event(payment: Payment, **fields: Any) -> dict[str, Any]:
    """`charge.success` of this payment."""
    data = {
        "id": secrets.randbelow(2**40) + 1,
        "domain": payment.domain,
        "status": "success",
        "reference": payment.reference,
        "amount": payment.price,
        "currency": payment.currency,
        "channel": "card",
        "gateway_response": "Successful",
        "metadata": {"payment_id": str(payment.public_id), "credits": 999_999},
    }
    return {"event": "charge.success", "data": data | fields}


def dispute_event(payment: Payment, name: str = "create", **data: Any) -> dict[str, Any]:
    """`charge.dispute.*` about this payment."""
    usual = {
        "id": 777,
        "transaction": {"reference": payment.reference},
        "status": "awaiting-merchant-feedback",
    }
    usual |= {"refund_amount": payment.price, "due_at": "2026-12-24T10:00:00.000Z", "resolution": None}
    return {"event": f"charge.dispute.{name}", "data": usual | data}


def refund_of(payment: Payment) -> Refund:
    """Ten credits of it on their way back; Paystack has not been asked yet."""
    request_refund(
        payment=payment,
        credits=10,
        by=treasurer(),
        reason="Not needed",
        idem_key=f"refund:{payment.public_id}:ten",
        now=timezone.now(),
    )
    return Refund.objects.get(payment=payment)


MPESA = Destination(
    recipient_type="mobile_money",
    bank_code="MPESA",
    bank_name="M-PESA",
    account_number="0711000001",
    account_name="Alice Wanjiru",
)


def withdrawal_of(
    member: User, amount: int = 50_000, *, key: str = "", holds: int | None = None
) -> Withdrawal:
    """KES 500.00 asked for, out of a wallet that got as much; or that got `holds`."""
    if holds != 0:
        give(member, holds or amount)
    return ask_withdrawal(
        member=member,
        unit="KES",
        amount=amount,
        to=MPESA,
        idem_key=key or f"withdrawal:{uuid.uuid4()}",
        now=timezone.now(),
    )


def transfer_event(withdrawal: Withdrawal, name: str = "success", **data: Any) -> dict[str, Any]:
    """`transfer.*` about this withdrawal."""
    usual = {"reference": withdrawal.reference, "amount": withdrawal.amount, "currency": withdrawal.unit}
    return {"event": f"transfer.{name}", "data": {"status": name, "transfer_code": "TRF_1", **usual, **data}}


def dispute(payment: Payment) -> Dispute:
    """The payer's bank wants it back."""
    webhook.receive(body=json.dumps(dispute_event(payment)).encode(), now=timezone.now())
    return Dispute.objects.get(payment=payment)


def kept_event() -> WebhookEvent:
    """The newest that was kept."""
    return WebhookEvent.objects.latest("pk")


def signature(body: bytes, key: str = "") -> str:
    """As Paystack makes it: HMAC-SHA512 of the raw body."""
    return hmac.new((key or settings.PAYSTACK_SECRET_KEY).encode(), body, hashlib.sha512).hexdigest()


def send(client: Client, content: Any, *, key: str = "", address: str = WEBHOOK, **headers: str) -> Any:
    """Send an event, signed unless a signature is given."""
    body = content if isinstance(content, bytes) else json.dumps(content).encode()
    headers.setdefault("x-paystack-signature", signature(body, key))
    return client.post(address, body, content_type="application/json", headers=headers)


def credits_of(user: User) -> int:
    """What is in the person's wallet of credits."""
    return dict(wallet_balances(user)).get("CREDIT", 0)


def balance(code: str) -> int:
    """What an account holds, by its postings."""
    return Posting.objects.filter(account__code=code).aggregate(total=Sum("amount"))["total"] or 0


def assert_books_balance() -> None:
    """Every unit sums to zero, and every balance is what its postings say."""
    assert list(check_ledger()) == []
    for unit in Account.objects.values_list("unit", flat=True).distinct():
        assert Posting.objects.filter(unit=unit).aggregate(total=Sum("amount"))["total"] in (0, None)
