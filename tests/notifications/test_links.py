"""Secret links: only what this site made for this purpose, row and version opens anything."""

import uuid

import pytest

from notifications.links import TOKEN_LENGTH, is_genuine, make_token, row_of

ROW = uuid.UUID("6f2b3c1e-0a5d-4c8e-9b7f-1d2e3f4a5b6c")
ALPHABET = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"


def token(**changes):
    return make_token(**{"purpose": "draws.claim", "row": ROW, "version": 1} | changes)


def opens(text, **changes):
    return is_genuine(text, **{"purpose": "draws.claim", "row": ROW, "version": 1} | changes)


def test_a_token_names_its_row_and_is_genuine():
    assert row_of(token()) == ROW
    assert opens(token())
    assert len(token()) == TOKEN_LENGTH


def test_the_same_token_can_be_made_again():
    assert token() == token()


@pytest.mark.parametrize(
    "changes", [{"purpose": "draws.other"}, {"row": uuid.uuid4()}, {"version": 2}, {"version": 11}]
)
def test_a_token_opens_nothing_else(changes):
    assert not opens(token(), **changes)
    assert not opens(token(**changes))


def test_raising_the_version_revokes_it():
    assert not opens(token(version=1), version=2)
    assert opens(token(version=2), version=2)


def test_another_key_voids_it(settings):
    made = token()
    settings.LINK_KEY = "another key"
    assert not opens(made)


def test_no_single_character_can_be_another():
    made = token()
    for place in range(TOKEN_LENGTH):
        for other in ALPHABET:
            if other != made[place]:
                assert not opens(made[:place] + other + made[place + 1 :])


@pytest.mark.parametrize(
    "text", ["", "x", "é" * TOKEN_LENGTH, "=" * TOKEN_LENGTH, "A" * (TOKEN_LENGTH + 1), " " * TOKEN_LENGTH]
)
def test_what_is_no_token_is_no_row(text):
    assert row_of(text) is None
    assert not opens(text)
