"""Moments as text, with their zone in every hour of the year.

Django's `dateformat` leaves the zone (`T`, `e`, `O`) out in the hour that clocks show twice, which is the one hour in
which it matters: 01:30 EDT and 01:30 EST would both read 01:30.
"""

import datetime as dt

from django.utils.dateformat import DateFormat


class _ZonedFormat(DateFormat):
    def __init__(self, at: dt.datetime) -> None:
        super().__init__(at)
        self.timezone = at.tzinfo


def comes_twice(at: dt.datetime) -> bool:
    """Whether clocks in the zone of `at` show this time twice."""
    return at.utcoffset() != at.replace(fold=1 - at.fold).utcoffset()


def format_moment(at: dt.datetime, how: str) -> str:
    """An aware moment in the zone it has, in Django's language of formats: `D j M Y, H:i T`."""
    return _ZonedFormat(at).format(how)
