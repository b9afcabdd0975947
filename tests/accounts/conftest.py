"""What tests of accounts share."""

import re

import pytest
from django.core import mail
from django.test import Client

PASSWORD = "correct horse battery"
SIGN_UP = "/accounts/signup/"
SIGN_IN = "/accounts/login/"
SENT = "/accounts/confirm-email/"


@pytest.fixture(autouse=True)
def _quick_hashes(settings) -> None:
    """A real password hash takes a third of a second on purpose."""
    settings.PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]


def sign_up(client: Client, email: str, **fields: str):
    """Send the sign-up form."""
    return client.post(SIGN_UP, {"email": email, "display_name": "Grace", "password1": PASSWORD, **fields})


def sign_in(client: Client, email: str, password: str = PASSWORD, **query: str):
    """Send the sign-in form."""
    return client.post(SIGN_IN, {"login": email, "password": password}, query_params=query)


def is_signed_in(client: Client) -> bool:
    return "_auth_user_id" in client.session


def link_in_mail(pattern: str) -> str:
    """Path of the link in the newest mail."""
    return re.search(rf"https?://[^/\s]+({pattern}\S*)", mail.outbox[-1].body).group(1)
