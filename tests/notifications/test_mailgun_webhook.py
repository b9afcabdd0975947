"""What Mailgun tells by its webhooks: signed, told twice, told by somebody else, and what follows."""

import json
import time

import pytest

from notifications.channels.seam import Happened
from notifications.models import ConsentEvent, Delivery, DeliveryEvent, State, Stop, Suppression
from notifications.services import process_notifications
from tests.notifications.outbox import NOW, outsider, say

URL = "/webhooks/mailgun/"
pytestmark = pytest.mark.django_db


@pytest.fixture
def mail(mailgun):
    say("test.mail", recipients=[outsider()])
    process_notifications(now=NOW)
    [mail] = mailgun.mails
    return mail


def tell(client, body) -> int:
    return client.post(URL, json.dumps(body), content_type="application/json").status_code


def state() -> str:
    return Delivery.objects.get().state


@pytest.mark.parametrize(
    ("event", "happened", "ends"),
    [
        ("accepted", Happened.ACCEPTED, State.HANDED),
        ("delivered", Happened.DELIVERED, State.DELIVERED),
        ("complained", Happened.COMPLAINED, State.COMPLAINED),
        ("opened", Happened.OPENED, State.HANDED),
        ("clicked", Happened.CLICKED, State.HANDED),
    ],
)
def test_what_it_tells_is_kept_and_followed(client, mailgun, mail, event, happened, ends):
    more = {"url": "https://fair.example/draws/"} if event == "clicked" else {}
    more |= {"client-info": {"user-agent": "curl/8.5"}} if event in ("opened", "clicked") else {}
    assert tell(client, mailgun.signed(mailgun.tell(mail, event, **more))) == 200
    kept = DeliveryEvent.objects.get()
    assert (kept.provider, kept.what, state()) == ("mailgun", happened, ends)
    assert kept.target == more.get("url", "")
    assert kept.by_machine is (True if "client-info" in more else None)


@pytest.mark.parametrize(
    ("failure", "ends", "suppressed"),
    [
        ({}, State.BOUNCED, "bounce"),
        ({"severity": "temporary"}, State.HANDED, None),
        ({"message": "5.7.1 not wanted here"}, State.FAILED, None),
        ({"reason": "suppress-bounce", "code": 605, "message": "Not delivering"}, State.BOUNCED, "bounce"),
        ({"reason": "suppress-complaint", "code": 607, "message": "x"}, State.COMPLAINED, "complaint"),
        ({"reason": "old", "code": 498, "message": "too old"}, State.FAILED, None),
    ],
)
def test_only_an_address_that_is_none_is_suppressed(client, mailgun, mail, failure, ends, suppressed):
    assert tell(client, mailgun.signed(mailgun.fail(mail, **failure))) == 200
    assert state() == ends
    assert list(Suppression.objects.values_list("reason", flat=True)) == [suppressed] * bool(suppressed)


def test_told_twice_it_is_kept_once(client, mailgun, mail):
    told = mailgun.fail(mail)
    body = mailgun.signed(told)
    assert [tell(client, body), tell(client, body), tell(client, mailgun.signed(told))] == [200] * 3
    assert DeliveryEvent.objects.count() == 1
    assert Suppression.objects.count() == 1


def test_who_unsubscribed_there_has_unsubscribed_here(client, mailgun, mail):
    told = mailgun.tell(mail, "unsubscribed")
    for _time in range(2):
        assert tell(client, mailgun.signed(told)) == 200
    stop = Stop.objects.get()
    assert (stop.kind, stop.about, stop.channel) == ("test.mail", "test.thing:1", "email")
    assert ConsentEvent.objects.get().source == "unsubscribed at Mailgun"
    say("test.mail", key="again", recipients=[outsider()])
    process_notifications(now=NOW)
    assert len(mailgun.mails) == 1


def test_told_again_it_takes_nothing_from_who_wants_them_again(client, mailgun, mail):
    told = mailgun.tell(mail, "unsubscribed")
    assert tell(client, mailgun.signed(told)) == 200
    Stop.objects.all().delete()
    assert tell(client, mailgun.signed(told)) == 200
    assert not Stop.objects.exists()


def test_a_signature_counts_for_one_telling(client, mailgun, mail):
    assert tell(client, mailgun.signed(mailgun.tell(mail, "delivered"), token="a")) == 200
    forged = mailgun.signed(mailgun.fail(mail), token="a")
    assert tell(client, forged) == 406
    assert state() == State.DELIVERED


@pytest.mark.parametrize("seconds", [-13 * 3600, 600])
def test_an_old_signature_is_not_believed(client, mailgun, mail, seconds):
    body = mailgun.signed(mailgun.fail(mail), at=time.time() + seconds)
    assert tell(client, body) == 406
    assert not DeliveryEvent.objects.exists()


@pytest.mark.parametrize("length", ["²", "٣", "+1", "", "1" * 5_000])
def test_a_length_that_is_no_number_is_refused(client, mailgun, length):
    answer = client.generic("POST", URL, b"{}", content_type="application/json", CONTENT_LENGTH=length)
    assert answer.status_code == 413


def _without(*path):
    def change(body):
        inside = body
        for step in path[:-1]:
            inside = inside[step]
        del inside[path[-1]]
        return body

    return change


@pytest.mark.parametrize(
    "change",
    [
        lambda body: body["signature"].update(signature="0" * 64) or body,
        lambda body: body["signature"].update(timestamp="soon") or body,
        lambda body: body["signature"].update(token=None) or body,
        _without("signature"),
        _without("event-data", "event"),
        lambda body: [body],
        lambda body: "x",
        lambda body: {**body, "event-data": [1]},
    ],
)
def test_what_is_not_mailguns_is_refused_and_not_repeated(client, mailgun, mail, change):
    assert tell(client, change(mailgun.signed(mailgun.fail(mail)))) in (401, 406)
    assert not DeliveryEvent.objects.exists()


def test_without_a_key_nobody_is_believed(client, mailgun, mail, settings):
    settings.MAILGUN_WEBHOOK_SIGNING_KEY = ""
    mailgun.signing_key = ""
    assert tell(client, mailgun.signed(mailgun.fail(mail))) == 401
    assert not DeliveryEvent.objects.exists()


def test_of_a_mail_that_is_no_delivery_nothing_is_kept(client, mailgun, mail):
    told = mailgun.tell(mail, "delivered", **{"user-variables": {"delivery": "f" * 32}})
    assert tell(client, mailgun.signed(told)) == 200
    told = mailgun.tell(mail, "delivered", **{"user-variables": {}, "message": {"headers": {}}})
    assert tell(client, mailgun.signed(told)) == 200
    assert not DeliveryEvent.objects.exists()


def test_too_much_is_not_read(client, mailgun, mail):
    body = mailgun.signed(mailgun.tell(mail, "delivered", filling="x" * 300_000))
    assert tell(client, body) == 413
