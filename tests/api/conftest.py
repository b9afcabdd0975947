"""The real site with a scheduler's secret and no limits, over a Redis that may be killed."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.conftest import ClonedDatabase
from tests.live import LiveSite
from tests.own_redis import OwnRedis

CRON_SECRET = "the-secret-of-an-outside-scheduler-long-enough"


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
