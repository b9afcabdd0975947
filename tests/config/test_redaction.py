"""Nothing secret or personal gets into a log: by the rules, and on the real site."""

import json
import logging
import re
import urllib.error
import urllib.parse
import urllib.request
from http.cookiejar import CookieJar

import pytest
import structlog
from hypothesis import given
from hypothesis import strategies as st

from accounts.models import User
from config import redaction
from config.celery import LoggedTask, app
from config.log_context import add_user, current_request
from config.logging import LOGGING, hide_secrets
from config.redaction import ADDRESS, HIDDEN, own_secrets, redact, redacted
from tests.api.keys import make_key
from tests.factories import make_user

PASSWORD = "correct horse battery staple"
CLAIM = "Zm9vYmFyYmF6cXV4.claim-token-of-a-prize"


@pytest.mark.parametrize(
    ("text", "instead"),
    [
        ("Not Found: /prizes/claim/abc.DEF-1/decline/", f"Not Found: /prizes/claim/{HIDDEN}/decline/"),
        ("/accounts/password/reset/key/1-abcdef/", f"/accounts/password/reset/key/{HIDDEN}/"),
        ("/preferences/confirm/abc.DEF-1/", f"/preferences/confirm/{HIDDEN}/"),
        ("/accounts/confirm-email/MQ:1x:abc/", f"/accounts/confirm-email/{HIDDEN}/"),
        ("/unsubscribe/abc?x=1", f"/unsubscribe/{HIDDEN}?x=1"),
        ("Authorization: Bearer abcdef123456", f"Authorization: Bearer {HIDDEN}"),
        ("key fg_abcdefghijklmnop refused", f"key fg_{HIDDEN} refused"),
        ("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw", f"whsec_{HIDDEN}"),
        ("postgres://site:pa55@db.example/x", f"postgres://{HIDDEN}@db.example/x"),
        ("redis://:pa55@redis.example/0", f"redis://{HIDDEN}@redis.example/0"),
        ("{'new_password1': ['hunter2hunter2']}", "{'new_password1': ['" + HIDDEN + "']}"),
        ("password=hunter2hunter2&x=1", f"password={HIDDEN}&x=1"),
        ("mail to alice.w+1@mail.example.com bounced", f"mail to {ADDRESS} bounced"),
        ("worker@host.example ready", "worker@host.example ready"),
        ("draw 3f2b executed with 4 winners", "draw 3f2b executed with 4 winners"),
        ("key=beat", "key=beat"),
    ],
)
def test_what_is_secret_is_hidden_and_the_rest_is_not(text, instead):
    assert redact(text) == instead


def test_values_by_their_names_and_in_whatever_they_are_nested():
    line = {"event": "x", "reset_token": "abc", "data": {"Cookie": "s=1", "n": 3, "to": ["a@b.example"]}}
    assert redacted(line) == {
        "event": "x",
        "reset_token": HIDDEN,
        "data": {"Cookie": HIDDEN, "n": 3, "to": [ADDRESS]},
    }


def test_the_site_s_own_secrets_are_hidden_wherever_they_stand():
    environment = {
        "CRON_SECRET": "a-very-long-secret",
        "DRAW_SECRET_KEYS": "first-key-of-two,second-key-of-two",
    }
    known = own_secrets(environment)
    assert (
        redact("it was second-key-of-two, not a-very-long-secret", known) == f"it was {HIDDEN}, not {HIDDEN}"
    )


def test_the_message_of_an_exception_is_hidden_too(capsys):
    handler = logging.StreamHandler()
    formatter = LOGGING["formatters"]["site"]
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=formatter["foreign_pre_chain"],
            processors=[formatter["processors"][0], hide_secrets, structlog.processors.JSONRenderer()],
        )
    )
    log = logging.Logger("test")
    log.addHandler(handler)
    try:
        raise ValueError("SMTP refused bob@example.com with password='hunter2hunter2'")
    except ValueError:
        log.exception("sending to %s failed", "bob@example.com")
    [line] = capsys.readouterr().err.splitlines()
    told = json.loads(line)
    assert told["event"] == f"sending to {ADDRESS} failed"
    assert "hunter2" not in line
    assert "bob" not in line


@pytest.mark.django_db
def test_lines_name_the_person_by_public_id_when_it_costs_nothing(rf, django_assert_num_queries):
    request, who = rf.get("/"), make_user()
    token = current_request.set(request)
    try:
        assert add_user(None, "info", {"event": "x"}) == {"event": "x"}
        request.user = who
        with django_assert_num_queries(0):
            assert add_user(None, "info", {"event": "x"})["user"] == str(who.public_id)
    finally:
        current_request.reset(token)


def test_a_job_takes_the_id_of_its_request_along(monkeypatch):
    sent = {}
    monkeypatch.setattr("celery.Celery.send_task", lambda self, name, *args, **kwargs: sent.update(kwargs))
    with structlog.contextvars.bound_contextvars(request_id="request-0001"):
        app.send_task("notifications.tasks.sweep")
    assert sent["headers"] == {"request_id": "request-0001"}
    sent.clear()
    app.send_task("notifications.tasks.sweep")
    assert "headers" not in sent


def test_lines_of_a_job_carry_its_id_and_that_of_the_request():
    seen = {}

    @app.task(base=LoggedTask, name="tests.look", bind=True)
    def look(self):
        seen.update(structlog.contextvars.get_contextvars())

    look.push_request(id="task-1", request_id="request-0001")
    try:
        look()
    finally:
        look.pop_request()
    assert seen == {"task_id": "task-1", "task": "tests.look", "request_id": "request-0001"}
    assert structlog.contextvars.get_contextvars() == {}


class Visitor:
    """Somebody at the real site, by HTTP alone."""

    def __init__(self, url: str) -> None:
        self.url = url
        self.opener = urllib.request.build_opener(urllib.request.HTTPCookieProcessor(CookieJar()))

    def ask(self, path: str, form: dict[str, str] | None = None, **headers: str) -> str:
        data = urllib.parse.urlencode(form).encode() if form else None
        request = urllib.request.Request(self.url + path, data=data, headers=headers)
        try:
            with self.opener.open(request, timeout=20) as answer:
                return answer.read().decode(errors="replace")
        except urllib.error.HTTPError as error:
            return error.read().decode(errors="replace")

    def send(self, path: str, **form: str) -> str:
        found = re.search(r'name="csrfmiddlewaretoken" value="([^"]+)"', self.ask(path))
        return self.ask(path, {"csrfmiddlewaretoken": found.group(1) if found else "", **form})


def test_no_secret_gets_into_the_log_of_the_real_site(cloned_db, tmp_path, live_site):
    live_site.web.stop()
    live_site.env |= {
        "LOG_FORMAT": "json",
        "LOG_LEVEL": "DEBUG",
        "CRON_SECRET": "secret-of-the-scheduler-0123456789",
    }
    live_site.start_web()
    who = make_user(email="grace.hopper@mail.example.com", password=PASSWORD)
    key = make_key(who, "entries:read").token
    visitor = Visitor(live_site.url)
    visitor.send("/accounts/login/", login=who.email, password="the wrong one entirely")
    visitor.send("/accounts/login/", login=who.email, password=PASSWORD)
    visitor.send(
        "/accounts/signup/", email="new.person@mail.example.com", password1=PASSWORD, display_name="N"
    )
    visitor.send("/accounts/password/reset/", email=who.email)
    visitor.ask(f"/prizes/claim/{CLAIM}/")
    visitor.ask(f"/prizes/claim/{CLAIM}/decline/", {"x": "1"})
    visitor.ask("/accounts/password/reset/key/1-abcdef0123456789/")
    visitor.ask("/api/draws/entries/", Authorization=f"Bearer {key}")
    visitor.ask("/api/draws/entries/", Authorization="Bearer fg_a_guessed_key_0123456789")
    visitor.ask(
        "/api/cron/execute-draws/", {"x": "1"}, Authorization="Bearer secret-of-the-scheduler-0123456789"
    )
    visitor.ask("/nowhere/", **{"X-Request-ID": "given-by-the-proxy"})
    log = live_site.web.log
    lines = [json.loads(line) for line in log.splitlines() if line.startswith("{")]
    assert len([line for line in lines if line["event"] == "request"]) >= 10
    mail = "".join(path.read_text() for path in live_site.data.rglob("mailbox/**/*") if path.is_file())
    links = re.findall(r"/(?:confirm-email|reset/key)/([\w:=-]{10,})", mail)
    assert links, "the site has sent links"
    cookies = [
        cookie.value for handler in visitor.opener.handlers for cookie in getattr(handler, "cookiejar", ())
    ]
    secrets = [PASSWORD, "the wrong one", CLAIM, "abcdef0123456789", key, "a_guessed_key", *links, *cookies]
    secrets += ["secret-of-the-scheduler", "grace.hopper", "new.person", live_site.env["SECRET_KEY"]]
    assert [secret for secret in secrets if secret in log] == []
    [nowhere] = [line for line in lines if line.get("request_id") == "given-by-the-proxy"]
    assert (nowhere["status"], nowhere["route"]) == (404, None)
    named = {line.get("user") for line in lines}
    assert str(User.objects.get(pk=who.pk).public_id) in named


@given(
    st.lists(
        st.one_of(
            st.sampled_from(
                [
                    "token=",
                    "key:",
                    "Bearer",
                    "basic",
                    "fg_",
                    "sk_test_",
                    "whsec_",
                    "://",
                    "@",
                    "/",
                    "/watch/",
                    "abcdef12",
                    "a.example",
                    "'password':",
                    "\t",
                    "\xa0",
                    "\u2003",
                    "[",
                ]
            ),
            st.text(max_size=12),
        ),
        max_size=8,
    ).map("".join)
)
def test_the_quick_look_misses_nothing(text):
    slowly = text
    for _can_match, pattern, instead in redaction._RULES:
        slowly = pattern.sub(instead, slowly)
    assert redaction.redact(text) == slowly
