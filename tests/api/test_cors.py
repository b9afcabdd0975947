"""Scripts of other sites: let in one by one, and never with cookies."""

import pytest
from django.test import Client

from tests.api.keys import make_key
from tests.factories import alice

pytestmark = pytest.mark.django_db

OURS, OTHER = "https://app.example", "https://evil.example"


def ask(origin: str, path: str = "/api/draws/", **headers: str):
    return Client().get(path, headers={"Origin": origin, **headers})


def preflight(origin: str, path: str = "/api/draws/entries/"):
    headers = {
        "Origin": origin,
        "Access-Control-Request-Method": "GET",
        "Access-Control-Request-Headers": "authorization",
    }
    return Client().options(path, headers=headers)


def cors(answer) -> dict[str, str]:
    return {name: value for name, value in answer.headers.items() if name.startswith("Access-Control-")}


def test_it_is_off():
    assert cors(ask(OURS)) == cors(preflight(OURS)) == {}


def test_an_origin_that_is_named_may_read(settings):
    settings.CORS_ALLOWED_ORIGINS = [OURS]
    key = make_key(alice(), "entries:read").token
    answer = ask(OURS, "/api/draws/entries/", Authorization=f"Bearer {key}")
    assert answer.status_code == 200
    assert answer.headers["Access-Control-Allow-Origin"] == OURS
    assert "Origin" in answer.headers["Vary"]
    asked = preflight(OURS)
    assert asked.status_code == 204
    assert "Authorization" in asked.headers["Access-Control-Allow-Headers"]
    assert "POST" in asked.headers["Access-Control-Allow-Methods"]


def test_errors_can_be_read_too(settings):
    settings.CORS_ALLOWED_ORIGINS = [OURS]
    settings.API_LIMIT_ADDRESS = 1
    for status in (401, 429):
        answer = ask(OURS, "/api/draws/entries/")
        assert (answer.status_code, answer.headers["Access-Control-Allow-Origin"]) == (status, OURS)


@pytest.mark.parametrize(
    "origin", [OTHER, "null", "https://app.example.evil.example", "http://app.example", ""]
)
def test_no_other_origin_may(settings, origin):
    settings.CORS_ALLOWED_ORIGINS = [OURS]
    assert cors(ask(origin)) == cors(preflight(origin)) == {}


def test_nobody_may_bring_cookies(settings):
    settings.CORS_ALLOWED_ORIGINS = [OURS]
    for answer in (ask(OURS), preflight(OURS)):
        assert "Access-Control-Allow-Credentials" not in answer.headers


def test_pages_are_not_for_scripts(settings):
    settings.CORS_ALLOWED_ORIGINS = [OURS]
    assert cors(ask(OURS, "/draws/")) == {}
