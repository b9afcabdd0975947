"""`{% told at zone as time %}`: how a moment is told to a reader who may live in another zone than the draw."""

import datetime as dt
import zoneinfo
from dataclasses import dataclass

from django import template
from django.utils import timezone

register = template.Library()


@dataclass(frozen=True, slots=True)
class Told:
    """A moment on the reader's clock, and on the draw's (`there`, None where no clock but the reader's is asked for).

    `is_twice`: the clocks differ, so both are told. `is_other_day`: there it is another date too.
    """

    here: dt.datetime
    there: dt.datetime | None
    city: str
    is_twice: bool
    is_other_day: bool


@register.simple_tag
def told(at: dt.datetime, zone: str = "") -> Told:
    """The moment in the reader's zone and in `zone`. Zones whose clocks agree at that moment tell it once."""
    here = timezone.localtime(at)
    if not zone:
        return Told(here, None, "", is_twice=False, is_other_day=False)
    there = at.astimezone(zoneinfo.ZoneInfo(zone))
    is_twice = here.utcoffset() != there.utcoffset()
    return Told(here, there, city_of(zone), is_twice, is_other_day=here.date() != there.date())


def city_of(zone: str) -> str:
    """`Nairobi` of `Africa/Nairobi`: what people call a zone."""
    return zone.rpartition("/")[2].replace("_", " ")
