"""Sending what is due, through a real SMTP conversation."""

import datetime as dt
import email
import email.policy

import pytest

from accounts.models import User
from notifications import backoff
from notifications.channels.email import EmailChannel
from notifications.channels.seam import Letter, Outcome
from notifications.models import Delivery, SkipReason, State, Suppression
from notifications.services import cancel_message, send_due_deliveries
from notifications.services.deliveries import cancel_deliveries, retry_deliveries
from notifications.services.results import message_id_of
from tests.factories import admin, alice, bob, carol
from tests.fakes.smtp import Behaviour, FakeSMTP, Trick
from tests.notifications.outbox import NOW, named, outsider, say

ZOE = "zoe@elsewhere.example"


def sent_to(smtp: FakeSMTP, address: str):
    [mail] = [mail for mail in smtp.taken if mail.recipient == address]
    return email.message_from_bytes(mail.content, policy=email.policy.default)


def only_delivery() -> Delivery:
    return Delivery.objects.get(channel="email")


@pytest.mark.django_db
class TestMail:
    def test_it_says_the_words_of_the_kind_in_the_recipients_zone(self, smtp):
        say(recipients=[named(bob())])
        assert send_due_deliveries(now=NOW).handed == 1
        mail = sent_to(smtp, "bob@example.com")
        assert mail["Subject"] == "About a bicycle"
        assert mail["To"] == "Bob Rahman <bob@example.com>"
        assert mail["Auto-Submitted"] == "auto-generated"
        text = mail.get_body(("plain",)).get_content().replace("\r\n", "\n")
        assert (
            "Hello Bob Rahman,\n\na bicycle & co at 15:00. Code bob@example.com." in text
        )  # 9:00 UTC in Dhaka
        html = mail.get_body(("html",)).get_content()
        assert "a bicycle &amp; co at 15:00" in html
        assert "click?to=http%3A%2F%2F127.0.0.1%3A8000%2Fx%2F%3Fa%3D1%26b%3D2&amp;sig=" in html
        assert "<script" not in html

    def test_it_writes_down_what_the_server_said(self, smtp):
        say(recipients=[outsider()])
        send_due_deliveries(now=NOW)
        delivery = only_delivery()
        assert (delivery.state, delivery.attempts) == (State.HANDED, 1)
        assert (delivery.provider_code, delivery.provider_text) == ("250", "2.0.0 queued as 1")
        assert delivery.provider_id == message_id_of(delivery) == smtp.taken[0].message_id
        assert delivery.provider_id.endswith("@fairground.example>")
        assert NOW <= delivery.handed_at <= NOW + dt.timedelta(minutes=1)

    def test_a_kind_may_bring_links_and_html_of_its_own(self, smtp):
        say("test.linked", recipients=[outsider()])
        send_due_deliveries(now=NOW)
        mail = sent_to(smtp, ZOE)
        assert mail["Subject"] == "Claim a bicycle"
        assert "https://fair.example/claim/zoe-token/" in mail.get_body(("plain",)).get_content()
        html = mail.get_body(("html",)).get_content()
        assert '<a href="https://fair.example/claim/zoe-token/">here</a> for a bicycle' in html
        assert "token" not in str(Delivery.objects.values().get())  # made when rendered, never stored

    def test_html_in_a_name_or_value_is_text(self, smtp):
        say(recipients=[outsider(name="<b>Zoe</b>")], context={"prize": "<img src=x>", "at": NOW})
        send_due_deliveries(now=NOW)
        html = sent_to(smtp, ZOE).get_body(("html",)).get_content()
        assert "&lt;img src=x&gt;" in html
        assert "<img src=x" not in html

    def test_many_mails_go_over_one_line(self, smtp):
        say(recipients=[outsider(f"nr{n}") for n in range(45)])
        assert send_due_deliveries(now=NOW).handed == 45
        assert (len(smtp.taken), smtp.lines) == (45, 1)

    def test_nothing_goes_before_its_time(self, smtp):
        say(recipients=[outsider()], not_before=NOW + dt.timedelta(hours=1))
        assert send_due_deliveries(now=NOW).processed == 0
        assert send_due_deliveries(now=NOW + dt.timedelta(hours=1)).handed == 1

    def test_nothing_goes_twice(self, smtp):
        say(recipients=[outsider()])
        send_due_deliveries(now=NOW)
        assert send_due_deliveries(now=NOW).processed == 0
        assert smtp.counts == {ZOE: 1}

    def test_it_sends_at_most_as_many_as_asked(self, smtp):
        say(recipients=[outsider(f"nr{n}") for n in range(7)])
        assert send_due_deliveries(now=NOW, limit=3).handed == 3


@pytest.mark.django_db
class TestNotSent:
    def reason(self) -> tuple[str, str]:
        delivery = only_delivery()
        return delivery.state, delivery.skip_reason

    def test_what_is_too_late_is_skipped(self, smtp):
        say(recipients=[outsider()], expires_at=NOW + dt.timedelta(hours=1))
        send_due_deliveries(now=NOW + dt.timedelta(hours=1))
        assert self.reason() == (State.SKIPPED, SkipReason.EXPIRED)
        assert smtp.taken == []

    def test_who_left_is_told_nothing(self, smtp):
        say(recipients=[named(alice())])
        User.objects.update(is_active=False)
        send_due_deliveries(now=NOW)
        assert self.reason() == (State.SUPPRESSED, SkipReason.INACTIVE)

    def test_consent_is_asked_again_before_a_promotion_goes_out(self, smtp):
        User.objects.filter(pk=alice().pk).update(accepts_promotions=True)
        say("test.teaser", recipients=[named(alice())])
        User.objects.update(accepts_promotions=False)
        send_due_deliveries(now=NOW)
        assert self.reason() == (State.SUPPRESSED, SkipReason.CONSENT)
        assert smtp.taken == []

    def test_a_cancelled_message_goes_nowhere(self, smtp):
        message = say(recipients=[outsider()])
        cancel_message(message=message, by=None, now=NOW)
        assert send_due_deliveries(now=NOW).processed == 0
        assert smtp.taken == []


@pytest.mark.django_db
class TestTrouble:
    def later(self) -> dt.datetime:
        return NOW + backoff.bound(1)

    @pytest.mark.parametrize(
        "behaviour",
        [
            Behaviour(rcpt="450 4.2.1 try later", times=1),
            Behaviour(data="451 4.3.0 try later", times=1),
            Behaviour(trick=Trick.DROP_BEFORE_DATA, times=1),
        ],
        ids=["at RCPT", "after DATA", "line broke before DATA"],
    )
    def test_a_temporary_refusal_is_tried_again_later(self, smtp, behaviour):
        smtp.behaviours[ZOE] = behaviour
        say(recipients=[outsider()])
        assert send_due_deliveries(now=NOW).failed == 1
        delivery = only_delivery()
        assert (delivery.state, delivery.attempts, delivery.lost_answers) == (State.RETRY, 1, 0)
        assert NOW <= delivery.next_attempt_at <= self.later() + dt.timedelta(minutes=1)
        send_due_deliveries(now=self.later() + dt.timedelta(minutes=1))
        assert only_delivery().state == State.HANDED
        assert smtp.counts == {ZOE: 1}

    @pytest.mark.parametrize(
        "behaviour",
        [Behaviour(rcpt="550 5.7.1 not from you"), Behaviour(data="554 5.7.1 refused")],
        ids=["at RCPT", "after DATA"],
    )
    def test_a_permanent_refusal_is_a_dead_letter(self, smtp, behaviour):
        smtp.behaviours[ZOE] = behaviour
        say(recipients=[outsider(), outsider("yan")])
        tally = send_due_deliveries(now=NOW)
        assert (tally.handed, tally.failed) == (1, 1)
        dead = Delivery.objects.get(address=ZOE)
        assert dead.state == State.FAILED
        assert dead.provider_code in ("550", "554")
        assert dead.provider_text.startswith("5.")
        assert send_due_deliveries(now=NOW + dt.timedelta(days=9)).processed == 0

    @pytest.mark.parametrize(
        ("said", "nobody"),
        [
            ("550 5.1.1 no such user", True),
            ("550 5.1.2 no such domain", True),
            ("550 5.1.3 bad syntax", True),
            ("553 5.1.3 mailbox name invalid", True),
            ("553 mailbox name not allowed", True),
            ("550 user unknown", True),
            ("550 5.7.1 user unknown here, says our policy", False),
            ("553 5.7.1 relaying denied", False),
            ("550 blocked", False),
            ("552 5.2.2 mailbox full", False),
            ("450 4.1.1 try later", False),
        ],
    )
    def test_an_address_that_nobody_has_gets_nothing_more(self, smtp, said, nobody):
        smtp.behaviours[ZOE] = Behaviour(rcpt=said)
        say(recipients=[outsider()])
        assert send_due_deliveries(now=NOW).failed == 1
        suppressed = Suppression.objects.values_list("address", flat=True)
        assert list(suppressed) == ([ZOE] if nobody else [])
        assert (only_delivery().state == State.BOUNCED) is nobody

    def test_an_address_that_can_not_be_mailed_is_a_dead_letter_and_stops_nobody(self, smtp):
        say(recipients=[outsider("a b"), outsider("x\ny"), outsider("ok")])
        tally = send_due_deliveries(now=NOW)
        assert (tally.handed, tally.failed) == (1, 2)
        assert set(Delivery.objects.filter(state=State.FAILED).values_list("provider_code", flat=True)) == {
            "invalid"
        }

    def test_a_broken_template_waits_for_its_repair_and_stops_nobody(self, smtp):
        say("test.broken", key="1", recipients=[outsider()])
        say(key="2", recipients=[outsider("yan")])
        tally = send_due_deliveries(now=NOW)
        assert (tally.handed, tally.failed) == (1, 1)
        broken = Delivery.objects.get(address=ZOE)
        assert (broken.state, broken.provider_code) == (State.RETRY, "template")

    def test_it_gives_up_after_many_attempts(self, smtp):
        smtp.behaviours[ZOE] = Behaviour(rcpt="450 4.2.1 try later")
        say(recipients=[outsider()])
        now = NOW
        for _attempt in range(backoff.ATTEMPTS):
            assert send_due_deliveries(now=now).failed == 1
            now += backoff.CAP + dt.timedelta(minutes=1)
        assert only_delivery().state == State.FAILED

    def test_it_never_tries_after_expiry(self, smtp, monkeypatch):
        monkeypatch.setattr(backoff, "delay", lambda failures: dt.timedelta(seconds=30))
        smtp.behaviours[ZOE] = Behaviour(rcpt="450 4.2.1 try later")
        say(recipients=[outsider()], expires_at=NOW + dt.timedelta(seconds=20))
        send_due_deliveries(now=NOW)
        delivery = only_delivery()
        assert (delivery.state, delivery.skip_reason) == (State.SKIPPED, SkipReason.EXPIRED)
        assert delivery.provider_code == "450"

    def test_a_server_that_is_away_costs_no_attempt(self, smtp, settings):
        settings.EMAIL_PORT = 1
        say(recipients=[outsider(f"nr{n}") for n in range(30)])
        assert send_due_deliveries(now=NOW).failed == 30
        assert set(Delivery.objects.values_list("state", "attempts")) == {(State.RETRY, 0)}
        assert Delivery.objects.first().provider_text
        settings.EMAIL_PORT = smtp.port
        assert send_due_deliveries(now=NOW + dt.timedelta(minutes=2)).handed == 30

    def test_a_refused_sender_gives_up_no_recipient(self, smtp):
        smtp.sender = "550 5.7.1 sender not allowed"
        say(recipients=[outsider(), outsider("yan")])
        send_due_deliveries(now=NOW)
        assert set(Delivery.objects.values_list("state", "attempts", "provider_code")) == {
            (State.RETRY, 0, "550")
        }

    def test_a_line_closed_after_some_mails_is_opened_again(self, smtp):
        smtp.mails_a_line = 10
        say(recipients=[outsider(f"nr{n}") for n in range(25)])
        assert send_due_deliveries(now=NOW).handed == 25
        assert set(smtp.counts.values()) == {1}
        assert smtp.lines == 3

    def test_a_server_that_breaks_every_line_is_left_alone(self, smtp):
        recipients = [outsider(f"nr{n}") for n in range(12)]
        smtp.behaviours = {r.address: Behaviour(trick=Trick.DROP_BEFORE_DATA) for r in recipients}
        say(recipients=recipients)
        send_due_deliveries(now=NOW)
        assert set(Delivery.objects.values_list("state", flat=True)) == {State.RETRY}
        assert Delivery.objects.filter(attempts=0).count() == 9


@pytest.mark.django_db
class TestLostAnswer:
    def test_a_transactional_mail_is_tried_once_more_under_the_same_id(self, smtp):
        smtp.behaviours[ZOE] = Behaviour(trick=Trick.DROP_AFTER_DATA)
        say("test.money", recipients=[outsider()])
        send_due_deliveries(now=NOW)
        assert (only_delivery().state, only_delivery().lost_answers) == (State.RETRY, 1)
        send_due_deliveries(now=NOW + dt.timedelta(minutes=1))
        assert (only_delivery().state, only_delivery().lost_answers) == (State.UNKNOWN, 2)
        assert send_due_deliveries(now=NOW + dt.timedelta(days=1)).processed == 0
        assert smtp.counts == {ZOE: 2}
        assert len({mail.message_id for mail in smtp.taken}) == 1

    def test_any_other_mail_stays_unknown(self, smtp):
        smtp.behaviours[ZOE] = Behaviour(trick=Trick.DROP_AFTER_DATA, times=1)
        say(recipients=[outsider(), outsider("yan")])
        send_due_deliveries(now=NOW)
        assert dict(Delivery.objects.values_list("address", "state")) == {
            ZOE: State.UNKNOWN,
            "yan@elsewhere.example": State.HANDED,
        }
        send_due_deliveries(now=NOW + dt.timedelta(days=1))
        assert smtp.counts[ZOE] == 1

    def test_a_server_that_never_answers_is_a_lost_answer(self, smtp, settings):
        settings.EMAIL_TIMEOUT = 0.2
        smtp.behaviours[ZOE] = Behaviour(trick=Trick.STALL_AFTER_DATA)
        say(recipients=[outsider()])
        send_due_deliveries(now=NOW)
        assert only_delivery().state == State.UNKNOWN
        assert "timed out" in only_delivery().provider_text


@pytest.mark.django_db
class TestByHand:
    def test_a_dead_letter_is_sent_again(self, smtp):
        smtp.behaviours[ZOE] = Behaviour(rcpt="550 5.7.1 not from you", times=1)
        say(recipients=[outsider(), outsider("yan")])
        send_due_deliveries(now=NOW)
        assert retry_deliveries(deliveries=Delivery.objects.all(), by=admin(), now=NOW) == 1
        assert send_due_deliveries(now=NOW).handed == 1
        assert smtp.counts == {ZOE: 1, "yan@elsewhere.example": 1}

    def test_what_waits_is_taken_back_and_what_is_out_stays_out(self, smtp):
        say(key="1", recipients=[outsider()])
        send_due_deliveries(now=NOW)
        say(key="2", recipients=[outsider("yan"), named(carol())])
        assert cancel_deliveries(deliveries=Delivery.objects.all(), by=admin(), now=NOW) == 2
        assert send_due_deliveries(now=NOW).processed == 0
        assert Delivery.objects.filter(state=State.DELIVERED).count() == 1  # Carol's inbox


class _APIError(Exception):
    def __init__(self, status_code):
        super().__init__(f"status {status_code}")
        self.status_code = status_code


class TestChannel:
    MAIL = Letter(
        key="1" * 32,
        message_id="<1@x.example>",
        address="zoe@elsewhere.example",
        name="Zoë “Z” O'Neil",
        subject="Hi",
        text="text",
        html="<p>text</p>",
    )

    def test_a_name_with_quotes_and_accents_arrives(self, smtp):
        with EmailChannel() as channel:
            assert channel.send(self.MAIL).outcome == Outcome.ACCEPTED
        assert sent_to(smtp, ZOE)["To"].addresses[0].display_name == "Zoë “Z” O'Neil"

    @pytest.mark.parametrize(
        ("status", "outcome"),
        [
            (429, Outcome.TEMPORARY),
            (503, Outcome.TEMPORARY),
            (400, Outcome.PERMANENT),
            (None, Outcome.LOST),
        ],
    )
    def test_errors_of_an_http_provider_are_told_apart(self, settings, monkeypatch, status, outcome):
        settings.EMAIL_BACKEND = "django.core.mail.backends.locmem.EmailBackend"

        def fail(backend, messages):
            raise _APIError(status)

        monkeypatch.setattr("django.core.mail.backends.locmem.EmailBackend.send_messages", fail)
        with EmailChannel() as channel:
            assert channel.send(self.MAIL).outcome == outcome


class TestBackoff:
    def test_the_bound_doubles_up_to_six_hours(self):
        assert [backoff.bound(n).total_seconds() for n in (0, 1, 2, 3, 11, 400)] == [
            30,
            30,
            60,
            120,
            21600,
            21600,
        ]

    def test_the_wait_is_a_part_of_the_bound(self):
        assert backoff.delay(3, 0.0).total_seconds() == 0
        assert backoff.delay(3, 0.5).total_seconds() == 60
        assert dt.timedelta(0) <= backoff.delay(3) < backoff.bound(3)
