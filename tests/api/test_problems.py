"""Whatever is sent, the answer is a problem with a code, and never a page, a trace or a bare 500."""

import json

import pytest
from django.test import Client

from config.api import LARGEST_BODY
from draws.models import Draw
from tests.api.keys import key_client, session_client
from tests.draws.factories import make_draw, make_frozen
from tests.factories import admin, alice

pytestmark = pytest.mark.django_db


def assert_problem(answer, status: int, code: str) -> dict:
    assert answer.status_code == status, answer.content
    assert answer.headers["Content-Type"] == "application/problem+json"
    said = answer.json()
    assert (said["status"], said["code"]) == (status, code)
    assert said["type"] == "about:blank"
    assert said["title"]
    assert "Traceback" not in answer.content.decode()
    return said


@pytest.fixture
def draw():
    return make_frozen()


@pytest.fixture
def post(draw):
    client = key_client(admin(), "draws:execute")

    def post(body, content_type: str = "application/json", **extra):
        path = f"/api/draws/{draw.public_id}/execute/"
        return client.generic("POST", path, body, content_type=content_type, **extra)

    yield post
    draw.refresh_from_db()
    assert draw.executed_at is None


@pytest.mark.parametrize(
    "body",
    [
        "{",
        "{'reason': 'x'}",
        '{"reason": NaN}',
        '{"reason": ' + "1" * 5000 + "}",
        "[" * 20_000,
        b"\xff\xfe",
        b'{"reason": "\xff"}',
        "\0",
    ],
)
def test_bad_json(post, body):
    assert_problem(post(body), 400, "bad_json")


def test_half_a_surrogate_pair_is_refused_as_a_value_and_as_a_name(post):
    said = assert_problem(post('{"reason": "\\ud800"}'), 400, "invalid_input")
    assert said["errors"][0]["field"] == "reason"
    said = assert_problem(post('{"\\ud800": 1, "reason": "x"}'), 400, "invalid_input")
    assert said["errors"] == [{"field": "?", "code": "unknown_field", "detail": "There is no such field."}]


@pytest.mark.parametrize(
    "content_type", ["application/x-www-form-urlencoded", "text/plain", "application/xml", "image/png"]
)
def test_what_is_not_json_is_not_read(post, content_type):
    assert_problem(post("reason=x", content_type=content_type), 415, "unsupported_media_type")


@pytest.mark.parametrize("content_type", ["nonsense", "application/json; charset=bz2_codec", ""])
def test_content_types_that_are_none(post, content_type):
    answer = post('{"reason": "x"}', content_type=content_type)
    assert answer.status_code in (400, 415)
    assert_problem(answer, answer.status_code, answer.json()["code"])


def test_a_huge_body_is_refused_before_it_is_read(post):
    body = json.dumps({"reason": "x" * LARGEST_BODY})
    assert_problem(post(body), 413, "too_large")
    assert_problem(post("{}", CONTENT_LENGTH="99999999999999999999"), 413, "too_large")


def test_a_session_form_of_a_huge_size_is_refused():
    draw = make_draw()
    client = Client(enforce_csrf_checks=True)
    client.force_login(alice())
    body = "a=" + "x" * 3_000_000
    answer = client.post(
        f"/api/draws/{draw.slug}/entries/", body, content_type="application/x-www-form-urlencoded"
    )
    assert answer.status_code in (400, 403, 413)
    assert_problem(answer, answer.status_code, answer.json()["code"])


@pytest.mark.parametrize("body", ['{"weight": 1000}', '{"member": 1, "weight": 2}'])
def test_nobody_enters_with_fields_that_are_not_there(body):
    draw = make_draw()
    client = key_client(alice(), "entries:write")
    answer = client.post(f"/api/draws/{draw.slug}/entries/", body, content_type="application/json")
    said = assert_problem(answer, 400, "invalid_input")
    assert said["errors"][-1]["field"] == "weight"
    assert not draw.entries.exists()


def test_a_list_refuses_questions_it_does_not_know():
    said = assert_problem(Client().get("/api/draws/?state=open"), 400, "invalid_input")
    assert said["errors"] == [
        {"field": "state", "code": "unknown_field", "detail": "There is no such field."}
    ]
    assert_problem(Client().get("/api/draws/?phase=x"), 400, "invalid_input")


@pytest.mark.parametrize(
    "path", ["/api/", "/api/nothing", "/api/draws/a/b/c/", "/api/draws/%00/", "/api/draws/ü/"]
)
def test_an_address_that_is_none(path):
    assert_problem(Client().get(path), 404, "not_found")


@pytest.mark.parametrize("method", ["put", "patch", "delete", "options", "trace"])
def test_other_methods(draw, method):
    answer = getattr(Client(), method)(f"/api/draws/{draw.slug}/")
    assert_problem(answer, 405, "method_not_allowed")


def test_only_json_is_answered(draw):
    assert_problem(Client(headers={"Accept": "text/html"}).get("/api/draws/"), 406, "not_acceptable")
    assert_problem(Client().get("/api/draws/?format=xml"), 404, "not_found")


def test_a_host_that_is_not_ours():
    assert_problem(Client(headers={"Host": "evil.example"}).get("/api/draws/"), 400, "bad_request")


def test_a_fault_of_ours_is_a_problem_too(monkeypatch):
    def broken(self):
        raise RuntimeError("insides")

    monkeypatch.setattr("draws.models.draw.DrawQuerySet.public", broken)
    answer = Client(raise_request_exception=False).get("/api/draws/")
    assert_problem(answer, 500, "internal_error")
    assert b"insides" not in answer.content
    page = Client(raise_request_exception=False).get("/draws/")
    assert page.headers["Content-Type"].startswith("text/html")


def test_what_is_said_to_a_person_is_in_their_language_and_the_code_is_not(draw, settings):
    settings.LANGUAGES = [("en", "English"), ("fr", "French")]
    answer = Client(headers={"Accept-Language": "fr"}).get("/api/draws/due/")
    said = assert_problem(answer, 401, "not_authenticated")
    assert said["detail"].startswith("Informations d'authentification")


def test_answers_are_not_kept_by_caches():
    draw = make_draw()
    client = session_client(alice())
    for path in ("/api/draws/", f"/api/draws/{draw.slug}/", "/api/draws/entries/", "/api/nothing/"):
        assert client.get(path).headers["Cache-Control"] == "no-store"


def test_a_key_starts_no_session(draw):
    answer = key_client(alice(), "entries:read").get("/api/draws/entries/")
    assert not answer.cookies


def test_drafts_stay_unseen_by_their_address():
    Draw.objects.create(
        title="Secret",
        slug="secret",
        rules="x",
        opens_at="2030-01-01T00:00Z",
        closes_at="2030-01-02T00:00Z",
        draw_at="2030-01-03T00:00Z",
    )
    assert_problem(session_client(admin()).get("/api/draws/secret/"), 404, "not_found")
