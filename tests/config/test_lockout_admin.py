"""Staff see who is locked out, and let them in again."""

import pytest
from axes.models import AccessAttempt
from django.test import Client

from accounts import roles
from audit.models import Record
from tests.accounts.codes import code_of, with_app, wrong_code
from tests.factories import make_user

pytestmark = pytest.mark.django_db
LIST = "/admin/accounts/failedsignin/"
PASSWORD = "a long enough phrase"


@pytest.fixture(autouse=True)
def _settings(settings):
    settings.SIGN_IN_FAILURES = 2
    settings.PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]


@pytest.fixture
def grace():
    return make_user(email="grace@example.com", password=PASSWORD)


def sign_in(password: str) -> Client:
    client = Client()
    client.post("/accounts/login/", {"login": "grace@example.com", "password": password})
    return client


def is_in(client: Client) -> bool:
    return "_auth_user_id" in client.session


def staff(role: str) -> Client:
    client = Client()
    client.force_login(make_user(role=role, is_staff=True))
    return client


@pytest.mark.parametrize("role", [roles.SUPER_ADMIN, roles.SUPPORT_LEAD])
def test_who_is_locked_out_is_seen_and_let_in_again(grace, role):
    for _ in range(2):
        sign_in("wrong")
    assert not is_in(sign_in(PASSWORD))
    client = staff(role)
    html = client.get(LIST).content.decode()
    assert "grace@example.com" in html
    assert "locked out" in html
    ids = list(AccessAttempt.objects.values_list("pk", flat=True))
    assert client.post(LIST, {"action": "unlock", "_selected_action": ids}).status_code == 302
    assert is_in(sign_in(PASSWORD))
    row = Record.objects.get(action="sign_in.unlocked")
    assert row.target == f"accounts.user:{grace.public_id}"
    assert "grace" not in str(row.data)


def test_codes_are_unlocked_apart_from_passwords(grace):
    with_app(grace)
    for _ in range(5):
        sign_in(PASSWORD).post("/accounts/2fa/authenticate/", {"code": wrong_code()})
    client = staff(roles.SUPPORT_LEAD)
    assert "code of the second factor" in client.get(LIST).content.decode()
    ids = list(AccessAttempt.objects.values_list("pk", flat=True))
    client.post(LIST, {"action": "unlock", "_selected_action": ids})
    browser = sign_in(PASSWORD)
    browser.post("/accounts/2fa/authenticate/", {"code": code_of()})
    assert is_in(browser)


@pytest.mark.parametrize("role", [roles.MANAGER_ADMIN, roles.FINANCE])
def test_other_roles_neither_see_nor_end_it(grace, role):
    for _ in range(2):
        sign_in("wrong")
    client = staff(role)
    assert client.get(LIST).status_code in (403, 404)
    ids = list(AccessAttempt.objects.values_list("pk", flat=True))
    assert client.post(LIST, {"action": "unlock", "_selected_action": ids}).status_code in (403, 404)
    assert AccessAttempt.objects.exists()
    assert not Record.objects.filter(action="sign_in.unlocked").exists()


def test_the_page_of_one_says_its_state_in_a_word(grace):
    sign_in("wrong")
    row = AccessAttempt.objects.get()
    html = staff(roles.SUPER_ADMIN).get(f"{LIST}{row.pk}/change/").content.decode()
    assert "counting" in html
    assert "(&#x27;" not in html
