"""Staff without a second factor are members and no more; what staff may see is told by their role."""

import pytest
from allauth.account.internal.flows.login import record_authentication
from django.core.management import call_command
from django.core.management.base import CommandError
from django.db import connection
from django.http import HttpRequest
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from accounts import roles
from accounts.models import User
from audit.models import Record
from config.second_factor import reset_second_factor
from tests.accounts.codes import code_of, with_app, with_recovery_codes
from tests.factories import alice, make_user

pytestmark = pytest.mark.django_db
PASSWORD = "a long enough phrase"
SET_UP = "/accounts/2fa/"
PAGES = [
    "/admin/",
    "/admin/draws/draw/",
    "/admin/accounts/user/",
    "/admin/draws/analytics/",
    "/admin/nothing/",
]


@pytest.fixture(autouse=True)
def _insisted(settings):
    settings.STAFF_SECOND_FACTOR = True
    settings.PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]


@pytest.fixture
def boss() -> User:
    return make_user(email="boss@example.com", password=PASSWORD, role=roles.SUPER_ADMIN, is_staff=True)


def signed_in(user: User, *, with_factor: bool) -> Client:
    client = Client()
    client.force_login(user)
    if with_factor:
        request = HttpRequest()
        request.session, request.user = client.session, user
        record_authentication(request, user, "mfa", type="totp")
        request.session.save()
    return client


class TestWithoutOne:
    @pytest.mark.parametrize("page", PAGES)
    def test_each_page_of_the_admin_leads_to_setting_one_up(self, boss, page):
        answer = signed_in(boss, with_factor=False).get(page)
        assert (answer.status_code, answer.url) == (302, SET_UP)

    @pytest.mark.parametrize("page", PAGES)
    def test_and_does_nothing_that_is_sent_there(self, boss, page):
        client = signed_in(boss, with_factor=False)
        assert client.post(page, {"action": "reset_second_factor"}).status_code == 302
        assert not Record.objects.exists()

    def test_a_superuser_is_no_exception(self):
        root = make_user(is_staff=True, is_superuser=True)
        assert signed_in(root, with_factor=False).get("/admin/").url == SET_UP

    def test_the_page_says_why(self, boss):
        html = signed_in(boss, with_factor=False).get("/admin/", follow=True).content.decode()
        assert "Staff sign in with two factors" in html

    @pytest.mark.parametrize("path", ["/api/draws/due/", "/api/draws/health/"])
    def test_the_api_knows_no_staff_in_such_a_session(self, boss, path):
        answer = signed_in(boss, with_factor=False).get(path)
        assert (answer.status_code, answer.json()["code"]) == (404, "second_factor_missing")
        with_app(boss)
        assert signed_in(boss, with_factor=True).get(path).status_code == 200

    def test_no_key_for_staff_is_made(self, boss):
        html = signed_in(boss, with_factor=False).get("/accounts/api-keys/").content.decode()
        assert "entries:read" in html
        assert "draws:monitor" not in html

    def test_what_members_do_works(self, boss):
        client = signed_in(boss, with_factor=False)
        pages = ("/dashboard/", "/inbox/", "/wallet/", "/accounts/profile/")
        assert [client.get(page).status_code for page in pages] == [200] * 4

    def test_recovery_codes_alone_are_none(self, boss):
        with_recovery_codes(boss)
        assert signed_in(boss, with_factor=True).get("/admin/").url == SET_UP

    def test_one_that_was_removed_is_none_although_the_session_had_shown_it(self, boss):
        row = with_app(boss)
        client = signed_in(boss, with_factor=True)
        assert client.get("/admin/").status_code == 200
        row.delete()
        assert client.get("/admin/").url == SET_UP


class TestWithOne:
    def test_signing_in_with_password_and_code_opens_the_admin(self, boss):
        with_app(boss)
        client = Client()
        client.post("/accounts/login/", {"login": boss.email, "password": PASSWORD})
        assert client.get("/admin/").status_code == 302
        client.post("/accounts/2fa/authenticate/", {"code": code_of()})
        assert client.get("/admin/").status_code == 200

    def test_so_does_a_recovery_code(self, boss):
        with_app(boss)
        code = with_recovery_codes(boss)[0]
        client = Client()
        client.post("/accounts/login/", {"login": boss.email, "password": PASSWORD})
        client.post("/accounts/2fa/authenticate/", {"code": code})
        assert client.get("/admin/").status_code == 200

    def test_a_session_of_before_is_asked_for_it_and_comes_back(self, boss):
        client = signed_in(boss, with_factor=False)
        with_app(boss)
        answer = client.get("/admin/draws/draw/?q=x")
        assert answer.url == "/accounts/2fa/reauthenticate/?next=%2Fadmin%2Fdraws%2Fdraw%2F%3Fq%3Dx"
        assert client.get(answer.url).status_code == 200
        back = client.post(answer.url, {"code": code_of()})
        assert back.url == "/admin/draws/draw/?q=x"
        assert client.get(back.url).status_code == 200

    def test_setting_one_up_in_this_session_is_enough(self, boss):
        client = signed_in(boss, with_factor=False)
        client.post("/accounts/reauthenticate/", {"password": PASSWORD})
        secret = client.get("/accounts/2fa/totp/activate/").context["form"].secret
        client.post("/accounts/2fa/totp/activate/", {"code": code_of(secret)})
        assert client.get("/admin/").status_code == 200

    def test_the_factor_of_somebody_else_is_none(self, boss):
        with_app(boss)
        client = signed_in(alice(), with_factor=True)
        client.force_login(boss)
        assert "reauthenticate" in client.get("/admin/").url


class TestTheDemo:
    def test_waives_it_under_a_banner_on_each_page(self, boss, settings):
        settings.STAFF_SECOND_FACTOR = False
        client = signed_in(boss, with_factor=False)
        for page in ("/admin/", "/admin/draws/draw/", "/admin/accounts/user/add/"):
            answer = client.get(page)
            assert answer.status_code == 200
            assert "here staff sign in without a second factor" in answer.content.decode()

    def test_where_it_is_insisted_on_there_is_no_banner(self, boss):
        with_app(boss)
        assert "fg-waived" not in signed_in(boss, with_factor=True).get("/admin/").content.decode()


def test_members_and_visitors_pay_nothing_for_it(client, settings):
    member = Client()
    member.force_login(alice())

    def queries() -> list[int]:
        counts = []
        for browser, page in ((client, "/draws/"), (member, "/accounts/profile/")):
            browser.get(page)
            with CaptureQueriesContext(connection) as seen:
                browser.get(page)
            counts.append(len(seen))
        return counts

    insisted = queries()
    settings.STAFF_SECOND_FACTOR = False
    assert queries() == insisted


class TestLost:
    def test_an_admin_removes_it_and_the_person_is_signed_out(self, boss):
        with_app(boss)
        lost = make_user(email="lost@example.com", password=PASSWORD, role=roles.FINANCE, is_staff=True)
        with_app(lost)
        theirs = signed_in(lost, with_factor=True)
        answer = signed_in(boss, with_factor=True).post(
            "/admin/accounts/user/", {"action": "reset_second_factor", "_selected_action": [lost.pk]}
        )
        assert answer.status_code == 302
        assert theirs.get("/dashboard/").status_code == 302
        row = Record.objects.get()
        assert (row.actor, row.action, row.data) == (boss, "second_factor.reset", {"factors": 1})
        again = Client()
        again.post("/accounts/login/", {"login": lost.email, "password": PASSWORD})
        assert again.get("/admin/").url == SET_UP

    def test_nobody_removes_their_own_nor_that_of_a_superuser(self, boss):
        with_app(boss)
        root = make_user(is_staff=True, is_superuser=True)
        with_app(root)
        signed_in(boss, with_factor=True).post(
            "/admin/accounts/user/",
            {"action": "reset_second_factor", "_selected_action": [boss.pk, root.pk]},
        )
        assert (boss.authenticator_set.count(), root.authenticator_set.count()) == (1, 1)

    @pytest.mark.parametrize("role", [roles.MANAGER_ADMIN, roles.FINANCE, roles.SUPPORT_LEAD])
    def test_other_roles_may_not(self, role):
        person, lost = make_user(role=role, is_staff=True), make_user()
        with_app(person)
        with_app(lost)
        signed_in(person, with_factor=True).post(
            "/admin/accounts/user/", {"action": "reset_second_factor", "_selected_action": [lost.pk]}
        )
        assert lost.authenticator_set.exists()

    def test_there_is_nothing_to_remove_twice(self, boss):
        with_app(boss)
        assert reset_second_factor(person=boss, by=None, now=timezone.now())
        assert not reset_second_factor(person=boss, by=None, now=timezone.now())
        assert Record.objects.count() == 1

    def test_on_the_server_a_command_does_it(self, boss, capsys):
        with_app(boss)
        call_command("reset_second_factor", email="BOSS@example.com")
        call_command("reset_second_factor", email="boss@example.com")
        first, second = capsys.readouterr().out.splitlines()
        assert "password alone" in first
        assert "nothing to do" in second
        assert not boss.authenticator_set.exists()
        with pytest.raises(CommandError, match="Nobody"):
            call_command("reset_second_factor", email="nobody@example.com")
