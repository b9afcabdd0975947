"""Signing in, out, and finding back in."""

import pytest
from django.core import mail
from django.test import Client

from tests.accounts.conftest import PASSWORD, SIGN_IN, is_signed_in, link_in_mail, sign_in
from tests.factories import make_user

pytestmark = pytest.mark.django_db


@pytest.fixture
def grace():
    return make_user(email="grace@example.com", password=PASSWORD, display_name="Grace")


def test_an_address_and_its_password_sign_in(client, grace):
    response = sign_in(client, "grace@example.com")
    assert (response.status_code, response.url) == (302, "/dashboard/")
    assert is_signed_in(client)


@pytest.mark.parametrize("email", ["GRACE@Example.com", " grace@example.com "])
def test_an_address_may_be_written_in_any_case(client, grace, email):
    sign_in(client, email)
    assert is_signed_in(client)


def test_a_wrong_password_and_an_unknown_address_get_the_same_answer(grace):
    wrong = sign_in(Client(), "grace@example.com", "not the password")
    unknown = sign_in(Client(), "nobody@example.com", "not the password")
    assert wrong.status_code == unknown.status_code == 200
    assert wrong.context["form"].errors == unknown.context["form"].errors
    assert wrong.context["form"].errors


def test_an_address_that_is_not_confirmed_does_not_sign_in(client):
    make_user(email="new@example.com", password=PASSWORD, verified=False)
    response = sign_in(client, "new@example.com")
    assert response.url == "/accounts/confirm-email/"
    assert not is_signed_in(client)
    assert mail.outbox[0].to == ["new@example.com"]  # the link once more


def test_a_closed_account_does_not_sign_in(client):
    make_user(email="gone@example.com", password=PASSWORD, is_active=False)
    sign_in(client, "gone@example.com")
    assert not is_signed_in(client)


def test_a_closed_account_is_signed_out_at_once(client, grace):
    client.force_login(grace)
    grace.is_active = False
    grace.save()
    response = client.get("/dashboard/")
    assert response.status_code == 302
    assert response.url.startswith(SIGN_IN)


@pytest.mark.parametrize(
    ("wanted", "reached"),
    [
        ("/draws/", "/draws/"),
        ("https://evil.example/", "/dashboard/"),
        ("//evil.example/", "/dashboard/"),
        ("javascript:alert(1)", "/dashboard/"),
    ],
)
def test_it_leads_only_to_ourselves(client, grace, wanted, reached):
    assert sign_in(client, "grace@example.com", next=wanted).url == reached


def test_the_session_gets_a_new_name(client, grace):
    client.get(SIGN_IN)
    session = client.session
    session["seen"] = True
    session.save()
    before = session.session_key
    client.cookies["sessionid"] = before
    sign_in(client, "grace@example.com")
    assert is_signed_in(client)
    assert client.session.session_key != before


def test_signing_out_takes_a_form_and_not_a_link(client, grace):
    client.force_login(grace)
    assert client.get("/accounts/logout/").status_code == 200
    assert is_signed_in(client)
    assert client.post("/accounts/logout/").url == "/"
    assert not is_signed_in(client)


def test_guessing_is_slowed_down(client, grace):
    for _ in range(20):
        sign_in(client, "grace@example.com", "not the password")
    sign_in(client, "grace@example.com")
    assert not is_signed_in(client)


def test_it_works_while_redis_is_gone(client, grace, settings):
    settings.CACHES = {
        "default": {**settings.CACHES["default"], "LOCATION": "redis://127.0.0.1:1/0"}  # nobody listens there
    }
    sign_in(client, "grace@example.com")
    assert is_signed_in(client)
    assert client.post("/accounts/logout/").status_code == 302


class TestForgottenPassword:
    def test_the_link_in_the_mail_sets_a_new_one(self, client, grace):
        client.post("/accounts/password/reset/", {"email": "Grace@example.com"})
        page = client.get(link_in_mail("/accounts/password/reset/key/"), follow=True)
        assert page.status_code == 200
        client.post(
            page.redirect_chain[-1][0], {"password1": "a whole new phrase", "password2": "a whole new phrase"}
        )
        sign_in(client, "grace@example.com", PASSWORD)
        assert not is_signed_in(client)
        sign_in(client, "grace@example.com", "a whole new phrase")
        assert is_signed_in(client)

    def test_it_works_once(self, client, grace):
        client.post("/accounts/password/reset/", {"email": "grace@example.com"})
        path = link_in_mail("/accounts/password/reset/key/")
        page = client.get(path, follow=True)
        new = {"password1": "a whole new phrase", "password2": "a whole new phrase"}
        client.post(page.redirect_chain[-1][0], new)
        again = Client().get(path, follow=True)
        assert "form" not in again.context or again.context.get("token_fail")

    def test_nobody_learns_whether_an_address_has_an_account(self, grace):
        known = Client().post("/accounts/password/reset/", {"email": "grace@example.com"})
        unknown = Client().post("/accounts/password/reset/", {"email": "nobody@example.com"})
        assert (known.status_code, known.url) == (unknown.status_code, unknown.url)
        assert [message.to for message in mail.outbox] == [["grace@example.com"], ["nobody@example.com"]]
        assert "/reset/key/" not in mail.outbox[1].body
