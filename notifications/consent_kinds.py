"""The kinds of message about what one is told: whether somebody really asked for promotions, and a code for a phone."""

import datetime as dt

from django.conf import settings
from django.urls import reverse
from django.utils.translation import gettext_lazy as _

from notifications.kinds import Category, Channel, Kind, Reach, register
from notifications.links import make_token
from notifications.models import Correspondent, Delivery
from notifications.services.preferences import CONFIRM_KIND
from notifications.services.proving import CODE_KIND, code_in

CONFIRM = "notifications.confirm"
"""Purpose of the links with which promotions are confirmed; their row is the correspondent."""


def confirm_url(delivery: Delivery) -> str:
    """The page on which the reader confirms; as long as nothing was asked or taken back since."""
    person = Correspondent.objects.filter(public_id=delivery.params.get("correspondent")).first()
    if person is None:
        return str(settings.SITE_URL)
    token = make_token(purpose=CONFIRM, row=person.public_id, version=int(delivery.params["version"]))
    return f"{settings.SITE_URL}{reverse('notifications:confirm_promotions', args=[token])}"


KINDS = (
    Kind(
        name=CONFIRM_KIND,
        title=_("Please confirm that you want news and offers"),
        category=Category.TRANSACTIONAL,
        channels={Channel.EMAIL: Reach.EVERYONE},
        variables={"until": dt.datetime},
        params={"correspondent": str, "version": int},
        links={"confirm_url": confirm_url},
    ),
    Kind(
        name=CODE_KIND,
        title=_("A code to show that a number is yours"),
        category=Category.TRANSACTIONAL,
        channels={Channel.SMS: Reach.EVERYONE},
        params={"asked": str},
        links={"code": code_in},  # shown to nobody but its reader, and stored nowhere
    ),
)


def register_kinds() -> None:
    """Called once the apps are loaded."""
    for kind in KINDS:
        register(kind)
