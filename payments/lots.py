"""Which credits of a wallet were bought by which payment, and how many of them are unspent. Pure rules.

Credits are spent in the order they were bought; gifts and prizes last, because only bought credits can be refunded.
So what a member has spent never costs them a refund that a gift could have paid for.
"""

from collections.abc import Iterable
from dataclasses import dataclass, field
from enum import Enum


class Move(Enum):
    """What a posting in a wallet of credits was."""

    BOUGHT = "bought"
    """A payment was settled: `lot` is that payment."""
    HELD = "held"
    """Credits of a payment were set aside (refund, dispute): they come out of that lot alone."""
    RELEASED = "released"
    """Such credits came back to their lot."""
    OTHER = "other"
    """Everything else: above zero a gift or a prize, below zero spending."""


@dataclass(frozen=True, slots=True)
class Step:
    """One posting of the wallet, in their order. `amount` is signed."""

    move: Move
    amount: int
    lot: str = ""


@dataclass(slots=True)
class Holdings:
    """Unspent credits: by lot, in the order they were bought, and those that nobody paid for."""

    lots: dict[str, int] = field(default_factory=dict)
    gifts: int = 0

    @property
    def total(self) -> int:
        """All of it: what the wallet holds."""
        return sum(self.lots.values()) + self.gifts


def holdings(steps: Iterable[Step]) -> Holdings:
    """Replay the postings of a wallet. Raises ValueError where more went than there was."""
    held = Holdings()
    for step in steps:
        if step.move is Move.BOUGHT or step.move is Move.RELEASED:
            held.lots[step.lot] = held.lots.get(step.lot, 0) + step.amount
        elif step.move is Move.HELD:
            left = held.lots.get(step.lot, 0) + step.amount
            if left < 0:
                raise ValueError(f"{-step.amount} credits of {step.lot} were held, of which there are fewer")
            held.lots[step.lot] = left
        elif step.amount >= 0:
            held.gifts += step.amount
        else:
            _spend(held, -step.amount)
    return held


def _spend(held: Holdings, amount: int) -> None:
    for lot, there in held.lots.items():
        taken = min(there, amount)
        held.lots[lot] -= taken
        amount -= taken
        if not amount:
            return
    if amount > held.gifts:
        raise ValueError("more was spent than the wallet held")
    held.gifts -= amount


REFUND_PER_CREDIT = {"KES": 1_000}
"""Minor units that an unused credit is worth at most, where the site has said so: 1 credit is KES 10.00."""


def refund_amount(*, unused: int, credits: int, price: int, currency: str, going_back: int = 0) -> int:
    """What `unused` of a payment's `credits` are worth on their way back, in minor units of its currency.

    Never more than was paid for them (their share of `price`, rounded down), never more than the site's price of a
    credit, and never more than what is left of `price` beside `going_back`, the refunds already on their way or done.
    """
    if not 0 <= unused <= credits:
        raise ValueError(f"{unused} of {credits} credits can't be unused")
    if not unused:
        return 0
    most = price * unused // credits
    if currency in REFUND_PER_CREDIT:
        most = min(most, REFUND_PER_CREDIT[currency] * unused)
    return max(0, min(most, price - going_back))
