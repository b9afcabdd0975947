"""What providers tell of deliveries afterwards: kept once each, and what follows from it."""

import datetime as dt
from collections.abc import Sequence
from dataclasses import dataclass

import structlog
from django.db import connection, transaction
from django.db.models import Case, F, Q, TextField, Value, When

from notifications.channels.seam import TEXT_LIMIT, Happened
from notifications.models import Delivery, State, SuppressionReason
from notifications.privacy import keep_erasures_out
from notifications.services.suppressions import suppress_address

log = structlog.get_logger(__name__)

CODE_LIMIT = 32
# One statement for a whole callback; a line that is known already is passed over and changes nothing below.
_KEEP = """
INSERT INTO notifications_deliveryevent
    (provider, event_id, delivery_id, what, at, received_at, by_machine, code, text, target)
SELECT told.provider, told.event_id, told.delivery, told.what, told.at, %s, told.by_machine, told.code,
    CASE WHEN known.address = '' THEN '' ELSE told.text END, CASE WHEN known.address = '' THEN '' ELSE told.target END
FROM unnest(%s::text[], %s::text[], %s::bigint[], %s::text[], %s::timestamptz[], %s::boolean[], %s::text[],
    %s::text[], %s::text[])
    AS told(provider, event_id, delivery, what, at, by_machine, code, text, target)
JOIN notifications_delivery AS known ON known.id = told.delivery
ON CONFLICT DO NOTHING
RETURNING provider, event_id
"""
_OUT = (State.CLAIMED, State.HANDED, State.UNKNOWN, State.RETRY)
# What an event makes of a delivery, and from which states. A worker's own answer that comes later finds none of the
# states it may write over (`results.py`), so it never undoes what is known already.
_LEADS_TO: dict[Happened, tuple[State, tuple[State, ...]]] = {
    Happened.ACCEPTED: (State.HANDED, (State.UNKNOWN, State.RETRY)),
    Happened.DELIVERED: (State.DELIVERED, (*_OUT, State.FAILED)),
    Happened.FAILED: (State.FAILED, _OUT),
    Happened.BOUNCED: (State.BOUNCED, (*_OUT, State.FAILED, State.DELIVERED)),
    Happened.COMPLAINED: (State.COMPLAINED, (*_OUT, State.FAILED, State.DELIVERED, State.BOUNCED)),
}
_SUPPRESSES = {
    Happened.BOUNCED: SuppressionReason.BOUNCE,
    Happened.COMPLAINED: SuppressionReason.COMPLAINT,
}


@dataclass(frozen=True)
class Event:
    """One thing that happened. `event_id` is the provider's own id of the telling, unique there."""

    provider: str
    event_id: str
    delivery_id: int
    happened: Happened
    at: dt.datetime
    provider_id: str = ""
    by_machine: bool | None = None
    code: str = ""
    text: str = ""
    target: str = ""


def record_events(*, events: Sequence[Event], now: dt.datetime) -> list[Event]:
    """Keep what is new among `events` and let the deliveries follow; returns the new ones.

    Told twice, at once or out of order, a delivery ends the same: each event moves it only from the states that come before.
    A bounce or complaint puts the address on the suppression list. Events of deliveries that do not exist are dropped.
    """
    if not events:
        return []
    with transaction.atomic():
        keep_erasures_out()  # first: it comes before the rows of deliveries
        new = _keep(events, now)
        for event in sorted(new, key=lambda event: event.at):
            _follow(event, now)
    return new


def _keep(events: Sequence[Event], now: dt.datetime) -> list[Event]:
    once = {(event.provider, event.event_id): event for event in events}
    columns = zip(
        *(
            (
                event.provider,
                event.event_id,
                event.delivery_id,
                str(event.happened),
                event.at,
                event.by_machine,
                event.code[:CODE_LIMIT],
                event.text[:TEXT_LIMIT].replace("\0", ""),
                event.target,
            )
            for event in once.values()
        ),
        strict=True,
    )
    with connection.cursor() as cursor:
        cursor.execute(_KEEP, [now, *(list(column) for column in columns)])
        return [once[key] for key in cursor.fetchall()]


def _follow(event: Event, now: dt.datetime) -> None:
    if event.happened not in _LEADS_TO:
        return
    state, before = _LEADS_TO[event.happened]
    # What says nothing more than that it happened leaves standing what the provider said before.
    said = (
        {
            "provider_code": event.code[:CODE_LIMIT],
            # Of somebody who was erased nothing is kept that may quote their address.
            "provider_text": Case(
                When(address="", then=Value("")),
                default=Value(event.text[:TEXT_LIMIT].replace("\0", "")),
                output_field=TextField(),
            ),
        }
        if event.code or event.text
        else {}
    )
    moved = Delivery.objects.filter(pk=event.delivery_id, state__in=before).update(
        state=state,
        handed_at=Case(When(handed_at=None, then=Value(event.at)), default=F("handed_at")),
        provider_id=Case(
            When(~Q(provider_id=""), then=F("provider_id")),
            default=Value(event.provider_id),
            output_field=TextField(),
        ),
        **said,
    )
    reason = _SUPPRESSES.get(event.happened)
    if moved and reason is not None:
        delivery = Delivery.objects.get(pk=event.delivery_id)
        if delivery.address:
            suppress_address(
                address=delivery.address,
                channel=delivery.channel,
                reason=reason,
                note=f"{event.provider}: {event.code} {event.text}".strip()[:TEXT_LIMIT],
                by=None,
                now=now,
            )
