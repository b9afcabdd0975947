"""The live topic of a draw: anybody may listen who may see its page."""

import datetime as dt

from draws.models import Draw
from notifications.live import make_token

DRAWN = "drawn"
"""The draw is made; with what is shown now (`services.reveal_of`), or how soon to ask for it."""
PHASE = "phase"
"""It stands otherwise than before: ask how."""


def topic_of(draw: Draw) -> str:
    """What a draw's page listens to."""
    return f"draw:{draw.slug}"


def token_of(draw: Draw, *, now: dt.datetime) -> str:
    """A token for the page of a public draw. Who waits for the winners is counted, and nobody is named."""
    topic = topic_of(draw)
    is_awaited = draw.phase(now) in ("closed", "frozen", "drawing")
    return make_token([topic], now, counted=[topic] if is_awaited else [])
