"""Letters whose answer was lost, at a provider that can be asked."""

import datetime as dt

import pytest

from notifications import backoff
from notifications.channels.seam import Answer, ChannelDown, Found, Happened, Outcome
from notifications.models import Delivery, State
from notifications.services import expire_leases, process_notifications, resolve_unknown, send_due_deliveries
from notifications.services.results import ASK_AFTER
from notifications.services.sending import LEASE
from notifications.services.unknown import GIVES_UP_AFTER
from tests.notifications.outbox import NOW, outsider, say
from tests.notifications.scripted import PATH, Script, ScriptedSender

ZOE = "zoe@elsewhere.example"
LOST = Answer(Outcome.LOST, "timeout", "no answer in time", line_broke=True)
SETTLED = NOW + ScriptedSender.settles_after + dt.timedelta(minutes=1)
pytestmark = pytest.mark.django_db


@pytest.fixture
def provider(settings, monkeypatch) -> Script:
    settings.NOTIFICATION_CHANNELS = {"email": PATH}
    monkeypatch.setattr(ScriptedSender, "script", Script())
    return ScriptedSender.script


def lose_one(provider: Script, kind: str = "test.mail") -> Delivery:
    provider.answers[ZOE] = LOST
    say(kind, recipients=[outsider()])
    send_due_deliveries(now=NOW)
    delivery = Delivery.objects.get()
    assert delivery.state == State.UNKNOWN
    return delivery


def turn() -> dt.datetime:
    """When the provider is to be asked; the worker's clock went on a little while it sent."""
    return Delivery.objects.get().next_attempt_at


def state() -> str:
    return Delivery.objects.get().state


@pytest.mark.parametrize("kind", ["test.mail", "test.money"])
def test_a_lost_answer_is_asked_about_and_not_simply_sent_again(provider, kind):
    say(kind, recipients=[outsider()])
    provider.answers[ZOE] = LOST
    send_due_deliveries(now=NOW)
    [mail] = Delivery.objects.filter(channel="email")
    assert (mail.state, mail.lost_answers) == (State.UNKNOWN, 1)
    assert send_due_deliveries(now=NOW + LEASE).processed == 0
    assert len(provider.handed) == 1


@pytest.mark.parametrize(
    ("happened", "ends"),
    [
        (Happened.ACCEPTED, State.HANDED),
        (Happened.DEFERRED, State.HANDED),
        (Happened.DELIVERED, State.DELIVERED),
        (Happened.FAILED, State.FAILED),
        (Happened.BOUNCED, State.BOUNCED),
    ],
)
def test_what_the_provider_has_ends_as_it_says(provider, happened, ends):
    lose_one(provider)
    provider.found[ZOE] = Found(happened, "its-id", "250", "there")
    resolve_unknown(now=turn())
    delivery = Delivery.objects.get()
    assert (delivery.state, delivery.provider_id, delivery.provider_code) == (ends, "its-id", "250")
    assert delivery.handed_at is not None
    assert len(provider.handed) == 1


def test_it_is_not_asked_at_once(provider):
    lose_one(provider)
    assert turn() >= NOW + ASK_AFTER
    resolve_unknown(now=turn() - dt.timedelta(seconds=1))
    assert provider.asked == []


def test_what_is_absent_too_early_is_asked_about_again(provider):
    lose_one(provider)
    asked_at = turn()
    resolve_unknown(now=asked_at)
    delivery = Delivery.objects.get()
    assert delivery.state == State.UNKNOWN
    assert asked_at < delivery.next_attempt_at <= asked_at + ScriptedSender.settles_after
    provider.found[ZOE] = Found(Happened.ACCEPTED)
    resolve_unknown(now=delivery.next_attempt_at)
    assert state() == State.HANDED


def test_what_is_surely_absent_is_sent_again_and_once(provider):
    lose_one(provider)
    del provider.answers[ZOE]
    process_notifications(now=SETTLED)
    assert state() == State.HANDED
    assert len(provider.handed) == 2
    process_notifications(now=SETTLED + dt.timedelta(hours=1))
    assert len(provider.handed) == 2


def test_a_provider_that_is_away_is_asked_again_and_nothing_is_sent(provider):
    lose_one(provider)
    provider.found = None
    resolve_unknown(now=SETTLED)
    assert state() == State.UNKNOWN
    provider.found = {ZOE: Found(Happened.DELIVERED)}
    resolve_unknown(now=SETTLED + dt.timedelta(minutes=3))
    assert state() == State.DELIVERED
    assert len(provider.handed) == 1


def test_after_three_days_it_is_left_to_staff(provider):
    delivery = lose_one(provider)
    resolve_unknown(now=delivery.sending_at + GIVES_UP_AFTER)
    assert (provider.asked, state()) == ([], State.UNKNOWN)


def test_a_callback_in_between_wins(provider, monkeypatch):
    delivery = lose_one(provider)
    find = ScriptedSender.find

    def told_meanwhile(sender, sought):
        Delivery.objects.filter(pk=delivery.pk).update(state=State.DELIVERED)
        return find(sender, sought)

    monkeypatch.setattr(ScriptedSender, "find", told_meanwhile)
    resolve_unknown(now=SETTLED)
    assert state() == State.DELIVERED


def test_a_worker_that_died_while_handing_over_leaves_it_to_be_asked_about(provider):
    say("test.money", recipients=[outsider()])
    mails = Delivery.objects.filter(channel="email")
    mails.update(state=State.CLAIMED, lease_until=NOW, sending_at=NOW)
    later = NOW + dt.timedelta(seconds=30)
    expire_leases(now=later)
    assert mails.get().state == State.UNKNOWN
    provider.found[ZOE] = Found(Happened.DELIVERED)
    resolve_unknown(now=later)
    assert mails.get().state == State.DELIVERED
    assert provider.handed == []


def test_a_channel_that_is_down_stops_no_other(settings, provider, monkeypatch):
    settings.NOTIFICATION_CHANNELS = {"email": PATH, "sms": PATH}
    down = ChannelDown("401", "wrong key", retry_after=dt.timedelta(hours=2))
    provider.answers = {ZOE: down, "yan@elsewhere.example": down}  # whichever comes first
    say("test.mail", recipients=[outsider(), outsider("yan")])
    tally = send_due_deliveries(now=NOW)
    assert tally.states == {State.RETRY: 2}
    assert min(Delivery.objects.values_list("next_attempt_at", flat=True)) >= NOW + dt.timedelta(hours=2)
    assert set(Delivery.objects.values_list("attempts", flat=True)) == {0}


def test_what_nobody_sends_by_is_given_up_and_said(provider):
    say("test.mail", recipients=[outsider()])
    Delivery.objects.update(channel="push")
    assert send_due_deliveries(now=NOW).states == {State.FAILED: 1}
    assert Delivery.objects.get().provider_code == "channel"


def test_an_address_that_takes_nothing_is_suppressed(provider):
    provider.answers[ZOE] = Answer(Outcome.PERMANENT, "21614", "not a mobile number", bad_address=True)
    say("test.mail", recipients=[outsider()])
    send_due_deliveries(now=NOW)
    assert state() == State.BOUNCED
    say("test.money", key="again", recipients=[outsider()])
    send_due_deliveries(now=NOW)
    again = Delivery.objects.order_by("pk").last()
    assert (again.state, again.skip_reason) == (State.SUPPRESSED, "bounce")
    assert len(provider.handed) == 1


def test_a_provider_that_asks_to_wait_is_let_wait(provider):
    provider.answers[ZOE] = Answer(Outcome.TEMPORARY, "429", "slow", retry_after=dt.timedelta(minutes=7))
    say("test.mail", recipients=[outsider()])
    send_due_deliveries(now=NOW)
    delivery = Delivery.objects.get()
    assert delivery.state == State.RETRY
    assert delivery.next_attempt_at >= NOW + dt.timedelta(minutes=7)


def test_what_is_never_found_and_never_taken_is_given_up_in_the_end(provider):
    delivery = lose_one(provider)
    Delivery.objects.update(attempts=backoff.ATTEMPTS)
    resolve_unknown(now=SETTLED)
    delivery.refresh_from_db()
    assert (delivery.state, delivery.provider_code) == (State.FAILED, "absent")


def test_a_channel_that_breaks_stops_no_other(settings, provider, smtp, monkeypatch):
    settings.NOTIFICATION_CHANNELS = {"sms": PATH, "email": "notifications.channels.email.EmailChannel"}
    say("test.mail", recipients=[outsider(), outsider("yan")])
    Delivery.objects.filter(address=ZOE).update(channel="sms")

    def breaks(sender, letters):
        raise OverflowError("year 99999999999 is out of range")
        yield

    monkeypatch.setattr(ScriptedSender, "hand_over", breaks)
    process_notifications(now=NOW)
    assert smtp.counts == {"yan@elsewhere.example": 1}


@pytest.mark.parametrize("name", ["resolve_unknown", "take_due_turns"])
def test_a_step_before_sending_that_breaks_keeps_nothing_from_being_sent(smtp, monkeypatch, name):
    def breaks(**given):
        raise ValueError("too large")

    monkeypatch.setattr(f"notifications.services.processing.{name}", breaks)
    say("test.mail", recipients=[outsider()])
    process_notifications(now=NOW)
    assert smtp.counts == {ZOE: 1}


def test_what_can_not_wait_does_not_wait_behind_a_broadcast(provider):
    say("test.mail", recipients=[outsider(f"nr{n}") for n in range(6)])
    say("test.money", key="2", now=NOW + dt.timedelta(seconds=1), recipients=[outsider()])
    send_due_deliveries(now=NOW + dt.timedelta(seconds=2), limit=3)
    assert next(letter.address for letter in provider.handed) == ZOE
    assert len(provider.handed) == 3


def test_receivers_that_answer_slowly_give_back_what_is_not_tried(provider, monkeypatch):
    monkeypatch.setattr("notifications.services.sending.SPELL_S", 0.0)
    say("test.mail", recipients=[outsider(f"nr{n}") for n in range(3)])
    send_due_deliveries(now=NOW)
    assert provider.handed == []
    assert set(Delivery.objects.values_list("state", "attempts")) == {(State.PLANNED, 0)}
