"""How often one may ask, and that nobody is held up when there is nobody to count."""

import pytest
import time_machine
from django.conf import settings as django_settings
from django.core.cache import caches
from django.test import Client

from audit.client import networks
from tests.api.keys import bearer, make_key, send, session_client
from tests.factories import alice, bob

pytestmark = pytest.mark.django_db

PATH = "/api/draws/entries/"


@pytest.fixture(autouse=True)
def minute():
    """One minute, in which the clock stands."""
    with time_machine.travel("2026-11-21T10:00:12Z", tick=False) as clock:
        yield clock


def codes(client, times: int, path: str = PATH) -> list[int]:
    return [client.get(path).status_code for _ in range(times)]


def test_a_key_has_its_own_limit(settings, minute):
    settings.API_LIMIT_KEY = 3
    one = Client(headers=bearer(make_key(alice(), "entries:read").token))
    other = Client(headers=bearer(make_key(alice(), "entries:read").token))
    assert codes(one, 5) == [200, 200, 200, 429, 429]
    assert codes(other, 1) == [200]
    minute.shift(60)
    assert codes(one, 1) == [200]


def test_a_member_has_one_limit_whatever_they_come_with(settings):
    settings.API_LIMIT_MEMBER = 3
    key = Client(headers=bearer(make_key(alice(), "entries:read").token))
    assert codes(key, 2) + codes(session_client(alice()), 2) == [200, 200, 200, 429]
    assert codes(session_client(bob()), 1) == [200]


def test_an_address_has_a_limit_also_for_visitors_and_for_guessers(settings):
    settings.API_LIMIT_ADDRESS = 3
    guesser = Client(headers=bearer("fg_guess"))
    assert codes(guesser, 2) + codes(Client(), 2, "/api/draws/") == [401, 401, 200, 429]
    assert codes(Client(), 1, "/api/nothing/") == [429]
    assert codes(Client(REMOTE_ADDR="203.0.113.9"), 1, "/api/draws/") == [200]
    assert Client().get("/draws/").status_code == 200


def test_the_answer_says_how_long_to_wait(settings):
    settings.API_LIMIT_MEMBER = settings.API_LIMIT_ADDRESS = 1
    client = session_client(alice())
    client.get(PATH)
    settings.API_LIMIT_ADDRESS = 0
    by_member = client.get(PATH)
    settings.API_LIMIT_ADDRESS = 1
    by_address = client.get(PATH)
    for answer in (by_member, by_address):
        assert (answer.status_code, answer.json()["code"]) == (429, "throttled")
        assert answer.headers["Retry-After"] == "48"
        assert answer.headers["Content-Type"] == "application/problem+json"


def test_neighbours_of_one_ipv6_customer_count_as_one(settings):
    settings.API_LIMIT_ADDRESS = 1
    assert codes(Client(REMOTE_ADDR="2001:db8:0:1::1"), 1, "/api/draws/") == [200]
    assert codes(Client(REMOTE_ADDR="2001:db8:0:1:ffff::2"), 1, "/api/draws/") == [429]
    assert codes(Client(REMOTE_ADDR="2001:db8:0:2::1"), 1, "/api/draws/") == [200]


def test_behind_a_trusted_proxy_each_client_is_counted(settings):
    settings.API_LIMIT_ADDRESS = 1
    settings.TRUSTED_PROXIES = networks(["127.0.0.1"])
    for address, expected in (("203.0.113.1", 200), ("203.0.113.2", 200), ("203.0.113.1", 429)):
        client = Client(headers={"X-Forwarded-For": f"6.6.6.6, {address}"})
        assert codes(client, 1, "/api/draws/") == [expected]


def test_no_limit_is_zero(settings):
    settings.API_LIMIT_KEY = settings.API_LIMIT_MEMBER = settings.API_LIMIT_ADDRESS = 0
    assert codes(session_client(alice()), 5) == [200] * 5


def test_the_limits_that_are_set_are_generous():
    assert django_settings.API_LIMIT_KEY >= 300
    assert django_settings.API_LIMIT_ADDRESS >= 5 * django_settings.API_LIMIT_MEMBER


def test_a_count_that_vanishes_meanwhile_holds_nobody_up(settings, monkeypatch):
    settings.API_LIMIT_ADDRESS = 1

    def gone(*args, **kwargs):
        raise ValueError("no such key")

    monkeypatch.setattr(caches["default"], "incr", gone)
    monkeypatch.setattr(caches["default"], "add", lambda *args: False)
    assert codes(Client(), 3, "/api/draws/") == [200] * 3


def test_routes_of_all_kinds_count_together(settings):
    settings.API_LIMIT_ADDRESS = 5
    answers = [send(Client(), "/api/cron/execute-draws/").status_code for _ in range(9)]
    assert answers == [404] * 5 + [429] * 4
