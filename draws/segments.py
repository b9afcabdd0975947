"""Rules over draws of which audiences are made: who entered one, who won in it, who entered any of late."""

import datetime as dt
import uuid
from typing import Any

from django.db.models import Q, QuerySet
from django.utils import timezone
from django.utils.translation import gettext_lazy as _
from django.utils.translation import ngettext

from accounts.models import User
from draws.models import Draw, Entry, Winner
from notifications.recipients import members, people
from notifications.segments import Choices, Rule, register

_DRAWS_LISTED = 200
_DAYS = (30, 90, 365)


def _entrants(value: str) -> QuerySet[Any, Any]:
    entries = Entry.objects.filter(draw__public_id=_public_id(value))
    reachable = entries.filter(Q(member__isnull=False) | Q(identity__contains="@"))
    return people(reachable, account="member", address="identity", name="name")


def _winners(value: str) -> QuerySet[Any, Any]:
    winners = Winner.objects.filter(draw__public_id=_public_id(value), state__in=Winner.STANDING)
    reachable = winners.filter(Q(award__member__isnull=False) | Q(award__identity__contains="@"))
    return people(reachable, account="award__member", address="award__identity", name="entry__name")


def _entered_within(value: str) -> QuerySet[Any, Any]:
    days = int(value) if value.isdigit() and len(value) < 5 else _DAYS[0]
    entries = Entry.objects.filter(
        member__isnull=False, entered_at__gte=timezone.now() - dt.timedelta(days=days)
    )
    return members(User.objects.filter(is_active=True, pk__in=entries.values("member_id")))


def _public_id(value: str) -> uuid.UUID:
    """A draw's public id; of nonsense one that nobody has."""
    try:
        return uuid.UUID(value)
    except ValueError:
        return uuid.UUID(int=0)


def _draws() -> Choices:
    draws = Draw.objects.filter(published_at__isnull=False).order_by("-draw_at")
    return [
        (str(public_id), title)
        for public_id, title in draws.values_list("public_id", "title")[:_DRAWS_LISTED]
    ]


def _spans() -> Choices:
    return [(str(n), ngettext("%(n)d day", "%(n)d days", n) % {"n": n}) for n in _DAYS]


RULES = (
    Rule("draws.entrants", _("entered the draw"), _entrants, _draws),
    Rule("draws.winners", _("holds a prize of the draw"), _winners, _draws),
    Rule("draws.entered", _("entered some draw within"), _entered_within, _spans),
)


def register_rules() -> None:
    """Called once the apps are loaded."""
    for rule in RULES:
        register(rule)
