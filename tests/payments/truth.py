"""A Paystack that keeps a truth of its own, and tells it badly: lost, late, again, and otherwise than it is.

Stands in for the functions of `payments.paystack` that the sweeps call. It never refunds more than it holds, and what
it has finished stays finished; everything else is up to whoever drives it.
"""

import dataclasses
import itertools
import json
from collections import deque
from typing import Any

from payments import paystack
from payments.paystack import Checkout, Page, RefundState, Transaction

FINISHED = ("processed", "failed")


@dataclasses.dataclass
class ThereRefund:
    """A refund as Paystack knows it, and every status it ever had."""

    id: int
    reference: str
    amount: int
    note: str
    history: list[str]
    was_answered: bool = False

    @property
    def status(self) -> str:
        return self.history[-1]


@dataclasses.dataclass
class ThereDispute:
    """A dispute as the bank knows it; `taken` once it is lost."""

    id: int
    reference: str
    amount: int
    resolution: str = ""
    taken: int = 0


class Truth:
    """What was really paid, sent back and taken. `moods` are the next calls' misbehaviours, one each."""

    def __init__(self) -> None:
        self.charges: dict[str, dict[str, Any]] = {}
        self.refunds: list[ThereRefund] = []
        self.disputes: list[ThereDispute] = []
        self.moods: deque[str] = deque()
        self.numbers = itertools.count(1_000)

    # --- what happens there

    def pay(self, reference: str, **charge: Any) -> None:
        usual = {"id": next(self.numbers), "reference": reference, "status": "success", "requested": None}
        self.charges[reference] = usual | charge

    def give_up(self, reference: str, status: str) -> None:
        amounts = {"amount": 0, "currency": "KES", "domain": "test"}
        self.charges[reference] = {
            "id": next(self.numbers),
            "reference": reference,
            "status": status,
            "requested": None,
        } | amounts

    def is_paid(self, reference: str) -> bool:
        return self.charges.get(reference, {}).get("status") == "success"

    def gone(self, reference: str) -> int:
        """Money that went back, or was taken."""
        sent = sum(
            one.amount for one in self.refunds if one.reference == reference and one.status == "processed"
        )
        return sent + sum(one.taken for one in self.disputes if one.reference == reference)

    def left(self, reference: str) -> int:
        waiting = sum(
            one.amount for one in self.refunds if one.reference == reference and one.status not in FINISHED
        )
        return int(self.charges[reference]["amount"]) - self.gone(reference) - waiting

    def make_refund(self, reference: str, amount: int, note: str) -> ThereRefund:
        made = ThereRefund(next(self.numbers), reference, amount, note, ["pending"])
        self.refunds.append(made)
        return made

    # --- what the site is told

    def initialize(self, *, reference: str, **_asked: Any) -> Checkout:
        self._misbehave()
        return Checkout(f"https://checkout.paystack.com/{reference}", reference, reference)

    def verify(self, *, reference: str) -> Transaction:
        mood = self._misbehave()
        if reference not in self.charges:
            raise paystack.NotFoundError("Transaction reference not found.", status=400)
        charge = self.charges[reference]
        return _transaction(charge | {"status": mood} if mood in ("pending", "failed") else charge)

    def list_transactions(self, **_asked: Any) -> Page[Transaction]:
        return Page([_transaction(charge) for charge in self.charges.values()], 1, 1)

    def refund(
        self, *, transaction: str, amount: int, currency: str, reason: str, merchant_note: str
    ) -> RefundState:
        mood = self.moods.popleft() if self.moods else ""
        if mood == "unavailable":
            raise paystack.PaystackUnavailableError("no line")
        if amount > self.left(transaction):
            raise paystack.PaystackRefusedError("Refund amount is more than is left", status=400)
        made = self.make_refund(transaction, amount, merchant_note)
        if mood == "lost":
            raise paystack.OutcomeUnknownError("time is up")
        made.was_answered = True
        return _refund(made)

    def list_refunds(self, *, transaction: str) -> list[RefundState]:
        """With the mood `behind` it lacks what was acknowledged long ago, as a lagging copy does."""
        mood = self._misbehave()
        known = [
            one
            for one in self.refunds
            if transaction in (one.reference, str(self.charges[one.reference]["id"]))
        ]
        if mood == "behind":
            known = [one for one in known if not one.was_answered]
        for one in known:
            one.was_answered = True
        return [_refund(one) for one in known]

    def _misbehave(self) -> str:
        mood = self.moods.popleft() if self.moods else ""
        if mood == "unavailable":
            raise paystack.PaystackUnavailableError("no line")
        if mood == "lost":
            raise paystack.OutcomeUnknownError("time is up")
        return mood

    # --- what its events say

    def charge_event(self, reference: str, variant: int, **more: Any) -> bytes:
        """`charge.success`; each variant says the same in other bytes."""
        charge = self.charges[reference]
        amount = str(charge["amount"]) if variant == 1 else charge["amount"]
        data = {
            "id": charge["id"],
            "reference": reference,
            "status": "success",
            "amount": amount,
            "requested_amount": charge["requested"],
            "currency": charge["currency"],
            "domain": charge["domain"],
            "metadata": "" if variant == 2 else {"payment_id": "of ours", "credits": 999_999},
        }
        return json.dumps({"event": "charge.success", "data": data | more}).encode()

    def refund_event(self, one: ThereRefund, status: str, *, has_number: bool, variant: int) -> bytes:
        data: dict[str, Any] = {"status": status, "transaction_reference": one.reference}
        data |= {"amount": str(one.amount) if variant else one.amount, "variant": variant}
        return json.dumps(
            {"event": f"refund.{status}", "data": data | ({"id": one.id} if has_number else {})}
        ).encode()

    def dispute_event(self, one: ThereDispute, name: str, variant: int) -> bytes:
        data: dict[str, Any] = {"id": one.id, "transaction": {"reference": one.reference}, "variant": variant}
        data |= {"refund_amount": one.amount, "status": "awaiting-merchant-feedback", "resolution": None}
        if name == "resolve":
            data |= {"status": "resolved", "resolution": one.resolution}
        return json.dumps({"event": f"charge.dispute.{name}", "data": data}).encode()


def _transaction(charge: dict[str, Any]) -> Transaction:
    return Transaction(
        id=str(charge["id"]),
        reference=charge["reference"],
        status=charge["status"],
        amount=charge["amount"],
        requested_amount=charge["requested"],
        currency=charge["currency"],
        domain=charge["domain"],
        paid_at=None,
        gateway_response="",
        channel="card",
        fees=None,
        metadata={},
        customer_email="",
        raw={},
    )


def _refund(one: ThereRefund) -> RefundState:
    return RefundState(
        id=str(one.id),
        transaction_reference=one.reference,
        amount=one.amount,
        currency="KES",
        status=one.status,
        raw={},
        merchant_note=one.note,
    )
