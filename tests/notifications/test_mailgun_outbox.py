"""The outbox with Mailgun, over real HTTP and between processes: everything that fails, and nobody told twice."""

import datetime as dt
import subprocess
import sys
from collections import Counter

import pytest
from django.utils import timezone

from notifications.channels.mailgun import MailgunChannel
from notifications.models import Delivery, State, Suppression
from notifications.services import process_notifications
from tests.fakes.mailgun import Trick
from tests.notifications.outbox import NOW, outsider, say

SETTLED = MailgunChannel.settles_after + dt.timedelta(minutes=1)


@pytest.fixture(autouse=True)
def _small_batches(monkeypatch):
    monkeypatch.setattr(MailgunChannel, "batch", 20)


def address(number: int) -> str:
    return f"nr{number}@elsewhere.example"


def crowd(count: int):
    return [outsider(f"nr{number}") for number in range(count)]


def states() -> Counter[str]:
    return Counter(Delivery.objects.values_list("state", flat=True))


def work_on(*, begin: dt.datetime, rounds: int = 60, step: dt.timedelta = dt.timedelta(minutes=10)) -> None:
    """What workers do in the hours after."""
    for number in range(rounds):
        process_notifications(now=begin + number * step)


@pytest.mark.django_db
def test_with_two_percent_of_each_failure_everybody_is_told_once(mailgun, time_machine):
    say("test.mail", recipients=crowd(200))
    kinds = [
        Trick.CUT_TAKEN, Trick.ERROR_TAKEN, Trick.HTML_TAKEN, Trick.CUT, Trick.HTML, Trick.ERROR, Trick.BUSY,
        Trick.FORBIDDEN, Trick.TOO_BIG,
    ]  # fmt: skip
    for at, trick in enumerate(kinds * 4):
        mailgun.by_address[address(at * 5)] = trick
    mailgun.refused = {address(number) for number in range(7, 200, 50)}
    for number in range(100):
        time_machine.move_to(NOW + number * dt.timedelta(minutes=10))
        process_notifications(now=timezone.now())
    assert states() == {State.HANDED: 196, State.BOUNCED: 4}
    assert set(mailgun.counts.values()) == {1}
    assert set(mailgun.counts) == {address(number) for number in range(200)} - mailgun.refused
    assert set(Suppression.objects.values_list("address", flat=True)) == mailgun.refused
    assert set(mailgun.played) == set(kinds)


@pytest.mark.django_db
def test_a_lost_batch_is_found_and_not_sent_again(mailgun):
    mailgun.tricks = [Trick.HANG_TAKEN]
    say("test.mail", recipients=crowd(30))
    now = timezone.now()
    Delivery.objects.update(next_attempt_at=now)
    process_notifications(now=now, limit=20)
    assert states() == {State.UNKNOWN: 20, State.PLANNED: 10}
    mailgun.lag = 3_600
    work_on(begin=now + dt.timedelta(seconds=30), rounds=2, step=dt.timedelta(minutes=2))
    assert Delivery.objects.filter(state=State.UNKNOWN).count() == 20
    mailgun.lag = 0
    work_on(begin=now + dt.timedelta(minutes=20), rounds=3)
    assert states() == {State.HANDED: 30}
    assert set(mailgun.counts.values()) == {1}


@pytest.mark.django_db
def test_what_mailgun_surely_lacks_is_sent_again(mailgun):
    mailgun.tricks = [Trick.ERROR]
    say("test.mail", recipients=crowd(3))
    process_notifications(now=NOW)
    process_notifications(now=NOW + dt.timedelta(minutes=5))
    assert (states(), mailgun.mails) == ({State.UNKNOWN: 3}, [])
    work_on(begin=NOW + SETTLED, rounds=2)
    assert (states(), len(mailgun.mails)) == ({State.HANDED: 3}, 3)


@pytest.mark.django_db
def test_a_wrong_key_costs_nobody_an_attempt(mailgun, settings):
    settings.MAILGUN_API_KEY = "wrong"
    say("test.mail", recipients=crowd(30))
    for hour in range(9):
        process_notifications(now=NOW + dt.timedelta(hours=hour))
    assert states() == {State.RETRY: 30}
    assert set(Delivery.objects.values_list("attempts", flat=True)) == {0}
    settings.MAILGUN_API_KEY = mailgun.key
    process_notifications(now=NOW + dt.timedelta(hours=10))
    assert states() == {State.HANDED: 30}


def test_a_worker_killed_while_mailgun_holds_its_batch_leaves_nobody_out_and_tells_nobody_twice(
    cloned_db, mailgun
):
    mailgun.tricks = [None, Trick.HANG_TAKEN]
    for part in range(2):
        say("test.mail", key=str(part), recipients=crowd(600), now=timezone.now())
    command = [sys.executable, "-m", "tests.notifications.mailgun_worker", mailgun.url]
    with subprocess.Popen(command, env=cloned_db.env, stdout=subprocess.PIPE, text=True) as worker:
        assert worker.stdout is not None
        assert worker.stdout.readline() == "working\n"
        assert mailgun.holding.wait(60)
        worker.kill()
    held = len(mailgun.mails)
    assert held == 1_000
    in_doubt = Delivery.objects.filter(state=State.CLAIMED, sending_at__isnull=False).count()
    assert in_doubt == 500
    Delivery.objects.filter(state=State.CLAIMED).update(lease_until=timezone.now() - dt.timedelta(seconds=1))
    work_on(begin=timezone.now(), rounds=8, step=dt.timedelta(minutes=3))
    assert states() == {State.HANDED: 1_200}
    assert len(mailgun.mails) == 1_200
    assert set(mailgun.counts.values()) == {2}
    keys = Counter(mail.variables["delivery"] for mail in mailgun.mails)
    assert set(keys.values()) == {1}


@pytest.fixture
def signing_site(cloned_db, mailgun):
    """The environment of the site that is started after this knows by what Mailgun signs."""
    cloned_db.env["MAILGUN_WEBHOOK_SIGNING_KEY"] = mailgun.signing_key


def test_the_running_site_hears_what_mailgun_tells(signing_site, live_site, mailgun):
    say("test.mail", recipients=crowd(4), now=timezone.now())
    process_notifications(now=timezone.now())
    delivered, bounced, complained, forged = mailgun.mails
    told = [
        mailgun.tell(delivered, "delivered"),
        mailgun.fail(bounced),
        mailgun.tell(complained, "complained"),
    ]
    assert [mailgun.call(live_site.url, one) for one in (*told, *told)] == [200] * 6
    mailgun.signing_key = "another"
    assert mailgun.call(live_site.url, mailgun.fail(forged)) == 401
    found = dict(Delivery.objects.values_list("address", "state"))
    assert [found[mail.recipient] for mail in mailgun.mails] == [
        State.DELIVERED,
        State.BOUNCED,
        State.COMPLAINED,
        State.HANDED,
    ]
    assert Suppression.objects.count() == 2
