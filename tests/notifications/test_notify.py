"""Saying something: one row in the caller's transaction."""

import pytest
from django.db import transaction

from audit.models import Record
from notifications.kinds import KindError
from notifications.models import Delivery, Message, State
from notifications.services import (
    ContextError,
    IdempotencyError,
    IrrevocableError,
    cancel_deliveries,
    cancel_message,
    cancel_messages_about,
    notify,
    waking,
)
from notifications.services.expansion import expand_due_messages
from tests.factories import admin, alice, bob
from tests.notifications.outbox import NOW, named, outsider, say


@pytest.mark.django_db
class TestNotify:
    def test_it_writes_one_message_and_no_delivery_yet(self):
        message = say()
        assert message.context == {"prize": "a bicycle", "at": "2026-11-20T09:00:00+00:00"}
        assert Message.objects.to_expand(NOW).get() == message
        assert not Delivery.objects.exists()

    def test_saying_it_again_returns_what_was_said_first(self):
        first = say(key="once")
        again = say(key="once", context={"prize": "another", "at": NOW})
        assert again == first
        assert Message.objects.get().context["prize"] == "a bicycle"

    def test_saying_it_again_to_others_tells_nobody(self):
        alice()
        say(key="once", recipients=[named(alice())])
        say(key="once", recipients=[named(bob())])
        assert {delivery.member for delivery in Delivery.objects.all()} == {alice()}

    def test_it_refuses_one_key_for_two_matters(self):
        say(key="once")
        with pytest.raises(IdempotencyError):
            say(key="once", about="test.thing:2")
        with pytest.raises(IdempotencyError):
            say("test.money", key="once")

    def test_it_refuses_values_that_do_not_fit_the_kind(self):
        with pytest.raises(ContextError, match="missing variables: at"):
            say(context={"prize": "a bicycle"})
        assert not Message.objects.exists()

    def test_it_refuses_a_kind_nobody_registered(self):
        with pytest.raises(KindError):
            say("test.unheard_of")

    def test_named_recipients_are_expanded_at_once(self):
        message = say(recipients=[named(alice()), outsider(), named(alice())])
        assert message.recipient_count == 2
        assert message.expanded_at == NOW
        assert set(message.deliveries.values_list("recipient_key", "channel", "state")) == {
            (f"member:{alice().pk}", "in_app", State.DELIVERED),
            (f"member:{alice().pk}", "email", State.PLANNED),
            ("email:zoe@elsewhere.example", "email", State.PLANNED),
        }

    def test_it_refuses_more_than_a_thousand_named_recipients(self):
        with pytest.raises(ValueError, match="1000"):
            say(recipients=[outsider(f"nr{n}") for n in range(1_001)])

    def test_it_refuses_params_that_do_not_fit_the_kind(self):
        recipient = outsider()
        object.__setattr__(recipient, "params", {"code": 7})
        with pytest.raises(ContextError), transaction.atomic():
            say(recipients=[recipient])
        assert not Message.objects.exists()

    def test_a_caller_that_rolls_back_has_said_nothing(self):
        with transaction.atomic():
            say(recipients=[named(alice())])
            transaction.set_rollback(True)
        assert not Message.objects.exists()
        assert not Delivery.objects.exists()

    def test_the_database_refuses_a_message_that_expires_before_it_is_due(self):
        with pytest.raises(Exception, match="notifications_message_expires_later"), transaction.atomic():
            say(expires_at=NOW)


class TestWaking:
    def test_a_worker_is_woken_when_the_caller_commits(self, cloned_db, monkeypatch):
        sent = []
        monkeypatch.setattr(waking.current_app, "send_task", lambda name, **options: sent.append(name))
        with transaction.atomic():
            say()
            assert sent == []
        assert sent == ["notifications.tasks.sweep"]

    def test_an_unreachable_broker_fails_nobody_and_is_not_asked_again_at_once(self, cloned_db, monkeypatch):
        asked = []

        def refuse(name, **options):
            asked.append(name)
            raise ConnectionError("the broker is gone")

        monkeypatch.setattr(waking.current_app, "send_task", refuse)
        monkeypatch.setattr(waking, "_quiet_until", 0.0)
        say(key="1")
        say(key="2")
        assert len(asked) == 1
        assert Message.objects.count() == 2


@pytest.mark.django_db
class TestCancel:
    def test_it_takes_back_what_is_not_sent_and_the_inbox_copies(self):
        message = say(recipients=[named(alice()), outsider()])
        Delivery.objects.filter(recipient_key__startswith="email:").update(state=State.HANDED)
        assert cancel_message(message=message, by=admin(), now=NOW) == 2
        states = dict(message.deliveries.values_list("recipient_key", "state"))
        assert states["email:zoe@elsewhere.example"] == State.HANDED
        assert states[f"member:{alice().pk}"] == State.CANCELLED
        record = Record.objects.get(action="notification.cancelled")
        assert (record.actor, record.data["deliveries"]) == (admin(), 2)

    def test_a_cancelled_message_is_not_expanded(self):
        alice()
        message = say(key="later")
        cancel_message(message=message, by=None, now=NOW)
        assert expand_due_messages(now=NOW) == 0
        assert not Delivery.objects.exists()

    def test_cancelling_twice_changes_nothing_more(self):
        message = say(recipients=[outsider()])
        assert cancel_message(message=message, by=None, now=NOW) == 1
        assert cancel_message(message=message, by=None, now=NOW) == 0
        assert Record.objects.filter(action="notification.cancelled").count() == 1

    def test_a_person_never_takes_back_what_is_irrevocable(self):
        message = say("test.evidence", key="later")
        with pytest.raises(IrrevocableError, match="nobody can take it back"):
            cancel_message(message=message, by=admin(), now=NOW)
        message.refresh_from_db()
        assert message.cancelled_at is None

    def test_the_site_takes_back_what_is_irrevocable_only_while_nobody_has_it(self):
        unheard = say("test.evidence", key="later")
        cancel_message(message=unheard, by=None, now=NOW)
        heard = say("test.evidence", recipients=[named(alice())])
        with pytest.raises(IrrevocableError):
            cancel_message(message=heard, by=None, now=NOW)
        assert cancel_messages_about(about=heard.about, kinds=[heard.kind], by=None, now=NOW) == 0
        assert cancel_deliveries(deliveries=heard.deliveries.all(), by=admin(), now=NOW) == 0
        assert set(heard.deliveries.values_list("state", flat=True)) == {State.DELIVERED, State.PLANNED}


def test_notify_is_what_other_apps_import():
    assert notify.__module__ == "notifications.services.messages"
