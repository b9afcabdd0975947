"""Draws in the admin, over HTTP: the draft and its prizes, the list, what is read-only."""

import datetime as dt
import threading
import time
import zoneinfo

import pytest
from django.db import connection, connections, transaction
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from accounts.models import User
from audit.models import Record
from config import roles
from draws import services
from draws.models import Award, Draw, EntryImport, ImportRejection, Prize
from tests.draws.admin_pages import draft_form, page_of, staff
from tests.draws.factories import (
    CREDITS,
    VOUCHER,
    fund,
    make_draft,
    make_draw,
    make_executed,
    make_frozen,
)
from tests.factories import admin

NAIROBI = zoneinfo.ZoneInfo("Africa/Nairobi")


@pytest.fixture
def boss(db, client):
    """A client signed in as a Super Admin."""
    client.force_login(admin())
    return client


@pytest.mark.django_db
class TestDraft:
    def test_it_is_written_with_amounts_as_people_write_them(self, boss):
        sent = draft_form(
            {"title": "Main", "amount": "1,250.00"},
            {"title": "Credits", "kind": "credits", "amount": "1,200", "quantity": "3"},
            {"title": "Dinner", "kind": "voucher"},
        )
        response = boss.post(reverse("admin:draws_draw_add"), sent)
        draw = Draw.objects.get()
        assert response.url == page_of(draw)
        assert list(draw.prizes.values_list("title", "kind", "amount", "quantity")) == [
            ("Main", "cash", 125_000, 1),
            ("Credits", "credits", 1_200, 3),
            ("Dinner", "voucher", 0, 1),
        ]
        assert Record.objects.get(action="draw.drafted").target == draw.about

    def test_its_times_are_on_the_clock_of_its_own_zone(self, boss):
        sent = draft_form(time_zone="Asia/Dhaka")
        boss.post(reverse("admin:draws_draw_add"), sent)
        draw = Draw.objects.get()
        assert draw.opens_at == dt.datetime(2026, 12, 1, 2, 0, tzinfo=dt.UTC)
        page = boss.get(page_of(draw)).content.decode()
        assert 'value="2026-12-01T08:00"' in page
        assert "Tue 1 Dec 2026, 08:00 +06" in page
        assert "1 Dec 02:00 UTC" in page

    @pytest.mark.parametrize("wall", ["2026-10-25T01:30", "2026-03-29T01:30"])
    def test_it_refuses_a_time_that_the_clocks_skip_or_show_twice(self, boss, wall):
        response = boss.post(
            reverse("admin:draws_draw_add"), draft_form(time_zone="Europe/London", opens_at=wall)
        )
        assert "Clocks in Europe/London change at this time" in response.content.decode()
        assert not Draw.objects.exists()

    @pytest.mark.parametrize(
        ("fields", "sentence"),
        [
            ({"closes_at": "2026-12-01T08:00"}, "Entries must close after they open."),
            ({"draw_at": "2026-12-08T18:05"}, "Draw at least 600 seconds after entries close"),
            ({"opens_at": "tomorrow"}, "Write a date and a time"),
            ({"opens_at": "2026-12-01T08:00+03:00"}, "Write a date and a time"),
            ({"time_zone": "Mars/Olympus"}, "Select a valid choice"),
            ({"min_wait_s": "5"}, "greater than or equal to 30"),
        ],
    )
    def test_it_refuses_times_out_of_order_and_keeps_what_was_typed(self, boss, fields, sentence):
        response = boss.post(reverse("admin:draws_draw_add"), draft_form(title="Keep me", **fields))
        assert response.status_code == 200
        assert sentence in response.content.decode()
        assert 'value="Keep me"' in response.content.decode()
        assert not Draw.objects.exists()

    @pytest.mark.parametrize(
        ("prize", "sentence"),
        [
            ({"amount": "1.250,00"}, "Write the amount in digits, like 1,250.00."),
            ({"amount": "twelve"}, "Write the amount in digits, like 1,250.00."),
            ({"amount": "0"}, "The amount must be above zero."),
            ({"amount": ""}, "Write the amount in digits, like 1,250.00."),
            ({"kind": "points", "amount": "2.5"}, "write a whole number."),
            ({"kind": "voucher", "amount": "20"}, "has no amount here"),
            ({"amount": "90000000000000", "quantity": "2"}, "more than the ledger can hold"),
        ],
    )
    def test_it_refuses_an_amount_that_is_none_and_keeps_what_was_typed(self, boss, prize, sentence):
        response = boss.post(reverse("admin:draws_draw_add"), draft_form(prize))
        assert sentence in response.content.decode()
        assert f'value="{prize["amount"]}"' in response.content.decode() or not prize["amount"]
        assert not Draw.objects.exists()

    def test_saving_it_again_changes_no_amount(self, boss):
        draw = make_draft(prizes=(("Main", "cash", 123_456, 2), CREDITS, VOUCHER))
        prizes = list(draw.prizes.all())
        rows = [
            {
                "id": str(p.pk),
                "draw": str(draw.pk),
                "title": p.title,
                "kind": p.kind,
                "quantity": str(p.quantity),
            }
            for p in prizes
        ]
        rows[0]["amount"], rows[1]["amount"], rows[2]["amount"] = "1,234.56", "30", ""
        page = boss.get(page_of(draw)).content.decode()
        assert 'value="1,234.56"' in page
        sent = draft_form(*rows, title="New title", **{"prizes-INITIAL_FORMS": "3"})
        assert boss.post(page_of(draw), sent).status_code == 302
        draw.refresh_from_db()
        assert draw.title == "New title"
        assert [p.amount for p in draw.prizes.all()] == [p.amount for p in prizes]
        assert "title" in Record.objects.get(action="draw.changed").data["fields"]

    def test_a_manager_writes_drafts_and_finance_only_reads_them(self, client):
        draw = make_draft()
        client.force_login(staff(roles.MANAGER_ADMIN))
        assert client.get(reverse("admin:draws_draw_add")).status_code == 200
        client.force_login(staff(roles.FINANCE))
        assert client.get(reverse("admin:draws_draw_add")).status_code == 404
        assert client.get(page_of(draw)).status_code == 200
        assert client.post(page_of(draw), draft_form(title="Mine now")).status_code == 404
        draw.refresh_from_db()
        assert draw.title != "Mine now"

    def test_only_an_unfunded_draft_is_deleted_and_only_by_a_superuser(self, client):
        owner = User.objects.create_superuser("owner@example.com", "x")
        empty, funded, published = make_draft(), make_draft(), make_draw()
        fund(funded)
        client.force_login(admin())
        assert (
            client.post(reverse("admin:draws_draw_delete", args=[empty.pk]), {"post": "yes"}).status_code
            == 404
        )
        client.force_login(owner)
        for draw in (funded, published):
            assert (
                client.post(reverse("admin:draws_draw_delete", args=[draw.pk]), {"post": "yes"}).status_code
                == 404
            )
        assert (
            client.post(reverse("admin:draws_draw_delete", args=[empty.pk]), {"post": "yes"}).status_code
            == 302
        )
        assert set(Draw.objects.values_list("pk", flat=True)) == {funded.pk, published.pk}
        assert Record.objects.filter(action="draw.deleted", target=empty.about).exists()


@pytest.mark.django_db
class TestPublished:
    def test_a_forged_form_changes_nothing(self, boss):
        draw = make_draw()
        before = Draw.objects.filter(pk=draw.pk).values().get()
        response = boss.post(page_of(draw), draft_form({"amount": "1.00"}, title="Forged", rules="I win."))
        assert response.status_code == 404
        assert Draw.objects.filter(pk=draw.pk).values().get() == before
        assert draw.prizes.count() == 2

    def test_its_page_has_no_fields_to_change(self, boss):
        draw = make_draw()
        page = boss.get(page_of(draw)).content.decode()
        assert 'name="title"' not in page
        assert 'name="_save"' not in page
        assert draw.commitment in page
        assert draw.rules in page

    def test_a_draft_published_while_its_form_was_open_is_not_written_over(self, boss):
        draw = make_draft()
        fund(draw)
        boss.get(page_of(draw))
        services.publish_draw(draw=draw, by=admin(), now=timezone.now())
        assert boss.post(page_of(draw), draft_form(title="Late")).status_code == 404
        draw.refresh_from_db()
        assert (draw.status, draw.title == "Late") == (Draw.Status.ACTIVE, False)


@pytest.mark.django_db
class TestList:
    def test_it_shows_state_time_entries_and_prizes(self, boss):
        make_draw(title="Tea party", entrants=1234)
        page = boss.get(reverse("admin:draws_draw_changelist")).content.decode()
        for seen in ("Tea party", "Open", "EAT", "1,234", "KES 1,200.00", "3 in all"):
            assert seen in page

    def test_it_flags_an_overdue_draw_in_words(self, boss):
        make_frozen()
        assert "minutes late" in boss.get(reverse("admin:draws_draw_changelist")).content.decode()

    @pytest.mark.parametrize(
        ("query", "found"),
        [
            ("phase=draft", {"A draft"}),
            ("phase=open", {"An open one"}),
            ("phase=waiting", {"A late one"}),
            ("phase=completed", {"A drawn one"}),
            ("due=overdue", {"A late one"}),
            ("due=day", {"An open one", "A late one"}),
            ("due=week", {"An open one", "A late one"}),
            ("due=failed", set()),
            ("q=drawn", {"A drawn one"}),
        ],
    )
    def test_its_filters_find(self, boss, query, found):
        make_draft(title="A draft")
        make_draw(title="An open one")
        make_frozen(title="A late one")
        make_executed(title="A drawn one")
        rows = boss.get(reverse("admin:draws_draw_changelist") + "?" + query).context["cl"].result_list
        assert {draw.title for draw in rows} == found


@pytest.mark.django_db
class TestRecords:
    def test_entries_are_found_by_address_and_by_public_id(self, boss):
        draw = make_draw(entrants=5)
        entry = draw.entries.order_by("pk")[2]
        address = reverse("admin:draws_entry_changelist")
        for term in (entry.identity, entry.identity.upper(), entry.pid_hex, entry.pid_hex[:9]):
            rows = boss.get(address, {"q": term}).context["cl"].result_list
            assert [row.pk for row in rows] == [entry.pk], term
        assert not boss.get(address, {"q": "nobody"}).context["cl"].result_list

    def test_entries_of_a_draw_come_in_the_order_of_its_file(self, boss):
        draw = make_draw(entrants=5)
        make_draw(entrants=2)
        rows = (
            boss.get(reverse("admin:draws_entry_changelist"), {"draw__id__exact": draw.pk})
            .context["cl"]
            .result_list
        )
        assert [bytes(row.pid) for row in rows] == sorted(bytes(entry.pid) for entry in draw.entries.all())

    def test_a_long_list_is_estimated_and_not_counted(self, boss, monkeypatch, django_assert_max_num_queries):
        monkeypatch.setattr("draws.admin.paging.COUNTED", 3)
        make_draw(entrants=30)
        with django_assert_max_num_queries(25):
            changelist = boss.get(reverse("admin:draws_entry_changelist")).context["cl"]
        assert changelist.result_count >= 4
        assert len(changelist.result_list) == 25  # one page

    @pytest.mark.parametrize(
        "model", ["entry", "winner", "award", "drawreport", "entryimport", "importrejection"]
    )
    def test_nothing_of_it_is_written_by_hand(self, boss, model):
        draw = make_executed(prizes=(VOUCHER, CREDITS))
        report = EntryImport.objects.create(
            draw=draw, lines=1, accepted=0, rejected=1, created_at=timezone.now()
        )
        refused = ImportRejection.objects.create(entry_import=report, line=1, content="x", reason="Bad")
        rows = {
            "entry": draw.entries.first(),
            "winner": draw.winners.first(),
            "award": Award.objects.first(),
            "drawreport": draw.report,
            "entryimport": report,
            "importrejection": refused,
        }
        boss.force_login(User.objects.create_superuser("owner@example.com", "x"))
        page = reverse(f"admin:draws_{model}_change", args=[rows[model].pk])
        assert boss.get(reverse(f"admin:draws_{model}_changelist")).status_code == 200
        assert boss.get(page).status_code == 200
        assert boss.post(page, {"state": "paid"}).status_code == 404
        assert boss.get(reverse(f"admin:draws_{model}_add")).status_code == 404
        assert (
            boss.post(
                reverse(f"admin:draws_{model}_delete", args=[rows[model].pk]), {"post": "yes"}
            ).status_code
            == 404
        )

    def test_winners_and_awards_stand_on_the_page_of_a_drawn_draw(self, boss, client):
        draw = make_executed()
        page = boss.get(page_of(draw)).content.decode()
        assert "To be claimed" in page
        assert draw.winners.first().entry.identity in page
        client.force_login(staff(roles.FINANCE))
        assert draw.winners.first().entry.identity not in client.get(page_of(draw)).content.decode()


@pytest.mark.django_db
def test_prizes_of_a_drawn_draw_are_listed(boss):
    draw = make_executed()
    page = boss.get(page_of(draw)).content.decode()
    assert all(prize.title in page for prize in Prize.objects.filter(draw=draw))


def test_a_draft_that_is_published_while_it_is_being_saved_is_not_written_over(cloned_db):
    draw = make_draft()
    fund(draw)
    answers = []

    def save() -> None:
        client = Client()
        client.force_login(admin())
        answers.append(client.post(page_of(draw), draft_form(title="Late")).status_code)
        connections.close_all()

    saving = threading.Thread(target=save, daemon=True)
    with transaction.atomic():
        services.publish_draw(draw=draw, by=admin(), now=timezone.now())
        saving.start()
        _wait_until_somebody_waits()
    saving.join(30)
    assert answers == [404]
    draw.refresh_from_db()
    assert (draw.status, draw.title == "Late") == (Draw.Status.ACTIVE, False)


def _wait_until_somebody_waits() -> None:
    """Until another connection of this database waits for a lock."""
    for _attempt in range(600):
        with connection.cursor() as cursor:
            cursor.execute("SELECT pg_stat_clear_snapshot()")  # one look is kept for a whole transaction
            cursor.execute(
                "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'"
            )
            if cursor.fetchone()[0]:
                return
        time.sleep(0.05)
    pytest.fail("nobody waits: the form does not lock the draw")
