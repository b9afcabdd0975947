"""Sending what is due: claim with a lease, look again whether it is still wanted, hand over, write down.

No transaction is open while a provider is talked to. What a crash may leave behind is bounded by the small
batches that are marked `sending_at` just before they go out; `leases.py` sorts those out.
"""

import datetime as dt
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice

import structlog
from django.db import transaction

from accounts.models import User
from notifications import backoff, kinds
from notifications.channels.email import Answer, ChannelDown, EmailChannel, Mail, Outcome
from notifications.kinds import Channel
from notifications.mail_links import FIRST_VERSION, links_of
from notifications.models import Delivery, Message, SkipReason, State
from notifications.rendering import mail_of
from notifications.services.consent import Wishes, held_until, refusal, wishes_of
from notifications.services.results import Result, Tally, lost_answer, message_id_of, save_results

log = structlog.get_logger(__name__)

LIMIT = 500
# A small batch stalls at worst for its size times EMAIL_TIMEOUT until three broken lines end it.
LEASE = dt.timedelta(minutes=5)
SMALL_BATCH = 20
BROKEN_LINES = 3
Clock = Callable[[], dt.datetime]


@dataclass(frozen=True)
class _Ready:
    """A delivery and the mail it becomes."""

    delivery: Delivery
    mail: Mail


def send_due_deliveries(*, now: dt.datetime, limit: int = LIMIT) -> Tally:
    """Send up to `limit` deliveries that are due; returns how many ended how.

    Any number of workers may run this at once: each row is claimed by one. A bad template, address or
    recipient stops nobody else's delivery; a provider that can't be reached puts the rest off, uncounted.
    """
    started = time.monotonic()

    def clock() -> dt.datetime:
        return now + dt.timedelta(seconds=time.monotonic() - started)

    tally = Tally()
    claimed = _claim(now=now, limit=limit)
    if not claimed:
        return tally
    wanted, versions = _recheck(claimed, tally, now=now)
    waiting = iter(wanted)
    broken_lines = 0
    with EmailChannel() as channel:
        while batch := list(islice(waiting, SMALL_BATCH)):
            try:
                broken_lines = _send_batch(batch, versions, channel, tally, broken_lines, clock)
            except ChannelDown as down:
                log.warning("channel_down", code=down.code, text=down.text)
                # Those of the batch that were sent are written down, so this finds only the others.
                _put_off([*batch, *waiting], down, tally, clock())
                break
    return tally


def _claim(*, now: dt.datetime, limit: int) -> list[Delivery]:
    with transaction.atomic():
        due = list(Delivery.objects.due(now).select_for_update(skip_locked=True)[:limit])
        Delivery.objects.filter(pk__in=[delivery.pk for delivery in due]).update(
            state=State.CLAIMED, lease_until=now + LEASE, sending_at=None
        )
    messages = Message.objects.in_bulk({delivery.message_id for delivery in due})
    for delivery in due:
        delivery.lease_until, delivery.skip_reason = now + LEASE, ""
        delivery.message = messages[delivery.message_id]
    return due


def _recheck(
    claimed: Sequence[Delivery], tally: Tally, *, now: dt.datetime
) -> tuple[list[Delivery], dict[int, int]]:
    """Those still wanted, and the versions of their readers' links; the others are written down as skipped, suppressed
    or put off. Two questions to the database, however many they are."""
    people = {
        person.pk: person
        for person in User.objects.filter(pk__in={d.member_id for d in claimed if d.member_id}).only(
            "is_active", "accepts_promotions", "time_zone"
        )
    }
    wishes = wishes_of(claimed)
    wanted, results = [], []
    for delivery in claimed:
        result = _objection(delivery, people.get(delivery.member_id or 0), wishes[delivery.pk], now)
        if result is None:
            wanted.append(delivery)
        else:
            results.append(result)
    save_results(results, tally)
    return wanted, {delivery.pk: wishes[delivery.pk].link_version for delivery in wanted}


def _objection(delivery: Delivery, person: User | None, wishes: Wishes, now: dt.datetime) -> Result | None:
    """What speaks against sending, None when nothing does."""
    expires_at = delivery.message.expires_at
    if delivery.message.cancelled_at is not None:
        return Result.of(delivery, State.CANCELLED)
    if expires_at is not None and expires_at <= now:
        return Result.of(delivery, State.SKIPPED, skip_reason=SkipReason.EXPIRED)
    if delivery.member_id is not None and (person is None or not person.is_active):
        return Result.of(delivery, State.SUPPRESSED, skip_reason=SkipReason.INACTIVE)
    try:
        kind = kinds.get(delivery.message.kind)
    except kinds.KindError as error:
        return _failed(delivery, Answer(Outcome.TEMPORARY, "kind", str(error)), now)
    if delivery.channel != Channel.EMAIL:
        return _failed(delivery, Answer(Outcome.PERMANENT, "channel", "nobody sends by this channel"), now)
    if (reason := refusal(wishes, kind=kind, person=person)) is not None:
        return Result.of(delivery, State.SUPPRESSED, skip_reason=reason)
    # The zone the person lives in now: a member may have moved since the message was written.
    time_zone = person.time_zone if person is not None else delivery.time_zone
    until = held_until(wishes, kind=kind, time_zone=time_zone, now=now)
    if until is None:
        return None
    if expires_at is not None and until >= expires_at:
        return Result.of(delivery, State.SKIPPED, skip_reason=SkipReason.QUIET_HOURS)
    return Result.of(delivery, State.PLANNED, skip_reason=SkipReason.QUIET_HOURS, next_attempt_at=until)


def _send_batch(
    batch: Sequence[Delivery],
    versions: Mapping[int, int],
    channel: EmailChannel,
    tally: Tally,
    broken_lines: int,
    clock: Clock,
) -> int:
    """Send one small batch; returns how many lines broke in a row. Raises `ChannelDown` with its results saved."""
    results: list[Result] = []
    ready = _mark(_render(batch, versions, results, clock()), clock())
    try:
        for at, item in enumerate(ready):
            answer = channel.send(item.mail)
            results.append(_result_of(item.delivery, answer, clock()))
            broken_lines = broken_lines + 1 if answer.line_broke else 0
            if broken_lines >= BROKEN_LINES and at + 1 < len(ready):
                raise ChannelDown(answer.code, answer.text)
    finally:
        save_results(results, tally)
    return broken_lines


def _render(
    batch: Iterable[Delivery], versions: Mapping[int, int], results: list[Result], now: dt.datetime
) -> list[_Ready]:
    ready = []
    for delivery in batch:
        try:
            kind = kinds.get(delivery.message.kind)
            links = links_of(delivery, kind, version=versions.get(delivery.pk, FIRST_VERSION))
            words, html = mail_of(delivery, kind, links)
        except Exception as error:  # a template or a link function of any app may raise anything
            log.exception("rendering_failed", kind=delivery.message.kind, delivery=str(delivery.handle))
            answer = Answer(Outcome.TEMPORARY, "template", f"{type(error).__name__}: {error}"[:500])
            results.append(_failed(delivery, answer, now))
            continue
        mail = Mail(
            message_id=message_id_of(delivery),
            address=delivery.address,
            name=delivery.name,
            subject=words.subject,
            text=words.text,
            html=html,
            headers=links.headers,
        )
        ready.append(_Ready(delivery, mail))
    return ready


def _mark(ready: Sequence[_Ready], now: dt.datetime) -> list[_Ready]:
    """Note that these may go out from now on, and renew their lease; returns those that are still ours."""
    lease = now + LEASE
    ours = Delivery.objects.filter(
        pk__in=[item.delivery.pk for item in ready],
        state=State.CLAIMED,
        lease_until__in={item.delivery.lease_until for item in ready},
    )
    with transaction.atomic():
        kept = set(ours.select_for_update().values_list("pk", flat=True))
        Delivery.objects.filter(pk__in=kept).update(sending_at=now, lease_until=lease)
    for item in ready:
        item.delivery.lease_until = lease
    return [item for item in ready if item.delivery.pk in kept]


def _result_of(delivery: Delivery, answer: Answer, now: dt.datetime) -> Result:
    if answer.outcome == Outcome.ACCEPTED:
        return Result.of(
            delivery,
            State.HANDED,
            attempts=delivery.attempts + 1,
            provider_id=answer.provider_id,
            provider_code=answer.code,
            provider_text=answer.text,
            handed_at=now,
        )
    if answer.outcome == Outcome.LOST:
        return lost_answer(delivery, code=answer.code, text=answer.text, now=now)
    return _failed(delivery, answer, now)


def _failed(delivery: Delivery, answer: Answer, now: dt.datetime) -> Result:
    """A refusal: tried again later with growing waits, unless it is final, too late or once too often."""
    attempts = delivery.attempts + 1
    next_attempt_at = now + backoff.delay(attempts)
    expires_at = delivery.message.expires_at
    state, reason = State.RETRY, ""
    if answer.outcome == Outcome.PERMANENT or attempts >= backoff.ATTEMPTS:
        state = State.FAILED
    elif expires_at is not None and next_attempt_at >= expires_at:
        state, reason = State.SKIPPED, SkipReason.EXPIRED
    return Result.of(
        delivery,
        state,
        skip_reason=reason,
        attempts=attempts,
        next_attempt_at=next_attempt_at if state == State.RETRY else delivery.next_attempt_at,
        provider_code=answer.code,
        provider_text=answer.text,
    )


def _put_off(deliveries: Iterable[Delivery], down: ChannelDown, tally: Tally, now: dt.datetime) -> None:
    """Give back what was not tried because the provider is away; that counts as no attempt."""
    save_results(
        [
            Result.of(
                delivery,
                State.RETRY,
                next_attempt_at=now + backoff.delay(1),
                provider_code=down.code,
                provider_text=down.text,
            )
            for delivery in deliveries
        ],
        tally,
        only_claimed=True,
    )
