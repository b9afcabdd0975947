"""An outside scheduler that stands in for beat."""

import pytest
import time_machine
from django.test import Client

from draws.models import Draw
from notifications.models import Delivery, State
from tests.api.keys import bearer, key_client, send
from tests.draws.factories import CASH, CREDITS, HOUR, make_draw, make_frozen
from tests.factories import admin, alice

SECRET = "correct-horse-battery-staple-ünïcode-40chars"
JOBS = ("freeze-draws", "execute-draws", "send-notifications")


@pytest.fixture
def secret(settings):
    settings.CRON_SECRET = SECRET
    return SECRET


def call(job: str, token: str = SECRET, **extra):
    raw = token.encode().decode("latin-1")  # as a header travels
    return send(Client(headers=bearer(raw)), f"/api/cron/{job}", **extra)


@pytest.mark.django_db
@pytest.mark.parametrize("job", JOBS)
@pytest.mark.parametrize("slash", ["", "/"])
def test_the_right_secret_opens(secret, job, slash):
    answer = call(job + slash)
    assert (answer.status_code, answer.json()["success"]) == (200, True)


@pytest.mark.django_db
@pytest.mark.parametrize("job", JOBS)
@pytest.mark.parametrize("token", ["", "wrong", SECRET[:-1], SECRET + "x", SECRET.upper()])
def test_a_wrong_secret_does_not(secret, job, token):
    draw = make_frozen()
    answer = call(job, token)
    assert (answer.status_code, answer.json()["code"]) == (401, "wrong_secret")
    assert answer.headers["WWW-Authenticate"].startswith("Bearer")
    draw.refresh_from_db()
    assert draw.executed_at is None


@pytest.mark.django_db
@pytest.mark.parametrize("job", JOBS)
def test_no_secret_and_other_ways_in_do_not_open(secret, job):
    path = f"/api/cron/{job}/"
    assert send(Client(), path).status_code == 401
    assert send(Client(headers={"Authorization": f"Basic {'x' * 8}"}), path).status_code == 401
    assert send(key_client(admin(), "draws:execute"), path).status_code == 401
    signed_in = Client()
    signed_in.force_login(admin())
    assert send(signed_in, path).status_code == 401


@pytest.mark.django_db
@pytest.mark.parametrize("job", JOBS)
@pytest.mark.parametrize("token", ["", "None", SECRET])
def test_where_no_secret_is_set_there_is_no_such_address(settings, job, token):
    settings.CRON_SECRET = ""
    answer = call(job, token)
    assert (answer.status_code, answer.json()["code"]) == (404, "not_found")


@pytest.mark.django_db
@pytest.mark.parametrize("job", JOBS)
def test_looking_is_not_doing(secret, job):
    answer = Client(headers=bearer(SECRET.encode().decode("latin-1"))).get(f"/api/cron/{job}/")
    assert (answer.status_code, answer.json()["code"]) == (405, "method_not_allowed")
    assert "POST" in answer.headers["Allow"]


@pytest.mark.django_db
def test_whatever_is_sent_along_is_not_read(secret):
    client = Client(headers=bearer(SECRET.encode().decode("latin-1")))
    for body, content_type in (
        ("{", "application/json"),
        ("a=b", "text/plain"),
        ("x" * 100_000, "image/png"),
    ):
        assert client.post("/api/cron/execute-draws", body, content_type=content_type).status_code == 200


@pytest.mark.django_db
def test_freezing_and_executing_say_what_they_did(secret):
    draw = make_draw(entrants=5, closes_in=-HOUR, prizes=(CASH,))
    nothing = {"total_winners_selected": 0, "total_awarded": 0, "total_awarded_by_unit": []}
    frozen = call("freeze-draws").json()
    assert frozen == {"success": True, "draws_processed": 1, "draws_failed": 0} | nothing
    draw.refresh_from_db()  # a late freeze has moved the draw
    with time_machine.travel(draw.draw_at):
        done = call("execute-draws").json()
    assert (done["success"], done["draws_processed"], done["total_winners_selected"]) == (True, 1, 1)
    assert done["total_awarded"] == 100_000
    assert (
        call("execute-draws").json() == {"success": True, "draws_processed": 0, "draws_failed": 0} | nothing
    )


@pytest.mark.django_db
def test_several_units_are_told_apart(secret):
    make_frozen(prizes=(CASH,))
    make_frozen(prizes=(CREDITS,))
    done = call("execute-draws").json()
    assert (done["draws_processed"], done["total_awarded"]) == (2, None)
    assert [row["text"] for row in done["total_awarded_by_unit"]] == ["30 credits", "KES 1,000.00"]


@pytest.mark.django_db
def test_a_draw_that_fails_is_no_success_and_stops_no_other(secret):
    broken, good = make_frozen(), make_frozen()
    Draw.objects.filter(pk=broken.pk).update(secret_encrypted="not a secret")
    done = call("execute-draws").json()
    assert (done["success"], done["draws_processed"], done["draws_failed"]) == (False, 1, 1)
    good.refresh_from_db()
    assert good.status == "completed"


@pytest.mark.django_db
def test_a_freeze_that_fails_is_no_success(secret, monkeypatch):
    make_draw(entrants=2, closes_in=-HOUR)

    def broken(*args):
        raise OSError("no space left")

    monkeypatch.setattr("draws.services.freezing.store_entries_file", broken)
    done = call("freeze-draws").json()
    assert (done["success"], done["draws_processed"], done["draws_failed"]) == (False, 0, 1)


@pytest.mark.django_db
def test_sending_sends(secret, mailoutbox):
    make_draw(entrants=3, closes_in=-HOUR)
    call("freeze-draws")
    done = call("send-notifications").json()
    assert done == {"success": True, "processed": 3, "failed": 0}
    assert len(mailoutbox) == 3


def test_calls_that_overlap_do_the_work_once(cloned_db, parallel, secret, mailoutbox):
    draws = [make_frozen(entrants=30, members=[alice()]) for _ in range(3)]
    outcomes = parallel(lambda: call("execute-draws"), 5)
    assert outcomes.errors == []
    said = [answer.json() for answer in outcomes.results]
    assert all(one["success"] for one in said)
    assert sum(one["draws_processed"] for one in said) == 3
    assert sum(one["total_winners_selected"] for one in said) == 9
    assert sum(one["total_awarded"] for one in said) == 3 * 120_000
    for draw in draws:
        assert draw.winners.count() == 3
    for _ in range(3):
        parallel(lambda: call("send-notifications"), 5)
    sent = Delivery.objects.filter(channel="email", state=State.HANDED).count()
    assert sent == len(mailoutbox) == len({mail.extra_headers["Message-ID"] for mail in mailoutbox})
    assert sent > 90


def test_freezes_that_overlap_freeze_once(cloned_db, parallel, secret):
    make_draw(entrants=30, closes_in=-HOUR)
    outcomes = parallel(lambda: call("freeze-draws"), 5)
    assert outcomes.errors == []
    assert sum(answer.json()["draws_processed"] for answer in outcomes.results) == 1
