"""The page that makes the first Super Admin: once, and only for who has the token."""

import hmac

import pytest
from django.test import Client

from accounts import roles
from accounts.models import User
from audit.models import Record
from config import setup_page
from tests.factories import make_user

PAGE = "/setup/"
TOKEN = "a-token-that-is-long-enough-to-count-0123456789"
PASSWORD = "correct horse battery"
FORM = {"token": TOKEN, "email": "Root@Example.com", "password": PASSWORD}


@pytest.fixture(autouse=True)
def _token(settings):
    settings.ADMIN_SETUP_TOKEN = TOKEN
    settings.PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]


@pytest.mark.django_db
class TestSetup:
    def test_the_token_makes_a_super_admin_who_sets_up_a_second_factor_first(self, client, settings):
        settings.STAFF_SECOND_FACTOR = True
        assert client.get(PAGE).status_code == 200
        answer = client.post(PAGE, FORM)
        assert answer.url == "/accounts/login/?next=%2Fadmin%2F"
        user = User.objects.get()
        assert (user.email, user.is_superuser, user.has_role(roles.SUPER_ADMIN)) == (
            "root@example.com",
            True,
            True,
        )
        signed_in = client.post(answer.url, {"login": "root@example.com", "password": PASSWORD})
        assert signed_in.url == "/admin/"
        assert client.get("/admin/").url == "/accounts/2fa/"
        assert Record.objects.get(action="person.made_super_admin").data == {"new_account": True}

    def test_then_it_is_closed(self, client):
        client.post(PAGE, FORM)
        assert client.get(PAGE).status_code == 404
        assert client.post(PAGE, {**FORM, "email": "two@example.com"}).status_code == 404
        assert User.objects.count() == 1

    def test_and_stays_closed_when_the_admin_s_rights_are_taken_away(self, client):
        client.post(PAGE, FORM)
        User.objects.update(is_superuser=False, is_staff=False, is_active=False)
        assert client.get(PAGE).status_code == 404

    def test_an_admin_made_in_another_way_closes_it_too(self, client):
        make_user(is_superuser=True, is_staff=True)
        assert client.get(PAGE).status_code == 404

    @pytest.mark.parametrize("token", ["", "short"])
    def test_without_a_token_that_counts_there_is_no_such_page(self, client, settings, token):
        settings.ADMIN_SETUP_TOKEN = token
        assert client.get(PAGE).status_code == 404
        assert client.post(PAGE, {**FORM, "token": token}).status_code == 404
        assert not User.objects.exists()

    @pytest.mark.parametrize("token", ["", "wrong", TOKEN[:-1], TOKEN + "x", TOKEN.upper(), "ünï"])
    def test_a_wrong_token_makes_nobody(self, client, token):
        answer = client.post(PAGE, {**FORM, "token": token})
        assert (answer.status_code, list(answer.context["form"].errors)) == (200, ["token"])
        assert not User.objects.exists()

    def test_tokens_are_compared_in_constant_time(self, client, monkeypatch):
        compared: list[tuple[bytes, bytes]] = []
        monkeypatch.setattr(setup_page, "hmac", Compares(compared))
        client.post(PAGE, {**FORM, "token": "wrong"})
        assert compared == [(b"wrong", TOKEN.encode())]

    def test_guessing_is_slowed_down_and_says_for_how_long(self, client):
        answers = [client.post(PAGE, {**FORM, "token": "wrong"}) for _ in range(6)]
        assert [answer.status_code for answer in answers] == [200] * 5 + [429]
        assert 0 < int(answers[-1].headers["Retry-After"]) <= 60
        assert client.post(PAGE, FORM).status_code == 429
        assert not User.objects.exists()

    def test_an_address_with_an_account_is_not_taken_over(self, client):
        member = make_user(email="root@example.com", password="what they have")
        answer = client.post(PAGE, FORM)
        assert "has an account" in str(answer.context["form"].errors)
        member.refresh_from_db()
        assert not member.is_staff

    @pytest.mark.parametrize("password", ["", "short", "1234567890123"])
    def test_a_weak_password_makes_nobody(self, client, password):
        assert client.post(PAGE, {**FORM, "password": password}).status_code == 200
        assert not User.objects.exists()

    def test_neither_token_nor_password_comes_back_in_the_page(self, client):
        html = client.post(PAGE, {**FORM, "email": "none"}).content.decode()
        assert TOKEN not in html
        assert PASSWORD not in html


class Compares:
    """Stands in for `hmac`, and remembers what was compared."""

    def __init__(self, seen: list) -> None:
        self.seen = seen

    def compare_digest(self, one: bytes, other: bytes) -> bool:
        self.seen.append((one, other))
        return hmac.compare_digest(one, other)


def test_of_four_at_once_one_becomes_the_admin(parallel):
    outcomes = parallel(
        lambda index: Client().post(PAGE, {**FORM, "email": f"root{index}@example.com"}).status_code, 4
    )
    assert outcomes.errors == []
    assert sorted(outcomes.results) == [302, 404, 404, 404]
    assert User.objects.count() == 1
