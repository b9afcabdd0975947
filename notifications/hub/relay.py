"""The hub's side of Redis: one subscription of a process, and the short history of each topic."""

import asyncio
import datetime as dt
import random
from collections.abc import Callable, Iterable
from typing import Any

import structlog
from redis.asyncio import Redis
from redis.asyncio.client import PubSub
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff
from redis.exceptions import RedisError

from notifications import live_wire as wire
from notifications.live_wire import Frame

log = structlog.get_logger(__name__)

LOST = (RedisError, OSError)
"""What a Redis that is gone, or not there yet, raises."""


class Relay:
    """Passes on every frame to `take`, and calls `restored` whenever some may have been missed."""

    def __init__(
        self, redis_url: str, *, take: Callable[[Frame], None], restored: Callable[[], None]
    ) -> None:
        self.is_listening = asyncio.Event()
        self.gap_until = 0  # of frames up to this number some may be lost, with the Redis that kept them
        self._redis_url = redis_url
        self._take = take
        self._restored = restored
        self._reader: asyncio.Task[None] | None = None
        self._redis: Redis | None = None

    @property
    def redis(self) -> Redis:
        """The connections."""
        if self._redis is None:
            # No silent retries: a broken subscription must be noticed, because something was missed.
            self._redis = Redis.from_url(
                self._redis_url, retry=Retry(NoBackoff(), 0), socket_connect_timeout=2, socket_keepalive=True
            )
        return self._redis

    def start(self) -> None:
        """Begin to read, if that has not begun."""
        if self._reader is None or self._reader.done():
            self._reader = asyncio.create_task(self._read_for_ever())

    async def close(self) -> None:
        """Leave Redis."""
        if self._reader is not None:
            self._reader.cancel()
            await asyncio.gather(self._reader, return_exceptions=True)
            self._reader = None
        if self._redis is not None:
            await self._redis.aclose()
            self._redis = None
        self.is_listening.clear()

    async def missed(self, topics: Iterable[str], last: int) -> tuple[list[Frame], dict[str, int]] | None:
        """What was published after frame `last`, in order, and the newest number of each topic; None when that is not certain.

        Of events of which the last stands for all, only the last. Raises what is in `LOST`.
        """
        age = dt.datetime.now(dt.UTC).timestamp() - last / 1e6
        if age > wire.HISTORY_SECONDS or last < self.gap_until:
            return None
        topics = list(topics)
        async with self.redis.pipeline(transaction=True) as pipeline:
            for topic in topics:
                pipeline.xrange(wire.stream_key(topic))
            answers = await pipeline.execute()
        found: list[Frame] = []
        newest: dict[str, int] = {}
        for topic, entries in zip(topics, answers, strict=True):
            frames = [_frame_of(topic, entry, fields) for entry, fields in entries]
            if len(frames) >= wire.HISTORY_FRAMES and frames[0].number > last:
                return None  # older ones are trimmed away
            if frames:
                newest[topic] = frames[-1].number
            missed = [frame for frame in frames if frame.number > last]
            standing = {frame.event: frame for frame in missed if not frame.is_each}
            found += [frame for frame in missed if frame.is_each]
            found += standing.values()
        return sorted(found, key=lambda frame: frame.number), newest

    async def newest(self, topics: Iterable[str]) -> int:
        """The number of the newest frame of all these topics; where there is none, one that is below all to come.

        Raises what is in `LOST`.
        """
        async with self.redis.pipeline(transaction=True) as pipeline:
            pipeline.time()
            for topic in topics:
                pipeline.xrevrange(wire.stream_key(topic), count=1)
            (seconds, microseconds), *answers = await pipeline.execute()
        numbers = [int(entry.partition(b"-")[0]) for [(entry, _fields)] in filter(None, answers)]
        return max(numbers) if numbers else _number(seconds, microseconds) - 1

    async def _read_for_ever(self) -> None:
        wait, was_lost = 0.1, False
        while True:
            try:
                async with self.redis.pubsub() as subscription:
                    await _subscribe(subscription, wire.channel_of(self._redis_url))
                    if was_lost:
                        self.gap_until = _number(*await self.redis.time())
                    self._restored()  # whoever is here already may have missed something
                    self.is_listening.set()
                    wait = 0.1
                    while True:
                        message = await subscription.get_message(ignore_subscribe_messages=True, timeout=30)
                        if message:
                            self._read(message["data"])
            except LOST as error:
                log.warning("live_redis_lost", error=str(error))
                was_lost = True
            finally:
                self.is_listening.clear()
            await asyncio.sleep(wait * random.uniform(0.5, 1))
            wait = min(wait * 2, 5.0)

    def _read(self, payload: bytes) -> None:
        try:
            frame = wire.frame_of(payload)
        except ValueError:
            log.warning("live_frame_unreadable", size=len(payload))
            return
        self._take(frame)


async def _subscribe(subscription: PubSub, channel: str) -> None:
    """Subscribe and wait for Redis to confirm it. Raises `RedisError`."""
    await subscription.subscribe(channel)
    for _attempt in range(10):
        if (message := await subscription.get_message(timeout=1)) and message["type"] == "subscribe":
            return
    raise RedisError("Redis does not confirm the subscription")


def _number(seconds: Any, microseconds: Any) -> int:
    """What a frame of this moment, by the clock of Redis, would have as its number."""
    return int(seconds) * 1_000_000 + int(microseconds)


def _frame_of(topic: str, entry: bytes, fields: dict[bytes, bytes]) -> Frame:
    number: Any = entry.partition(b"-")[0]
    return Frame(
        int(number), topic, fields[b"event"].decode(), fields[b"data"].decode(), fields.get(b"each") == b"1"
    )
