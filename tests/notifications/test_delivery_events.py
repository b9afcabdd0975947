"""What providers tell afterwards: kept once, in any order, and what follows from it."""

import datetime as dt
import itertools
from dataclasses import replace

import pytest
from django.db import IntegrityError, InternalError, connection, transaction

from accounts.privacy import person_at
from notifications import privacy
from notifications.channels.seam import Happened
from notifications.models import Delivery, DeliveryEvent, State, Suppression
from notifications.services import Event, record_events, send_due_deliveries
from tests.notifications.outbox import NOW, outsider, say
from tests.notifications.scripted import PATH, Script, ScriptedSender


@pytest.fixture
def handed(settings, monkeypatch) -> Delivery:
    settings.NOTIFICATION_CHANNELS = {"email": PATH}
    monkeypatch.setattr(ScriptedSender, "script", Script())
    say("test.mail", recipients=[outsider()])
    send_due_deliveries(now=NOW)
    return Delivery.objects.get()


def told(delivery: Delivery, happened: Happened, *, after: int = 1, event_id: str = "") -> Event:
    return Event(
        provider="fake",
        event_id=event_id or f"{happened}-{after}",
        delivery_id=delivery.pk,
        happened=happened,
        at=NOW + dt.timedelta(seconds=after),
        code="250",
        text="as told",
    )


@pytest.mark.django_db
class TestEvents:
    def test_told_twice_it_is_kept_once(self, handed):
        event = told(handed, Happened.DELIVERED)
        assert record_events(events=[event, event], now=NOW) == [event]
        assert record_events(events=[event], now=NOW) == []
        assert DeliveryEvent.objects.count() == 1

    @pytest.mark.parametrize(
        ("happened", "ends"),
        [
            ((Happened.ACCEPTED, Happened.DELIVERED), State.DELIVERED),
            ((Happened.DEFERRED,), State.HANDED),
            ((Happened.DELIVERED, Happened.COMPLAINED), State.COMPLAINED),
            ((Happened.ACCEPTED, Happened.BOUNCED), State.BOUNCED),
            ((Happened.ACCEPTED, Happened.FAILED), State.FAILED),
            ((Happened.FAILED, Happened.DELIVERED), State.DELIVERED),
            ((Happened.DELIVERED, Happened.OPENED, Happened.CLICKED), State.DELIVERED),
        ],
    )
    def test_in_whatever_order_and_pieces_it_ends_the_same(self, handed, happened, ends):
        events = [told(handed, what, after=at) for at, what in enumerate(happened)]
        record_events(events=list(reversed(events)), now=NOW)
        handed.refresh_from_db()
        assert handed.state == ends

    def test_late_news_of_less_undoes_nothing(self, handed):
        for order in itertools.permutations(
            [told(handed, Happened.COMPLAINED, after=9), told(handed, Happened.DELIVERED, after=1)]
        ):
            with transaction.atomic():
                for event in order:
                    record_events(events=[event], now=NOW)
                handed.refresh_from_db()
                assert handed.state == State.COMPLAINED
                transaction.set_rollback(True)

    @pytest.mark.parametrize(
        ("happened", "reason"), [(Happened.BOUNCED, "bounce"), (Happened.COMPLAINED, "complaint")]
    )
    def test_a_bounce_and_a_complaint_suppress_the_address(self, handed, happened, reason):
        record_events(events=[told(handed, happened)], now=NOW)
        assert Suppression.objects.get().reason == reason

    def test_before_the_workers_own_answer_is_written_it_counts_already(self, handed):
        Delivery.objects.update(state=State.CLAIMED, handed_at=None)
        record_events(events=[told(handed, Happened.DELIVERED)], now=NOW)
        handed.refresh_from_db()
        assert (handed.state, handed.handed_at) == (State.DELIVERED, NOW + dt.timedelta(seconds=1))

    def test_of_somebody_erased_meanwhile_nothing_is_kept_that_may_quote_their_address(self, handed):
        privacy.erase(person=person_at("zoe@elsewhere.example"))
        event = replace(
            told(handed, Happened.FAILED), code="550", text="<zoe@elsewhere.example> mailbox full"
        )
        assert record_events(events=[event], now=NOW) == [event]
        handed.refresh_from_db()
        assert (handed.provider_code, handed.provider_text) == ("550", "")
        assert DeliveryEvent.objects.get().text == ""

    def test_of_a_delivery_that_is_none_nothing_is_kept(self, handed):
        strange = Event("fake", "1", handed.pk + 1_000, Happened.DELIVERED, NOW)
        assert record_events(events=[strange], now=NOW) == []
        assert not DeliveryEvent.objects.exists()

    @pytest.mark.parametrize(
        "sql",
        ["UPDATE notifications_deliveryevent SET code = 'x'", "DELETE FROM notifications_deliveryevent"],
    )
    def test_what_was_told_can_not_be_changed(self, handed, sql):
        record_events(events=[told(handed, Happened.DELIVERED)], now=NOW)
        with (
            pytest.raises((IntegrityError, InternalError)),
            transaction.atomic(),
            connection.cursor() as cursor,
        ):
            cursor.execute(sql)
        assert DeliveryEvent.objects.update(text="") == 1  # an erasure


def test_told_by_many_at_once_it_is_kept_once(cloned_db, parallel, settings, monkeypatch):
    settings.NOTIFICATION_CHANNELS = {"email": PATH}
    monkeypatch.setattr(ScriptedSender, "script", Script())
    say("test.mail", recipients=[outsider()])
    send_due_deliveries(now=NOW)
    delivery = Delivery.objects.get()
    event = told(delivery, Happened.BOUNCED)
    new = parallel(lambda: len(record_events(events=[event], now=NOW)), 8)
    assert (sum(new.results), new.errors) == (1, [])
    assert (DeliveryEvent.objects.count(), Suppression.objects.count()) == (1, 1)
