"""The hub as an ASGI application: the door, and the three ways to speak with a browser."""

import asyncio
import contextlib
import datetime as dt
import json
import random
from collections.abc import Awaitable, Callable, Iterable, Iterator, MutableMapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import parse_qs, urlsplit

from notifications import live_wire as wire
from notifications.hub.attendance import Attendance
from notifications.hub.board import Board, Client
from notifications.hub.relay import LOST, Relay
from notifications.live_wire import Frame, Grant, TokenError

Scope = MutableMapping[str, Any]
Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]

STREAM, POLL, SOCKET = "/live/", "/live/poll/", "/ws/live/"
PATHS = (STREAM, POLL, SOCKET)

_RESYNC = Frame(0, "", wire.RESYNC, "{}")
_PING = Frame(0, "", wire.PING, "{}")
_STREAM_HEADERS = [
    (b"content-type", b"text/event-stream; charset=utf-8"),
    (b"cache-control", b"no-store"),
    (b"x-accel-buffering", b"no"),
    (b"x-content-type-options", b"nosniff"),
]
_ASKED_LIMIT = 256  # characters of what a browser may say on a WebSocket
_TOO_BIG = 1009
_CODES = {"closing": 1012, "slow": 1013, "expired": 4001}
"""With which a WebSocket is closed, by why its line ends."""
_STUCK = -1
"""Instead of a code: the browser takes nothing, not even that."""


class _RefusedError(Exception):
    """Nobody may come in like this."""

    def __init__(self, status: int, reason: str, *headers: tuple[bytes, bytes]) -> None:
        super().__init__(reason)
        self.status, self.reason, self.headers = status, reason, headers


@dataclass(frozen=True)
class _Request:
    """What was let in: until when it may hear what, and where it was."""

    grant: Grant
    last: str
    tag: str


class Hub:
    """`GET /live/?token=…` is a stream of server-sent events, `/ws/live/?token=…` the same as a WebSocket, and
    `GET /live/poll/?token=…&last=…` what has come since, for those whom neither reaches."""

    def __init__(
        self,
        *,
        redis_url: str,
        key: bytes,
        origins: Iterable[str] = (),
        heartbeat: float = 15.0,
        queue_size: int = 64,
        clients_limit: int = 10_000,
        pace: float = 1.0,
        patience: float = 10.0,
    ) -> None:
        self._key = key
        self._origins = frozenset(origin.rstrip("/").lower() for origin in origins)
        self._heartbeat = heartbeat
        self._clients_limit = clients_limit
        self._patience = patience
        self._board = Board(queue_size=queue_size, pace=pace)
        self._relay = Relay(redis_url, take=self._board.take, restored=lambda: self._board.tell_all(_RESYNC))
        self._attendance = Attendance(self._relay, beat=pace)

    @property
    def clients(self) -> int:
        """How many lines are open."""
        return len(self._board.clients)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one browser until it leaves, its token expires or the hub closes."""
        is_socket = scope["type"] == "websocket"
        if is_socket:
            await receive()  # that it wants to connect
        try:
            request = self._let_in(scope)
        except _RefusedError as refused:
            await _refuse(scope, send, refused)
            return
        if is_socket:
            await self._serve_socket(scope, request, receive, send)
        elif scope["path"] == POLL:
            await self._answer_poll(request, send)
        else:
            await _until_first(self._serve_stream(request, send), _until_gone(receive))

    async def close(self) -> None:
        """End all lines and leave Redis."""
        self._board.end_all("closing")
        await self._attendance.close()
        await self._relay.close()

    def _let_in(self, scope: Scope) -> _Request:
        """What this browser may hear. Raises `_RefusedError`."""
        headers = {name.lower(): value.decode("latin-1") for name, value in scope["headers"]}
        if scope.get("method", "GET") != "GET":
            raise _RefusedError(405, "Use GET.", (b"allow", b"GET"))
        if not self._is_ours(headers):
            raise _RefusedError(403, "This page may not listen here.")
        query = parse_qs(scope.get("query_string", b"").decode("latin-1"))
        # Uvicorn writes the address of each WebSocket into its log, and a token has no business there.
        scope["query_string"] = b""
        try:
            grant = wire.verify_token(self._key, query.get("token", [""])[0], now=dt.datetime.now(dt.UTC))
        except TokenError as error:
            raise _RefusedError(401, f"Ask for a new token: {error}.") from None
        if len(self._board.clients) >= self._clients_limit:
            raise _RefusedError(503, "Too many listeners.", (b"retry-after", b"30"))
        last = headers.get(b"last-event-id", "") or query.get("last", [""])[0]
        return _Request(grant, last if _is_number(last) else "", headers.get(b"if-none-match", ""))

    def _is_ours(self, headers: dict[bytes, str]) -> bool:
        """Browsers name the origin of a page from elsewhere; one of the same origin may leave it out."""
        origin = headers.get(b"origin", "").lower()
        return (
            not origin
            or origin in self._origins
            or urlsplit(origin).netloc == headers.get(b"host", "").lower()
        )

    # ── One way: server-sent events ───────────────────────────────────────────────────────────────────────

    async def _serve_stream(self, request: _Request, send: Send) -> None:
        async def write(frames: list[tuple[Frame, int]]) -> None:
            body = b"".join(frame.as_event(last) for frame, last in frames)
            await send({"type": "http.response.body", "body": body, "more_body": True})

        await self._begin()
        await send({"type": "http.response.start", "status": 200, "headers": _STREAM_HEADERS})
        # Chance spreads the return of thousands of browsers after a restart.
        retry = f"retry: {random.randint(1_000, 5_000)}\n\n".encode()
        await send({"type": "http.response.body", "body": retry, "more_body": True})
        with self._line(request.grant) as client:
            code = await self._pass_on(client, request.last, write)
        await self._say_last(code, {"type": "http.response.body", "body": b"", "more_body": False}, send)

    # ── Another way: a WebSocket ──────────────────────────────────────────────────────────────────────────

    async def _serve_socket(self, scope: Scope, request: _Request, receive: Receive, send: Send) -> None:
        async def write(frames: list[tuple[Frame, int]]) -> None:
            for frame, last in frames:
                await send({"type": "websocket.send", "text": frame.as_message(last)})

        await self._begin()
        await send({"type": "websocket.accept"})
        with self._line(request.grant) as client:
            talk = self._pass_on(client, request.last, write)
            code = await _until_first(talk, self._listen_to(client, receive))
        if code:
            await self._say_last(code, {"type": "websocket.close", "code": code}, send)

    async def _listen_to(self, client: Client, receive: Receive) -> int:
        """All that a browser has to say is once `{"last": "…"}`, where it was; returns the code to close with, or 0."""
        has_said = False
        while (message := await receive())["type"] == "websocket.receive":
            text = message.get("text") or ""
            if len(text) > _ASKED_LIMIT:
                return _TOO_BIG
            if not has_said and (last := _last_in(text)):
                has_said = True
                for frame, number in await self._missed(client, int(last)):
                    client.offer(frame, number, from_history=True)
        return 0

    # ── Without any line ──────────────────────────────────────────────────────────────────────────────────

    async def _answer_poll(self, request: _Request, send: Send) -> None:
        """What has come since; 304 where that is nothing, and nothing is written again."""
        topics, last = request.grant.topics, int(request.last or 0)
        frames: list[Frame] = []
        is_certain = 0 < last >= self._relay.gap_until
        try:
            newest = await self._relay.newest(topics)
            if last and newest > last:
                missed = await self._relay.missed(topics, last)
                is_certain = missed is not None
                frames = missed[0] if missed else []
                newest = max([newest, *(frame.number for frame in frames)])
            elif last:
                newest = max(last, self._relay.gap_until)
        except LOST:
            refused = _RefusedError(503, "Live updates are away.", (b"retry-after", b"5"))
            await _answer_plainly(send, refused)
            return
        tag = f'"{newest}"'
        headers = [(b"etag", tag.encode()), (b"cache-control", b"no-cache, private")]
        if is_certain and not frames and request.tag == tag:
            await _answer(send, 304, b"", headers)
            return
        parts = [
            f'{{"topic":"{frame.topic}","event":"{frame.event}","data":{frame.data}}}' for frame in frames
        ]
        resync = "false" if is_certain else "true"
        body = f'{{"last":"{newest}","resync":{resync},"frames":[{",".join(parts)}]}}'
        await _answer(send, 200, body.encode(), [(b"content-type", b"application/json"), *headers])

    # ── What the lines have in common ─────────────────────────────────────────────────────────────────────

    async def _begin(self) -> None:
        self._relay.start()
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(self._relay.is_listening.wait(), 2)

    @contextlib.contextmanager
    def _line(self, grant: Grant) -> Iterator[Client]:
        client = self._board.add(grant)
        self._attendance.join(client)
        beat = _Heartbeat(client, self._heartbeat)
        try:
            yield client
        finally:
            beat.stop()
            self._board.remove(client)
            self._attendance.leave(client)

    async def _pass_on(
        self, client: Client, last: str, write: Callable[[list[tuple[Frame, int]]], Awaitable[None]]
    ) -> int:
        """Send what comes until the line ends; returns the code of a WebSocket that says why.

        A browser that reads nothing keeps us in `write` for ever, so from the end of its line on it has only so long.
        """
        loop = asyncio.get_running_loop()
        try:
            async with asyncio.timeout(None) as limit:
                client.on_end = lambda: limit.reschedule(loop.time() + self._patience)
                if client.is_over:
                    client.on_end()
                # It is on the board before history is read: an update in between comes twice here, and `seen` drops one.
                if last and (missed := await self._missed(client, int(last))):
                    await write(missed)
                while (item := await client.next()) is not None:
                    await write([item])
                return _CODES[client.why]
        except TimeoutError:
            return _STUCK
        finally:
            client.on_end = None

    async def _say_last(self, code: int, message: Message, send: Send) -> None:
        """Say that the line ends, or break it off where the browser does not even take that."""
        if code != _STUCK:
            try:
                async with asyncio.timeout(self._patience):
                    await send(message)
                return
            except OSError:  # it did not, or is gone by now
                pass
        await _break_off(send)

    async def _missed(self, client: Client, last: int) -> list[tuple[Frame, int]]:
        """What was published on the client's topics after frame `last`, or a resync when that is not certain."""
        try:
            missed = await self._relay.missed(client.grant.topics, last)
        except LOST:
            missed = None
        if missed is None:
            return [(_RESYNC, 0)]
        frames, newest = missed
        client.seen |= newest
        client.newest = max([client.newest, last, *newest.values()])
        return [(frame, frame.number) for frame in frames]


class _Heartbeat:
    """Says at once and then every `pause` seconds that a line lives, and ends it with its token or when nothing is taken any more.

    At once, because a browser that hears nothing then knows that somebody on the way keeps it back. A timer of its own, so that a
    frame needs none.
    """

    def __init__(self, client: Client, pause: float) -> None:
        self._client = client
        self._pause = pause
        self._timer: asyncio.TimerHandle | None = None
        self._beat()

    def stop(self) -> None:
        """The line is closed."""
        if self._timer is not None:
            self._timer.cancel()

    def _beat(self) -> None:
        left = self._client.grant.expires_at - dt.datetime.now(dt.UTC).timestamp()
        if left <= 0:
            self._client.end("expired")
            return
        if self._client.has_stalled():
            self._client.end("slow")
            return
        self._client.offer(_PING)
        self._timer = asyncio.get_running_loop().call_later(min(self._pause, left), self._beat)


def _is_number(text: str) -> bool:
    return text.isascii() and text.isdecimal() and len(text) <= 18


def _last_in(text: str) -> str:
    """The number in `{"last": "…"}`; empty for all else that somebody may say."""
    try:
        said = json.loads(text)
    except ValueError:
        return ""
    last = str(said.get("last", "")) if isinstance(said, dict) else ""
    return last if _is_number(last) else ""


async def _until_first(work: Awaitable[int | None], other: Awaitable[int | None]) -> int:
    """Run both until one ends, and return what that one says."""
    tasks = [asyncio.ensure_future(work), asyncio.ensure_future(other)]
    try:
        done, _pending = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
    ended = tasks[1] if tasks[1] in done else tasks[0]
    with contextlib.suppress(OSError):  # the browser is gone
        return ended.result() or 0
    return 0


async def _break_off(send: Send) -> None:
    """Drop the connection with all that waits in its buffer, which would keep it open for as long as the browser likes.

    ASGI has no word for it. uvicorn's `send` belongs to what has the transport; of another server nothing happens here.
    """
    transport = getattr(getattr(send, "__self__", None), "transport", None)
    if isinstance(transport, asyncio.WriteTransport):
        transport.abort()
        await asyncio.sleep(0)  # until the server has noticed


async def _until_gone(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass


async def _refuse(scope: Scope, send: Send, refused: _RefusedError) -> None:
    if scope["type"] != "websocket":
        await _answer_plainly(send, refused)
    elif "websocket.http.response" in scope.get("extensions", {}):
        await _answer_plainly(send, refused, prefix="websocket.")
    else:
        await send({"type": "websocket.close", "code": 1000})  # before accepting: answers 403


async def _answer_plainly(send: Send, refused: _RefusedError, *, prefix: str = "") -> None:
    headers = [(b"content-type", b"text/plain; charset=utf-8"), *refused.headers]
    await _answer(send, refused.status, refused.reason.encode(), headers, prefix=prefix)


async def _answer(
    send: Send, status: int, body: bytes, headers: list[tuple[bytes, bytes]], *, prefix: str = ""
) -> None:
    length = [] if status == 304 else [(b"content-length", str(len(body)).encode())]
    start = {"type": f"{prefix}http.response.start", "status": status, "headers": [*headers, *length]}
    await send(start)
    await send({"type": f"{prefix}http.response.body", "body": body, "more_body": False})
