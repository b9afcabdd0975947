"""The message kinds of the site itself."""

import datetime as dt

from django.conf import settings
from django.urls import reverse
from django.utils.translation import gettext_lazy as _

from accounts.models import Erasure
from notifications.kinds import Category, Channel, Kind, Reach, register
from notifications.links import make_token
from notifications.models import Delivery

ERASURE_LINK = "config.erasure"
"""Purpose of the secret links with which an erasure is called off."""


def keep_url(delivery: Delivery) -> str:
    """The page on which the erasure can be called off, without signing in: the account is closed."""
    erasure = Erasure.objects.filter(public_id=delivery.params.get("erasure")).first()
    if erasure is None:
        return str(settings.SITE_URL)
    token = make_token(purpose=ERASURE_LINK, row=erasure.public_id, version=erasure.version)
    return str(settings.SITE_URL) + reverse("erasure", args=[token])


KINDS = (
    Kind(
        name="config.erasure_requested",
        title=_("Your data will be erased"),
        category=Category.TRANSACTIONAL,
        channels={Channel.EMAIL: Reach.EVERYONE},
        variables={"due_at": dt.datetime, "by_staff": bool},
        params={"erasure": str},
        links={"keep_url": keep_url},
        reaches_erased=True,
    ),
    Kind(
        name="config.email_changed",
        title=_("The address of your account was changed"),
        category=Category.TRANSACTIONAL,
        channels={Channel.EMAIL: Reach.EVERYONE},
        variables={"at": dt.datetime},
        reaches_erased=True,
    ),
)


def register_kinds() -> None:
    """Called once the apps are loaded."""
    for kind in KINDS:
        register(kind)
