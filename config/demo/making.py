"""Making the demo's draws: prizes, money, publishing, entrants, and drawing those that are over.

The services take `now` from whoever calls, so a draw of last year is published, frozen and drawn by the same code, on
its own day. Only the cutoff is held by the clock of PostgreSQL, which nobody can turn: entrants of a draw that has
closed are staged and inserted as `draws.services.raffles` does it, without asking that clock.
"""

import datetime as dt
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from django.db import transaction
from django.utils.text import slugify

from config.demo.people import guest_email, member_email, member_name, person
from draws import services as draws
from draws.models import Award, Draw, Entry, Prize
from draws.services.staging import NewEntry, copy_into_stage, create_stage, insert_staged
from notifications.services import cancel_messages_about
from payments.approvals import approve

RULES = (
    "One person, one entry; imported entrants hold the tickets the organiser gave them.\n"
    "Winners are drawn by the site at the announced time, by the published method vwd1, once.\n"
    "Cash and credits that are paid at once are in the winner's wallet with the draw; other prizes wait to be claimed. "
    "Whoever has no account opens the link in the mail, and for money signs up with the address that won.\n"
    "A prize that is declined, or not claimed in time, goes to the next rank."
)
_TERMS = {
    Prize.Kind.VOUCHER: "Good for two people, any evening but Friday. Show the code before you order.",
    Prize.Kind.PHYSICAL: "We send it free of charge within two weeks.",
}
MINUTE, HOUR, DAY = dt.timedelta(minutes=1), dt.timedelta(hours=1), dt.timedelta(days=1)


@dataclass(frozen=True)
class Won:
    """A prize of a demo draw: `amount` in minor units, 0 for vouchers and things."""

    title: str
    kind: Prize.Kind
    amount: int = 0
    quantity: int = 1
    pays: Prize.Pays = Prize.Pays.AT_ONCE


def cash(title: str, amount: int, quantity: int = 1, *, on_claim: bool = False) -> Won:
    """Money, in whole shillings."""
    pays = Prize.Pays.ON_CLAIM if on_claim else Prize.Pays.AT_ONCE
    return Won(title, Prize.Kind.CASH, amount * 100, quantity, pays)


def credit(title: str, amount: int, quantity: int = 1, *, on_claim: bool = False) -> Won:
    """Credits."""
    pays = Prize.Pays.ON_CLAIM if on_claim else Prize.Pays.AT_ONCE
    return Won(title, Prize.Kind.CREDITS, amount, quantity, pays)


def voucher(title: str, quantity: int = 1) -> Won:
    """A voucher, shown as a code to whoever claims it."""
    return Won(title, Prize.Kind.VOUCHER, quantity=quantity)


def thing(title: str, quantity: int = 1) -> Won:
    """A thing that is sent to an address."""
    return Won(title, Prize.Kind.PHYSICAL, quantity=quantity)


def draft(*, title: str, prizes: Sequence[Won], **fields: Any) -> Draw:
    """A draw with its prizes, not published; `fields` are those of `Draw`."""
    draw = Draw.objects.create(title=title, slug=slugify(title), **({"rules": RULES} | fields))
    Prize.objects.bulk_create(
        Prize(
            draw=draw,
            title=prize.title,
            kind=prize.kind,
            amount=prize.amount,
            quantity=prize.quantity,
            pays=prize.pays,
            position=position,
            terms=_TERMS.get(prize.kind, ""),
        )
        for position, prize in enumerate(prizes, start=1)
    )
    return draw


def published(*, now: dt.datetime, **fields: Any) -> Draw:
    """A draw that was funded and published at `now`; Finance agreed to what is above the limit for one person."""
    draw, admin = draft(**fields), person("admin")
    for unit, total in sorted(draws.prize_totals(draw).items()):
        outcome = draws.fund_draw(
            draw=draw,
            unit=unit,
            amount=total,
            by=admin,
            reason="Prize money of the demo",
            idem_key=f"demo:{draw.slug}:{unit}",
            now=now,
        )
        if outcome.approval is not None:
            note = "Within the budget of the demo"
            approve(approval=outcome.approval, by=person("finance"), note=note, now=now)
    return draws.publish_draw(draw=draw, by=admin, now=now)


def member_entries(numbers: Iterable[int]) -> list[NewEntry]:
    """These members with one ticket each."""
    return [NewEntry(member_email(number), 1, member_name(number)) for number in numbers]


def guest_entries(numbers: Iterable[int]) -> list[NewEntry]:
    """These people without an account, with one to three tickets."""
    return [NewEntry(guest_email(number), 1 + number % 3, member_name(number)) for number in numbers]


@transaction.atomic
def enter_then(draw: Draw, people: Iterable[NewEntry], *, at: dt.datetime) -> None:
    """Enter people into a draw at a moment that has passed."""
    create_stage()
    copy_into_stage(scope=str(draw.scope), rows=enumerate(people, start=1))
    insert_staged(draw=draw, source=Entry.Source.IMPORT, now=at)


def drawn(*, entrants: Sequence[NewEntry], draw_at: dt.datetime, **fields: Any) -> Draw:
    """A draw that was open for a week, with people entering all along, and was drawn at its time."""
    draw = frozen(entrants=entrants, draw_at=draw_at, **fields)
    draws.execute_draw(draw_id=draw.pk, now=draw.draw_at)
    draw.refresh_from_db()
    # The site sends today what is queued here, and after a draw nobody needs to hear that it is going to be.
    cancel_messages_about(about=draw.about, kinds=["draws.entries_frozen"], by=None, now=draw.draw_at)
    return draw


def frozen(
    *,
    entrants: Sequence[NewEntry],
    draw_at: dt.datetime,
    open_for: dt.timedelta = 7 * DAY,
    waits: dt.timedelta = HOUR,
    **fields: Any,
) -> Draw:
    """A draw whose entries closed and were sealed `waits` before its time."""
    draw_at = draw_at.replace(microsecond=0)
    closes_at = draw_at - waits
    opens_at = closes_at - open_for
    draw = published(now=opens_at, opens_at=opens_at, closes_at=closes_at, draw_at=draw_at, **fields)
    batches = min(8, len(entrants))
    for number in range(batches):
        at = opens_at + (open_for * (2 * number + 1)) / (2 * batches)
        enter_then(draw, entrants[number::batches], at=at)
    sealed = draws.freeze_draw(draw_id=draw.pk, now=draw.closes_at)
    assert sealed is not None
    return sealed


def claim(award: Award, *, at: dt.datetime) -> Award:
    """Claim a prize as its winner would: with an account, or by the link in the mail."""
    address = None
    if award.kind == Award.PHYSICAL:
        address = draws.Address(
            name=award.winner.entry.name,
            street="1 Example Street",
            city="Nairobi",
            postcode="00100",
            country="KE",
            phone="+254700000000",
        )
    return draws.claim_award(award=award, member=award.member, address=address, now=at)


def award_in_slot(draw: Draw, slot: int) -> Award:
    """The award of whoever holds the slot now."""
    return Award.objects.filter(winner__draw=draw, winner__slot=slot).latest("pk")
