"""The limits of senders: never exceeded, by however many workers, whatever Redis does."""

import contextlib
import subprocess
import sys
import time

import pytest
import redis
from django.conf import settings as site_settings
from django.utils import timezone

from notifications import limits
from notifications.limits import COLD_S, HORIZON_S, Bucket, LimitUnavailableError, NoSlotError, bucket_of
from notifications.models import Delivery, State
from notifications.services import process_notifications, send_due_deliveries, sending
from tests.fakes.twilio import FakeTwilio, Trick
from tests.notifications.outbox import caller, outsider, say

RATE = 10.0
WARM = 10


@pytest.fixture(autouse=True)
def _not_quiet(monkeypatch):
    monkeypatch.setattr(limits, "_quiet_until", 0.0)
    monkeypatch.setattr(sending, "_rests_until", {})


@pytest.fixture
def bucket() -> Bucket:
    """One that is warm: Redis was asked before, and the wait after that is over."""
    made = Bucket("test", RATE)
    assert made.room() == 0
    _until(lambda: made.room() >= WARM)
    return made


def _until(condition, seconds: float = 20) -> None:
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.02)


def fullest_second(times: list[float]) -> int:
    return max(sum(start <= at < start + 1 for at in times) for start in times)


def take(bucket: Bucket, n: int) -> list[float]:
    times = []
    while len(times) < n:
        try:
            with bucket.turn(time.monotonic() + HORIZON_S):
                times.append(time.monotonic())
        except NoSlotError:
            time.sleep(0.02)
    return times


def texts(n: int) -> None:
    for at in range(n):
        say("test.text", key=f"{at}", now=timezone.now(), recipients=[caller(f"+2547110{at:05}")])


class TestBucket:
    def test_slots_are_an_interval_apart(self, bucket):
        times = take(bucket, 15)
        assert fullest_second(times) <= RATE
        assert times[-1] - times[0] >= 14 / RATE - 1 / RATE

    def test_what_it_did_not_use_is_not_made_up_for(self, bucket):
        time.sleep(0.5)
        assert bucket.room() <= HORIZON_S * RATE + 1
        assert fullest_second(take(bucket, 12)) <= RATE

    def test_asking_for_room_takes_none(self, bucket):
        assert [bucket.room() for _ in range(5)][-1] >= 9

    def test_who_can_not_wait_gets_none_and_takes_none(self, bucket):
        take(bucket, 1)
        room = bucket.room()
        with pytest.raises(NoSlotError), bucket.turn(time.monotonic() - 0.01):
            pass
        assert bucket.room() >= room

    def test_senders_have_buckets_of_their_own(self, bucket):
        take(bucket, 5)
        other = Bucket("other", RATE)
        assert other.room() == 0  # cold
        _until(lambda: other.room() >= 9)

    def test_without_a_rate_there_is_none(self, settings):
        settings.NOTIFICATION_RATES = {"sms": 0.0}
        assert bucket_of("sms") is None
        assert bucket_of("email") is None

    @pytest.mark.parametrize("spoil", ["flush", "clock", "other run"])
    def test_a_redis_that_knows_nothing_hands_out_nothing_before_all_handed_out_have_passed(
        self, bucket, spoil
    ):
        client = redis.Redis.from_url(site_settings.REDIS_URL)
        key = f"fairground:rate:{{{bucket.sender}}}"
        before = take(bucket, 9)
        match spoil:
            case "flush":
                client.delete(key)
            case "clock":
                client.hset(key, "next", int((time.time() + 3_600) * 1_000_000))
            case "other run":
                client.hset(key, mapping={"next": int((time.time() - 60) * 1_000_000), "run": "another"})
        spoiled = time.monotonic()
        after = take(bucket, 9)
        assert after[0] >= spoiled + COLD_S - 1 / RATE
        assert fullest_second(before + after) <= RATE

    def test_what_is_on_its_way_counts_until_it_is_answered(self, bucket):
        with contextlib.ExitStack() as slow:
            first = bucket.turn(time.monotonic() + 60)
            first.__enter__()
            for _ in range(int(RATE) - 1):
                slow.enter_context(bucket.turn(time.monotonic() + 60))
            # Slots come by, and none may leave.
            with pytest.raises(NoSlotError), bucket.turn(time.monotonic() + HORIZON_S):
                pytest.fail("more are on their way than a second may hold")
            answered = time.monotonic()
            first.__exit__(None, None, None)
            assert take(bucket, 1)[0] >= answered + 1

    def test_many_at_once_get_different_slots(self, bucket, parallel):
        outcomes = parallel(lambda: take(bucket, 5), 6)
        assert outcomes.errors == []
        times = [at for result in outcomes.results for at in result]
        assert len(times) == 30
        assert fullest_second(times) <= RATE

    def test_without_redis_it_says_so_and_leaves_it_alone_for_a_while(self, settings, own_redis):
        settings.REDIS_URL = own_redis.url
        made = Bucket("test", RATE)
        own_redis.kill()
        with pytest.raises(LimitUnavailableError):
            made.room()
        own_redis.start()
        with pytest.raises(LimitUnavailableError):
            made.room()  # not asked yet
        limits._quiet_until = 0.0
        assert made.room() == 0


@pytest.mark.django_db
class TestSending:
    @pytest.fixture
    def limited(self, twilio: FakeTwilio, settings) -> FakeTwilio:
        settings.NOTIFICATION_RATES = {"sms": RATE}
        _until(lambda: Bucket("sms", RATE).room() >= WARM)
        return twilio

    def test_a_round_sends_what_a_second_allows_and_keeps_the_rest_in_line(self, limited):
        texts(30)
        tally = send_due_deliveries(now=timezone.now())
        assert 1 <= tally.handed <= RATE
        assert Delivery.objects.filter(state=State.PLANNED).count() == 30 - tally.handed
        assert limited.fullest_second() <= RATE

    def test_all_go_in_the_end_and_each_once(self, limited):
        texts(22)
        _until(lambda: not process_notifications(now=timezone.now()) or len(limited.messages) == 22)
        assert set(limited.counts.values()) == {1}
        assert limited.fullest_second() <= RATE

    def test_a_provider_that_is_slow_holds_up_no_round_for_long(self, limited):
        limited.delay = 0.3
        texts(20)
        tally = send_due_deliveries(now=timezone.now())
        assert tally.handed <= 5  # one after another, for a second
        assert Delivery.objects.filter(state=State.PLANNED).count() == 20 - tally.handed

    def test_a_provider_that_gives_no_answer_is_left_alone_for_a_while(self, limited, smtp, monkeypatch):
        limited.tricks = [Trick.HANG]  # for as long as the round lasts
        texts(6)
        assert send_due_deliveries(now=timezone.now()).states == {State.UNKNOWN: 1, State.RETRY: 5}
        say("test.mail", key="mail", now=timezone.now(), recipients=[outsider()])
        texts_due = timezone.now() + sending.LEASE
        assert send_due_deliveries(now=texts_due).states == {State.HANDED: 1}
        assert (len(smtp.counts), len(limited.arrivals)) == (1, 1)
        sending._rests_until.clear()
        assert send_due_deliveries(now=texts_due).handed == 5

    def test_twilios_own_limit_lets_the_channel_rest_as_long_as_it_says(self, limited):
        limited.retry_after, limited.tricks = 600, [Trick.LIMITED]
        texts(20)
        send_due_deliveries(now=timezone.now())
        assert send_due_deliveries(now=timezone.now()).processed == 0
        assert len(limited.arrivals) == 1
        assert sending._rests_until["sms"] > time.monotonic() + 500

    def test_without_redis_texts_wait_and_mails_go(self, limited, smtp, settings, own_redis):
        settings.REDIS_URL = own_redis.url
        own_redis.kill()
        texts(3)
        say("test.mail", key="mail", now=timezone.now(), recipients=[outsider()])
        tally = send_due_deliveries(now=timezone.now())
        assert (tally.states, len(smtp.counts), limited.messages) == ({State.HANDED: 1}, 1, [])
        assert Delivery.objects.filter(channel="sms", state=State.PLANNED).count() == 3
        own_redis.start()
        limits._quiet_until = 0.0
        _until(lambda: not process_notifications(now=timezone.now()) or len(limited.messages) == 3)

    def test_redis_dies_in_the_middle_of_a_round_and_nothing_is_lost(self, limited, monkeypatch):
        texts(8)
        asked = []

        def dies_at_the_third(bucket, until):
            asked.append(1)
            if len(asked) == 3:
                raise LimitUnavailableError
            return turn(bucket, until)

        turn = Bucket.turn
        monkeypatch.setattr(Bucket, "turn", dies_at_the_third)
        assert send_due_deliveries(now=timezone.now()).states == {State.HANDED: 2}
        assert Delivery.objects.filter(state=State.PLANNED, sending_at=None).count() == 6
        _until(lambda: not process_notifications(now=timezone.now()) or len(limited.messages) == 8)
        assert set(limited.counts.values()) == {1}

    def test_what_was_tried_before_goes_back_to_where_it_was(self, limited, monkeypatch):
        texts(2)
        Delivery.objects.update(state=State.RETRY, attempts=3)

        def full(bucket, until):
            raise NoSlotError

        monkeypatch.setattr(Bucket, "turn", full)
        assert send_due_deliveries(now=timezone.now()).processed == 0
        assert set(Delivery.objects.values_list("state", "attempts")) == {(State.RETRY, 3)}


class TestProcesses:
    def test_four_workers_together_never_exceed_it(self, cloned_db, soak_rounds):
        texts(soak_rounds(40, 200))
        with FakeTwilio() as server:
            _run(server, cloned_db.env, 4)
            assert server.fullest_second() <= RATE
            assert set(server.counts.values()) == {1}
            assert len(server.messages) == soak_rounds(40, 200)

    def test_not_when_redis_is_emptied_meanwhile(self, cloned_db, own_redis):
        texts(40)
        with FakeTwilio() as server:
            workers = _start(server, {**cloned_db.env, "REDIS_URL": own_redis.url}, 4)
            for reached in (5, 15, 25):
                _until(lambda reached=reached: len(server.messages) >= reached, 60)
                own_redis.flush()
            _wait(workers)
            assert server.fullest_second() <= RATE
            assert set(server.counts.values()) == {1}
            assert len(server.messages) == 40

    def test_a_worker_that_is_killed_takes_nothing_along(self, cloned_db):
        texts(20)
        with FakeTwilio(tricks=[Trick.TAKE_AND_HANG]) as server:
            [killed] = _start(server, cloned_db.env, 1)
            _until(lambda: server.arrivals, 60)
            killed.kill()
            killed.wait()
            _run(server, cloned_db.env, 2)
            # What the dead one holds is given back by its lease; the rest went, each once and within the limit.
            held = Delivery.objects.filter(state=State.CLAIMED).count()
            assert 1 <= held <= RATE
            assert len(server.messages) == 20 - held + 1
            assert set(server.counts.values()) == {1}
            assert server.fullest_second() <= RATE


def _start(server: FakeTwilio, env: dict[str, str], count: int) -> list["subprocess.Popen[bytes]"]:
    command = [sys.executable, "-m", "tests.notifications.texting_worker", server.url, str(RATE)]
    workers = [subprocess.Popen(command, env=env, stdout=subprocess.PIPE) for _ in range(count)]
    for worker in workers:
        assert worker.stdout.readline() == b"working\n"
    return workers


def _wait(workers: list["subprocess.Popen[bytes]"]) -> None:
    for worker in workers:
        assert worker.wait(300) == 0


def _run(server: FakeTwilio, env: dict[str, str], count: int) -> None:
    _wait(_start(server, env, count))
