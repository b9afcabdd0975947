"""Sending what is due: claim with a lease, look again whether it is still wanted, hand over, write down.

No transaction is open while a provider is talked to. What a crash may leave behind is bounded by the small
batches that are marked `sending_at` just before they go out; `leases.py` sorts those out.
"""

import datetime as dt
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from itertools import groupby, islice
from operator import attrgetter

import structlog
from django.db import InterfaceError, OperationalError, connection, transaction
from django.db.models import Case, Value, When

from accounts.models import User
from notifications import backoff, kinds
from notifications.channels.registry import sender_class, sending_channels
from notifications.channels.seam import Answer, ChannelDown, Letter, Outcome, Sender
from notifications.kinds import Channel
from notifications.limits import HORIZON_S, Bucket, LimitUnavailableError, NoSlotError, bucket_of
from notifications.mail_links import FIRST_VERSION
from notifications.models import Delivery, DeliveryQuerySet, Message, SkipReason, State, SuppressionReason
from notifications.rendering import manners_of
from notifications.services.composing import compose
from notifications.services.consent import Wishes, held_until, refusal, wishes_of
from notifications.services.devices import devices_for, note_devices
from notifications.services.results import CLAIMED, Result, Tally, lost_answer, save_results
from notifications.services.suppressions import suppress_address

log = structlog.get_logger(__name__)

LIMIT = 500
# A small batch stalls at worst for its size times EMAIL_TIMEOUT until three broken lines end it.
LEASE = dt.timedelta(minutes=5)
BROKEN_LINES = 3
SPELL_S = 30.0
"""So long a channel is sent by in one round; what is left is given back, so that receivers that answer slowly hold up neither the
other channels nor what they have claimed."""
REST_S = 10.0
"""So long a limited channel is left alone by a worker to whom its provider did not answer; mails must not wait each round."""
_MARK = """
UPDATE notifications_delivery SET sending_at = %s, lease_until = %s
WHERE id = ANY(%s) AND state = %s AND lease_until = ANY(%s)
RETURNING id
"""
Clock = Callable[[], dt.datetime]
_rests_until: dict[str, float] = {}


@dataclass(frozen=True)
class _Ready:
    """A delivery and the letter it becomes."""

    delivery: Delivery
    letter: Letter


def send_due_deliveries(*, now: dt.datetime, limit: int = LIMIT) -> Tally:
    """Send up to `limit` deliveries that are due by each channel; returns how many ended how.

    Any number of workers may run this at once: each row is claimed by one. A bad template, address or
    recipient stops nobody else's delivery; a provider that can't be reached puts the rest off, uncounted,
    and stops no other channel. A channel with a limit sends what its limit lets through within about a second, and
    leaves the rest to the next round.
    """
    started = time.monotonic()

    def clock() -> dt.datetime:
        return now + dt.timedelta(seconds=time.monotonic() - started)

    tally = Tally()
    channels = sending_channels()
    for channel in channels:
        try:
            _send_by(channel, tally, limit=limit, clock=clock)
        except (OperationalError, InterfaceError):
            raise  # without the database nothing goes on
        except Exception:  # a channel that breaks is no reason for the others to wait
            log.exception("channel_failed", channel=channel)
    nobodys = [channel for channel in Channel if channel not in channels]  # by name, for the index
    _give_up(Delivery.objects.filter(channel__in=nobodys), tally, now=now, limit=limit)
    return tally


def _send_by(channel: Channel, tally: Tally, *, limit: int, clock: Clock) -> None:
    now, until = clock(), time.monotonic() + HORIZON_S
    spell_ends = time.monotonic() + SPELL_S
    bucket = bucket_of(channel)
    if bucket is not None:
        limit = min(limit, _room_in(bucket, now)) if time.monotonic() >= _rests_until.get(channel, 0.0) else 0
    claimed = _claim(Delivery.objects.filter(channel=channel), now=now, limit=limit) if limit else []
    if not claimed:
        return
    wanted, versions = _recheck(claimed, tally, now=now)
    if not wanted:
        return
    waiting = iter(wanted)
    broken_lines = 0
    kind_of_sender = sender_class(channel)
    with kind_of_sender() as sender:
        hand_over = sender.hand_over if bucket is None else partial(_in_turn, sender, bucket, until)
        while batch := list(islice(waiting, kind_of_sender.batch)):
            if time.monotonic() >= spell_ends:
                _give_back([*batch, *waiting])
                break
            try:
                broken_lines = _send_batch(batch, versions, sender, hand_over, tally, broken_lines, clock)
            except (NoSlotError, LimitUnavailableError):
                _give_back([*batch, *waiting])
                break
            except ChannelDown as down:
                log.warning("channel_down", channel=channel, code=down.code, text=down.text)
                if bucket is not None:
                    asked_for = down.retry_after.total_seconds() if down.retry_after else 0.0
                    _rests_until[channel] = time.monotonic() + max(REST_S, asked_for)
                # Those of the batch that were sent are written down, so this finds only the others.
                _put_off([*batch, *waiting], down, tally, clock())
                break


def _room_in(bucket: Bucket, now: dt.datetime) -> int:
    """How many the limit lets through within a round. None while Redis is away: what is limited waits, nothing is lost."""
    if not Delivery.objects.filter(channel=bucket.sender).due(now).exists():
        return 0
    try:
        return bucket.room()
    except LimitUnavailableError:
        return 0


def _in_turn(sender: Sender, bucket: Bucket, until: float, letters: Sequence[Letter]) -> Iterator[Answer]:
    """Hand over one by one, each when the limit lets it. Raises what `Bucket.turn` does before the first not tried, and
    `ChannelDown` where a provider that gives no answer has used up the round."""
    lost: Answer | None = None
    for letter in letters:
        if lost is not None and time.monotonic() >= until:
            raise ChannelDown(lost.code, lost.text)
        with bucket.turn(until):
            answers = list(sender.hand_over([letter]))
        for answer in answers:
            lost = answer if answer.line_broke else None
            yield answer


def _give_back(deliveries: Sequence[Delivery]) -> None:
    """Those that the limit left no time for keep their place in the line; the next round takes them first."""
    Delivery.objects.filter(
        pk__in=[delivery.pk for delivery in deliveries],
        state=State.CLAIMED,
        lease_until__in={delivery.lease_until for delivery in deliveries},
    ).update(
        state=Case(When(attempts__gt=0, then=Value(State.RETRY)), default=Value(State.PLANNED)),
        sending_at=None,
    )


def _give_up(strays: DeliveryQuerySet, tally: Tally, *, now: dt.datetime, limit: int) -> None:
    """Planned for a channel that this site does not (or no longer) send by: said once, and not tried for ever."""
    answer = Answer(Outcome.PERMANENT, "channel", "nobody sends by this channel")
    save_results([_failed(stray, answer, now) for stray in _claim(strays, now=now, limit=limit)], tally)


def _claim(deliveries: DeliveryQuerySet, *, now: dt.datetime, limit: int) -> list[Delivery]:
    with transaction.atomic():
        waiting = deliveries.due(now).select_for_update(skip_locked=True)
        due = list(waiting.filter(is_urgent=True)[:limit])
        if len(due) < limit:
            due += waiting.filter(is_urgent=False)[: limit - len(due)]
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
    if delivery.channel == Channel.WEBHOOK:  # a program that was set up to be told, not a person with wishes
        reason = SkipReason(wishes.suppressed_for) if wishes.suppressed_for else None
        return Result.of(delivery, State.SUPPRESSED, skip_reason=reason) if reason is not None else None
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
    sender: Sender,
    hand_over: Callable[[Sequence[Letter]], Iterator[Answer]],
    tally: Tally,
    broken_lines: int,
    clock: Clock,
) -> int:
    """Send one small batch; returns how many lines broke in a row. Raises `ChannelDown`, and what `hand_over` does, with
    its results saved."""
    results: list[Result] = []
    dead: list[tuple[Delivery, Answer]] = []
    heard: list[Answer] = []
    ready = _mark(_render(batch, versions, results, clock()), clock())
    try:
        answers = hand_over([item.letter for item in ready])
        for at, (item, answer) in enumerate(zip(ready, answers, strict=True)):
            results.append(_result_of(item.delivery, answer, clock(), can_be_asked=sender.can_be_asked))
            heard.append(answer)
            if answer.bad_address or answer.opted_out:
                dead.append((item.delivery, answer))
            broken_lines = broken_lines + 1 if answer.line_broke else 0
            if broken_lines >= BROKEN_LINES and at + 1 < len(ready):
                raise ChannelDown(answer.code, answer.text)
    finally:
        save_results(results, tally)
        note_devices(heard, now=clock())
        for delivery, answer in dead:
            _suppress(delivery, answer, now=clock())
    return broken_lines


def _suppress(delivery: Delivery, answer: Answer, *, now: dt.datetime) -> None:
    suppress_address(
        address=delivery.address,
        channel=delivery.channel,
        reason=SuppressionReason.STOP if answer.opted_out else SuppressionReason.BOUNCE,
        note=f"{answer.code} {answer.text}".strip(),
        by=None,
        now=now,
    )


def _render(
    batch: Iterable[Delivery], versions: Mapping[int, int], results: list[Result], now: dt.datetime
) -> list[_Ready]:
    ready: list[_Ready] = []
    batch = list(batch)
    devices = devices_for(batch)
    for _manners, readers in groupby(batch, key=attrgetter("language", "time_zone")):
        same = list(readers)
        with manners_of(same[0]):
            for delivery in same:
                try:
                    letter = compose(delivery, link_version=versions.get(delivery.pk, FIRST_VERSION))
                except Exception as error:  # a template or a link function of any app may raise anything
                    log.exception(
                        "rendering_failed", kind=delivery.message.kind, delivery=str(delivery.handle)
                    )
                    answer = Answer(Outcome.TEMPORARY, "template", f"{type(error).__name__}: {error}"[:500])
                    results.append(_failed(delivery, answer, now))
                else:
                    ready.append(_Ready(delivery, replace(letter, devices=devices.get(delivery.pk, ()))))
    return ready


def _mark(ready: Sequence[_Ready], now: dt.datetime) -> list[_Ready]:
    """Note that these may go out from now on, and renew their lease; returns those that are still ours."""
    lease = now + LEASE
    ids = [item.delivery.pk for item in ready]
    leases = list({item.delivery.lease_until for item in ready})
    with connection.cursor() as cursor:
        cursor.execute(_MARK, [now, lease, ids, State.CLAIMED, leases])
        kept = {key for (key,) in cursor.fetchall()}
    for item in ready:
        item.delivery.lease_until = lease
    return [item for item in ready if item.delivery.pk in kept]


def _result_of(delivery: Delivery, answer: Answer, now: dt.datetime, *, can_be_asked: bool) -> Result:
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
        return lost_answer(delivery, code=answer.code, text=answer.text, now=now, can_be_asked=can_be_asked)
    return _failed(delivery, answer, now)


def _failed(delivery: Delivery, answer: Answer, now: dt.datetime) -> Result:
    """A refusal: tried again later with growing waits, unless it is final, too late or once too often."""
    attempts = delivery.attempts + 1
    next_attempt_at = now + max(backoff.delay(attempts), answer.retry_after or dt.timedelta(0))
    expires_at = delivery.message.expires_at
    state, reason = State.RETRY, ""
    if answer.bad_address:
        state = State.BOUNCED
    elif answer.opted_out:
        state, reason = State.SUPPRESSED, SkipReason.STOP
    elif answer.outcome == Outcome.PERMANENT or attempts >= backoff.ATTEMPTS:
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
                next_attempt_at=now + max(backoff.delay(1), down.retry_after or dt.timedelta(0)),
                provider_code=down.code,
                provider_text=down.text,
            )
            for delivery in deliveries
        ],
        tally,
        only=CLAIMED,
    )
