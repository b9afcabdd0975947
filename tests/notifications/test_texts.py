"""SMS and WhatsApp in the outbox: words, states, doubts, callbacks and answers."""

import datetime as dt
import itertools
from urllib.parse import quote_plus

import pytest
from django.utils import timezone

from accounts.models import User
from notifications.models import ConsentEvent, Delivery, DeliveryEvent, PhoneAnswer, State, Suppression, What
from notifications.services import (
    expand_due_messages,
    expire_leases,
    process_notifications,
    resolve_unknown,
    send_due_deliveries,
)
from notifications.services.answering import take_answer
from notifications.services.sending import LEASE
from notifications.services.suppressions import suppress_address
from tests.factories import alice
from tests.fakes.twilio import FakeTwilio, Refusal, Trick, sign
from tests.notifications.outbox import NOW, caller, named, say

ASHA = "+254711000001"
INBOUND = "/webhooks/twilio/inbound/"


def now() -> dt.datetime:
    """Twilio's clock is the real one."""
    return timezone.now()


def text(kind: str = "test.text", *, key: str = "key", number: str = ASHA) -> None:
    say(kind, key=key, now=now(), recipients=[caller(number)])


def only() -> Delivery:
    return Delivery.objects.get(channel="sms")


def proven(number: str = ASHA) -> User:
    member = alice()
    User.objects.filter(pk=member.pk).update(phone=number, verified_phone=number)
    member.refresh_from_db()
    return member


def tell(client, twilio: FakeTwilio, state: str, *, code: int = 0, at: int = 0, **changes):
    """Twilio's callback about its message number `at`."""
    message = twilio.messages[at]
    fields = {"MessageSid": message["sid"], "MessageStatus": state, "To": message["to"]}
    if code:
        fields |= {"ErrorCode": str(code), "ErrorMessage": "as told"}
    return post(client, twilio.callbacks[message["sid"]], fields, **changes)


def post(client, address: str, fields: dict[str, str], *, signature: str | None = None):
    path = "/" + address.split("/", 3)[3]
    given = sign(address, fields) if signature is None else signature
    return client.post(
        path,
        data="&".join(f"{name}={_quoted(value)}" for name, value in fields.items()),
        content_type="application/x-www-form-urlencoded",
        headers={"X-Twilio-Signature": given},
    )


def _quoted(value: str) -> str:
    return quote_plus(value)


def answer(client, settings, body: str, *, sid: str = "SM1", number: str = ASHA, **more: str):
    fields = {"MessageSid": sid, "From": number, "To": "+15550001111", "Body": body, **more}
    return post(client, settings.SITE_URL + INBOUND, fields)


@pytest.mark.django_db
class TestWords:
    def test_a_text_says_how_to_stop_it(self, twilio):
        text()
        send_due_deliveries(now=now())
        assert twilio.bodies == [f"You won a bicycle,\n{ASHA}.\nReply STOP to end such messages."]

    def test_what_is_about_money_does_not(self, twilio):
        text("test.text_money")
        send_due_deliveries(now=now())
        assert set(twilio.bodies) == {f"You won a bicycle,\n{ASHA}."}
        assert {to for to, _body in twilio.counts} == {ASHA, f"whatsapp:{ASHA}"}

    def test_a_member_is_texted_at_a_proven_number_alone(self, twilio):
        member = proven()
        say("test.text", now=now(), recipients=[named(member)])
        User.objects.filter(pk=member.pk).update(phone="+254711000009")
        member.refresh_from_db()
        say("test.text", key="again", now=now(), recipients=[named(member)])
        assert list(Delivery.objects.values_list("address", flat=True)) == [ASHA]

    def test_the_parts_are_kept_and_stay_when_it_arrives(self, twilio, client):
        text()
        send_due_deliveries(now=now())
        assert "1 × GSM-7" in only().provider_text
        tell(client, twilio, "delivered")
        assert only().state == State.DELIVERED
        assert "1 × GSM-7" in only().provider_text


@pytest.mark.django_db
class TestDoubt:
    @pytest.mark.parametrize("trick", [Trick.TAKE_AND_CUT, Trick.TAKE_AND_HANG, Trick.TAKE_AND_HTML])
    def test_what_was_taken_is_found_and_told_once(self, twilio, trick):
        twilio.tricks = [trick]
        text()
        send_due_deliveries(now=now())
        assert only().state == State.UNKNOWN
        resolve_unknown(now=only().next_attempt_at)
        assert only().state == State.HANDED
        process_notifications(now=now() + dt.timedelta(hours=1))
        assert sum(twilio.counts.values()) == 1

    @pytest.mark.parametrize("trick", [Trick.CUT, Trick.HANG, Trick.ERROR])
    def test_what_was_not_is_sent_again_once_it_is_surely_absent(self, twilio, trick):
        twilio.tricks = [trick]
        text()
        send_due_deliveries(now=now())
        resolve_unknown(now=only().next_attempt_at)
        assert only().state == State.UNKNOWN
        process_notifications(now=now() + dt.timedelta(minutes=5))
        assert only().state == State.HANDED
        assert sum(twilio.counts.values()) == 1

    def test_its_callback_alone_tells_that_it_was_taken(self, twilio, client):
        twilio.tricks = [Trick.TAKE_AND_CUT]
        text()
        send_due_deliveries(now=now())
        assert tell(client, twilio, "sent").status_code == 200
        assert (only().state, only().provider_id) == (State.HANDED, twilio.messages[0]["sid"])

    def test_what_a_dead_worker_had_given_out_is_asked_about(self, twilio):
        text()
        send_due_deliveries(now=now())
        began = now()
        Delivery.objects.update(state=State.CLAIMED, sending_at=began, lease_until=began + LEASE)
        later = began + LEASE + dt.timedelta(seconds=1)
        expire_leases(now=later)
        assert only().state == State.UNKNOWN
        process_notifications(now=later)
        assert only().state == State.HANDED
        assert sum(twilio.counts.values()) == 1

    def test_a_limit_puts_all_off_as_long_as_twilio_says(self, twilio):
        twilio.retry_after, twilio.tricks = 600, [None, Trick.LIMITED]
        for n in range(4):
            text(key=f"{n}", number=f"+25471100000{n}")
        began = now()
        send_due_deliveries(now=began)
        waiting = Delivery.objects.filter(state=State.RETRY)
        assert (waiting.count(), len(twilio.arrivals)) == (3, 2)
        assert min(waiting.values_list("next_attempt_at", flat=True)) >= began + dt.timedelta(minutes=10)
        assert set(waiting.values_list("attempts", flat=True)) == {0}

    def test_a_dead_number_is_suppressed(self, twilio):
        twilio.tricks = [Refusal(21614)]
        text()
        send_due_deliveries(now=now())
        assert only().state == State.BOUNCED
        assert Suppression.objects.get().reason == "bounce"

    def test_twilio_knows_of_a_stop_that_we_do_not(self, twilio):
        twilio.tricks = [Refusal(21610)]
        text()
        send_due_deliveries(now=now())
        assert (only().state, only().skip_reason) == (State.SUPPRESSED, "stop")
        assert Suppression.objects.get().reason == "stop"
        text(key="again")
        assert send_due_deliveries(now=now()).states == {State.SUPPRESSED: 1}
        assert len(twilio.arrivals) == 1


@pytest.mark.django_db
class TestCallbacks:
    @pytest.fixture
    def handed(self, twilio) -> FakeTwilio:
        text()
        send_due_deliveries(now=now())
        return twilio

    @pytest.mark.parametrize(
        ("states", "ends"),
        [
            (("queued", "sent", "delivered"), State.DELIVERED),
            (("sent", "undelivered"), State.FAILED),
            (("sent", "delivered", "read"), State.DELIVERED),
            (("canceled",), State.FAILED),
            (("some new word",), State.HANDED),
        ],
    )
    def test_in_any_order_and_twice_it_ends_the_same(self, handed, client, states, ends):
        for order in itertools.permutations(states):
            for state in (*order, *order):
                response = tell(client, handed, state)
                assert (response.status_code, response.headers["Content-Type"]) == (200, "text/xml")
                assert response.content.endswith(b"<Response></Response>")
        assert only().state == ends
        known = {state for state in states if " " not in state}
        assert DeliveryEvent.objects.count() == len(known)

    @pytest.mark.parametrize(
        ("code", "ends", "reason"),
        [(30005, State.BOUNCED, "bounce"), (21610, State.FAILED, "stop"), (30003, State.FAILED, None)],
    )
    def test_why_it_did_not_arrive_counts(self, handed, client, code, ends, reason):
        tell(client, handed, "undelivered", code=code)
        assert (only().state, only().provider_code) == (ends, str(code))
        assert [row.reason for row in Suppression.objects.all()] == ([reason] if reason else [])

    @pytest.mark.parametrize("signature", ["", "forged", "ü" * 28, sign("https://elsewhere.example/", {})])
    def test_without_twilios_signature_nobody_is_heard(self, handed, client, signature):
        assert tell(client, handed, "undelivered", signature=signature).status_code == 403
        assert only().state == State.HANDED
        assert not DeliveryEvent.objects.exists()

    def test_a_signature_holds_for_its_own_address_and_values_alone(self, handed, client, settings):
        message = handed.messages[0]
        mine = handed.callbacks[message["sid"]]
        fields = {"MessageSid": message["sid"], "MessageStatus": "sent"}
        other = f"{settings.SITE_URL}/webhooks/twilio/status/{'ab' * 16}/"
        assert post(client, other, fields, signature=sign(mine, fields)).status_code == 403
        changed = {**fields, "MessageStatus": "undelivered"}
        assert post(client, mine, changed, signature=sign(mine, fields)).status_code == 403

    @pytest.mark.parametrize("key", ["ab" * 16, "no-key", "0" * 200])
    def test_of_what_is_none_of_ours_nothing_is_kept(self, handed, client, settings, key):
        address = f"{settings.SITE_URL}/webhooks/twilio/status/{key}/"
        assert post(client, address, {"MessageSid": "SM9", "MessageStatus": "sent"}).status_code == 200
        assert not DeliveryEvent.objects.exists()

    def test_other_shapes_and_sizes_are_refused(self, handed, client):
        path = "/webhooks/twilio/inbound/"
        assert client.get(path).status_code == 405
        assert client.post(path, {"Body": "x"}).status_code == 415  # multipart
        assert client.post(path, "{}", content_type="application/json").status_code == 415
        big = client.post(path, "Body=" + "x" * 70_000, content_type="application/x-www-form-urlencoded")
        assert big.status_code == 413

    def test_without_twilio_there_is_no_such_address(self, client, settings):
        settings.TWILIO_AUTH_TOKEN = ""
        assert answer(client, settings, "STOP").status_code == 404
        assert not PhoneAnswer.objects.exists()


@pytest.mark.django_db
class TestStop:
    @pytest.mark.parametrize(
        "word",
        [
            "STOP",
            "stop",
            " Stop. ",
            "StopAll",
            "UNSUBSCRIBE",
            "cancel",
            "END",
            "quit",
            "Acha",
            "arrêt",
            "“STOP”",
        ],
    )
    def test_after_it_nothing_comes_by_that_channel(self, twilio, client, settings, word):
        assert answer(client, settings, word).status_code == 200
        text()
        text("test.text_money", key="money")
        assert send_due_deliveries(now=now()).states == {State.SUPPRESSED: 2, State.HANDED: 1}
        assert {to for to, _body in twilio.counts} == {f"whatsapp:{ASHA}"}
        assert set(Delivery.objects.filter(channel="sms").values_list("skip_reason", flat=True)) == {"stop"}

    @pytest.mark.parametrize("said", ["please stop", "STOP IT", "hello", "", "non-stop", "1"])
    def test_other_words_do_nothing(self, twilio, client, settings, said):
        assert answer(client, settings, said).status_code == 200
        assert not Suppression.objects.exists()

    def test_what_twilio_took_for_a_stop_is_one(self, twilio, client, settings):
        answer(client, settings, "no more please", OptOutType="STOP")
        assert Suppression.objects.get().reason == "stop"

    def test_start_lifts_it_and_both_stand_in_the_history(self, twilio, client, settings):
        member = proven()
        answer(client, settings, "STOP", sid="SM1")
        answer(client, settings, "start", sid="SM2")
        text()
        assert send_due_deliveries(now=now()).handed == 1
        history = ConsentEvent.objects.order_by("pk").values_list("person_key", "what", "channel")
        assert list(history) == [
            (f"member:{member.pk}", What.STOPPED_ALL, "sms"),
            (f"member:{member.pk}", What.RESUMED_ALL, "sms"),
        ]

    @pytest.mark.parametrize("reason", ["bounce", "manual"])
    def test_start_lifts_nothing_else(self, twilio, client, settings, reason):
        suppress_address(address=ASHA, channel="sms", reason=reason, by=None, now=NOW)
        answer(client, settings, "START")
        assert Suppression.objects.get().lifted_at is None

    def test_an_old_stop_that_is_told_again_after_start_is_not_heard(self, twilio, client, settings):
        for word, sid in (("STOP", "SM1"), ("STOP", "SM1"), ("START", "SM2"), ("STOP", "SM1")):
            assert answer(client, settings, word, sid=sid).status_code == 200
        assert not Suppression.objects.filter(lifted_at=None).exists()
        assert PhoneAnswer.objects.count() == 2

    def test_by_whatsapp_it_holds_for_whatsapp(self, twilio, client, settings):
        answer(client, settings, "STOP", number=f"whatsapp:{ASHA}")
        assert Suppression.objects.get().channel == "whatsapp"
        assert Suppression.objects.get().address == ASHA

    def test_a_forged_stop_stops_nobody(self, twilio, client, settings):
        fields = {"MessageSid": "SM1", "From": ASHA, "Body": "STOP"}
        response = post(client, settings.SITE_URL + INBOUND, fields, signature="forged")
        assert response.status_code == 403
        assert not Suppression.objects.exists()


def test_told_by_many_at_once_a_stop_is_one(cloned_db, parallel):
    def work():
        return take_answer(channel="sms", number=ASHA, text="STOP", provider_id="SM1", now=NOW)

    outcomes = parallel(work, 6)
    assert outcomes.errors == []
    assert len([result for result in outcomes.results if result]) == 1
    assert (Suppression.objects.count(), ConsentEvent.objects.count()) == (1, 1)


@pytest.mark.django_db
class TestEqualTexts:
    """Twilio does not know a message by our key: it is found by number and text, and two may be the same."""

    @pytest.fixture
    def first(self, twilio) -> Delivery:
        proven()
        say("test.text", key="1", now=timezone.now())
        process_notifications(now=timezone.now())
        return Delivery.objects.get()

    def lost(self) -> Delivery:
        say("test.text", key="2", now=timezone.now())
        expand_due_messages(now=timezone.now())
        second = Delivery.objects.latest("pk")
        Delivery.objects.filter(pk=second.pk).update(
            state=State.UNKNOWN,
            sending_at=timezone.now(),
            lease_until=timezone.now(),
            attempts=1,
            lost_answers=1,
        )
        return second

    def test_anothers_message_is_not_taken_for_one_that_never_arrived(self, first, twilio):
        second = self.lost()
        resolve_unknown(now=timezone.now() + dt.timedelta(hours=1))
        second.refresh_from_db()
        assert (second.state, second.provider_code) == (State.RETRY, "absent")
        process_notifications(now=timezone.now() + dt.timedelta(hours=1))
        assert set(twilio.counts.values()) == {2}

    def test_nothing_is_decided_while_another_is_on_its_way_there(self, first, twilio):
        second = self.lost()
        Delivery.objects.filter(pk=first.pk).update(state=State.CLAIMED, provider_id="", handed_at=None)
        resolve_unknown(now=timezone.now() + dt.timedelta(hours=1))
        second.refresh_from_db()
        assert second.state == State.UNKNOWN
