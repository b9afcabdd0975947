"""The admin's home and sidebar: what is due, late, failed or waiting, for whoever may see it."""

import datetime as dt
import uuid

import pytest
from django.urls import reverse
from django.utils import timezone
from django_celery_beat.models import IntervalSchedule, PeriodicTask

from audit.services import record, seal_new_records
from config import roles
from draws import services
from draws.models import Draw
from notifications.models import Delivery, Message, State
from tests.draws.admin_pages import staff
from tests.draws.factories import (
    CREDITS,
    HOUR,
    VOUCHER,
    fund,
    make_draft,
    make_draw,
    make_executed,
    make_frozen,
)
from tests.factories import admin, alice, make_user

pytestmark = pytest.mark.django_db

HOME = "/admin/"


@pytest.fixture
def boss(client):
    """A client signed in as a Super Admin."""
    client.force_login(admin())
    return client


def panels(client) -> dict[str, list]:
    """Title of each panel to its rows."""
    return {panel.title: panel.rows for panel in client.get(HOME).context["panels"]}


def make_message(*, expanded: bool = True, expand_after: dt.timedelta = dt.timedelta()) -> Message:
    now = timezone.now()
    return Message.objects.create(
        kind="draws.entry_receipt",
        about="draws.draw:x",
        idem_key=str(uuid.uuid4()),
        not_before=now,
        created_at=now,
        expand_after=now - expand_after,
        expanded_at=now if expanded else None,
    )


def make_delivery(state: str, *, due_ago: dt.timedelta = dt.timedelta()) -> Delivery:
    now = timezone.now()
    return Delivery.objects.create(
        message=make_message(),
        recipient_key=f"a:{uuid.uuid4()}",
        channel="email",
        address="somebody@example.org",
        language="en",
        time_zone="UTC",
        state=state,
        next_attempt_at=now - due_ago,
        created_at=now,
    )


def make_task(*, last_run_at: dt.datetime | None) -> None:
    every, _created = IntervalSchedule.objects.get_or_create(every=5, period=IntervalSchedule.SECONDS)
    PeriodicTask.objects.create(name="draws: freeze", task="x", interval=every, last_run_at=last_run_at)


class TestPanels:
    def test_a_quiet_site_says_that_all_is_in_order(self, boss):
        make_task(last_run_at=timezone.now())
        page = boss.get(HOME).content.decode()
        for sentence in (
            "All is in order, Amina",
            "Nothing is late.",
            "Nothing has failed.",
            "Nobody has to do anything.",
        ):
            assert sentence in page

    def test_what_opens_closes_and_is_drawn_in_a_day_is_due_in_order(self, boss):
        soon = make_draw(title="Soon")
        make_draw(title="Next week", closes_in=7 * 24 * HOUR)
        rows = panels(boss)["Due in the next 24 hours"]
        assert [(row.title, row.note.partition(":")[0]) for row in rows] == [
            ("Soon", "Entries close"),
            ("Soon", "Draw"),
        ]
        assert "EAT" in rows[0].note
        assert rows[0].href == reverse("admin:draws_draw_change", args=[soon.pk])

    def test_an_overdue_draw_is_late_and_counted(self, boss):
        draw = make_frozen(title="Forgotten")
        make_task(last_run_at=timezone.now())
        Message.objects.update(expanded_at=timezone.now())
        response = boss.get(HOME)
        (row,) = (row for row in panels(boss)["Late"] if row.title == "Forgotten")
        assert (row.tone, row.side) == ("bad", "110 minutes late")
        assert row.href == reverse("admin:draws_draw_change", args=[draw.pk])
        assert "1 thing needs attention" in response.content.decode()

    def test_overdue_deliveries_and_messages_are_late(self, boss):
        make_delivery(State.PLANNED, due_ago=dt.timedelta(minutes=20))
        make_delivery(State.RETRY, due_ago=dt.timedelta(minutes=6))
        make_delivery(State.PLANNED, due_ago=dt.timedelta(minutes=1))
        make_message(expanded=False, expand_after=dt.timedelta(minutes=9))
        titles = [row.title for row in panels(boss)["Late"]]
        assert titles == ["2 deliveries are overdue", "1 message is not expanded"]

    def test_a_failed_draw_says_why_and_when_it_is_tried_again(self, boss):
        draw = make_frozen()
        Draw.objects.filter(pk=draw.pk).update(
            execution_error="The disk is full.", next_attempt_at=timezone.now() + dt.timedelta(minutes=5)
        )
        (row,) = panels(boss)["Failed"]
        assert row.note == "The disk is full."
        assert row.side.startswith("tries again")

    def test_failed_and_unknown_deliveries_are_counted_and_lead_to_their_list(self, boss):
        for state in (State.FAILED, State.FAILED, State.UNKNOWN, State.DELIVERED):
            make_delivery(state)
        rows = {row.title: row for row in panels(boss)["Failed"]}
        assert {title: row.side for title, row in rows.items()} == {
            "Deliveries: failed": "2",
            "Deliveries: unknown: the answer was lost": "1",
        }
        assert boss.get(rows["Deliveries: failed"].href).status_code == 200

    def test_drafts_and_prizes_wait_for_a_person(self, boss):
        make_executed(prizes=(VOUCHER, CREDITS))
        make_draft(title="Unpublished")
        funded = make_draft(title="Ready", opens_at=timezone.now() + HOUR / 2)
        fund(funded)
        rows = {row.title: row for row in panels(boss)["Waiting for a person"]}
        assert set(rows) == {"Unpublished", "Ready", "2 prizes wait to be claimed"}
        assert "Its pool lacks KES 1,200.00." in rows["Unpublished"].note
        assert rows["Unpublished"].tone == "bad"
        assert (rows["Ready"].note, rows["Ready"].tone) == ("Draft: to be published.", "wait")

    def test_each_row_leads_to_a_page_that_is_there(self, boss):
        make_executed(prizes=(VOUCHER, CREDITS))
        make_frozen()
        make_draft()
        make_delivery(State.UNKNOWN)
        make_delivery(State.PLANNED, due_ago=HOUR)
        response = boss.get(HOME)
        rows = [row for panel in response.context["panels"] for row in panel.rows] + response.context[
            "machinery"
        ]
        links = [row.href for row in rows if row.href] + [
            fact.href for fact in response.context["facts"] if fact.href
        ]
        assert len(links) > 8
        for href in links:
            assert boss.get(href).status_code == 200, href


class TestFacts:
    def test_members_and_their_entries_are_counted(self, boss):
        draw = make_draw()
        services.enter_draw(draw=draw, member=alice(), now=timezone.now())
        facts = {fact.label: fact for fact in boss.get(HOME).context["facts"]}
        assert facts["Members"].value == "2"
        assert facts["Open draws"].value == "1"
        assert facts["Entries today"].value == "1"
        assert facts["Awarded this month"].value == "—"

    def test_money_awarded_this_month_comes_first(self, boss):
        draw = make_frozen(prizes=(CREDITS, ("Cash", "cash", 100_000, 1)))
        services.execute_draw(draw_id=draw.pk, now=timezone.now())
        (fact,) = (fact for fact in boss.get(HOME).context["facts"] if fact.label == "Awarded this month")
        assert (fact.value, fact.sub) == ("KES 1,000.00", "30 credits")

    def test_pools_of_all_draws_are_summed_by_unit(self, boss):
        make_draw()
        fund(make_draft(prizes=(CREDITS,)))
        pools = {pool["unit"]: pool for pool in boss.get(HOME).context["pools"]}
        assert pools["KES"]["amounts"] == {"free": "KES 0.00", "reserved": "KES 1,200.00", "owed": "KES 0.00"}
        assert pools["CREDIT"]["shares"] == {"free": 100, "reserved": 0, "owed": 0}

    def test_the_age_of_the_newest_seal_is_told(self, boss):
        def seal_row():
            return next(row for row in boss.get(HOME).context["machinery"] if "seal" in row.title)

        assert seal_row().tone == "wait"
        record(actor=None, action="test.done", target="x", data={}, now=timezone.now())
        seal = seal_new_records(now=timezone.now())
        assert (seal_row().tone, seal_row().note) == ("good", f"{seal.digest[:16]}…")

    @pytest.mark.parametrize(
        ("ago", "tone"), [(None, "bad"), (dt.timedelta(minutes=1), "good"), (dt.timedelta(hours=1), "bad")]
    )
    def test_a_silent_beat_is_a_fault(self, boss, ago, tone):
        make_task(last_run_at=timezone.now() - ago if ago else None)
        (row,) = (row for row in boss.get(HOME).context["machinery"] if row.title == "Scheduled jobs")
        assert row.tone == tone

    def test_it_stands_without_redis(self, boss, settings):
        settings.CACHES = {"default": {**settings.CACHES["default"], "LOCATION": "redis://127.0.0.1:1/0"}}
        assert {fact.label for fact in boss.get(HOME).context["facts"]} >= {"Members", "Entries today"}


SEEN = {
    roles.SUPER_ADMIN: {"Late", "Failed", "Due in the next 24 hours", "Waiting for a person"},
    roles.MANAGER_ADMIN: {"Late", "Failed", "Due in the next 24 hours", "Waiting for a person"},
    roles.FINANCE: {"Late", "Failed", "Due in the next 24 hours", "Waiting for a person"},
    roles.SUPPORT_LEAD: {"Late", "Failed"},
}


class TestRoles:
    @pytest.mark.parametrize("role", SEEN)
    def test_each_sees_the_panels_of_its_role(self, client, role):
        client.force_login(staff(role))
        assert set(panels(client)) == SEEN[role]

    def test_finance_sees_money_and_no_deliveries(self, client):
        make_delivery(State.FAILED)
        make_draw()
        client.force_login(staff(roles.FINANCE))
        response = client.get(HOME)
        assert response.context["pools"]
        assert "Deliveries" not in response.content.decode()

    def test_a_support_lead_sees_deliveries_and_no_money(self, client):
        make_delivery(State.FAILED)
        make_frozen(title="Secret plan")
        client.force_login(staff(roles.SUPPORT_LEAD))
        response = client.get(HOME)
        page = response.content.decode()
        assert "Deliveries: failed" in page
        assert "Secret plan" not in page
        assert not response.context["pools"]
        assert {fact.label for fact in response.context["facts"]} == {"Members"}

    def test_staff_without_a_role_are_told_whom_to_ask(self, client):
        client.force_login(make_user(is_staff=True))
        response = client.get(HOME)
        assert "Ask a Super Admin" in response.content.decode()
        assert not response.context["panels"]

    def test_members_find_no_admin(self, client):
        client.force_login(alice())
        assert client.get(HOME).status_code == 404

    def test_it_asks_few_queries_however_many_draws_there_are(self, boss, django_assert_max_num_queries):
        for _number in range(6):
            make_draw()
            make_frozen()
        boss.get(HOME)
        with django_assert_max_num_queries(32):
            boss.get(HOME)


class TestSidebar:
    def titles(self, client) -> list[str]:
        groups = client.get(HOME).context["sidebar_navigation"]
        return [group.get("title", "") for group in groups]

    def test_it_begins_with_the_draws_and_ends_with_the_site(self, boss):
        titles = self.titles(boss)
        assert titles[:2] == ["", "Draws"]
        groups = boss.get(HOME).context["sidebar_navigation"]
        assert [item["link"] for item in groups[-1]["items"]] == ["/"]
        links = [item["link"] for group in groups for item in group["items"]]
        assert all(boss.get(link).status_code == 200 for link in links)
        assert len(links) == len(set(links))

    def test_a_support_lead_finds_messages_and_people_only(self, client):
        client.force_login(staff(roles.SUPPORT_LEAD))
        assert {"Draws", "Money", "Record"}.isdisjoint(self.titles(client))
        assert {"Messages", "People"} <= set(self.titles(client))

    @pytest.mark.parametrize(("embedded", "shown"), [(True, True), (False, False)])
    def test_the_demo_is_marked_as_one(self, boss, settings, embedded, shown):
        settings.EMBEDDED = embedded
        assert (boss.get(HOME).context["environment"] == ["Demo", "warning"]) is shown
