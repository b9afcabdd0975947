"""Letters whose answer was lost: the provider is asked what became of them, and only what it surely lacks goes out again."""

import datetime as dt

import structlog
from django.db import transaction
from django.db.models import Q

from notifications import backoff
from notifications.channels.registry import sender_class, sending_channels
from notifications.channels.seam import ChannelDown, Found, Happened, Sender, Sought
from notifications.kinds import BY_PHONE, Channel
from notifications.models import Delivery, Message, State
from notifications.services.composing import compose
from notifications.services.consent import wishes_of
from notifications.services.results import Result, Tally, save_results

log = structlog.get_logger(__name__)

ASK_AT_ONCE = 100
GIVES_UP_AFTER = dt.timedelta(days=3)
"""Providers keep what they sent for about as long; after that only a person can find out."""
_HOLD = dt.timedelta(minutes=2)
_MOMENT = dt.timedelta(seconds=2)
_BEFORE = dt.timedelta(hours=1)
_STATES = {
    Happened.DELIVERED: State.DELIVERED,
    Happened.FAILED: State.FAILED,
    Happened.BOUNCED: State.BOUNCED,
    Happened.COMPLAINED: State.COMPLAINED,
}


def resolve_unknown(*, now: dt.datetime, limit: int = ASK_AT_ONCE) -> Tally:
    """Ask providers about up to `limit` letters a channel; returns how many ended in which state.

    Found: as the provider says. Absent although the provider would surely show it by now: sent again. Otherwise asked
    again later, at growing distances, for three days. No transaction is open meanwhile, and an answer or callback that comes
    in between wins. Channels that can't be asked are left alone: their letters stay `unknown` until staff decide.
    """
    tally = Tally()
    for channel in sending_channels():
        kind_of_sender = sender_class(channel)
        if not kind_of_sender.can_be_asked:
            continue
        held = _hold(channel, now=now, limit=limit)
        if not held:
            continue
        try:
            with kind_of_sender() as sender:
                _ask(sender, held, tally, now)
        except ChannelDown as down:
            log.warning("channel_down", channel=channel, code=down.code, text=down.text)
    return tally


def _hold(channel: Channel, *, now: dt.datetime, limit: int) -> list[Delivery]:
    """Take some whose turn it is; nobody else asks about them for a while."""
    with transaction.atomic():
        due = Delivery.objects.to_ask_about(now).filter(
            channel=channel, sending_at__gt=now - GIVES_UP_AFTER, address__gt=""
        )
        held = list(due.select_for_update(skip_locked=True)[:limit])
        Delivery.objects.filter(pk__in=[delivery.pk for delivery in held]).update(next_attempt_at=now + _HOLD)
    messages = Message.objects.in_bulk({delivery.message_id for delivery in held})
    for delivery in held:
        delivery.message = messages[delivery.message_id]
    return held


def _ask(sender: Sender, held: list[Delivery], tally: Tally, now: dt.datetime) -> None:
    wishes = wishes_of(held)
    sought: dict[str, tuple[Delivery, Sought]] = {}
    others, on_their_way = _of_the_same_people(held)
    results = []
    for delivery in held:
        assert delivery.sending_at is not None  # the filter above
        if (
            delivery.address in on_their_way
        ):  # what is found there could be that one: it has its id in a moment
            results.append(Result.of(delivery, State.UNKNOWN, next_attempt_at=now + _MOMENT))
            continue
        try:
            letter = compose(delivery, link_version=wishes[delivery.pk].link_version)
        except Exception:  # a template of any app may raise anything; it is asked about again once mended
            log.exception("rendering_failed", kind=delivery.message.kind, delivery=str(delivery.handle))
            continue
        known = frozenset(others.get(delivery.address, ()))
        sought[letter.key] = (delivery, Sought(letter, delivery.sending_at, known))
    found = sender.find([item for _delivery, item in sought.values()])
    results += [
        _result_of(delivery, found.get(key), now=now, settles_after=sender.settles_after)
        for key, (delivery, _item) in sought.items()
    ]
    save_results(results, tally, only=(State.UNKNOWN,))


def _of_the_same_people(held: list[Delivery]) -> tuple[dict[str, set[str]], set[str]]:
    """By address, what the provider calls other letters there; and the addresses to which one is being sent right now.

    Only where addresses are telephones: those providers don't know a letter by our key, and find it by number and text.
    """
    if not held or held[0].channel not in BY_PHONE:
        return {}, set()
    members = {delivery.member_id for delivery in held if delivery.member_id}
    outside = {delivery.address for delivery in held if not delivery.member_id}
    theirs = Delivery.objects.filter(
        Q(member_id__in=members) | Q(member=None, address__in=outside), channel=held[0].channel
    )
    since = min(delivery.sending_at for delivery in held if delivery.sending_at) - _BEFORE
    others: dict[str, set[str]] = {}
    sent = (
        theirs.filter(handed_at__gt=since)
        .exclude(provider_id="")
        .exclude(pk__in=[delivery.pk for delivery in held])
        .values_list("address", "provider_id")
    )
    for address, provider_id in sent:
        others.setdefault(address, set()).add(provider_id)
    return others, set(theirs.filter(state=State.CLAIMED).values_list("address", flat=True))


def _result_of(
    delivery: Delivery, found: Found | None, *, now: dt.datetime, settles_after: dt.timedelta
) -> Result:
    assert delivery.sending_at is not None
    age = now - delivery.sending_at
    if found is not None:
        return Result.of(
            delivery,
            _STATES.get(found.happened, State.HANDED),
            provider_id=found.provider_id or delivery.provider_id,
            provider_code=found.code,
            provider_text=found.text,
            handed_at=delivery.handed_at or delivery.sending_at,
        )
    if age >= settles_after and delivery.attempts >= backoff.ATTEMPTS:
        return Result.of(delivery, State.FAILED, provider_code="absent", provider_text="")
    if age >= settles_after:
        return Result.of(delivery, State.RETRY, next_attempt_at=now, provider_code="absent", provider_text="")
    return Result.of(delivery, State.UNKNOWN, next_attempt_at=now + min(max(age, _HOLD / 12), settles_after))
