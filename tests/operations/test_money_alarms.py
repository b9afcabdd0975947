"""What waits too long with money raises an alarm, in the web process, with neither beat nor worker; and ends it again."""

import datetime as dt

import pytest
import time_machine
from django.core import mail
from django.test import Client
from django.utils import timezone

from config.models import Alarm
from config.operations import alarms, doctor, vitals
from config.operations.doctor import Level
from config.operations.troubles import all_troubles
from payments.models import Refund, ReviewItem, WebhookEvent, Withdrawal
from payments.services.figures import waiting_money
from payments.services.reviewing import resolve_review
from payments.services.webhook import work_on
from payments.services.withdrawing import cancel_withdrawal
from tests.factories import alice, treasurer
from tests.payments.shop import make_payment, paid, refund_of, send, success_event, withdrawal_of

MONEY = {"reviews", "events-failed", "events-waiting", "withdrawals", "refunds"}
ITEMS = ("open_reviews", "failed_events", "due_events", "open_withdrawals", "doubtful_refunds")


def in_(**span: float) -> dt.datetime:
    return timezone.now() + dt.timedelta(**span)


def found(**span: float) -> set[str]:
    """Keys of what is wrong with money so much later, with nobody having done anything meanwhile."""
    now = in_(**span)
    return {trouble.key for trouble in all_troubles(now=now, watched_since=now)} & MONEY


def degraded(**span: float) -> set[str]:
    """What /readyz calls degraded then."""
    with time_machine.travel(in_(**span), tick=False):
        items = Client().get("/readyz").json()["items"]
    return {name for name in ITEMS if items[name]["state"] != "ok"}


def failed_event(client, monkeypatch, **fields) -> WebhookEvent:
    """An event about a payment, on which nobody can work."""
    with monkeypatch.context() as broken:
        broken.setattr("payments.services.webhook.settle_payment", None)
        send(client, success_event(make_payment(), **fields))
    return WebhookEvent.objects.get(state="failed")


def test_a_site_that_sold_something_has_nothing_to_tell(healthy, client):
    send(client, success_event(make_payment()))
    assert found(days=30) == set()
    assert degraded(days=30) == set()
    assert waiting_money(now=in_(days=30)) == type(waiting_money(now=in_(days=30)))(*[None] * 5)


def test_a_review_item_nobody_resolves_for_a_day(healthy, client):
    send(client, success_event(make_payment(), amount=5))
    assert (found(hours=23), degraded(hours=23)) == (set(), set())
    assert (found(hours=25), degraded(hours=25)) == ({"reviews"}, {"open_reviews"})
    resolve_review(item=ReviewItem.objects.get(), note="Paid back", by=treasurer(), now=timezone.now())
    assert (found(hours=25), degraded(hours=25)) == (set(), set())


def test_an_event_that_fails_beyond_its_first_attempts(healthy, client, monkeypatch):
    event = failed_event(client, monkeypatch)
    WebhookEvent.objects.update(outcome="IntegrityError: (alice@example.com) is there")
    assert found(minutes=10) == set()
    assert found(minutes=20) == {"events-failed", "events-waiting"}
    assert degraded(minutes=20) == {"failed_events", "due_events"}
    now = in_(minutes=20)
    texts = [f"{one.title} {one.detail} {one.mend}" for one in all_troubles(now=now, watched_since=now)]
    assert any("IntegrityError" in text for text in texts)
    assert not any("alice" in text for text in texts), "what an error says may quote the payer"
    work_on(event_id=event.pk, now=timezone.now())
    assert (found(hours=2), degraded(hours=2)) == (set(), set())


def test_one_that_was_given_up_is_not_forgotten(healthy, client, monkeypatch):
    failed_event(client, monkeypatch)
    WebhookEvent.objects.update(try_after=None)
    assert found(days=60) == {"events-failed", "reviews"}


def test_an_event_that_nobody_works_on(healthy, client):
    send(client, success_event(make_payment()))
    WebhookEvent.objects.update(state="received", done_at=None, try_after=timezone.now())
    assert found(minutes=14) == set()
    assert (found(minutes=16), degraded(minutes=16)) == ({"events-waiting"}, {"due_events"})


@pytest.mark.parametrize("state", Withdrawal.LEAVING)
def test_a_withdrawal_that_is_neither_paid_nor_given_back(healthy, state):
    withdrawal = withdrawal_of(alice())
    Withdrawal.objects.filter(pk=withdrawal.pk).update(state=state)
    assert found(hours=23) == set()
    assert (found(hours=25), degraded(hours=25)) == ({"withdrawals"}, {"open_withdrawals"})


def test_a_withdrawal_taken_back_is_over(healthy):
    withdrawal = withdrawal_of(alice())
    assert found(hours=25) == {"withdrawals"}
    cancel_withdrawal(withdrawal=withdrawal, member=alice(), now=timezone.now())
    assert found(hours=25) == set()


def test_a_refund_in_doubt(healthy):
    refund = refund_of(paid())
    Refund.objects.filter(pk=refund.pk).update(was_sent=True)  # asked, and no answer came
    assert found(minutes=59) == set()
    assert (found(minutes=61), degraded(minutes=61)) == ({"refunds"}, {"doubtful_refunds"})
    Refund.objects.filter(pk=refund.pk).update(state="asked")  # Paystack has it: it takes its days
    assert found(days=5) == set()


def test_it_is_told_once_and_over_when_it_is_over(healthy, client, settings):
    settings.ALERT_EMAILS = ["ops@example.com"]
    send(client, success_event(make_payment(), amount=5))
    for hours in (25, 26):
        now = in_(hours=hours)
        alarms.watch(now=now, watched_since=now)
    [alarm] = Alarm.objects.open().filter(key="reviews")
    assert "/admin/payments/reviewitem/" in alarm.mend
    resolve_review(item=ReviewItem.objects.get(), note="Paid back", by=treasurer(), now=timezone.now())
    now = in_(hours=27)
    alarms.watch(now=now, watched_since=now)
    alarm.refresh_from_db()
    assert alarm.resolved_at == now
    about = [letter.subject for letter in mail.outbox if "of payments" in letter.subject]
    assert [subject.split(": ")[0] for subject in about] == ["[Fairground] Alarm", "[Fairground] Over"]


def test_the_doctor_names_it_and_what_mends_it(healthy, client, monkeypatch):
    monkeypatch.setattr(vitals, "answering_workers", dict)
    failed_event(client, monkeypatch)
    wrong = {
        each.subject: each.mend for each in doctor.examine(now=in_(minutes=30)) if each.level is Level.WRONG
    }
    assert "Work on it again" in wrong["events-failed"]


def test_where_an_alarm_leads_is_the_list_of_what_it_means(healthy, client, monkeypatch):
    send(client, success_event(make_payment(), amount=5))
    failed_event(client, monkeypatch)
    withdrawal_of(alice())
    refund_of(paid())
    now = in_(days=2)
    pages = {one.key: one.page for one in all_troubles(now=now, watched_since=now) if one.key in MONEY}
    assert set(pages) == MONEY
    client.force_login(treasurer())
    for key in MONEY:
        answer = client.get(pages[key])
        assert answer.status_code == 200, key
        assert answer.context["cl"].result_count > 0, key


def test_prometheus_reads_the_same(healthy, client, settings, monkeypatch):
    settings.METRICS_TOKEN = "x" * 40
    failed_event(client, monkeypatch)
    with time_machine.travel(in_(minutes=30), tick=False):
        text = Client(headers={"Authorization": f"Bearer {'x' * 40}"}).get("/metrics").content.decode()
    assert "fairground_webhook_event_failed_oldest_seconds 1" in text
    assert "fairground_withdrawal_oldest_seconds 0.0" in text


def test_a_probe_asks_for_all_of_it_at_once(django_assert_num_queries, db):
    with django_assert_num_queries(1):
        waiting_money(now=timezone.now())
