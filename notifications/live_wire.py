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
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property
from urllib.parse import urlsplit

TOPIC = re.compile(r"[a-z][a-z0-9_]*(:[A-Za-z0-9._-]+)+")
EVENT = re.compile(r"[a-z][a-z0-9_.-]*")
MEMBER = re.compile(r"[A-Za-z0-9._:-]{1,64}")
TOPICS_LIMIT = 20
NAME_LIMIT = 120
DATA_LIMIT = 16_384  # bytes of a frame's JSON: updates are hints, not documents
# A browser that comes back within this time and these frames of a topic misses nothing.
HISTORY_FRAMES = 64
HISTORY_SECONDS = 600
# Tells a page that it may have missed something and should ask the site how things stand.
RESYNC = "resync"
# Said by the hub itself: that the line lives, and who is here.
PING = "ping"
PRESENCE = "presence"
OWN_EVENTS = (RESYNC, PING, PRESENCE)

# XADD needs an id above all earlier ones, the subscribers need the same id: so both happen in one script.
PUBLISH_SCRIPT = """
local time = redis.call('TIME')
local number = math.max(time[1] * 1000000 + time[2], tonumber(redis.call('GET', KEYS[2]) or '0') + 1)
local id = string.format('%.0f', number)
redis.call('SET', KEYS[2], id)
redis.call('XADD', KEYS[1], 'MAXLEN', '~', ARGV[6], id .. '-0', 'event', ARGV[3], 'data', ARGV[4], 'each', ARGV[5])
redis.call('EXPIRE', KEYS[1], ARGV[7])
redis.call('PUBLISH', ARGV[1], table.concat({id, ARGV[2], ARGV[3], ARGV[5], ARGV[4]}, '\\n'))
return id
"""
CLOCK_KEY = "live:clock"

# A process of the hub says who is with it, and learns who is with all of them. What a process said is worth nothing a few
# seconds later: of one that was killed nobody else has to notice anything.
PRESENT_SCRIPT = """
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
if ARGV[2] == '' then
  redis.call('HDEL', KEYS[1], ARGV[1])
else
  redis.call('HSET', KEYS[1], ARGV[1], string.format('%.0f', now + ARGV[3]) .. '\\n' .. ARGV[2])
  redis.call('PEXPIRE', KEYS[1], ARGV[3])
end
local said = {}
local all = redis.call('HGETALL', KEYS[1])
for index = 1, #all, 2 do
  local ends, what = string.match(all[index + 1], '^(%d+)\\n(.*)$')
  if tonumber(ends) > now then said[#said + 1] = what else redis.call('HDEL', KEYS[1], all[index]) end
end
return said
"""
PRESENT_MS = 8_000
NAMED_LIMIT = 500  # members that one process names of a topic; further ones are counted like strangers


class TokenError(Exception):
    """A token that opens nothing: forged, of another site, expired, or none at all."""


@dataclass(frozen=True)
class Grant:
    """What a token allows: to listen to `topics` until `expires_at` (seconds since 1970).

    On the topics `counted` its bearer is among those who are here: under `shown_as`, or as a stranger who is only counted.
    How many there are is told to all of these; who, only where `sees_who`.
    """

    topics: tuple[str, ...]
    expires_at: int
    counted: tuple[str, ...] = ()
    shown_as: str = ""
    sees_who: bool = False


@dataclass(frozen=True)
class Frame:
    """One update; `data` is JSON on one line.

    Of frames with one event the last stands for those before it, and a hub in a hurry passes on that one alone; not of
    those that are for `each`. Number 0 is what the hub says itself.
    """

    number: int
    topic: str
    event: str
    data: str
    is_each: bool = False

    @cached_property
    def _event(self) -> bytes:
        return f"event: {self.event}\ndata: {self.data}\n\n".encode()

    @cached_property
    def _numbered_event(self) -> bytes:
        return f"id: {self.number}\n".encode() + self._event

    def as_event(self, last: int) -> bytes:
        """In the format of server-sent events; `last` is where who has it goes on from, usually its own number."""
        if not self.number:
            return self._event
        return self._numbered_event if last == self.number else f"id: {last}\n".encode() + self._event

    def as_message(self, last: int) -> str:
        """As a message of a WebSocket."""
        number = f'"last":"{last}",' if self.number else ""
        return f'{{{number}"topic":"{self.topic}","event":"{self.event}","data":{self.data}}}'


@dataclass(frozen=True)
class Presence:
    """How many are here, and which members among them, as far as they are named."""

    count: int
    members: tuple[str, ...] = ()


def stream_key(topic: str) -> str:
    """Redis key of the recent frames of a topic."""
    return f"live:topic:{topic}"


def present_key(topic: str) -> str:
    """Redis key of who is here, a field for each process of the hub."""
    return f"live:present:{topic}"


def said_of(strangers: int, members: Iterable[str]) -> str:
    """What a process says of a topic: how many strangers, and which members. Empty: nobody."""
    named = sorted(set(members))
    strangers += len(named[NAMED_LIMIT:])
    return "\n".join([str(strangers), *named[:NAMED_LIMIT]]) if strangers or named else ""


def presence_of(said: Iterable[bytes]) -> Presence:
    """What all processes say together. Somebody with two windows is one member, wherever these are connected."""
    strangers, members = 0, set[str]()
    for text in said:
        count, *named = text.decode().split("\n")
        strangers += int(count)
        members.update(named)
    return Presence(strangers + len(members), tuple(sorted(members)))


def channel_of(redis_url: str) -> str:
    """Redis channel of all frames. Channels, unlike keys, are shared by the databases of one Redis."""
    return f"live:frames:{urlsplit(redis_url).path.strip('/') or '0'}"


def frame_of(payload: bytes) -> Frame:
    """The frame in a message of the channel. Raises ValueError."""
    number, topic, event, is_each, data = payload.decode().split("\n", 4)
    return Frame(int(number), topic, event, data, is_each == "1")


def sign_token(
    key: bytes,
    topics: Sequence[str],
    *,
    now: dt.datetime,
    seconds: int,
    counted: Sequence[str] = (),
    shown_as: str = "",
    sees_who: bool = False,
) -> str:
    """A token to listen to `topics` for `seconds`; the rest as in `Grant`. Raises ValueError for what can't be a topic."""
    if not 0 < len(topics) <= TOPICS_LIMIT:
        raise ValueError(f"a token is for 1 to {TOPICS_LIMIT} topics")
    for topic in topics:
        if not TOPIC.fullmatch(topic) or len(topic) > NAME_LIMIT:
            raise ValueError(f"{topic!r} is no topic")
    if not set(counted) <= set(topics):
        raise ValueError("one is counted only where one listens")
    if shown_as and not MEMBER.fullmatch(shown_as):
        raise ValueError(f"{shown_as!r} can't stand for a member")
    content: dict[str, object] = {"topics": list(topics), "exp": int(now.timestamp()) + seconds}
    if counted:
        content |= {"here": list(counted), "as": shown_as, "who": sees_who}
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
        grant = Grant(
            tuple(content["topics"]),
            int(content["exp"]),
            tuple(content.get("here", ())),
            content.get("as", ""),
            content.get("who", False),
        )
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
