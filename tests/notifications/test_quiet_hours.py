"""Quiet hours by the clock on the wall, also in the two nights in which it is changed."""

import datetime as dt
import zoneinfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from notifications.quiet_hours import QuietHours, parse_quiet_hours, quiet_until, zone_of

NIGHT = QuietHours(dt.time(21), dt.time(8))
ZONES = ["Africa/Nairobi", "Asia/Dhaka", "America/Toronto", "Europe/London", "Australia/Lord_Howe", "UTC"]


def until(text: str, zone: str, hours: QuietHours = NIGHT) -> str | None:
    """When quiet hours end that hold at this moment of UTC, in UTC."""
    end = quiet_until(now=dt.datetime.fromisoformat(text + "+00:00"), hours=hours, zone=zone_of(zone))
    return f"{end:%Y-%m-%d %H:%M:%S}" if end else None


def between(start: str, end: str) -> QuietHours:
    return QuietHours(dt.time.fromisoformat(start), dt.time.fromisoformat(end))


@pytest.mark.parametrize(
    ("now", "zone", "end"),
    [
        ("2026-11-20 17:59:59", "Africa/Nairobi", None),
        ("2026-11-20 18:00", "Africa/Nairobi", "2026-11-21 05:00:00"),
        ("2026-11-21 04:59:59", "Africa/Nairobi", "2026-11-21 05:00:00"),
        ("2026-11-21 05:00", "Africa/Nairobi", None),
        ("2026-11-20 15:00", "Asia/Dhaka", "2026-11-21 02:00:00"),
        # Toronto, clocks put back at 06:00 UTC of 1 November: the end is by the new time.
        ("2026-11-01 02:00", "America/Toronto", "2026-11-01 13:00:00"),
        # And forward at 07:00 UTC of 8 March.
        ("2026-03-08 03:00", "America/Toronto", "2026-03-08 12:00:00"),
        ("2026-11-20 21:30", "Mars/Base", "2026-11-21 08:00:00"),  # no such zone: UTC
    ],
)
def test_it_ends_in_the_morning_of_the_person(now, zone, end):
    assert until(now, zone) == end


def test_an_end_that_the_clock_jumps_over_is_the_jump():
    """In Toronto no clock shows 02:30 on 8 March 2026: at 07:00 UTC it goes from 01:59 to 03:00."""
    assert until("2026-03-08 05:00", "America/Toronto", between("22:00", "02:30")) == "2026-03-08 07:00:00"


def test_quiet_hours_that_the_clock_leaves_out_are_none():
    hours = between("02:10", "02:50")
    assert until("2026-03-08 07:15", "America/Toronto", hours) is None
    assert until("2026-03-09 06:15", "America/Toronto", hours) == "2026-03-09 06:50:00"


def test_an_hour_that_is_shown_twice_is_quiet_twice():
    """In Toronto clocks go back from 02:00 to 01:00 at 06:00 UTC of 1 November 2026."""
    hours = between("23:00", "01:30")
    assert until("2026-11-01 04:30", "America/Toronto", hours) == "2026-11-01 05:30:00"  # the first 01:30
    assert until("2026-11-01 05:45", "America/Toronto", hours) is None  # 01:45, for the first time
    assert until("2026-11-01 06:10", "America/Toronto", hours) == "2026-11-01 06:30:00"  # 01:10 again


def test_a_zone_that_skips_a_whole_day():
    """Samoa had no 30 December 2011."""
    assert until("2011-12-30 08:00", "Pacific/Apia") == "2011-12-30 18:00:00"


_MINUTES = st.integers(0, 24 * 60 - 1).map(lambda minute: dt.time(minute // 60, minute % 60))


@given(
    start=_MINUTES,
    end=_MINUTES,
    now=st.datetimes(dt.datetime(2026, 1, 1), dt.datetime(2027, 1, 1), timezones=st.just(dt.UTC)),
    zone=st.sampled_from(ZONES),
)
def test_it_is_never_quiet_at_the_end_and_never_long_away(start, end, now, zone):
    if start == end:
        return
    hours, there = QuietHours(start, end), zoneinfo.ZoneInfo(zone)
    moment = quiet_until(now=now, hours=hours, zone=there)
    assert (moment is not None) == hours.covers(now.astimezone(there).time())
    if moment is not None:
        assert now < moment <= now + dt.timedelta(hours=26)
        assert not hours.covers(moment.astimezone(there).time())
        local, before = (at.astimezone(there) for at in (moment, moment - dt.timedelta(seconds=1)))
        jumps = local.utcoffset() != before.utcoffset()
        assert local.time() == end or jumps


def test_the_setting_is_read():
    assert parse_quiet_hours("21:00-08:00") == NIGHT
    assert parse_quiet_hours(" ") is None
    for wrong in ("21", "21:00", "21:00-25:00", "8:00-8:00", "08:00-08:00"):
        with pytest.raises(ValueError):
            parse_quiet_hours(wrong)
