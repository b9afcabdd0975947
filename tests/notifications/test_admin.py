"""The outbox in the admin, and processing it by hand."""

import json

import pytest
from django.core.management import call_command
from django.utils import timezone

from config import roles
from notifications.models import Delivery, Message, State
from notifications.tasks import sweep
from tests.factories import admin, alice, bob, make_user
from tests.notifications.outbox import NOW, named, outsider, say

pytestmark = pytest.mark.django_db
DELIVERIES = "/admin/notifications/delivery/"
MESSAGES = "/admin/notifications/message/"
PROCESS = f"{DELIVERIES}process-now/"


@pytest.fixture
def staff(client):
    client.force_login(admin())
    return client


def shown(response) -> set:
    assert response.status_code == 200
    return set(response.context["cl"].result_list)


@pytest.fixture
def told() -> Message:
    return say(recipients=[named(alice()), named(bob()), outsider()])


class TestLists:
    def test_they_show_messages_and_deliveries(self, staff, told):
        assert shown(staff.get(MESSAGES)) == {told}
        assert shown(staff.get(DELIVERIES)) == set(Delivery.objects.all())

    def test_they_never_count_all_rows(self, staff, told, django_assert_max_num_queries):
        with django_assert_max_num_queries(12) as queries:
            staff.get(DELIVERIES)
        assert not [
            query for query in queries if "COUNT(*)" in query["sql"] and "notifications" in query["sql"]
        ]

    @pytest.mark.parametrize("term", ["alice@example.com", "ALICE@example.com", "{public_id}"])
    def test_a_person_is_found_with_everything_they_were_told(self, staff, told, term):
        found = shown(staff.get(DELIVERIES, {"q": term.format(public_id=alice().public_id)}))
        assert found == set(Delivery.objects.filter(member=alice()))

    def test_an_outsider_is_found_by_address(self, staff, told):
        assert [d.address for d in shown(staff.get(DELIVERIES, {"q": "zoe@elsewhere.example"}))] == [
            "zoe@elsewhere.example"
        ]

    def test_a_delivery_is_found_by_its_handle_and_a_kind_by_name(self, staff, told):
        one = Delivery.objects.first()
        assert shown(staff.get(DELIVERIES, {"q": str(one.handle)})) == {one}
        assert len(shown(staff.get(DELIVERIES, {"q": "test.service"}))) == 5
        assert shown(staff.get(DELIVERIES, {"q": "nobody"})) == set()

    @pytest.mark.parametrize(
        ("queue", "count"),
        [("waiting", 3), ("late", 3), ("dead", 0), ("delivered", 2), ("failed", 0), ("odd", 5)],
    )
    def test_the_queue_is_filtered_by_state_and_age(self, staff, told, queue, count):
        Delivery.objects.filter(state=State.PLANNED).update(
            next_attempt_at=timezone.now() - timezone.timedelta(1)
        )
        assert len(shown(staff.get(DELIVERIES, {"queue": queue}))) == count

    def test_dead_letters_are_a_queue(self, staff, told):
        Delivery.objects.filter(address="zoe@elsewhere.example").update(state=State.UNKNOWN)
        assert len(shown(staff.get(DELIVERIES, {"queue": "dead"}))) == 1

    @pytest.mark.parametrize(
        ("state", "count"), [("waiting", 1), ("failing", 0), ("expanded", 1), ("cancelled", 0)]
    )
    def test_messages_are_filtered_by_state(self, staff, told, state, count):
        say(key="waiting")
        assert len(shown(staff.get(MESSAGES, {"state": state}))) == count


class TestPages:
    def test_a_message_shows_its_words_and_outcome(self, staff, told):
        text = staff.get(f"{MESSAGES}{told.pk}/change/").content.decode()
        assert "About a bicycle" in text
        assert f"?message__id__exact={told.pk}&amp;queue=planned" in text
        assert len(shown(staff.get(DELIVERIES, {"message__id__exact": told.pk, "queue": "planned"}))) == 3

    def test_a_delivery_shows_its_words_and_timeline(self, staff, told):
        letter = Delivery.objects.get(member=bob(), channel="in_app")
        text = staff.get(f"{DELIVERIES}{letter.pk}/change/").content.decode()
        assert "Hello Bob Rahman" in text
        assert "in the inbox" in text
        assert str(letter.handle) in text

    def test_a_broken_template_is_named(self, staff):
        say("test.broken", recipients=[outsider()])
        text = staff.get(f"{DELIVERIES}{Delivery.objects.get().pk}/change/").content.decode()
        assert "TemplateDoesNotExist" in text or "TemplateSyntaxError" in text

    def test_nothing_can_be_changed_by_a_form(self, staff, told):
        assert staff.post(f"{MESSAGES}{told.pk}/change/", {"kind": "x"}).status_code == 404
        assert staff.get(f"{DELIVERIES}add/").status_code == 404
        assert staff.post(f"{DELIVERIES}{Delivery.objects.first().pk}/delete/").status_code == 404


class TestActions:
    def test_process_now_sends(self, staff, smtp, told):
        assert staff.get(PROCESS).status_code == 200
        assert smtp.taken == []  # asking does nothing
        staff.post(PROCESS, {"_form_submitted": "True"})
        assert len(smtp.taken) == 3

    def test_dead_letters_are_sent_again(self, staff, told):
        Delivery.objects.filter(channel="email").update(state=State.FAILED, attempts=3)
        chosen = list(Delivery.objects.values_list("pk", flat=True))
        staff.post(DELIVERIES, {"action": "retry", "_selected_action": chosen})
        states = Delivery.objects.filter(channel="email").values_list("state", "attempts")
        assert set(states) == {(State.RETRY, 0)}

    def test_waiting_deliveries_are_cancelled(self, staff, told):
        chosen = list(Delivery.objects.values_list("pk", flat=True))
        staff.post(DELIVERIES, {"action": "cancel", "_selected_action": chosen})
        assert Delivery.objects.filter(state=State.CANCELLED).count() == 3

    def test_a_message_is_cancelled(self, staff, told):
        answer = staff.post(f"{MESSAGES}{told.pk}/cancel/", {"_form_submitted": "True"})
        assert answer.status_code == 200
        assert set(Delivery.objects.values_list("state", flat=True)) == {State.CANCELLED}

    @pytest.mark.parametrize("role", [roles.SUPPORT_LEAD, roles.FINANCE])
    def test_others_may_not_process(self, client, smtp, told, role):
        client.force_login(make_user(role=role, is_staff=True))
        chosen = list(Delivery.objects.values_list("pk", flat=True))
        assert client.post(PROCESS, {"_form_submitted": "True"}).status_code == 404
        assert client.post(f"{MESSAGES}{told.pk}/cancel/", {"_form_submitted": "True"}).status_code == 404
        client.post(DELIVERIES, {"action": "cancel", "_selected_action": chosen})
        assert smtp.taken == []
        assert not Delivery.objects.filter(state=State.CANCELLED).exists()

    def test_a_support_lead_may_look(self, client, told):
        client.force_login(make_user(role=roles.SUPPORT_LEAD, is_staff=True))
        assert len(shown(client.get(DELIVERIES))) == 5


class TestCommand:
    def test_it_answers_processed_and_failed(self, smtp, capsys, told):
        call_command("process_notifications", "--limit", "2", "--json")
        assert json.loads(capsys.readouterr().out) == {"expanded": 0, "processed": 2, "failed": 0}
        call_command("process_notifications")
        assert capsys.readouterr().out == "processed 1, failed 0, recipients found 0\n"

    def test_the_scheduled_job_works_everything_off(self, smtp):
        alice(), bob()
        say("test.mail", now=NOW)
        sweep()
        assert smtp.counts == {"alice@example.com": 1, "bob@example.com": 1}
