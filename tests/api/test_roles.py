"""Who may call what: each route by each kind of caller. Signed out is 401, without the right 404."""

import datetime as dt

import pytest
import time_machine
from django.test import Client
from django.urls import get_resolver
from django.utils import timezone

from accounts import roles
from accounts.models import ApiKey
from config.api_keys import revoke_api_key
from draws.models import Draw
from tests.api.keys import bearer, key_client, make_key, send, session_client
from tests.draws.factories import HOUR, make_draft, make_draw, make_executed, make_frozen
from tests.factories import alice, bob, make_user

pytestmark = pytest.mark.django_db

STAFF = (roles.SUPER_ADMIN, roles.MANAGER_ADMIN, roles.FINANCE, roles.SUPPORT_LEAD)
WATCHERS = (roles.SUPER_ADMIN, roles.MANAGER_ADMIN, roles.FINANCE)
PUBLIC = ("", "{done}/", "{done}/proof/", "{done}/winners/")
WATCHING = ("due/", "health/", "{id}/status/")


@pytest.fixture
def done():
    return make_executed(members=[alice()])


def address(pattern: str, draw: Draw) -> str:
    return "/api/draws/" + pattern.format(done=draw.slug, id=draw.public_id)


def staff(role: str):
    return make_user(role=role, is_staff=True)


# ── Public ────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("pattern", PUBLIC)
def test_everyone_reads_what_is_public(done, pattern):
    someone = alice()
    clients = [Client(), session_client(someone), key_client(someone, "entries:read")]
    answers = [client.get(address(pattern, done)) for client in clients]
    assert [answer.status_code for answer in answers] == [200] * 3
    assert answers[0].json() == answers[1].json() == answers[2].json()


@pytest.mark.parametrize("pattern", PUBLIC)
def test_a_key_that_is_none_is_refused_even_where_everyone_may_read(done, pattern):
    answer = Client(headers=bearer("fg_nonsense")).get(address(pattern, done))
    assert (answer.status_code, answer.json()["code"]) == (401, "key_invalid")


@pytest.mark.parametrize("pattern", ["{done}/", "{done}/entries/", "{done}/proof/", "{done}/winners/"])
def test_a_draft_is_nobody_s_business(pattern):
    draft = make_draft()
    client = key_client(staff(roles.SUPER_ADMIN), "entries:read")
    assert client.get(address(pattern, draft)).status_code == 404


@pytest.mark.parametrize("pattern", ["{done}/proof/", "{done}/winners/"])
def test_there_are_no_results_before_the_draw(pattern):
    assert Client().get(address(pattern, make_frozen())).status_code == 404


# ── Members ───────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("pattern", ["entries/", "{done}/entries/"])
def test_own_entries_want_somebody_to_own_them(done, pattern):
    path = address(pattern, done)
    assert Client().get(path).status_code == 401
    assert session_client(alice()).get(path).status_code == 200
    assert key_client(alice(), "entries:read").get(path).status_code == 200


@pytest.mark.parametrize("pattern", ["entries/", "{done}/entries/"])
def test_a_key_without_the_scope_is_told_which_it_lacks(done, pattern):
    answer = key_client(alice(), "entries:write").get(address(pattern, done))
    assert (answer.status_code, answer.json()["code"]) == (404, "scope_missing")
    assert "entries:read" in answer.json()["detail"]


def test_reading_does_not_allow_to_enter():
    draw = make_draw()
    path = f"/api/draws/{draw.slug}/entries/"
    assert send(key_client(alice(), "entries:read"), path).json()["code"] == "scope_missing"
    assert send(Client(), path).status_code == 401
    assert not draw.entries.exists()
    assert send(key_client(alice(), "entries:write"), path).status_code == 201


def test_nobody_sees_another_s_entry(done):
    client = session_client(bob())
    assert client.get(address("{done}/entries/", done)).status_code == 404
    assert client.get(address("entries/", done)).json()["count"] == 0


def test_a_session_needs_its_csrf_token_to_change_something():
    draw = make_draw()
    client = Client(enforce_csrf_checks=True)
    client.force_login(alice())
    path = f"/api/draws/{draw.slug}/entries/"
    answer = send(client, path)
    assert (answer.status_code, answer.json()["code"]) == (403, "csrf_failed")
    client.get("/accounts/api-keys/")
    token = client.cookies["csrftoken"].value
    assert send(client, path, headers={"X-CSRFToken": token}).status_code == 201


def test_a_key_needs_no_csrf_token():
    draw = make_draw()
    client = Client(enforce_csrf_checks=True, headers=bearer(make_key(alice(), "entries:write").token))
    assert send(client, f"/api/draws/{draw.slug}/entries/").status_code == 201


# ── Staff ─────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("pattern", WATCHING)
@pytest.mark.parametrize("role", [*STAFF, roles.OPERATOR, roles.HOST, ""])
def test_only_staff_who_see_draws_watch_them(done, pattern, role):
    person = make_user(role=role, is_staff=role in STAFF)
    answer = session_client(person).get(address(pattern, done))
    assert answer.status_code == (200 if role in WATCHERS else 404)


@pytest.mark.parametrize("pattern", WATCHING)
def test_watching_is_closed_to_visitors(done, pattern):
    answer = Client().get(address(pattern, done))
    assert (answer.status_code, answer.json()["code"]) == (401, "not_authenticated")
    assert answer.headers["WWW-Authenticate"].startswith("Bearer")


@pytest.mark.parametrize("pattern", WATCHING)
def test_a_staff_key_watches_as_far_as_its_scopes_go(done, pattern):
    person = staff(roles.MANAGER_ADMIN)
    path = address(pattern, done)
    assert key_client(person, "draws:monitor").get(path).status_code == 200
    answer = key_client(person, "entries:read").get(path)
    assert (answer.status_code, answer.json()["code"]) == (404, "scope_missing")


def test_a_key_loses_what_its_owner_loses(done):
    person = staff(roles.MANAGER_ADMIN)
    client = key_client(person, "draws:monitor")
    person.groups.clear()
    answer = client.get(address("due/", done))
    assert (answer.status_code, answer.json()["code"]) == (404, "not_found")


def test_whoever_is_no_longer_staff_has_no_staff_rights(done):
    person = staff(roles.SUPER_ADMIN)
    client = key_client(person, "draws:monitor")
    type(person).objects.update(is_staff=False)
    assert client.get(address("health/", done)).status_code == 404


@pytest.mark.parametrize("role", [*STAFF, ""])
def test_only_a_super_admin_executes(role):
    draw = make_frozen()
    client = session_client(make_user(role=role, is_staff=role in STAFF))
    answer = send(client, f"/api/draws/{draw.public_id}/execute/", {"reason": "Beat is down."})
    assert answer.status_code == (200 if role == roles.SUPER_ADMIN else 404)
    draw.refresh_from_db()
    assert (draw.executed_at is not None) == (role == roles.SUPER_ADMIN)


def test_execution_is_closed_to_visitors_and_to_keys_for_something_else():
    draw = make_frozen()
    path, reason = f"/api/draws/{draw.public_id}/execute/", {"reason": "Beat is down."}
    boss = staff(roles.SUPER_ADMIN)
    assert send(Client(), path, reason).status_code == 401
    assert send(key_client(boss, "draws:monitor"), path, reason).json()["code"] == "scope_missing"
    assert send(key_client(alice(), "entries:write"), path, reason).json()["code"] == "not_found"
    draw.refresh_from_db()
    assert draw.executed_at is None
    assert send(key_client(boss, "draws:execute"), path, reason).status_code == 200


def test_a_session_that_executes_must_be_fresh_and_a_key_need_not():
    draw = make_frozen()
    path, reason = f"/api/draws/{draw.public_id}/execute/", {"reason": "Beat is down."}
    boss = staff(roles.SUPER_ADMIN)
    client = session_client(boss)
    with time_machine.travel(timezone.now() + dt.timedelta(hours=1)):
        answer = send(client, path, reason)
        assert (answer.status_code, answer.json()["code"]) == (403, "sign_in_again")
        assert client.get(f"/api/draws/{draw.public_id}/status/").json()["executed_at"] is None
        assert send(key_client(boss, "draws:execute"), path, reason).status_code == 200


# ── Keys that are over ────────────────────────────────────────────────────────────────────────────────────


def test_an_expired_key_opens_nothing():
    long_ago = timezone.now() - dt.timedelta(days=40)
    made = make_key(alice(), "entries:read", days=30, now=long_ago)
    answer = Client(headers=bearer(made.token)).get("/api/draws/entries/")
    assert (answer.status_code, answer.json()["code"]) == (401, "key_expired")


def test_a_revoked_key_opens_nothing():
    made = make_key(alice(), "entries:read")
    client = Client(headers=bearer(made.token))
    assert client.get("/api/draws/entries/").status_code == 200
    assert revoke_api_key(key=made.key, by=alice(), now=timezone.now())
    answer = client.get("/api/draws/entries/")
    assert (answer.status_code, answer.json()["code"]) == (401, "key_revoked")


def test_a_key_of_somebody_who_may_not_sign_in_any_more_opens_nothing():
    client = key_client(alice(), "entries:read")
    type(alice()).objects.update(is_active=False)
    assert client.get("/api/draws/entries/").json()["code"] == "key_invalid"


@pytest.mark.parametrize(
    "spoil",
    [
        lambda token: token[:-1] + ("A" if token[-1] != "A" else "B"),
        lambda token: token[:-1],
        lambda token: token + "A",
        lambda token: token.upper(),
        lambda token: token.replace("fg_", "fg_0", 1),
        lambda token: "fg_" + "0" * 12 + "_" + token[-43:],
        lambda token: token + "\xff",
        lambda token: "",
    ],
)
def test_a_key_must_be_right_to_the_last_character(spoil):
    made = make_key(alice(), "entries:read")
    answer = Client(headers=bearer(spoil(made.token))).get("/api/draws/entries/")
    assert (answer.status_code, answer.json()["code"]) == (401, "key_invalid")
    assert ApiKey.objects.get(pk=made.key.pk).last_used_at is None


def test_other_schemes_are_no_sign_in():
    client = Client(headers={"Authorization": "Basic YWxpY2U6cGFzc3dvcmQ="})
    assert client.get("/api/draws/entries/").json()["code"] == "not_authenticated"


# ── All of them ───────────────────────────────────────────────────────────────────────────────────────────


def api_routes() -> set[str]:
    [api] = [item for item in get_resolver().url_patterns if str(item.pattern) == "api/"]
    found = set()
    for item in api.url_patterns:
        inner = getattr(item, "url_patterns", None)
        found |= {f"{item.pattern}{one.pattern}" for one in inner} if inner else {str(item.pattern)}
    return found


def test_this_file_and_those_beside_it_know_every_route():
    known = {
        "draws/",
        "draws/due/",
        "draws/health/",
        "draws/entries/",
        "draws/<uuid:draw_id>/status/",
        "draws/<uuid:draw_id>/execute/",
        "draws/<slug:slug>/",
        "draws/<slug:slug>/winners/",
        "draws/<slug:slug>/proof/",
        "draws/<slug:slug>/entries/",
        "payments/reconcile/",  # tests/payments/test_asking.py
        "payments/webhook/",  # tests/payments/test_webhook.py
        "track/notification/<uuid:handle>/open/",  # tests/notifications/test_tracking.py
        "track/notification/<uuid:handle>/click/",
        "packages/",  # tests/payments/test_packages_api.py
        "cron/freeze-draws/",
        "cron/execute-draws/",
        "cron/send-notifications/",
        "schema/",
        "docs/",
    }
    assert api_routes() == known


@pytest.mark.parametrize(
    "path", ["", "due", "health", "entries", "{done}", "{done}/proof", "{done}/winners", "{id}/status"]
)
def test_addresses_work_without_the_slash_at_the_end(done, path):
    client = session_client(staff(roles.SUPER_ADMIN))
    bare = address(path, done).rstrip("/")
    assert client.get(bare).status_code == client.get(bare + "/").status_code == 200


def test_posting_works_without_the_slash_at_the_end():
    draw = make_draw(closes_in=HOUR)
    assert send(key_client(alice(), "entries:write"), f"/api/draws/{draw.slug}/entries").status_code == 201
