"""Messages as mails for sending elsewhere: everybody once, and nobody who should not hear of it."""

import datetime as dt

import pytest

from accounts.models import User
from notifications.csv_cells import defused
from notifications.models import Delivery, State
from notifications.services import (
    cancel_message,
    expand_due_messages,
    export_mails,
    messages_to_come,
    send_due_deliveries,
)
from tests.factories import admin, alice, bob, carol
from tests.notifications.outbox import NOW, named, outsider, say

pytestmark = pytest.mark.django_db

ABOUT = "test.thing:1"


def exported(**options):
    return list(export_mails(about=ABOUT, now=NOW, **options))


def recipients(**options) -> list[str]:
    return [mail.recipient for mail in exported(**options)]


def test_one_mail_a_person_also_for_those_told_in_the_inbox_alone():
    say("test.service", key="1", about=ABOUT, recipients=[named(alice()), outsider()])  # inbox and mail
    say("test.inbox", key="2", about=ABOUT, recipients=[named(bob())])
    say("test.inbox", key="3", about="test.thing:2", recipients=[named(carol())])
    mails = exported()
    assert sorted((mail.recipient, mail.template_kind) for mail in mails) == [
        ("alice@example.com", "test.service"),
        ("bob@example.com", "test.inbox"),
        ("zoe@elsewhere.example", "test.service"),
    ]
    [to_alice] = [mail for mail in mails if mail.recipient == "alice@example.com"]
    assert to_alice.subject == "About a bicycle"
    assert "Hello Alice Wanjiru," in to_alice.body
    assert "at 12:00" in to_alice.body  # 9:00 UTC in Nairobi


def test_only_some_kinds():
    say("test.service", key="1", about=ABOUT, recipients=[named(alice())])
    say("test.inbox", key="2", about=ABOUT, recipients=[named(bob())])
    assert recipients(only_kinds=["test.inbox"]) == ["bob@example.com"]


def test_what_was_sent_already_is_in_it_too(smtp):
    say("test.mail", about=ABOUT, recipients=[outsider()])
    assert send_due_deliveries(now=NOW).handed == 1
    assert recipients() == ["zoe@elsewhere.example"]


@pytest.mark.parametrize("state", [State.BOUNCED, State.COMPLAINED, State.SUPPRESSED, State.CANCELLED])
def test_who_should_not_be_written_to_is_not_reached_by_the_inbox_copy_either(state):
    say("test.service", about=ABOUT, recipients=[named(alice()), named(bob())])
    Delivery.objects.filter(member=alice(), channel="email").update(state=state)
    assert recipients() == ["bob@example.com"]


def test_closed_accounts_and_unwanted_promotions_are_left_out():
    people = [alice(), bob(), carol()]
    User.objects.update(accepts_promotions=True)
    say("test.teaser", about=ABOUT, recipients=[named(person) for person in people])
    assert len(recipients()) == 3
    User.objects.filter(pk=alice().pk).update(is_active=False)
    User.objects.filter(pk=bob().pk).update(accepts_promotions=False)
    assert recipients() == ["carol@example.com"]


def test_cancelled_expired_and_coming_messages_are_left_out():
    taken_back = say("test.inbox", key="1", about=ABOUT, recipients=[named(alice())])
    cancel_message(message=taken_back, by=admin(), now=NOW)
    old = NOW - dt.timedelta(days=2)
    say("test.inbox", key="2", about=ABOUT, recipients=[named(bob())], now=old, expires_at=NOW)
    later = NOW + dt.timedelta(days=1)
    say("test.inbox", key="3", about=ABOUT, recipients=[named(carol())], not_before=later)
    say("test.service", key="4", about=ABOUT, not_before=later)
    assert recipients() == []
    assert messages_to_come(about=ABOUT, now=NOW) == 0


def test_it_says_how_many_messages_have_not_found_their_recipients():
    alice()
    say("test.service", about=ABOUT)
    assert (messages_to_come(about=ABOUT, now=NOW), recipients()) == (1, [])
    expand_due_messages(now=NOW)
    assert (messages_to_come(about=ABOUT, now=NOW), recipients()) == (0, ["alice@example.com"])


@pytest.mark.parametrize(
    "cell", ["=1+1", "+1", "-1", "@x", "\tx", "\rx", "\n=x", "  =1", "＝1", "＋1", "－1", " ＠x"]
)
def test_a_cell_is_shown_and_not_run(cell):
    assert defused(cell) == "'" + cell


def test_other_cells_stay_as_they_are():
    assert [defused(cell) for cell in ("", "a=1", "x@y.example", " a", "Draw of 5 = 5")] == [
        "",
        "a=1",
        "x@y.example",
        " a",
        "Draw of 5 = 5",
    ]
