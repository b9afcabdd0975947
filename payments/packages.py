"""Packages of credits: the purchasable that `payments` itself sells."""

import datetime as dt
import uuid
from collections import Counter
from dataclasses import dataclass

from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from accounts.models import User
from payments.models import Package
from payments.purchasables import NotForSaleError, Purchasable, Quote

KIND = "package"


@dataclass(frozen=True, slots=True)
class Offer:
    """A package as a buyer sees it: `each` is the price of one credit, rounded up to a minor unit."""

    package: Package
    each: int
    is_best: bool
    checkout_key: uuid.UUID


def offers() -> list[Offer]:
    """What is on sale, in its order; the best of a currency is the one whose credits cost least, if there are others."""
    packages = list(Package.objects.filter(is_active=True))
    cheapest: dict[str, Package] = {}
    for one in packages:
        best = cheapest.setdefault(one.currency, one)
        if one.price * best.credits < best.price * one.credits:
            cheapest[one.currency] = one
    currencies = Counter(one.currency for one in packages)
    return [
        Offer(
            package=one,
            each=-(-one.price // one.credits),
            is_best=currencies[one.currency] > 1 and cheapest[one.currency] is one,
            checkout_key=uuid.uuid4(),
        )
        for one in packages
    ]


def quote_package(item: str, buyer: User | None, _now: dt.datetime) -> Quote:
    """What a package (its public id) costs now. Credits need a wallet, so a member buys them."""
    try:
        package = Package.objects.filter(public_id=uuid.UUID(item)).first()
    except ValueError:
        package = None
    if package is None or not package.is_active:
        raise NotForSaleError(_("This package is not on sale any more: choose another."))
    if buyer is None:
        raise NotForSaleError(_("Credits go into a wallet: sign in to buy them."))
    return Quote(title=package.title, price=package.price, currency=package.currency, credits=package.credits)


PACKAGE = Purchasable(kind=KIND, words=gettext_lazy("Credits"), quote=quote_package)
