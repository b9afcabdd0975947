"""Redis gone for a minute, emptied, hanging: pages answer, members enter, and then everything goes on by itself."""

import io
import random
import time
from collections.abc import Iterator

import pytest
from django.core.management import call_command
from django.utils import timezone

from audit.models import Seal
from draws.models import Award, Draw, Entry
from notifications.models import Delivery, Message
from tests.conftest import ClonedDatabase
from tests.draws.factories import HOUR, environment, make_draw, make_frozen
from tests.draws.proofs import assert_proof_holds
from tests.draws.storms import Storm
from tests.draws.visitors import Visitor
from tests.factories import alice, bob, carol
from tests.live import LiveSite, wait_until
from tests.own_redis import OwnRedis

PATIENCE_S = 120


@pytest.fixture
def still_site(cloned_db: ClonedDatabase, own_redis: OwnRedis, tmp_path) -> Iterator[LiveSite]:
    """The site over a Redis that may be killed; nothing runs yet."""
    call_command("sync_schedule", stdout=io.StringIO())
    site = LiveSite(environment(cloned_db) | {"REDIS_URL": own_redis.url}, tmp_path)
    try:
        yield site
    finally:
        site.stop()


@pytest.fixture
def storm(still_site: LiveSite, cloned_db: ClonedDatabase, own_redis: OwnRedis) -> Storm:
    """All of it, running, under somebody who starts again what ends."""
    still_site.start_web()
    return Storm(still_site, cloned_db, own_redis, random.Random(0))


def is_drawn(draw: Draw) -> bool:
    draw.refresh_from_db()
    return draw.executed_at is not None


def assert_all_is_told(draw: Draw) -> None:
    """What is due has found its recipients."""
    due = Message.objects.filter(about=draw.about, not_before__lte=timezone.now(), cancelled_at=None)
    wait_until(lambda: not due.filter(expanded_at=None).exists(), "all messages to go out", PATIENCE_S)
    assert Delivery.objects.filter(message__in=due, message__kind="draws.winner_announcement").exists()


def assert_pages_answer(site: LiveSite, draw: Draw, *members) -> None:
    """What people do: look, sign in on a page of their own, enter."""
    for member in members:
        visitor = Visitor(site, member)
        for path in ("/", "/draws/", f"/draws/{draw.slug}/", "/dashboard/"):
            assert visitor.ask("GET", path)[0] == 200
        status, _, to = visitor.ask("POST", f"/draws/{draw.slug}/enter/")
        assert (status, to) == (302, f"/draws/{draw.slug}/receipt/")
        assert visitor.ask("GET", to)[0] == 200
        assert Entry.objects.get(draw=draw, member=member).member == member
        receipt = Delivery.objects.filter(message__kind="draws.entry_receipt", message__about=draw.about)
        assert receipt.filter(member=member).count() == 1


def wait_until_drawn(storm: Storm, draw: Draw, since: str) -> None:
    """Wait for worker and beat to come round, and say how long that took."""

    def comes_round() -> bool:
        storm.supervise()
        return is_drawn(draw)

    began = time.monotonic()
    wait_until(comes_round, "the draw to be drawn", PATIENCE_S)
    print(f"drawn {time.monotonic() - began:.1f} s after {since}; {storm.gave_up} gave up so far")


def test_redis_gone_for_a_minute_makes_a_draw_late_and_loses_nothing(storm, own_redis, soak_rounds):
    open_draw = make_draw()
    for member in (alice, bob, carol)[: soak_rounds(1, 3)]:
        own_redis.kill()
        back_at = time.monotonic() + soak_rounds(5, 60)
        due = make_frozen(entrants=5)
        assert_pages_answer(storm.site, open_draw, member())
        time.sleep(max(0, back_at - time.monotonic()))  # the minute itself is what is tested
        # Worker and beat have nothing to talk over. By hand it would go.
        assert not is_drawn(due)
        own_redis.start()
        wait_until_drawn(storm, due, "the return of Redis")
        assert_all_is_told(due)
        assert_proof_holds(due)
    assert "wake_failed" in storm.site.web.log


def test_a_redis_that_comes_and_goes_leaves_no_worker_deaf(storm, own_redis, soak_rounds):
    """A worker that talks to other workers may stay connected and take no more jobs; hence WORKER_OPTIONS."""
    for _ in range(soak_rounds(3, 30)):
        own_redis.kill()
        time.sleep(0.5)  # the moment in which it happened
        own_redis.start()
        wait_until_drawn(storm, make_frozen(entrants=5), "the return of Redis")


def test_redis_emptied_while_jobs_wait_in_it_loses_nothing(storm, own_redis, soak_rounds):
    for _ in range(soak_rounds(1, 10)):
        storm.worker.kill()
        due = make_frozen(entrants=5)
        wait_until(lambda: own_redis.length("critical") > 0, "jobs to wait in the queue", PATIENCE_S)
        own_redis.flush()
        storm.worker = storm.site.start_worker(concurrency=2)
        own_redis.flush()
        wait_until_drawn(storm, due, "FLUSHALL")
        assert_all_is_told(due)


def test_without_redis_the_commands_do_it_by_hand(still_site, own_redis):
    own_redis.kill()
    draw = make_draw(entrants=5, closes_in=-HOUR)
    still_site.manage("freeze_due_draws")
    draw.refresh_from_db()
    assert draw.manifest is not None
    due = make_frozen(entrants=5)
    still_site.manage("execute_due_draws")
    assert is_drawn(due)
    still_site.manage("process_notifications")
    assert_all_is_told(due)
    Award.objects.filter(about=due.about).update(claim_until=timezone.now() - HOUR)
    assert "3 prizes expired" in still_site.manage("expire_awards")
    still_site.manage("seal_audit")
    assert Seal.objects.exists()


def test_a_redis_that_hangs_holds_nobody_up_for_long(storm, own_redis):
    draw = make_draw()
    own_redis.pause()
    try:
        began = time.monotonic()
        assert_pages_answer(storm.site, draw, alice())
        print(f"six pages of which one enters a draw: {time.monotonic() - began:.1f} s")
        due = make_frozen(entrants=5)
    finally:
        own_redis.resume()
    wait_until_drawn(storm, due, "it answered again")
    assert_all_is_told(due)
