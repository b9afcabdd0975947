"""System checks of the draws' settings."""

import pytest
from cryptography.fernet import Fernet

from draws.checks import check_relays, check_secret_keys


@pytest.mark.parametrize(
    ("relays", "found"),
    [
        ([], []),
        (["https://a.example", "http://127.0.0.1:8080/"], []),
        (["https://a.example"], ["draws.W001"]),
        (["https://a.example", "a.example"], ["draws.E001"]),
        (["https://a.example", "ftp://a.example"], ["draws.E001"]),
        (["https://a.example", "https://a.example/?x=1"], ["draws.E001"]),
    ],
)
def test_relays_are_base_addresses(settings, relays, found):
    settings.DRAND_RELAYS = relays
    assert [problem.id for problem in check_relays()] == found


def test_secret_keys_are_keys(settings):
    good = Fernet.generate_key().decode()
    settings.DRAW_SECRET_KEYS = [f" {good}", good]
    assert check_secret_keys() == []
    settings.DRAW_SECRET_KEYS = [good, "a word"]
    [problem] = check_secret_keys()
    assert (problem.id, problem.msg) == ("draws.E002", "DRAW_SECRET_KEYS: number 2 is no Fernet key")
