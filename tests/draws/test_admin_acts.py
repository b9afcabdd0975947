"""What staff do to draws in the admin, over HTTP: every act by role and state, and a draw's whole life."""

import datetime as dt
import zoneinfo

import pytest
import time_machine
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from audit.models import Record
from config import roles
from draws import services
from draws.models import Draw, Entry, EntryImport, EntryUpload, ImportRejection
from payments.models import LedgerEntry
from tests.draws.admin_pages import ACTS, TOKEN, act_url, draft_form, page_of, staff, upload
from tests.draws.factories import (
    HOUR,
    fund,
    make_draft,
    make_draw,
    make_executed,
    make_frozen,
    pool_of,
)
from tests.factories import admin, alice

pytestmark = pytest.mark.django_db

NAIROBI = zoneinfo.ZoneInfo("Africa/Nairobi")


@pytest.fixture
def boss(client):
    """A client signed in as a Super Admin."""
    client.force_login(admin())
    return client


# Who may do what; everyone else of the staff who sees draws gets 404 for it.
ALLOWED = {
    roles.SUPER_ADMIN: set(ACTS),
    roles.MANAGER_ADMIN: set(ACTS) - {"execute", "call_off"},
    roles.FINANCE: {"fund", "return"},
    roles.SUPPORT_LEAD: set(),
}
# What is offered in which state.
OFFERED = {
    "draft": {"publish", "fund", "cancel"},
    "upcoming": {"fund", "cancel"},
    "open": {"fund", "import", "freeze", "cancel"},
    "closed": {"fund", "freeze", "cancel"},
    "frozen": {"fund", "execute", "call_off"},
    "completed": set(),
    "cancelled": set(),
}


def draw_in(state: str) -> Draw:
    if state == "draft":
        return make_draft()
    if state == "upcoming":
        return make_draw(opens_at=timezone.now() + HOUR / 2)
    if state == "open":
        return make_draw(entrants=3)
    if state == "closed":
        return make_draw(entrants=3, closes_in=-HOUR)
    if state == "frozen":
        return make_frozen()
    if state == "completed":
        return make_executed()
    draw = make_draft()
    return services.cancel_draw(draw=draw, by=admin(), reason="Rain", now=timezone.now())


class TestActs:
    @pytest.mark.parametrize("state", OFFERED)
    @pytest.mark.parametrize("role", ALLOWED)
    def test_each_role_is_offered_what_it_may_do_in_this_state(self, client, role, state):
        draw = draw_in(state)
        client.force_login(staff(role))
        page = client.get(page_of(draw))
        if role == roles.SUPPORT_LEAD:
            assert page.status_code == 404
            return
        offered = {act for act in ACTS if f'href="{act_url(draw, act)}"' in page.content.decode()}
        assert offered == ALLOWED[role] & OFFERED[state]
        for act in ACTS:
            expected = 404 if act not in ALLOWED[role] else 200 if act in OFFERED[state] else 302
            assert client.get(act_url(draw, act)).status_code == expected, act

    @pytest.mark.parametrize(
        ("role", "act"),
        [(role, act) for role, allowed in ALLOWED.items() for act in ACTS if act not in allowed],
    )
    def test_a_direct_post_without_the_right_is_refused(self, client, role, act):
        draw = draw_in("frozen" if act == "execute" else "draft")
        before = Draw.objects.filter(pk=draw.pk).values().get()
        client.force_login(staff(role))
        sent = {"reason": "Because", "unit": "KES", "amount": "5.00", "token": TOKEN}
        assert client.post(act_url(draw, act), sent).status_code == 404
        assert Draw.objects.filter(pk=draw.pk).values().get() == before

    @pytest.mark.parametrize("act", ACTS)
    def test_strangers_are_led_to_sign_in_and_members_find_nothing(self, client, act):
        draw = make_draft()
        response = client.post(act_url(draw, act), {"reason": "Because"})
        assert response.status_code == 302
        assert "/login/" in response.url
        client.force_login(alice())
        assert client.post(act_url(draw, act), {"reason": "Because"}).status_code == 404

    def test_a_post_needs_the_csrf_token(self):
        client = Client(enforce_csrf_checks=True)
        client.force_login(admin())
        draw = make_draft()
        assert client.post(act_url(draw, "cancel"), {"reason": "Rain"}).status_code == 403
        draw.refresh_from_db()
        assert draw.status == Draw.Status.DRAFT

    def test_a_draw_that_is_not_there_leads_back(self, boss):
        assert boss.get("/admin/draws/draw/987654/publish/").status_code == 302


class TestPublish:
    def test_the_page_shows_what_is_missing_and_how_to_mend_it(self, boss):
        page = boss.get(act_url(make_draft(), "publish")).content.decode()
        assert "Fund the pool with KES 1,200.00 more." in page
        assert "Missing" in page
        assert "Holds" in page

    def test_it_is_refused_in_words_while_the_pool_is_short(self, boss):
        draw = make_draft()
        response = boss.post(act_url(draw, "publish"))
        assert "Fund the pool with KES 1,200.00 more." in response.content.decode()
        draw.refresh_from_db()
        assert draw.status == Draw.Status.DRAFT

    def test_pressed_twice_it_publishes_once(self, boss):
        draw = make_draft()
        fund(draw)
        for _again in range(2):
            assert boss.post(act_url(draw, "publish")).status_code == 302
        assert Record.objects.filter(action="draw.published").count() == 1
        assert pool_of(draw) == (0, 120_000, 0)


class TestFund:
    SENT = {"unit": "KES", "amount": "1,250.00", "reason": "Prize money", "token": TOKEN}

    def test_the_form_asks_for_what_is_short(self, boss):
        form = boss.get(act_url(make_draft(), "fund")).context["form"]
        assert (form["unit"].value(), form["amount"].value()) == ("KES", "1,200.00")

    def test_sent_twice_it_funds_once(self, boss):
        draw = make_draft()
        for _again in range(2):
            assert boss.post(act_url(draw, "fund"), self.SENT).url == page_of(draw)
        assert pool_of(draw)[0] == 125_000
        assert LedgerEntry.objects.filter(kind="pool.funded").count() == 1

    def test_the_same_form_with_another_amount_is_refused_in_words(self, boss):
        draw = make_draft()
        boss.post(act_url(draw, "fund"), self.SENT)
        response = boss.post(act_url(draw, "fund"), self.SENT | {"amount": "9.00"})
        assert "This form has funded the pool once already" in response.content.decode()
        assert pool_of(draw)[0] == 125_000

    def test_two_forms_fund_twice(self, boss):
        draw = make_draft()
        for _again in range(2):
            token = boss.get(act_url(draw, "fund")).context["form"]["token"].value()
            boss.post(act_url(draw, "fund"), self.SENT | {"token": str(token)})
        assert pool_of(draw)[0] == 250_000

    @pytest.mark.parametrize(
        "wrong",
        [
            {"amount": "a lot"},
            {"amount": "-5"},
            {"reason": " "},
            {"unit": "XXX"},
            {"unit": "CREDIT", "amount": "1.5"},
        ],
    )
    def test_what_was_typed_stays_when_it_is_refused(self, boss, wrong):
        draw = make_draft()
        response = boss.post(act_url(draw, "fund"), self.SENT | wrong)
        assert response.status_code == 200
        form = response.context["form"]
        assert form.errors
        assert form["amount"].value() == (self.SENT | wrong)["amount"]
        assert form["token"].value() == TOKEN
        assert pool_of(draw)[0] == 0

    def test_a_token_that_is_none_is_refused(self, boss):
        draw = make_draft()
        assert boss.post(act_url(draw, "fund"), self.SENT | {"token": "x"}).status_code == 200
        assert pool_of(draw)[0] == 0


class TestImport:
    LINES = b"email,name,weight\nzoe@example.org,Zoe,2\nnot an address,Nobody,1\nzoe@example.org,Again,1\n=cmd@x,Evil,1\nyan@example.org,Yan,0\n"

    def imported(self, boss, content: bytes = LINES) -> EntryImport:
        """Upload a list, and do what the worker does."""
        boss.post(act_url(make_draw(), "import"), upload(content))
        services.import_due_uploads(now=timezone.now())
        return EntryImport.objects.get()

    def test_each_refused_line_stands_in_the_report(self, boss):
        draw = make_draw()
        response = boss.post(act_url(draw, "import"), upload(self.LINES), follow=True)
        assert "The file is received" in response.content.decode()
        waiting = response.redirect_chain[-1][0]
        assert not EntryImport.objects.exists()
        services.import_due_uploads(now=timezone.now())
        report = EntryImport.objects.get()
        assert (report.lines, report.accepted, report.rejected) == (5, 1, 4)
        page = boss.get(waiting, follow=True).content.decode()
        for refused in report.rejections.all():
            assert refused.reason.replace("'", "&#x27;") in page
        assert Entry.objects.get(draw=draw).weight == 2
        assert (
            reverse("admin:draws_entryimport_change", args=[report.pk])
            in boss.get(page_of(draw)).content.decode()
        )

    def test_the_refused_lines_come_as_csv_that_no_spreadsheet_runs(self, boss):
        report = self.imported(boss)
        response = boss.get(reverse("admin:draws_entryimport_rejected", args=[report.pk]))
        text = b"".join(response.streaming_content).decode()
        assert response["Content-Type"].startswith("text/csv")
        assert len(text.splitlines()) == 5
        assert "'=cmd@x" in text
        assert "\n5,=cmd" not in text.replace('"', "")

    def test_many_refused_lines_are_paged(self, boss):
        draw = make_draw()
        report = EntryImport.objects.create(
            draw=draw, lines=250, accepted=0, rejected=250, created_at=timezone.now()
        )
        ImportRejection.objects.bulk_create(
            ImportRejection(entry_import=report, line=n, content=f"line {n}", reason="Bad")
            for n in range(1, 251)
        )
        address = reverse("admin:draws_entryimport_change", args=[report.pk])
        assert "line 101" not in boss.get(address).content.decode()
        assert "line 101" in boss.get(address + "?page=2").content.decode()

    @pytest.mark.parametrize(
        ("content", "sentence"),
        [(b"PK\x03\x04" + b"\x00" * 50, "This is not a CSV file"), (b"", "The submitted file is empty.")],
    )
    def test_a_file_that_is_none_is_not_taken(self, boss, content, sentence):
        response = boss.post(act_url(make_draw(), "import"), upload(content))
        assert response.status_code == 200
        assert sentence in response.content.decode()
        assert not EntryUpload.objects.exists()

    def test_a_file_without_a_good_line_is_refused_and_the_page_says_why(self, boss):
        draw = make_draw()
        address = boss.post(act_url(draw, "import"), upload(b"nobody\nno one\n")).url
        services.import_due_uploads(now=timezone.now())
        assert "None of the 2 lines can be used." in boss.get(address).content.decode()
        assert "None of the 2 lines can be used." in boss.get(page_of(draw)).content.decode()
        assert not Entry.objects.filter(draw=draw).exists()

    def test_a_large_file_is_read_from_the_disk(self, boss, settings):
        settings.FILE_UPLOAD_MAX_MEMORY_SIZE = 1
        lines = "".join(f"p{n}@example.org,P{n}\n" for n in range(500)).encode()
        assert self.imported(boss, lines).accepted == 500

    def test_a_closed_draw_refuses_it_in_words(self, boss):
        draw = make_draw(closes_in=-HOUR)
        response = boss.post(act_url(draw, "import"), upload(self.LINES))
        assert "Entries are closed." in response.content.decode()
        assert not EntryUpload.objects.exists()

    def test_finance_sees_no_addresses_of_refused_lines(self, client, boss):
        report = self.imported(boss)
        client.force_login(staff(roles.FINANCE))
        for name in ("draws_entryimport_change", "draws_entryimport_rejected"):
            assert client.get(reverse(f"admin:{name}", args=[report.pk])).status_code == 404


class TestFreezeExecuteCancel:
    @pytest.mark.parametrize(
        ("act", "state"), [("freeze", "open"), ("execute", "frozen"), ("cancel", "open")]
    )
    def test_it_needs_a_reason(self, boss, act, state):
        draw = draw_in(state)
        before = Draw.objects.filter(pk=draw.pk).values().get()
        response = boss.post(act_url(draw, act), {"reason": "  "})
        assert response.status_code == 200
        assert response.context["form"].errors["reason"]
        assert Draw.objects.filter(pk=draw.pk).values().get() == before

    def test_freezing_keeps_the_reason_in_the_trail(self, boss):
        draw = make_draw(entrants=3)
        assert boss.post(act_url(draw, "freeze"), {"reason": "Hall is full"}).url == page_of(draw)
        draw.refresh_from_db()
        assert draw.manifest["entries"]["count"] == 3
        page = boss.get(page_of(draw)).content.decode()
        assert "Hall is full" in page
        assert draw.manifest_sha256 in page

    def test_freezing_twice_freezes_once(self, boss):
        draw = make_draw(entrants=3)
        boss.post(act_url(draw, "freeze"), {"reason": "Hall is full"})
        response = boss.post(act_url(draw, "freeze"), {"reason": "Hall is full"}, follow=True)
        assert "frozen already" in response.content.decode()
        assert Record.objects.filter(action="draw.frozen").count() == 1

    def test_a_draw_nobody_entered_is_void(self, boss):
        draw = make_draw()
        response = boss.post(act_url(draw, "freeze"), {"reason": "Nobody came"}, follow=True)
        assert "Nobody had entered" in response.content.decode()

    def test_executing_too_early_is_refused_with_the_mend_and_keeps_the_reason(self, boss):
        draw = make_draw(entrants=3)
        boss.post(act_url(draw, "freeze"), {"reason": "Hall is full"})
        response = boss.post(act_url(draw, "execute"), {"reason": "In a hurry"})
        page = response.content.decode()
        assert "Wait: the time between freeze and draw" in page
        assert "In a hurry" in page
        assert response.context["form"]["reason"].value() == "In a hurry"

    def test_a_failure_of_ours_is_told_and_stays_on_the_page(self, boss, monkeypatch):
        draw = make_frozen()

        def break_down(*_args, **_kwargs):
            raise RuntimeError("the disk is full")

        monkeypatch.setattr("draws.services.executing.compute_outcome", break_down)
        response = boss.post(act_url(draw, "execute"), {"reason": "It is late"})
        assert "the disk is full" in response.content.decode()
        page = boss.get(page_of(draw)).content.decode()
        assert "The last execution failed" in page
        assert "Next attempt:" in page

    def test_executing_twice_draws_once(self, boss):
        draw = make_frozen()
        for _again in range(2):
            assert boss.post(act_url(draw, "execute"), {"reason": "Beat was down"}).status_code == 302
        assert Record.objects.filter(action="draw.executed").count() == 1

    def test_cancelling_gives_the_money_back(self, boss):
        draw = make_draw(entrants=2)
        assert boss.post(act_url(draw, "cancel"), {"reason": "Rain"}).status_code == 302
        draw.refresh_from_db()
        assert draw.status == Draw.Status.CANCELLED
        assert pool_of(draw) == (0, 0, 0)

    def test_a_drawn_draw_is_not_cancelled(self, boss):
        draw = make_executed()
        response = boss.post(act_url(draw, "cancel"), {"reason": "Rain"})
        assert "can&#x27;t be cancelled" in response.content.decode()


def test_the_whole_life_of_a_draw_over_http(boss):
    now = timezone.now().astimezone(NAIROBI).replace(tzinfo=None, microsecond=0)
    times = {"opens_at": now - HOUR, "closes_at": now + 2 * HOUR, "draw_at": now + 3 * HOUR}
    sent = draft_form(
        {"title": "Main", "amount": "500.00", "quantity": "2"},
        {"title": "Dinner", "kind": "voucher"},
        min_wait_s="30",
        **{name: at.isoformat() for name, at in times.items()},
    )
    boss.post(reverse("admin:draws_draw_add"), sent)
    draw = Draw.objects.get()
    assert "Fund the pool with KES 1,000.00 more." in boss.get(page_of(draw)).content.decode()
    form = boss.get(act_url(draw, "fund")).context["form"]
    asked = {name: form[name].value() for name in ("unit", "amount", "token")}
    boss.post(act_url(draw, "fund"), asked | {"reason": "Sponsor"})
    assert boss.post(act_url(draw, "publish")).status_code == 302
    people = "".join(f"guest{n}@example.org,Guest {n},{1 + n % 3}\n" for n in range(20)).encode()
    boss.post(act_url(draw, "import"), upload(people))
    services.import_due_uploads(now=timezone.now())
    assert "About 1 ticket in 13 wins." in boss.get(page_of(draw)).content.decode()
    boss.post(act_url(draw, "freeze"), {"reason": "The hall is full"})
    with time_machine.travel(timezone.now() + dt.timedelta(seconds=31)):
        response = boss.post(act_url(draw, "execute"), {"reason": "The audience waits"}, follow=True)
    page = response.content.decode()
    assert "The draw is made: 3 winners." in page
    draw.refresh_from_db()
    assert draw.status == Draw.Status.COMPLETED
    for winner in draw.winners.select_related("entry"):
        assert winner.entry.identity in page
    assert draw.report.report_sha256 in page
    assert reverse("draws:results", args=[draw.slug]) in page
    assert not services.verify_stored_draw(draw)
    assert [r.action for r in Record.objects.filter(target=draw.about).order_by("pk")] == [
        "draw.drafted", "draw.published", "draw.entries_uploaded", "draw.entries_imported", "draw.entries_locked", "draw.frozen", "draw.executed",
    ]  # fmt: skip
