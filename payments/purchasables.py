"""What can be bought: kinds of things, each registered by the app that owns it in `AppConfig.ready()`.

`payments` sells packages of credits itself. An event's offer is another app's kind: that app says what it costs now
(`quote`), and is called in the settling transaction, once, when it is paid (`settle`).
"""

import datetime as dt
from collections.abc import Callable
from dataclasses import dataclass

from django.utils.functional import Promise

from accounts.models import User
from payments.models import Payment
from payments.money import CURRENCIES, LARGEST_AMOUNT


class NotForSaleError(Exception):
    """This can't be bought now, or not by this person. The message is a sentence for them."""


class UnknownPurchasableError(LookupError):
    """No app registers this kind of thing."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Quote:
    """What is on offer: copied into the payment and frozen there. `price` in minor units; `credits` may be 0."""

    title: str
    price: int
    currency: str
    credits: int = 0

    def __post_init__(self) -> None:
        if not 0 < self.price <= LARGEST_AMOUNT or self.credits < 0 or self.currency not in CURRENCIES:
            raise ValueError(f"{self} is no offer")


def _settle_nothing(payment: Payment, now: dt.datetime) -> None:
    """For kinds that are paid with the credits alone."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Purchasable:
    """A kind of thing. `quote(item, buyer, now)` raises `NotForSaleError`; `settle(payment, now)` runs inside the
    settling transaction, and what it raises undoes all of it: the payment is then tried again and shown to staff.
    """

    kind: str
    words: str | Promise
    quote: Callable[[str, User | None, dt.datetime], Quote]
    settle: Callable[[Payment, dt.datetime], None] = _settle_nothing


_kinds: dict[str, Purchasable] = {}


def register_purchasable(purchasable: Purchasable) -> None:
    """Make a kind known. Raises ValueError when another has its name."""
    if _kinds.setdefault(purchasable.kind, purchasable) is not purchasable:
        raise ValueError(f"the purchasable {purchasable.kind} is registered twice")


def purchasable(kind: str) -> Purchasable:
    """The kind of this name. Raises `UnknownPurchasableError`."""
    try:
        return _kinds[kind]
    except KeyError:
        raise UnknownPurchasableError(f"no app sells things of the kind {kind!r}") from None
