"""Thousands of browsers that hear server-sent events, in one process of plain asyncio: the load of `bench_live`.

`python -m benchmarks.live_clients PORT PATH COUNT`. Prints `ready` when all are connected and have heard a first word, and
counts until a line comes in; then prints what it counted as JSON. A frame's data holds `at`, the time it was sent.
"""

import asyncio
import json
import re
import resource
import sys
import time

AT_ONCE = 100
"""Connections that are opened beside each other."""
_FRAME = re.compile(rb'"at": ?([0-9.]+), ?"n": ?(\d+)')


class Browser(asyncio.Protocol):
    """One open stream: when which frame came."""

    __slots__ = ("_rest", "delays", "first_word", "numbers", "request", "transport")

    def __init__(self, request: bytes, first_word: asyncio.Future[None]) -> None:
        self.request, self.first_word = request, first_word
        self.delays: list[float] = []
        self.numbers: list[int] = []
        self._rest = b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = transport
        transport.write(self.request)

    def data_received(self, data: bytes) -> None:
        if not self.first_word.done() and b"\n\n" in data:  # heads end in other ways
            self.first_word.set_result(None)
        now = time.time()
        data = self._rest + data
        end = 0
        for found in _FRAME.finditer(data):
            self.delays.append(now - float(found[1]))
            self.numbers.append(int(found[2]))
            end = found.end()
        self._rest = data[max(end, len(data) - 200) :]

    def connection_lost(self, error: Exception | None) -> None:
        if not self.first_word.done():
            self.first_word.set_exception(error or ConnectionError("closed at once"))


async def open_one(port: int, request: bytes, gate: asyncio.Semaphore) -> Browser:
    """Connect, ask, and wait for the first word."""
    async with gate:
        loop = asyncio.get_running_loop()
        first_word: asyncio.Future[None] = loop.create_future()
        _transport, browser = await loop.create_connection(
            lambda: Browser(request, first_word), "127.0.0.1", port
        )
        await asyncio.wait_for(first_word, 120)
        return browser


async def main(port: int, path: str, count: int) -> None:
    """Open all, and count until told to stop."""
    request = f"GET {path} HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\nAccept: text/event-stream\r\n\r\n".encode()
    gate = asyncio.Semaphore(AT_ONCE)
    browsers = await asyncio.gather(*(open_one(port, request, gate) for _ in range(count)))
    print("ready", flush=True)
    await asyncio.to_thread(sys.stdin.readline)
    delays = sorted(delay for browser in browsers for delay in browser.delays)
    counted = {
        "frames": len(delays),
        "p50": delays[len(delays) // 2] if delays else 0,
        "p99": delays[int(len(delays) * 0.99)] if delays else 0,
        "last": sum(
            bool(browser.numbers) and browser.numbers[-1] == max_of(browsers) for browser in browsers
        ),
    }
    print(json.dumps(counted), flush=True)
    for browser in browsers:
        browser.transport.abort()


def max_of(browsers: list[Browser]) -> int:
    """The newest frame anybody has."""
    return max((browser.numbers[-1] for browser in browsers if browser.numbers), default=-1)


if __name__ == "__main__":
    _soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    asyncio.run(main(int(sys.argv[1]), sys.argv[2], int(sys.argv[3])))
