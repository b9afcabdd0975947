"""Audiences, broadcasts and sequences in the admin."""

import datetime as dt

import pytest
from django.core import mail
from django.db.models.expressions import RawSQL
from django.test import Client
from django.utils import timezone

from accounts import roles
from accounts.models import User
from accounts.privacy import person_at
from notifications import privacy, segments
from notifications.models import Broadcast, Message, Segment, Sequence, SequenceStep, SequenceTurn
from notifications.recipients import Recipient, members
from notifications.segments import Rule
from notifications.services import audiences, process_notifications
from notifications.services.sequences import enrol
from tests.factories import admin, alice, bob, make_user

pytestmark = pytest.mark.django_db
BASE = "/admin/notifications"
WORDS = {"subject": "Hello {{ name }}", "text": "A text."}


@pytest.fixture
def staff(client) -> Client:
    client.force_login(admin())
    return client


def when(**delta):
    return timezone.localtime(timezone.now() + dt.timedelta(**delta), admin_zone()).strftime("%Y-%m-%dT%H:%M")


def admin_zone():
    return dt.timezone(dt.timedelta(hours=3))  # Nairobi has no summer time


def audience(staff, **changes):
    data = {"title": "Everybody", "join0": "and", "rule0": "accounts.everybody|", **changes}
    return staff.post(f"{BASE}/segment/add/", data)


def broadcast(staff, **changes):
    data = {
        "title": "News",
        "segment": Segment.objects.get().pk,
        "category": "service",
        "channels": ["in_app", "email"],
        "send_at": when(hours=1),
        **changes,
    }
    return staff.post(f"{BASE}/broadcast/add/", data)


def test_an_audience_that_takes_too_long_to_count_says_so(staff, monkeypatch):
    slow = User.objects.annotate(slept=RawSQL("pg_sleep(5)::text", [])).filter(slept="")
    monkeypatch.setitem(
        segments._rules, "test.slow", Rule("test.slow", "is slow", lambda value: members(slow))
    )
    monkeypatch.setattr(audiences, "PATIENCE", "50ms")
    counted = staff.post(f"{BASE}/segment/count/", {"rule0": "test.slow|"})
    assert counted.status_code == 200
    assert "takes too long" in counted.content.decode()


def test_an_audience_is_put_together_and_counted(staff):
    alice(), bob()
    counted = staff.post(
        f"{BASE}/segment/count/",
        {"rule0": "accounts.everybody|", "join1": "and-not", "rule1": "accounts.country|BD"},
    ).content.decode()
    assert "has an account and not (lives in BD)" in counted
    assert "<dd>2</dd>" in counted
    assert audience(staff).status_code == 302
    page = staff.get(f"{BASE}/segment/{Segment.objects.get().pk}/change/").content.decode()
    assert "<dd>3</dd>" in page
    assert "has an account" in staff.get(f"{BASE}/segment/").content.decode()


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"rule0": "", "join1": "and"}, "at least one rule"),
        ({"join0": "and", "rule0": "", "join1": "and-not", "rule1": "accounts.staff|"}, "only say whom"),
        ({"rule0": "nonsense|x"}, "not one of the available choices"),
        ({"title": ""}, "required"),
    ],
)
def test_an_audience_that_is_none_keeps_what_was_chosen(staff, changes, says):
    page = audience(
        staff, rule2="accounts.staff|" if "join1" not in changes else "", **{"join2": "and-not", **changes}
    )
    assert page.status_code == 200
    assert says in page.content.decode()
    assert not Segment.objects.exists()


def test_a_broadcast_is_written_looked_at_scheduled_and_called_off(staff):
    alice()
    audience(staff)
    assert broadcast(staff).status_code == 302
    row = Broadcast.objects.get()
    page = staff.get(f"{BASE}/broadcast/{row.pk}/change/").content.decode()
    assert "Nothing is written yet" in page
    assert staff.post(f"{BASE}/broadcast/{row.pk}/words/en/", WORDS).status_code == 302
    page = staff.get(f"{BASE}/broadcast/{row.pk}/change/").content.decode()
    assert "2 by e-mail at 50 a second take less than a minute" in page
    assert "Schedule it for 2" in page
    assert staff.get(f"{BASE}/broadcast/{row.pk}/schedule/").status_code == 302
    assert not Message.objects.exists()
    staff.post(f"{BASE}/broadcast/{row.pk}/schedule/")
    assert "scheduled" in staff.get(f"{BASE}/broadcast/").content.decode()
    process_notifications(now=timezone.now() + dt.timedelta(hours=1))
    assert {one.subject for one in mail.outbox} == {"Hello Alice Wanjiru", "Hello Amina Admin"}
    page = staff.get(f"{BASE}/broadcast/{row.pk}/change/").content.decode()
    assert "Use it again" in page
    staff.post(f"{BASE}/broadcast/{row.pk}/cancel/")
    staff.post(f"{BASE}/broadcast/{row.pk}/copy/")
    assert [one.state for one in Broadcast.objects.order_by("pk")] == ["cancelled", "draft"]


def test_it_is_said_who_would_be_told_too_late(staff, settings):
    settings.NOTIFICATION_RATES = {"email": 0.001}
    alice()
    audience(staff)
    broadcast(staff, expires_at=when(hours=1, minutes=20))
    page = staff.get(f"{BASE}/broadcast/{Broadcast.objects.get().pk}/change/").content.decode()
    assert "would come too late" in page


def test_a_broadcast_form_keeps_what_was_typed(staff):
    audience(staff)
    page = broadcast(staff, title="Kept title", channels=[]).content.decode()
    assert "Kept title" in page
    assert "required" in page
    assert not Broadcast.objects.exists()


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"text": "{{ nobody }}"}, "Line 1: There is no variable “nobody”"),
        ({"subject": ""}, "Write a subject and a text"),
        ({"subject": "LOUD AND CLEAR"}, "I have read the warnings"),
        ({"text": "{% include 'x' %}"}, "can&#x27;t be used here"),
    ],
)
def test_words_of_a_broadcast_keep_what_was_typed(staff, changes, says):
    audience(staff)
    broadcast(staff)
    row = Broadcast.objects.get()
    page = staff.post(f"{BASE}/broadcast/{row.pk}/words/en/", {**WORDS, "sms": "kept", **changes})
    assert says in page.content.decode()
    assert "kept" in page.content.decode()
    row.refresh_from_db()
    assert not row.words


def test_words_of_a_broadcast_are_tried_out_on_oneself(staff):
    audience(staff)
    broadcast(staff)
    address = f"{BASE}/broadcast/{Broadcast.objects.get().pk}/words/en/"
    assert "A test is on its way" in staff.post(address, {**WORDS, "test": "1"}).content.decode()
    process_notifications(now=timezone.now())
    assert [one.subject for one in mail.outbox] == ["[Test] Hello Asha Kamau"]
    shown = staff.post(f"{BASE}/broadcast/preview/", {**WORDS, "language": "en", "category": "service"})
    assert "Hello Asha Kamau" in shown.content.decode()


def test_a_language_that_is_none_is_not_there(staff):
    audience(staff)
    broadcast(staff)
    assert staff.get(f"{BASE}/broadcast/{Broadcast.objects.get().pk}/words/xx/").status_code == 404
    assert staff.post(f"{BASE}/broadcast/preview/", {"language": "xx"}).status_code == 204


def test_a_sequence_is_written_switched_on_and_its_step_taken_out(staff):
    assert (
        staff.post(
            f"{BASE}/sequence/add/", {"title": "After", "occasion": "draws.entered", "category": "service"}
        ).status_code
        == 302
    )
    row = Sequence.objects.get()
    staff.post(f"{BASE}/sequence/{row.pk}/switch/", {"on": "1"})
    row.refresh_from_db()
    assert not row.is_active  # it has no step yet
    staff.post(f"{BASE}/sequence/{row.pk}/add-step/", {"after": 2, "unit": "days", "channels": ["email"]})
    step = SequenceStep.objects.get()
    assert step.delay == dt.timedelta(days=2)
    words = {"subject": "Soon: {{ draw }}", "text": "On {{ draw_at|date:'j F' }}."}
    assert staff.post(f"{BASE}/sequence/steps/{step.pk}/words/en/", words).status_code == 302
    staff.post(f"{BASE}/sequence/{row.pk}/switch/", {"on": "1"})
    row.refresh_from_db()
    assert row.is_active
    values = {"draw": "Bikes", "slug": "bikes", "draw_at": timezone.now()}
    enrol(
        occasion="draws.entered",
        about="draws.draw:1",
        recipient=Recipient.of(alice()),
        values=values,
        at=timezone.now(),
    )
    page = staff.get(f"{BASE}/sequence/{row.pk}/change/").content.decode()
    assert "2 days" in page
    assert "1 wait, 0 told" in page
    staff.post(f"{BASE}/sequence/steps/{step.pk}/retire/")
    process_notifications(now=timezone.now() + dt.timedelta(days=3))
    assert not mail.outbox
    assert (
        staff.post(
            f"{BASE}/sequence/{row.pk}/change/",
            {"title": "x", "occasion": "draws.entered", "category": "promotional"},
        ).status_code
        == 200
    )


def test_support_sees_none_of_it(client):
    client.force_login(make_user(role=roles.SUPPORT_LEAD, is_staff=True))
    for page in ("segment", "broadcast", "sequence"):
        assert client.get(f"{BASE}/{page}/").status_code == 404
        assert client.get(f"{BASE}/{page}/add/").status_code == 404


def test_an_erased_person_is_in_no_sequence_any_more(staff):
    sequence = Sequence.objects.create(
        title="x", occasion="draws.entered", is_active=True, made_at=timezone.now()
    )
    SequenceStep.objects.create(
        sequence=sequence, delay=dt.timedelta(0), channels=["email"], words={"en": WORDS}
    )
    SequenceStep.objects.create(
        sequence=sequence, delay=dt.timedelta(9), channels=["email"], words={"en": WORDS}
    )
    values = {"draw": "Bikes", "slug": "bikes", "draw_at": timezone.now()}
    outside = Recipient(address="zoe@elsewhere.example", name="Zoe")
    for recipient in (outside, Recipient.of(alice())):
        enrol(
            occasion="draws.entered",
            about="draws.draw:1",
            recipient=recipient,
            values=values,
            at=timezone.now(),
        )
    process_notifications(now=timezone.now())
    person = person_at("zoe@elsewhere.example")
    assert len(privacy.export(person=person)["to_come"]) == 1
    privacy.erase(person=person)
    left = SequenceTurn.objects.exclude(recipient_key=f"member:{alice().pk}")
    assert [(turn.address, turn.name) for turn in left] == [("", "")]
    assert left.get().recipient_key.startswith("erased:")
    assert SequenceTurn.objects.filter(recipient_key=f"member:{alice().pk}").count() == 2
