"""The database connection taken away from the outbox: nobody is missed, and nobody is told twice."""

import datetime as dt
from collections.abc import Callable
from contextlib import ExitStack

import pytest
from django.db import OperationalError

from accounts.models import User
from notifications import backoff
from notifications.channels.email import EmailChannel
from notifications.models import Delivery, State
from notifications.services import expand_due_messages, process_notifications, send_due_deliveries, sending
from tests.draws.processes import cut_connections, database_gone, gate, start
from tests.notifications.outbox import NOW, outsider, say

PEOPLE = 30


@pytest.fixture
def crowd(cloned_db) -> set[str]:
    """Members who are told; their addresses."""
    User.objects.bulk_create(User(email=f"crowd{n:02}@example.com", password="") for n in range(PEOPLE))
    return set(User.objects.values_list("email", flat=True))


@pytest.mark.parametrize(
    ("table", "event"), [("notifications_delivery", "INSERT"), ("notifications_message", "UPDATE")]
)
def test_an_expansion_that_is_cut_goes_on_behind_the_last_whole_page(cloned_db, crowd, table, event):
    message = say("test.money", now=NOW)
    assert expand_due_messages(now=NOW, chunk=10, chunks=1) == 10
    with gate(cloned_db) as shut:
        shut.shut(table, event)
        process = start(lambda: expand_due_messages(now=NOW, chunk=10, chunks=1))
        shut.cut(shut.wait_for_one())
        process.join(60)
    assert process.exitcode == 0
    message.refresh_from_db()
    assert (message.recipient_count, message.expanded_at) == (10, None)
    assert Delivery.objects.count() == 2 * 10
    assert message.expansion_error  # noted over a new connection
    expand_due_messages(now=NOW + backoff.bound(1), chunk=10)
    message.refresh_from_db()
    assert message.recipient_count == len(crowd)
    assert set(Delivery.objects.filter(channel="email").values_list("address", flat=True)) == crowd
    assert Delivery.objects.count() == 2 * len(crowd)


def cut_after(monkeypatch, times: int, cut: Callable[[], object]) -> None:
    """Cut the connection as soon as the server has said yes to so many mails."""
    answers = []
    real = EmailChannel.send

    def send(channel, mail):
        answer = real(channel, mail)
        answers.append(answer)
        if len(answers) == times:
            cut()
        return answer

    monkeypatch.setattr(EmailChannel, "send", send)


@pytest.mark.parametrize("kind", ["test.service", "test.money"])
def test_the_answers_of_a_sender_that_is_cut_are_written_down_all_the_same(
    cloned_db, smtp, monkeypatch, kind
):
    recipients = [outsider(f"nr{n:02}") for n in range(PEOPLE)]
    say(kind, recipients=recipients)
    cut_after(monkeypatch, 5, lambda: cut_connections(cloned_db))
    assert send_due_deliveries(now=NOW).handed == PEOPLE
    assert set(Delivery.objects.values_list("state", "lost_answers")) == {(State.HANDED, 0)}
    assert process_notifications(now=NOW + sending.LEASE * 2).processed == 0
    assert smtp.counts == {recipient.address: 1 for recipient in recipients}


def test_a_sender_whose_database_is_gone_for_good_repeats_only_what_was_lost(cloned_db, smtp, monkeypatch):
    """The mails are out and there is nowhere to write it down: one more mail with the same Message-ID, no third."""
    recipients = [outsider(f"nr{n:02}") for n in range(PEOPLE)]
    say("test.money", recipients=recipients)

    with ExitStack() as while_sending, monkeypatch.context() as patch:
        cut_after(patch, 5, lambda: while_sending.enter_context(database_gone(cloned_db)))
        with pytest.raises(OperationalError, match="not currently accepting connections"):
            send_due_deliveries(now=NOW)
    sent = sum(smtp.counts.values())
    assert 5 <= sent <= EmailChannel.batch
    later = NOW + sending.LEASE + dt.timedelta(seconds=1)
    process_notifications(now=later)
    assert set(Delivery.objects.values_list("state", flat=True)) == {State.HANDED}
    assert Delivery.objects.filter(lost_answers=1).count() == EmailChannel.batch
    assert set(smtp.counts) == {recipient.address for recipient in recipients}
    assert max(smtp.counts.values()) == 2
    assert sum(smtp.counts.values()) == PEOPLE + sent
    assert len({(mail.recipient, mail.message_id) for mail in smtp.taken}) == PEOPLE
