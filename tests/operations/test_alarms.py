"""Alarms: once for each occasion, told until heard, over when it is over."""

import base64
import datetime as dt
import hashlib
import hmac

import pytest
from django.core import mail
from django.db import connection
from django.utils import timezone

from config.models import Alarm, AlarmNotice
from config.operations import alarms, books, signs, vitals, webhook
from config.operations.troubles import Trouble, all_troubles
from config.operations.watcher import Watcher, start_watcher
from draws.models import Draw
from payments.checking import Difference
from tests.draws.factories import make_executed, make_frozen
from tests.factories import admin, alice
from tests.fakes.webhook import FakeReceiver, Trick

SECRET = "whsec_" + base64.b64encode(b"0123456789abcdef0123456789abcdef").decode()
TROUBLE = Trouble(key="beat", title="Beat is silent", mend="Start it.", detail="Since noon.")


@pytest.fixture
def receiver(settings):
    with FakeReceiver() as receiver:
        settings.ALERT_WEBHOOK = receiver.url
        settings.ALERT_EMAILS = ["ops@example.com"]
        yield receiver


def keys() -> set[str]:
    return {trouble.key for trouble in all_troubles(now=timezone.now())}


def later(**span: float) -> dt.datetime:
    return timezone.now() + dt.timedelta(**span)


class TestTroubles:
    def test_a_healthy_site_has_none(self, healthy):
        assert keys() == set()

    def test_a_silent_beat_is_one_and_its_workers_are_not_blamed(self, healthy, settings):
        healthy(beat_ago=settings.BEAT_LATE_SECONDS + 1, workers_ago=9999)
        assert keys() == {"beat"}

    def test_a_silent_worker_is_one_for_each_queue(self, healthy, settings):
        healthy(workers_ago=settings.WORKER_LATE_SECONDS + 1)
        signs.note_worker(queue="critical", now=timezone.now())
        assert keys() == {"worker:bulk", "worker:default"}

    def test_silence_counts_from_when_somebody_began_to_listen(self, healthy, settings):
        healthy(beat_ago=9999, workers_ago=9999)
        started = timezone.now()
        assert all_troubles(now=started, watched_since=started) == []
        late = started + dt.timedelta(seconds=settings.BEAT_LATE_SECONDS + 1)
        assert [each.key for each in all_troubles(now=late, watched_since=started)] == ["beat"]

    def test_with_redis_gone_only_redis_is_to_blame(self, healthy, settings):
        healthy(beat_ago=9999, workers_ago=9999)
        settings.REDIS_URL = "redis://127.0.0.1:1/0"
        assert keys() == {"redis"}

    def test_overdue_failed_and_stopped_draws(self, db):
        overdue, failed, stopped = make_frozen(), make_frozen(), make_executed(members=[alice()])
        Draw.objects.filter(pk=failed.pk).update(execution_error="No relay answers.")
        Draw.objects.filter(pk=stopped.pk).update(
            payouts_stopped_at=timezone.now(), payouts_stopped_why="A row."
        )
        now = overdue.draw_at + dt.timedelta(minutes=6)
        found = {trouble.key: trouble for trouble in all_troubles(now=now, watched_since=now)}
        wanted = {"draws-overdue", f"draw-failed:{failed.public_id}", f"payouts-stopped:{stopped.public_id}"}
        assert set(found) - {"seals", "deliveries"} == wanted
        assert overdue.title in found["draws-overdue"].detail

    def test_messages_that_nobody_sends_and_records_that_nobody_seals(self, db):
        make_executed(members=[alice()])
        now = later(hours=1)
        assert {"deliveries", "seals"} <= {each.key for each in all_troubles(now=now, watched_since=now)}

    def test_a_ledger_that_differs(self, healthy, monkeypatch):
        monkeypatch.setattr(books, "check_ledger", lambda: [Difference("sum", "wallet:1", "1", "2")])
        books.check_books(now=timezone.now())
        [trouble] = all_troubles(now=timezone.now())
        assert (trouble.key, "wallet:1" in trouble.detail) == ("ledger", True)
        monkeypatch.undo()
        books.check_books(now=timezone.now())
        assert keys() == set()

    def test_every_trouble_says_what_to_do_and_where(self, healthy, settings):
        healthy(beat_ago=9999)
        for trouble in all_troubles(now=timezone.now()):
            assert trouble.mend.endswith(".")
            assert trouble.page.startswith("/admin/")


class TestOccasions:
    def test_it_is_raised_once_and_resolved_once(self, db, receiver):
        now = timezone.now()
        assert alarms.keep_in_step(troubles=[TROUBLE], now=now) == (1, 0)
        assert alarms.keep_in_step(troubles=[TROUBLE], now=now) == (0, 0)
        assert alarms.tell_due(now=now) == 2
        assert alarms.keep_in_step(troubles=[], now=now) == (0, 1)
        assert alarms.keep_in_step(troubles=[], now=now) == (0, 0)
        assert alarms.tell_due(now=now) == 2
        assert alarms.tell_due(now=later(days=2)) == 0
        assert receiver.told == [("alarm.raised", "beat"), ("alarm.resolved", "beat")]
        assert [letter.subject for letter in mail.outbox] == [
            "[Fairground] Alarm: Beat is silent",
            "[Fairground] Over: Beat is silent",
        ]

    def test_the_same_thing_again_later_is_a_new_occasion(self, db, receiver):
        now = timezone.now()
        for troubles in ([TROUBLE], [], [TROUBLE]):
            alarms.keep_in_step(troubles=troubles, now=now)
        assert [alarm.resolved_at for alarm in Alarm.objects.order_by("pk")] == [now, None]

    def test_it_tells_every_super_admin_where_nobody_is_named(self, db, settings):
        settings.ALERT_EMAILS = []
        admin()
        alice()
        assert alarms.recipients() == ["admin@example.com"]

    def test_twenty_processes_raise_it_once(self, cloned_db, parallel, settings):
        settings.ALERT_EMAILS = ["ops@example.com"]
        now = timezone.now()
        outcomes = parallel(lambda: alarms.keep_in_step(troubles=[TROUBLE], now=now), 20)
        assert outcomes.errors == []
        assert sum(raised for raised, _resolved in outcomes.results) == 1
        assert (Alarm.objects.count(), AlarmNotice.objects.count()) == (1, 1)

    def test_twenty_processes_tell_it_once(self, cloned_db, parallel, receiver):
        now = timezone.now()
        alarms.keep_in_step(troubles=[TROUBLE], now=now)
        outcomes = parallel(lambda: alarms.tell_due(now=now), 20)
        assert outcomes.errors == []
        assert sum(outcomes.results) == 2
        assert receiver.told == [("alarm.raised", "beat")]


class TestTelling:
    def test_who_refuses_is_told_again_later_with_the_same_id(self, db, receiver, settings):
        settings.ALERT_WEBHOOK_SECRET = SECRET
        receiver.trick = Trick.REFUSE
        now = timezone.now()
        alarms.keep_in_step(troubles=[TROUBLE], now=now)
        assert alarms.tell_due(now=now) == 1, "the mail goes out all the same"
        notice = AlarmNotice.objects.get(channel="webhook")
        assert (notice.attempts, notice.error) == (1, "status 500")
        receiver.trick = None
        assert alarms.tell_due(now=notice.next_attempt_at - dt.timedelta(seconds=1)) == 0
        assert alarms.tell_due(now=notice.next_attempt_at) == 1
        first, second = receiver.heard
        assert first.headers["webhook-id"] == second.headers["webhook-id"]

    def test_the_end_waits_for_the_news_of_the_beginning(self, db, receiver):
        receiver.trick = Trick.REFUSE
        now = timezone.now()
        alarms.keep_in_step(troubles=[TROUBLE], now=now)
        alarms.tell_due(now=now)
        alarms.keep_in_step(troubles=[], now=now)
        receiver.trick, receiver.heard = None, []
        alarms.tell_due(now=now)
        assert receiver.told == []
        for _round in range(2):
            alarms.tell_due(now=later(minutes=10))
        assert receiver.told == [("alarm.raised", "beat"), ("alarm.resolved", "beat")]

    def test_a_process_that_died_while_telling_leaves_it_to_the_next(self, db, receiver, monkeypatch):
        now = timezone.now()
        alarms.keep_in_step(troubles=[TROUBLE], now=now)

        def die(*args):
            raise KeyboardInterrupt

        monkeypatch.setattr(alarms, "_tell", die)
        with pytest.raises(KeyboardInterrupt):
            alarms.tell_due(now=now)
        monkeypatch.undo()
        assert alarms.tell_due(now=now) == 0
        assert alarms.tell_due(now=now + alarms.LEASE) == 2

    def test_in_the_end_it_gives_up(self, db, receiver):
        receiver.trick = Trick.REFUSE
        alarms.keep_in_step(troubles=[TROUBLE], now=timezone.now())
        for day in range(alarms.ATTEMPTS + 3):
            alarms.tell_due(now=later(days=day))
        assert len(receiver.heard) == alarms.ATTEMPTS
        assert AlarmNotice.objects.get(channel="webhook").next_attempt_at is None

    def test_it_is_signed_as_standard_webhooks_has_it(self, db, receiver, settings):
        settings.ALERT_WEBHOOK_SECRET = SECRET
        alarms.keep_in_step(troubles=[TROUBLE], now=timezone.now())
        alarms.tell_due(now=timezone.now())
        [heard] = receiver.heard
        signed = f"{heard.headers['webhook-id']}.{heard.headers['webhook-timestamp']}.".encode() + heard.body
        key = base64.b64decode(SECRET.removeprefix("whsec_"))
        expected = base64.b64encode(hmac.new(key, signed, hashlib.sha256).digest()).decode()
        assert heard.headers["webhook-signature"] == f"v1,{expected}"
        assert heard.json["data"]["detail"] == "Since noon."

    def test_the_signature_is_the_one_of_the_specification_s_example(self):
        assert (
            webhook.signature(
                secret="whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw",
                message_id="msg_p5jXN8AQM9LWM0D4loKWxJek",
                timestamp=1614265330,
                body=b'{"test": 2432232314}',
            )
            == "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="
        )

    @pytest.mark.parametrize(
        ("trick", "words"), [(Trick.STALL, "no answer within 0.2 s"), (Trick.REDIRECT, "status 302")]
    )
    def test_who_stalls_or_redirects_has_not_heard(self, receiver, trick, words):
        receiver.trick = trick
        with pytest.raises(webhook.WebhookError, match=words):
            webhook.post(
                url=receiver.url, secret="", message_id="msg_1", timestamp=1, body=b"{}", timeout_s=0.2
            )
        assert len(receiver.heard) == 1

    def test_an_error_never_names_the_address(self):
        with pytest.raises(webhook.WebhookError) as caught:
            webhook.post(url="http://127.0.0.1:1/T0/secret", secret="", message_id="m", timestamp=1, body=b"")
        assert "secret" not in str(caught.value)


class TestWatcher:
    def test_one_process_in_a_period_looks(self, cloned_db, parallel):
        outcomes = parallel(lambda: signs.take_turn(every_s=60), 12)
        assert (outcomes.errors, sum(outcomes.results)) == ([], 1)
        assert signs.take_turn(every_s=0)

    def test_tests_and_commands_have_none(self, settings):
        settings.WATCH_SECONDS = 0
        assert start_watcher() is None

    def test_a_look_that_fails_is_not_the_last(self, cloned_db, monkeypatch, receiver):
        watcher = Watcher(every_s=0, since=later(days=-1))
        monkeypatch.setattr(vitals, "redis_problem", lambda: 1 / 0)
        watcher.look()
        monkeypatch.undo()
        assert Alarm.objects.count() == 0
        watcher.look()
        assert ("alarm.raised", "beat") in receiver.told
        assert connection.connection is None, "the look has given its connection back"
