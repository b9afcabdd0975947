"""What telephones answer: STOP puts a number on the suppression list of its channel, START takes it off again."""

import datetime as dt

from django.db import transaction

from accounts.models import User
from notifications.answers_sms import Meaning, meaning_of
from notifications.models import (
    ConsentEvent,
    PhoneAnswer,
    Suppression,
    SuppressionReason,
    What,
)
from notifications.services.suppressions import lift_suppression, suppress_address
from notifications.suppressing import hash_of, normalise_address

_SOURCE = "answer by phone"


def take_answer(
    *, channel: str, number: str, text: str, provider_id: str, said_by_provider: str = "", now: dt.datetime
) -> Meaning | None:
    """Do what an answer asks for; returns what that is, None where it asks for nothing or was heard before.

    STOP holds for everything by this channel: the provider itself lets nothing through any more, not even what is about
    money. START lifts nothing but a STOP: a number that bounced, or that staff stopped, stays as it is.
    """
    meaning = meaning_of(text, said_by_provider=said_by_provider)
    number = normalise_address(number, channel)
    if meaning is None or not number or not provider_id:
        return None
    fingerprint = hash_of(number, channel)
    with transaction.atomic():
        _answer, is_new = PhoneAnswer.objects.get_or_create(
            provider_id=provider_id,
            defaults={
                "channel": channel,
                "address_hash": fingerprint,
                "meaning": meaning,
                "received_at": now,
            },
        )
        if not is_new:
            return None
        if meaning == Meaning.STOP:
            changed = _stop(channel, number, fingerprint, now)
        else:
            changed = _start(channel, fingerprint, now)
        if changed:
            stopped = meaning == Meaning.STOP
            ConsentEvent.objects.create(
                person_key=_key_of(number),
                at=now,
                what=What.STOPPED_ALL if stopped else What.RESUMED_ALL,
                channel=channel,
                source=_SOURCE,
                evidence={"provider_id": provider_id},
            )
    return meaning


def _stop(channel: str, number: str, fingerprint: str, now: dt.datetime) -> bool:
    standing = Suppression.objects.filter(address_hash=fingerprint, channel=channel, lifted_at=None)
    if standing.filter(reason=SuppressionReason.STOP).exists():
        return False
    suppress_address(address=number, channel=channel, reason=SuppressionReason.STOP, by=None, now=now)
    return True


def _start(channel: str, fingerprint: str, now: dt.datetime) -> bool:
    standing = Suppression.objects.filter(address_hash=fingerprint, channel=channel, lifted_at=None).first()
    return standing is not None and lift_suppression(suppression=standing, note="START", by=None, now=now)


def _key_of(number: str) -> str:
    """Whose number it is: the account that has shown it to be its own, or an outsider."""
    owner = User.objects.filter(verified_phone=number, phone=number).order_by("pk").first()
    return f"member:{owner.pk}" if owner is not None else f"phone:{number}"
