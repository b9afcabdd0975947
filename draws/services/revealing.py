"""The winners of a draw that has just been made, one after another, on every page that is open.

Nobody has to be told anything for it to be right: pages that ask get the same from PostgreSQL. What is told here spares them
the asking, and brings it to all of them at once.
"""

import datetime as dt
from typing import Any

from django.conf import settings
from django.db import transaction
from django.utils import translation

from draws.models import Draw, Winner
from draws.reveal import MOST_SHOWN, schedule_of
from draws.topics import DRAWN, PHASE, topic_of
from notifications.live import fits, publish
from payments.money import format_amount

_SHOWN = (
    *("slot", "ticket", "draw_id", "entry__pid", "entry__member__display_name", "entry__member__shows_name"),
    *("prize__draw_id", "prize__title", "prize__kind", "prize__amount"),
)
_ASK_WITHIN_S = 3
"""Over which pages ask that could not be told all of it: within the lead."""


def reveal_of(draw: Draw, *, now: dt.datetime) -> dict[str, Any] | None:
    """What pages need to show the winners at their times, while that goes on; else None. Times are milliseconds since 1970.

    Names nobody otherwise than the page of results does. `winners` stand in the order in which they are shown.
    """
    if draw.status != Draw.Status.COMPLETED or draw.executed_at is None:
        return None
    longest = schedule_of(executed_at=draw.executed_at, count=MOST_SHOWN)
    if now >= longest.ends_at:
        return None
    standing = Winner.objects.filter(draw=draw, state__in=Winner.STANDING)
    first = list(
        standing.select_related("entry__member", "prize").only(*_SHOWN).order_by("slot")[: MOST_SHOWN + 1]
    )
    more = standing.count() - MOST_SHOWN if len(first) > MOST_SHOWN else 0
    shown = first[:MOST_SHOWN]
    if not shown:
        return None
    schedule = schedule_of(executed_at=draw.executed_at, count=len(shown))
    if now >= schedule.ends_at:
        return None
    return {
        "begins_at": _milliseconds(schedule.begins_at),
        "step": schedule.step // dt.timedelta(milliseconds=1),
        "more": more,
        "winners": [_row(draw, winner) for winner in reversed(shown)],
    }


def tell_drawn(draw_id: int, now: dt.datetime) -> None:
    """Tell open pages that the draw is made, and who won; call it after the commit."""
    draw = Draw.objects.get(pk=draw_id)
    with translation.override(settings.LANGUAGE_CODE):
        reveal = reveal_of(draw, now=now)
    if reveal is None:
        publish(topic_of(draw), PHASE, {"spread": _ASK_WITHIN_S})
        return
    data = {"reveal": reveal}
    publish(topic_of(draw), DRAWN, data if fits(data) else {"spread": _ASK_WITHIN_S})


def tell_phase(draw: Draw, *, spread: int = 10) -> None:
    """Tell open pages, once this is committed, to ask within `spread` seconds how the draw stands."""
    # No partial: Django asks what fails for its name, and a partial has none.
    transaction.on_commit(lambda: publish(topic_of(draw), PHASE, {"spread": spread}), robust=True)


def _row(draw: Draw, winner: Winner) -> dict[str, Any]:
    prize = winner.prize
    prize.draw = draw  # its unit is the draw's, which is at hand
    return {
        "slot": winner.slot,
        "name": winner.display_name,
        "pid": winner.entry.pid_hex[:12],
        "ticket": winner.ticket,
        "prize": prize.title,
        "amount": format_amount(prize.amount, prize.unit) if prize.unit else "",
    }


def _milliseconds(at: dt.datetime) -> int:
    return int(at.timestamp() * 1000)
