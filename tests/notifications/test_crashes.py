"""Workers that die, are slow, or meet each other."""

import datetime as dt
import random
import subprocess
import sys
import time

import pytest
from django.db import connection
from django.utils import timezone

from accounts.models import User
from notifications.channels.email import EmailChannel
from notifications.models import Delivery, Message, State
from notifications.services import (
    expand_due_messages,
    expire_leases,
    process_notifications,
    send_due_deliveries,
    sending,
)
from notifications.services.sending import LEASE
from tests.factories import alice
from tests.fakes.smtp import Behaviour, Trick
from tests.notifications.outbox import NOW, named, outsider, say

ZOE = "zoe@elsewhere.example"
AFTER_LEASE = NOW + LEASE + dt.timedelta(seconds=1)


def claimed(*, given_out: bool, kind: str = "test.service") -> Delivery:
    """A delivery whose worker died before or after it began to send."""
    say(kind, recipients=[outsider()])
    Delivery.objects.update(
        state=State.CLAIMED, lease_until=NOW + LEASE, sending_at=NOW if given_out else None
    )
    return Delivery.objects.get()


@pytest.mark.django_db
class TestLeases:
    def test_a_claim_is_left_alone_while_its_lease_lasts(self, smtp):
        claimed(given_out=False)
        assert expire_leases(now=NOW + LEASE) == 0
        assert send_due_deliveries(now=NOW + LEASE).processed == 0

    def test_what_was_never_given_out_is_planned_again(self, smtp):
        claimed(given_out=False)
        assert expire_leases(now=AFTER_LEASE) == 1
        assert send_due_deliveries(now=AFTER_LEASE).handed == 1
        assert Delivery.objects.get().lost_answers == 0

    def test_what_may_be_out_is_unknown(self, smtp):
        claimed(given_out=True)
        expire_leases(now=AFTER_LEASE)
        delivery = Delivery.objects.get()
        assert (delivery.state, delivery.lost_answers, delivery.provider_code) == (State.UNKNOWN, 1, "lost")
        assert send_due_deliveries(now=AFTER_LEASE).processed == 0

    def test_a_transactional_mail_that_may_be_out_is_sent_once_more(self, smtp):
        claimed(given_out=True, kind="test.money")
        expire_leases(now=AFTER_LEASE)
        assert send_due_deliveries(now=AFTER_LEASE).handed == 1
        Delivery.objects.update(state=State.CLAIMED, sending_at=AFTER_LEASE, lease_until=AFTER_LEASE)
        expire_leases(now=AFTER_LEASE + LEASE)
        assert Delivery.objects.get().state == State.UNKNOWN

    def test_expiring_twice_counts_one_lost_answer(self, smtp):
        claimed(given_out=True, kind="test.money")
        assert (expire_leases(now=AFTER_LEASE), expire_leases(now=AFTER_LEASE)) == (1, 0)
        assert Delivery.objects.get().lost_answers == 1


class TestAtOnce:
    def test_workers_at_once_send_each_mail_once(self, parallel, smtp):
        recipients = [outsider(f"nr{n}") for n in range(300)]
        say(recipients=recipients)

        def work() -> int:
            handed = 0
            while tally := send_due_deliveries(now=NOW, limit=40).handed:
                handed += tally
            return handed

        outcomes = parallel(work, 4)
        assert outcomes.errors == []
        assert sum(outcomes.results) == 300
        assert smtp.counts == {recipient.address: 1 for recipient in recipients}

    def test_sweeps_at_once_count_a_lost_answer_once(self, parallel):
        say(recipients=[outsider(f"nr{n}") for n in range(50)])
        Delivery.objects.update(state=State.CLAIMED, lease_until=NOW, sending_at=NOW)
        outcomes = parallel(lambda: expire_leases(now=AFTER_LEASE), 4)
        assert (outcomes.errors, sum(outcomes.results)) == ([], 50)
        assert set(Delivery.objects.values_list("lost_answers", flat=True)) == {1}

    def test_a_slow_workers_answer_ends_the_unknown(self, cloned_db, smtp, monkeypatch):
        say(recipients=[outsider()])

        def too_slow(*args, **more):
            assert expire_leases(now=AFTER_LEASE + LEASE) == 1
            assert Delivery.objects.get().state == State.UNKNOWN
            return real(*args, **more)

        real = sending._result_of
        monkeypatch.setattr("notifications.services.sending._result_of", too_slow)
        send_due_deliveries(now=NOW)
        assert Delivery.objects.get().state == State.HANDED
        assert smtp.counts == {ZOE: 1}

    def test_a_slow_worker_does_not_send_what_another_has_claimed(self, cloned_db, smtp, monkeypatch):
        say(recipients=[outsider()])

        def overtaken(batch, versions, results, now):
            expire_leases(now=AFTER_LEASE)
            monkeypatch.undo()
            assert send_due_deliveries(now=AFTER_LEASE).handed == 1
            return rendered(batch, versions, results, now)

        rendered = sending._render
        monkeypatch.setattr("notifications.services.sending._render", overtaken)
        assert send_due_deliveries(now=NOW).processed == 0
        assert smtp.counts == {ZOE: 1}

    def test_no_transaction_is_open_while_the_server_is_talked_to(self, cloned_db, smtp, monkeypatch):
        seen = []
        say(recipients=[outsider()])
        real = sending._result_of
        monkeypatch.setattr(
            "notifications.services.sending._result_of",
            lambda *args, **more: seen.append(connection.in_atomic_block) or real(*args, **more),
        )
        send_due_deliveries(now=NOW)
        assert seen == [False]


class Worker:
    """A worker process, to be killed."""

    def __init__(
        self, env: dict[str, str], port: int, *, batch: int = EmailChannel.batch, chunk: int = 20_000
    ) -> None:
        command = [sys.executable, "-m", "tests.notifications.worker", str(port), str(batch), str(chunk)]
        self.process = subprocess.Popen(command, env=env, stdout=subprocess.PIPE, text=True)
        assert self.process.stdout is not None
        assert self.process.stdout.readline() == "working\n"

    def kill(self) -> None:
        self.process.kill()
        self.process.wait()


def let_leases_end() -> None:
    """As if five minutes had passed."""
    Delivery.objects.filter(state=State.CLAIMED).update(lease_until=timezone.now() - dt.timedelta(seconds=1))


def work_off() -> None:
    """What the workers after it do."""
    while process_notifications(now=timezone.now()).found_work:
        pass


class TestKilled:
    def test_a_worker_killed_while_the_server_holds_its_mail(self, cloned_db, smtp):
        """The server has the mail, the worker dies before the answer: of one batch the answers are lost."""
        recipients = [outsider(f"nr{n:02}") for n in range(30)]
        stalled = recipients[13].address
        smtp.behaviours[stalled] = Behaviour(trick=Trick.STALL_AFTER_DATA, times=1)
        say(recipients=recipients, now=timezone.now())
        worker = Worker(cloned_db.env, smtp.port, batch=5)
        assert smtp.asked.wait(60)
        worker.kill()

        states = Delivery.objects.values_list("state", flat=True)
        assert sorted(set(states)) == [State.CLAIMED, State.HANDED]
        assert Delivery.objects.filter(sending_at__isnull=False, state=State.CLAIMED).count() == 5
        let_leases_end()
        work_off()

        unknown = set(Delivery.objects.filter(state=State.UNKNOWN).values_list("address", flat=True))
        assert stalled in unknown
        assert len(unknown) == 5
        assert Delivery.objects.filter(state=State.HANDED).count() == 25
        assert max(smtp.counts.values()) == 1
        assert set(smtp.counts) | unknown == {recipient.address for recipient in recipients}

    def test_transactional_mail_reaches_everybody_and_repeats_only_lost_answers(self, cloned_db, smtp):
        recipients = [outsider(f"nr{n:02}") for n in range(30)]
        smtp.behaviours[recipients[13].address] = Behaviour(trick=Trick.STALL_AFTER_DATA, times=1)
        say("test.money", recipients=recipients, now=timezone.now())
        worker = Worker(cloned_db.env, smtp.port, batch=5)
        assert smtp.asked.wait(60)
        worker.kill()
        let_leases_end()
        work_off()
        assert set(Delivery.objects.values_list("state", flat=True)) == {State.HANDED}
        assert_told(smtp, {recipient.address for recipient in recipients})

    def test_workers_killed_at_random_steps_miss_nobody(self, cloned_db, smtp, soak_rounds):
        chance = random.Random(7)
        User.objects.bulk_create(User(email=f"crowd{n}@example.com", password="") for n in range(400))
        everybody = set(User.objects.values_list("email", flat=True))
        for number in range(soak_rounds(1, 70)):
            smtp.taken.clear()
            Delivery.objects.all().delete()
            say("test.money", key=str(number), now=timezone.now())
            for _kill in range(3):
                worker = Worker(cloned_db.env, smtp.port, chunk=50)
                time.sleep(chance.uniform(0, 0.4))
                worker.kill()
            for _lost in range(3):  # a mail may lose its answer, then its second one, each to another kill
                let_leases_end()
                work_off()
            message = Message.objects.get(idem_key=str(number))
            assert message.recipient_count == len(everybody)
            assert Delivery.objects.filter(message=message).count() == 2 * len(everybody)
            unknown = Delivery.objects.filter(state=State.UNKNOWN).values_list("address", flat=True)
            assert_told(smtp, everybody - set(unknown))


def assert_told(smtp, everybody: set[str]) -> None:
    """Everybody was told, and twice only those whose answer had been lost, under the same Message-ID."""
    counts = smtp.counts
    assert everybody <= set(counts)
    lost = dict(Delivery.objects.filter(channel="email").values_list("address", "lost_answers"))
    assert {address for address, count in counts.items() if count > 1 + lost[address]} == set()
    ids = {(mail.recipient, mail.message_id) for mail in smtp.taken}
    assert len(ids) == len(counts)


class TestExpansionKilled:
    def test_a_page_that_was_not_committed_is_done_again(self, cloned_db, smtp, monkeypatch):
        """The statement ran, the transaction did not end: neither rows nor cursor are there."""
        alice()
        message = say(now=NOW)

        class Killed(BaseException):
            pass

        def die(*args, **kwargs):
            raise Killed

        monkeypatch.setattr(Message, "save", die)
        with pytest.raises(Killed):
            expand_due_messages(now=NOW)
        monkeypatch.undo()
        message.refresh_from_db()
        assert (message.cursor, message.recipient_count, Delivery.objects.count()) == (0, 0, 0)
        assert expand_due_messages(now=NOW) == 1
        assert named(alice()).key == Delivery.objects.first().recipient_key
