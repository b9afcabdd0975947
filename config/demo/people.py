"""The people of the demo: staff, a cast to sign in as, and members with countries and birth dates. None of them exist."""

import datetime as dt
import random
from dataclasses import dataclass
from typing import Any

from allauth.account.models import EmailAddress
from django.contrib.auth.hashers import make_password
from django.contrib.auth.models import Group
from django.utils.text import slugify

from accounts import roles
from accounts.models import User

PASSWORD = "fairground-demo"  # noqa: S105  (printed at every start; the demo listens on this machine only)
DOMAIN = "example.com"
GUEST_DOMAIN = "example.org"
MEMBERS = 200
VOLUNTEERS = "Volunteers"

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
_COUNTRIES = ["KE"] * 9 + ["UG"] * 4 + ["TZ"] * 3 + ["BD"] * 2 + ["CA", "NG"]

_STAFF = (
    ("admin", "Amina Q.", roles.SUPER_ADMIN),
    ("manager", "Maina V.", roles.MANAGER_ADMIN),
    ("finance", "Fatma Y.", roles.FINANCE),
)
_CAST = (
    ("alice", "Alice W.", "Africa/Nairobi", "KE"),
    ("bob", "Bob R.", "Asia/Dhaka", "BD"),
    ("carol", "Carol T.", "America/Toronto", "CA"),
    ("dave", "Dave O.", "Africa/Kampala", "UG"),
)

# Alice has shown that her number is hers, and gets SMS; Bob has not yet.
_PHONES = {"alice": "+254711000001", "bob": "+8801711000002"}
_PROVEN = frozenset({"alice"})


@dataclass(frozen=True)
class SignIn:
    """An account of the demo that people may use."""

    email: str
    role: str


def sign_ins() -> list[SignIn]:
    """The accounts to try the demo with; all have `PASSWORD`."""
    staff = [SignIn(f"{name}@{DOMAIN}", role) for name, _name, role in _STAFF]
    return [*staff, *(SignIn(f"{name}@{DOMAIN}", "member") for name, *_rest in _CAST)]


def person(name: str) -> User:
    """One of the staff or the cast: `person("alice")`."""
    return User.objects.get(email=f"{name}@{DOMAIN}")


def member_name(number: int) -> str:
    """First name and initial of member, or guest, `number`."""
    return f"{_NAMES[number % len(_NAMES)]} {_LETTERS[number // len(_NAMES) % len(_LETTERS)]}."


def member_email(number: int) -> str:
    """Address of member `number`; the first ones are the cast."""
    if number < len(_CAST):
        return f"{_CAST[number][0]}@{DOMAIN}"
    return f"{slugify(member_name(number)).replace('-', '.')}.{number}@{DOMAIN}"


def guest_email(number: int) -> str:
    """Address of somebody without an account."""
    return f"guest.{number}@{GUEST_DOMAIN}"


def make_people(*, now: dt.datetime) -> None:
    """Staff, the cast and the other members, who joined over a year ago; and a group of volunteers among them."""
    # Hashing a password takes a third of a second on purpose: one hash serves all who share a password, and one
    # those who never sign in.
    password, unusable = make_password(PASSWORD), make_password(None)
    joined = now - dt.timedelta(days=400)
    fields: dict[str, Any] = {"password": password, "date_joined": joined}
    for name, full_name, role in _STAFF:
        user = User.objects.create(
            email=f"{name}@{DOMAIN}", display_name=full_name, is_staff=True, country="KE", **fields
        )
        user.groups.add(Group.objects.get(name=role))
    for number, (name, full_name, zone, country) in enumerate(_CAST):
        User.objects.create(
            email=member_email(number),
            display_name=full_name,
            time_zone=zone,
            country=country,
            phone=_PHONES.get(name, ""),
            verified_phone=_PHONES[name] if name in _PROVEN else "",
            birth_date=dt.date(1988 + number, 3, 14),
            shows_name=True,
            accepts_promotions=True,
            **fields,
        )
    rng = random.Random(1)
    User.objects.bulk_create(
        User(
            email=member_email(number),
            display_name=member_name(number),
            password=unusable,
            shows_name=number % 3 == 0,
            country=rng.choice(_COUNTRIES) if number % 9 else "",
            birth_date=_birth_date(rng, now) if number % 7 else None,
            date_joined=joined + dt.timedelta(days=rng.randrange(30)),
        )
        for number in range(len(_CAST), MEMBERS)
    )
    users = User.objects.order_by("pk")
    EmailAddress.objects.bulk_create(
        EmailAddress(user=user, email=user.email, verified=True, primary=True) for user in users
    )
    volunteers = Group.objects.create(name=VOLUNTEERS)
    volunteers.user_set.set(users.filter(is_staff=False)[:30])


def _birth_date(rng: random.Random, now: dt.datetime) -> dt.date:
    years = min(76, 17 + int(rng.expovariate(1 / 18)))
    return now.date() - dt.timedelta(days=365 * years + rng.randrange(365))
