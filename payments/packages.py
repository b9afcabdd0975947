"""Packages of credits: the purchasable that `payments` itself sells."""

import datetime as dt
import uuid

from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from accounts.models import User
from payments.models import Package
from payments.purchasables import NotForSaleError, Purchasable, Quote

KIND = "package"


def packages_on_sale() -> list[Package]:
    """What a buyer is offered, in its order."""
    return list(Package.objects.filter(is_active=True))


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
