"""What providers and readers told of deliveries, in words for the pages of the outbox."""

import datetime as dt
from typing import Any

from django.db.models import Count
from django.utils.html import format_html_join
from django.utils.safestring import SafeString
from django.utils.translation import gettext as _

from notifications.models import Delivery, DeliveryEvent, Happening, Message

_READ = (Happening.OPENED, Happening.CLICKED)


def told_of(delivery: Delivery) -> list[tuple[dt.datetime, str]]:
    """Each event of a delivery as a line of its timeline."""
    events = list(DeliveryEvent.objects.filter(delivery=delivery).order_by("at", "pk"))
    read = DeliveryEvent.objects.filter(delivery=delivery).by_people()
    people = set(read.values_list("pk", flat=True)) if any(event.what in _READ for event in events) else set()
    return [(event.at, _line(event, by_person=event.pk in people)) for event in events]


def counts_of_readers(message: Message) -> SafeString:
    """How many deliveries of a message were opened and clicked, by people and by machines alone."""
    told = DeliveryEvent.objects.filter(delivery__message=message, what__in=_READ)
    everybody = _counts(told)
    people = _counts(told.by_people()) if everybody else {}
    lines = [
        (
            _("opened") if what == Happening.OPENED else _("clicked"),
            people.get(what, 0),
            everybody.get(what, 0) - people.get(what, 0),
        )
        for what in _READ
    ]
    return format_html_join(SafeString("<br>"), _("{} · people: {}, machines alone: {}"), lines)


def _counts(events: Any) -> dict[str, int]:
    return dict(events.values_list("what").annotate(Count("delivery", distinct=True)))


def _line(event: DeliveryEvent, *, by_person: bool) -> str:
    words = [str(event.get_what_display())]
    if event.what in _READ and not by_person:
        words.append(_("by a machine"))
    words += [event.target] if event.target else []
    words += [said] if (said := f"{event.code} {event.text}".strip()) else []
    words.append(f"({event.provider})")
    return " ".join(words)
