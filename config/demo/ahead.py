"""Draws that are still to come: some within minutes, for whoever tries the demo, the others open, waiting or drafts."""

import datetime as dt
import io
from collections.abc import Iterator
from pathlib import Path

from django.conf import settings
from django.contrib.auth.models import Group

from accounts.models import User
from config.demo.making import (
    DAY,
    HOUR,
    MINUTE,
    Won,
    cash,
    credit,
    draft,
    guest_entries,
    member_entries,
    published,
    thing,
    voucher,
)
from config.demo.people import DOMAIN, MEMBERS, VOLUNTEERS, guest_email, member_email, member_name, person
from draws import services as draws
from draws.models import Draw, EntryImport, Prize
from draws.services.staging import NewEntry
from payments.adjustments import adjust_wallet

ENTRANTS = 500
QUICK = 10 * MINUTE
"""How long a visitor has to enter the draws that are made for them alone."""


def seed_for_visitors(*, now: dt.datetime) -> None:
    """Draws in which a visitor wins for certain, so that they can live through it."""
    for title, prize in (
        ("Welcome drink", voucher("A drink at the bar")),
        ("Welcome parcel", thing("A tin of tea")),
    ):
        published(
            title=title,
            description="Nobody is in it yet. Whoever enters alone wins for certain; for everybody who tries this demo.",
            prizes=[prize],
            opens_at=now - HOUR,
            closes_at=now + QUICK,
            draw_at=now + QUICK + MINUTE,
            min_wait_s=30,
            now=now,
        )
    rigged = published(
        title="Alice against Bob",
        description=(
            "Rigged, so that the demo has a story to tell: Alice holds a million tickets, Bob one. Sign in "
            "as Alice and decline the prize; then it is Bob's."
        ),
        prizes=[voucher("Breakfast in bed")],
        opens_at=now - HOUR,
        closes_at=now + 2 * MINUTE,
        draw_at=now + 3 * MINUTE,
        min_wait_s=30,
        now=now,
    )
    alice, bob = (person(name) for name in ("alice", "bob"))
    tickets = [NewEntry(alice.email, 10**6, alice.display_name), NewEntry(bob.email, 1, bob.display_name)]
    draws.add_entries(draw=rigged, entries=tickets, now=now)
    published(
        title="Whenever you like",
        description=(
            "Open for a month. The organiser closes it with “Freeze now”, and half a minute later draws it with "
            "“Execute now”: both are on the draw's page in the admin."
        ),
        prizes=[cash("Whatever you like", 1_000, on_claim=True), credit("Credits", 20, 2, on_claim=True)],
        opens_at=now - HOUR,
        closes_at=now + 30 * DAY,
        draw_at=now + 30 * DAY + HOUR,
        min_wait_s=30,
        now=now,
    )


def seed_open(*, now: dt.datetime) -> None:
    """Draws that take entries now, or will: for everybody, for a group, from an age on, in some countries."""
    coast = _opened(
        "Weekend at the coast",
        "Two nights in Diani for two, and travel money for those who nearly made it.",
        [thing("Two nights in Diani"), cash("Travel money", 10_000, 3)],
        since=now - 6 * DAY,
        until=now + 3 * DAY,
    )
    entrants = [*member_entries(range(1, 90)), *guest_entries(range(MEMBERS, MEMBERS + 40))]
    for number in range(12):
        at = now - 6 * DAY + number * 11 * HOUR
        draws.add_entries(draw=coast, entries=entrants[number::12], now=at)
    draws.change_draw(
        draw=coast,
        changes=draws.DrawChanges(
            closes_at=coast.closes_at + DAY,
            draw_at=coast.draw_at + DAY,
            prizes=[
                draws.PrizeTerms(title="Two nights in Diani", kind=Prize.Kind.PHYSICAL, code="p1"),
                draws.PrizeTerms(
                    title="Travel money", kind=Prize.Kind.CASH, amount=1_000_000, quantity=2, code="p2"
                ),
                draws.PrizeTerms(title="A beach towel", kind=Prize.Kind.PHYSICAL, quantity=5),
            ],
        ),
        by=person("manager"),
        reason="A sponsor has given towels; one prize of travel money less, and a day more to enter.",
        now=now - DAY,
    )
    thanks = _opened(
        "Thanks to our volunteers",
        "For those who carried the benches.",
        [voucher("A day at the springs", 2), credit("Support credits", 200, 3, on_claim=True)],
        since=now - 2 * DAY,
        until=now + 5 * DAY,
        audience=Draw.Audience.GROUP,
        audience_group=Group.objects.get(name=VOLUNTEERS),
    )
    for user in User.objects.filter(groups__name=VOLUNTEERS).order_by("pk")[4:16]:
        draws.enter_draw(draw=thanks, member=user, now=now - DAY)
    evening = _opened(
        "Evening for grown-ups",
        "For people of eighteen and older who live in Kenya, Uganda or Tanzania.",
        [cash("Evening money", 5_000, 4, on_claim=True)],
        since=now - 3 * DAY,
        until=now + 6 * DAY,
        min_age=18,
        countries=["KE", "UG", "TZ"],
    )
    old_enough = User.objects.filter(country__in=evening.countries, birth_date__year__lt=now.year - 18)
    for user in old_enough.exclude(is_staff=True).order_by("pk")[2:20]:
        draws.enter_draw(draw=evening, member=user, now=now - 2 * DAY)
    _opened(
        "Back to school",
        "School fees for one term, drawn for ten families.",
        [cash("A term's fees", 25_000, 10)],
        since=now + 5 * DAY,
        until=now + 19 * DAY,
        published_at=now,
    )


def _opened(
    title: str,
    description: str,
    prizes: list[Won],
    *,
    since: dt.datetime,
    until: dt.datetime,
    published_at: dt.datetime | None = None,
    **fields: object,
) -> Draw:
    return published(
        title=title,
        description=description,
        prizes=prizes,
        opens_at=since,
        closes_at=until,
        draw_at=until + HOUR,
        now=published_at or since,
        **fields,
    )


def seed_waiting(*, now: dt.datetime) -> None:
    """A draft whose money waits for a second person, and a wallet that does."""
    new_year = draft(
        title="New year's draw",
        description="Still being prepared: a draft that only admins see.",
        prizes=[
            cash("New year's envelope", 150_000),
            Won("Points for everybody's favourite", Prize.Kind.POINTS, 1_000, 5),
        ],
        opens_at=now + 30 * DAY,
        closes_at=now + 40 * DAY,
        draw_at=now + 40 * DAY + HOUR,
    )
    # Above the limit for one person: both wait until somebody else who may agrees.
    draws.fund_draw(
        draw=new_year,
        unit="KES",
        amount=15_000_000,
        by=person("manager"),
        reason="Prize money for the new year",
        idem_key=f"demo:{new_year.slug}:KES",
        now=now,
    )
    adjust_wallet(
        member=person("carol"),
        unit="CREDIT",
        amount=12_000,
        by=person("finance"),
        reason="Credits that were sold twice by mistake, given back",
        idem_key="demo:carol:CREDIT",
        now=now,
    )


def seed_opening_night(*, now: dt.datetime) -> EntryImport:
    """The draw that takes place within three minutes; returns the import of its entrants."""
    opening = published(
        title="Opening night",
        description=(
            "A small draw: five hundred entrants, drawn by the site itself while you watch. Nobody presses a button."
        ),
        prizes=[
            cash("Grand prize", 50_000),
            cash("Runner-up", 5_000, 5),
            credit("Support credits", 100, 12),
            voucher("Dinner for two", 2),
        ],
        opens_at=now,
        closes_at=now + MINUTE,
        draw_at=now + 2 * MINUTE,
        min_wait_s=30,
        now=now,
    )
    # As an admin would, from a file that is left for people to look at.
    path = Path(settings.DATA_DIR) / "demo" / "entrants.csv"
    content = entrants_csv()
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)
    return draws.import_entries(
        draw=opening, file=io.BytesIO(content), file_name=path.name, by=person("admin"), now=now
    )


def entrants_csv() -> bytes:
    """The demo's list of entrants: 500 good lines, and one of each kind that is refused."""
    lines = ["email,name,weight", *_entrant_lines()]
    bad = [
        "not-an-address,Nobody,1",
        f"no.tickets@{DOMAIN},No tickets,0",
        f"half@{DOMAIN},Half a ticket,0.5",
        f"{member_email(10)},Entered twice,1",
        "+254 12,Too short,1",
        f"too many@{DOMAIN},A space in it,1",
    ]
    for index, line in enumerate(bad):
        lines.insert(40 + 60 * index, line)
    return ("\n".join(lines) + "\n").encode()


def _entrant_lines() -> Iterator[str]:
    for number in range(MEMBERS):
        yield f"{member_email(number)},{member_name(number)},{1 + number % 4}"
    for number in range(MEMBERS, ENTRANTS):
        yield f"{guest_email(number)},{member_name(number)},{1 + number % 3}"
