"""System checks of the settings of signing in."""

import pytest
from cryptography.fernet import Fernet

from accounts.checks import check_sign_in


@pytest.fixture(autouse=True)
def _production(settings):
    settings.EMBEDDED = False
    settings.STAFF_SECOND_FACTOR = True
    settings.ADMIN_SETUP_TOKEN = ""


def test_a_real_site_as_it_should_be_has_nothing_to_complain_of():
    assert check_sign_in() == []


@pytest.mark.parametrize(
    ("name", "value", "problem"),
    [
        ("STAFF_SECOND_FACTOR", False, "accounts.E002"),
        ("SECOND_FACTOR_KEYS", ["a word"], "accounts.E003"),
        ("SIGN_IN_FAILURES", 0, "accounts.E004"),
        ("SIGN_IN_LOCK_MINUTES", 0, "accounts.E004"),
        ("ADMIN_SETUP_TOKEN", "short", "accounts.E005"),
    ],
)
def test_what_is_wrong_is_an_error(settings, name, value, problem):
    setattr(settings, name, value)
    assert [(each.id, each.is_serious()) for each in check_sign_in()] == [(problem, True)]


def test_a_demo_may_waive_the_second_factor(settings):
    settings.EMBEDDED, settings.STAFF_SECOND_FACTOR = True, False
    assert check_sign_in() == []


def test_keys_may_be_several(settings):
    settings.SECOND_FACTOR_KEYS = [Fernet.generate_key().decode(), f" {Fernet.generate_key().decode()}"]
    assert check_sign_in() == []
