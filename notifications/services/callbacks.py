"""What Mailgun tells of mails, turned into events of deliveries, and what follows from an unsubscription there."""

import contextlib
import datetime as dt
import uuid

from anymail.signals import AnymailTrackingEvent
from django.db import transaction

from notifications.channels.mailgun_events import code_and_text, happened_in, key_of
from notifications.channels.seam import Happened
from notifications.click_classes import is_machine
from notifications.handles import delivery_id_of
from notifications.kinds import KindError
from notifications.models import Delivery
from notifications.services.events import Event, record_events
from notifications.services.preferences import GoneError, stop_by_link

MAILGUN = "mailgun"


def record_mailgun_event(*, event: AnymailTrackingEvent, now: dt.datetime) -> bool:
    """Keep one event of Mailgun's; False when it is known already, or of no delivery of ours.

    An id of Mailgun's is unique within a day, so the day belongs to ours. Who unsubscribed there has unsubscribed here: as by
    the link in that mail.
    """
    told = event.esp_event.get("event-data", {})
    happened = happened_in(told)
    key = key_of(told)
    if happened is None or not key or event.timestamp is None:
        return False
    delivery_id = delivery_id_of(uuid.UUID(hex=key))
    if delivery_id is None:
        return False
    code, text = code_and_text(told)
    by_machine = None
    if happened in (Happened.OPENED, Happened.CLICKED):
        by_machine = is_machine(user_agent=event.user_agent or "")
    ours = Event(
        provider=MAILGUN,
        event_id=f"{event.timestamp:%Y-%m-%d}:{told.get('id') or event.event_id}"[:200],
        delivery_id=delivery_id,
        happened=happened,
        at=min(event.timestamp, now),
        provider_id=event.message_id or "",
        by_machine=by_machine,
        code=code,
        text=text,
        target=(event.click_url or "") if happened == Happened.CLICKED else "",
    )
    with transaction.atomic():
        is_new = bool(record_events(events=[ours], now=now))
        if is_new and happened == Happened.UNSUBSCRIBED:
            delivery = Delivery.objects.select_related("message", "member").get(pk=delivery_id)
            # A kind that no app has any more is sent to nobody, and neither is somebody who was erased.
            with contextlib.suppress(KindError, GoneError):
                stop_by_link(delivery=delivery, whole_kind=False, source="unsubscribed at Mailgun", now=now)
    return is_new
