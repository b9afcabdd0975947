"""Live topics: of a draw, for whoever may see its page, and of an uploaded file, for staff who may look at it."""

import datetime as dt

from draws.models import Draw
from notifications.live import make_token

DRAWN = "drawn"
"""The draw is made; with what is shown now (`services.reveal_of`), or how soon to ask for it."""
PROGRESS = "progress"
"""The import of a file is further than before, or over: ask how far."""
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


def import_topic(upload_id: int) -> str:
    """What the page of an uploaded file listens to while it is imported."""
    return f"import:{upload_id}"


def import_token(upload_id: int, *, now: dt.datetime) -> str:
    """A token for the page of a file, for who may look at it."""
    return make_token([import_topic(upload_id)], now)
