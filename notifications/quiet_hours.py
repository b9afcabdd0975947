"""Quiet hours: until when a message waits so that nobody's telephone rings at night. Pure functions.

Quiet is what the person's own clock on the wall says is quiet, also in the two nights in which clocks are changed: an hour
that the clock shows twice is quiet twice, and one that it leaves out never was.
"""

import datetime as dt
import zoneinfo
from dataclasses import dataclass
from functools import lru_cache

_DAY = dt.timedelta(days=1)
_SECOND = dt.timedelta(seconds=1)


@dataclass(frozen=True)
class QuietHours:
    """From `start` until `end` by the clock on the wall, `end` not included; over midnight where it is the earlier."""

    start: dt.time
    end: dt.time

    def covers(self, clock: dt.time) -> bool:
        """Whether it is quiet when the clock shows this."""
        if self.start <= self.end:
            return self.start <= clock < self.end
        return clock >= self.start or clock < self.end


@lru_cache(maxsize=512)
def zone_of(name: str) -> zoneinfo.ZoneInfo:
    """The time zone called `name`; UTC where no zone is called so."""
    try:
        return zoneinfo.ZoneInfo(name)
    except (zoneinfo.ZoneInfoNotFoundError, ValueError, OSError):
        return zoneinfo.ZoneInfo("UTC")


def quiet_until(*, now: dt.datetime, hours: QuietHours, zone: zoneinfo.ZoneInfo) -> dt.datetime | None:
    """The next moment at which the clock in `zone` shows the end of quiet hours, or jumps over it; None when it is
    not quiet at `now`. Never quiet itself, and always after `now`.
    """
    local = now.astimezone(zone)
    if not hours.covers(local.time()):
        return None
    ends = []
    for day in (local.date(), local.date() + _DAY, local.date() + 2 * _DAY):
        for fold in (0, 1):
            wall = dt.datetime.combine(day, hours.end, tzinfo=zone).replace(fold=fold)
            moment = wall.astimezone(dt.UTC)
            if moment.astimezone(zone).replace(tzinfo=None) != wall.replace(tzinfo=None):
                moment = _jump(moment, zone)  # the clock never shows that time: it jumps over it
            if moment > now and not hours.covers(moment.astimezone(zone).time()):
                ends.append(moment)
    return min(ends)


def _jump(near: dt.datetime, zone: zoneinfo.ZoneInfo) -> dt.datetime:
    """The moment, within a day of `near`, at which the clock in `zone` is put forward."""
    before, after = near - _DAY, near + _DAY
    old = before.astimezone(zone).utcoffset()
    while after - before > _SECOND:
        middle = before + (after - before) / 2
        if middle.astimezone(zone).utcoffset() == old:
            before = middle
        else:
            after = middle
    return after.replace(microsecond=0)


def parse_quiet_hours(text: str) -> QuietHours | None:
    """`21:00-08:00` as quiet hours; None for an empty text. Raises ValueError for anything else."""
    if not text.strip():
        return None
    start, dash, end = text.partition("-")
    if not dash:
        raise ValueError(f"{text!r} should read like 21:00-08:00")
    hours = QuietHours(dt.time.fromisoformat(start.strip()), dt.time.fromisoformat(end.strip()))
    if hours.start == hours.end:
        raise ValueError(f"{text!r} begins when it ends")
    return hours
