"""What the demo's people bought: credits paid, refunded in part, disputed, left unpaid, and one that people look at.

Paystack is not asked: the demo says itself what Paystack would have said, to the functions that its webhook calls.
"""

import datetime as dt
import json
import random
import uuid
from typing import Any

from accounts.models import User
from config.demo.people import member_email, person
from payments.charges import charge_of
from payments.models import Package, Payment
from payments.packages import KIND
from payments.services import webhook
from payments.services.checkout import begin_checkout
from payments.services.settling import Source, settle_payment

DAY = dt.timedelta(days=1)
PACKAGES = (
    ("Taster", 10, 10_000),
    ("Fifty credits", 50, 40_000),
    ("Two hundred credits", 200, 140_000),
)
_CHANNELS = ("mobile_money", "mobile_money", "card", "bank_transfer")


def seed_packages() -> None:
    """What is on sale."""
    for position, (title, credits, price) in enumerate(PACKAGES):
        Package.objects.create(title=title, credits=credits, price=price, currency="KES", position=position)


def seed_payments(*, now: dt.datetime) -> None:
    """Two months of purchases, most of which went well."""
    choose = random.Random(20)
    for number in range(24):
        at = now - dt.timedelta(days=60 - 2.3 * number, minutes=choose.randrange(600))
        _pay(_begin(_member(choose.randrange(2, 60)), choose.choice(PACKAGES)[0], at), at, choose)
    alice = person("alice")
    for title, days in (("Taster", 40), ("Fifty credits", 12)):
        _pay(_begin(alice, title, now - days * DAY), now - days * DAY, choose)
    declined = _begin(alice, "Fifty credits", now - 12 * DAY - dt.timedelta(minutes=9))
    settle_payment(  # there is no event for it: the sweep learns of it by asking
        payment=declined,
        charge=charge_of(_charge(declined, status="failed", gateway_response="Insufficient funds")),
        source=Source.SWEEP,
        now=now - 12 * DAY,
    )
    _pay(_begin(_member(7), "Fifty credits", now - 2 * DAY), now - 2 * DAY, choose, amount=4_000)
    disputed = _begin(_member(8), "Two hundred credits", now - 9 * DAY)
    _pay(disputed, now - 9 * DAY, choose)
    _receive(
        {
            "event": "charge.dispute.create",
            "data": {
                "id": 990_001,
                "transaction": {"reference": disputed.reference},
                "status": "awaiting-merchant-feedback",
                "refund_amount": disputed.price,
                "due_at": (now + 3 * DAY).isoformat(),
            },
        },
        now - DAY,
    )


def _begin(buyer: User, title: str, at: dt.datetime) -> Payment:
    package = Package.objects.get(title=title)
    return begin_checkout(
        kind=KIND, item=str(package.public_id), buyer=buyer, checkout_key=uuid.uuid4(), now=at
    )


def _pay(payment: Payment, at: dt.datetime, choose: random.Random, **fields: Any) -> None:
    channel = choose.choice(_CHANNELS)
    at += dt.timedelta(seconds=choose.randrange(20, 200))
    _receive({"event": "charge.success", "data": _charge(payment, channel=channel, **fields)}, at)


def _charge(payment: Payment, **fields: Any) -> dict[str, Any]:
    usual = {
        "id": 880_000 + payment.pk,
        "status": "success",
        "reference": payment.reference,
        "amount": payment.price,
        "currency": payment.currency,
        "domain": payment.domain,
        "metadata": {"payment_id": str(payment.public_id)},
    }
    return usual | fields


def _member(number: int) -> User:
    return User.objects.get(email=member_email(number))


def _receive(content: dict[str, Any], at: dt.datetime) -> None:
    webhook.receive(body=json.dumps(content).encode(), now=at)
