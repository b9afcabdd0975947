"""The links at the foot of mails: one click, a page with a button, and what they never do."""

import datetime as dt
import uuid

import pytest
from django.db import DatabaseError, transaction
from django.test import Client

from accounts.models import User
from notifications import kinds
from notifications.links import make_token
from notifications.mail_links import PREFERENCES, UNSUBSCRIBE, links_of
from notifications.models import ConsentEvent, Correspondent, Delivery, Preference, SkipReason, State, Stop
from notifications.recipients import Recipient
from notifications.services import process_notifications, sending
from notifications.services.preferences import revoke_links
from notifications.services.sending import send_due_deliveries
from tests.factories import alice, bob
from tests.notifications.outbox import NOW, named, outsider, say
from tests.notifications.test_broadcasts import draft, schedule

pytestmark = pytest.mark.django_db
ONE_CLICK = {"List-Unsubscribe": "One-Click"}


def mailed(who: Recipient | None = None, kind: str = "test.service", key: str = "key", **changes) -> Delivery:
    """A delivery by e-mail, not sent yet."""
    message = say(kind, recipients=[who or outsider()], key=key, **changes)
    return Delivery.objects.select_related("message").get(message=message, channel="email")


def link_of(delivery: Delivery, *, version: int = 1) -> str:
    links = links_of(delivery, kinds.get(delivery.message.kind), version=version)
    return links.unsubscribe_url.removeprefix("http://127.0.0.1:8000")


def preferences_of(delivery: Delivery, *, version: int = 1) -> str:
    links = links_of(delivery, kinds.get(delivery.message.kind), version=version)
    return links.preferences_url.removeprefix("http://127.0.0.1:8000")


@pytest.fixture
def stranger() -> Client:
    """A mail program or scanner: no session, no cookie, and Django's own check of forms is on."""
    return Client(enforce_csrf_checks=True)


class TestOneClick:
    def test_it_stops_the_kind_for_that_thing_and_no_other(self, stranger, smtp):
        answer = stranger.post(link_of(mailed()), ONE_CLICK)
        assert answer.status_code == 200, "RFC 8058: no redirect"
        assert not answer.cookies
        stop = Stop.objects.get()
        assert (stop.person_key, stop.kind, stop.about, stop.channel) == (
            "email:zoe@elsewhere.example", "test.service", "test.thing:1", "email",
        )  # fmt: skip
        assert stop.subject == "About a bicycle"
        say(recipients=[outsider()], key="later")
        say(recipients=[outsider()], key="other thing", about="test.thing:2")
        say("test.mail", recipients=[outsider()], key="other kind")
        assert send_due_deliveries(now=NOW).handed == 2

    def test_it_stops_a_promotion_as_a_kind(self, stranger):
        User.objects.filter(pk=alice().pk).update(accepts_promotions=True)
        stranger.post(link_of(mailed(named(alice()), "test.teaser")), ONE_CLICK)
        off = Preference.objects.get()
        assert (off.person_key, off.kind, off.channel, off.is_on) == (
            f"member:{alice().pk}", "test.teaser", "email", False,
        )  # fmt: skip
        assert not Stop.objects.exists()

    def test_it_stops_all_notices_because_no_other_is_about_the_same(self, stranger):
        first = self.noticed(NOW)
        assert "for this one" not in stranger.get(link_of(first)).content.decode()
        answer = stranger.post(link_of(first), ONE_CLICK)
        assert "no more messages of the kind" in answer.content.decode()
        off = Preference.objects.get()
        assert (off.kind, off.channel, off.is_on) == ("notifications.notice", "email", False)
        assert ConsentEvent.objects.get().what == "switched off"
        assert first.state == State.HANDED
        again = self.noticed(NOW + dt.timedelta(days=1))
        assert (again.state, again.skip_reason) == (State.SUPPRESSED, SkipReason.CONSENT)

    def noticed(self, at: dt.datetime) -> Delivery:
        """What a broadcast to all became for Alice."""
        alice()
        made = schedule(draft(channels=["email"], send_at=at))
        while process_notifications(now=at).found_work:
            pass
        return Delivery.objects.select_related("message").get(message=made.message, member=alice())

    def test_it_is_written_into_the_history(self, stranger):
        delivery = mailed()
        stranger.post(link_of(delivery), ONE_CLICK)
        [line] = ConsentEvent.objects.all()
        assert (line.what, line.kind, line.about, line.source) == (
            "stopped", "test.service", "test.thing:1", "one click",
        )  # fmt: skip
        assert line.evidence == {"delivery": str(delivery.handle)}

    def test_twice_is_once(self, stranger):
        link = link_of(mailed())
        assert [stranger.post(link, ONE_CLICK).status_code for _ in range(2)] == [200, 200]
        assert (Stop.objects.count(), ConsentEvent.objects.count()) == (1, 1)

    def test_a_kind_that_was_on_by_a_row_is_off_again(self, stranger):
        delivery = mailed()
        Preference.objects.create(
            person_key=delivery.recipient_key,
            kind="test.service",
            channel="email",
            is_on=True,
            changed_at=NOW,
        )
        stranger.post(link_of(delivery), {"what": "kind"})
        assert not Preference.objects.get().is_on
        assert ConsentEvent.objects.get().what == "switched off"

    def test_who_is_signed_in_does_not_matter(self, stranger):
        stranger.force_login(bob())
        stranger.post(link_of(mailed(named(alice()))), ONE_CLICK)
        assert Stop.objects.get().person_key == f"member:{alice().pk}"


class TestThePage:
    @pytest.mark.parametrize("method", ["get", "head", "options"])
    def test_who_only_looks_changes_nothing(self, stranger, method):
        """Mail scanners open every link."""
        delivery = mailed()
        before = Stop.objects.count(), Preference.objects.count(), ConsentEvent.objects.count()
        for link in (link_of(delivery), preferences_of(delivery)):
            getattr(stranger, method)(link)
        assert (Stop.objects.count(), Preference.objects.count(), ConsentEvent.objects.count()) == before
        assert not Correspondent.objects.exists()

    def test_it_asks_and_its_button_needs_no_cookie(self, stranger):
        link = link_of(mailed())
        page = stranger.get(link).content.decode()
        assert "Stop these messages?" in page
        assert "zoe@elsewhere.example" not in page, "whoever was passed the mail learns no address"
        assert "z…@elsewhere.example" in page
        assert "csrfmiddlewaretoken" not in page
        assert "Stopped" in stranger.post(link, {"what": "this"}).content.decode()
        assert ConsentEvent.objects.get().source == "unsubscribe page"

    def test_a_second_button_stops_the_whole_kind(self, stranger):
        stranger.post(link_of(mailed()), {"what": "kind"})
        assert Preference.objects.get().kind == "test.service"
        assert not Stop.objects.exists()


class TestLinksThatOpenNothing:
    def answers(self, client: Client, path: str) -> list[int]:
        return [client.get(path).status_code, client.post(path, ONE_CLICK).status_code]

    def nothing_happened(self) -> bool:
        return not (Stop.objects.exists() or Preference.objects.exists() or ConsentEvent.objects.exists())

    def test_forged_and_foreign_ones(self, client):
        delivery, other = mailed(), mailed(outsider("yan"), key="other")
        token = link_of(delivery).split("/")[-2]
        foreign = make_token(purpose=PREFERENCES, row=delivery.handle, version=1)
        handless = make_token(purpose=UNSUBSCRIBE, row=uuid.uuid4(), version=1)
        swapped = link_of(other).split("/")[-2][:22] + token[22:]
        for wrong in (foreign, handless, swapped, token[:-1], "x", token[::-1]):
            assert self.answers(client, f"/unsubscribe/{wrong}/") == [404, 404]
        for wrong in (token, handless, "x"):
            assert self.answers(client, f"/preferences/{wrong}/") == [404, 404]
        assert self.nothing_happened()

    def test_revoked_ones(self, client):
        delivery = mailed(named(alice()))
        revoke_links(who=named(alice()), source="test", now=NOW)
        assert self.answers(client, link_of(delivery)) == [404, 404]
        assert self.answers(client, preferences_of(delivery)) == [404, 404]
        assert client.get(link_of(delivery, version=2)).status_code == 200
        assert ConsentEvent.objects.exclude(what="revoked links").count() == 0

    def test_mails_sent_after_that_carry_links_that_work(self, client, smtp):
        mailed(named(alice()))
        revoke_links(who=named(alice()), source="test", now=NOW)
        send_due_deliveries(now=NOW)
        [taken] = smtp.taken
        delivery = Delivery.objects.select_related("message").get(channel="email")
        link = link_of(delivery, version=2)
        assert link.encode() in taken.content.replace(b"=\r\n", b"").replace(b"\r\n ", b"")
        assert client.get(link).status_code == 200

    def test_of_a_transactional_kind(self, client):
        delivery = mailed(kind="test.money")
        token = make_token(purpose=UNSUBSCRIBE, row=delivery.handle, version=1)
        assert self.answers(client, f"/unsubscribe/{token}/") == [404, 404]
        assert self.nothing_happened()

    def test_of_an_inbox_copy(self, client):
        message = say(recipients=[named(alice())])
        copy = Delivery.objects.get(message=message, channel="in_app")
        token = make_token(purpose=UNSUBSCRIBE, row=copy.handle, version=1)
        assert self.answers(client, f"/unsubscribe/{token}/") == [404, 404]

    def test_preferences_by_a_mail_to_an_address_that_is_the_accounts_no_more(self, client):
        """Whoever has the old mailbox now does not get at the account's preferences."""
        delivery = mailed(named(alice()))
        assert client.get(preferences_of(delivery)).status_code == 200
        User.objects.filter(pk=alice().pk).update(email="new@example.com")
        assert client.get(preferences_of(delivery)).status_code == 404
        assert client.post(link_of(delivery), ONE_CLICK).status_code == 200, "stopping does no harm"

    def test_preferences_of_a_closed_account(self, client):
        delivery = mailed(named(alice()))
        User.objects.filter(pk=alice().pk).update(is_active=False)
        assert client.get(preferences_of(delivery)).status_code == 404


class TestRace:
    """The click comes while a worker holds the delivery."""

    @pytest.mark.parametrize(
        ("before", "state", "reason"),
        [(True, State.SUPPRESSED, SkipReason.CONSENT), (False, State.HANDED, "")],
        ids=["before the worker asks", "after it"],
    )
    def test_it_is_seen_or_it_is_not(self, smtp, stranger, monkeypatch, before, state, reason):
        delivery = mailed()
        ask = sending.wishes_of

        def click_meanwhile(claimed):
            assert Delivery.objects.get(pk=delivery.pk).state == State.CLAIMED
            answer = None if before else ask(claimed)
            assert stranger.post(link_of(delivery), ONE_CLICK).status_code == 200
            return answer or ask(claimed)

        monkeypatch.setattr(sending, "wishes_of", click_meanwhile)
        send_due_deliveries(now=NOW)
        found = Delivery.objects.get(pk=delivery.pk)
        assert (found.state, found.skip_reason) == (state, reason)
        assert len(smtp.taken) == (0 if before else 1)
        assert Stop.objects.count() == 1, "either way the click counts from now on"
        monkeypatch.undo()
        say(recipients=[outsider()], key="next")
        send_due_deliveries(now=NOW)
        assert len(smtp.taken) == (0 if before else 1)


class TestHistory:
    def line(self) -> ConsentEvent:
        return ConsentEvent.objects.create(person_key="email:a@b.example", at=NOW, what="stopped", source="x")

    def refused(self, change) -> bool:
        try:
            with transaction.atomic():
                change()
        except DatabaseError as error:
            return "append-only" in str(error)
        return False

    def test_the_database_refuses_to_change_it(self):
        mine = ConsentEvent.objects.filter(pk=self.line().pk)
        assert self.refused(lambda: mine.update(what="agreed"))
        assert self.refused(lambda: mine.update(person_key="email:other@b.example"))
        assert self.refused(lambda: mine.update(person_key=f"erased:{self.line().pk}"))
        assert self.refused(mine.delete)

    def test_but_for_whose_it_was(self):
        line = self.line()
        assert (
            ConsentEvent.objects.filter(pk=line.pk).update(person_key=f"erased:{line.pk}", evidence={}) == 1
        )
