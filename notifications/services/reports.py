"""What Twilio tells of a message by its status callback: an event, kept once, and what follows from it."""

import datetime as dt
import uuid

from notifications.channels import twilio_codes as codes
from notifications.handles import delivery_id_of
from notifications.models import Delivery, SuppressionReason
from notifications.services.events import Event, record_events
from notifications.services.suppressions import suppress_address

PROVIDER = "twilio"


def take_report(*, key: str, message_id: str, state: str, code: int, text: str, now: dt.datetime) -> bool:
    """Keep what is told of the delivery whose `key` the callback's address holds; False for nothing new.

    Twilio tells each state once or more often, in any order; the event's id is the message's with its state. A number that
    answered STOP is suppressed, as it is when Twilio says so at once.
    """
    happened = codes.happened(state, code)
    delivery_id = _delivery_of(key)
    if happened is None or delivery_id is None or not message_id:
        return False
    event = Event(
        provider=PROVIDER,
        event_id=f"{message_id}:{state}",
        delivery_id=delivery_id,
        happened=happened,
        at=now,
        provider_id=message_id,
        code=str(code) if code else "",
        text=text,
    )
    new = record_events(events=[event], now=now)
    if new and code == codes.STOPPED:
        delivery = Delivery.objects.filter(pk=delivery_id, address__gt="").first()
        if delivery is not None:
            suppress_address(
                address=delivery.address,
                channel=delivery.channel,
                reason=SuppressionReason.STOP,
                by=None,
                now=now,
            )
    return bool(new)


def _delivery_of(key: str) -> int | None:
    try:
        return delivery_id_of(uuid.UUID(hex=key))
    except ValueError:
        return None
