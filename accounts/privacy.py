"""Whose data is whose, and what the accounts keep of a person: exported and erased.

Every app has such a module; `config/privacy.py` calls them all. Each takes a `Person` and answers with plain values.
"""

from dataclasses import dataclass
from typing import Any

from allauth.account.models import EmailAddress
from allauth.mfa.models import Authenticator
from axes.models import AccessAttempt, AccessFailureLog
from django.contrib.admin.models import LogEntry
from django.contrib.auth.hashers import make_password
from django.contrib.contenttypes.models import ContentType
from django.db.models import Q
from django.db.models.functions import Now

from accounts.models import ApiKey, SignedInSession, User, normalise_email

_SHORTEST_WORD = 3
ERASED_DOMAIN = "erased.invalid"
"""Where the addresses of erased accounts point: a name that can't exist (RFC 2606)."""


@dataclass(frozen=True, slots=True)
class Person:
    """Somebody, as their data is found.

    `identities` are addresses (or a phone) shown to be theirs, normalised: rows without an account that hold one are
    theirs too. `words` name them where text is free; what contains one is blanked.
    """

    member: User | None
    identities: tuple[str, ...]
    words: tuple[str, ...]


def person_of(member: User, *, also: str = "") -> Person:
    """The person behind an account; `also` is an address they have shown to be theirs otherwise."""
    addresses = list(EmailAddress.objects.filter(user=member).values_list("email", "verified"))
    theirs = {normalise_email(email) for email, verified in addresses if verified} | (
        {word for word in (also, member.proven_phone) if word}
    )
    words = {
        member.email,
        member.display_name.strip(),
        member.phone,
        also,
        *(email for email, _verified in addresses),
    }
    return Person(
        member=member,
        identities=tuple(sorted(theirs)),
        words=tuple(sorted(word for word in words if len(word) >= _SHORTEST_WORD)),
    )


def person_at(identity: str) -> Person:
    """Whoever has this e-mail address or phone number: the account, where one has the address; else an outsider."""
    identity = normalise_email(identity)
    member = User.objects.filter(
        Q(email=identity)
        | Q(pk__in=EmailAddress.objects.filter(email__iexact=identity, verified=True).values("user"))
    ).first()
    if member is not None:
        return person_of(member, also=identity)
    return Person(member=None, identities=(identity,), words=(identity,))


def export(*, person: Person) -> dict[str, Any]:
    """The account: profile, addresses, second factors, API keys, sessions. Nothing that would open anything."""
    member = person.member
    if member is None:
        return {}
    return {
        "profile": {
            "public_id": str(member.public_id),
            "email": member.email,
            "name": member.display_name,
            "phone": member.phone,
            "phone_is_shown_to_be_theirs": bool(member.proven_phone),
            "country": member.country,
            "birth_date": member.birth_date,
            "language": member.language,
            "time_zone": member.time_zone,
            "shows_name": member.shows_name,
            "accepts_promotions": member.accepts_promotions,
            "joined": member.date_joined,
            "last_sign_in": member.last_login,
            "roles": sorted(member.groups.values_list("name", flat=True)),
        },
        "addresses": list(EmailAddress.objects.filter(user=member).values("email", "verified", "primary")),
        "second_factors": list(
            Authenticator.objects.filter(user=member).values("type", "created_at", "last_used_at")
        ),
        "api_keys": list(
            ApiKey.objects.filter(owner=member)
            .order_by("pk")
            .values("name", "prefix", "scopes", "created_at", "expires_at", "last_used_at", "revoked_at")
        ),
        "sessions": list(
            SignedInSession.objects.filter(account=member)
            .order_by("created_at")
            .values("address", "user_agent", "created_at", "last_seen_at")
        ),
    }


def erase(*, person: Person) -> dict[str, int]:
    """Make the account nobody's: it keeps its number, to which money and the trail point, and nothing else.

    Signs out everywhere. Safe to run again. Returns how many rows of what were touched.
    """
    counts = {"addresses": EmailAddress.objects.filter(_any("email__iexact", person.identities)).delete()[0]}
    counts["failed_sign_ins"] = sum(
        table.objects.filter(_any("username__iendswith", person.identities)).delete()[0]
        for table in (AccessAttempt, AccessFailureLog)
    )
    if person.words:
        counts["admin_log"] = LogEntry.objects.filter(_any("object_repr__icontains", person.words)).update(
            object_repr=""
        )
    member = person.member
    if member is None:
        return counts
    mine = LogEntry.objects.filter(
        content_type=ContentType.objects.get_for_model(User), object_id=str(member.pk)
    )
    mine.update(object_repr="")
    counts["addresses"] += EmailAddress.objects.filter(user=member).delete()[0]
    counts["second_factors"] = Authenticator.objects.filter(user=member).delete()[0]
    keys = ApiKey.objects.filter(owner=member)
    keys.filter(revoked_at=None).update(revoked_at=Now())
    counts["api_keys"] = keys.update(name="")
    counts["sessions"] = SignedInSession.objects.filter(account=member).delete()[0]
    member.groups.clear()
    member.user_permissions.clear()
    User.objects.filter(pk=member.pk).update(
        email=erased_email(member),
        display_name="",
        phone="",
        verified_phone="",
        country="",
        birth_date=None,
        language="en",
        time_zone="UTC",
        shows_name=False,
        accepts_promotions=False,
        is_active=False,
        is_staff=False,
        is_superuser=False,
        last_login=None,
        password=make_password(None),
    )
    return counts


def erased_email(member: User) -> str:
    """What stands where the address was: unique, and nobody's."""
    return f"erased-{member.public_id}@{ERASED_DOMAIN}"


def _any(lookup: str, values: tuple[str, ...]) -> Q:
    found = Q(pk__in=[])
    for value in values:
        found |= Q(**{lookup: value})
    return found
