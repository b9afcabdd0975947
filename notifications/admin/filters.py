"""Filters of the outbox's lists in the admin."""

import datetime as dt
from typing import Any

from django.db.models import Q
from django.http import HttpRequest
from django.utils import timezone
from django.utils.translation import gettext_lazy as _
from unfold.contrib.filters.admin import DropdownFilter

from notifications import kinds
from notifications.models import DEAD_LETTERS, WAITING, DeliveryQuerySet, MessageQuerySet, State

LATE = dt.timedelta(minutes=5)


class KindFilter(DropdownFilter):
    """One kind of message."""

    title = _("kind")
    parameter_name = "kind"
    path = "kind"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        return [(kind.name, f"{kind.title} ({kind.name})") for kind in kinds.all_kinds()]

    def queryset(self, request: HttpRequest, queryset: Any) -> Any:
        return queryset.filter(**{self.path: self.value()}) if self.value() else queryset


class DeliveryKindFilter(KindFilter):
    """Deliveries of one kind of message."""

    path = "message__kind"


class MessageStateFilter(DropdownFilter):
    """How far a message has come."""

    title = _("state")
    parameter_name = "state"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, Any]]:
        return [
            ("waiting", _("waiting for its time or turn")),
            ("failing", _("its recipients can't be found")),
            ("expanded", _("expanded")),
            ("cancelled", _("cancelled")),
        ]

    def queryset(self, request: HttpRequest, queryset: MessageQuerySet) -> MessageQuerySet:
        waiting = Q(expanded_at__isnull=True, cancelled_at__isnull=True)
        conditions = {
            "waiting": waiting,
            "failing": waiting & Q(expansion_failures__gt=0),
            "expanded": Q(expanded_at__isnull=False),
            "cancelled": Q(cancelled_at__isnull=False),
        }
        return queryset.filter(conditions[value]) if (value := self.value()) in conditions else queryset


class QueueFilter(DropdownFilter):
    """Deliveries by state and age, each by an index of its own."""

    title = _("queue")
    parameter_name = "queue"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, Any]]:
        queues = [
            ("waiting", _("waiting")),
            ("late", _("waiting for more than 5 minutes")),
            ("dead", _("dead letters: failed, bounced, unknown")),
        ]
        return [*queues, *[(str(state), state.label) for state in State]]

    def queryset(self, request: HttpRequest, queryset: DeliveryQuerySet) -> DeliveryQuerySet:
        value = self.value()
        if value == "waiting":
            return queryset.filter(state__in=WAITING)
        if value == "late":
            return queryset.filter(state__in=WAITING, next_attempt_at__lt=timezone.now() - LATE)
        if value == "dead":
            return queryset.filter(state__in=DEAD_LETTERS)
        return queryset.filter(state=value) if value in State.values else queryset
