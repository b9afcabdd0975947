"""Whether a send fits its window: how long so many messages take at a rate, around the night of each zone. Pure.

People are told in the order in which their night comes, as if senders were never idle; what a provider answers and how often it is
asked again is not in it. An estimate to decide by, not a promise.
"""

import datetime as dt
import zoneinfo
from collections.abc import Mapping
from dataclasses import dataclass

from notifications.quiet_hours import QuietHours, quiet_until

_MOST_DAYS = 60
_SECOND = dt.timedelta(seconds=1)


@dataclass(frozen=True)
class Plan:
    """How a send by one channel goes: `ends_at` is when the last one goes out, None where nobody is told in time.

    `late` are those whose turn would come after it is of no use any more; `held` are the seconds in which it is night for all who
    still wait.
    """

    count: int
    rate: float
    begins_at: dt.datetime
    ends_at: dt.datetime | None
    late: int
    held: dt.timedelta

    @property
    def fits(self) -> bool:
        """Whether everybody is told in time."""
        return self.late == 0

    @property
    def takes(self) -> dt.timedelta:
        """From the beginning to the last, nights included."""
        return self.ends_at - self.begins_at if self.ends_at is not None else dt.timedelta(0)


def plan_send(
    *,
    start: dt.datetime,
    zones: Mapping[zoneinfo.ZoneInfo, int],
    rate: float,
    quiet: QuietHours | None = None,
    expires_at: dt.datetime | None = None,
) -> Plan:
    """Tell so many people of each zone from `start` on, `rate` a second in all, not in their quiet hours.

    Raises ValueError for a rate that is not above 0.
    """
    if rate <= 0:
        raise ValueError(f"nothing goes out at {rate} a second")
    waiting = {zone: count for zone, count in zones.items() if count > 0}
    total = sum(waiting.values())
    last = start + dt.timedelta(days=_MOST_DAYS)
    if expires_at is not None:
        last = min(last, expires_at)
    now, ends_at, held = start, None, dt.timedelta(0)
    begins_at: dt.datetime | None = None
    while waiting and now < last:
        opens = {zone: quiet_until(now=now, hours=quiet, zone=zone) if quiet else None for zone in waiting}
        awake = [zone for zone, until in opens.items() if until is None]
        if not awake:
            wakes = min(until for until in opens.values() if until is not None)
            held += wakes - now
            now = wakes
            continue
        begins_at = begins_at or now
        # The zone whose night comes first goes first; nobody else's night begins before.
        closes = {zone: _night_of(zone, quiet, now) for zone in awake}
        zone = min(awake, key=lambda one: closes[one] or last)
        until = min(moment for moment in (closes[zone], last, *(at for at in opens.values() if at)) if moment)
        room = int((until - now).total_seconds() * rate)
        told = min(waiting[zone], max(room, 0))
        now += told / rate * _SECOND
        if told:
            waiting[zone] -= told
            ends_at = now
            if not waiting[zone]:
                del waiting[zone]
        if not told or zone in waiting:
            now = max(until, now)
    late = sum(waiting.values())
    return Plan(total, rate, begins_at or start, ends_at, late, held)


def _night_of(zone: zoneinfo.ZoneInfo, quiet: QuietHours | None, now: dt.datetime) -> dt.datetime | None:
    """When quiet hours begin next: they are the end of what is not quiet."""
    if quiet is None:
        return None
    return quiet_until(now=now, hours=QuietHours(quiet.end, quiet.start), zone=zone)
