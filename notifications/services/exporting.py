"""The messages about one thing as mails, for sending them elsewhere: who, subject, text, kind."""

import datetime as dt
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from itertools import islice

import structlog
from django.db.models import Q, QuerySet

from notifications import kinds
from notifications.models import Delivery, Message, State
from notifications.rendering import words_of
from notifications.services.consent import refusal, wishes_of

log = structlog.get_logger(__name__)

_BLOCK = 2_000
# Not wanted, or taken back.
_WITHHELD = (State.SUPPRESSED, State.SKIPPED, State.CANCELLED, State.BOUNCED, State.COMPLAINED)


@dataclass(frozen=True, slots=True)
class ExportedMail:
    """One mail to one person; `template_kind` is the kind of the message."""

    recipient: str
    subject: str
    body: str
    template_kind: str


def export_mails(*, about: str, only_kinds: Collection[str] = (), now: dt.datetime) -> Iterator[ExportedMail]:
    """Every message about `about` to everyone it was for, one mail a person, in constant memory.

    Who was told in the inbox alone is in it too, by the address of the account; nobody is in it twice for one message.
    Left out are people whose account is closed, who switched it off or never asked for promotions, what was taken back, is
    not due yet or of no use any more, and suppressed addresses. What has not found its recipients yet (see
    `messages_to_come`) is not in it.
    """
    messages = _due(about, now).order_by("pk")
    if only_kinds:
        messages = messages.filter(kind__in=only_kinds)
    for message in messages:
        yield from _mails_of(message)


def messages_to_come(*, about: str, now: dt.datetime) -> int:
    """How many messages that are due have not found all their recipients yet."""
    return _due(about, now).filter(expanded_at=None).count()


def _due(about: str, now: dt.datetime) -> QuerySet[Message]:
    of_use = Q(expires_at=None) | Q(expires_at__gt=now)
    return Message.objects.filter(of_use, about=about, cancelled_at=None, not_before__lte=now)


def _mails_of(message: Message) -> Iterator[ExportedMail]:
    try:
        kind = kinds.get(message.kind)
    except kinds.KindError:
        log.warning("export_skips_unknown_kind", kind=message.kind)
        return
    # In the order of the unique index; of one person's deliveries the one by mail comes first.
    deliveries = (
        Delivery.objects.filter(message=message)
        .order_by("recipient_key", "channel")
        .distinct("recipient_key")
        .select_related("member")
    )
    for block in _blocks(deliveries.iterator(chunk_size=_BLOCK)):
        wanted = []
        for delivery in block:
            person = delivery.member
            if delivery.state in _WITHHELD or (person is not None and not person.is_active):
                continue
            delivery.address = delivery.address or (person.email if person else "")
            delivery.message = message
            if delivery.address:
                wanted.append(delivery)
        wishes = wishes_of(wanted, channel=kinds.Channel.EMAIL)
        for delivery in wanted:
            if refusal(wishes[delivery.pk], kind=kind, person=delivery.member) is None:
                words = words_of(delivery, kind)
                yield ExportedMail(delivery.address, words.subject, words.text, kind.name)


def _blocks(deliveries: Iterator[Delivery]) -> Iterator[list[Delivery]]:
    while block := list(islice(deliveries, _BLOCK)):
        yield block
