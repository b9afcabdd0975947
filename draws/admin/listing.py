"""The list of draws: its filters, and the rows with what they show."""

import datetime as dt
from typing import Any

from django.contrib import admin
from django.db.models import Case, Count, F, OuterRef, Q, QuerySet, Subquery, When
from django.db.models.functions import Coalesce
from django.http import HttpRequest
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from unfold.views import ChangeList

from draws.models import Draw, Entry


class PhaseFilter(admin.SimpleListFilter):
    """Where draws stand."""

    title = gettext_lazy("state")
    parameter_name = "phase"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, Any]]:
        return [
            ("draft", _("Draft")),
            ("upcoming", _("Upcoming")),
            ("open", _("Open")),
            ("waiting", _("Closed or frozen, to be drawn")),
            ("completed", _("Drawn")),
            ("void", _("Void")),
            ("cancelled", _("Cancelled")),
        ]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Draw]) -> QuerySet[Draw]:
        now = timezone.now()
        draws = Draw.objects.all()
        match self.value():
            case None:
                return queryset
            case "upcoming":
                chosen = draws.upcoming(now)
            case "open":
                chosen = draws.open(now)
            case "waiting":
                chosen = draws.awaiting_draw(now)
            case status:
                chosen = draws.filter(status=status)
        return queryset.filter(pk__in=chosen.values("pk"))


class DueFilter(admin.SimpleListFilter):
    """When draws are due."""

    title = gettext_lazy("due")
    parameter_name = "due"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, Any]]:
        return [
            ("overdue", _("Overdue")),
            ("day", _("In the next 24 hours")),
            ("week", _("In the next 7 days")),
            ("failed", _("Failed last time")),
        ]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Draw]) -> QuerySet[Draw]:
        now = timezone.now()
        unfinished = Q(status__in=(Draw.Status.ACTIVE, Draw.Status.EXECUTING))
        match self.value():
            case "overdue":
                return queryset.filter(pk__in=Draw.objects.overdue(now).values("pk"))
            case "day":
                return queryset.filter(unfinished, draw_at__lte=now + dt.timedelta(days=1))
            case "week":
                return queryset.filter(unfinished, draw_at__lte=now + dt.timedelta(days=7))
            case "failed":
                return queryset.filter(unfinished).exclude(execution_error="")
        return queryset


class DrawChangeList(ChangeList):
    """Adds what the rows show: entries counted for the draws whose freeze has not counted them yet."""

    def get_queryset(self, *args: Any, **kwargs: Any) -> QuerySet[Draw]:
        counted = (
            Entry.objects.filter(draw=OuterRef("pk"))
            .order_by()
            .values("draw")
            .annotate(n=Count("pk"))
            .values("n")
        )
        draws: QuerySet[Draw] = super().get_queryset(*args, **kwargs)
        known = When(entries_count__isnull=False, then=F("entries_count"))
        return draws.prefetch_related("prizes").annotate(
            entries_so_far=Case(known, default=Coalesce(Subquery(counted), 0))
        )
