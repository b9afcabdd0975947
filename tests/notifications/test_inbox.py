"""The inbox: what a member sees, and nobody else."""

import datetime as dt
import uuid

import pytest
from django.urls import reverse

from notifications import kinds, topics
from notifications.context_processors import inbox
from notifications.handles import delivery_id_of, handle_of
from notifications.models import Delivery, State
from notifications.services import cancel_message, expand_due_messages
from notifications.services.inbox import badge_of, unread_count
from tests.factories import alice, bob, make_user
from tests.notifications.outbox import NOW, named, outsider, say

pytestmark = pytest.mark.django_db
INBOX = "/inbox/"


@pytest.fixture
def member(client):
    client.force_login(alice())
    return client


def letter_to(person, key: str = "key", **changes) -> Delivery:
    say(key=key, recipients=[named(person)], **changes)
    return Delivery.objects.get(message__idem_key=key, channel="in_app")


class TestHandle:
    @pytest.mark.parametrize("number", [1, 42, 2**63 - 1])
    def test_it_leads_back_to_its_delivery(self, number):
        assert delivery_id_of(handle_of(number)) == number

    def test_a_guess_leads_nowhere(self):
        assert all(delivery_id_of(uuid.uuid4()) is None for _ in range(1_000))

    def test_neighbours_have_nothing_in_common(self):
        assert handle_of(1).hex[:8] != handle_of(2).hex[:8]

    def test_another_key_makes_other_handles(self, settings):
        before = handle_of(1)
        settings.LINK_KEY = "another key"
        assert handle_of(1) != before


class TestList:
    def test_it_asks_visitors_to_sign_in(self, client):
        assert client.get(INBOX).status_code == 302

    def test_it_shows_the_newest_first_with_what_is_unread(self, member):
        letter_to(alice(), "1", now=NOW - dt.timedelta(days=1))
        newest = letter_to(alice(), "2")
        letter_to(bob(), "3")
        page = member.get(INBOX)
        letters = page.context["letters"]
        assert letters[0].delivery == newest
        assert len(letters) == 2
        assert page.content.decode().count("letters__item--unread") == 2
        assert "no-store" in page.headers["Cache-Control"]

    def test_it_is_paged(self, member):
        for n in range(25):
            letter_to(alice(), str(n))
        assert len(member.get(INBOX).context["letters"]) == 20
        assert len(member.get(INBOX, {"page": 2}).context["letters"]) == 5

    def test_it_costs_the_same_number_of_queries_for_many(self, member, django_assert_max_num_queries):
        for n in range(20):
            letter_to(alice(), str(n))
        with django_assert_max_num_queries(6):
            member.get(INBOX)

    def test_an_empty_inbox_says_so(self, member):
        assert "Nothing here yet" in member.get(INBOX).content.decode()

    def test_what_is_not_due_or_cancelled_is_not_there(self, member):
        letter_to(alice(), "later", not_before=NOW + dt.timedelta(days=4_000))
        cancelled = letter_to(alice(), "cancelled")
        cancel_message(message=cancelled.message, by=None, now=NOW)
        assert member.get(INBOX).context["letters"] == []

    def test_one_broken_message_costs_not_the_whole_inbox(self, member):
        letter_to(alice(), "1")
        letter_to(alice(), "2", kind="test.broken")
        letter_to(alice(), "3", kind="test.inbox")
        del kinds._kinds["test.inbox"]
        page = member.get(INBOX)
        assert len(page.context["letters"]) == 3
        assert page.content.decode().count("can&#x27;t be shown") == 2


class TestLetter:
    def test_opening_marks_it_read(self, member):
        delivery = letter_to(alice(), context={"prize": "<b>a bicycle</b>", "at": NOW})
        page = member.get(f"{INBOX}{delivery.handle}/")
        text = page.content.decode()
        assert "&lt;b&gt;a bicycle&lt;/b&gt; &amp; co at 12:00" in text  # 9:00 UTC in Nairobi
        assert '<a href="http://127.0.0.1:8000/x/?a=1&amp;b=2"' in text
        delivery.refresh_from_db()
        first_read = delivery.read_at
        assert first_read
        member.get(f"{INBOX}{delivery.handle}/")
        delivery.refresh_from_db()
        assert delivery.read_at == first_read

    def test_another_persons_message_is_not_there(self, member):
        delivery = letter_to(bob())
        assert member.get(f"{INBOX}{delivery.handle}/").status_code == 404
        delivery.refresh_from_db()
        assert delivery.read_at is None

    def test_neither_is_a_mail_or_a_guess(self, member):
        letter_to(alice())
        mail = Delivery.objects.get(channel="email")
        assert member.get(f"{INBOX}{mail.handle}/").status_code == 404
        assert member.get(f"{INBOX}{uuid.uuid4()}/").status_code == 404

    def test_it_asks_visitors_to_sign_in(self, client):
        assert client.get(f"{INBOX}{letter_to(alice()).handle}/").status_code == 302


class TestReadAll:
    def test_it_marks_only_my_own(self, member):
        letter_to(alice(), "1"), letter_to(alice(), "2"), letter_to(bob(), "3")
        member.post(reverse("notifications:read_all"))
        assert unread_count(member_id=alice().pk, now=NOW) == 0
        assert unread_count(member_id=bob().pk, now=NOW) == 1

    def test_reading_it_does_nothing(self, member):
        letter_to(alice())
        assert member.get(reverse("notifications:read_all")).status_code == 405
        assert unread_count(member_id=alice().pk, now=NOW) == 1


class TestBadge:
    def test_every_page_shows_it(self, member):
        letter_to(alice())
        assert "<span data-inbox-count>1</span>" in member.get(INBOX).content.decode()

    def test_it_stops_counting(self):
        say(recipients=None)
        person = make_user()
        for n in range(101):
            letter_to(person, str(n))
        assert badge_of(member_id=person.pk, now=NOW) == "99+"
        assert badge_of(member_id=bob().pk, now=NOW) == ""

    def test_a_page_that_does_not_show_it_does_not_count(self, rf, django_assert_num_queries):
        request = rf.get("/")
        request.user = alice()
        with django_assert_num_queries(0):
            context = inbox(request)
        with django_assert_num_queries(1):
            assert str(context["inbox_unread"]) == ""

    def test_scripts_get_it_with_a_token(self, member):
        letter_to(alice())
        answer = member.get("/inbox/live/").json()
        assert answer["unread"] == "1"
        assert answer["token"]

    def test_scripts_of_visitors_get_nothing(self, client):
        assert client.get("/inbox/live/").status_code == 401


class TestTellingPages:
    @pytest.fixture
    def told(self, monkeypatch):
        told: list[object] = []
        monkeypatch.setattr(topics, "publish_many", lambda names, event, data: told.extend(names))
        monkeypatch.setattr(topics, "publish", lambda name, event, data: told.append((name, data)))
        return told

    def test_few_are_told_one_by_one(self, told, django_capture_on_commit_callbacks):
        with django_capture_on_commit_callbacks(execute=True):
            say(recipients=[named(alice()), named(bob()), outsider()])
        assert set(told) == {f"inbox:{alice().public_id}", f"inbox:{bob().public_id}"}

    def test_a_crowd_hears_it_on_one_topic(self, told, monkeypatch, django_capture_on_commit_callbacks):
        monkeypatch.setattr("notifications.services.expansion.SINGLE_LIMIT", 1)
        alice(), bob()
        say()
        with django_capture_on_commit_callbacks(execute=True):
            expand_due_messages(now=NOW)
        assert told == [("inbox:all", {"spread": topics.SPREAD_SECONDS})]

    def test_a_kind_without_inbox_tells_nobody(self, told, django_capture_on_commit_callbacks):
        with django_capture_on_commit_callbacks(execute=True):
            say("test.mail", recipients=[named(alice())])
        assert told == []
        assert Delivery.objects.get().state == State.PLANNED
