"""How often forms may be sent, and that nobody is held up when there is nobody to count."""

import pytest
import time_machine
from django.test import Client
from django.urls import reverse

from config.form_limits import FORMS
from draws.models import Award
from tests.draws.factories import VOUCHER, make_draw, make_executed
from tests.factories import alice, bob

pytestmark = pytest.mark.django_db

SIGN_UP, RESET = "/accounts/signup/", "/accounts/password/reset/"


@pytest.fixture(autouse=True)
def minute():
    """One minute, in which the clock stands."""
    with time_machine.travel("2026-11-21T10:00:12Z", tick=False) as clock:
        yield clock


def member(user, **extra) -> Client:
    client = Client(**extra)
    client.force_login(user)
    return client


def sent(client, path: str, times: int = 1) -> list[int]:
    return [client.post(path).status_code for _ in range(times)]


def test_every_name_in_the_table_is_one_of_an_address():
    arguments = {
        "draws:enter": ["x"],
        "draws:prize": ["c" * 8 + "-0000-4000-8000-" + "c" * 12],
        "draws:decline_prize": ["c" * 8 + "-0000-4000-8000-" + "c" * 12],
        "draws:linked_prize": ["x"],
        "draws:decline_linked_prize": ["x"],
        "payments:cancel_withdrawal": ["c" * 8 + "-0000-4000-8000-" + "c" * 12],
        "api-key-revoke": ["c" * 8 + "-0000-4000-8000-" + "c" * 12],
        "account_reset_password_from_key": ["x", "y"],
        "account_confirm_email": ["x"],
        "standin:checkout": ["x"],
        "notifications:preferences_by_link": ["x"],
        "notifications:confirm_promotions": ["x"],
        "notifications:unsubscribe": ["x"],
        "notifications:remove_push_device": ["c" * 8 + "-0000-4000-8000-" + "c" * 12],
    }
    for name in FORMS:
        assert reverse(name, args=arguments.get(name, []))


def test_a_member_enters_so_often_a_minute_whatever_the_address(settings, minute):
    settings.FORM_LIMIT_MEMBER = 2
    path = f"/draws/{make_draw().slug}/enter/"
    one, other = member(alice()), member(alice(), REMOTE_ADDR="203.0.113.9")
    assert sent(one, path) + sent(other, path) == [302, 302]
    refused = other.post(path)
    assert (refused.status_code, refused.headers["Retry-After"]) == (429, "48")
    assert "Wait 48 seconds" in refused.content.decode()
    assert sent(member(bob()), path) == [302]
    assert one.get(f"/draws/{make_draw().slug}/").status_code == 200, "looking is not limited"
    minute.shift(60)
    assert sent(one, path) == [302]


def test_an_address_enters_so_often_a_minute(settings):
    settings.FORM_LIMIT_ADDRESS = 1
    path = f"/draws/{make_draw().slug}/enter/"
    assert sent(member(alice()), path) + sent(member(bob()), path) == [302, 429]
    assert sent(member(bob(), REMOTE_ADDR="203.0.113.9"), path) == [302]


@pytest.mark.parametrize(
    "path", [SIGN_UP, RESET, "/prizes/claim/guess/", "/prizes/claim/guess/decline/", "/preferences/guess/"]
)
def test_who_is_not_signed_in_has_a_narrow_limit(settings, path):
    settings.FORM_LIMIT_STRANGER = 2
    codes = sent(Client(), path, 3)
    assert codes[2] == 429
    assert 429 not in codes[:2]


def test_sign_up_and_reset_count_together(settings):
    settings.FORM_LIMIT_STRANGER = 1
    assert sent(Client(), SIGN_UP)[0] == 200
    assert sent(Client(), RESET) == [429]


def test_claiming_and_declining_are_limited_for_a_member(settings):
    settings.FORM_LIMIT_MEMBER = 1
    draw = make_executed(entrants=0, members=[alice()], prizes=[VOUCHER])
    award = Award.objects.get(about=draw.about)
    client = member(alice())
    path = reverse("draws:prize", args=[award.public_id])
    codes = sent(client, path, 1) + sent(client, reverse("draws:decline_prize", args=[award.public_id]))
    assert codes == [302, 429]


def test_the_statement_as_a_file_is_limited_by_looking(settings):
    settings.FORM_LIMIT_MEMBER = 1
    client = member(alice())
    codes = [client.get("/wallet/statement.csv").status_code for _ in range(2)]
    assert codes[1] == 429
    assert client.get("/wallet/").status_code == 200


def test_with_redis_gone_nobody_is_held_up(settings):
    settings.FORM_LIMIT_MEMBER = settings.FORM_LIMIT_ADDRESS = settings.FORM_LIMIT_STRANGER = 1
    settings.CACHES = {
        "default": {**settings.CACHES["default"], "LOCATION": "redis://127.0.0.1:1/0", "KEY_PREFIX": "gone"}
    }
    path = f"/draws/{make_draw().slug}/enter/"
    assert sent(member(alice()), path, 3) == [302] * 3
    assert 429 not in sent(Client(), RESET, 3)


def test_a_limit_of_zero_is_none(settings):
    settings.FORM_LIMIT_MEMBER = settings.FORM_LIMIT_ADDRESS = 0
    assert sent(member(alice()), f"/draws/{make_draw().slug}/enter/", 40) == [302] * 40
