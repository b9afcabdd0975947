"""From a message to its deliveries."""

import datetime as dt

import pytest
from django.contrib.admin.models import LogEntry
from django.db import connection
from django.db.models import F, TextField, Value
from django.db.models.functions import Concat
from django.test.utils import CaptureQueriesContext

from accounts.models import User
from notifications import kinds
from notifications.models import Delivery, Message, State
from notifications.recipients import members, people
from notifications.services import expansion
from notifications.services.expansion import expand_due_messages
from tests.factories import admin, alice, bob, carol
from tests.notifications.outbox import NOW, kind_like, named, say


def crowd(number: int) -> None:
    """Many members, made quickly."""
    User.objects.bulk_create(User(email=f"crowd{n}@example.com", password="") for n in range(number))


def use(kind: str, **changes) -> None:
    """Replace a test kind by a changed one."""
    kinds._kinds[kind] = kind_like(kind, **changes)


@pytest.mark.django_db
class TestExpansion:
    def test_each_recipient_gets_a_delivery_by_each_channel(self):
        alice(), bob()
        message = say()
        assert expand_due_messages(now=NOW) == 2
        message.refresh_from_db()
        assert (message.recipient_count, message.expanded_at) == (2, NOW)
        assert message.deliveries.count() == 4
        mail = message.deliveries.get(member=bob(), channel="email")
        assert (mail.address, mail.name, mail.time_zone) == ("bob@example.com", "Bob Rahman", "Asia/Dhaka")
        assert (mail.params, mail.state, mail.next_attempt_at) == (
            {"code": "bob@example.com"},
            "planned",
            NOW,
        )
        letter = message.deliveries.get(member=bob(), channel="in_app")
        assert (letter.address, letter.state, letter.handed_at) == ("", State.DELIVERED, NOW)

    def test_nothing_happens_before_it_is_due(self):
        alice()
        say(not_before=NOW + dt.timedelta(minutes=1))
        assert expand_due_messages(now=NOW) == 0
        assert expand_due_messages(now=NOW + dt.timedelta(minutes=1)) == 1

    def test_expanding_again_adds_nothing(self):
        crowd(5)
        message = say()
        assert expand_due_messages(now=NOW, chunk=2) == 5
        assert expand_due_messages(now=NOW, chunk=2) == 0
        Message.objects.update(expanded_at=None, cursor=0)  # as if the cursor had been lost
        assert expand_due_messages(now=NOW, chunk=2) == 0
        message.refresh_from_db()
        assert (message.recipient_count, message.deliveries.count()) == (5, 10)

    def test_it_goes_on_after_the_last_page(self):
        crowd(5)
        message = say()
        expand_due_messages(now=NOW, chunk=2, chunks=1)
        message.refresh_from_db()
        assert (message.recipient_count, message.expanded_at) == (2, None)
        expand_due_messages(now=NOW, chunk=2)
        message.refresh_from_db()
        assert (message.recipient_count, message.expanded_at) == (5, NOW)

    def test_people_with_an_account_get_no_mail_where_only_outsiders_do(self):
        alice()
        message = say("test.outsiders")
        expand_due_messages(now=NOW)
        assert list(message.deliveries.values_list("channel", flat=True)) == ["in_app"]

    def test_promotions_reach_only_those_who_asked_for_them(self):
        alice()
        User.objects.filter(pk=bob().pk).update(accepts_promotions=True)
        User.objects.filter(pk=carol().pk).update(accepts_promotions=True, is_active=False)
        message = say("test.teaser")
        assert expand_due_messages(now=NOW) == 1
        assert {delivery.member for delivery in message.deliveries.all()} == {bob()}

    def test_an_expired_message_is_not_expanded(self):
        alice()
        message = say(expires_at=NOW + dt.timedelta(hours=1))
        expand_due_messages(now=NOW + dt.timedelta(hours=1))
        message.refresh_from_db()
        assert (message.recipient_count, message.expansion_error) == (0, expansion.EXPIRED)
        assert message.expanded_at

    def test_a_kind_without_a_query_has_nobody_to_find(self):
        message = say("test.named")
        expand_due_messages(now=NOW)
        message.refresh_from_db()
        assert message.expanded_at == NOW

    def test_a_query_that_fails_waits_and_stops_no_other(self):
        alice()
        hopeless = say("test.hopeless", key="1")
        good = say(key="2")
        expand_due_messages(now=NOW)
        hopeless.refresh_from_db()
        assert hopeless.expansion_failures == 1
        assert "nonsense" in hopeless.expansion_error
        assert NOW <= hopeless.expand_after <= NOW + dt.timedelta(seconds=30)
        good.refresh_from_db()
        assert good.recipient_count == 1

    def test_it_expands_when_its_query_is_mended(self):
        alice()
        message = say("test.hopeless")
        expand_due_messages(now=NOW)
        use("test.hopeless")
        later = NOW + dt.timedelta(minutes=1)
        assert expand_due_messages(now=later) == 1
        message.refresh_from_db()
        assert (message.expansion_error, message.expansion_failures) == ("", 0)

    def test_a_query_of_another_shape_is_refused(self):
        use("test.service", recipients=lambda message: User.objects.values("pk", "email"))
        message = say()
        expand_due_messages(now=NOW)
        message.refresh_from_db()
        assert "a recipients query selects cursor" in message.expansion_error


@pytest.mark.django_db
class TestQueries:
    def expanded(self, queryset) -> list[Delivery]:
        use("test.service", recipients=lambda message: queryset)
        message = say()
        expand_due_messages(now=NOW, chunk=1)
        message.refresh_from_db()
        assert message.expansion_error == ""
        return list(message.deliveries.filter(channel="email").order_by("pk"))

    def test_percent_signs_and_filters_survive(self):
        User.objects.filter(pk=alice().pk).update(display_name="100% Alice %s")
        bob()
        found = members(User.objects.filter(display_name__contains="100%"), params={"code": Value("5 %")})
        [delivery] = self.expanded(found.extra(where=["email LIKE 'ali%%'"]))
        assert (delivery.name, delivery.params) == ("100% Alice %s", {"code": "5 %"})

    def test_an_empty_query_finds_nobody(self):
        assert self.expanded(members(User.objects.none())) == []

    def test_rows_of_one_cursor_are_never_split_over_two_pages(self):
        alice(), bob()
        fields = {"member_id": "pk", "address": "email", "name": "display_name"}
        both = User.objects.values(
            "language",
            "time_zone",
            cursor=Value(7),
            recipient_key=Concat(Value("member:"), F("pk"), output_field=TextField()),
            params=Value("{}"),
            **{column: F(field) for column, field in fields.items()},
        )
        assert len(self.expanded(both)) == 2

    def test_rows_that_point_to_accounts_or_bear_an_address(self):
        LogEntry.objects.create(user=alice(), action_flag=1, object_repr="ignored@example.com")
        [delivery] = self.expanded(
            people(
                LogEntry.objects.all(),
                account="user",
                address="object_repr",
                params={"code": F("object_repr")},
            )
        )
        assert delivery.recipient_key == f"member:{alice().pk}"
        assert (delivery.address, delivery.language) == ("alice@example.com", "en")
        assert delivery.params == {"code": "ignored@example.com"}


class TestAtOnce:
    def test_two_workers_share_the_messages_and_nobody_is_told_twice(self, parallel):
        crowd(300)
        messages = [say(key=str(n)) for n in range(6)]
        outcomes = parallel(lambda: expand_due_messages(now=NOW, chunk=50), 3)
        assert outcomes.errors == []
        assert sum(outcomes.results) == 300 * len(messages)
        assert Delivery.objects.count() == 300 * len(messages) * 2
        assert set(Message.objects.values_list("recipient_count", flat=True)) == {300}

    def test_saying_the_same_at_once_says_it_once(self, parallel):
        admin()
        outcomes = parallel(lambda: say(recipients=[named(admin())]).pk, 6)
        assert outcomes.errors == []
        assert len(set(outcomes.results)) == 1
        assert Delivery.objects.count() == 2

    def test_many_recipients_take_no_more_statements_than_few(self, cloned_db):
        def statements(number: int) -> int:
            crowd(number)
            say(key=str(number))
            with CaptureQueriesContext(connection) as queries:
                assert expand_due_messages(now=NOW, chunks=1) == User.objects.count()
            User.objects.all().delete()
            return len(queries)

        assert statements(2_000) <= statements(2)
