"""What the API says of draws, and what it does to them."""

import datetime as dt

import pytest
from django.core.cache import cache
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.utils import timezone
from django_celery_beat.models import IntervalSchedule, PeriodicTask

from accounts import roles
from audit.models import Record
from draws import services, vwd1
from draws.models import Draw, DrawReport
from draws.services import executing
from draws.services.monitoring import beat_late_after
from tests.api.keys import key_client, send, session_client
from tests.draws.factories import (
    CASH,
    CREDITS,
    HOUR,
    SMALL,
    VOUCHER,
    assert_ledger_balances,
    make_draft,
    make_draw,
    make_executed,
    make_frozen,
)
from tests.factories import admin, alice, bob, make_user


@pytest.fixture
def boss(db):
    return key_client(admin(), "draws:execute", "draws:monitor")


def public(path: str = "", **query: str):
    return Client().get(f"/api/draws/{path}", query)


def slugs(answer) -> list[str]:
    return [row["slug"] for row in answer.json()["results"]]


# ── Public ────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.django_db
def test_the_list_has_each_phase_and_no_drafts():
    upcoming = make_draw(opens_at=timezone.now() + HOUR, closes_in=2 * HOUR)
    is_open, waiting, past = make_draw(), make_frozen(), make_executed()
    make_draft()
    assert set(slugs(public())) == {upcoming.slug, is_open.slug, waiting.slug, past.slug}
    for phase, draw in {"upcoming": upcoming, "open": is_open, "waiting": waiting, "past": past}.items():
        assert slugs(public(phase=phase)) == [draw.slug]


@pytest.mark.django_db
def test_the_list_comes_in_pages():
    draws = [make_draw().slug for _ in range(3)]
    first = public(page_size="2").json()
    assert (first["count"], len(first["results"]), first["previous"]) == (3, 2, None)
    second = Client().get(first["next"]).json()
    assert len(second["results"]) == 1
    assert {row["slug"] for row in first["results"] + second["results"]} == set(draws)


@pytest.mark.django_db
@pytest.mark.parametrize("page", ["0", "99", "-1", "x", "\0", "9" * 5000])
def test_a_page_that_is_not_there_is_not_found(page):
    assert public(page=page).status_code == 404


@pytest.mark.django_db
def test_a_long_list_costs_no_more_queries_than_a_short_one():
    counts = []
    for _ in range(2):
        make_draw()
        with CaptureQueriesContext(connection) as queries:
            public()
        counts.append(len(queries))
    assert counts[0] == counts[1] <= 4


@pytest.mark.django_db
def test_a_draw_has_its_rules_prizes_and_times():
    draw = make_draw(prizes=(CASH, CREDITS, VOUCHER), rules="Rules.")
    said = public(f"{draw.slug}/").json()
    assert said["draw_id"] == str(draw.public_id)
    assert (said["phase"], said["rules"], said["rules_sha256"]) == ("open", "Rules.", draw.rules_sha256)
    assert said["closes_at"] == draw.closes_at.strftime("%Y-%m-%dT%H:%M:%SZ")
    assert [(prize["code"], prize["kind"], prize["amount"], prize["unit"]) for prize in said["prizes"]] == [
        ("p1", "cash", 100_000, "KES"),
        ("p2", "credits", 30, "CREDIT"),
        ("p3", "voucher", 0, ""),
    ]
    assert said["prize_total"] == [
        {"unit": "CREDIT", "amount": 30, "decimals": 0, "text": "30 credits"},
        {"unit": "KES", "amount": 100_000, "decimals": 2, "text": "KES 1,000.00"},
    ]
    assert said["result"] is None


@pytest.mark.django_db
def test_a_completed_draw_has_its_result_and_nothing_of_its_pool():
    draw = make_executed(extra=777_777)
    said = public(f"{draw.slug}/").json()
    assert (said["result"]["winners"], said["result"]["entries_count"]) == (3, 10)
    assert said["result"]["awarded"][0]["amount"] == 120_000
    everything = public(f"{draw.slug}/").content + public().content + public(f"{draw.slug}/winners/").content
    for word in (b"leftover", b"777777", b"pool", b"secret_encrypted", b"execution_error"):
        assert word not in everything


@pytest.mark.django_db
def test_winners_are_named_only_by_their_own_consent():
    draw = make_executed(entrants=0, members=[alice(), bob()], prizes=(SMALL,))
    names = {row["name"] for row in public(f"{draw.slug}/winners/").json()["results"]}
    pid = services.entry_of(draw=draw, member=bob()).pid_hex
    assert names == {"Alice W.", pid[:12]}


@pytest.mark.django_db
def test_the_proof_is_the_one_of_the_page():
    draw = make_executed()
    assert public(f"{draw.slug}/proof/").json() == Client().get(f"/draws/{draw.slug}/proof.json").json()


# ── Entering ──────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.django_db
def test_entering_answers_the_receipt_from_which_the_pid_can_be_computed():
    draw = make_draw()
    answer = send(session_client(alice()), f"/api/draws/{draw.slug}/entries/")
    receipt = answer.json()
    assert answer.status_code == 201
    assert (receipt["draw"], receipt["tickets"], receipt["phase"]) == (draw.slug, 1, "open")
    salt = bytes.fromhex(receipt["salt"])
    pid = vwd1.public_id(scope=receipt["scope"], salt=salt, identity=receipt["identity"])
    assert pid.hex() == receipt["pid"]
    entry = draw.entries.get()
    assert (entry.member, entry.pid_hex) == (alice(), receipt["pid"])


@pytest.mark.django_db
def test_entering_again_answers_the_same_receipt():
    draw = make_draw()
    client, path = session_client(alice()), f"/api/draws/{draw.slug}/entries/"
    first, again = send(client, path), send(client, path)
    assert (first.status_code, again.status_code) == (201, 200)
    assert first.json() == again.json() == client.get(path).json()
    assert client.get("/api/draws/entries/").json()["results"] == [first.json()]


@pytest.mark.django_db
@pytest.mark.parametrize("body", ["", "{}"])
def test_entering_needs_no_body(body):
    draw = make_draw()
    client = session_client(alice())
    answer = client.post(f"/api/draws/{draw.slug}/entries/", body, content_type="application/json")
    assert answer.status_code == 201


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("draw", "member"),
    [
        (lambda: make_frozen(), lambda: alice()),
        (lambda: make_executed(), lambda: alice()),
        (lambda: make_draw(audience=Draw.Audience.LIST), lambda: alice()),
        (lambda: make_draw(opens_at=timezone.now() + HOUR, closes_in=2 * HOUR), lambda: alice()),
        (lambda: make_draw(), lambda: make_user(verified=False)),
    ],
)
def test_a_refused_entry_says_why(draw, member):
    draw = draw()
    before = draw.entries.count()
    answer = send(session_client(member()), f"/api/draws/{draw.slug}/entries/")
    assert (answer.status_code, answer.json()["code"]) == (409, "entry_refused")
    assert answer.json()["detail"]
    assert draw.entries.count() == before


@pytest.mark.django_db
def test_own_entries_cost_no_more_queries_when_they_are_many():
    counts = []
    client = session_client(alice())
    for _ in range(2):
        make_draw(members=[alice()])
        with CaptureQueriesContext(connection) as queries:
            client.get("/api/draws/entries/")
        counts.append(len(queries))
    assert counts[0] == counts[1]


# ── Due, status, health ───────────────────────────────────────────────────────────────────────────────────


@pytest.mark.django_db
def test_due_lists_what_waits_the_longest_waiting_first(boss):
    now = timezone.now().replace(microsecond=0)
    late = make_frozen(title="Late")
    just = make_draw(title="Just now", closes_in=-HOUR, draw_at=now - dt.timedelta(minutes=1))
    soon = make_draw(title="Soon", closes_in=HOUR, draw_at=now + 2 * HOUR)
    make_executed()
    make_draft(closes_in=-HOUR)
    said = boss.get("/api/draws/due/").json()
    assert [(row["draw_name"], row["is_due"], row["is_overdue"]) for row in said] == [
        ("Late", True, True),
        ("Just now", True, False),
    ]
    assert said[0]["draw_id"] == str(late.public_id)
    assert said[1]["scheduled_time"] == just.draw_at.strftime("%Y-%m-%dT%H:%M:%SZ")
    ahead = boss.get("/api/draws/due/", {"within_hours": 24}).json()
    assert (ahead[-1]["draw_id"], ahead[-1]["is_due"]) == (str(soon.public_id), False)


@pytest.mark.django_db
@pytest.mark.parametrize("hours", ["-1", "x", "1e9", "99999", ""])
def test_due_refuses_a_horizon_that_is_none(boss, hours):
    answer = boss.get("/api/draws/due/", {"within_hours": hours})
    assert (answer.status_code, answer.json()["errors"][0]["field"]) == (400, "within_hours")


@pytest.mark.django_db
def test_status_before_and_after(boss):
    draw = make_frozen(extra=5_000)
    path = f"/api/draws/{draw.public_id}/status/"
    before = boss.get(path).json()
    assert (before["status"], before["executed_at"], before["winners_selected"]) == ("active", None, 0)
    assert (before["total_awarded"], before["leftover_amount"], before["leftover_by_unit"]) == (0, 0, [])
    services.execute_draw(draw_id=draw.pk, now=draw.draw_at)
    after = boss.get(path).json()
    assert (after["status"], after["winners_selected"]) == ("completed", 3)
    assert after["executed_at"] == draw.draw_at.strftime("%Y-%m-%dT%H:%M:%SZ")
    assert (after["total_awarded"], after["leftover_amount"]) == (120_000, 5_000)
    assert after["total_awarded_by_unit"] == [
        {"unit": "KES", "amount": 120_000, "decimals": 2, "text": "KES 1,200.00"}
    ]


@pytest.mark.django_db
def test_several_units_have_no_single_number(boss):
    draw = make_executed(prizes=(CASH, CREDITS))
    said = boss.get(f"/api/draws/{draw.public_id}/status/").json()
    assert said["total_awarded"] is None
    assert [(row["unit"], row["amount"]) for row in said["total_awarded_by_unit"]] == [
        ("CREDIT", 30),
        ("KES", 100_000),
    ]
    assert said["leftover_amount"] == 0


@pytest.mark.django_db
def test_a_draw_without_money_awards_zero(boss):
    draw = make_executed(prizes=(VOUCHER,))
    said = boss.get(f"/api/draws/{draw.public_id}/status/").json()
    assert (said["winners_selected"], said["total_awarded"], said["total_awarded_by_unit"]) == (1, 0, [])


@pytest.mark.django_db
@pytest.mark.parametrize("draw_id", ["4bf92f35-77b3-4da6-a3ce-929d0e0e4736", "draw-1", "1"])
def test_the_status_of_no_draw_is_not_found(boss, draw_id):
    answer = boss.get(f"/api/draws/{draw_id}/status/")
    assert (answer.status_code, answer.json()["code"]) == (404, "not_found")


@pytest.mark.django_db
def test_health_is_the_age_of_the_last_beat(boss):
    silent = boss.get("/api/draws/health/").json()
    assert (silent["healthy"], silent["last_beat_age_s"]) == (False, None)
    every, _new = IntervalSchedule.objects.get_or_create(every=2, period=IntervalSchedule.SECONDS)
    task = PeriodicTask.objects.create(name="draws: execute", task="draws.tasks.execute_due", interval=every)
    PeriodicTask.objects.filter(pk=task.pk).update(last_run_at=timezone.now() - dt.timedelta(seconds=40))
    alive = boss.get("/api/draws/health/").json()
    assert alive["healthy"]
    assert 40 <= alive["last_beat_age_s"] < 100
    assert alive["timestamp"].endswith("Z")
    PeriodicTask.objects.update(last_run_at=timezone.now() - beat_late_after() - dt.timedelta(seconds=1))
    assert not boss.get("/api/draws/health/").json()["healthy"]


@pytest.mark.django_db
def test_an_overdue_draw_is_no_health(boss, settings):
    settings.CRON_SECRET = "s" * 40
    answer = send(Client(headers={"Authorization": "Bearer " + "s" * 40}), "/api/cron/execute-draws/")
    assert answer.status_code == 200
    assert boss.get("/api/draws/health/").json()["healthy"]  # an outside scheduler is as good as beat
    make_frozen()
    said = boss.get("/api/draws/health/").json()
    assert (said["healthy"], said["overdue_draws"]) == (False, 1)
    cache.clear()
    assert boss.get("/api/draws/health/").json()["last_beat_at"] is None


# ── Executing ─────────────────────────────────────────────────────────────────────────────────────────────


def execute(client, draw, reason="Beat is down."):
    return send(client, f"/api/draws/{draw.public_id}/execute/", {"reason": reason})


@pytest.mark.django_db
def test_executing_answers_what_it_did_and_is_on_record(boss):
    draw = make_frozen()
    answer = execute(boss, draw)
    assert answer.json() == {
        "success": True,
        "winners_selected": 3,
        "total_awarded": 120_000,
        "total_awarded_by_unit": [{"unit": "KES", "amount": 120_000, "decimals": 2, "text": "KES 1,200.00"}],
    }
    record = Record.objects.get(action="draw.executed")
    assert (record.actor, record.data["reason"]) == (admin(), "Beat is down.")


@pytest.mark.django_db
def test_executing_again_is_a_conflict(boss):
    draw = make_frozen()
    assert execute(boss, draw).status_code == 200
    again = execute(boss, draw)
    assert (again.status_code, again.json()["code"]) == (409, "already_executed")
    assert DrawReport.objects.filter(draw=draw).count() == 1


@pytest.mark.django_db
@pytest.mark.parametrize("make", [make_draw, make_draft])
def test_a_draw_that_is_not_ready_is_refused_with_what_is_missing(boss, make):
    answer = execute(boss, make())
    assert (answer.status_code, answer.json()["code"]) == (409, "execution_refused")
    assert "Fairness lock" in answer.json()["detail"]


@pytest.mark.django_db
def test_a_draw_whose_randomness_is_not_there_waits_for_it(boss, monkeypatch):
    def dead(**kwargs):
        raise services.RandomnessError("No relay has the round.")

    draw = make_frozen()
    monkeypatch.setattr(executing, "collect_randomness", dead)
    answer = execute(boss, draw)
    assert (answer.status_code, answer.json()["code"]) == (409, "randomness_missing")


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("body", "field", "code"),
    [
        ({}, "reason", "required"),
        ({"reason": ""}, "reason", "blank"),
        ({"reason": "  "}, "reason", "blank"),
        ({"reason": None}, "reason", "null"),
        ({"reason": ["x"]}, "reason", "invalid"),
        ({"reason": "x" * 501}, "reason", "max_length"),
        ({"reason": "x\0y"}, "reason", "null_characters_not_allowed"),
        ({"reason": "Late.", "force": True}, "force", "unknown_field"),
        ({"raison": "Late."}, "raison", "unknown_field"),
        ([], "", "invalid"),
        ('"text"', "", "invalid"),
    ],
)
def test_executing_wants_a_reason_and_nothing_else(boss, body, field, code):
    draw = make_frozen()
    answer = send(boss, f"/api/draws/{draw.public_id}/execute/", body)
    assert (answer.status_code, answer.json()["code"]) == (400, "invalid_input")
    assert (field, code) in [(item["field"], item["code"]) for item in answer.json()["errors"]]
    draw.refresh_from_db()
    assert draw.executed_at is None


@pytest.mark.django_db
def test_a_fault_of_ours_changes_nothing_and_shows_no_insides(boss, monkeypatch):
    def broken(**kwargs):
        raise RuntimeError("the disk /dev/sda is on fire")

    draw = make_frozen()
    monkeypatch.setattr(executing, "award_prizes", broken)
    answer = execute(boss, draw)
    assert (answer.status_code, answer.json()["code"]) == (500, "execution_failed")
    assert "/dev/sda" not in answer.content.decode()
    draw.refresh_from_db()
    assert (draw.status, draw.executed_at) == ("active", None)
    status = boss.get(f"/api/draws/{draw.public_id}/status/").json()
    assert "/dev/sda" in status["execution_error"]


def test_of_two_that_execute_at_once_one_does(cloned_db, parallel):
    draw = make_frozen(entrants=200)
    clients = [key_client(admin(), "draws:execute") for _ in range(6)]
    outcomes = parallel(lambda index: execute(clients[index], draw), 6)
    assert outcomes.errors == []
    codes = sorted(answer.status_code for answer in outcomes.results)
    assert codes == [200, 409, 409, 409, 409, 409]
    assert {answer.json()["code"] for answer in outcomes.results if answer.status_code == 409} == {
        "already_executed"
    }
    assert draw.winners.count() == 3
    assert Record.objects.filter(action="draw.executed").count() == 1
    assert_ledger_balances()


def test_of_many_who_enter_at_once_each_gets_the_same_entry(cloned_db, parallel):
    draw = make_draw()
    clients = [key_client(alice(), "entries:write") for _ in range(6)]
    outcomes = parallel(lambda index: send(clients[index], f"/api/draws/{draw.slug}/entries/"), 6)
    assert outcomes.errors == []
    assert sorted(answer.status_code for answer in outcomes.results) == [200] * 5 + [201]
    assert len({answer.json()["pid"] for answer in outcomes.results}) == 1


@pytest.mark.django_db
@pytest.mark.parametrize("slug", ["due", "entries", "health", "fairness"])
def test_no_draft_takes_an_address_that_means_something_else(slug):
    client = session_client(make_user(role=roles.SUPER_ADMIN, is_staff=True))
    answer = client.post("/admin/draws/draw/add/", {"title": "Clash", "slug": slug})
    assert "Other pages have this address" in answer.content.decode()
