"""What notifications keep of a person: what they were told, under which address, and what they want to be told."""

from typing import Any

from django.db import connection
from django.db.models import Case, F, JSONField, Q, QuerySet, TextField, Value, When
from django.db.models.expressions import CombinedExpression
from django.db.models.functions import Cast, Concat, Now

from accounts.privacy import Person
from notifications.kinds import Channel
from notifications.models import (
    WAITING,
    ConsentEvent,
    Correspondent,
    Delivery,
    DeliveryEvent,
    Message,
    PhoneCode,
    Preference,
    PushDevice,
    SequenceTurn,
    State,
    Stop,
    Suppression,
    SuppressionReason,
)
from notifications.suppressing import hash_of

# An expansion reads addresses and writes them down; an erasure lets none of the two fall between its own steps.
_TOLD = ("what", "at", "by_machine", "code", "text", "target")
_NAMES = 0x46_47_4E_41_4D_45  # "FGNAME"


def keep_erasures_out() -> None:
    """Until the caller's transaction ends nobody is erased: addresses read now may be written down. Many at once."""
    _lock("pg_advisory_xact_lock_shared")


def export(*, person: Person) -> dict[str, Any]:
    """Every message to them: of what kind, about what, with which values, by which road, what became of it (bounces,
    openings, clicks); and what they want to be told, with its history."""
    rows = Delivery.objects.filter(_theirs(person)).order_by("pk")
    deliveries = list(rows.iterator())
    messages = Message.objects.in_bulk({delivery.message_id for delivery in deliveries})
    events: dict[int, list[dict[str, Any]]] = {}
    told = DeliveryEvent.objects.filter(delivery__in=rows.order_by()).order_by("at", "pk")
    for row in told.values_list("delivery_id", *_TOLD):
        events.setdefault(row[0], []).append(dict(zip(_TOLD, row[1:], strict=True)))
    return {
        "messages": [
            {
                "kind": messages[delivery.message_id].kind,
                "about": messages[delivery.message_id].about,
                "values": {**messages[delivery.message_id].context, **delivery.params},
                "channel": delivery.channel,
                "address": delivery.address,
                "state": delivery.state,
                "created_at": delivery.created_at,
                "handed_at": delivery.handed_at,
                "read_at": delivery.read_at,
                "events": events.get(delivery.pk, []),
            }
            for delivery in deliveries
        ],
        "wishes": _wishes_of(person),
        "devices": _devices_of(person),
        "to_come": list(
            _turns_of(person)
            .filter(ended_at=None)
            .order_by("due_at", "pk")
            .values("about", "due_at", "address", "name", sequence=F("step__sequence__occasion"))
        ),
        "phone_codes": list(
            PhoneCode.objects.filter(member=person.member)
            .order_by("pk")
            .values("phone", "sent_at", "used_at")
        )
        if person.member is not None
        else [],
    }


def erase(*, person: Person) -> dict[str, int]:
    """Take back what waits for them, and forget address, name and personal values of all of it, and what they want to be
    told. Of their addresses a fingerprint is left on the suppression list, so that nobody writes there again.

    What is being sent at this moment may still arrive; its answer, which might quote the address, is not taken any
    more: only of what is claimed is one written down.
    """
    _lock("pg_advisory_xact_lock")
    open_states = (*WAITING, State.CLAIMED)
    DeliveryEvent.objects.filter(delivery__in=Delivery.objects.filter(_theirs(person)), text__gt="").update(
        text=""
    )
    count = Delivery.objects.filter(_theirs(person)).update(
        address="",
        name="",
        params={},
        provider_text="",
        recipient_key=Case(
            When(
                member=None,
                then=Concat(Value("erased:"), Cast("pk", TextField()), output_field=TextField()),
            ),
            default=F("recipient_key"),
            output_field=TextField(),
        ),
        state=Case(When(state__in=open_states, then=Value(State.CANCELLED)), default=F("state")),
    )
    devices = PushDevice.objects.filter(member=person.member).delete()[0] if person.member is not None else 0
    codes = PhoneCode.objects.filter(member=person.member).delete()[0] if person.member is not None else 0
    return {
        "deliveries": count,
        "devices": devices,
        "turns": _forget_turns(person),
        "phone_codes": codes,
        **_forget_wishes(person),
    }


def _turns_of(person: Person) -> QuerySet[SequenceTurn]:
    return SequenceTurn.objects.filter(recipient_key__in=_keys(person))


def _forget_turns(person: Person) -> int:
    """What is to follow does not, and what followed is nobody's."""
    _turns_of(person).filter(ended_at=None).delete()
    nobody = Concat(Value("erased:"), Cast("pk", TextField()), output_field=TextField())
    return _turns_of(person).update(address="", name="", member=None, batch=None, recipient_key=nobody)


def _forget_wishes(person: Person) -> dict[str, int]:
    keys = _keys(person)
    preferences = Preference.objects.filter(person_key__in=keys).delete()[0]
    stops = Stop.objects.filter(person_key__in=keys).delete()[0]
    Correspondent.objects.filter(person_key__in=keys).delete()
    nobody = Concat(Value("erased:"), Cast("pk", TextField()), output_field=TextField())
    history = ConsentEvent.objects.filter(person_key__in=keys).update(person_key=nobody, evidence={})
    Suppression.objects.filter(address_hash__in=_hashes(person)).update(address="", note="", lift_note="")
    Suppression.objects.bulk_create(
        [
            Suppression(
                address_hash=hash_of(address, Channel.EMAIL),
                channel=Channel.EMAIL,
                reason=SuppressionReason.ERASED,
                suppressed_at=Now(),
            )
            for address in person.identities
            if "@" in address
        ],
        ignore_conflicts=True,
    )
    return {"preferences": preferences, "stops": stops, "consent_history": history}


def _wishes_of(person: Person) -> dict[str, Any]:
    keys = _keys(person)
    suppressed = Suppression.objects.filter(address_hash__in=_hashes(person)).order_by("pk")
    return {
        "preferences": list(
            Preference.objects.filter(person_key__in=keys)
            .order_by("pk")
            .values("kind", "channel", "is_on", "changed_at")
        ),
        "stops": list(
            Stop.objects.filter(person_key__in=keys)
            .order_by("pk")
            .values("kind", "about", "channel", "subject", "stopped_at")
        ),
        "quiet_hours": list(
            Correspondent.objects.filter(person_key__in=keys, quiet_from__isnull=False)
            .order_by("pk")
            .values("quiet_from", "quiet_to")
        ),
        "history": list(
            ConsentEvent.objects.filter(person_key__in=keys)
            .order_by("pk")
            .values("at", "what", "kind", "about", "channel", "source", "evidence")
        ),
        "suppressed": list(
            suppressed.values("address", "channel", "reason", "note", "suppressed_at", "lifted_at")
        ),
    }


def _devices_of(person: Person) -> list[dict[str, Any]]:
    """Their browsers; whoever has the address and keys of one could write to it, so they are left out."""
    if person.member is None:
        return []
    devices = PushDevice.objects.filter(member=person.member).order_by("pk")
    return [dict(row) for row in devices.values("name", "made_at", "last_ok_at", "gone_at")]


def _keys(person: Person) -> list[str]:
    """The keys under which their wishes stand."""
    mine = [f"member:{person.member.pk}"] if person.member is not None else []
    return [
        *mine,
        *(f"{'email' if '@' in identity else 'phone'}:{identity}" for identity in person.identities),
    ]


def _hashes(person: Person) -> list[str]:
    return [hash_of(address, channel) for address in person.identities for channel in Channel]


def blank_value(messages: QuerySet[Message], variable: str) -> int:
    """Put a dash for one value of every one of these messages. One statement; returns how many."""
    blank = CombinedExpression(
        F("context"), "||", Value({variable: "—"}, output_field=JSONField()), output_field=JSONField()
    )
    return messages.filter(context__has_key=variable).update(context=blank)


def _theirs(person: Person) -> Q:
    mine = Q(member=None, address__in=person.identities)
    return mine | Q(member=person.member) if person.member is not None else mine


def _lock(function: str) -> None:
    with connection.cursor() as cursor:
        cursor.execute(f"SELECT {function}(%s)", [_NAMES])
