"""The filter `date` of every template: Django's, with the zone in the hour that comes twice as well."""

import datetime as dt
from typing import Any

from django import template
from django.template.defaultfilters import date as djangos

from accounts.clocks import comes_twice, format_moment

register = template.Library()


@register.filter(expects_localtime=True, is_safe=False)
def date(value: Any, how: str | None = None) -> Any:
    """Like Django's; see `accounts.clocks`."""
    if how and isinstance(value, dt.datetime) and value.tzinfo is not None and comes_twice(value):
        return format_moment(value, how)
    return djangos(value, how)
