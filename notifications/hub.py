"""The live hub: server-sent events for many browsers from one process, in plain asyncio.

No ORM, no Django request, no thread a stream: Redis on one side, browsers on the other. A browser brings a
signed token that names its topics. What it missed for a short while is sent again from Redis by
`Last-Event-ID`; when that can't be told for certain, it gets a `resync` and asks the site.
"""

import asyncio
import contextlib
import datetime as dt
import random
from collections import defaultdict
from collections.abc import Awaitable, Callable, Iterable, MutableMapping
from typing import Any
from urllib.parse import parse_qs, urlsplit

import structlog
from redis.asyncio import Redis
from redis.asyncio.client import PubSub
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff
from redis.exceptions import RedisError

from notifications import live_wire as wire
from notifications.live_wire import Frame, Grant, TokenError

log = structlog.get_logger(__name__)

Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]

_RESYNC = f"event: {wire.RESYNC}\ndata: {{}}\n\n".encode()
_HEADERS = [
    (b"content-type", b"text/event-stream; charset=utf-8"),
    (b"cache-control", b"no-store"),
    (b"x-accel-buffering", b"no"),
    (b"x-content-type-options", b"nosniff"),
]


class _Client:
    """One open stream. Its queue is bounded: who reads too slowly is let go, comes back and catches up."""

    __slots__ = ("is_over", "queue", "seen", "topics")

    def __init__(self, topics: Iterable[str], size: int) -> None:
        self.topics = tuple(topics)
        self.queue: asyncio.Queue[Frame | bytes | None] = asyncio.Queue(size + 1)
        self.seen: dict[str, int] = {}  # the last number of each topic that was sent from history
        self.is_over = False

    def offer(self, item: Frame | bytes) -> None:
        """Queue one update, or end the stream when the queue is full."""
        if self.is_over:
            return
        if self.queue.qsize() + 1 < self.queue.maxsize:
            self.queue.put_nowait(item)
        else:
            self.end()

    def end(self) -> None:
        """Let the stream end after what is queued."""
        if not self.is_over:
            self.is_over = True
            self.queue.put_nowait(None)


class Hub:
    """An ASGI application for `GET /live/?token=…`."""

    def __init__(
        self,
        *,
        redis_url: str,
        key: bytes,
        origins: Iterable[str] = (),
        heartbeat: float = 15.0,
        queue_size: int = 64,
        clients_limit: int = 10_000,
    ) -> None:
        self._redis_url = redis_url
        self._key = key
        self._origins = frozenset(origin.rstrip("/").lower() for origin in origins)
        self._heartbeat = heartbeat
        self._queue_size = queue_size
        self._clients_limit = clients_limit
        self._listeners: defaultdict[str, set[_Client]] = defaultdict(set)
        self._clients: set[_Client] = set()
        self._reader: asyncio.Task[None] | None = None
        self._redis: Redis | None = None
        self._is_listening = asyncio.Event()

    @property
    def clients(self) -> int:
        """How many streams are open."""
        return len(self._clients)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one stream until the browser leaves, the token expires or the hub closes."""
        headers = {name.lower(): value.decode("latin-1") for name, value in scope["headers"]}
        if scope["method"] != "GET":
            return await _refuse(send, 405, "Use GET.", (b"allow", b"GET"))
        if not self._is_ours(headers):
            return await _refuse(send, 403, "This page may not listen here.")
        try:
            query = parse_qs(scope.get("query_string", b"").decode("latin-1"))
            grant = wire.verify_token(self._key, query.get("token", [""])[0], now=dt.datetime.now(dt.UTC))
            last = headers.get(b"last-event-id", "") or query.get("last", [""])[0]
        except TokenError as error:
            return await _refuse(send, 401, f"Ask for a new token: {error}.")
        if len(self._clients) >= self._clients_limit:
            return await _refuse(send, 503, "Too many listeners.", (b"retry-after", b"30"))
        stream = asyncio.create_task(self._stream(grant, last, send))
        gone = asyncio.create_task(_until_gone(receive))
        try:
            await asyncio.wait({stream, gone}, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for task in (stream, gone):
                task.cancel()
            await asyncio.gather(stream, gone, return_exceptions=True)

    async def close(self) -> None:
        """End all streams and leave Redis."""
        for client in list(self._clients):
            client.end()
        if self._reader is not None:
            self._reader.cancel()
            await asyncio.gather(self._reader, return_exceptions=True)
            self._reader = None
        if self._redis is not None:
            await self._redis.aclose()
            self._redis = None
        self._is_listening.clear()

    def _is_ours(self, headers: dict[bytes, str]) -> bool:
        """Browsers name the origin of a page from elsewhere; one of the same origin may leave it out."""
        origin = headers.get(b"origin", "").lower()
        return (
            not origin
            or origin in self._origins
            or urlsplit(origin).netloc == headers.get(b"host", "").lower()
        )

    async def _stream(self, grant: Grant, last_event_id: str, send: Send) -> None:
        self._start_reader()
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(self._is_listening.wait(), 2)
        client = _Client(grant.topics, self._queue_size)
        await send({"type": "http.response.start", "status": 200, "headers": _HEADERS})
        # Chance spreads the return of thousands of browsers after a restart.
        await _write(send, f"retry: {random.randint(1_000, 5_000)}\n\n".encode())
        # Registered before history is read: an update in between comes twice here, and `seen` drops one.
        self._register(client)
        try:
            if last_event_id.isdecimal():
                await _write(send, await self._missed(client, int(last_event_id)))
            await self._pass_on(client, grant.expires_at, send)
        finally:
            self._unregister(client)
        await send({"type": "http.response.body", "body": b"", "more_body": False})

    async def _pass_on(self, client: _Client, expires_at: int, send: Send) -> None:
        while (left := expires_at - dt.datetime.now(dt.UTC).timestamp()) > 0:
            try:
                async with asyncio.timeout(min(self._heartbeat, left)):
                    item = await client.queue.get()
            except TimeoutError:
                await _write(send, b": still here\n\n")
                continue
            if item is None:
                return
            if isinstance(item, bytes):
                await _write(send, item)
            elif item.number > client.seen.get(item.topic, 0):
                await _write(send, item.as_event())

    async def _missed(self, client: _Client, last: int) -> bytes:
        """What was published on the client's topics after frame `last`, or a resync when that is not certain."""
        age = dt.datetime.now(dt.UTC).timestamp() - last / 1e6
        if age > wire.HISTORY_SECONDS:
            return _RESYNC
        missed: list[Frame] = []
        try:
            for topic in client.topics:
                entries: Any = await self._client().xrange(wire.stream_key(topic))
                frames = [
                    Frame(
                        int(entry.partition(b"-")[0]),
                        topic,
                        fields[b"event"].decode(),
                        fields[b"data"].decode(),
                    )
                    for entry, fields in entries
                ]
                if len(frames) >= wire.HISTORY_FRAMES and frames[0].number > last:
                    return _RESYNC  # older ones are trimmed away
                missed += [frame for frame in frames if frame.number > last]
                if frames:
                    client.seen[topic] = frames[-1].number
        except (RedisError, OSError):
            return _RESYNC
        return b"".join(frame.as_event() for frame in sorted(missed, key=lambda frame: frame.number))

    def _register(self, client: _Client) -> None:
        self._clients.add(client)
        for topic in client.topics:
            self._listeners[topic].add(client)

    def _unregister(self, client: _Client) -> None:
        self._clients.discard(client)
        for topic in client.topics:
            self._listeners[topic].discard(client)
            if not self._listeners[topic]:
                del self._listeners[topic]

    def _client(self) -> Redis:
        if self._redis is None:
            # No silent retries: a broken subscription must be noticed, because something was missed.
            self._redis = Redis.from_url(
                self._redis_url, retry=Retry(NoBackoff(), 0), socket_connect_timeout=2, socket_keepalive=True
            )
        return self._redis

    def _start_reader(self) -> None:
        if self._reader is None or self._reader.done():
            self._reader = asyncio.create_task(self._read_for_ever())

    async def _read_for_ever(self) -> None:
        wait = 0.1
        while True:
            try:
                async with self._client().pubsub() as subscription:
                    await _subscribe(subscription, wire.channel_of(self._redis_url))
                    for client in self._clients:  # whoever is here already may have missed something
                        client.offer(_RESYNC)
                    self._is_listening.set()
                    wait = 0.1
                    while True:
                        message = await subscription.get_message(ignore_subscribe_messages=True, timeout=30)
                        if message:
                            self._spread(message["data"])
            except (RedisError, OSError) as error:
                log.warning("live_redis_lost", error=str(error))
            finally:
                self._is_listening.clear()
            await asyncio.sleep(wait * random.uniform(0.5, 1))
            wait = min(wait * 2, 5.0)

    def _spread(self, payload: bytes) -> None:
        try:
            frame = wire.frame_of(payload)
        except ValueError:
            log.warning("live_frame_unreadable", size=len(payload))
            return
        for client in self._listeners.get(frame.topic, ()):
            client.offer(frame)


async def _subscribe(subscription: PubSub, channel: str) -> None:
    """Subscribe and wait for Redis to confirm it. Raises `RedisError`."""
    await subscription.subscribe(channel)
    for _attempt in range(10):
        if (message := await subscription.get_message(timeout=1)) and message["type"] == "subscribe":
            return
    raise RedisError("Redis does not confirm the subscription")


async def _until_gone(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass


async def _write(send: Send, body: bytes) -> None:
    if body:
        await send({"type": "http.response.body", "body": body, "more_body": True})


async def _refuse(send: Send, status: int, reason: str, *headers: tuple[bytes, bytes]) -> None:
    body = reason.encode()
    plain = [(b"content-type", b"text/plain; charset=utf-8"), (b"content-length", str(len(body)).encode())]
    await send({"type": "http.response.start", "status": status, "headers": [*plain, *headers]})
    await send({"type": "http.response.body", "body": body})
