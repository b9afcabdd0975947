"""The pages of draws as a visitor, a member and somebody curious ask for them."""

import json
from hashlib import sha256

import pytest
from django.core.files.storage import default_storage
from django.db import connection
from django.test import Client
from django.utils import timezone

from draws import services
from draws.models import Award, Draw, Entry
from draws.services.freezing import entries_file_name
from notifications.models import Message
from tests.draws.factories import (
    CASH,
    HOUR,
    SMALL,
    VOUCHER,
    add_entries_straight,
    balance,
    import_csv,
    make_draft,
    make_draw,
    make_executed,
    make_frozen,
)
from tests.factories import admin, alice, bob, make_user

pytestmark = pytest.mark.django_db

PAGES = ("", "enter/", "receipt/", "results/", "proof.json", "manifest.json", "entries.csv")


def body(response):
    return b"".join(response) if response.streaming else response.content


def address(draw, page=""):
    return f"/draws/{draw.slug}/{page}"


@pytest.mark.parametrize("state", ["draft", "a draft that was dropped"])
@pytest.mark.parametrize("page", PAGES)
def test_nobody_finds_a_draft(client, state, page):
    draw = make_draft(title="Our secret plan")
    if state != "draft":
        services.cancel_draw(draw=draw, by=admin(), reason="No", now=timezone.now())
    client.force_login(admin())
    ask = client.post if page == "enter/" else client.get
    assert ask(address(draw, page)).status_code == 404
    assert b"Our secret plan" not in client.get("/draws/").content


@pytest.mark.parametrize(
    "make",
    [
        make_draw,
        lambda: make_draw(closes_in=9 * HOUR),
        lambda: make_draw(closes_in=-HOUR),
        make_frozen,
        make_executed,
    ],
    ids=["open", "upcoming", "closed", "frozen", "drawn"],
)
def test_a_published_draw_has_its_page_and_stands_in_the_list(client, make):
    draw = make()
    for _ in range(2):
        assert draw.title in client.get("/draws/").content.decode()
        page = client.get(address(draw))
        assert page.status_code == 200
        assert draw.title in page.content.decode()
        client.force_login(alice())


@pytest.mark.parametrize("end", ["cancelled", "void"])
def test_a_draw_that_does_not_take_place_still_has_its_page(client, end):
    draw = make_draw(entrants=2 if end == "cancelled" else 0, closes_in=-HOUR)
    if end == "cancelled":
        services.cancel_draw(draw=draw, by=admin(), reason="Rain", now=timezone.now())
    services.freeze_due_draws(now=timezone.now())
    draw.refresh_from_db()
    assert draw.status == end
    assert client.get(address(draw)).status_code == 200
    for page in ("proof.json", "manifest.json", "entries.csv"):
        assert client.get(address(draw, page)).status_code == 404


# ── Entering ──────────────────────────────────────────────────────────────────────────────────────────────


def test_the_button_leads_to_the_receipt_with_pid_and_salt(client):
    draw = make_draw()
    client.force_login(alice())
    answer = client.post(address(draw, "enter/"), follow=True)
    entry = Entry.objects.get(draw=draw, member=alice())
    assert answer.redirect_chain[-1][0] == address(draw, "receipt/")
    assert entry.pid_hex in answer.content.decode()
    assert entry.salt_hex in answer.content.decode()


def test_pressed_twice_it_is_one_entry(client):
    draw = make_draw()
    client.force_login(alice())
    for _ in range(2):
        assert client.post(address(draw, "enter/")).status_code == 302
    assert Entry.objects.filter(draw=draw).count() == 1
    assert Message.objects.filter(kind="draws.entry_receipt").count() == 1


def test_entering_is_for_members_and_by_post_alone(client):
    draw = make_draw()
    assert client.post(address(draw, "enter/")).url.startswith("/accounts/login/")
    client.force_login(alice())
    assert client.get(address(draw, "enter/")).status_code == 405
    assert not Entry.objects.filter(draw=draw).exists()


def test_a_forged_form_of_another_site_enters_nobody():
    draw = make_draw()
    client = Client(enforce_csrf_checks=True)
    client.force_login(alice())
    assert client.post(address(draw, "enter/")).status_code == 403
    assert not Entry.objects.filter(draw=draw).exists()


@pytest.mark.parametrize("closes_in", [-HOUR, 9 * HOUR])
def test_too_late_or_too_early_is_a_sentence_and_no_error(client, closes_in):
    draw = make_draw(closes_in=closes_in)
    client.force_login(alice())
    answer = client.post(address(draw, "enter/"), follow=True)
    assert answer.status_code == 200
    assert "Entries are" in answer.content.decode()
    assert not Entry.objects.filter(draw=draw).exists()


# ── The receipt ───────────────────────────────────────────────────────────────────────────────────────────


def test_a_receipt_is_shown_to_its_own_member_alone(client):
    draw = make_draw(members=[alice()])
    assert client.get(address(draw, "receipt/")).status_code == 302
    client.force_login(bob())
    assert client.get(address(draw, "receipt/")).status_code == 404
    client.force_login(admin())
    assert client.get(address(draw, "receipt/")).status_code == 404
    client.force_login(alice())
    assert Entry.objects.get().salt_hex in client.get(address(draw, "receipt/")).content.decode()


def test_whoever_was_imported_sees_the_receipt_once_the_address_is_verified(client):
    draw = make_draw()
    import_csv(draw, "guest@example.org,Guest,4\n")
    services.freeze_draw(draw_id=draw.pk, now=draw.closes_at)
    member = make_user(email="guest@example.org", verified=False)
    client.force_login(member)
    assert client.get(address(draw, "receipt/")).status_code == 404
    member.emailaddress_set.update(verified=True)
    assert Entry.objects.get().pid_hex in client.get(address(draw, "receipt/")).content.decode()


def test_no_page_for_others_shows_whose_a_pid_is(client):
    draw = make_executed(entrants=3, members=[bob()])
    entries = list(Entry.objects.filter(draw=draw))
    client.force_login(alice())
    for page in ("", "results/", "proof.json", "manifest.json", "entries.csv"):
        text = body(client.get(address(draw, page))).decode()
        for entry in entries:
            assert entry.salt_hex not in text
            assert entry.identity not in text
        assert "Rahman" not in text  # he doesn't want to be named


# ── Results and evidence ──────────────────────────────────────────────────────────────────────────────────


def test_results_name_by_consent_and_else_by_pid(client):
    draw = make_executed(entrants=0, members=[alice(), bob()], prizes=[CASH, VOUCHER])
    text = client.get(address(draw, "results/")).content.decode()
    assert "Alice W." in text
    assert Entry.objects.get(draw=draw, member=bob()).pid_hex[:12] in text
    assert "Bob" not in text


@pytest.mark.parametrize("make", [make_draw, make_frozen])
def test_before_the_draw_there_are_no_results_and_no_proof(client, make):
    draw = make()
    assert client.get(address(draw, "results/")).url == address(draw)
    assert client.get(address(draw, "proof.json")).status_code == 404


def test_before_the_freeze_there_is_no_manifest_and_no_entries_file(client):
    draw = make_draw(entrants=2)
    for page in ("manifest.json", "entries.csv"):
        assert client.get(address(draw, page)).status_code == 404


def test_the_manifest_is_published_byte_for_byte(client):
    draw = make_frozen()
    answer = client.get(address(draw, "manifest.json"))
    assert answer.headers["Content-Type"] == "application/json"
    assert sha256(answer.content).hexdigest() == draw.manifest_sha256
    assert json.loads(answer.content) == draw.manifest


def test_the_proof_has_the_keys_of_the_specification(client):
    draw = make_executed()
    proof = client.get(address(draw, "proof.json")).json()
    assert set(proof) == {
        "manifest",
        "manifest_sha256",
        "revealed",
        "seed",
        "ranks",
        "slots",
        "dispositions",
        "audit_seal",
        "report_sha256",
    }
    assert proof["report_sha256"] == draw.report.report_sha256


def test_a_missing_entries_file_is_made_again_for_whoever_asks(client):
    draw = make_frozen()
    before = body(client.get(address(draw, "entries.csv")))
    default_storage.delete(entries_file_name(draw))
    assert body(client.get(address(draw, "entries.csv"))) == before


def test_an_entries_file_that_can_not_be_made_as_it_was_is_not_published(client):
    draw = make_frozen()
    with connection.cursor() as cursor:
        cursor.execute("SET CONSTRAINTS ALL IMMEDIATE")
        cursor.execute("ALTER TABLE draws_entry DISABLE TRIGGER USER")
        cursor.execute("UPDATE draws_entry SET weight = 99")
        cursor.execute("ALTER TABLE draws_entry ENABLE TRIGGER USER")
    default_storage.delete(entries_file_name(draw))
    answer = client.get(address(draw, "entries.csv"))
    assert answer.status_code == 503
    assert not default_storage.exists(entries_file_name(draw))


# ── My prizes ─────────────────────────────────────────────────────────────────────────────────────────────


def waiting_award():
    draw = make_draw(prizes=[CASH], closes_in=-2 * HOUR)
    add_entries_straight(draw, [("lucky@example.org", 1, None)])
    services.freeze_draw(draw_id=draw.pk, now=draw.closes_at)
    services.execute_draw(draw_id=draw.pk, now=draw.draw_at)
    return Award.objects.get(about=draw.about)


def test_a_prize_that_waited_is_claimed_on_the_page(client):
    award, member = waiting_award(), make_user(email="lucky@example.org")
    client.force_login(member)
    assert str(award.public_id) in client.get("/prizes/").content.decode()
    for _ in range(2):
        assert client.post(f"/prizes/{award.public_id}/").status_code == 302
    assert balance(f"member:{member.pk}:KES") == 100_000
    assert client.get("/prizes/").status_code == 200


def test_another_persons_prize_is_not_there(client):
    award = waiting_award()
    assert client.post(f"/prizes/{award.public_id}/").url.startswith("/accounts/login/")
    client.force_login(bob())
    assert str(award.public_id) not in client.get("/prizes/").content.decode()
    assert client.post(f"/prizes/{award.public_id}/").status_code == 404
    assert client.get(f"/prizes/{award.public_id}/").status_code == 404
    award.refresh_from_db()
    assert award.state == Award.State.CLAIMABLE


def test_the_list_counts_what_can_be_won(client):
    make_draw(prizes=[CASH, SMALL])
    assert "1,200.00" in client.get("/draws/").content.decode()
    assert Draw.objects.count() == 1
