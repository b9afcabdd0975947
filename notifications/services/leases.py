"""What a dead worker left claimed: given back when certainly not sent, otherwise marked as unknown."""

import datetime as dt

from django.db.models import F, Q

from notifications import kinds
from notifications.channels.registry import sender_class, sending_channels
from notifications.models import Delivery, Message, State

LOST = "The worker died while this was being sent."


def expire_leases(*, now: dt.datetime) -> int:
    """Deal with every claim whose lease is over; returns how many.

    Never marked as going out: planned again. Marked: the answer is lost, so `unknown` where the provider can be asked;
    where it can't, tried once more for a transactional kind and `unknown` for any other. `lease_until` stays, so that the answer of a worker
    that was only slow is still taken as long as nobody claimed the delivery again.
    """
    over = Delivery.objects.lease_over(now)
    count: int = over.filter(sending_at__isnull=True).update(state=State.PLANNED)
    transactional = Message.objects.filter(kind__in=kinds.names_of(kinds.Category.TRANSACTIONAL))
    deaf = [channel for channel in sending_channels() if not sender_class(channel).can_be_asked]
    once_more = Q(lost_answers=0, message__in=transactional, channel__in=deaf)
    lost = {
        "attempts": F("attempts") + 1,
        "lost_answers": F("lost_answers") + 1,
        "provider_code": "lost",
        "provider_text": LOST,
    }
    sent = over.filter(sending_at__isnull=False)
    count += sent.filter(once_more).update(state=State.RETRY, next_attempt_at=now, **lost)
    count += sent.exclude(once_more).update(state=State.UNKNOWN, next_attempt_at=now, **lost)
    return count
