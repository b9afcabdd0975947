"""The page of API keys, the verbs behind it, and the list of all keys in the admin."""

import datetime as dt
import re
from hashlib import sha256

import pytest
import time_machine
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from accounts import roles
from accounts.api_keys import USE_NOTED_EVERY
from accounts.models import ApiKey
from accounts.scopes import Scope, ScopeError, register
from audit.models import Record
from config.api_keys import MOST_KEYS, ApiKeyError, create_api_key, revoke_api_key
from config.checks import check_api
from draws.scopes import ENTRIES_READ
from tests.api.keys import bearer, make_key, session_client
from tests.factories import admin, alice, bob, make_user

PAGE = "/accounts/api-keys/"


def make_on_page(client: Client, *, name: str = "Backup", scopes=("entries:read",), days: str = "90"):
    return client.post(PAGE, {"name": name, "scopes": list(scopes), "days": days})


def token_on(answer) -> str:
    [token] = set(re.findall(r"fg_[0-9a-f]{12}_[\w-]{43}", answer.content.decode()))
    return token


@pytest.mark.django_db
def test_a_key_is_shown_once_and_works():
    client = session_client(alice())
    answer = make_on_page(client)
    token = token_on(answer)
    assert "no-store" in answer.headers["Cache-Control"]
    assert Client(headers=bearer(token)).get("/api/draws/entries/").status_code == 200
    assert token[16:] not in client.get(PAGE).content.decode()


@pytest.mark.django_db
def test_of_the_secret_only_its_hash_is_kept():
    token = token_on(make_on_page(session_client(alice())))
    secret = token[16:]
    key = ApiKey.objects.get()
    assert key.secret_sha256 == sha256(secret.encode()).hexdigest()
    with connection.cursor() as cursor:
        cursor.execute("SELECT to_jsonb(k)::text FROM accounts_apikey k")
        everything = str(cursor.fetchall())
        cursor.execute("SELECT to_jsonb(r)::text FROM audit_record r")
        everything += str(cursor.fetchall())
    assert secret not in everything


@pytest.mark.django_db
def test_making_and_revoking_are_on_record():
    client = session_client(alice())
    make_on_page(client)
    key = ApiKey.objects.get()
    made = Record.objects.get(action="api_key.created")
    assert (made.actor, made.target) == (alice(), f"accounts.apikey:{key.public_id}")
    assert made.data["scopes"] == ["entries:read"]
    assert client.post(f"{PAGE}{key.public_id}/revoke/").status_code == 302
    assert client.post(f"{PAGE}{key.public_id}/revoke/").status_code == 302
    ended = Record.objects.get(action="api_key.revoked")
    assert (ended.actor, ended.data["prefix"]) == (alice(), key.prefix)
    key.refresh_from_db()
    assert key.revoked_at is not None


@pytest.mark.django_db
def test_a_form_sent_twice_makes_one_key():
    client = session_client(alice())
    make_on_page(client)
    again = make_on_page(client, name="BACKUP")
    assert "You have a key of this name" in again.content.decode()
    assert ApiKey.objects.count() == 1


@pytest.mark.django_db
def test_a_revoked_key_frees_its_name():
    made = make_key(alice(), ENTRIES_READ)
    revoke_api_key(key=made.key, by=alice(), now=timezone.now())
    now = timezone.now()
    create_api_key(owner=alice(), name=made.key.name, scopes=[ENTRIES_READ], expires_at=None, now=now)
    assert ApiKey.objects.live(now).count() == 1


@pytest.mark.django_db
@pytest.mark.parametrize("days", ["30", "90", "365", "0"])
def test_it_ends_when_its_owner_chose(days):
    make_on_page(session_client(alice()), days=days)
    key = ApiKey.objects.get()
    expected = key.created_at + dt.timedelta(days=int(days)) if int(days) else None
    assert key.expires_at == expected


@pytest.mark.django_db
@pytest.mark.parametrize(
    "fields",
    [
        {"name": ""},
        {"name": "x" * 61},
        {"scopes": ()},
        {"scopes": ("draws:execute",)},
        {"scopes": ("entries:read", "everything")},
        {"days": "9999"},
        {"days": ""},
    ],
)
def test_the_form_refuses_what_makes_no_sense(fields):
    answer = make_on_page(session_client(alice()), **fields)
    assert answer.status_code == 200
    assert answer.context["form"].errors
    assert not ApiKey.objects.exists()


@pytest.mark.django_db
def test_staff_scopes_are_offered_to_those_who_have_the_right():
    boss = make_user(role=roles.SUPER_ADMIN, is_staff=True)
    manager = make_user(role=roles.MANAGER_ADMIN, is_staff=True)
    assert "draws:execute" in session_client(boss).get(PAGE).content.decode()
    shown = session_client(manager).get(PAGE).content.decode()
    assert "draws:monitor" in shown
    assert "draws:execute" not in shown
    assert "draws:monitor" not in session_client(alice()).get(PAGE).content.decode()


@pytest.mark.django_db
def test_a_key_for_staff_wants_a_fresh_sign_in_and_the_form_is_kept_meanwhile():
    boss = make_user(role=roles.SUPER_ADMIN, is_staff=True, password="a long password")
    client = session_client(boss)
    with time_machine.travel(timezone.now() + dt.timedelta(hours=1)):
        answer = make_on_page(client, name="Watch", scopes=["draws:monitor"])
        assert answer.status_code == 302
        assert answer.url.startswith("/accounts/reauthenticate/")
        assert not ApiKey.objects.exists()
        back = client.post(answer.url, {"password": "a long password"}, follow=True)
        assert 'value="Watch"' in back.content.decode()
        assert make_on_page(client, name="Watch", scopes=["draws:monitor"]).status_code == 200
        assert ApiKey.objects.get().scopes == ["draws:monitor"]


@pytest.mark.django_db
def test_a_key_for_oneself_does_not():
    client = session_client(alice())
    with time_machine.travel(timezone.now() + dt.timedelta(hours=1)):
        assert token_on(make_on_page(client))


@pytest.mark.django_db
def test_the_service_gives_no_scope_that_its_owner_could_not_use():
    now = timezone.now()
    with pytest.raises(ApiKeyError):
        create_api_key(owner=alice(), name="x", scopes=["draws:execute"], expires_at=None, now=now)
    with pytest.raises(ApiKeyError):
        create_api_key(owner=alice(), name="x", scopes=[ENTRIES_READ], expires_at=now, now=now)
    with pytest.raises(ApiKeyError):
        create_api_key(owner=alice(), name=" ", scopes=[ENTRIES_READ], expires_at=None, now=now)


@pytest.mark.django_db
def test_there_is_an_end_to_keys():
    for _ in range(MOST_KEYS):
        make_key(alice(), ENTRIES_READ)
    with pytest.raises(ApiKeyError, match="revoke one first"):
        make_key(alice(), ENTRIES_READ)
    make_key(bob(), ENTRIES_READ)
    revoke_api_key(key=ApiKey.objects.filter(owner=alice()).first(), by=alice(), now=timezone.now())
    make_key(alice(), ENTRIES_READ)


def test_of_many_made_at_once_no_more_than_the_limit(cloned_db, parallel):
    for _ in range(MOST_KEYS - 2):
        make_key(alice(), ENTRIES_READ)
    owner = alice()
    outcomes = parallel(lambda: make_key(owner, ENTRIES_READ), 6)
    assert len(outcomes.results) == 2
    assert all(isinstance(error, ApiKeyError) for error in outcomes.errors)


def test_of_one_name_made_at_once_there_is_one(cloned_db, parallel):
    owner, now = alice(), timezone.now()
    outcomes = parallel(
        lambda: create_api_key(owner=owner, name="One", scopes=[ENTRIES_READ], expires_at=None, now=now), 5
    )
    assert len(outcomes.results) == 1
    assert Record.objects.filter(action="api_key.created").count() == 1


@pytest.mark.django_db
def test_nobody_sees_or_ends_another_s_keys():
    made = make_key(alice(), ENTRIES_READ)
    client = session_client(bob())
    assert made.key.prefix not in client.get(PAGE).content.decode()
    assert client.post(f"{PAGE}{made.key.public_id}/revoke/").status_code == 404
    assert Client().get(PAGE).status_code == 302
    assert client.get(f"{PAGE}{made.key.public_id}/revoke/").status_code == 405
    made.key.refresh_from_db()
    assert made.key.revoked_at is None


@pytest.mark.django_db
def test_a_key_can_make_no_key():
    client = Client(headers=bearer(make_key(alice(), ENTRIES_READ).token))
    assert client.get(PAGE).status_code == 302


@pytest.mark.django_db
def test_its_last_use_is_noted_coarsely():
    made = make_key(alice(), ENTRIES_READ)
    client = Client(headers=bearer(made.token))

    def writes() -> int:
        with CaptureQueriesContext(connection) as queries:
            client.get("/api/draws/entries/")
        return sum("UPDATE" in query["sql"] for query in queries)

    assert [writes(), writes(), writes()] == [1, 0, 0]
    assert "now" in session_client(alice()).get(PAGE).content.decode()
    ApiKey.objects.update(last_used_at=timezone.now() - USE_NOTED_EVERY - dt.timedelta(seconds=1))
    assert [writes(), writes()] == [1, 0]


@pytest.mark.django_db
def test_a_super_admin_ends_a_key_that_got_out():
    made = make_key(alice(), ENTRIES_READ)
    boss = session_client(admin())
    page = "/admin/accounts/apikey/"
    assert made.key.prefix in boss.get(page).content.decode()
    assert made.key.secret_sha256 not in boss.get(f"{page}{made.key.pk}/change/").content.decode()
    boss.post(page, {"action": "revoke", "_selected_action": [made.key.pk]})
    assert Record.objects.get(action="api_key.revoked").actor == admin()
    answer = Client(headers=bearer(made.token)).get("/api/draws/entries/")
    assert answer.json()["code"] == "key_revoked"


@pytest.mark.django_db
@pytest.mark.parametrize("role", [roles.MANAGER_ADMIN, roles.FINANCE, roles.SUPPORT_LEAD])
def test_other_staff_see_no_keys(role):
    client = session_client(make_user(role=role, is_staff=True))
    assert client.get("/admin/accounts/apikey/").status_code == 404


def test_two_scopes_of_one_name_are_refused():
    with pytest.raises(ScopeError):
        register([Scope(ENTRIES_READ, "Something else")])


@pytest.mark.parametrize(
    ("changes", "ids"),
    [
        ({}, []),
        (
            {
                "CRON_SECRET": "x" * 32,
                "CORS_ALLOWED_ORIGINS": ["https://app.example", "http://localhost:3000"],
            },
            [],
        ),
        ({"CRON_SECRET": "short"}, ["config.W001"]),
        ({"CORS_ALLOWED_ORIGINS": ["app.example"]}, ["config.E001"]),
        ({"CORS_ALLOWED_ORIGINS": ["https://app.example/", "*"]}, ["config.E001", "config.E001"]),
        ({"API_LIMIT_KEY": -1}, ["config.E002"]),
    ],
)
def test_settings_of_the_api_are_checked(settings, changes, ids):
    for name, value in changes.items():
        setattr(settings, name, value)
    assert [problem.id for problem in check_api()] == ids


def test_a_key_made_in_a_browser(live_site, page, page_errors):
    make_user(email="grace@example.com", password="a long password", display_name="Grace")
    page.goto("/accounts/login/?next=/accounts/api-keys/")
    page.get_by_label("Email").fill("grace@example.com")
    page.get_by_label("Password").fill("a long password")
    page.locator("main form button[type=submit]").first.click()
    page.get_by_label("Name").fill("Backup")
    page.get_by_text("See my entries").click()
    page.get_by_role("button", name="Make the key").click()
    token = page.locator("[data-copy-value]").inner_text()
    answer = page.request.get("/api/draws/entries", headers=bearer(token))
    assert answer.status == 200
    page.get_by_role("button", name="Revoke Backup").click()
    page.get_by_role("button", name="Yes, go on").click()
    page.get_by_text("opens nothing any more").wait_for()
    assert page.request.get("/api/draws/entries", headers=bearer(token)).status == 401
    assert page_errors == []
