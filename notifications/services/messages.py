"""Saying something: one message row in the caller's transaction; and taking it back."""

import datetime as dt
from collections.abc import Mapping, Sequence
from typing import Any

from django.db import transaction
from django.utils.translation import gettext as _

from accounts.models import User
from audit.services import record
from notifications import kinds, variables
from notifications.models import WAITING, Delivery, Message, State
from notifications.recipients import Recipient
from notifications.services.expansion import deliver_to
from notifications.services.waking import wake

EXPLICIT_LIMIT = 1_000


class IrrevocableError(Exception):
    """This message can't be taken back. The text says why."""


class IdempotencyError(Exception):
    """Two different things were said under one idempotency key."""


def notify(
    *,
    kind: str,
    about: str,
    context: Mapping[str, Any],
    idem_key: str,
    not_before: dt.datetime,
    expires_at: dt.datetime | None = None,
    recipients: Sequence[Recipient] | None = None,
    now: dt.datetime,
) -> Message:
    """Say `kind` about `about` (`draws.draw:<public id>`) once `not_before` has come; returns the message.

    Writes in the caller's transaction and talks to nobody: rolled back with it, nothing was said. With
    `recipients` (at most 1,000) their deliveries are written here too; otherwise the sweep asks the kind who
    they are when the message is due. Saying it again under the same `idem_key` changes nothing and returns
    what was said first; nothing is sent after `expires_at`.

    Raises `kinds.KindError`, `ContextError` when the values don't fit the kind, `IdempotencyError` when the
    key was used for another kind or matter, and ValueError for more than 1,000 recipients.
    """
    declared = kinds.get(kind)
    values = variables.encode(context, declared.variables)
    if recipients is not None and len(recipients) > EXPLICIT_LIMIT:
        raise ValueError(f"At most {EXPLICIT_LIMIT} recipients can be named; let the kind's query find more.")
    with transaction.atomic():
        message, is_new = Message.objects.get_or_create(
            idem_key=idem_key,
            defaults={
                "kind": kind,
                "about": about,
                "context": values,
                "not_before": not_before,
                "expires_at": expires_at,
                "created_at": now,
                "expand_after": not_before,
                "expanded_at": None if recipients is None else now,
            },
        )
        if not is_new:
            if (message.kind, message.about) != (kind, about):
                raise IdempotencyError(
                    f"{idem_key!r} already stands for {message}, and not for {kind} · {about}"
                )
            return message
        if recipients:
            deliver_to(message=message, kind=declared, recipients=recipients, now=now)
        if not_before <= now:
            transaction.on_commit(wake, robust=True)
    return message


def cancel_message(*, message: Message, by: User | None, now: dt.datetime) -> int:
    """Take back what has not been sent yet, and the inbox copies; returns how many deliveries that were.

    What is being sent at this moment still goes out. Cancelling twice changes nothing more. Raises
    `IrrevocableError` where the kind is evidence that its readers keep: to a person always, to the site (`by`
    None) from its first delivery on.
    """
    with transaction.atomic():
        message = Message.objects.select_for_update().get(pk=message.pk)
        if kinds.get(message.kind).irrevocable and (by is not None or message.has_begun):
            raise IrrevocableError(
                _("This message is evidence for those who receive it: nobody can take it back.")
            )
        if not Message.objects.filter(pk=message.pk, cancelled_at__isnull=True).update(cancelled_at=now):
            return 0
        open_ones = Delivery.objects.filter(message=message)
        count: int = open_ones.filter(state__in=WAITING).update(state=State.CANCELLED)
        count += open_ones.filter(state=State.DELIVERED, channel=kinds.Channel.IN_APP).update(
            state=State.CANCELLED
        )
        record(
            actor=by,
            action="notification.cancelled",
            target=message,
            data={"kind": message.kind, "deliveries": count},
            now=now,
        )
    return count


def cancel_messages_about(
    *, about: str, kinds: Sequence[str], by: User | None, now: dt.datetime, sent_too: bool = True
) -> int:
    """Cancel every message of these kinds about one thing; returns how many messages that were.

    Without `sent_too`, only those whose turn has not come yet: what is in inboxes stays there. Of irrevocable
    kinds it takes back what nobody has yet.
    """
    with transaction.atomic():
        standing = Message.objects.filter(about=about, kind__in=kinds, cancelled_at__isnull=True)
        if not sent_too:
            standing = standing.filter(expanded_at__isnull=True)
        count = 0
        for message in standing.order_by("pk"):
            try:
                cancel_message(message=message, by=by, now=now)
            except IrrevocableError:
                continue
            count += 1
    return count
