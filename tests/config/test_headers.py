"""What every answer carries, so that a browser refuses what we would not have sent."""

import re

import pytest
from django.test import Client

from tests.draws.factories import make_executed
from tests.factories import admin, alice, make_user

pytestmark = pytest.mark.django_db

PUBLIC = [
    "/",
    "/draws/",
    "/draws/fairness/",
    "/accounts/login/",
    "/accounts/signup/",
    "/api/docs/",
    "/healthz",
]
OURS = ["/dashboard/", "/inbox/", "/wallet/", "/prizes/", "/accounts/profile/", "/accounts/2fa/"]
ADMIN = ["/admin/", "/admin/draws/draw/", "/admin/audit/seal/"]
MISSING = ["/nowhere/", "/prizes/claim/guess/", "/api/nowhere/", "/admin/nowhere/"]


def policy(response) -> dict[str, str]:
    parts = response.headers["Content-Security-Policy"].split(";")
    return {name: rest for name, _space, rest in (part.strip().partition(" ") for part in parts)}


def assert_is_guarded(response) -> None:
    assert response.headers["X-Content-Type-Options"] == "nosniff"
    assert response.headers["Referrer-Policy"] == "same-origin"
    assert response.headers["Cross-Origin-Opener-Policy"] == "same-origin"
    assert "camera=()" in response.headers["Permissions-Policy"]
    assert re.fullmatch(r"[A-Za-z0-9._-]{8,64}", response.headers["X-Request-ID"])
    assert policy(response)["object-src"] == "'none'"
    assert policy(response)["base-uri"] == "'none'"
    assert policy(response)["frame-ancestors"] == "'none'"


@pytest.mark.parametrize("path", PUBLIC + OURS + MISSING[:3])
def test_our_pages_run_only_our_own_files(path):
    client = Client()
    if path in OURS:
        client.force_login(alice())
    response = client.get(path)
    assert response.status_code in (200, 404)
    assert_is_guarded(response)
    assert policy(response)["script-src"] == "'self'"
    assert "unsafe" not in response.headers["Content-Security-Policy"]


def test_a_form_that_leads_to_paystack_may_and_no_other_page_may():
    client = Client()
    client.force_login(alice())
    buying, other = client.get("/credits/"), client.get("/wallet/")
    assert policy(buying)["form-action"] == "'self' https://checkout.paystack.com https://paystack.com"
    assert policy(other)["form-action"] == "'self'"
    assert policy(buying) | {"form-action": "'self'"} == policy(other)


@pytest.mark.parametrize("path", [*ADMIN, MISSING[3]])
def test_the_admin_alone_is_relaxed(path):
    client = Client()
    client.force_login(admin())
    response = client.get(path)
    assert_is_guarded(response)
    assert "'unsafe-eval'" in policy(response)["script-src"]


def test_files_to_download_are_guarded_too():
    draw = make_executed(members=[alice()])
    for name in ("proof.json", "entries.csv", "manifest.json"):
        assert_is_guarded(Client().get(f"/draws/{draw.slug}/{name}"))


ELSEWHERE = ["https://evil.example/", "//evil.example", "/\\evil.example", "javascript:alert(1)"]


def is_ours(address: str) -> bool:
    return address.startswith("/") and not address.startswith(("//", "/\\"))


@pytest.mark.parametrize("given", ELSEWHERE)
@pytest.mark.parametrize("at", ["login", "logout", "admin", "reauthenticate"])
def test_nobody_is_sent_elsewhere(at, given):
    client, who = Client(), make_user(password="a long enough phrase")
    typed = {"login": who.email, "password": "a long enough phrase", "next": given}
    if at in ("logout", "reauthenticate"):
        client.force_login(who)
    if at == "admin":
        response = client.get("/admin/login/", {"next": given})
    else:
        response = client.post(f"/accounts/{at}/", typed)
    assert response.status_code == 302
    assert is_ours(response.headers["Location"])
    assert given not in response.headers["Location"]
