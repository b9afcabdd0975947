"""The filter of lists by time."""

from typing import Any

from django.db.models import QuerySet
from django.http import HttpRequest
from django.utils import timezone
from unfold.contrib.filters.admin import RangeDateTimeFilter
from unfold.utils import parse_datetime_str

_BOUNDS = (("from", "gte"), ("to", "lte"))


class LocalTimesFilter(RangeDateTimeFilter):
    """Unfold's filter from one time to another, on the clock of the reader: its own takes them for UTC."""

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        bounds = {}
        for name, lookup in _BOUNDS:
            day, time = (
                self.used_parameters.get(f"{self.parameter_name}_{name}_{part}") or "" for part in (0, 1)
            )
            moment = parse_datetime_str(f"{day} {time}") if day and time else None
            if moment is not None:
                bounds[f"{self.parameter_name}__{lookup}"] = timezone.make_aware(moment)
        return queryset.filter(**bounds)
