"""Moments as the admin's pages write them: in the draw's own zone, in UTC, and by how much one is late."""

import datetime as dt
import zoneinfo

from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from accounts.clocks import format_moment
from draws.models import Draw


def in_zone(at: dt.datetime, zone: zoneinfo.ZoneInfo) -> str:
    """`Sat 21 Nov 2026, 18:00 EAT`; seconds only where there are any."""
    local = at.astimezone(zone)
    clock = "H:i:s" if local.second else "H:i"
    return format_moment(local, f"D j M Y, {clock} T")


def in_utc(at: dt.datetime) -> str:
    """`21 Nov 15:00 UTC`."""
    utc = at.astimezone(dt.UTC)
    return format_moment(utc, "j M " + ("H:i:s" if utc.second else "H:i")) + " UTC"


def late_by(draw: Draw, now: dt.datetime) -> str:
    """By how much an overdue draw is late; empty when it is not."""
    if not draw.is_overdue(now):
        return ""
    minutes = int((now - draw.draw_at).total_seconds() // 60)
    if minutes < 120:
        return ngettext("%(n)d minute late", "%(n)d minutes late", minutes) % {"n": minutes}
    hours = minutes // 60
    return _("%(n)d hours late") % {"n": hours} if hours < 48 else _("%(n)d days late") % {"n": hours // 24}
