"""Where a draw stands, in sentences a person can act on: what happened, and what to do or that there is nothing to do.

The checklist beside it says what must hold before the next step; this says what the step that was made means.
"""

import datetime as dt
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

from django.db.models import Q
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from draws.admin.clocks import in_zone, late_by
from draws.models import Award, Draw, Winner
from draws.services.history import SEALED_WITHIN
from payments.money import format_amount
from payments.pools import pool_balances

_ICONS = {"good": "check_circle", "wait": "schedule", "bad": "error"}


@dataclass(frozen=True)
class Situation:
    """One thing to know: a heading, a sentence or two, and whether it is in order, waits, or needs somebody."""

    title: str
    text: str
    tone: str = "good"

    @property
    def icon(self) -> str:
        """Its icon; the heading says the same, for those who don't see it."""
        return _ICONS[self.tone]


def situation_of(
    draw: Draw, *, items: Iterable[Any], entries: int, tickets: int, slots: int, now: dt.datetime
) -> list[Situation]:
    """What is to be told of a draw now, the most important first; `items` is its checklist."""
    phase = draw.phase(now)
    if phase == "draft":
        return [_draft(sum(item.state == "missing" for item in items))]
    if phase == "void":
        return [
            Situation(
                _("Nobody entered"),
                _(
                    "The draw is void: nothing was drawn, and everything in its pool went back to the funder. "
                    "To try again, make a new draw and leave more time for entries."
                ),
                "wait",
            )
        ]
    if phase == "cancelled":
        return [_cancelled(draw)]
    if phase == "completed":
        return [*_drawn(draw, entries=entries, tickets=tickets, slots=slots, now=now)]
    told = [_before_the_draw(draw, phase, entries=entries, now=now)]
    told += _who_is_in(entries=entries, tickets=tickets, slots=slots, is_open=phase in ("upcoming", "open"))
    return told


def _draft(missing: int) -> Situation:
    if not missing:
        return Situation(
            _("Ready to be published"),
            _("Everything it needs is there. “Publish” opens it to the world; until then nobody sees it."),
            "wait",
        )
    return Situation(
        _("Not published"),
        ngettext(
            "%(n)d thing is missing before it can be published: the checklist below names it, and what mends it.",
            "%(n)d things are missing before it can be published: the checklist below names them, and what mends them.",
            missing,
        )
        % {"n": missing},
        "wait",
    )


def _cancelled(draw: Draw) -> Situation:
    if draw.published_at is None:
        return Situation(
            _("Dropped as a draft"), _("It was never published; what was in its pool went back.")
        )
    text = _(
        "It will never be drawn. Everything in its pool went back, and whoever had entered was told why."
    )
    if draw.manifest is not None:
        text += " " + _(
            "Its entries were sealed already: the list and its manifest stay published, so that anyone can see that "
            "nobody drew from them."
        )
    return Situation(_("Cancelled"), text, "wait")


def _before_the_draw(draw: Draw, phase: str, *, entries: int, now: dt.datetime) -> Situation:
    closes, draws = in_zone(draw.closes_at, draw.zone), in_zone(draw.draw_at, draw.zone)
    match phase:
        case "upcoming":
            opens = in_zone(draw.opens_at, draw.zone)
            return Situation(
                _("Not open yet"), _("Entries open by themselves on %(at)s. Nothing to do.") % {"at": opens}
            )
        case "open" if not entries:
            return Situation(
                _("Nobody has entered yet"),
                _(
                    "Entries are open until %(at)s. If nobody enters by then, the draw is void and its prizes go back: "
                    "announce it, or import entrants."
                )
                % {"at": closes},
                "wait",
            )
        case "open":
            return Situation(
                _("Entries are open"),
                _("They close and are sealed by themselves on %(at)s. Nothing to do.") % {"at": closes},
            )
        case "closed":
            return _closed(draw, now=now)
        case "frozen":
            return Situation(
                _("Entries are sealed"),
                _(
                    "Whoever pressed the button before the cutoff is in the list; everybody later was refused. It is drawn "
                    "by itself on %(at)s. Nothing to do."
                )
                % {"at": draws},
            )
    if not draw.is_overdue(now):
        return Situation(
            _("Being drawn"), _("Its time has come; the job draws it within seconds. Nothing to do."), "wait"
        )
    text = _(
        "It was due on %(at)s and is %(late)s. It is caught up by itself, with the same winners, as soon as what is "
        "missing in the checklist is there and the site's jobs run; “Scheduled jobs” on the admin's home says whether "
        "they do, and “Execute now” draws it by hand."
    ) % {"at": draws, "late": late_by(draw, now)}
    return Situation(_("Overdue"), text, "bad")


def _closed(draw: Draw, *, now: dt.datetime) -> Situation:
    if draw.execution_error or draw.closes_at < now - SEALED_WITHIN:
        return Situation(
            _("Closed, and not sealed yet"),
            _(
                "Nobody can enter any more, and no entry is lost. The freeze is tried again by itself while the site's jobs "
                "run (“Scheduled jobs” on the admin's home says whether they do); “Freeze now” does it by hand. If it comes "
                "late, the draw moves so that the least wait holds."
            ),
            "bad",
        )
    return Situation(
        _("Entries are closed"),
        _(
            "The list is sealed by itself within seconds. An entry that was being made at the cutoff is waited for: it is in "
            "the list, or it was refused. Nothing to do."
        ),
        "wait",
    )


def _who_is_in(*, entries: int, tickets: int, slots: int, is_open: bool) -> Iterator[Situation]:
    """What few entrants mean, while there is still something to be done about it."""
    if not entries or entries >= slots:
        return
    left = slots - entries
    if entries == 1:
        title = _("Only one person is in")
        text = _("All %(tickets)s tickets are theirs, and they win one prize, whatever the number is.") % {
            "tickets": f"{tickets:,}"
        }
    else:
        title = _("Fewer entrants than prizes")
        text = _("%(entries)s people are in for %(slots)s prizes: each wins one.") % {
            "entries": f"{entries:,}",
            "slots": f"{slots:,}",
        }
    text += " " + ngettext(
        "%(n)s prize will have no winner, and goes where the leftover policy says.",
        "%(n)s prizes will have no winner, and go where the leftover policy says.",
        left,
    ) % {"n": f"{left:,}"}
    if is_open:
        text += " " + _("More people may still enter.")
    yield Situation(title, text, "wait")


def _drawn(draw: Draw, *, entries: int, tickets: int, slots: int, now: dt.datetime) -> Iterator[Situation]:
    if draw.vacant_slots:
        yield Situation(
            _("Alternates are used up"),
            ngettext(
                "%(n)d prize waits for a winner, and no drawn rank is left. “Extend ranks” goes on with the same published "
                "sequence; “Close vacancies” gives it to nobody.",
                "%(n)d prizes wait for winners, and no drawn rank is left. “Extend ranks” goes on with the same published "
                "sequence; “Close vacancies” gives them to nobody.",
                draw.vacant_slots,
            )
            % {"n": draw.vacant_slots},
            "bad",
        )
    standing = Winner.objects.filter(draw=draw, state__in=Winner.STANDING)
    left = slots - standing.count() - draw.vacant_slots
    if left > 0:
        yield _without_winner(draw, left, entries=entries, tickets=tickets)
    yield from _erased(draw)
    if draw.executed_at is not None and draw.is_late_by(draw.executed_at):
        yield Situation(
            _("Drawn later than announced"),
            _(
                "It was due on %(due)s and drawn on %(drawn)s, with the winners it would have had in time. Nothing to do "
                "about the draw; if it was not on purpose, find out why the site's jobs did not run."
            )
            % {
                "due": in_zone(draw.draw_at, draw.zone),
                "drawn": in_zone(draw.executed_at, draw.zone),
            },
            "wait",
        )
    waiting = standing.filter(award__state=Award.State.CLAIMABLE).count()
    if waiting:
        yield Situation(
            _("Drawn; prizes wait to be claimed"),
            ngettext(
                "%(n)d winner has not claimed yet. They are reminded by themselves; a prize not claimed in time goes to the "
                "next rank.",
                "%(n)d winners have not claimed yet. They are reminded by themselves; a prize not claimed in time goes to "
                "the next rank.",
                waiting,
            )
            % {"n": waiting},
        )
    elif not draw.vacant_slots:
        yield Situation(_("Drawn"), _("Every prize that has a winner is claimed or paid. Nothing to do."))


def _without_winner(draw: Draw, left: int, *, entries: int, tickets: int) -> Situation:
    """Slots that nobody will have: too few people, or an admin closed them."""
    title = ngettext("%(n)d prize went to nobody", "%(n)d prizes went to nobody", left) % {"n": left}
    if draw.vacancies_closed_at is not None:
        text = _("Its vacancies were closed by hand on %(at)s.") % {
            "at": in_zone(draw.vacancies_closed_at, draw.zone)
        }
    elif entries == 1:
        text = _("One person held all %(tickets)s tickets, and nobody wins twice in a draw.") % {
            "tickets": f"{tickets:,}"
        }
    else:
        text = _("Everybody who entered has been drawn (%(n)s people), and nobody wins twice in a draw.") % {
            "n": f"{entries:,}"
        }
    free = [
        format_amount(held.free, unit) for unit, held in sorted(pool_balances(draw.pool).items()) if held.free
    ]
    if free:
        text += " " + _("%(free)s lies free in the pool: “Return money” sends it back.") % {
            "free": ", ".join(free)
        }
    elif draw.leftover_policy == Draw.Leftover.RETURNS:
        text += " " + _("What they were worth went back to the funder. Nothing to do.")
    else:
        text += " " + _("Nothing to do.")
    return Situation(title, text, "wait")


def _erased(draw: Draw) -> Iterator[Situation]:
    """Prizes whose winners have left the site for good before they claimed."""
    gone = Winner.objects.filter(
        draw=draw, state__in=Winner.STANDING, award__state=Award.State.CLAIMABLE
    ).filter(Q(award__identity=None), Q(award__member=None) | Q(award__member__is_active=False))
    for slot, until in gone.order_by("slot").values_list("slot", "award__claim_until"):
        yield Situation(
            _("A winner has erased their account"),
            _(
                "Nobody can claim the prize of slot %(slot)d any more. It is forfeited by itself on %(at)s and goes to the "
                "next rank; “Replace winner” on the page of the prize does it at once."
            )
            % {"slot": slot + 1, "at": in_zone(until, draw.zone) if until else "—"},
            "wait",
        )
