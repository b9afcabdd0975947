"""Notices bound to a draw's times: planned when it is published, moved with it, taken back when it does not come."""

import datetime as dt

from accounts.models import User
from draws.models import Draw
from draws.services.telling import tell
from notifications.services import cancel_messages_about
from notifications.services.sequences import end_about

REMINDERS = ("draws.entries_close_soon", "draws.draw_soon")
CLOSE_SOON = dt.timedelta(days=1)
DRAW_SOON = dt.timedelta(hours=1)


def plan_reminders(draw: Draw, *, now: dt.datetime) -> None:
    """Queue what is still ahead. A draw open for less than a day is not announced as closing soon."""
    version = draw.changes.count()
    close_soon = draw.closes_at - CLOSE_SOON
    if draw.frozen_at is None and close_soon > max(now, draw.opens_at):
        tell(
            draw=draw,
            kind="draws.entries_close_soon",
            context={"closes_at": draw.closes_at},
            idem_key=f"draw:{draw.public_id}:close-soon:{version}",
            not_before=close_soon,
            expires_at=draw.closes_at,
            now=now,
        )
    draw_soon = draw.draw_at - DRAW_SOON
    if draw_soon > now:
        tell(
            draw=draw,
            kind="draws.draw_soon",
            context={"draw_at": draw.draw_at},
            idem_key=f"draw:{draw.public_id}:draw-soon:{version}",
            not_before=draw_soon,
            expires_at=draw.draw_at,
            now=now,
        )


def move_reminders(draw: Draw, *, by: User | None, now: dt.datetime) -> None:
    """Take back every reminder that names the old times, also out of inboxes, and plan them anew.

    The change is on record by then (`note_change`): the new ones are told from the old by its number.
    """
    cancel_messages_about(about=draw.about, kinds=REMINDERS, by=by, now=now)
    plan_reminders(draw, now=now)


def cancel_reminders(draw: Draw, *, by: User | None, now: dt.datetime, sent_too: bool = False) -> None:
    """Say none of them any more; with `sent_too` those in inboxes vanish as well: the draw does not come."""
    cancel_messages_about(about=draw.about, kinds=REMINDERS, by=by, now=now, sent_too=sent_too)
    if sent_too:
        end_about(about=draw.about, now=now)
