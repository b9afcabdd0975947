"""What happens to people in draws after which staff may have messages follow."""

import datetime as dt

from django.utils.translation import gettext_lazy as _

from accounts.models import User
from draws.models import Draw
from notifications.occasions import Occasion, register
from notifications.recipients import Recipient
from notifications.services.sequences import enrol, leave

ENTERED = Occasion(
    "draws.entered",
    _("somebody entered a draw on its page"),
    {"draw": str, "slug": str, "draw_at": dt.datetime},
)


def entered(*, draw: Draw, member: User, now: dt.datetime) -> None:
    """A member entered: what follows is planned. In the caller's transaction."""
    values = {"draw": draw.title, "slug": draw.slug, "draw_at": draw.draw_at}
    enrol(occasion=ENTERED.name, about=draw.about, recipient=Recipient.of(member), values=values, at=now)


def left(*, draw: Draw, member_id: int, now: dt.datetime) -> None:
    """They are in it no longer: what has not been sent is not sent any more."""
    leave(occasion=ENTERED.name, about=draw.about, recipient_key=f"member:{member_id}", now=now)


def register_occasions() -> None:
    """Called once the apps are loaded."""
    register(ENTERED)
