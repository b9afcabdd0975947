"""Live updates, the publishing side. A hint to open pages: what they show can always be rebuilt from PostgreSQL.

    transaction.on_commit(lambda: publish(f"draw:{draw.slug}", "winner", {"rank": 1}))

A page carries a token from `make_token`, made by the app that owns the topics and knows who may listen.
"""

import datetime as dt
import json
import time
from collections.abc import Mapping, Sequence
from functools import lru_cache
from typing import Any, cast

import redis
import structlog
from django.conf import settings
from django.core.serializers.json import DjangoJSONEncoder

from notifications import live_wire as wire
from notifications.live_wire import Grant, Presence, TokenError

__all__ = [
    "Grant",
    "Presence",
    "TokenError",
    "fits",
    "make_token",
    "number_at",
    "present",
    "publish",
    "publish_many",
    "read_token",
]

log = structlog.get_logger(__name__)

TOKEN_SECONDS = 3_600
QUIET_SECONDS = 5.0
CLOCKS_DIFFER = dt.timedelta(seconds=5)
_quiet_until = 0.0


def publish(topic: str, event: str, data: Mapping[str, Any], *, each: bool = False) -> None:
    """Tell the pages that listen to `topic`; call it when the change is committed. Never raises.

    `data` says how things stand, so that the last of two frames with one event is enough. Where it says what happened
    and none may be left out, pass `each`.
    """
    publish_many([topic], event, data, each=each)


def publish_many(topics: Sequence[str], event: str, data: Mapping[str, Any], *, each: bool = False) -> None:
    """Tell the same to several topics in one round trip. Never raises."""
    global _quiet_until
    if time.monotonic() < _quiet_until:
        return
    try:
        text = _text(data)
        _check(topics, event, text)
        channel = wire.channel_of(settings.REDIS_URL)
        with _client(settings.REDIS_URL).pipeline(transaction=False) as pipeline:
            for topic in topics:
                pipeline.eval(
                    wire.PUBLISH_SCRIPT,
                    2,
                    wire.stream_key(topic),
                    wire.CLOCK_KEY,
                    channel,
                    topic,
                    event,
                    text,
                    "1" if each else "0",
                    str(wire.HISTORY_FRAMES),
                    str(wire.HISTORY_SECONDS),
                )
            pipeline.execute()
    except (redis.RedisError, OSError) as error:
        # The work that led here is done and must not wait for a dead Redis at each step.
        _quiet_until = time.monotonic() + QUIET_SECONDS
        log.warning("publish_failed", error=str(error))
    except (TypeError, ValueError) as error:
        log.error("publish_refused", topics=list(topics)[:3], event_name=event, error=str(error))


def fits(data: Mapping[str, Any]) -> bool:
    """Whether this is small enough to be published."""
    return len(_text(data).encode()) <= wire.DATA_LIMIT


def number_at(now: dt.datetime) -> int:
    """A number for `last` of a page that was made at `now`: it hears what was published since, and a little of before.

    Before, because it is by our clock, and frames are numbered by that of Redis.
    """
    return int((now - CLOCKS_DIFFER).timestamp() * 1e6)


def make_token(
    topics: Sequence[str],
    now: dt.datetime,
    *,
    seconds: int = TOKEN_SECONDS,
    counted: Sequence[str] = (),
    shown_as: str = "",
    sees_who: bool = False,
) -> str:
    """A token to listen to `topics` for `seconds`. Raises ValueError for what can't be a topic.

    On the topics `counted` its bearer is among those who are here (`present`): as the member `shown_as`, or as a stranger
    who is only counted. How many there are, all of these are told; who, only with `sees_who`.
    """
    return wire.sign_token(
        settings.LINK_KEY.encode(),
        topics,
        now=now,
        seconds=seconds,
        counted=counted,
        shown_as=shown_as,
        sees_who=sees_who,
    )


def present(topic: str) -> Presence | None:
    """Who is here just now; None when nobody can say, because Redis is gone. Never raises."""
    try:
        # As a process that has nobody itself.
        said = _client(settings.REDIS_URL).eval(
            wire.PRESENT_SCRIPT, 1, wire.present_key(topic), "nobody", "", str(wire.PRESENT_MS)
        )
    except (redis.RedisError, OSError) as error:
        log.warning("presence_unknown", error=str(error))
        return None
    return wire.presence_of(cast("list[bytes]", said))


def read_token(token: str, now: dt.datetime) -> Grant:
    """What a token allows. Raises `TokenError`."""
    return wire.verify_token(settings.LINK_KEY.encode(), token, now=now)


def _text(data: Mapping[str, Any]) -> str:
    return json.dumps(data, cls=DjangoJSONEncoder, separators=(",", ":"), ensure_ascii=False)


def _check(topics: Sequence[str], event: str, text: str) -> None:
    for topic in topics:
        if not wire.TOPIC.fullmatch(topic) or len(topic) > wire.NAME_LIMIT:
            raise ValueError(f"{topic!r} is no topic")
    if not wire.EVENT.fullmatch(event) or len(event) > wire.NAME_LIMIT or event in wire.OWN_EVENTS:
        raise ValueError(f"{event!r} is no event")
    if len(text.encode()) > wire.DATA_LIMIT:
        raise ValueError(f"an update takes at most {wire.DATA_LIMIT} bytes")


@lru_cache(maxsize=2)
def _client(url: str) -> "redis.Redis":
    return redis.Redis.from_url(url, socket_timeout=1, socket_connect_timeout=1)
