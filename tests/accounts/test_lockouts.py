"""Guessing passwords: who guesses is locked out, and the owner is not."""

import time
from ipaddress import ip_network

import pytest
import time_machine
from axes.models import AccessAttempt
from django.core import mail
from django.test import Client

from accounts.lockouts import CODES
from tests.accounts.conftest import PASSWORD, SIGN_IN, is_signed_in, link_in_mail, sign_in
from tests.factories import make_user

pytestmark = pytest.mark.django_db
WRONG = "not the password"


@pytest.fixture
def grace(settings):
    settings.SIGN_IN_FAILURES = 3
    return make_user(email="grace@example.com", password=PASSWORD, display_name="Grace")


def guess(client: Client, times: int, email: str = "grace@example.com"):
    for _ in range(times):
        answer = sign_in(client, email, WRONG)
    return answer


def test_the_last_allowed_failure_locks_and_says_for_how_long(client, grace):
    assert guess(client, 2).status_code == 200
    answer = guess(client, 1)
    assert answer.status_code == 429
    assert 890 <= int(answer.headers["Retry-After"]) <= 900
    assert "Locked for a while" in answer.content.decode()
    assert "15 minutes" in answer.content.decode()


def test_then_the_right_password_opens_nothing(client, grace):
    guess(client, 3)
    assert sign_in(client, "grace@example.com").status_code == 429
    assert not is_signed_in(client)


def test_the_owner_signs_in_from_somewhere_else(client, grace):
    guess(client, 3)
    elsewhere = Client(REMOTE_ADDR="192.0.2.7")
    sign_in(elsewhere, "grace@example.com")
    assert is_signed_in(elsewhere)


def test_others_at_the_same_address_sign_in(client, grace):
    make_user(email="heidi@example.com", password=PASSWORD)
    guess(client, 3)
    sign_in(client, "heidi@example.com")
    assert is_signed_in(client)


@pytest.mark.parametrize("written", ["GRACE@example.com", " grace@example.com", "Grace@Example.COM "])
def test_another_way_to_write_the_address_is_no_way_round(client, grace, written):
    guess(client, 2)
    assert guess(client, 1, written).status_code == 429


def test_another_browser_is_no_way_round(grace):
    for name in ("one", "two", "three"):
        answer = guess(Client(headers={"User-Agent": name}), 1)
    assert answer.status_code == 429


def test_one_network_of_ipv6_is_one_guesser(grace):
    for end in ("1", "2", "ffff:3"):
        answer = guess(Client(REMOTE_ADDR=f"2001:db8:1:2::{end}"), 1)
    assert answer.status_code == 429
    assert guess(Client(REMOTE_ADDR="2001:db8:1:3::1"), 1).status_code == 200


def test_behind_our_proxies_the_client_is_counted_and_not_the_proxy(grace, settings):

    settings.TRUSTED_PROXIES = [ip_network("127.0.0.1")]
    for _ in range(3):
        answer = sign_in(Client(headers={"X-Forwarded-For": "192.0.2.1"}), "grace@example.com", WRONG)
    assert answer.status_code == 429
    other = Client(headers={"X-Forwarded-For": "192.0.2.2"})
    sign_in(other, "grace@example.com")
    assert is_signed_in(other)


def test_without_proxies_of_ours_a_forged_header_is_no_way_round(grace):
    for number in range(3):
        client = Client(headers={"X-Forwarded-For": f"192.0.2.{number}"})
        answer = sign_in(client, "grace@example.com", WRONG)
    assert answer.status_code == 429


def test_an_unknown_address_is_locked_in_the_same_way(client, grace):
    of_known = [guess(Client(REMOTE_ADDR="192.0.2.8"), 1).status_code for _ in range(4)]
    of_unknown = [
        guess(Client(REMOTE_ADDR="192.0.2.9"), 1, "nobody@example.com").status_code for _ in range(4)
    ]
    assert of_known == of_unknown == [200, 200, 429, 429]


def test_it_ends_by_itself_and_further_tries_do_not_prolong_it(client, grace):
    start = time.time()
    with time_machine.travel(start, tick=False):
        guess(client, 3)
    with time_machine.travel(start + 600, tick=False):
        assert 200 <= int(guess(client, 1).headers["Retry-After"]) <= 300
    with time_machine.travel(start + 901, tick=False):
        sign_in(client, "grace@example.com")
    assert is_signed_in(client)


def test_success_ends_the_count(client, grace):
    guess(client, 2)
    sign_in(client, "grace@example.com")
    other = Client()
    assert guess(other, 2).status_code == 200


def test_a_new_password_lets_in_again(client, grace):
    guess(client, 3)
    client.post("/accounts/password/reset/", {"email": "grace@example.com"})
    page = client.get(link_in_mail("/accounts/password/reset/key/"), follow=True)
    new = {"password1": "a whole new phrase", "password2": "a whole new phrase"}
    client.post(page.redirect_chain[-1][0], new)
    sign_in(client, "grace@example.com", "a whole new phrase")
    assert is_signed_in(client)
    assert "grace@example.com" in mail.outbox[0].to


def test_confirming_the_password_is_guessed_no_better(client, grace):
    client.force_login(grace)
    answers = [client.post("/accounts/reauthenticate/", {"password": WRONG}) for _ in range(3)]
    assert [answer.status_code for answer in answers] == [200, 200, 429]
    assert sign_in(Client(), "grace@example.com").status_code == 429


def test_it_holds_while_redis_is_gone(client, grace, settings):
    settings.CACHES = {"default": {**settings.CACHES["default"], "LOCATION": "redis://127.0.0.1:1/0"}}
    assert guess(client, 3).status_code == 429


def test_nothing_that_was_typed_is_kept(client, grace):
    guess(client, 2)
    row = AccessAttempt.objects.get()
    assert row.username == "grace@example.com"
    assert WRONG not in row.post_data + row.get_data
    assert "grace" not in row.post_data


@pytest.mark.parametrize("email", ["x" * 300 + "@example.com", "a@b", "", "nul\0@example.com", "é" * 200])
def test_strange_addresses_are_refused_and_break_nothing(client, grace, email):
    answer = client.post(SIGN_IN, {"login": email, "password": WRONG})
    assert answer.status_code == 200


def test_an_address_that_reads_like_our_count_of_codes_is_not_taken_for_it(client, grace):
    """Codes are counted under a name with spaces, which is no address that signs in."""
    client.post(SIGN_IN, {"login": f"{CODES}grace@example.com", "password": WRONG})
    assert not AccessAttempt.objects.filter(username__startswith=CODES).exists()
