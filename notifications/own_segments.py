"""Rules over accounts: everybody, roles, languages, countries, and when somebody was last here."""

import datetime as dt
from typing import Any

from django.conf import settings
from django.contrib.auth.models import Group
from django.db.models import QuerySet
from django.utils import timezone
from django.utils.translation import gettext_lazy as _
from django.utils.translation import ngettext

from accounts.models import User
from notifications.recipients import members
from notifications.segments import Choices, Rule, register

_DAYS = (7, 30, 90, 365)


def _active() -> QuerySet[User]:
    return User.objects.filter(is_active=True)


def _everybody(value: str) -> QuerySet[Any, Any]:
    return members(_active())


def _with_role(value: str) -> QuerySet[Any, Any]:
    return members(_active().filter(pk__in=User.objects.filter(groups__name=value).values("pk")))


def _staff(value: str) -> QuerySet[Any, Any]:
    return members(_active().filter(is_staff=True))


def _reading(value: str) -> QuerySet[Any, Any]:
    return members(_active().filter(language__iexact=value))


def _living_in(value: str) -> QuerySet[Any, Any]:
    return members(_active().filter(country__iexact=value))


def _here_within(value: str) -> QuerySet[Any, Any]:
    return members(_active().filter(last_login__gte=_days_ago(value)))


def _joined_within(value: str) -> QuerySet[Any, Any]:
    return members(_active().filter(date_joined__gte=_days_ago(value)))


def _days_ago(value: str) -> dt.datetime:
    days = int(value) if value.isdigit() and len(value) < 5 else _DAYS[0]
    return timezone.now() - dt.timedelta(days=days)


def _roles() -> Choices:
    return [(name, name) for name in Group.objects.order_by("name").values_list("name", flat=True)]


def _languages() -> Choices:
    site = dict(settings.LANGUAGES)
    spoken = User.objects.order_by("language").values_list("language", flat=True).distinct()[:100]
    return [(code, str(site.get(code, code))) for code in spoken]


def _countries() -> Choices:
    codes = (
        User.objects.exclude(country="")
        .order_by("country")
        .values_list("country", flat=True)
        .distinct()[:250]
    )
    return [(code, code) for code in codes]


def _spans() -> Choices:
    return [(str(n), ngettext("%(n)d day", "%(n)d days", n) % {"n": n}) for n in _DAYS]


RULES = (
    Rule("accounts.everybody", _("has an account"), _everybody),
    Rule("accounts.staff", _("is staff"), _staff),
    Rule("accounts.role", _("has the role"), _with_role, _roles),
    Rule("accounts.language", _("reads"), _reading, _languages),
    Rule("accounts.country", _("lives in"), _living_in, _countries),
    Rule("accounts.here", _("signed in within"), _here_within, _spans),
    Rule("accounts.joined", _("joined within"), _joined_within, _spans),
)


def register_rules() -> None:
    """Called once the apps are loaded."""
    for rule in RULES:
        register(rule)
