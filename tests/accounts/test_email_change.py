"""Changing one's address: the new one counts once it is shown to be one's own, and the old one is told."""

import datetime as dt

import pytest
import time_machine
from allauth.account.models import EmailAddress
from django.core import mail
from django.core.cache import cache
from django.test import Client
from django.utils import timezone

from accounts.models import User
from audit.models import Record
from tests.accounts.codes import with_app
from tests.accounts.conftest import PASSWORD, is_signed_in, link_in_mail, sign_in, sign_up
from tests.factories import make_user

pytestmark = pytest.mark.django_db
PAGE = "/accounts/email/"
NEW = "new@example.com"


@pytest.fixture
def grace():
    return make_user(email="grace@example.com", password=PASSWORD, display_name="Grace")


@pytest.fixture
def client(client, grace):
    client.force_login(grace)
    client.post("/accounts/reauthenticate/", {"password": PASSWORD})
    return client


def ask(client: Client, email: str = NEW):
    return client.post(PAGE, {"action_add": "", "email": email})


def test_until_it_is_confirmed_the_old_address_signs_in_and_the_new_one_does_not(client, grace):
    ask(client)
    assert mail.outbox[0].to == [NEW]
    grace.refresh_from_db()
    assert grace.email == "grace@example.com"
    old, new = Client(), Client()
    sign_in(old, "grace@example.com")
    sign_in(new, NEW)
    assert (is_signed_in(old), is_signed_in(new)) == (True, False)
    assert "new@example.com" in client.get(PAGE).content.decode()


def test_then_the_new_one_is_the_only_one_and_the_old_one_is_told(client, grace):
    ask(client)
    client.post(link_in_mail("/accounts/confirm-email/"))
    grace.refresh_from_db()
    assert grace.email == NEW
    assert list(EmailAddress.objects.values_list("email", "verified", "primary")) == [(NEW, True, True)]
    assert mail.outbox[-1].to == ["grace@example.com"]
    assert Record.objects.filter(action="person.email_changed", actor=grace).exists()
    old = Client()
    sign_in(old, "grace@example.com")
    assert not is_signed_in(old)


def test_it_works_beside_a_second_factor(client, grace):
    with_app(grace)
    assert ask(client).status_code == 302
    client.post(link_in_mail("/accounts/confirm-email/"))
    assert User.objects.get(pk=grace.pk).email == NEW


def test_it_asks_who_is_there_first(grace):
    client = Client()
    with time_machine.travel(timezone.now() - dt.timedelta(hours=1)):
        client.force_login(grace)
    assert "reauthenticate" in ask(client).url
    assert not mail.outbox


def test_it_can_be_taken_back(client):
    ask(client)
    client.post(PAGE, {"action_remove": "", "email": NEW})
    assert list(EmailAddress.objects.values_list("email", flat=True)) == ["grace@example.com"]


def test_asking_for_an_address_keeps_its_owner_from_nothing(client):
    """Whoever has the address signs up with it, whoever asked to change to it before."""
    ask(client)
    mail.outbox.clear()
    cache.clear()  # one letter in three minutes to one address
    sign_up(Client(), NEW)
    assert "/confirm-email/" in mail.outbox[0].body
    assert User.objects.filter(email=NEW).exists()
