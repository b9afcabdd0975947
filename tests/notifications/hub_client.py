"""A browser of the hub, without the network: drives the ASGI application and parses what it streams."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from urllib.parse import urlsplit

from notifications.hub import Hub


class Stream:
    """One request to the hub; `status` and `events` are what has come so far."""

    def __init__(self) -> None:
        self.status = 0
        self.headers: dict[bytes, bytes] = {}
        self.body = b""
        self.has_ended = False
        self._changed = asyncio.Event()
        self._left = asyncio.Event()
        self.blocked: asyncio.Event | None = None  # while it is not set, the browser reads nothing

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
        return [event for event in parsed if "event" in event]

    async def wait_for(self, condition) -> None:
        """Wait until `condition()` holds."""
        async with asyncio.timeout(20):
            while not condition():
                self._changed.clear()
                with contextlib.suppress(TimeoutError):
                    await asyncio.wait_for(self._changed.wait(), 0.05)


@asynccontextmanager
async def opened(hub: Hub, token: str, *, method: str = "GET", **headers: str) -> AsyncIterator[Stream]:
    """Ask the hub for a stream, and leave at the end."""
    stream = Stream()
    scope = {
        "type": "http",
        "method": method,
        "path": "/live/",
        "query_string": f"token={token}".encode(),
        "headers": [(name.replace("_", "-").encode(), value.encode()) for name, value in headers.items()],
    }
    task = asyncio.create_task(hub(scope, stream.receive, stream.send))
    try:
        await stream.wait_for(lambda: stream.status or task.done())
        yield stream
    finally:
        stream.leave()
        await asyncio.wait_for(task, 10)


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
