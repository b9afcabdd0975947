"""Openings of mails and clicks in them: each counts once for people and once for machines."""

import datetime as dt
import hashlib
import uuid

from notifications.channels.seam import Happened
from notifications.click_classes import SCAN, is_hasty, is_machine
from notifications.handles import delivery_id_of
from notifications.models import Delivery, DeliveryEvent
from notifications.services.events import Event, record_events

SITE = "site"
MOST_EVENTS = 200
"""Of one delivery; a scanner that comes on and on tells nothing new."""


def record_open(*, handle: uuid.UUID, user_agent: str, method: str, now: dt.datetime) -> bool:
    """Somebody loaded the picture of a mail; whether that is new."""
    delivery = _delivery(handle)
    if delivery is None:
        return False
    machine = is_machine(user_agent=user_agent, method=method) or is_hasty(
        now, handed_at=delivery.handed_at, others=()
    )
    event_id = f"open:{handle}:{_class(machine)}"
    return bool(record_events(events=[_event(delivery, Happened.OPENED, event_id, machine, now)], now=now))


def record_click(
    *, handle: uuid.UUID, target: str, is_trap: bool, user_agent: str, method: str, now: dt.datetime
) -> bool:
    """Somebody followed a link of a mail; whether that is new. `target` has been found genuine."""
    delivery = _delivery(handle)
    if delivery is None:
        return False
    shown = "" if is_trap else target
    digest = "trap" if is_trap else hashlib.sha256(target.encode()).hexdigest()[:16]
    earlier = list(
        DeliveryEvent.objects.filter(delivery=delivery, provider=SITE, what=Happened.CLICKED)
        .order_by("pk")
        .values_list("event_id", "at", "target", "by_machine")[:MOST_EVENTS]
    )
    if len(earlier) == MOST_EVENTS:
        return False
    others = [(at, by_machine) for _id, at, to, by_machine in earlier if to != shown]
    machine = (
        is_trap
        or is_machine(user_agent=user_agent, method=method)
        or is_hasty(now, handed_at=delivery.handed_at, others=[at for at, _by_machine in others])
    )
    event_id = f"click:{handle}:{digest}:{_class(machine)}"
    if not machine:
        # What looked like a person's click before, but was a scanner's first, does not stand in a person's way.
        before = next((at for known, at, _to, _by in earlier if known == event_id), None)
        if before is not None and any(by and abs(at - before) <= SCAN for at, by in others):
            event_id = f"{event_id}:again"
    event = _event(delivery, Happened.CLICKED, event_id, machine, now, target=shown)
    return bool(record_events(events=[event], now=now))


def _delivery(handle: uuid.UUID) -> Delivery | None:
    """The delivery that was sent under this handle, unless its reader is erased."""
    key = delivery_id_of(handle)
    if key is None:
        return None
    return Delivery.objects.filter(pk=key, address__gt="").only("pk", "handed_at").first()


def _event(
    delivery: Delivery, what: Happened, event_id: str, machine: bool, now: dt.datetime, target: str = ""
) -> Event:
    return Event(
        provider=SITE,
        event_id=event_id,
        delivery_id=delivery.pk,
        happened=what,
        at=now,
        by_machine=machine,
        target=target,
    )


def _class(machine: bool) -> str:
    return "machine" if machine else "human"
