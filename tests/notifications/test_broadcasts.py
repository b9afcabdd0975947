"""Broadcasts: written, scheduled as one message, sent to who is in the audience then, called off."""

import datetime as dt

import pytest
from django.core import mail

from accounts.models import User
from audit.models import Record
from notifications.models import Broadcast, BroadcastState, Delivery, Message, Segment, State
from notifications.segments import Condition
from notifications.services import process_notifications
from notifications.services.audiences import duration_in_words, in_words, plans_for, save_segment, size_of
from notifications.services.broadcasts import (
    BroadcastError,
    cancel_broadcast,
    copy_broadcast,
    progress_of,
    save_broadcast,
    save_broadcast_words,
    schedule_broadcast,
    why_not_schedule,
)
from notifications.services.inbox import inbox_of, letter_of
from notifications.words.parts import Parts
from tests.factories import admin, alice, bob, carol, make_user
from tests.notifications.outbox import NOW

pytestmark = pytest.mark.django_db
AT = NOW + dt.timedelta(hours=2)
WORDS = Parts(subject="Hello {{ name }}", text="News of {{ site_name }}.", html="<p>News</p>")


def segment(*conditions, title="Everybody"):
    rules = conditions or (Condition("accounts.everybody"),)
    return save_segment(segment=None, title=title, conditions=rules, by=admin(), now=NOW)


def draft(*, words=WORDS, language="en", audience=None, **changes):
    fields = {
        "title": "News",
        "segment": audience or Segment.objects.first() or segment(),
        "category": "service",
        "channels": ["in_app", "email"],
        "send_at": AT,
        "expires_at": None,
    }
    made = save_broadcast(broadcast=None, **{**fields, **changes}, by=admin(), now=NOW)
    if words:
        made = save_broadcast_words(
            broadcast=made, language=language, parts=words, by=admin(), now=NOW, accepts_warnings=True
        )
    return made


def schedule(made):
    return schedule_broadcast(broadcast=made, by=admin(), now=NOW)


def test_it_goes_to_its_audience_at_its_time_in_each_persons_words():
    alice(), carol(), admin()
    made = draft()
    made = save_broadcast_words(
        broadcast=made,
        language="fr",
        parts=Parts("Bonjour {{ name }}", "Des nouvelles."),
        by=admin(),
        now=NOW,
    )
    made = schedule(made)
    assert (made.state, made.size) == (BroadcastState.SCHEDULED, 3)
    process_notifications(now=AT - dt.timedelta(minutes=1))
    assert not mail.outbox
    late = make_user(display_name="Lena", language="de")
    process_notifications(now=AT)
    subjects = {one.to[0].partition("<")[2].rstrip(">"): one.subject for one in mail.outbox}
    assert subjects == {
        "alice@example.com": "Hello Alice Wanjiru",
        "carol@example.com": "Bonjour Carol Tremblay",
        "admin@example.com": "Hello Amina Admin",
        late.email: "Hello Lena",  # in the audience when its time came
    }
    assert "<p>News</p>" in mail.outbox[0].alternatives[0].content or "nouvelles" in mail.outbox[0].body
    (letter,) = inbox_of(member=alice(), now=AT)
    assert letter_of(letter).words.subject == "Hello Alice Wanjiru"
    assert progress_of(Broadcast.objects.get(pk=made.pk)) == "sent"


def test_it_goes_only_by_the_channels_chosen():
    alice()
    schedule(draft(channels=["in_app"]))
    process_notifications(now=AT)
    assert not mail.outbox
    assert set(Delivery.objects.values_list("channel", flat=True)) == {"in_app"}


def test_promotions_go_only_to_who_agreed():
    User.objects.filter(pk__in=[alice().pk, bob().pk, admin().pk]).update(accepts_promotions=False)
    User.objects.filter(pk=bob().pk).update(accepts_promotions=True)
    made = schedule(draft(category="promotional"))
    assert made.size == 1
    process_notifications(now=AT)
    assert [one.to[0] for one in mail.outbox] == ['"Bob Rahman" <bob@example.com>']
    assert mail.outbox[0].extra_headers["List-Unsubscribe"]


def test_scheduling_twice_says_it_once():
    alice()
    made = draft()
    assert schedule(made).message_id == schedule(made).message_id
    process_notifications(now=AT)
    process_notifications(now=AT)
    assert Message.objects.count() == 1
    assert Delivery.objects.filter(recipient_key=f"member:{alice().pk}", channel="email").count() == 1


def test_what_the_audience_becomes_later_changes_nothing_of_what_is_scheduled():
    alice()
    made = schedule(draft())
    save_segment(
        segment=made.segment,
        title="Nobody",
        conditions=[Condition("accounts.country", "XX")],
        by=admin(),
        now=NOW,
    )
    process_notifications(now=AT)
    assert len(mail.outbox) == 2


def test_a_scheduled_one_is_changed_by_nobody():
    alice()
    made = schedule(draft())
    with pytest.raises(BroadcastError, match="nothing of it changes"):
        save_broadcast_words(
            broadcast=made, language="en", parts=WORDS, by=admin(), now=NOW, accepts_warnings=True
        )
    with pytest.raises(BroadcastError, match="nothing of it changes"):
        save_broadcast(
            broadcast=made,
            title="x",
            segment=made.segment,
            category="service",
            channels=["email"],
            send_at=AT,
            expires_at=None,
            by=admin(),
            now=NOW,
        )


def test_it_is_called_off_before_and_while_it_goes_out():
    alice(), bob()
    made = schedule(draft())
    process_notifications(now=AT, limit=1)
    assert progress_of(Broadcast.objects.get(pk=made.pk)) in ("sending", "sent")
    count = cancel_broadcast(broadcast=made, by=admin(), now=AT)
    assert count == Delivery.objects.filter(state=State.CANCELLED).count() > 0
    assert cancel_broadcast(broadcast=made, by=admin(), now=AT) == 0
    process_notifications(now=AT)
    assert not inbox_of(member=alice(), now=AT)
    early = cancel_broadcast(broadcast=schedule(draft()), by=admin(), now=NOW)
    assert early == 0


def test_a_cancelled_one_is_used_again_as_a_draft():
    alice()
    made = schedule(draft())
    cancel_broadcast(broadcast=made, by=admin(), now=NOW)
    copy = copy_broadcast(broadcast=made, by=admin(), now=NOW)
    assert (copy.state, copy.words, copy.send_at) == (
        BroadcastState.DRAFT,
        Broadcast.objects.first().words,
        None,
    )


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"words": None}, "Nothing is written"),
        ({"send_at": None}, "Choose when"),
        ({"send_at": NOW - dt.timedelta(days=1)}, "time is over"),
        ({"send_at": NOW + dt.timedelta(days=400)}, "more than a year"),
        ({"expires_at": AT}, "of no use before"),
    ],
)
def test_what_is_missing_is_told_before_it_is_scheduled(changes, says):
    alice()
    made = draft(**changes)
    assert says in why_not_schedule(made, now=NOW)
    with pytest.raises(BroadcastError, match=says):
        schedule(made)


def test_an_empty_audience_is_told():
    made = draft(audience=segment(Condition("accounts.country", "XX")))
    with pytest.raises(BroadcastError, match="Nobody is in its audience"):
        schedule(made)
    assert not Message.objects.exists()


@pytest.mark.parametrize(
    ("parts", "says"),
    [
        (Parts(text="no subject"), "Write a subject"),
        (Parts("x", "{{ prize }}"), "can't be used yet"),
        (Parts("x", "{{ words }}"), "can't be used yet"),
        (Parts("LOUD AND CLEAR", "x"), "warnings"),
    ],
)
def test_words_are_looked_at_as_all_words_of_staff_are(parts, says):
    with pytest.raises(BroadcastError, match=says):
        save_broadcast_words(broadcast=draft(words=None), language="en", parts=parts, by=admin(), now=NOW)


def test_channels_that_are_not_there_are_refused():
    for channels in ([], ["pigeon"], ["push"]):
        with pytest.raises(BroadcastError, match="by which channels"):
            draft(channels=channels)


def test_every_step_stands_in_the_trail():
    alice()
    cancel_broadcast(broadcast=schedule(draft()), by=admin(), now=NOW)
    actions = (
        Record.objects.filter(action__startswith="notification.")
        .order_by("pk")
        .values_list("action", flat=True)
    )
    assert list(actions) == [
        "notification.audience_made",
        "notification.broadcast_made",
        "notification.broadcast_written",
        "notification.broadcast_scheduled",
        "notification.cancelled",
        "notification.broadcast_cancelled",
    ]


def test_it_is_told_how_long_it_takes(settings):
    settings.NOTIFICATION_RATES = {"email": 1}
    for _ in range(3):
        make_user()
    size = size_of([Condition("accounts.everybody")], category="service")
    (channel, plan), *rest = plans_for(
        size, channels=["in_app", "email"], category="service", start=NOW, expires_at=None
    ).items()
    assert not rest
    assert in_words(channel, plan) == "3 by e-mail at 1 a second take less than a minute."
    assert duration_in_words(dt.timedelta(minutes=33)) == "33 minutes"
    assert duration_in_words(dt.timedelta(days=1, hours=2)) == "1 day 2 hours"


def test_what_goes_to_telephones_needs_a_short_text(settings):
    settings.NOTIFICATION_CHANNELS = {**settings.NOTIFICATION_CHANNELS, "sms": "no.such.Sender"}
    alice()
    made = draft(channels=["sms", "in_app"])
    assert "write a short text in “en”" in why_not_schedule(made, now=NOW)
    words = Parts(subject="Hello", text="Long.", sms="Short {{ name }}")
    made = save_broadcast_words(broadcast=made, language="en", parts=words, by=admin(), now=NOW)
    assert not why_not_schedule(made, now=NOW)
