"""A year of monthly draws, and what their winners did: the figures that the analytics show."""

import calendar
import datetime as dt
import random

from config.demo.making import (
    DAY,
    HOUR,
    MINUTE,
    Won,
    cash,
    claim,
    credit,
    drawn,
    guest_entries,
    member_entries,
    thing,
    voucher,
)
from config.demo.people import MEMBERS, person
from draws import services as draws
from draws.kinds import KINDS
from draws.models import Award, Draw
from notifications.services import cancel_messages_about

MONTHS = 12
_THINGS = ("A bicycle", "A radio", "A lantern", "A football", "A kettle", "A tent")
_USED_AFTER = 3 * DAY


def seed_year(*, now: dt.datetime) -> None:
    """One draw in each of the twelve months before this one, in the order in which they took place."""
    rng = random.Random(2)
    for back in range(MONTHS, 0, -1):
        draw = _monthly_draw(now, back, rng)
        _settle(draw, rng, now=now)
        # Nobody is written to today about last winter.
        if draw.draw_at < now - 30 * DAY:
            cancel_messages_about(about=draw.about, kinds=[kind.name for kind in KINDS], by=None, now=now)
    draws.expire_awards(now=now)


def _monthly_draw(now: dt.datetime, back: int, rng: random.Random) -> Draw:
    year, month = divmod(now.year * 12 + now.month - 1 - back, 12)
    draw_at = dt.datetime(year, month + 1, 28, 16, tzinfo=dt.UTC)
    number = MONTHS - back
    members = rng.sample(range(MEMBERS), 40 + 5 * number)
    guests = rng.sample(range(MEMBERS, MEMBERS + 150), 6 + number)
    prizes: list[Won] = [
        cash("First prize", 15_000 + 1_000 * number),
        cash("Second prize", 2_500, 4, on_claim=True),
        credit("Support credits", 100, 4),
        voucher("Dinner for two", 2),
        thing(_THINGS[number % len(_THINGS)]),
    ]
    return drawn(
        title=f"Draw of the month, {calendar.month_name[month + 1]} {year}",
        description="Every month one draw for everybody who takes part.",
        prizes=prizes,
        entrants=[*member_entries(members), *guest_entries(guests)],
        draw_at=draw_at,
        open_for=20 * DAY,
    )


def _settle(draw: Draw, rng: random.Random, *, now: dt.datetime) -> None:
    """Most winners claim, some decline, some are too late; those promoted for them have their turn, and so on."""
    waiting = Award.objects.filter(about=draw.about, state=Award.State.CLAIMABLE)
    seen: set[int] = set()
    since = draw.draw_at
    while since < now and waiting.exists():
        for award in waiting.exclude(pk__in=seen).select_related("member").order_by("pk"):
            seen.add(award.pk)
            _answer(award, rng, at=award.created_at + HOUR * rng.choice((1, 2, 5, 9, 26, 50, 120)), now=now)
        since += draw.claim_days * DAY + 5 * MINUTE
        draws.expire_awards(now=min(since, now))


def _answer(award: Award, rng: random.Random, *, at: dt.datetime, now: dt.datetime) -> None:
    """What one winner does, if there was time for it: money is only had by those who have an account."""
    choice = rng.random()
    if at > now or choice < 0.12 or (award.unit and award.member is None):
        return
    if choice < 0.18:
        draws.decline_award(award=award, member=award.member, now=at)
        return
    award = claim(award, at=at)
    if (used_at := at + _USED_AFTER) > now:
        return
    if award.kind == Award.PHYSICAL:
        draws.mark_sent(award=award, note="Sent by parcel post", by=person("manager"), now=used_at)
    elif award.kind == Award.VOUCHER and choice > 0.4:
        code = award.voucher.code
        draws.redeem_voucher(code=code, by=person("manager"), note="Shown at the door", now=used_at)
