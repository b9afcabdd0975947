"""Sequences: each step once, at its time, as long as the occasion holds."""

import datetime as dt

import pytest
from django.core import mail
from django.db import OperationalError
from django.db.models import Q

from audit.models import Record
from draws.services import enter_draw
from draws.services.publishing import cancel_draw
from draws.services.removing import leave_draw
from notifications import occasions, variables
from notifications.models import Delivery, Message, Sequence, SequenceStep, SequenceTurn
from notifications.occasions import Occasion, OccasionError
from notifications.recipients import Recipient
from notifications.services import ContextError, process_notifications
from notifications.services.broadcasts import BroadcastError
from notifications.services.sequence_writing import add_step, failures_by_step, retire_step, save_step_words
from notifications.services.sequences import end_about, enrol, leave, set_active, take_due_turns
from notifications.words.parts import Parts
from tests.draws.factories import make_draw
from tests.factories import admin, alice, bob
from tests.notifications.outbox import NOW, outsider, say

pytestmark = pytest.mark.django_db
DAY = dt.timedelta(days=1)
ABOUT = "test.thing:1"


@pytest.fixture(autouse=True)
def _occasion(monkeypatch):
    monkeypatch.setitem(
        occasions._occasions, "test.came", Occasion("test.came", "came", {"thing": str, "at": dt.datetime})
    )


def sequence(*delays, occasion="test.came", is_active=True, **changes):
    made = Sequence.objects.create(
        title="After",
        occasion=occasion,
        is_active=is_active,
        made_at=NOW,
        category=changes.pop("category", "service"),
    )
    for number, delay in enumerate(delays, start=1):
        words = {"subject": f"Step {number}", "text": "About {{ thing }} at {{ at|date:'H:i' }}, {{ name }}."}
        if occasion != "test.came":
            words["text"] = "{{ draw }}"
        SequenceStep.objects.create(
            sequence=made, delay=delay, channels=["email"], words={"en": words}, **changes
        )
    return made


def came(person=None, *, about=ABOUT, at=NOW):
    recipient = Recipient.of(person) if isinstance(person, type(alice())) else person
    return enrol(
        occasion="test.came", about=about, recipient=recipient, values={"thing": "Bikes", "at": NOW}, at=at
    )


def sent():
    return sorted((one.to[0].split("<")[-1].rstrip(">"), one.subject) for one in mail.outbox)


def run(now):
    while process_notifications(now=now).found_work:
        pass


def test_each_step_is_said_once_at_its_time_with_the_values_of_the_occasion():
    sequence(DAY, 2 * DAY)
    assert came(alice()) == 2
    assert came(outsider()) == 2
    assert came(alice()) == 0
    run(NOW)
    assert not mail.outbox
    run(NOW + DAY)
    run(NOW + DAY)
    assert sent() == [("alice@example.com", "Step 1"), ("zoe@elsewhere.example", "Step 1")]
    assert "About Bikes at 12:00, Alice Wanjiru." in next(
        one.body for one in mail.outbox if "alice" in one.to[0]
    )
    run(NOW + 2 * DAY)
    assert [subject for _who, subject in sent()].count("Step 2") == 2
    assert Message.objects.filter(kind="notifications.step").count() == 2  # one a step, however many people


def test_two_things_are_two_enrolments():
    sequence(DAY)
    came(alice())
    came(alice(), about="test.thing:2")
    run(NOW + DAY)
    assert len(sent()) == 2


def test_who_leaves_gets_no_more():
    sequence(DAY, 2 * DAY)
    came(alice())
    came(bob())
    run(NOW + DAY)
    key = Recipient.of(alice()).key
    assert leave(occasion="test.came", about=ABOUT, recipient_key=key, now=NOW + DAY) == 1
    run(NOW + 2 * DAY)
    assert [who for who, subject in sent() if subject == "Step 2"] == ["bob@example.com"]


def test_who_leaves_between_the_turn_and_the_sending_gets_nothing():
    sequence(DAY)
    came(alice())
    came(bob())
    take_due_turns(now=NOW + DAY)
    leave(occasion="test.came", about=ABOUT, recipient_key=Recipient.of(alice()).key, now=NOW + DAY)
    run(NOW + DAY)
    assert [who for who, _subject in sent()] == ["bob@example.com"]


def test_who_leaves_while_it_waits_to_be_sent_gets_nothing():
    sequence(DAY)
    came(alice())
    take_due_turns(now=NOW + DAY)
    process_notifications(now=NOW + DAY, limit=0)
    assert Delivery.objects.get().state == "planned"
    assert (
        leave(occasion="test.came", about=ABOUT, recipient_key=Recipient.of(alice()).key, now=NOW + DAY) == 1
    )
    run(NOW + DAY)
    assert not mail.outbox


def test_what_is_called_off_is_called_off_for_all():
    sequence(DAY)
    came(alice())
    came(bob())
    assert end_about(about=ABOUT, now=NOW) == 2
    run(NOW + DAY)
    assert not mail.outbox


@pytest.mark.parametrize("is_expanded", [True, False])
@pytest.mark.parametrize("how", ["thing", "step", "sequence"])
def test_what_is_called_off_is_called_off_also_where_its_turn_was_taken(how, is_expanded):
    made = sequence(DAY, useful_for=3 * DAY)
    came(alice())
    came(bob())
    came(bob(), about="test.thing:2")
    take_due_turns(now=NOW + DAY)
    if is_expanded:
        process_notifications(now=NOW + DAY, limit=0)
        assert Delivery.objects.filter(state="planned").count() == 3
    count = 3
    if how == "thing":
        count = end_about(about=ABOUT, now=NOW + DAY)
    elif how == "step":
        assert retire_step(step=made.steps.get(), by=admin(), now=NOW + DAY) == count
    else:
        set_active(sequence=made, is_active=False, by=admin(), now=NOW + DAY)
        assert Record.objects.get(action="notification.sequence_off").data == {"people": count}
    run(NOW + DAY)
    told = [("bob@example.com", "Step 1")] if how == "thing" else []
    assert sent() == told
    assert count == 3 - len(told)
    assert SequenceTurn.objects.filter(batch__isnull=False).count() == len(told), "who counts as told"
    set_active(sequence=made, is_active=True, by=admin(), now=NOW + 2 * DAY)
    run(NOW + 2 * DAY)
    assert len(sent()) == (3 if how == "sequence" else len(told)), "switched on again, it goes on"


def test_what_is_out_stays_out_when_it_is_called_off():
    made = sequence(DAY, useful_for=3 * DAY)
    came(alice())
    take_due_turns(now=NOW + DAY)
    process_notifications(now=NOW + DAY, limit=0)
    assert came(bob()) == 1
    run(NOW + DAY)
    assert len(sent()) == 2
    assert end_about(about=ABOUT, now=NOW + DAY) == 0
    assert not Message.objects.filter(cancelled_at__isnull=False).exists()
    set_active(sequence=made, is_active=False, by=admin(), now=NOW + DAY)
    set_active(sequence=made, is_active=True, by=admin(), now=NOW + DAY)
    run(NOW + DAY)
    assert len(sent()) == 2


def test_of_one_message_who_has_it_keeps_it_and_the_others_are_not_told():
    sequence(DAY, useful_for=3 * DAY)
    came(alice())
    came(bob())
    take_due_turns(now=NOW + DAY)
    process_notifications(now=NOW + DAY, limit=1)
    assert len(sent()) == 1
    assert end_about(about=ABOUT, now=NOW + DAY) == 1
    run(NOW + DAY)
    assert len(sent()) == 1
    assert sorted(Delivery.objects.values_list("state", flat=True)) == ["cancelled", "handed"]
    assert SequenceTurn.objects.filter(batch__isnull=False).count() == 1


def test_what_comes_too_late_is_not_said():
    sequence(DAY, useful_for=DAY)
    came(alice())
    run(NOW + 3 * DAY)
    assert not mail.outbox
    assert SequenceTurn.objects.get().ended_at is not None


def test_switched_off_it_enrols_nobody_and_says_nothing():
    made = sequence(DAY)
    came(alice())
    assert set_active(sequence=made, is_active=False, by=admin(), now=NOW)
    assert not set_active(sequence=made, is_active=False, by=admin(), now=NOW)
    assert came(bob()) == 0
    run(NOW + DAY)
    assert not mail.outbox
    set_active(sequence=made, is_active=True, by=admin(), now=NOW)
    run(NOW + DAY)
    assert [who for who, _subject in sent()] == ["alice@example.com"]


def test_a_killed_sweep_has_said_nothing_and_is_done_again(monkeypatch):
    sequence(DAY)
    came(alice())

    def killed(**_):
        raise SystemExit

    monkeypatch.setattr("notifications.services.sequences.notify", killed)
    with pytest.raises(SystemExit):
        take_due_turns(now=NOW + DAY)
    monkeypatch.undo()
    monkeypatch.setitem(
        occasions._occasions, "test.came", Occasion("test.came", "came", {"thing": str, "at": dt.datetime})
    )
    run(NOW + DAY)
    assert len(sent()) == 1


def test_words_that_fit_into_no_message_are_refused():
    step = add_step(sequence=sequence(), delay=DAY, channels=["email"], by=admin(), now=NOW)
    long = Parts(subject="Hi", text="Hello", html=f"<p>{'নমস্কার ' * 3000}</p>")

    def write(language):
        return save_step_words(
            step=step, language=language, parts=long, by=admin(), now=NOW, accepts_warnings=True
        )

    assert write("en").words  # one language of it fits
    with pytest.raises(BroadcastError, match="too long"):
        write("bn")
    assert set(SequenceStep.objects.get().words) == {"en"}


@pytest.mark.parametrize("has_other_first", [True, False])
def test_a_step_that_cannot_be_said_stops_nothing_else(client, has_other_first):
    made = sequence(DAY, DAY)
    first, second = made.steps.order_by("pk")
    bad = first if has_other_first else second
    bad.words = {"en": {"subject": "Long", "text": "x" * variables.LIMIT}}
    bad.save()
    came(alice())
    came(bob())
    say("test.mail", key="other")
    run(NOW + DAY)
    good = second if has_other_first else first
    step_mails = [who for who, subject in sent() if subject == good.words["en"]["subject"]]
    assert step_mails == ["alice@example.com", "bob@example.com"]
    assert Delivery.objects.filter(message__kind="test.mail", state="handed").exists()
    assert not bad.turns.filter(Q(ended_at=None) | Q(batch__isnull=False)).exists()
    noted = Record.objects.get(action="notification.step_failed")
    assert noted.data["step"] == bad.pk
    assert noted.data["people"] == 2
    assert "the largest is words" in failures_by_step(made)[bad.pk]
    assert good.pk not in failures_by_step(made)
    client.force_login(admin())
    page = f"/admin/notifications/sequence/{made.pk}/change/"
    assert "the largest is words" in client.get(page).content.decode()
    bad.refresh_from_db()
    parts = Parts(subject="Short", text="Hello")
    save_step_words(step=bad, language="en", parts=parts, by=admin(), now=NOW + DAY, accepts_warnings=True)
    assert not failures_by_step(made)


def test_trouble_of_the_database_ends_no_turn(monkeypatch):
    sequence(DAY)
    came(alice())

    def deadlock(**_):
        raise OperationalError("deadlock detected")

    monkeypatch.setattr("notifications.services.sequences.notify", deadlock)
    with pytest.raises(OperationalError):
        take_due_turns(now=NOW + DAY)
    assert SequenceTurn.objects.get().ended_at is None


def test_due_turns_are_found_by_one_statement(django_assert_num_queries):
    with django_assert_num_queries(4):  # savepoint, erasures kept out, the turns, release
        take_due_turns(now=NOW)


def test_an_occasion_that_nobody_declares_is_refused():
    with pytest.raises(OccasionError):
        enrol(occasion="no.such", about=ABOUT, recipient=outsider(), values={}, at=NOW)
    with pytest.raises(ContextError):
        enrol(occasion="test.came", about=ABOUT, recipient=outsider(), values={}, at=NOW)


class TestDraws:
    """Entering a draw is the first occasion."""

    def test_who_enters_is_told_what_follows_until_they_leave(self):
        sequence(dt.timedelta(0), occasion="draws.entered")
        draw = make_draw(slug="bikes", title="Bikes")
        now = draw.opens_at + dt.timedelta(minutes=1)
        enter_draw(draw=draw, member=alice(), now=now)
        enter_draw(draw=draw, member=bob(), now=now)
        leave_draw(draw=draw, member=bob(), now=now)
        run(now)
        assert [who for who, subject in sent() if subject == "Step 1"] == ["alice@example.com"]

    def test_nothing_follows_on_a_cancelled_draw(self):
        sequence(DAY, occasion="draws.entered")
        draw = make_draw(slug="bikes")
        enter_draw(draw=draw, member=alice(), now=NOW)
        cancel_draw(draw=draw, by=admin(), reason="Broken", now=NOW)
        assert SequenceTurn.objects.get().ended_at is not None
