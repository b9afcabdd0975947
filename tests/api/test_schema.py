"""The schema and its page: current, whole, and shown to each as far as it is theirs."""

import re
from pathlib import Path

import pytest
import yaml
from django.contrib.staticfiles import finders
from django.core.management import call_command
from django.test import Client

from accounts import roles
from config.api_schema import full_schema
from tests.api.keys import key_client, session_client
from tests.factories import alice, make_user
from tests.test_pages_browser import examined, what_sticks_out

# What Swagger's own script builds and no style sheet can mend: links inside the buttons that open a call, samples that
# scroll but can't be focused, and the fields of "Try it out" and the arrows of models without a name.
SWAGGERS = {"nested-interactive", "scrollable-region-focusable", "label", "select-name", "button-name"}
SNAPSHOT = Path(__file__).resolve().parents[2] / "docs" / "openapi.yaml"


def paths(answer) -> set[str]:
    return set(yaml.safe_load(answer.content)["paths"])


def test_the_committed_schema_is_current(tmp_path):
    """If it is not: `manage.py spectacular --validate --fail-on-warn --file docs/openapi.yaml`."""
    fresh = tmp_path / "openapi.yaml"
    call_command("spectacular", validate=True, fail_on_warn=True, file=str(fresh))
    assert SNAPSHOT.read_text() == fresh.read_text()


def test_every_call_says_what_it_answers_and_how_one_signs_in():
    for path, operations in full_schema()["paths"].items():
        for call in operations.values():
            assert "default" in call["responses"], path
            assert len(call["tags"]) == 1, path
            assert call["description"], path
            is_public = call["tags"] in (["draws"], ["packages"])
            assert ({} in call["security"]) == is_public, path
            scheme = "cron" if call["tags"] == ["scheduler"] else "key"
            assert {scheme: []} in call["security"], path


@pytest.mark.django_db
def test_staff_calls_are_shown_to_staff_alone():
    everything = set(yaml.safe_load(SNAPSHOT.read_text())["paths"])
    hidden = {path for path in everything if re.search(r"/(cron|due|health|status|execute|reconcile)/", path)}
    assert len(hidden) == 8
    staff = make_user(role=roles.FINANCE, is_staff=True)
    for client in (Client(), session_client(alice()), key_client(alice(), "entries:read")):
        answer = client.get("/api/schema/")
        assert paths(answer) == everything - hidden
        for word in (b"cron", b"leftover", b"overdue", b"execution_error", b"scheduler"):
            assert word not in answer.content
    assert paths(session_client(staff).get("/api/schema/")) == everything
    assert paths(key_client(staff, "draws:monitor").get("/api/schema")) == everything


@pytest.mark.django_db
def test_nothing_that_is_shown_refers_to_what_is_not():
    schema = yaml.safe_load(Client().get("/api/schema/").content)
    named = set(re.findall(r"#/components/schemas/(\w+)", str(schema)))
    assert named == set(schema["components"]["schemas"])


@pytest.mark.django_db
def test_the_schema_comes_as_json_too():
    answer = Client().get("/api/schema/?format=json")
    assert answer.json()["openapi"].startswith("3.")


@pytest.mark.django_db
def test_the_docs_have_nothing_inline_and_nothing_from_elsewhere():
    answer = Client().get("/api/docs/")
    text = answer.content.decode()
    assert answer.status_code == 200
    assert "unsafe" not in answer.headers["Content-Security-Policy"]
    assert "<style" not in text
    assert " style=" not in text
    assert all('src="' in tag for tag in re.findall(r"<script[^>]*>", text))
    for address in re.findall(r'(?:src|href)="([^"]+)"', text):
        assert address.startswith("/"), address
        if address.startswith("/static/"):
            assert finders.find(address.removeprefix("/static/")), address
    script = re.search(r'<script src="(/api/docs/[^"]+)"', text)[1]
    started = Client().get(script)
    assert started.headers["Content-Type"].startswith("application/javascript")
    assert "/api/schema/" in started.content.decode()


def test_the_docs_in_a_browser(live_site, page, page_errors):
    page.goto("/api/docs")
    page.get_by_text("/api/draws/{slug}/proof/").wait_for()
    assert page.get_by_text("/api/cron/").count() == 0
    page.get_by_text("/api/draws/", exact=True).click()
    page.get_by_role("button", name="Execute").click()
    page.get_by_text('"results": []').first.wait_for()
    for width in (1440, 360):
        page.set_viewport_size({"width": width, "height": 800})
        page.wait_for_load_state("networkidle")
        page.wait_for_timeout(500)  # the library lays its page out anew after a change of width
        assert what_sticks_out(page, "/api/docs/", "light") == []
        assert examined(page, "/api/docs/", but_for=SWAGGERS) == []
    assert page_errors == []
