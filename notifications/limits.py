"""How fast each channel may send: one bucket in Redis per sender, kept by all workers of all hosts together.

The generic cell rate algorithm (ITU-T I.371, annex A) without a burst: the bucket is the time of the next free slot, and
whoever takes a slot moves it on by one interval, in one script, by the clock of Redis. A worker takes the slot of one
message just before it sends it, at most `HORIZON_S` ahead, and waits for it.

That no second ever holds more than the rate allows follows from three things. An interval is a little longer than the
rate has it (`JITTER_S` a second), so that messages which leave late by less than that can't crowd. A slot is good for
`LATE_S` and then lost: what was held up takes another one, and lost ones are never made up for in a bunch. And a
Redis that knows nothing (emptied, restarted, or with a clock that jumped) hands out nothing before all slots have passed
that it may have handed out before.
"""

import time
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import redis
import structlog
from django.conf import settings

log = structlog.get_logger(__name__)

HORIZON_S = 1.0
"""How far ahead slots are taken; as long does a limited channel hold up the others in a round."""
JITTER_S = 0.1
LATE_S = 0.05
QUIET_S = 5.0
"""After a failure Redis is left alone for so long: other channels must not wait for it in each round."""
_MILLION = 1_000_000

# KEYS: the bucket. ARGV: in µs the interval, the horizon of all, and until when this worker can wait; 1 to take a slot
# and 0 to ask how many there are. Answers {how many (at most 1 when one is taken), µs until the first}.
# Beside the time the bucket names the run of the server: one that comes back with an old dump knows nothing.
_SCRIPT = """
local time = redis.call('TIME')
local now = time[1] * 1000000 + time[2]
local interval, horizon, patience = tonumber(ARGV[1]), tonumber(ARGV[2]), tonumber(ARGV[3])
local info = redis.pcall('INFO', 'server')
local run = type(info) == 'string' and string.match(info, 'run_id:(%w+)') or ''
local kept = redis.call('HMGET', KEYS[1], 'next', 'run')
local free = tonumber(kept[1])
local function keep(at)
    redis.call('HSET', KEYS[1], 'next', string.format('%.0f', at), 'run', run)
end
if not free or kept[2] ~= run or free > now + horizon + interval then
    free = now + horizon + interval
    keep(free)
end
local first = math.max(free, now)
if first > now + patience then
    return {0, 0}
end
if ARGV[4] == '0' then
    return {math.floor((now + patience - first) / interval) + 1, first - now}
end
keep(first + interval)
return {1, first - now}
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

    def room(self) -> int:
        """How many messages may go out within the horizon. Raises `LimitUnavailableError`."""
        count, _wait = self._ask(HORIZON_S, take=False)
        return count

    def wait(self, until: float) -> None:
        """Return when one message may leave, now. `until`: the latest such time, on the monotonic clock.

        Raises `NoSlotError` and `LimitUnavailableError`.
        """
        while True:
            asked_at = time.monotonic()
            if asked_at >= until:
                raise NoSlotError
            count, wait = self._ask(min(HORIZON_S, until - asked_at), take=True)
            if not count:  # slots are only ever taken, so none comes free in between
                raise NoSlotError
            # Redis said "in `wait`" at some moment between the two: the later one is never early, and by how much it
            # may be late is known.
            answered_at = time.monotonic()
            slot = answered_at + wait
            time.sleep(max(0.0, slot - time.monotonic()))
            if time.monotonic() - slot + (answered_at - asked_at) <= LATE_S:
                return

    def _ask(self, patience_s: float, *, take: bool) -> tuple[int, float]:
        global _quiet_until
        if time.monotonic() < _quiet_until:
            raise LimitUnavailableError
        interval = (1 + JITTER_S) / self.rate
        times = [round(seconds * _MILLION) for seconds in (interval, HORIZON_S, patience_s)]
        client: Any = _client(settings.REDIS_URL)
        try:
            count, wait = client.eval(_SCRIPT, 1, f"fairground:rate:{self.sender}", *times, int(take))
        except (redis.RedisError, OSError) as error:
            _quiet_until = time.monotonic() + QUIET_S
            log.error("rate_limit_unavailable", sender=self.sender, error=str(error))
            raise LimitUnavailableError from error
        return int(count), int(wait) / _MILLION


_quiet_until = 0.0


def bucket_of(channel: str) -> Bucket | None:
    """The limit of a channel, None where it has none."""
    rate = settings.NOTIFICATION_RATES.get(channel, 0)
    return Bucket(channel, rate) if rate > 0 else None


@lru_cache(maxsize=2)
def _client(url: str) -> "redis.Redis":
    return redis.Redis.from_url(url, socket_timeout=1, socket_connect_timeout=1)
