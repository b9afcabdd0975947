"""Where one is signed in: seen, and ended from elsewhere."""

import datetime as dt

import pytest
import time_machine
from django.core.management import call_command
from django.test import Client
from django.utils import timezone

from accounts.devices import device_name
from accounts.models import SignedInSession
from audit.models import Record
from tests.accounts.conftest import PASSWORD, is_signed_in, sign_in
from tests.factories import make_user

pytestmark = pytest.mark.django_db
PAGE = "/accounts/sessions/"
FIREFOX = "Mozilla/5.0 (Windows NT 10.0; Win64; x64; rv:140.0) Gecko/20100101 Firefox/140.0"
SAFARI = (
    "Mozilla/5.0 (iPhone; CPU iPhone OS 18_0 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) "
    "Version/18.0 Mobile/15E148 Safari/604.1"
)
EDGE = (
    "Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/140.0.0.0 "
    "Safari/537.36 Edg/140.0.0.0"
)


@pytest.fixture
def grace():
    return make_user(email="grace@example.com", password=PASSWORD, display_name="Grace")


@pytest.fixture
def desk(grace):
    client = Client(headers={"User-Agent": FIREFOX}, REMOTE_ADDR="192.0.2.1")
    sign_in(client, "grace@example.com")
    return client


@pytest.fixture
def phone(grace):
    client = Client(headers={"User-Agent": SAFARI}, REMOTE_ADDR="192.0.2.2")
    sign_in(client, "grace@example.com")
    return client


def row_of(client: Client) -> SignedInSession:
    return SignedInSession.objects.get(session_key=client.cookies["sessionid"].value)


@pytest.mark.parametrize(
    ("agent", "name"),
    [
        (FIREFOX, "Firefox on Windows"),
        (SAFARI, "Safari on iPhone"),
        (EDGE, "Edge on Mac"),
        ("curl/8.0", "An unknown browser"),
        ("", "An unknown browser"),
        ("Something on Linux", "Linux"),
    ],
)
def test_a_browser_is_called_by_a_name_its_owner_knows(agent, name):
    assert device_name(agent) == name


def test_the_page_shows_each_with_device_address_and_time_this_one_first(desk, phone):
    html = desk.get(PAGE).content.decode()
    for text in ("Firefox on Windows", "192.0.2.1", "Safari on iPhone", "192.0.2.2"):
        assert text in html
    assert html.index("Firefox on Windows") < html.index("Safari on iPhone")
    assert phone.cookies["sessionid"].value not in html  # what would open it is shown to nobody


def test_ending_one_ends_it_at_once_and_leaves_the_others(desk, phone, grace):
    answer = desk.post(f"{PAGE}{row_of(phone).public_id}/end/")
    assert answer.url == PAGE
    assert phone.get("/dashboard/").status_code == 302
    assert desk.get("/dashboard/").status_code == 200
    assert list(Record.objects.values_list("action", "actor_id", "data")) == [
        ("sessions.ended", grace.pk, {"count": 1})
    ]


def test_ending_all_others_leaves_this_one(desk, phone, grace):
    third = Client()
    sign_in(third, "grace@example.com")
    desk.post(f"{PAGE}end-others/")
    assert [client.get("/dashboard/").status_code for client in (desk, phone, third)] == [200, 302, 302]


def test_ending_this_one_is_signing_out(desk):
    assert desk.post(f"{PAGE}{row_of(desk).public_id}/end/").url == "/"
    assert not is_signed_in(desk)


def test_nobody_ends_the_session_of_another(desk, phone):
    other = Client()
    other.force_login(make_user())
    assert other.post(f"{PAGE}{row_of(phone).public_id}/end/").status_code == 404
    other.post(f"{PAGE}end-others/")
    assert phone.get("/dashboard/").status_code == 200


def test_a_visitor_is_led_to_sign_in(client):
    assert client.get(PAGE).url.startswith("/accounts/login/")
    assert client.post(f"{PAGE}end-others/").url.startswith("/accounts/login/")


def test_a_link_ends_nothing(desk, phone):
    assert desk.get(f"{PAGE}{row_of(phone).public_id}/end/").status_code == 405
    assert desk.get(f"{PAGE}end-others/").status_code == 405


def test_being_seen_is_noted_every_five_minutes_with_the_newest_address(desk, django_assert_num_queries):
    before = row_of(desk).last_seen_at
    with time_machine.travel(before + dt.timedelta(minutes=4), tick=False):
        desk.get("/dashboard/", REMOTE_ADDR="192.0.2.9")
    assert row_of(desk).last_seen_at == before
    later = before + dt.timedelta(minutes=6)
    with time_machine.travel(later, tick=False):
        desk.get("/dashboard/", REMOTE_ADDR="192.0.2.9")
    assert (row_of(desk).last_seen_at, row_of(desk).address) == (later, "192.0.2.9")


def test_a_new_password_ends_the_others_and_they_are_shown_no_more(desk, phone):
    desk.post("/accounts/reauthenticate/", {"password": PASSWORD})
    new = {"oldpassword": PASSWORD, "password1": "a whole new phrase", "password2": "a whole new phrase"}
    desk.post("/accounts/password/change/", new)
    assert phone.get("/dashboard/").status_code == 302
    html = desk.get(PAGE).content.decode()
    assert "Firefox on Windows" in html
    assert "Safari on iPhone" not in html


def test_a_visitor_s_session_keeps_neither_address_nor_browser(client):
    client.get("/accounts/login/")
    client.get("/accounts/2fa/webauthn/login/", headers={"Accept": "application/json"})
    rows = SignedInSession.objects.filter(account=None)
    assert rows.exists()
    assert {(row.address, row.user_agent) for row in rows} == {(None, "")}


def test_what_is_over_is_cleared(desk):
    SignedInSession.objects.update(expire_date=timezone.now() - dt.timedelta(days=1))
    call_command("clearsessions")
    assert not SignedInSession.objects.exists()


def test_a_long_or_strange_browser_name_breaks_nothing(grace):
    client = Client(headers={"User-Agent": "x" * 5000})
    sign_in(client, "grace@example.com")
    assert client.get(PAGE).status_code == 200
    assert len(row_of(client).user_agent) == 300
