"""The safety checklists: what must hold before a draw is published and before it is executed.

The admin sees the same list that the services hold to, each item with its state and what mends it.
"""

import datetime as dt
import zoneinfo
from dataclasses import dataclass

from django.utils.translation import gettext as _

from accounts.clocks import format_moment
from accounts.plain_text import unseen_in
from draws.models import Draw, Prize
from draws.models.draw import LEAST_WAIT_S, MOST_ALTERNATES, MOST_SLOTS
from draws.services.excluding import unfinished_excluded, why_not_excludable
from draws.services.funding import waiting_funds
from draws.services.randomness import why_not_available, why_not_promised
from payments.money import format_amount
from payments.pools import pool_balances


@dataclass(frozen=True, slots=True)
class Check:
    """One item: what is checked, whether it holds, what was seen, and what to do when it doesn't.

    `waits_for_second`: it will hold once a second person agrees to what is asked already.
    """

    key: str
    label: str
    ok: bool
    detail: str = ""
    mend: str = ""
    waits_for_second: bool = False


def publishing_checks(draw: Draw, *, now: dt.datetime) -> list[Check]:
    """What a draft needs before it can be published."""
    prizes = list(draw.prizes.all())
    least = dt.timedelta(seconds=draw.min_wait_s)
    checks = [
        _prizes_configured(prizes),
        *_within_bounds(draw, prizes),
        Check(
            "times",
            _("Times are in order"),
            draw.opens_at < draw.closes_at
            and draw.closes_at > now
            and draw.min_wait_s >= LEAST_WAIT_S
            and draw.draw_at >= draw.closes_at + least,
            mend=_(
                "Let entries open before they close, close them in the future, and draw at least "
                "%(seconds)d seconds after they close."
            )
            % {"seconds": max(draw.min_wait_s, LEAST_WAIT_S)},
        ),
        Check(
            "rules",
            _("Rules are written"),
            bool(draw.rules.strip()),
            mend=_("Write the rules: they are hashed when the draw is published."),
        ),
    ]
    if draw.excludes:
        mend = why_not_excludable(draw)
        checks.append(Check("excludes", _("The draws whose winners it skips"), not mend, mend=mend))
    mend = why_not_promised(draw)
    checks.append(Check("randomness", _("Where its number comes from"), not mend, mend=mend))
    checks += _pool_checks(draw, prizes)
    return checks


def execution_checks(draw: Draw, *, now: dt.datetime, by_hand: bool = False) -> list[Check]:
    """What must hold before a draw is executed, in the order in which the admin reads it.

    By hand it may be executed before its announced time, never before the least wait since the freeze is over.
    """
    prizes = list(draw.prizes.all())
    is_active = draw.status in (Draw.Status.ACTIVE, Draw.Status.EXECUTING)
    return [
        Check(
            "active",
            _("Exists and is active"),
            is_active,
            detail=draw.get_status_display(),
            mend=_("Publish the draw first.")
            if draw.status == Draw.Status.DRAFT
            else _("This draw is over."),
        ),
        Check(
            "cutoff",
            _("Cutoff has passed"),
            draw.closes_at <= now,
            mend=_("Wait until entries close, or freeze the draw now."),
        ),
        Check(
            "lock",
            _("Fairness lock is on"),
            draw.manifest is not None,
            detail=draw.manifest_sha256,
            mend=_("The freeze job runs every few seconds after the cutoff; “Freeze now” does it by hand."),
        ),
        _prizes_configured(prizes),
        *_pool_checks(draw, prizes),
        Check(
            "once",
            _("Not executed already"),
            draw.executed_at is None,
            mend=_("A draw is never drawn twice."),
        ),
        *_excluded_are_drawn(draw),
        _randomness_available(draw, now=now),
        _time_has_come(draw, now=now, by_hand=by_hand),
    ]


def _within_bounds(draw: Draw, prizes: list[Prize]) -> list[Check]:
    """What no form lets through, but other ways to make a draft might: shown only where it does not hold."""
    checks = []
    if (slots := sum(prize.quantity for prize in prizes)) > MOST_SLOTS or (draw.alternates or 0) > (
        MOST_ALTERNATES
    ):
        checks.append(
            Check(
                "size",
                _("The draw is of a size that can be proved"),
                False,
                detail=_("%(count)d in all") % {"count": slots},
                mend=_("Have at most %(slots)s prizes in all, and %(ranks)s extra ranks.")
                % {"slots": f"{MOST_SLOTS:,}", "ranks": f"{MOST_ALTERNATES:,}"},
            )
        )
    unseen = [text for text in (draw.title, *(prize.title for prize in prizes)) if unseen_in(text)]
    if unseen:
        checks.append(
            Check(
                "words",
                _("Titles are plain text"),
                False,
                detail=unseen_in(unseen[0]),
                mend=_("Write the titles of the draw and its prizes anew, on one line each."),
            )
        )
    return checks


def _prizes_configured(prizes: list[Prize]) -> Check:
    return Check(
        "prizes",
        _("Prizes are configured"),
        bool(prizes) and all(not prize.unit or prize.amount for prize in prizes),
        detail=_("%(count)d in all") % {"count": sum(prize.quantity for prize in prizes)},
        mend=_("Add at least one prize, with an amount if it is cash, credits or points."),
    )


def _pool_checks(draw: Draw, prizes: list[Prize]) -> list[Check]:
    """One check a unit: what the pool has set aside and what is free in it cover the prizes."""
    needed: dict[str, int] = {}
    for prize in prizes:
        if prize.unit:
            needed[prize.unit] = needed.get(prize.unit, 0) + prize.amount * prize.quantity
    balances = pool_balances(draw.pool)
    held = {unit: balances[unit].reserved + balances[unit].free if unit in balances else 0 for unit in needed}
    is_short = any(held[unit] < amount for unit, amount in needed.items())
    waiting = waiting_funds(draw) if is_short else {}
    checks = []
    for unit, amount in sorted(needed.items()):
        there, coming = held[unit], waiting.get(unit, 0)
        short = max(amount - there - coming, 0)
        checks.append(
            Check(
                f"pool:{unit}",
                _("Pool balance covers the total (%(unit)s)") % {"unit": unit},
                there >= amount,
                detail=_("%(there)s of %(needed)s")
                % {"there": format_amount(there, unit), "needed": format_amount(amount, unit)},
                mend=_mend_of_pool(unit, short=short, coming=coming),
                waits_for_second=there < amount and not short,
            )
        )
    return checks


def _mend_of_pool(unit: str, *, short: int, coming: int) -> str:
    waits = _("%(coming)s waits for a second admin.") % {"coming": format_amount(coming, unit)}
    if not short:
        return waits
    fund = _("Fund the pool with %(short)s more.") % {"short": format_amount(short, unit)}
    return f"{fund} {waits}" if coming else fund


def _randomness_available(draw: Draw, *, now: dt.datetime) -> Check:
    label = _("Randomness is available")
    # What comes from outside, time brings; a secret that can't be read is a fault.
    comes_by_itself = draw.source_types != ["commit"]
    key = "randomness:outside" if comes_by_itself else "randomness"
    if mend := why_not_available(draw, now=now):
        return Check(key, label, False, mend=mend)
    fits = _("the secret fits the published commitment")
    return Check(key, label, True, detail=fits if draw.commitment else _("collected"))


def _excluded_are_drawn(draw: Draw) -> list[Check]:
    """One check where other draws' winners are skipped: who they are must be known."""
    if not draw.excludes:
        return []
    waiting = unfinished_excluded(draw)
    return [
        Check(
            "excludes",
            _("The draws whose winners it skips are over"),
            not waiting,
            mend=_("Wait until “%(draw)s” is drawn.") % {"draw": waiting[0]} if waiting else "",
        )
    ]


def _time_has_come(draw: Draw, *, now: dt.datetime, by_hand: bool) -> Check:
    earliest = draw.draw_at
    if by_hand and draw.frozen_at is not None:
        earliest = min(earliest, draw.frozen_at + dt.timedelta(seconds=draw.min_wait_s))
    return Check(
        "time",
        _("Its time has come"),
        earliest <= now,
        detail=_moment(earliest, draw),
        mend=_("Wait: the time between freeze and draw is what lets anyone check the promise beforehand."),
    )


def _moment(at: dt.datetime, draw: Draw) -> str:
    """On the clock that the draw is announced by."""
    local = at.astimezone(zoneinfo.ZoneInfo(draw.time_zone))
    return format_moment(local, "D j M Y, H:i:s T" if local.second else "D j M Y, H:i T")
