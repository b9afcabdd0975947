"""Nobody learns from an answer, nor from the time it takes, whether an address has an account."""

import pytest
from django.contrib.auth import hashers
from django.core import mail
from django.test import Client

from tests.accounts.conftest import PASSWORD, sign_in, sign_up
from tests.factories import make_user

pytestmark = pytest.mark.django_db
KNOWN, UNKNOWN, CLOSED, UNCONFIRMED = (f"{name}@example.com" for name in ("known", "un", "closed", "new"))


@pytest.fixture(autouse=True)
def _accounts():
    make_user(email=KNOWN, password=PASSWORD)
    make_user(email=CLOSED, password=PASSWORD, is_active=False)
    make_user(email=UNCONFIRMED, password=PASSWORD, verified=False)
    make_user(email="other@example.com")


@pytest.fixture
def hashed(monkeypatch):
    """How many passwords were hashed: that is what takes the time."""
    seen: list[str] = []
    encode = hashers.MD5PasswordHasher.encode

    def counting(self, password, salt):
        seen.append(password)
        return encode(self, password, salt)

    monkeypatch.setattr(hashers.MD5PasswordHasher, "encode", counting)
    return seen


def work_of(hashed, act) -> int:
    hashed.clear()
    act()
    return len(hashed)


def test_a_wrong_password_costs_one_hash_whoever_it_is_for(hashed):
    costs = {
        email: work_of(hashed, lambda email=email: sign_in(Client(), email, "not the password"))
        for email in (KNOWN, UNKNOWN, CLOSED, UNCONFIRMED)
    }
    assert costs == dict.fromkeys(costs, 1)


def test_an_account_without_a_password_costs_the_same(hashed):
    assert work_of(hashed, lambda: sign_in(Client(), "other@example.com", "not the password")) == 1


def test_a_wrong_password_gets_one_answer_whoever_it_is_for():
    answers = [sign_in(Client(), email, "wrong one") for email in (KNOWN, UNKNOWN, CLOSED, UNCONFIRMED)]
    assert {answer.status_code for answer in answers} == {200}
    assert len({str(answer.context["form"].errors) for answer in answers}) == 1


def test_signing_up_costs_the_same_for_a_known_address(hashed):
    known = work_of(hashed, lambda: sign_up(Client(), KNOWN))
    new = work_of(hashed, lambda: sign_up(Client(), "brand-new@example.com"))
    assert known == new > 0


def test_a_reset_gets_one_answer_and_one_letter_whoever_it_is_for(hashed):
    answers = [
        Client().post("/accounts/password/reset/", {"email": email})
        for email in (KNOWN, UNKNOWN, CLOSED, UNCONFIRMED)
    ]
    assert {(answer.status_code, answer.url) for answer in answers} == {
        (302, "/accounts/password/reset/done/")
    }
    assert sorted(message.to[0] for message in mail.outbox) == sorted([KNOWN, UNKNOWN, CLOSED, UNCONFIRMED])


def test_changing_to_an_address_of_somebody_else_gives_nothing_away(client):
    person = make_user(email="me@example.com", password=PASSWORD)
    client.force_login(person)
    client.post("/accounts/reauthenticate/", {"password": PASSWORD})
    answers = [
        client.post("/accounts/email/", {"action_add": "", "email": email}) for email in (KNOWN, UNKNOWN)
    ]
    assert {(answer.status_code, answer.url) for answer in answers} == {(302, "/accounts/email/")}


def test_passkey_options_name_no_account(client):
    answer = client.get("/accounts/2fa/webauthn/login/", headers={"Accept": "application/json"})
    assert answer.json()["request_options"]["publicKey"].get("allowCredentials", []) == []
