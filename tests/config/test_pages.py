"""The general pages: they render, they are well-formed, they keep to the content security policy, they work by hand."""

import datetime as dt
import re

import pytest
import time_machine
from django.conf import settings
from django.contrib.staticfiles import finders
from django.core import mail
from django.core.exceptions import PermissionDenied, SuspiciousOperation
from django.test import Client
from django.test.html import parse_html
from django.urls import include, path, reverse
from django.utils import timezone

from accounts.models import User
from config.templatetags.covers import MOTIFS, cover_svg
from tests.factories import alice, dave, make_user

PUBLIC = ["/", "/draws/", "/draws/fairness/"]
ENTRANCE = ["/accounts/login/", "/accounts/signup/", "/accounts/password/reset/"]
MEMBERS = [
    "/dashboard/",
    "/prizes/",
    "/accounts/profile/",
    "/accounts/email/",
    "/accounts/password/set/",
    "/accounts/2fa/",
    "/accounts/logout/",
]


def _forbidden(request):
    raise PermissionDenied("the reason is for the log")


def _suspicious(request):
    raise SuspiciousOperation("the reason is for the log")


def _broken(request):
    raise RuntimeError("a detail nobody outside may read")


urlpatterns = [
    path("forbidden/", _forbidden),
    path("suspicious/", _suspicious),
    path("broken/", _broken),
    path("", include("config.urls")),
]
handler500 = "config.views.server_error"


def assert_is_a_page(html: str) -> None:
    """Well-formed, one main heading, landmarks, ids used once, and nothing the security policy refuses."""
    parse_html(html)
    assert len(re.findall(r"<h1[ >]", html)) == 1
    assert len(re.findall(r"<main[ >]", html)) == 1
    assert '<html lang="en"' in html
    assert re.search(r"<title>[^<]+ · Fairground</title>", html)
    ids = re.findall(r'\sid="([^"]*)"', html)
    assert sorted(ids) == sorted(set(ids))
    assert not re.search(r"<[^>]+\sstyle=", html)
    assert not re.search(r"<[^>]+\son[a-z]+=", html)
    assert not re.search(r"<style[ >]", html)
    for tag in re.findall(r"<script[^>]*>", html):
        assert "src=" in tag or 'type="application/json"' in tag, tag


@pytest.mark.django_db
class TestEveryPage:
    @pytest.mark.parametrize("address", PUBLIC + ENTRANCE)
    def test_it_renders_for_a_visitor(self, client, address):
        response = client.get(address)
        assert response.status_code == 200
        assert_is_a_page(response.content.decode())

    @pytest.mark.parametrize("address", PUBLIC + MEMBERS)
    def test_it_renders_for_a_member(self, client, address):
        client.force_login(alice())
        response = client.get(address)
        assert response.status_code == 200
        assert_is_a_page(response.content.decode())

    @pytest.mark.parametrize("address", MEMBERS[:-1])
    def test_a_visitor_is_led_to_sign_in_and_back(self, client, address):
        response = client.get(address)
        assert response.status_code == 302
        assert response.url == f"{reverse('account_login')}?next={address}"

    def test_it_loads_only_files_that_are_there(self, client):
        client.force_login(alice())
        pages = [client.get(address).content.decode() for address in PUBLIC + MEMBERS]
        files = {file for html in pages for file in re.findall(r'/static/([^"#]+)', html)}
        assert len(files) > 10
        assert [file for file in sorted(files) if finders.find(file) is None] == []

    def test_a_visitor_sees_nothing_of_a_member_s(self, client):
        html = client.get("/").content.decode()
        assert reverse("dashboard") not in html
        assert "data-visitor" in html

    def test_a_member_without_a_name_is_called_by_the_address(self, client):
        client.force_login(dave())
        assert "Hello, dave" in client.get("/dashboard/").content.decode()

    def test_the_demo_says_so_and_production_does_not(self, client, settings):
        settings.EMBEDDED = True
        assert "/dev/mailbox/" in client.get("/accounts/login/").content.decode()
        settings.EMBEDDED = False
        page = client.get("/accounts/login/").content.decode()
        assert "/dev/mailbox/" not in page
        assert "fairground-demo" not in page


@pytest.mark.django_db
def test_from_sign_up_by_the_link_in_the_mail_to_the_dashboard(client):
    sent = client.post(
        "/accounts/signup/",
        {
            "display_name": "Grace Hopper",
            "email": "grace@example.com",
            "password1": "a long enough phrase",
            "time_zone": "Africa/Lagos",
        },
        follow=True,
    )
    assert_is_a_page(sent.content.decode())
    assert "Check your mail" in sent.content.decode()

    link = re.search(r"/accounts/confirm-email/\S+", mail.outbox[0].body).group()
    question = client.get(link)
    assert_is_a_page(question.content.decode())
    assert "grace@example.com" in question.content.decode()

    home = client.post(link, follow=True)
    assert home.redirect_chain[-1][0] == reverse("dashboard")
    assert "Hello, Grace" in home.content.decode()
    assert User.objects.get(email="grace@example.com").time_zone == "Africa/Lagos"


@pytest.mark.django_db
class TestEntrance:
    def test_a_refused_sign_up_keeps_what_was_typed_but_not_the_password(self, client):
        html = client.post(
            "/accounts/signup/",
            {"display_name": "Grace", "email": "grace@example", "password1": "pick me, I was typed"},
        ).content.decode()
        assert_is_a_page(html)
        assert 'value="Grace"' in html
        assert 'value="grace@example"' in html
        assert "pick me" not in html
        assert 'aria-invalid="true"' in html
        assert 'id="id_email_error"' in html

    def test_a_link_that_was_never_sent_leads_back_to_sign_in(self, client):
        html = client.get("/accounts/confirm-email/nonsense/").content.decode()
        assert_is_a_page(html)
        assert "expired" in html

    def test_a_spent_reset_link_offers_a_new_one(self, client):
        html = client.get("/accounts/password/reset/key/1-nonsense/").content.decode()
        assert_is_a_page(html)
        assert reverse("account_reset_password") in html

    def test_who_has_just_signed_in_sets_up_a_second_factor_without_the_password_again(self, client):
        phrase = "a long enough phrase"
        make_user(email="grace@example.com", password=phrase, display_name="Grace")
        client.post("/accounts/login/", {"login": "grace@example.com", "password": phrase})
        for page in ("totp/activate/", "webauthn/add/"):
            answer = client.get(f"/accounts/2fa/{page}")
            assert answer.status_code == 200
            assert_is_a_page(answer.content.decode())

    def test_the_password_is_asked_again_before_a_second_factor_is_set_up(self, client):
        phrase = "a long enough phrase"
        make_user(email="grace@example.com", password=phrase, display_name="Grace")
        with time_machine.travel(timezone.now() - dt.timedelta(hours=1)):
            client.post("/accounts/login/", {"login": "grace@example.com", "password": phrase})
        question = client.get("/accounts/2fa/totp/activate/", follow=True)
        assert question.redirect_chain[-1][0].startswith("/accounts/reauthenticate/")
        assert_is_a_page(question.content.decode())

        answer = client.post(question.redirect_chain[-1][0], {"password": phrase}, follow=True)
        assert_is_a_page(answer.content.decode())
        assert "data:image/svg+xml" in answer.content.decode()

    def test_the_password_can_be_changed(self, client):
        client.force_login(make_user(password="a long enough phrase"))
        assert_is_a_page(client.get("/accounts/password/change/").content.decode())


@pytest.mark.django_db
@pytest.mark.urls(__name__)
class TestErrors:
    @pytest.fixture
    def client(self):
        return Client(raise_request_exception=False, enforce_csrf_checks=True)

    @pytest.mark.parametrize(
        ("address", "status", "heading"),
        [
            ("/no/such/stall/", 404, "There is no stall here"),
            ("/forbidden/", 403, "This gate stays shut"),
            ("/suspicious/", 400, "We could not read that"),
            ("/broken/", 500, "Something broke on our side"),
        ],
    )
    def test_it_wears_our_look_and_keeps_the_reason_to_itself(self, client, address, status, heading):
        response = client.get(address)
        html = response.content.decode()
        assert response.status_code == status
        assert heading in html
        assert_is_a_page(html)
        assert "Traceback" not in html
        assert "the reason is for the log" not in html
        assert "a detail nobody outside may read" not in html
        assert "script-src 'self'" in response.headers["Content-Security-Policy"]

    def test_a_form_that_was_too_old_says_what_to_do(self, client):
        response = client.post("/accounts/login/", {"login": "grace@example.com", "password": "x"})
        assert response.status_code == 403
        assert "load the page anew" in response.content.decode()
        assert_is_a_page(response.content.decode())

    def test_the_id_of_the_request_is_named_for_support(self, client):
        response = client.get("/broken/", headers={"X-Request-ID": "ticket-4711-here"})
        assert "ticket-4711-here" in response.content.decode()

    def test_the_page_for_our_fault_needs_no_database(self, client, django_assert_num_queries):
        with django_assert_num_queries(0):
            assert client.get("/broken/").status_code == 500


@pytest.mark.django_db
class TestProfile:
    GOOD = {"display_name": "Alice W", "time_zone": "Asia/Dhaka", "shows_name": "on"}

    @pytest.fixture
    def client(self, client):
        client.force_login(alice())
        return client

    def test_it_saves_and_says_so(self, client):
        response = client.post("/accounts/profile/", self.GOOD, follow=True)
        person = User.objects.get()
        assert (person.display_name, person.time_zone) == ("Alice W", "Asia/Dhaka")
        assert (person.shows_name, person.accepts_promotions) == (True, False)
        assert response.redirect_chain == [("/accounts/profile/", 302)]
        assert 'class="notice toast notice--good"' in response.content.decode()

    def test_a_refused_form_keeps_what_was_typed_and_changes_nothing(self, client):
        response = client.post(
            "/accounts/profile/", {**self.GOOD, "display_name": "A" * 81, "time_zone": "Mars/Base"}
        )
        html = response.content.decode()
        assert_is_a_page(html)
        assert f'value="{"A" * 81}"' in html
        assert 'id="id_display_name_error"' in html
        assert 'id="id_time_zone_error"' in html
        assert "<strong>Alice Wanjiru</strong>" in html  # the header still names who is signed in
        assert User.objects.get().display_name == "Alice Wanjiru"

    def test_what_is_typed_is_shown_as_text(self, client):
        client.post("/accounts/profile/", {**self.GOOD, "display_name": "<b>Alice</b>"})
        html = client.get("/dashboard/").content.decode()
        assert "<b>Alice</b>" not in html
        assert "&lt;b&gt;Alice&lt;/b&gt;" in html

    def test_it_changes_nobody_s_rights(self, client):
        client.post(
            "/accounts/profile/", {**self.GOOD, "is_staff": "on", "is_superuser": "on", "email": "x@y.zz"}
        )
        person = User.objects.get()
        assert (person.is_staff, person.is_superuser, person.email) == (False, False, "alice@example.com")


class TestCovers:
    SLUGS = [f"draw-{number}" for number in range(60)]

    def test_a_slug_has_one_cover_for_ever(self):
        assert [cover_svg(slug) for slug in self.SLUGS] == [cover_svg(slug) for slug in self.SLUGS]

    def test_covers_differ(self):
        assert len({cover_svg(slug) for slug in self.SLUGS}) == len(self.SLUGS)
        assert len(MOTIFS) >= 5

    @pytest.mark.parametrize("slug", ["opening-night", "", "ünïcode", "<script>alert(1)</script>"])
    def test_it_is_well_formed_and_holds_neither_styles_nor_the_slug(self, slug):
        svg = cover_svg(slug)
        parse_html(f"<svg>{svg}</svg>")
        assert "style" not in svg
        assert " id=" not in svg
        assert "script" not in svg


class TestColours:
    """WCAG 2.2 AA: 4.5 to 1 for words, 3 to 1 for the edges of what can be used."""

    WORDS = [
        *[(ink, ground) for ink in ("ink", "ink-soft", "accent-deep") for ground in ("paper", "surface", "sunken")],
        *[(ink, ground) for ink in ("good", "bad", "sky") for ground in ("paper", "surface", f"{ink}-wash")],
        ("on-accent", "accent"),
        ("on-bulb", "bulb"),
        ("accent-deep", "accent-wash"),
        ("bulb-deep", "bulb-wash"),
        ("night-ink", "night"),
        ("night-soft", "night"),
        ("night-soft", "night-deep"),
    ]  # fmt: skip
    EDGES = [("line-strong", ground) for ground in ("paper", "surface", "sunken")] + [
        ("focus", "paper"),
        ("focus", "surface"),
    ]

    @pytest.mark.parametrize("scheme", [0, 1], ids=["light", "dark"])
    def test_they_stand_apart(self, scheme):
        text = (settings.BASE_DIR / "static/css/tokens.css").read_text()
        colours = {}
        for name, value in re.findall(r"--([\w-]+): ([^;]+);", text):
            found = re.findall(r"#[0-9a-f]{6}\b", value)
            if found and not value.startswith("clamp"):
                colours[name] = found[scheme] if value.startswith("light-dark(#") else found[0]
        ratios = {pair: self._ratio(colours[pair[0]], colours[pair[1]]) for pair in self.WORDS + self.EDGES}
        low = {pair: ratio for pair, ratio in ratios.items() if ratio < (4.5 if pair in self.WORDS else 3)}
        assert low == {}

    @classmethod
    def _ratio(cls, one: str, other: str) -> float:
        low, high = sorted((cls._luminance(one), cls._luminance(other)))
        return (high + 0.05) / (low + 0.05)

    @staticmethod
    def _luminance(colour: str) -> float:
        parts = [int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5)]
        linear = [part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts]
        return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]
