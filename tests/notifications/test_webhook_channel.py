"""Messages to other programs, over real HTTP."""

import base64
import datetime as dt
import hashlib
import hmac
import json
import socket
import sys
import threading

import pytest
from django.test import Client
from django.utils import timezone

from accounts.models import User
from audit.models import Record
from notifications import kinds
from notifications.channels.seam import Letter, Outcome
from notifications.channels.webhook import ANSWER_BYTES, AddressError, WebhookSender, _answer_of, checked
from notifications.kinds import Category, Channel, Kind, KindError, Reach
from notifications.models import Delivery, Endpoint, Message, State, Suppression
from notifications.recipients import members
from notifications.services import expand_due_messages, process_notifications, send_due_deliveries
from notifications.services.endpoints import (
    WRONG_CODES,
    EndpointError,
    add_endpoint,
    code_of,
    prove_endpoint,
    secret_for,
    send_test,
    switch_endpoint,
)
from notifications.standard_webhooks import secret_bytes
from tests.factories import admin, alice
from tests.fakes.webhook import FakeReceiver, Trick
from tests.notifications.outbox import NOW, everybody, kind_like, say

ROADS = {Channel.IN_APP: Reach.EVERYONE, Channel.WEBHOOK: Reach.EVERYONE}
SECOND = dt.timedelta(seconds=1)


@pytest.fixture
def receiver(settings):
    settings.WEBHOOKS_INSIDE = True
    with FakeReceiver() as fake:
        yield fake


@pytest.fixture
def public_kind(db):
    kind = kind_like("test.service", channels=ROADS, params={}, recipients=lambda message: None)
    kinds._kinds["test.service"] = kind
    return kind


def proven(url: str, *, about: str = "", told: str = "test.service") -> Endpoint:
    endpoint = add_endpoint(name="Discord", url=url, told=[told], about=about, by=admin(), now=NOW)
    Endpoint.objects.filter(pk=endpoint.pk).update(proven_at=NOW)
    return endpoint


def letter(url: str, **fields: object) -> Letter:
    usual = {"key": "1" * 32, "name": "", "subject": "Hi", "text": "text", "kind": "test.service"}
    secret = secret_for(admin().public_id, 1)
    return Letter(**{**usual, "address": url, "secret": secret, **fields})


def post(url: str, **fields: object):
    with WebhookSender() as sender:
        [answer] = sender.hand_over([letter(url, **fields)])
    return answer


@pytest.mark.django_db
class TestPosting:
    def test_it_is_signed_as_standard_webhooks_has_it(self, receiver):
        assert post(receiver.url, about="draws.draw:1", values={"draw": "May"}).outcome == Outcome.ACCEPTED
        [heard] = receiver.heard
        signed = b".".join(
            [heard.headers["webhook-id"].encode(), heard.headers["webhook-timestamp"].encode(), heard.body]
        )
        key = secret_bytes(secret_for(admin().public_id, 1))
        digest = base64.b64encode(hmac.new(key, signed, hashlib.sha256).digest()).decode()
        assert heard.headers["webhook-signature"] == f"v1,{digest}"
        assert heard.json["type"] == "test.service"
        assert heard.json["data"] == {
            "about": "draws.draw:1", "subject": "Hi", "text": "text", "values": {"draw": "May"},
        }  # fmt: skip

    @pytest.mark.parametrize(
        ("status", "outcome", "is_dead"),
        [
            (200, Outcome.ACCEPTED, False),
            (204, Outcome.ACCEPTED, False),
            (400, Outcome.PERMANENT, False),
            (404, Outcome.PERMANENT, True),
            (410, Outcome.PERMANENT, True),
            (429, Outcome.TEMPORARY, False),
            (500, Outcome.TEMPORARY, False),
        ],
    )
    def test_what_it_says_is_understood(self, receiver, status, outcome, is_dead):
        receiver.status = status
        answer = post(receiver.url)
        assert (answer.outcome, answer.bad_address, answer.code) == (outcome, is_dead, str(status))

    def test_a_redirect_is_not_followed(self, receiver):
        receiver.trick = Trick.REDIRECT
        assert post(receiver.url).outcome == Outcome.PERMANENT
        assert len(receiver.heard) == 1

    def test_nobody_listening_is_no_loss(self, receiver):
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            port = free.getsockname()[1]
        assert post(f"http://127.0.0.1:{port}/").outcome == Outcome.TEMPORARY

    def test_one_who_never_answers_may_have_heard(self, receiver, monkeypatch):
        monkeypatch.setattr("notifications.channels.webhook.READ_S", 0.2)
        receiver.trick = Trick.STALL
        assert post(receiver.url).outcome == Outcome.LOST

    @pytest.mark.parametrize(
        ("trick", "outcome"), [(Trick.DRIP, Outcome.LOST), (Trick.DRIP_BODY, Outcome.ACCEPTED)]
    )
    def test_one_who_drips_for_ever_is_left(self, receiver, monkeypatch, trick, outcome):
        """Each byte comes long before the wait for one is over; after its status it is known what became of it."""
        monkeypatch.setattr("notifications.channels.webhook.WHOLE_S", 0.5)
        receiver.trick = trick
        assert post(receiver.url).outcome == outcome

    def test_a_name_that_is_looked_up_for_ever_is_left(self, receiver, monkeypatch):
        over = threading.Event()
        monkeypatch.setattr("notifications.channels.webhook.LOOKUP_S", 0.1)
        monkeypatch.setattr(
            "notifications.channels.outside.socket.getaddrinfo", lambda *args, **more: over.wait(60) and []
        )
        answer = post(receiver.url)
        assert (answer.outcome, answer.code, over.is_set()) == (Outcome.TEMPORARY, "lookup", False)
        over.set()

    def test_an_address_in_other_letters_is_posted_to(self, receiver):
        assert post(receiver.url + "/é ü?q=ß%20").outcome == Outcome.ACCEPTED
        assert receiver.heard[0].path == "/hook/%C3%A9%20%C3%BC?q=%C3%9F%20"

    @pytest.mark.parametrize(
        "number",
        [
            "127.0.0.1", "10.1.2.3", "172.16.0.1", "192.168.1.1", "169.254.169.254", "100.64.0.1", "0.0.0.0",
            "224.0.0.1", "::1", "fe80::1", "fd00::1", "::ffff:10.0.0.1", "2002:a00:1::1",
        ],
    )  # fmt: skip
    def test_nothing_inside_is_asked_whatever_the_name_leads_to(
        self, settings, monkeypatch, receiver, number
    ):
        settings.WEBHOOKS_INSIDE = False
        family = socket.AF_INET6 if ":" in number else socket.AF_INET
        monkeypatch.setattr(
            "notifications.channels.outside.socket.getaddrinfo",
            lambda *args, **more: [
                (family, 1, 6, "", ("93.184.216.34", 443)),
                (family, 1, 6, "", (number, 443)),
            ],
        )
        answer = post("https://rebound.example.org/")
        assert (answer.outcome, answer.code) == (Outcome.PERMANENT, "address")
        assert receiver.heard == []

    @pytest.mark.parametrize(
        "url",
        [
            "http://example.org/", "ftp://example.org/", "https://", "https://a:b@example.org/", "https://example.org:22/",
            "https://example.org/#x", "https://[::1", "example.org", "", "https://api.telegram.org/bot1/sendMessage",
        ],
    )  # fmt: skip
    def test_what_is_no_address_is_said_so_at_once(self, settings, url):
        settings.WEBHOOKS_INSIDE = False
        with pytest.raises(AddressError):
            checked(url)

    @pytest.mark.parametrize(
        ("host", "path", "name", "limit"),
        [
            ("discord.com", "/api/webhooks/1/x", "content", 2_000),
            ("api.telegram.org", "/bot1:x/sendMessage?chat_id=-100", "text", 4_096),
        ],
    )
    def test_chats_are_spoken_to_in_their_own_tongue(
        self, settings, receiver, monkeypatch, host, path, name, limit
    ):
        """The names lead to the receiver here, as a proxy would have it."""
        port = int(receiver.url.split(":")[2].split("/")[0])
        monkeypatch.setattr(
            "notifications.channels.outside.socket.getaddrinfo",
            lambda *args, **more: [(socket.AF_INET, 1, 6, "", ("127.0.0.1", port))],
        )
        assert (
            post(f"http://{host}:{port}{path}", text="@everyone " + "x" * 9_000).outcome == Outcome.ACCEPTED
        )
        [heard] = receiver.heard
        assert heard.headers["host"] == f"{host}:{port}"
        assert len(heard.json[name]) == limit
        assert "webhook-signature" not in heard.headers
        if name == "content":
            assert heard.json["allowed_mentions"] == {"parse": []}
        else:
            assert (heard.json["chat_id"], heard.path) == ("-100", "/bot1:x/sendMessage")

    @pytest.mark.parametrize(
        ("body", "seconds"),
        [
            ({"retry_after": 2.5}, 2.5),
            ({"parameters": {"retry_after": 7}}, 7),
            ({"retry_after": 1e9}, 3_600),
            ({"retry_after": "soon"}, None),
            ([], None),
            ({"retry_after": 10**400}, None),
        ],
    )
    def test_how_long_to_wait_is_taken_from_where_it_is_said(self, body, seconds):
        wait = _answer_of(429, {}, json.dumps(body)).retry_after
        assert wait == (None if seconds is None else dt.timedelta(seconds=seconds))
        assert _answer_of(503, {"Retry-After": "30"}, "").retry_after == dt.timedelta(seconds=30)

    def test_an_answer_as_deep_as_it_may_be_long_is_read_by_its_status(self, receiver):
        receiver.status, receiver.body = 429, b"[" * ANSWER_BYTES
        usual = sys.getrecursionlimit()
        sys.setrecursionlimit(1_000)  # Python's own: a library that was loaded before may have raised it
        try:
            answer = post(receiver.url)
        finally:
            sys.setrecursionlimit(usual)
        assert (answer.outcome, answer.retry_after) == (Outcome.TEMPORARY, None)


class TestOutbox:
    def test_each_webhook_is_told_once_however_many_people_are(self, receiver, public_kind):
        kinds._kinds["test.service"] = kind_like(
            "test.service", channels=ROADS, params={}, recipients=_members
        )
        alice()
        proven(receiver.url)
        message = say()
        expand_due_messages(now=NOW, chunk=1)
        process_notifications(now=NOW + SECOND)
        process_notifications(now=NOW + SECOND)
        posts = Delivery.objects.filter(message=message, channel="webhook")
        assert [post.state for post in posts] == [State.HANDED]
        assert len(receiver.heard) == 1
        assert "a bicycle" in receiver.heard[0].json["data"]["text"]

    def test_one_for_another_thing_not_proven_or_switched_off_is_told_nothing(self, receiver, public_kind):
        proven(receiver.url, about="test.thing:2")
        add_endpoint(name="new", url=receiver.url, told=["test.service"], about="", by=admin(), now=NOW)
        switch_endpoint(endpoint=proven(receiver.url), is_on=False, by=admin(), now=NOW)
        say()
        process_notifications(now=NOW + SECOND)
        assert not Delivery.objects.filter(channel="webhook").exists()
        assert receiver.heard == []

    def test_switched_off_it_is_not_told_what_waits_either(self, receiver, public_kind):
        endpoint = proven(receiver.url)
        say()
        expand_due_messages(now=NOW)
        switch_endpoint(endpoint=endpoint, is_on=False, by=admin(), now=NOW)
        assert send_due_deliveries(now=NOW).processed == 0
        assert Delivery.objects.get(channel="webhook").state == State.CANCELLED

    def test_a_chat_that_was_deleted_is_written_to_no_more(self, receiver, public_kind):
        receiver.status = 404
        proven(receiver.url)
        say(key="1")
        process_notifications(now=NOW + SECOND)
        say(key="2")
        process_notifications(now=NOW + 2 * SECOND)
        states = Delivery.objects.filter(channel="webhook").order_by("pk").values_list("state", flat=True)
        assert list(states) == [State.BOUNCED, State.SUPPRESSED]
        assert len(receiver.heard) == 1
        row = Suppression.objects.get()
        assert (row.channel, row.address) == ("webhook", "127.0.0.1"), "the whole address opens the chat"

    def test_one_that_was_gone_is_told_again_once_it_is_proven_anew(self, receiver, public_kind):
        receiver.status = 410
        endpoint = proven(receiver.url)
        say(key="1")
        process_notifications(now=NOW + SECOND)
        receiver.status = 204
        send_test(endpoint=endpoint, by=admin(), now=NOW)
        code = receiver.heard[-1].json["data"]["values"]["code"]
        prove_endpoint(endpoint=endpoint, code=code, by=admin(), now=NOW)
        assert Suppression.objects.get().lifted_at is not None
        say(key="2")
        process_notifications(now=NOW + 2 * SECOND)
        assert Delivery.objects.filter(channel="webhook").latest("pk").state == State.HANDED

    def test_a_promotion_needs_nobodys_consent_there(self, receiver, public_kind):
        kinds._kinds["test.service"] = kind_like(
            "test.service",
            category=Category.PROMOTIONAL,
            channels=ROADS,
            params={},
            recipients=lambda message: None,
        )
        proven(receiver.url)
        say()
        process_notifications(now=NOW + SECOND)
        assert len(receiver.heard) == 1

    def test_what_is_somebodys_own_can_not_be_declared_for_it(self):
        with pytest.raises(KindError, match="nobody's own"):
            Kind(
                name="test.own", title="x", category=Category.SERVICE, channels=ROADS, params={"code": str},
                recipients=everybody,
            )  # fmt: skip


def _members(message: Message):
    return members(User.objects.all())


class TestProving:
    def test_only_the_code_of_a_test_that_arrived_opens_it(self, receiver, public_kind):
        endpoint = add_endpoint(
            name="new", url=receiver.url, told=["test.service"], about="", by=admin(), now=NOW
        )
        with pytest.raises(EndpointError, match="Send a test first"):
            prove_endpoint(endpoint=endpoint, code=code_of(endpoint), by=admin(), now=NOW)
        send_test(endpoint=endpoint, by=admin(), now=NOW)
        code = receiver.heard[0].json["data"]["values"]["code"]
        assert code in receiver.heard[0].json["data"]["text"]
        with pytest.raises(EndpointError, match="not the code"):
            prove_endpoint(endpoint=endpoint, code="AAAAAAAA", by=admin(), now=NOW)
        prove_endpoint(endpoint=endpoint, code=f" {code.lower()} ", by=admin(), now=NOW)
        assert Endpoint.objects.get().is_told
        actions = list(Record.objects.order_by("pk").values_list("action", flat=True))
        assert actions == [
            "notification.webhook_added", "notification.webhook_tested", "notification.webhook_proven",
        ]  # fmt: skip
        assert receiver.url not in json.dumps(list(Record.objects.values_list("data", flat=True)))

    def test_guessing_ends(self, receiver, public_kind):
        endpoint = add_endpoint(
            name="new", url=receiver.url, told=["test.service"], about="", by=admin(), now=NOW
        )
        send_test(endpoint=endpoint, by=admin(), now=NOW)
        for _guess in range(WRONG_CODES):
            with pytest.raises(EndpointError):
                prove_endpoint(endpoint=endpoint, code="AAAAAAAA", by=admin(), now=NOW)
        endpoint.refresh_from_db()
        with pytest.raises(EndpointError, match="Too many"):
            prove_endpoint(endpoint=endpoint, code=code_of(endpoint), by=admin(), now=NOW)
        with pytest.raises(EndpointError, match="just now"):
            send_test(endpoint=endpoint, by=admin(), now=NOW + SECOND)
        send_test(endpoint=endpoint, by=admin(), now=NOW + dt.timedelta(minutes=1))
        prove_endpoint(
            endpoint=endpoint, code=receiver.heard[-1].json["data"]["values"]["code"], by=admin(), now=NOW
        )

    @pytest.mark.parametrize(
        "changes", [{"url": "ftp://x"}, {"told": []}, {"told": ["test.money"]}, {"told": ["nonsense"]}]
    )
    def test_what_can_not_work_is_refused(self, receiver, public_kind, changes):
        usual = {"name": "new", "url": receiver.url, "told": ["test.service"], "about": ""}
        with pytest.raises(EndpointError):
            add_endpoint(**{**usual, **changes}, by=admin(), now=NOW)


class TestAdmin:
    def test_from_setting_up_to_being_told(self, client: Client, receiver, public_kind):
        client.force_login(admin())
        page = "/admin/notifications/endpoint/"
        typed = {"name": "Discord", "url": "ftp://nowhere", "told": ["test.service"], "about": ""}
        html = client.post(f"{page}add-webhook/", typed).content.decode()
        assert "has to begin with https://" in html
        assert 'value="ftp://nowhere"' in html
        answer = client.post(f"{page}add-webhook/", {**typed, "url": receiver.url})
        endpoint = Endpoint.objects.get()
        assert answer["Location"] == f"{page}{endpoint.pk}/change/"
        client.post(f"{page}{endpoint.pk}/test/", {"_form_submitted": "True"})
        code = receiver.heard[0].json["data"]["values"]["code"]
        assert "not the code" in client.post(f"{page}{endpoint.pk}/prove/", {"code": "X"}).content.decode()
        client.post(f"{page}{endpoint.pk}/prove/", {"code": code})
        html = client.get(f"{page}{endpoint.pk}/change/").content.decode()
        assert "is told" in html
        assert secret_for(endpoint.public_id, 1) in html
        assert receiver.url not in html, "the whole address opens the chat"
        say(now=timezone.now())
        process_notifications(now=timezone.now())
        found = client.get(f"/admin/notifications/delivery/?q=endpoint:{endpoint.public_id}").content.decode()
        assert "127.0.0.1" in found
        client.post(f"{page}{endpoint.pk}/switch/", {"_form_submitted": "True"})
        assert not Endpoint.objects.get().is_told
