"""The zone is named in every hour of the year, in Python and in templates."""

import datetime as dt
import zoneinfo

import pytest
from django.template import engines
from django.utils import timezone

from accounts.clocks import comes_twice, format_moment

NEW_YORK = zoneinfo.ZoneInfo("America/New_York")
MOMENTS = {
    "2026-11-01T04:30:00+00:00": "00:30 EDT",
    "2026-11-01T05:30:00+00:00": "01:30 EDT",
    "2026-11-01T06:30:00+00:00": "01:30 EST",
    "2026-11-01T07:30:00+00:00": "02:30 EST",
    "2026-03-08T06:30:00+00:00": "01:30 EST",
    "2026-03-08T07:30:00+00:00": "03:30 EDT",
}


@pytest.mark.parametrize(("moment", "shown"), MOMENTS.items())
def test_a_moment_is_written_with_its_zone(moment, shown):
    at = dt.datetime.fromisoformat(moment)
    assert format_moment(at.astimezone(NEW_YORK), "H:i T") == shown
    template = engines["django"].from_string('{{ at|date:"H:i T" }} · {{ at|date:"c" }}')
    with timezone.override(NEW_YORK):
        text, iso = template.render({"at": at}).split(" · ")
    assert text == shown
    assert dt.datetime.fromisoformat(iso) == at


def test_only_the_hour_that_clocks_show_twice_comes_twice():
    twice = [comes_twice(dt.datetime(2026, 11, 1, hour, 30, tzinfo=NEW_YORK)) for hour in range(4)]
    assert twice == [False, True, False, False]


def test_what_is_no_moment_is_left_to_django():
    template = engines["django"].from_string('{{ day|date:"j M" }}{{ none|date:"H:i" }}')
    assert template.render({"day": dt.date(2026, 11, 1), "none": None}) == "1 Nov"
