"""A browser of the hub, without the network: drives the ASGI application and parses what it streams."""

import asyncio
import contextlib
import json
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from urllib.parse import urlsplit

from notifications.hub import Hub


class Line:
    """What streams and WebSockets have in common: one waits for what comes, and may read nothing for a while."""

    def __init__(self) -> None:
        self.has_ended = False
        self._changed = asyncio.Event()
        self.blocked: asyncio.Event | None = None  # while it is not set, the browser reads nothing

    async def wait_for(self, condition) -> None:
        """Wait until `condition()` holds."""
        async with asyncio.timeout(20):
            while not condition():
                self._changed.clear()
                with contextlib.suppress(TimeoutError):
                    await asyncio.wait_for(self._changed.wait(), 0.05)


class Stream(Line):
    """One request to the hub; `status` and `events` are what has come so far."""

    def __init__(self) -> None:
        super().__init__()
        self.status = 0
        self.headers: dict[bytes, bytes] = {}
        self.body = b""
        self._left = asyncio.Event()

    async def receive(self) -> dict[str, object]:
        await self._left.wait()
        return {"type": "http.disconnect"}

    async def send(self, message) -> None:
        if self.blocked is not None:
            await self.blocked.wait()
        if message["type"] == "http.response.start":
            self.status, self.headers = message["status"], dict(message["headers"])
        else:
            self.body += message.get("body", b"")
            self.has_ended = not message.get("more_body", False)
        self._changed.set()

    def leave(self) -> None:
        self._left.set()

    @property
    def events(self) -> list[dict[str, str]]:
        """The complete events: their fields by name."""
        blocks = self.body.decode().split("\n\n")[:-1]
        parsed = [
            dict(line.split(": ", 1) for line in block.split("\n") if not line.startswith(":"))
            for block in blocks
        ]
        return [event for event in parsed if event.get("event", "ping") != "ping"]


class Socket(Line):
    """One WebSocket to the hub: `status` 101 when it was taken, `messages` without the pings, `code` at its end."""

    def __init__(self) -> None:
        super().__init__()
        self.status = 0
        self.code = 0
        self.pings = 0
        self.messages: list[dict] = []
        self._said: asyncio.Queue[dict[str, object]] = asyncio.Queue()
        self._said.put_nowait({"type": "websocket.connect"})

    def say(self, text: str) -> None:
        """Send a message."""
        self._said.put_nowait({"type": "websocket.receive", "text": text})

    def leave(self) -> None:
        self._said.put_nowait({"type": "websocket.disconnect", "code": 1001})

    async def receive(self) -> dict[str, object]:
        return await self._said.get()

    async def send(self, message) -> None:
        if self.blocked is not None:
            await self.blocked.wait()
        match message["type"]:
            case "websocket.accept":
                self.status = 101
            case "websocket.http.response.start":
                self.status = message["status"]
            case "websocket.close":
                self.code = message["code"]
                self.status = self.status or 403
                self.has_ended = True
            case "websocket.send":
                said = json.loads(message["text"])
                if said["event"] == "ping":
                    self.pings += 1
                else:
                    self.messages.append(said)
        self._changed.set()


@asynccontextmanager
async def opened(
    hub: Hub, token: str, *, method: str = "GET", last: str = "", **headers: str
) -> AsyncIterator[Stream]:
    """Ask the hub for a stream, and leave at the end."""
    stream = Stream()
    scope = _scope("/live/", token, last, headers) | {"type": "http", "method": method}
    task = asyncio.create_task(hub(scope, stream.receive, stream.send))
    try:
        await stream.wait_for(lambda: stream.status or task.done())
        yield stream
    finally:
        stream.leave()
        await asyncio.wait_for(task, 10)


@asynccontextmanager
async def connected(
    hub: Hub, token: str, *, last: str = "", says_why: bool = True, **headers: str
) -> AsyncIterator[Socket]:
    """Open a WebSocket to the hub, and leave at the end; `says_why` is a server that can answer with a status."""
    socket = Socket()
    extensions = {"websocket.http.response": {}} if says_why else {}
    scope = _scope("/ws/live/", token, last, headers) | {"type": "websocket", "extensions": extensions}
    task = asyncio.create_task(hub(scope, socket.receive, socket.send))
    try:
        await socket.wait_for(lambda: socket.status or task.done())
        yield socket
    finally:
        socket.leave()
        await asyncio.wait_for(task, 10)


async def polled(hub: Hub, token: str, *, last: str = "", **headers: str) -> Stream:
    """Ask the hub once what has come since `last`."""
    stream = Stream()
    scope = _scope("/live/poll/", token, last, headers) | {"type": "http", "method": "GET"}
    await asyncio.wait_for(hub(scope, stream.receive, stream.send), 10)
    return stream


def _scope(path: str, token: str, last: str, headers: dict[str, str]) -> dict[str, object]:
    return {
        "path": path,
        "query_string": f"token={token}&last={last}".encode(),
        "headers": [(name.replace("_", "-").encode(), value.encode()) for name, value in headers.items()],
    }


class RedisProxy:
    """Stands between the hub and Redis, and can be cut."""

    def __init__(self, url: str) -> None:
        self._url = urlsplit(url)
        self._tasks: set[asyncio.Task[None]] = set()
        self.is_cut = False

    @property
    def url(self) -> str:
        """Address of Redis through this proxy."""
        port = self._server.sockets[0].getsockname()[1]
        user, at, _ = self._url.netloc.rpartition("@")
        return self._url._replace(netloc=f"{user}{at}127.0.0.1:{port}").geturl()

    async def __aenter__(self) -> "RedisProxy":
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", 0)
        return self

    async def __aexit__(self, *error: object) -> None:
        self.cut()
        self._server.close()

    def cut(self) -> None:
        """Break all lines, and refuse new ones until `mend`."""
        self.is_cut = True
        for task in list(self._tasks):
            task.cancel()

    def mend(self) -> None:
        self.is_cut = False

    async def _serve(self, reader, writer) -> None:
        if self.is_cut:
            writer.close()
            return
        behind, ahead = await asyncio.open_connection(self._url.hostname, self._url.port)
        pipes = {asyncio.create_task(_pipe(reader, ahead)), asyncio.create_task(_pipe(behind, writer))}
        self._tasks |= pipes
        await asyncio.wait(pipes, return_when=asyncio.FIRST_COMPLETED)
        for task in pipes:
            task.cancel()
        self._tasks -= pipes
        for line in (writer, ahead):
            line.close()


async def _pipe(source, target) -> None:
    with contextlib.suppress(ConnectionError):
        while data := await source.read(65_536):
            target.write(data)
            await target.drain()


def numbers_of(events: Iterator[dict[str, str]]) -> list[int]:
    """Numbers of the events that bear one."""
    return [int(event["id"]) for event in events if "id" in event]
