"""Signing up: an account is an address that somebody has shown to be theirs."""

import pytest
import time_machine
from django.core import mail
from django.test import Client

from accounts.models import User
from tests.accounts.conftest import (
    PASSWORD,
    SENT,
    SIGN_UP,
    is_signed_in,
    link_in_mail,
    sign_in,
    sign_up,
)
from tests.factories import make_user


def confirm(client: Client):
    """Follow the link in the mail, and press the button there."""
    path = link_in_mail("/accounts/confirm-email/")
    assert client.get(path).status_code in (200, 302)
    return client.post(path)


@pytest.mark.django_db
class TestSignUp:
    def test_an_account_works_once_its_address_is_confirmed(self, client):
        response = sign_up(client, "grace@example.com")
        assert (response.status_code, response.url) == (302, SENT)
        assert not is_signed_in(client)
        assert mail.outbox[0].to == ["grace@example.com"]

        sign_in(client, "grace@example.com")
        assert not is_signed_in(client)  # not yet

        confirm(client)
        other_browser = Client()
        response = sign_in(other_browser, "grace@example.com")
        assert (response.status_code, response.url) == (302, "/dashboard/")
        assert is_signed_in(other_browser)

    def test_opening_the_link_alone_confirms_nothing(self, client):
        sign_up(client, "grace@example.com")
        Client().get(link_in_mail("/accounts/confirm-email/"))  # as a mail scanner does
        sign_in(client, "grace@example.com")
        assert not is_signed_in(client)

    def test_an_address_is_kept_in_one_form(self, client):
        sign_up(client, "  Grace.Hopper@Example.COM ")
        confirm(client)
        assert User.objects.get().email == "grace.hopper@example.com"
        sign_in(client, "GRACE.hopper@example.com")
        assert is_signed_in(client)

    def test_it_keeps_the_name_and_the_browser_s_zone(self, client):
        sign_up(client, "grace@example.com", display_name="Grace H", time_zone="Asia/Dhaka")
        assert User.objects.values_list("display_name", "time_zone").get() == ("Grace H", "Asia/Dhaka")

    def test_a_zone_nobody_knows_is_not_the_person_s_fault(self, client):
        sign_up(client, "grace@example.com", time_zone="Mars/Olympus")
        assert User.objects.get().time_zone == "Africa/Nairobi"

    @pytest.mark.parametrize(
        ("field", "value"),
        [
            ("email", "not an address"),
            ("email", ""),
            ("password1", "short1!"),
            ("password1", "1234567890123"),
            ("password1", "password123"),
            ("password1", "grace.hopper@example.com"),
            ("display_name", ""),
            ("display_name", "x" * 81),
        ],
    )
    def test_it_says_what_is_wrong_and_makes_no_account(self, client, field, value):
        response = sign_up(client, **{"email": "grace.hopper@example.com", field: value})
        assert response.status_code == 200
        assert response.context["form"].errors.keys() == {field}
        assert not User.objects.exists()
        assert not mail.outbox

    def test_it_offers_nothing_that_makes_one_staff(self, client):
        sign_up(client, "grace@example.com", is_staff="on", is_superuser="on")
        user = User.objects.get()
        assert not user.is_staff
        assert not user.is_superuser

    def test_nobody_learns_whether_an_address_has_an_account(self, client):
        make_user(email="known@example.com", password="another long one", display_name="Known")
        known, new = Client(), Client()
        with time_machine.travel(1_795_000_000, tick=False):  # pages say what time it is
            answers = [
                (sign_up(browser, address), browser.get(SENT))
                for browser, address in ((known, "known@example.com"), (new, "new@example.com"))
            ]
        for of_known, of_new in zip(*answers, strict=True):
            assert (of_known.status_code, of_known.headers.get("Location")) == (
                of_new.status_code,
                of_new.headers.get("Location"),
            )
            assert of_known.content.replace(b"known@", b"new@") == of_new.content
        assert sorted(known.cookies) == sorted(new.cookies)

        to_known, to_new = mail.outbox  # both get a mail: the one that there is an account already
        assert to_known.to == ["known@example.com"]
        assert "/confirm-email/" not in to_known.body
        assert "/confirm-email/" in to_new.body

    @pytest.mark.parametrize("email", ["KNOWN@example.com", " known@example.com "])
    def test_a_second_account_for_an_address_is_not_made(self, client, email):
        user = make_user(email="known@example.com", password="another long one", display_name="Known")
        assert sign_up(client, email).status_code == 302
        assert User.objects.get() == user
        user.refresh_from_db()
        assert user.display_name == "Known"
        assert user.check_password("another long one")
        assert not user.check_password(PASSWORD)

    def test_it_works_while_redis_is_gone(self, client, settings):
        cache = {**settings.CACHES["default"], "LOCATION": "redis://127.0.0.1:1/0"}  # nobody listens there
        settings.CACHES = {"default": cache}
        assert sign_up(client, "grace@example.com").status_code == 302
        confirm(client)
        sign_in(client, "grace@example.com")
        assert is_signed_in(client)

    def test_the_page_is_there(self, client):
        assert client.get(SIGN_UP).status_code == 200


def test_signing_up_twice_at_once_makes_one_account(parallel, mailoutbox):
    outcomes = parallel(lambda: sign_up(Client(), "grace@example.com").status_code, 4)
    assert outcomes.errors == []
    assert outcomes.results == [302] * 4
    assert User.objects.count() == 1
