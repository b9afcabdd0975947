"""What an admin does to single deliveries: try again, or take back."""

import datetime as dt

from django.db import transaction

from accounts.models import User
from audit.services import record
from notifications import kinds
from notifications.kinds import Channel
from notifications.models import DEAD_LETTERS, WAITING, Delivery, DeliveryQuerySet, State
from notifications.services.waking import wake

LISTED = 100  # handles that an audit record names


def retry_deliveries(*, deliveries: DeliveryQuerySet, by: User, now: dt.datetime) -> int:
    """Send dead letters again, and what waits for its next attempt at once; returns how many.

    What was delivered, skipped or not wanted stays as it is.
    """
    again = deliveries.filter(state__in=(*DEAD_LETTERS, State.RETRY)).exclude(channel=Channel.IN_APP)
    changes = {"state": State.RETRY, "next_attempt_at": now, "attempts": 0}
    count = _change(again, changes, by=by, action="notification.retried", now=now)
    if count:
        transaction.on_commit(wake, robust=True)
    return count


def cancel_deliveries(*, deliveries: DeliveryQuerySet, by: User, now: dt.datetime) -> int:
    """Take back what waits to be sent; returns how many. What is out stays out, and so does what is irrevocable."""
    waiting = deliveries.filter(state__in=WAITING).exclude(message__kind__in=kinds.irrevocable_names())
    return _change(
        waiting, {"state": State.CANCELLED}, by=by, action="notification.delivery_cancelled", now=now
    )


def _change(
    deliveries: DeliveryQuerySet, changes: dict[str, object], *, by: User, action: str, now: dt.datetime
) -> int:
    with transaction.atomic():
        chosen = list(deliveries.select_for_update().only("pk"))
        if not chosen:
            return 0
        count: int = Delivery.objects.filter(pk__in=[delivery.pk for delivery in chosen]).update(**changes)
        record(
            actor=by,
            action=action,
            target="notifications.delivery",
            data={"count": count, "handles": [str(delivery.handle) for delivery in chosen[:LISTED]]},
            now=now,
        )
    return count
