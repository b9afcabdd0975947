"""Mails about accounts: in the site's own words and name, with nothing in them that a stranger chose."""

import pytest
from django.core import mail
from django.urls import reverse

from tests.factories import alice

pytestmark = pytest.mark.django_db

BAIT = "WIN at http://evil.example/claim"


def sign_up(client, email):
    return client.post(
        reverse("account_signup"),
        {
            "email": email,
            "password1": "a long enough sentence",
            "display_name": BAIT,
            "accepts_terms": "on",
            "time_zone": "Africa/Nairobi",
        },
    )


def test_whoever_signs_somebody_else_up_chooses_no_word_of_the_mail(client, settings):
    settings.SITE_NAME = "Harvest Fair"
    sign_up(client, "stranger@elsewhere.example")
    [letter] = mail.outbox
    assert letter.subject == "Harvest Fair: Confirm your e-mail address"
    assert "Harvest Fair" in letter.body
    assert settings.SITE_URL in letter.body
    for word in ("evil.example", "WIN", "Hello from", "stranger", "user "):
        assert word not in letter.body
    letters_host = letter.body.replace(settings.SITE_URL, "")
    assert "/confirm-email/" in letters_host


@pytest.mark.parametrize(
    ("known", "page", "subject"),
    [
        (True, "account_reset_password", "Choose a new password"),
        (False, "account_reset_password", "There is no account with this address"),
    ],
)
def test_a_reset_is_told_in_our_own_words(client, settings, known, page, subject):
    email = alice().email if known else "nobody@elsewhere.example"
    client.post(reverse(page), {"email": email})
    [letter] = mail.outbox
    assert letter.subject == f"{settings.SITE_NAME}: {subject}"
    assert "If it was not you, do nothing" in letter.body
    assert "Hello from" not in letter.body


def test_a_known_address_is_told_so_without_the_name_that_was_typed(client, settings):
    sign_up(client, alice().email)
    [letter] = mail.outbox
    assert letter.subject == f"{settings.SITE_NAME}: You have an account already"
    assert "evil.example" not in letter.body


def test_another_language_is_not_half_spoken(client):
    page = client.get(reverse("account_signup"), headers={"Accept-Language": "fr"}).content.decode()
    assert '<html lang="en"' in page
    assert "Mot de passe" not in page


def test_the_profile_asks_for_no_language_while_there_is_one(client):
    client.force_login(alice())
    page = client.get(reverse("profile")).content.decode()
    assert 'name="time_zone"' in page
    assert 'name="language"' not in page
