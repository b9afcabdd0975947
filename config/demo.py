"""Demo data for an empty site: a cast of members, and draws in every state that the site then moves on itself.

Everything goes through the services that people use, so what the demo shows is what the site does.
"""

import datetime as dt
import io
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from allauth.account.models import EmailAddress
from django.conf import settings
from django.contrib.auth.hashers import make_password
from django.contrib.auth.models import Group
from django.db import transaction
from django.utils.text import slugify

from accounts import roles
from accounts.models import User
from draws import services as draws
from draws.models import Draw, EntryImport, Prize
from payments.approvals import approve

PASSWORD = "fairground-demo"  # noqa: S105  (printed at every start; the demo listens on this machine only)
DOMAIN = "fairground.example"
MEMBERS = 200
ENTRANTS = 500

_NAMES = [
    "Achieng",
    "Amina",
    "Asha",
    "Baraka",
    "Chipo",
    "Daudi",
    "Efua",
    "Farida",
    "Grace",
    "Hassan",
    "Imani",
    "Jamal",
    "Kamau",
    "Leila",
    "Makena",
    "Nadia",
    "Omari",
    "Pendo",
    "Rahim",
    "Salma",
    "Tariq",
    "Umair",
    "Wairimu",
    "Yusuf",
    "Zuri",
]
_LETTERS = "ABCDGHKLMNOPRSTW"

_STAFF = (
    ("admin", "Amina Admin", roles.SUPER_ADMIN),
    ("manager", "Maina Manager", roles.MANAGER_ADMIN),
    ("finance", "Fatma Finance", roles.FINANCE),
)
_CAST = (
    ("alice", "Alice Wanjiru", "Africa/Nairobi"),
    ("bob", "Bob Rahman", "Asia/Dhaka"),
    ("carol", "Carol Tremblay", "America/Toronto"),
    ("dave", "Dave Okello", "Africa/Kampala"),
)
_RULES = (
    "One person, one entry; imported entrants hold the tickets the organiser gave them.\n"
    "Winners are drawn by the site at the announced time, by the published method vwd1, once.\n"
    "Cash and credits go to the winner's wallet at once. Whoever has no account opens the link in the mail, "
    "and for money signs up with the address that won.\n"
    "A prize that is not claimed in time goes to the next rank."
)
_TERMS = "For two people, any evening but Friday. Show the code before you order."


@dataclass(frozen=True)
class SignIn:
    """An account of the demo that people may use."""

    email: str
    role: str


def sign_ins() -> list[SignIn]:
    """The accounts to try the demo with; all have `PASSWORD`."""
    staff = [SignIn(f"{name}@{DOMAIN}", role) for name, _full, role in _STAFF]
    return [*staff, *(SignIn(f"{name}@{DOMAIN}", "member") for name, _full, _zone in _CAST)]


def is_empty() -> bool:
    """Nobody has used this database yet."""
    return not User.objects.exists() and not Draw.objects.exists()


@transaction.atomic
def seed(*, now: dt.datetime) -> EntryImport:
    """Fill an empty site; returns the import of the draw that takes place within three minutes."""
    _people()
    admin = User.objects.get(email=f"admin@{DOMAIN}")
    opening = _draw(
        title="Opening night",
        description=(
            "The first draw of this site, and a small one: five hundred entrants, drawn by the site itself while "
            "you watch. Nobody presses a button."
        ),
        opens_at=now,
        closes_at=now + dt.timedelta(seconds=60),
        draw_at=now + dt.timedelta(seconds=120),
        min_wait_s=30,
        prizes=[
            ("Grand prize", Prize.Kind.CASH, 5_000_000, 1),
            ("Runner-up", Prize.Kind.CASH, 500_000, 5),
            ("Support credits", Prize.Kind.CREDITS, 100, 12),
            ("Dinner for two", Prize.Kind.VOUCHER, 0, 2),
        ],
        by=admin,
        now=now,
    )
    report = _import_entrants(opening, by=admin, now=now)
    weekend = _draw(
        title="Weekend at the coast",
        description="Two nights in Diani for two, and travel money for those who nearly made it.",
        opens_at=now,
        closes_at=now + dt.timedelta(days=3),
        draw_at=now + dt.timedelta(days=3, hours=1),
        prizes=[
            ("Two nights in Diani", Prize.Kind.PHYSICAL, 0, 1),
            ("Travel money", Prize.Kind.CASH, 1_000_000, 3),
        ],
        by=admin,
        now=now,
    )
    for name in ("alice", "bob"):
        draws.enter_draw(draw=weekend, member=User.objects.get(email=f"{name}@{DOMAIN}"), now=now)
    _draw(
        title="Back to school",
        description="School fees for one term, drawn for ten families.",
        opens_at=now + dt.timedelta(days=5),
        closes_at=now + dt.timedelta(days=19),
        draw_at=now + dt.timedelta(days=19, hours=2),
        prizes=[("A term's fees", Prize.Kind.CASH, 2_500_000, 10)],
        by=admin,
        now=now,
    )
    new_year = _draw(
        title="New year's draw",
        description="Still being prepared: a draft that only admins see.",
        opens_at=now + dt.timedelta(days=30),
        closes_at=now + dt.timedelta(days=40),
        draw_at=now + dt.timedelta(days=40, hours=1),
        prizes=[
            ("New year's envelope", Prize.Kind.CASH, 15_000_000, 1),
            ("Points for everyone's favourite", Prize.Kind.POINTS, 1_000, 5),
        ],
        by=None,
        now=now,
    )
    # Above the limit for one person: it waits until the admin or Finance agrees.
    draws.fund_draw(
        draw=new_year,
        unit="KES",
        amount=15_000_000,
        by=User.objects.get(email=f"manager@{DOMAIN}"),
        reason="Prize money for the new year",
        idem_key=f"demo:{new_year.slug}:KES",
        now=now,
    )
    return report


def _people() -> None:
    for name, full_name, role in _STAFF:
        user = _user(f"{name}@{DOMAIN}", full_name, is_staff=True)
        user.groups.add(Group.objects.get(name=role))
    for name, full_name, zone in _CAST:
        _user(f"{name}@{DOMAIN}", full_name, time_zone=zone, shows_name=True, accepts_promotions=True)
    # Hashing a password takes a third of a second on purpose; one hash serves those who never sign in.
    unusable = make_password(None)
    users = User.objects.bulk_create(
        User(
            email=_member_email(number),
            display_name=_member_name(number),
            password=unusable,
            shows_name=number % 3 == 0,
        )
        for number in range(len(_CAST), MEMBERS)
    )
    EmailAddress.objects.bulk_create(
        EmailAddress(user=user, email=user.email, verified=True, primary=True) for user in users
    )


def _user(email: str, full_name: str, **fields: Any) -> User:
    user = User.objects.create_user(email, PASSWORD, display_name=full_name, **fields)
    EmailAddress.objects.create(user=user, email=email, verified=True, primary=True)
    return user


def _member_name(number: int) -> str:
    return f"{_NAMES[number % len(_NAMES)]} {_LETTERS[number // len(_NAMES) % len(_LETTERS)]}"


def _member_email(number: int) -> str:
    if number < len(_CAST):
        return f"{_CAST[number][0]}@{DOMAIN}"
    return f"{slugify(_member_name(number)).replace('-', '.')}.{number}@{DOMAIN}"


def _draw(
    *,
    title: str,
    prizes: list[tuple[str, Prize.Kind, int, int]],
    by: User | None,
    now: dt.datetime,
    **fields: Any,
) -> Draw:
    """A draw with its prizes; funded and published by `by`, or left a draft."""
    draw = Draw.objects.create(title=title, slug=slugify(title), rules=_RULES, **fields)
    for position, (name, kind, amount, quantity) in enumerate(prizes, start=1):
        Prize.objects.create(
            draw=draw,
            title=name,
            kind=kind,
            amount=amount,
            quantity=quantity,
            position=position,
            terms=_TERMS if kind == Prize.Kind.VOUCHER else "",
        )
    if by is None:
        return draw
    for unit, total in sorted(draws.prize_totals(draw).items()):
        outcome = draws.fund_draw(
            draw=draw,
            unit=unit,
            amount=total,
            by=by,
            reason="Prize money of the demo",
            idem_key=f"demo:{draw.slug}:{unit}",
            now=now,
        )
        if outcome.approval is not None:
            finance = User.objects.get(email=f"finance@{DOMAIN}")
            approve(approval=outcome.approval, by=finance, note="Within the budget of the demo", now=now)
    return draws.publish_draw(draw=draw, by=by, now=now)


def entrants_csv() -> bytes:
    """The demo's list of entrants: 500 good lines, and one of each kind that is refused."""
    lines = ["email,name,weight", *_entrant_lines()]
    bad = [
        "not-an-address,Nobody,1",
        f"no.tickets@{DOMAIN},No Tickets,0",
        f"half@{DOMAIN},Half a ticket,0.5",
        f"{_member_email(10)},Entered twice,1",
        "+254 12,Too short,1",
        f"too many@{DOMAIN},A space in it,1",
    ]
    for index, line in enumerate(bad):
        lines.insert(40 + 60 * index, line)
    return ("\n".join(lines) + "\n").encode()


def _entrant_lines() -> Iterator[str]:
    for number in range(MEMBERS):
        yield f"{_member_email(number)},{_member_name(number)},{1 + number % 4}"
    for number in range(MEMBERS, ENTRANTS):
        yield f"guest.{number}@mail.example,{_member_name(number)},{1 + number % 3}"


def _import_entrants(draw: Draw, *, by: User, now: dt.datetime) -> EntryImport:
    """Import the list as an admin would, from a file that is left for people to look at."""
    path = Path(settings.DATA_DIR) / "demo" / "entrants.csv"
    content = entrants_csv()
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)
    return draws.import_entries(draw=draw, file=io.BytesIO(content), file_name=path.name, by=by, now=now)
