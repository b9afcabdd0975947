"""Kinds of message for the tests, with their templates; also used by the worker process that gets killed."""

import datetime as dt
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from unittest.mock import patch

from django.db.models import F
from django.template import engines

from accounts.models import User
from notifications import kinds, services
from notifications.kinds import Category, Channel, Kind, Reach
from notifications.models import Message
from notifications.recipients import Recipient, members

NOW = dt.datetime(2026, 11, 20, 9, 0, tzinfo=dt.UTC)
TEMPLATES = Path(__file__).parent / "templates"
_BOTH = {Channel.IN_APP: Reach.EVERYONE, Channel.EMAIL: Reach.EVERYONE}

_TEXTED = {Channel.SMS: Reach.EVERYONE, Channel.WHATSAPP: Reach.EVERYONE, Channel.EMAIL: Reach.EVERYONE}


def everybody(message: Message):
    """All accounts."""
    return members(User.objects.all(), params={"code": F("email")})


def kind_like(name: str, **changes: object) -> Kind:
    """A kind that everybody gets by both channels, with changes."""
    usual = {
        "title": name,
        "category": Category.SERVICE,
        "channels": _BOTH,
        "variables": {"prize": str, "at": dt.datetime},
        "params": {"code": str},
        "recipients": everybody,
    }
    return Kind(name=name, **{**usual, **changes})


KINDS = (
    kind_like("test.service"),
    kind_like("test.money", category=Category.TRANSACTIONAL),
    kind_like("test.evidence", category=Category.TRANSACTIONAL, irrevocable=True),
    kind_like("test.teaser", category=Category.PROMOTIONAL),
    kind_like("test.mail", channels={Channel.EMAIL: Reach.EVERYONE}),
    kind_like("test.outsiders", channels={Channel.IN_APP: Reach.EVERYONE, Channel.EMAIL: Reach.OUTSIDERS}),
    kind_like("test.inbox", channels={Channel.IN_APP: Reach.EVERYONE}),
    kind_like("test.broken"),
    kind_like("test.everywhere", channels={Channel.EMAIL: Reach.EVERYONE, Channel.SMS: Reach.EVERYONE}),
    kind_like("test.text", channels={Channel.SMS: Reach.EVERYONE}),
    kind_like("test.text_money", category=Category.TRANSACTIONAL, channels=_TEXTED),
    kind_like("test.hopeless", recipients=lambda message: User.objects.none().nonsense),
    kind_like("test.named", recipients=None),
    kind_like(
        "test.linked",
        links={"claim_url": lambda delivery: f"https://fair.example/claim/{delivery.params['code']}-token/"},
    ),
)


@contextmanager
def installed() -> Iterator[None]:
    """The site with these kinds and templates."""
    directories = engines["django"].engine.dirs
    directories.append(TEMPLATES)
    try:
        with patch.dict(kinds._kinds):
            for kind in KINDS:
                kinds.register(kind)
            yield
    finally:
        directories.remove(TEMPLATES)


def say(
    kind: str = "test.service", *, key: str = "key", now: dt.datetime = NOW, **changes: object
) -> Message:
    """Say something, due now."""
    usual = {
        "about": "test.thing:1",
        "context": {"prize": "a bicycle", "at": NOW},
        "idem_key": key,
        "not_before": now,
        "recipients": None,
    }
    return services.notify(kind=kind, now=now, **{**usual, **changes})


def outsider(who: str = "zoe", **fields: object) -> Recipient:
    """Somebody without an account."""
    return Recipient(address=f"{who}@elsewhere.example", params={"code": who}, **fields)


def named(user: User) -> Recipient:
    """A member, named."""
    return Recipient.of(user, params={"code": user.email})


def caller(number: str = "+254711000001", **fields: object) -> Recipient:
    """Somebody with a telephone and nothing else."""
    return Recipient(phone=number, params={"code": number}, **fields)
