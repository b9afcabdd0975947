"""Broadcasts: written by staff, scheduled as one message, called back as long as it is not out."""

import datetime as dt
import json
import uuid
from collections.abc import Mapping, Sequence
from typing import Any

from django.conf import settings
from django.db import transaction
from django.db.models import Exists, OuterRef, QuerySet
from django.utils.translation import gettext as _

from accounts.models import User
from audit.services import record
from notifications.kinds import BY_PHONE, Category, Channel
from notifications.models import (
    WAITING,
    Broadcast,
    BroadcastState,
    Delivery,
    Message,
    Segment,
    SequenceTurn,
    State,
)
from notifications.overrides import brought_shapes
from notifications.recipients import people
from notifications.rendering import standard_values
from notifications.segments import Condition, audience
from notifications.services.audiences import size_of, usable_channels
from notifications.services.messages import cancel_message, notify
from notifications.variables import LIMIT, sample
from notifications.words.checking import Findings, check_parts
from notifications.words.parts import Parts, Vocabulary

NEWS_KIND = "notifications.news"
NOTICE_KIND = "notifications.notice"
_ABOUT = "notifications.broadcast:"
OPEN = (*WAITING, State.CLAIMED)
"""States of deliveries of which something may still come."""
_ROOM = 1_000  # bytes of a message's values besides its words
FURTHEST = dt.timedelta(days=366)


class BroadcastError(Exception):
    """A broadcast can't be changed, scheduled or cancelled like this. The text says what to do.

    `findings` say what is wrong with its words, if that is why."""

    def __init__(self, text: str, findings: Findings | None = None) -> None:
        super().__init__(text)
        self.findings = findings


def kind_name(category: str) -> str:
    """The kind of message that a broadcast of a category is."""
    return NEWS_KIND if category == Category.PROMOTIONAL else NOTICE_KIND


def vocabulary(occasion_variables: Mapping[str, type], occasion: str = "") -> Vocabulary:
    """What words may use that a message brings."""
    samples = {**sample(occasion_variables), **standard_values(name="Asha Kamau", has_inbox=True)}
    return Vocabulary(brought_shapes(occasion), samples)


def check_brought(parts: Parts, vocabulary_: Vocabulary) -> Findings:
    """Look through words that a message brings."""
    return check_parts(parts, vocabulary_, site_url=settings.SITE_URL)


def save_broadcast(
    *,
    broadcast: Broadcast | None,
    title: str,
    segment: Segment,
    category: str,
    channels: Sequence[str],
    send_at: dt.datetime | None,
    expires_at: dt.datetime | None,
    by: User,
    now: dt.datetime,
) -> Broadcast:
    """Make a draft, or change one. Raises `BroadcastError`."""
    usable = {str(channel) for channel in usable_channels()}
    if not channels or not set(channels) <= usable:
        raise BroadcastError(_("Choose by which channels it goes."))
    fields = {
        "title": title,
        "segment": segment,
        "category": category,
        "channels": list(channels),
        "send_at": send_at,
        "expires_at": expires_at,
    }
    with transaction.atomic():
        if broadcast is None:
            broadcast = Broadcast.objects.create(**fields, made_at=now, made_by=by)
            action = "notification.broadcast_made"
        else:
            broadcast = _locked_draft(broadcast)
            for name, value in fields.items():
                setattr(broadcast, name, value)
            broadcast.save(update_fields=list(fields))
            action = "notification.broadcast_changed"
        _record(broadcast, action, {"audience": str(segment.public_id), "channels": list(channels)}, by, now)
    return broadcast


def save_broadcast_words(
    *,
    broadcast: Broadcast,
    language: str,
    parts: Parts,
    by: User,
    now: dt.datetime,
    accepts_warnings: bool = False,
) -> Broadcast:
    """Write a draft's words in one language; with all parts empty, take that language out. Raises `BroadcastError`."""
    found = check_brought(parts, vocabulary({}))
    if parts and not (parts.subject and parts.text):
        raise BroadcastError(_("Write a subject and a text."), found)
    if found.errors:
        raise BroadcastError(_("These words can't be used yet. What to do stands at each part."), found)
    if found.warnings and not accepts_warnings:
        raise BroadcastError(_("Look at the warnings: mend what they name, or accept them."), found)
    with transaction.atomic():
        broadcast = _locked_draft(broadcast)
        words = dict(broadcast.words)
        if parts:
            words[language] = dict(parts.items())
        else:
            words.pop(language, None)
        insist_they_fit(words)
        broadcast.words = words
        broadcast.save(update_fields=["words"])
        data = {"language": language, "accepted": [problem.code for problem in found.warnings]}
        _record(broadcast, "notification.broadcast_written", data, by, now)
    return broadcast


def insist_they_fit(words: Mapping[str, Any], *, room: int = _ROOM) -> None:
    """All languages of a message's words are kept with it, beside `room` bytes of other values. Raises `BroadcastError`."""
    if len(json.dumps(words, ensure_ascii=False).encode(errors="surrogatepass")) > LIMIT - room:
        raise BroadcastError(_("All languages together are too long for one message. Shorten them."))


def why_not_schedule(broadcast: Broadcast, *, now: dt.datetime) -> str:
    """What is missing before it can be scheduled; "" for nothing."""
    if broadcast.state != BroadcastState.DRAFT:
        return _("It is scheduled or cancelled already.")
    if not broadcast.words:
        return _("Nothing is written yet: write its words.")
    if broadcast.send_at is None:
        return _("Choose when it is sent.")
    if broadcast.send_at < now - dt.timedelta(hours=1):
        return _("Its time is over: choose a later one.")
    if broadcast.send_at > now + FURTHEST:
        return _("Its time is more than a year ahead: choose an earlier one.")
    if broadcast.expires_at is not None and broadcast.expires_at <= broadcast.send_at:
        return _("It is of no use before it is sent: choose a later end, or none.")
    if any(Channel(name) not in usable_channels() for name in broadcast.channels):
        return _("One of its channels is not set up any more: choose others.")
    if any(Channel(name) in BY_PHONE for name in broadcast.channels):
        short = [language for language in broadcast.languages if not broadcast.parts_in(language).sms]
        if short:
            return _("It goes to telephones: write a short text in “%(code)s”, too.") % {"code": short[0]}
    return ""


def schedule_broadcast(*, broadcast: Broadcast, by: User, now: dt.datetime) -> Broadcast:
    """Let it go out at its time, to who is in its audience then. From here on nothing of it changes.

    Scheduling it again changes nothing. Raises `BroadcastError`, and `SegmentError` for an audience that can't be asked.
    """
    with transaction.atomic():
        broadcast = _locked(broadcast)
        if broadcast.state == BroadcastState.SCHEDULED:
            return broadcast
        if why_not := why_not_schedule(broadcast, now=now):
            raise BroadcastError(why_not)
        for language in broadcast.languages:
            found = check_brought(broadcast.parts_in(language), vocabulary({}))
            if found.errors:
                raise BroadcastError(
                    _("Its words in “%(code)s” can't be used any more.") % {"code": language}, found
                )
        size = size_of(broadcast.segment.conditions, category=broadcast.category)
        if not size.people:
            raise BroadcastError(_("Nobody is in its audience. Choose another, or change its rules."))
        assert broadcast.send_at is not None
        broadcast.audience, broadcast.size = broadcast.segment.rules, size.people
        broadcast.message = notify(
            kind=kind_name(broadcast.category),
            about=f"{_ABOUT}{broadcast.public_id}",
            context={
                "words": broadcast.words,
                "channels": broadcast.channels,
                "occasion": "",
                "values": {},
                "batch": "",
            },
            idem_key=f"broadcast:{broadcast.public_id}",
            not_before=broadcast.send_at,
            expires_at=broadcast.expires_at,
            now=now,
        )
        broadcast.state = BroadcastState.SCHEDULED
        broadcast.save(update_fields=["audience", "size", "message", "state"])
        data = {"people": size.people, "at": broadcast.send_at.isoformat(), "rules": broadcast.audience}
        _record(broadcast, "notification.broadcast_scheduled", data, by, now)
    return broadcast


def cancel_broadcast(*, broadcast: Broadcast, by: User, now: dt.datetime) -> int:
    """Call it off: what is not out stays unsent, inbox copies are taken back; returns how many deliveries that were.

    Cancelling it again changes nothing.
    """
    with transaction.atomic():
        broadcast = _locked(broadcast)
        if broadcast.state == BroadcastState.CANCELLED:
            return 0
        count = cancel_message(message=broadcast.message, by=by, now=now) if broadcast.message else 0
        broadcast.state = BroadcastState.CANCELLED
        broadcast.save(update_fields=["state"])
        _record(broadcast, "notification.broadcast_cancelled", {"deliveries": count}, by, now)
    return count


def copy_broadcast(*, broadcast: Broadcast, by: User, now: dt.datetime) -> Broadcast:
    """A new draft with the same words and audience, without a time."""
    with transaction.atomic():
        copy = Broadcast.objects.create(
            title=_("Again: %(title)s") % {"title": broadcast.title[:70]},
            segment=broadcast.segment,
            category=broadcast.category,
            channels=broadcast.channels,
            words=broadcast.words,
            made_at=now,
            made_by=by,
        )
        _record(copy, "notification.broadcast_made", {"copy_of": str(broadcast.public_id)}, by, now)
    return copy


def progress_of(broadcast: Broadcast) -> str:
    """Where it is, in one word: its state, or what has become of its message."""
    message = broadcast.message
    if broadcast.state != BroadcastState.SCHEDULED or message is None or not message.has_begun:
        return str(broadcast.state)
    if message.expanded_at is None:
        return "sending"
    has_open = getattr(broadcast, "has_open", None)  # of a list, which asks for all at once
    if has_open is None:
        has_open = Delivery.objects.filter(message=message, state__in=OPEN).exists()
    return "sending" if has_open else "sent"


def with_progress(broadcasts: QuerySet[Broadcast]) -> QuerySet[Broadcast]:
    """The same with what `progress_of` asks of each, in the one query."""
    open_ones = Delivery.objects.filter(message=OuterRef("message_id"), state__in=OPEN)
    return broadcasts.annotate(has_open=Exists(open_ones))


def recipients_of(message: Message) -> QuerySet[Any, Any] | None:
    """Whom a message that brings its words goes to: a broadcast's audience, or those whose turn a step is."""
    if batch := message.context.get("batch"):
        turns = SequenceTurn.objects.filter(batch=uuid.UUID(batch))
        return people(turns, account="member", address="address", name="name")
    broadcast = Broadcast.objects.get(public_id=message.about.removeprefix(_ABOUT))
    return audience([Condition.of(stored) for stored in broadcast.audience])


def _locked(broadcast: Broadcast) -> Broadcast:
    return (
        Broadcast.objects.select_for_update(of=("self",))
        .select_related("segment", "message")
        .get(pk=broadcast.pk)
    )


def _locked_draft(broadcast: Broadcast) -> Broadcast:
    locked = _locked(broadcast)
    if locked.state != BroadcastState.DRAFT:
        raise BroadcastError(
            _("It is scheduled or cancelled: nothing of it changes any more. Use it again as a new one.")
        )
    return locked


def _record(broadcast: Broadcast, action: str, data: Mapping[str, Any], by: User, now: dt.datetime) -> None:
    record(actor=by, action=action, target=broadcast, data=data, now=now)
