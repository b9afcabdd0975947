"""Live updates: 5,000 open streams on one process, a frame a second, beside `channels_redis`.

`python -m benchmarks.bench_live`, with another number of streams behind it where the machine is too small. Ours is `config.hub` in uvicorn, as in the Procfile. The peer is an `AsyncHttpConsumer` of
Channels in a uvicorn of its own that streams what `group_send` of its Redis layer brings: as many receivers, the same
Redis, the same frames, the same clients. Those are in a process of their own; all of it shares the machine. Frames are marked as
being for each, so that every one has to arrive. Then a storm of states that may be replaced: how many frames become of them,
and whether everybody has the last.
"""

import json
import os
import resource
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path

import psutil

from benchmarks import figures
from benchmarks.scratch import in_a_process
from config import embedded

CLIENTS = int(sys.argv[1]) if sys.argv[1:] and sys.argv[1].isdecimal() else 5_000
FRAMES = 20
ROUNDS = 2
STORM, STORM_PAUSE = 100, 0.05
TOPIC = "bench:live"
KIBIBYTE = 1024
HUB_OPTIONS = ("--no-access-log", "--ws", "wsproto", "--ws-per-message-deflate", "false")
PEER = """
import os
import django
from django.conf import settings

settings.configure(
    SECRET_KEY="bench", ALLOWED_HOSTS=["*"],
    CHANNEL_LAYERS={"default": {
        "BACKEND": "channels_redis.core.RedisChannelLayer",
        "CONFIG": {"hosts": [{"address": os.environ["REDIS_URL"], "max_connections": 9_000}]},
    }},
)
django.setup()

from channels.generic.http import AsyncHttpConsumer

class Stream(AsyncHttpConsumer):
    async def http_request(self, message):  # unlike its own, it goes on after the answer has begun
        await self.channel_layer.group_add("bench", self.channel_name)
        await self.send_headers(headers=[(b"content-type", b"text/event-stream")])
        await self.send_body(b": here\\n\\n", more_body=True)

    async def bench_frame(self, event):
        await self.send_body(f"event: frame\\ndata: {event['text']}\\n\\n".encode(), more_body=True)

    async def disconnect(self):
        await self.channel_layer.group_discard("bench", self.channel_name)

application = Stream.as_asgi()
"""


def main() -> None:
    """Rounds on both, alternating."""
    _soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    if hard < CLIENTS + 200:
        raise SystemExit(f"This machine allows {hard} open files a process: too few for {CLIENTS} streams.")
    embedded.ensure()
    path = f"/live/?token={in_a_process(make_token)}"
    ours, theirs = [], []
    with tempfile.TemporaryDirectory() as folder:
        (Path(folder) / "bare_live.py").write_text(PEER)
        for _ in range(ROUNDS):
            with serving("config.hub:application") as server:
                ours.append(measure(server, path, partial(publish_each, FRAMES), FRAMES))
            with serving("bare_live:application", folder) as server:
                theirs.append(measure(server, "/", partial(group_send_each, FRAMES), FRAMES))
        with serving("config.hub:application") as server:
            storm = measure(server, path, partial(publish_storm, STORM, STORM_PAUSE), STORM)
    report(ours, theirs)
    figures.show(
        f"live, frames that reach one of {CLIENTS:,} streams of {STORM} states in {STORM * STORM_PAUSE:.0f} s",
        ours=f"{storm['share'] * STORM:.1f}, {storm['last'] / CLIENTS:.1%} have the last",
        value=storm["last"] / CLIENTS,
        at_least=1,
    )


def report(ours: list[dict[str, float]], theirs: list[dict[str, float]]) -> None:
    """The figures of all rounds."""

    def values(rounds: list[dict[str, float]], name: str, times: float = 1) -> list[float]:
        return [found[name] * times for found in rounds]

    for name, key, times, form, at_most, at_least in (
        ("share of frames delivered, %", "share", 100, ",.1f", None, 100),
        ("p99 from publishing to the browser, ms", "p99", 1000, ",.0f", 600, None),
        ("the same, median, ms", "p50", 1000, ",.0f", None, None),
        ("processor time of a frame delivered, µs", "work", 1e6, ",.0f", None, None),
        ("memory of a stream, KB", "memory", 1, ",.1f", 40, None),
        ("opening all streams, s", "opened", 1, ",.1f", None, None),
    ):
        mine, peer = values(ours, key, times), values(theirs, key, times)
        figures.show(
            f"live, {CLIENTS:,} streams, {name}",
            ours=figures.spread(mine, form),
            peer=f"channels_redis {figures.spread(peer, form)}",
            ratio=statistics.median(mine) / statistics.median(peer) if statistics.median(peer) else None,
            value=statistics.median(mine) if at_most or at_least else None,
            at_most=at_most,
            at_least=at_least,
        )


@contextmanager
def serving(application: str, folder: str | None = None) -> Iterator[tuple[int, psutil.Process]]:
    """A uvicorn on a free port; yields the port and the process."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    command = [sys.executable, "-m", "uvicorn", application, "--host", "127.0.0.1", "--port", str(port)]
    environment = {**os.environ, "LOG_LEVEL": "ERROR", **({"PYTHONPATH": folder} if folder else {})}
    with tempfile.TemporaryFile() as log:
        process = subprocess.Popen(
            [*command, "--log-level", "error", *HUB_OPTIONS], env=environment, stdout=log, stderr=log
        )
        try:
            for _ in range(600):
                with socket.socket() as probe:
                    if probe.connect_ex(("127.0.0.1", port)) == 0:
                        break
                if process.poll() is not None:
                    log.seek(0)
                    raise SystemExit(f"{application} did not start:\n{log.read()[-4_000:].decode()}")
                time.sleep(0.1)
            yield port, psutil.Process(process.pid)
        except SystemExit:
            log.seek(0)
            print(log.read()[-4_000:].decode(), file=sys.stderr)
            raise
        finally:
            process.kill()
            process.wait()


def measure(
    server: tuple[int, psutil.Process], path: str, publish: Callable[[], object], frames: int
) -> dict[str, float]:
    """Open all streams, publish, and see what arrived."""
    port, process = server
    began, idle = time.perf_counter(), process.memory_info().rss
    command = [sys.executable, "-m", "benchmarks.live_clients", str(port), path, str(CLIENTS)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as clients:
        assert clients.stdin
        assert clients.stdout
        if clients.stdout.readline() != "ready\n":
            raise SystemExit("The clients could not connect: see above.")
        opened = time.perf_counter() - began
        before = used(process)
        in_a_process(publish)
        time.sleep(3)  # what is late by more than that counts as lost
        work = used(process) - before
        memory = (process.memory_info().rss - idle) / KIBIBYTE / CLIENTS
        clients.stdin.write("stop\n")
        clients.stdin.flush()
        found: dict[str, float] = json.loads(clients.stdout.readline())
    return {
        **found,
        "share": found["frames"] / (CLIENTS * frames),
        "work": work / max(1, found["frames"]),
        "memory": memory,
        "opened": opened,
    }


def used(process: psutil.Process) -> float:
    """Seconds of processor time so far."""
    times = process.cpu_times()
    return float(times.user + times.system)


def make_token() -> str:
    """As a page would carry it. Runs in a process with Django."""
    from django.utils import timezone

    from notifications import live

    return live.make_token([TOPIC], timezone.now())


def publish_each(count: int) -> None:
    """A frame a second, none to be left out."""
    from notifications.live import publish

    for number in range(count):
        publish(TOPIC, "frame", {"at": time.time(), "n": number}, each=True)
        time.sleep(1)


def publish_storm(count: int, pause: float) -> None:
    """States, faster than anybody needs them."""
    from notifications.live import publish

    for number in range(count):
        publish(TOPIC, "frame", {"at": time.time(), "n": number})
        time.sleep(pause)


def group_send_each(count: int) -> None:
    """The same through the peer."""
    import asyncio

    from channels_redis.core import RedisChannelLayer

    async def send() -> None:
        layer = RedisChannelLayer(hosts=[os.environ["REDIS_URL"]])
        for number in range(count):
            text = json.dumps({"at": time.time(), "n": number})
            await layer.group_send("bench", {"type": "bench.frame", "text": text})
            await asyncio.sleep(1)

    asyncio.run(send())


if __name__ == "__main__":
    main()
