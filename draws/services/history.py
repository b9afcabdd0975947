"""What became of a draw's announcement: every change with its time and reason, and why it waits; for everybody."""

import datetime as dt
from dataclasses import dataclass
from typing import Any

from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from accounts.clocks import format_moment
from accounts.models import User
from draws.models import CalledOff, Draw, DrawChange
from draws.services.randomness import why_not_available
from draws.vwd1 import format_time, parse_time


@dataclass(frozen=True, slots=True)
class Note:
    """One thing to know about a draw: a heading, sentences, the moment (None: now), and what was before and after."""

    title: str
    text: str
    at: dt.datetime | None = None
    fields: tuple[tuple[str, str, str], ...] = ()


SEALED_WITHIN = dt.timedelta(minutes=5)
"""After the cutoff; later than that something is wrong."""

FIELD_WORDS = {
    "title": gettext_lazy("Title"),
    "description": gettext_lazy("Description"),
    "rules": gettext_lazy("Rules"),
    "opens_at": gettext_lazy("Entries open"),
    "closes_at": gettext_lazy("Entries close"),
    "draw_at": gettext_lazy("Draw time"),
    "prizes": gettext_lazy("Prizes"),
    "prize_details": gettext_lazy("Terms of prizes"),
}


def note_change(
    *,
    draw: Draw,
    kind: str,
    by: User | None,
    now: dt.datetime,
    reason: str = "",
    fields: dict[str, list[str]] | None = None,
) -> DrawChange:
    """Write down that a published draw came otherwise than announced. The caller holds the draw's row."""
    return DrawChange.objects.create(
        draw=draw,
        number=draw.changes.count() + 1,
        kind=kind,
        reason=reason[:500],
        fields=fields or {},
        by=by,
        at=now,
    )


def moved(before: dict[str, dt.datetime], draw: Draw) -> dict[str, list[str]]:
    """Of these times of a draw, those that are others now, as `note_change` takes them."""
    return {
        name: [format_time(at), format_time(getattr(draw, name))]
        for name, at in before.items()
        if at != getattr(draw, name)
    }


def story_of(draw: Draw, *, now: dt.datetime) -> list[Note]:
    """What is to be told of a draw that did not go as announced; the newest first. Empty for most."""
    notes = [note for note in (_waiting_note(draw, now),) if note is not None]
    notes += [_note_of(change) for change in draw.changes.order_by("-number")]
    if draw.executed_at is not None and draw.is_late_by(draw.executed_at):
        notes.append(
            Note(
                _("Drawn later than announced"),
                _(
                    "It was due at the announced time and was made as soon as everything it needs was there. When "
                    "it is made changes nothing about who wins."
                ),
                draw.executed_at,
            )
        )
    return notes


def shown_phase(draw: Draw, *, now: dt.datetime) -> str:
    """The phase as people are shown it: `waiting` instead of `drawing` while its number is not there."""
    phase = draw.phase(now)
    return "waiting" if phase == "drawing" and _why_no_number(draw, now) else phase


def _why_no_number(draw: Draw, now: dt.datetime) -> str:
    """What keeps a draw waiting whose time has come and whose number comes from outside."""
    if draw.is_finished or draw.manifest is None or draw.draw_at > now or draw.source_types == ["commit"]:
        return ""
    return why_not_available(draw, now=now)


def _waiting_note(draw: Draw, now: dt.datetime) -> Note | None:
    if draw.is_finished or draw.published_at is None:
        return None
    if draw.manifest is None:
        if draw.closes_at >= now - SEALED_WITHIN:
            return None
        return Note(
            _("Not sealed yet"),
            _(
                "Entries are closed, and the list should have been sealed by now. The site tries again by itself: "
                "nobody can enter any more, and nobody who has entered is lost."
            ),
        )
    if draw.draw_at > now:
        return None
    if missing := _why_no_number(draw, now):
        return Note(_("Waiting for its number"), missing + " " + _("No other number is ever taken instead."))
    if draw.is_overdue(now):
        return Note(
            _("Overdue"),
            _(
                "The draw should have been made by now. The site tries again by itself, with the same entries and the "
                "same number: whenever it is made, the same people win."
            ),
        )
    return None


def _shown(draw: Draw, name: str, text: str) -> str:
    """A time as clocks in the draw's zone show it; other values as they are."""
    if not name.endswith("_at"):
        return text
    at = dt.datetime.fromtimestamp(parse_time(text), draw.zone)
    return format_moment(at, "D j M Y, H:i:s T" if at.second else "D j M Y, H:i T")


def _what_is_left(draw: Draw) -> str:
    """What there is to be said of a cancelled draw's entries."""
    if draw.frozen_at is None:
        return _("Nothing was drawn.")
    if CalledOff.objects.filter(draw=draw).exists():
        return _(
            "Its entries were sealed already: two organisers agreed, and what it would have drawn is published."
        )
    return _("Its entries were sealed already; they will never be drawn from.")


def _note_of(change: DrawChange) -> Note:
    words: dict[str, tuple[Any, Any]] = {
        DrawChange.Kind.CHANGED: (_("Changed by the organiser"), change.reason),
        DrawChange.Kind.CLOSED_EARLY: (_("Entries closed early"), change.reason),
        DrawChange.Kind.FROZEN_LATE: (
            _("Frozen later than announced"),
            _(
                "Entries closed when they should, but the list was sealed late. The draw moved where that was needed "
                "to keep the least time between sealing and drawing, in which anyone can check the promise."
            ),
        ),
        DrawChange.Kind.CANCELLED: (_("Cancelled"), change.reason),
        DrawChange.Kind.VOID: (_("Void"), _("Nobody entered, so nothing was drawn; the prizes went back.")),
    }
    title, text = words[change.kind]
    if change.kind == DrawChange.Kind.CANCELLED:
        text = f"{text} {_what_is_left(change.draw)}"
    fields = tuple(
        (
            str(FIELD_WORDS.get(name, name)),
            _shown(change.draw, name, before),
            _shown(change.draw, name, after),
        )
        for name, (before, after) in change.fields.items()
    )
    return Note(title, text, change.at, fields)
