"""What the publisher, the pages and the hub agree on: tokens, Redis keys, frames. Nothing of Django.

A frame's number is the time on Redis's clock in microseconds, raised where two would be equal: one order over
all topics, and larger than every earlier one even after Redis came back empty.
"""

import base64
import binascii
import datetime as dt
import hashlib
import hmac
import json
import re
from collections.abc import Sequence
from dataclasses import dataclass
from urllib.parse import urlsplit

TOPIC = re.compile(r"[a-z][a-z0-9_]*(:[A-Za-z0-9._-]+)+")
EVENT = re.compile(r"[a-z][a-z0-9_.-]*")
TOPICS_LIMIT = 20
NAME_LIMIT = 120
DATA_LIMIT = 16_384  # bytes of a frame's JSON: updates are hints, not documents
# A browser that comes back within this time and these frames of a topic misses nothing.
HISTORY_FRAMES = 64
HISTORY_SECONDS = 600
# Tells a page that it may have missed something and should ask the site how things stand.
RESYNC = "resync"

# XADD needs an id above all earlier ones, the subscribers need the same id: so both happen in one script.
PUBLISH_SCRIPT = """
local time = redis.call('TIME')
local number = math.max(time[1] * 1000000 + time[2], tonumber(redis.call('GET', KEYS[2]) or '0') + 1)
local id = string.format('%.0f', number)
redis.call('SET', KEYS[2], id)
redis.call('XADD', KEYS[1], 'MAXLEN', '~', ARGV[5], id .. '-0', 'event', ARGV[3], 'data', ARGV[4])
redis.call('EXPIRE', KEYS[1], ARGV[6])
redis.call('PUBLISH', ARGV[1], id .. '\\n' .. ARGV[2] .. '\\n' .. ARGV[3] .. '\\n' .. ARGV[4])
return id
"""
CLOCK_KEY = "live:clock"


class TokenError(Exception):
    """A token that opens nothing: forged, of another site, expired, or none at all."""


@dataclass(frozen=True)
class Grant:
    """What a token allows: to listen to `topics` until `expires_at` (seconds since 1970)."""

    topics: tuple[str, ...]
    expires_at: int


@dataclass(frozen=True)
class Frame:
    """One update; `data` is JSON on one line."""

    number: int
    topic: str
    event: str
    data: str

    def as_event(self) -> bytes:
        """In the format of server-sent events."""
        return f"id: {self.number}\nevent: {self.event}\ndata: {self.data}\n\n".encode()


def stream_key(topic: str) -> str:
    """Redis key of the recent frames of a topic."""
    return f"live:topic:{topic}"


def channel_of(redis_url: str) -> str:
    """Redis channel of all frames. Channels, unlike keys, are shared by the databases of one Redis."""
    return f"live:frames:{urlsplit(redis_url).path.strip('/') or '0'}"


def frame_of(payload: bytes) -> Frame:
    """The frame in a message of the channel. Raises ValueError."""
    number, topic, event, data = payload.decode().split("\n", 3)
    return Frame(int(number), topic, event, data)


def sign_token(key: bytes, topics: Sequence[str], *, now: dt.datetime, seconds: int) -> str:
    """A token to listen to `topics` for `seconds`. Raises ValueError for what can't be a topic."""
    if not 0 < len(topics) <= TOPICS_LIMIT:
        raise ValueError(f"a token is for 1 to {TOPICS_LIMIT} topics")
    for topic in topics:
        if not TOPIC.fullmatch(topic) or len(topic) > NAME_LIMIT:
            raise ValueError(f"{topic!r} is no topic")
    content = {"topics": list(topics), "exp": int(now.timestamp()) + seconds}
    body = _base64(json.dumps(content, separators=(",", ":")).encode())
    return f"{body}.{_base64(_signature(key, body))}"


def verify_token(key: bytes, token: str, *, now: dt.datetime) -> Grant:
    """What the token allows. Raises `TokenError`."""
    body, _dot, signature = token.partition(".")
    try:
        given = base64.urlsafe_b64decode(signature + "=" * (-len(signature) % 4))
        if not hmac.compare_digest(given, _signature(key, body)):
            raise TokenError("the token was not signed here")
        content = json.loads(base64.urlsafe_b64decode(body + "=" * (-len(body) % 4)))
        grant = Grant(tuple(content["topics"]), int(content["exp"]))
    except (binascii.Error, ValueError, KeyError, TypeError):
        raise TokenError("this is no token") from None
    if grant.expires_at <= now.timestamp():
        raise TokenError("the token has expired")
    return grant


def _signature(key: bytes, body: str) -> bytes:
    # Keyed for this purpose, so that nothing else signed with the same key can pass as a token.
    purpose = hmac.digest(key, b"fairground.live.v1", hashlib.sha256)
    return hmac.digest(purpose, body.encode(), hashlib.sha256)[:20]


def _base64(content: bytes) -> str:
    return base64.urlsafe_b64encode(content).rstrip(b"=").decode()
