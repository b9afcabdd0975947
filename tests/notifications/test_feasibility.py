"""How long a send takes: by rate, around the nights of zones, and before it is of no use."""

import datetime as dt
import zoneinfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from notifications.feasibility import plan_send
from notifications.quiet_hours import parse_quiet_hours, quiet_until

NOON = dt.datetime(2026, 11, 20, 12, 0, tzinfo=dt.UTC)
NAIROBI, DHAKA, TORONTO = (
    zoneinfo.ZoneInfo(name) for name in ("Africa/Nairobi", "Asia/Dhaka", "America/Toronto")
)
NIGHT = parse_quiet_hours("21:00-08:00")
MINUTE = dt.timedelta(minutes=1)


def plan(zones, **changes):
    return plan_send(**{"start": NOON, "zones": zones, "rate": 1.0, "quiet": None, **changes})


def test_two_thousand_at_one_a_second_take_33_minutes():
    assert round(plan({NAIROBI: 2_000}).takes / MINUTE) == 33
    assert plan({NAIROBI: 2_000}).fits


def test_nobody_takes_no_time():
    nobody = plan({})
    assert (nobody.count, nobody.ends_at, nobody.fits, nobody.takes) == (0, None, True, dt.timedelta(0))


def test_at_night_it_waits_for_the_morning():
    late = dt.datetime(2026, 11, 20, 19, 0, tzinfo=dt.UTC)  # 22:00 in Nairobi
    night = plan({NAIROBI: 60}, start=late, quiet=NIGHT)
    assert night.begins_at == dt.datetime(2026, 11, 21, 5, 0, tzinfo=dt.UTC)
    assert night.ends_at == night.begins_at + MINUTE
    assert night.held == dt.timedelta(hours=10)


def test_who_goes_to_bed_first_is_told_first():
    # Dhaka's night begins at 15:00 UTC, Nairobi's at 18:00; each has two hours' worth.
    both = plan({NAIROBI: 7_200, DHAKA: 7_200}, quiet=NIGHT)
    assert both.ends_at == NOON + dt.timedelta(hours=4)
    assert not both.held


def test_what_does_not_fit_before_the_night_goes_on_in_the_morning():
    # 17:00 UTC is 20:00 in Nairobi: an hour is left, and three are needed.
    start = dt.datetime(2026, 11, 20, 17, 0, tzinfo=dt.UTC)
    long = plan({NAIROBI: 3 * 3_600}, start=start, quiet=NIGHT)
    assert long.ends_at == dt.datetime(2026, 11, 21, 7, 0, tzinfo=dt.UTC)
    assert long.held == dt.timedelta(hours=11)


def test_while_one_zone_sleeps_another_is_told():
    # At 01:00 UTC it is 20:00 in Toronto and 04:00 in Nairobi.
    start = dt.datetime(2026, 11, 21, 1, 0, tzinfo=dt.UTC)
    both = plan({NAIROBI: 60, TORONTO: 60}, start=start, quiet=NIGHT)
    assert both.begins_at == start
    assert both.ends_at == dt.datetime(2026, 11, 21, 5, 1, tzinfo=dt.UTC)


def test_who_would_be_told_too_late_is_counted():
    cut = plan({NAIROBI: 100}, expires_at=NOON + MINUTE)
    assert (cut.late, cut.fits, cut.ends_at) == (40, False, NOON + MINUTE)
    none = plan({NAIROBI: 100}, start=NOON.replace(hour=20), quiet=NIGHT, expires_at=NOON.replace(hour=21))
    assert (none.late, none.ends_at) == (100, None)


def test_a_rate_of_nothing_is_refused():
    with pytest.raises(ValueError, match="nothing goes out"):
        plan({NAIROBI: 1}, rate=0)


@given(
    zones=st.dictionaries(st.sampled_from([NAIROBI, DHAKA, TORONTO]), st.integers(0, 50_000), max_size=3),
    rate=st.sampled_from([0.5, 1.0, 10.0, 50.0]),
    hours=st.integers(0, 24 * 120),
    window=st.integers(1, 80),
)
def test_nobody_is_lost_told_at_night_or_after_the_end(zones, rate, hours, window):
    start = dt.datetime(2026, 3, 1, tzinfo=dt.UTC) + dt.timedelta(hours=hours)
    end = start + dt.timedelta(hours=window)
    made = plan(zones, start=start, rate=rate, quiet=NIGHT, expires_at=end)
    assert 0 <= made.late <= made.count == sum(zones.values())
    if made.ends_at is not None:
        assert start <= made.begins_at <= made.ends_at <= end
        told = made.count - made.late
        assert made.takes >= dt.timedelta(seconds=told / rate) - dt.timedelta(seconds=1)
        just_before = made.ends_at - dt.timedelta(milliseconds=100)
        assert any(
            quiet_until(now=just_before, hours=NIGHT, zone=zone) is None for zone, n in zones.items() if n
        )
