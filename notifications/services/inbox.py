"""The inbox of a member: what is in it, what is unread, and reading."""

import datetime as dt
import uuid
from dataclasses import dataclass

from accounts.models import User
from notifications import kinds
from notifications.handles import delivery_id_of
from notifications.kinds import Channel
from notifications.models import Delivery, DeliveryQuerySet
from notifications.rendering import Words, words_of

UNREAD_SHOWN = 99  # a badge says "99+" above it, and nothing counts further


@dataclass(frozen=True)
class Letter:
    """One inbox message as the member sees it."""

    delivery: Delivery
    words: Words
    title: str

    @property
    def excerpt(self) -> str:
        """The text on one line, without addresses of pages: the row itself leads to the letter."""
        return " ".join(
            word for word in self.words.text.split() if not word.startswith(("http://", "https://"))
        )


class LetterNotFoundError(Exception):
    """There is no such message in this member's inbox."""


def inbox_of(*, member: User, now: dt.datetime) -> DeliveryQuerySet:
    """The member's inbox, the newest first, ready for `letter_of`."""
    inbox: DeliveryQuerySet = Delivery.objects.inbox_of(member.pk, now).select_related("message")
    return inbox


def letter_of(delivery: Delivery, *, with_links: bool = True) -> Letter:
    """The words of an inbox delivery; a kind that is gone or broken still shows that something was said.

    Lists leave the links out: a row shows its first words, and leads to the letter.
    """
    try:
        kind = kinds.get(delivery.message.kind)
        return Letter(
            delivery, words_of(delivery, kind, for_links=None if with_links else ""), str(kind.title)
        )
    except Exception:  # one unreadable message must not cost a member the whole inbox
        return Letter(delivery, Words("This message can't be shown", ""), delivery.message.kind)


def open_letter(*, member: User, handle: uuid.UUID, now: dt.datetime) -> Letter:
    """The member's message behind `handle`, marked as read. Raises `LetterNotFoundError`, also for another's.

    The handle of a push message leads to the copy in the inbox, or shows what it said where they keep none.
    """
    number = delivery_id_of(handle) or 0
    inbox = inbox_of(member=member, now=now)
    delivery = inbox.filter(pk=number).first()
    if delivery is None:
        pushed = Delivery.objects.filter(pk=number, member=member, channel=Channel.PUSH)
        delivery = pushed.select_related("message").first()
        if delivery is None:
            raise LetterNotFoundError(str(handle))
        delivery = inbox.filter(message=delivery.message).first() or delivery
    if delivery.read_at is None:
        Delivery.objects.filter(pk=delivery.pk, read_at__isnull=True).update(read_at=now)
        delivery.read_at = now
    return letter_of(delivery)


def mark_all_read(*, member: User, now: dt.datetime) -> int:
    """Mark everything in the member's inbox as read; returns how many were not."""
    return inbox_of(member=member, now=now).filter(read_at__isnull=True).order_by().update(read_at=now)


def unread_count(*, member_id: int, now: dt.datetime) -> int:
    """How many messages the member has not read, counted no further than one above `UNREAD_SHOWN`."""
    unread = Delivery.objects.inbox_of(member_id, now).filter(read_at__isnull=True)
    return len(unread.order_by()[: UNREAD_SHOWN + 1].values_list("pk"))


def badge_of(*, member_id: int, now: dt.datetime) -> str:
    """What the unread badge says: "" for none, "99+" above `UNREAD_SHOWN`."""
    count = unread_count(member_id=member_id, now=now)
    return f"{UNREAD_SHOWN}+" if count > UNREAD_SHOWN else str(count or "")
