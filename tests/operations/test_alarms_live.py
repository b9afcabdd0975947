"""Beat and worker are killed on the real site, and the web process tells of it."""

import pytest

from config.operations import signs
from draws.services.monitoring import last_beat
from tests.fakes.webhook import FakeReceiver
from tests.live import LiveSite, wait_until

BEAT_LATE_S = 15


@pytest.fixture
def receiver():
    with FakeReceiver() as receiver:
        yield receiver


@pytest.fixture
def site(cloned_db, tmp_path, receiver):
    env = {
        "ALERT_WEBHOOK": receiver.url,
        "WATCH_SECONDS": "1",
        "BEAT_LATE_SECONDS": str(BEAT_LATE_S),
        "WORKER_LATE_SECONDS": "600",
    }
    site = LiveSite(cloned_db.env | env, tmp_path)
    try:
        site.manage("sync_schedule")
        yield site
    finally:
        site.stop()


def test_a_dead_beat_is_told_once_and_so_is_its_return(site, receiver):
    site.start_worker()
    beat = site.start_beat()
    wait_until(lambda: last_beat() is not None, "the first sign of life", 30, beat)
    wait_until(lambda: len(signs.last_seen()) >= len(signs.QUEUES), "a job through each queue", 60, beat)
    site.start_web()  # last, so that however slow the machine is nobody is silent from its point of view
    wait_until(lambda: "watcher" in signs.last_seen(), "the first look", 30, site.web)
    assert receiver.told == []
    beat.kill()
    wait_until(lambda: receiver.told != [], "the alarm", BEAT_LATE_S * 3, site.web)
    assert receiver.told == [("alarm.raised", "beat")]
    site.start_beat()
    wait_until(lambda: len(receiver.told) > 1, "the end of the alarm", BEAT_LATE_S * 3, site.web)
    assert receiver.told == [("alarm.raised", "beat"), ("alarm.resolved", "beat")]
