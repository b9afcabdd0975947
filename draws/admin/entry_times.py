"""When people entered one draw: what its page in the admin plots."""

import datetime as dt
from typing import Any

from django.core.cache import cache
from django.utils.translation import gettext as _

from draws.analytics import Period, Table, day_label, entries_per_day, entries_per_hour
from draws.models import Draw

_BY_HOUR = dt.timedelta(days=3)
_MOST_DAYS = 366
_KEPT_S = 60
_KEPT_FROZEN_S = 86_400


def entries_plot(draw: Draw, *, now: dt.datetime) -> dict[str, Any] | None:
    """Title, labels and series for `{% plot %}`: by hour for up to three days, else by day. None before it opens."""
    if draw.published_at is None or draw.opens_at >= now:
        return None
    until = min(now, draw.closes_at)
    is_short = until - draw.opens_at <= _BY_HOUR
    first = max(draw.opens_at, until - dt.timedelta(days=_MOST_DAYS)).astimezone(draw.zone).date()
    period = Period(first, until.astimezone(draw.zone).date(), draw.zone)
    # A million entries take half a second to count; once they are frozen they stay as they are.
    is_frozen = draw.manifest is not None
    key = f"draw:{draw.pk}:entry-times:{period.first}:{period.last}:{is_short:d}:{is_frozen:d}"
    kept_s = _KEPT_FROZEN_S if is_frozen else _KEPT_S
    if is_short:
        table = cache.get_or_set(key, lambda: entries_per_hour(period, draw_id=draw.pk), kept_s)
    else:
        table = cache.get_or_set(key, lambda: entries_per_day(period, draw_id=draw.pk), kept_s)
    assert isinstance(table, Table)
    rows = table.rows
    if is_short:
        rows = [row for row in rows if draw.opens_at - dt.timedelta(hours=1) < row[0] < until]
        labels = [row[0].strftime("%a %H:%M") for row in rows]
    else:
        labels = [day_label(row[0]) for row in rows]
    if not rows:
        return None
    return {
        "title": _("Entries by hour") if is_short else _("Entries by day"),
        "labels": labels,
        "series": [(_("Entries"), [row[1] for row in rows])],
        "label_title": table.columns[0],
    }
