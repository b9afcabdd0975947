"""How fast each channel may send: one bucket in Redis per sender, kept by all workers of all hosts together.

Two things stand in a bucket, and both go by the clock of Redis, in one script each:

- the time of the next free slot: the generic cell rate algorithm (ITU-T I.371, annex A) without a burst. A worker takes
  the slot of one message just before it sends it, at most `HORIZON_S` ahead, waits for it, and loses it where it comes
  too late: slots are never made up for in a bunch;
- the messages that are on their way, and those that were answered less than a second ago. A message leaves only while
  these are fewer than the rate. It reaches the provider some time between the two, however slow the network or a busy
  host may be, so no second there holds more than the rate.

A Redis that knows nothing (emptied, restarted, or with a clock that jumped) hands out nothing for `COLD_S`, and slots of
its former life are void.
"""

import math
import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import redis
import structlog
from django.conf import settings

log = structlog.get_logger(__name__)

HORIZON_S = 1.0
"""How far ahead slots are taken; as long does a limited channel hold up the others in a round."""
COLD_S = 2.0
"""Covers what is on its way while Redis forgets it, for as long as it takes to arrive and a second more."""
LEAST_LATE_S, MOST_LATE_S = 0.05, 0.5
"""A slot is good for an interval, but not less and not more than that."""
FLYING_S = 30.0
"""After that a message without an answer is counted no more; its worker was killed, most likely."""
QUIET_S = 5.0
"""After a failure Redis is left alone for so long: other channels must not wait for it in each round."""
_MILLION = 1_000_000

# Beside the next slot a bucket names the run of the server, because one that comes back with an old dump knows nothing,
# and when it was begun.
_OPEN = """
local time = redis.call('TIME')
local now = time[1] * 1000000 + time[2]
local info = redis.pcall('INFO', 'server')
local run = type(info) == 'string' and string.match(info, 'run_id:(%w+)') or ''
local kept = redis.call('HMGET', KEYS[1], 'next', 'run', 'born')
local free, born = tonumber(kept[1]), kept[3]
local function keep(at)
    redis.call('HSET', KEYS[1], 'next', string.format('%.0f', at), 'run', run, 'born', born)
end
"""
# ARGV: in µs the interval, the horizon of all, how long this worker can wait, and the wait of a cold bucket; 1 to take a
# slot and 0 to ask how many there are. Answers {how many (at most 1 when one is taken), µs until the first, born}.
_SLOT = (
    _OPEN
    + """
local interval, horizon, patience = tonumber(ARGV[1]), tonumber(ARGV[2]), tonumber(ARGV[3])
local cold = tonumber(ARGV[4])
if not free or kept[2] ~= run or free > now + math.max(horizon, cold) + interval then
    born = string.format('%.0f', now)
    free = now + cold
    keep(free)
end
local first = math.max(free, now)
if first > now + patience then
    return {0, 0, born}
end
if ARGV[5] == '0' then
    return {math.floor((now + patience - first) / interval) + 1, first - now, born}
end
keep(first + interval)
return {1, first - now, born}
"""
)
# Leave now, under the name ARGV[1], from a bucket born at ARGV[2], with at most ARGV[3] on their way or just answered;
# ARGV[4]: µs until one without an answer is forgotten. Answers {1, 0} where it may, {0, µs} where there are too many, with
# the time until one of them counts no more, and {-1, 0} where its slot is void.
_LEAVE = (
    _OPEN
    + """
if born ~= ARGV[2] or kept[2] ~= run then
    return {-1, 0}
end
redis.call('ZREMRANGEBYSCORE', KEYS[2], '-inf', now)
if redis.call('ZCARD', KEYS[2]) >= tonumber(ARGV[3]) then
    return {0, redis.call('ZRANGE', KEYS[2], 0, 0, 'WITHSCORES')[2] - now}
end
redis.call('ZADD', KEYS[2], now + tonumber(ARGV[4]), ARGV[1])
redis.call('PEXPIRE', KEYS[2], math.ceil(tonumber(ARGV[4]) / 1000))
return {1, 0}
"""
)
# The message ARGV[1] is answered: it counts for ARGV[2] µs more.
_ARRIVED = """
local time = redis.call('TIME')
return redis.call('ZADD', KEYS[2], 'XX', time[1] * 1000000 + time[2] + tonumber(ARGV[2]), ARGV[1])
"""


class LimitUnavailableError(Exception):
    """Redis can't say whether anything may be sent: what is limited waits."""


class NoSlotError(Exception):
    """No slot comes free in time; others have them all."""


@dataclass(frozen=True)
class Bucket:
    """The limit of one sender: `rate` messages a second."""

    sender: str
    rate: float

    @property
    def interval(self) -> float:
        """Seconds between two slots."""
        return 1 / self.rate

    @property
    def _most(self) -> int:
        """How many there may be within `_window` seconds."""
        return max(1, math.floor(self.rate))

    @property
    def _window(self) -> float:
        return max(1.0, self.interval)

    def room(self) -> int:
        """How many messages may go out within the horizon. Raises `LimitUnavailableError`."""
        count, _wait, _born = self._slot(HORIZON_S, take=False)
        return count

    @contextmanager
    def turn(self, until: float) -> Iterator[None]:
        """Waits until one message may leave; it is sent inside. `until`: the latest such time, on the monotonic clock.

        Raises `NoSlotError` and `LimitUnavailableError`, and then nothing may be sent.
        """
        name = uuid.uuid4().hex
        while not self._leave(name, until):
            pass
        try:
            yield
        finally:
            self._arrived(name)

    def _leave(self, name: str, until: float) -> bool:
        """Take a slot, wait for it, and leave, unless it was missed or too many are on their way."""
        patience = min(HORIZON_S, until - time.monotonic())
        if patience <= 0:
            raise NoSlotError
        count, wait, born = self._slot(patience, take=True)
        if not count:  # slots are only ever taken, so none comes free in between
            raise NoSlotError
        slot = time.monotonic() + wait
        too_late = slot + min(max(self.interval, LEAST_LATE_S), MOST_LATE_S)
        time.sleep(wait)
        while time.monotonic() <= too_late:
            verdict, wait = self._run(_LEAVE, name, born, self._most, _micro(FLYING_S))
            if verdict:
                return bool(verdict > 0)
            # One that is on its way may be answered any time, hence not for long.
            time.sleep(min(wait / _MILLION, max(0.02, self.interval / 10)))
        return False

    def _arrived(self, name: str) -> None:
        with suppress(LimitUnavailableError):  # counted as on its way for a while: on the safe side
            self._run(_ARRIVED, name, _micro(self._window))

    def _slot(self, patience: float, *, take: bool) -> tuple[int, float, str]:
        times = (self.interval, HORIZON_S, patience, COLD_S + self._window - 1)
        count, wait, born = self._run(_SLOT, *map(_micro, times), int(take))
        return int(count), int(wait) / _MILLION, born.decode()

    def _run(self, script: str, *values: object) -> Any:
        global _quiet_until
        if time.monotonic() < _quiet_until:
            raise LimitUnavailableError
        key = f"fairground:rate:{{{self.sender}}}"
        try:
            return _client(settings.REDIS_URL).eval(script, 2, key, f"{key}:flying", *values)
        except (redis.RedisError, OSError) as error:
            _quiet_until = time.monotonic() + QUIET_S
            log.error("rate_limit_unavailable", sender=self.sender, error=str(error))
            raise LimitUnavailableError from error


_quiet_until = 0.0


def bucket_of(channel: str) -> Bucket | None:
    """The limit of a channel, None where it has none."""
    rate = settings.NOTIFICATION_RATES.get(channel, 0)
    return Bucket(channel, rate) if rate > 0 else None


def _micro(seconds: float) -> int:
    return round(seconds * _MILLION)


@lru_cache(maxsize=2)
def _client(url: str) -> Any:
    return redis.Redis.from_url(url, socket_timeout=1, socket_connect_timeout=1)
