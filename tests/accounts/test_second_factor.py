"""Signing in with a second factor: codes are taken once, guessing ends, secrets are not readable in the database."""

import datetime as dt
import io
import time

import pytest
import time_machine
from allauth.mfa.models import Authenticator
from cryptography.fernet import Fernet
from django.core import mail
from django.core.management import call_command
from django.test import Client
from django.utils import timezone

from accounts.second_factor import SecretUnreadableError
from audit.models import Record
from tests.accounts.codes import SECRET, code_of, with_app, with_recovery_codes, wrong_code
from tests.accounts.conftest import PASSWORD, is_signed_in, sign_in
from tests.factories import make_user

pytestmark = pytest.mark.django_db
CODE = "/accounts/2fa/authenticate/"
AT = 1_795_000_015  # in the middle of a step


@pytest.fixture
def grace():
    return make_user(email="grace@example.com", password=PASSWORD, display_name="Grace")


def show(client: Client, code: str):
    return client.post(CODE, {"code": code})


def half_way(client: Client | None = None) -> Client:
    """A browser that has given the password and is asked for the code."""
    client = client or Client()
    assert sign_in(client, "grace@example.com").url == CODE
    assert not is_signed_in(client)
    return client


class TestCodes:
    def test_the_password_alone_opens_nothing_and_the_code_does(self, grace, client):
        with_app(grace)
        half_way(client)
        assert client.get("/dashboard/").status_code == 302
        assert show(client, code_of()).url == "/dashboard/"
        assert is_signed_in(client)

    @pytest.mark.parametrize("seconds", [-30, 0, 30])
    def test_a_clock_may_be_half_a_minute_off(self, grace, client, seconds):
        with_app(grace)
        with time_machine.travel(AT, tick=False):
            show(half_way(client), code_of(at=AT + seconds))
        assert is_signed_in(client)

    @pytest.mark.parametrize("seconds", [-60, 60])
    def test_and_no_further(self, grace, client, seconds):
        with_app(grace)
        with time_machine.travel(AT, tick=False):
            show(half_way(client), code_of(at=AT + seconds))
        assert not is_signed_in(client)

    @pytest.mark.parametrize("cache_is_gone", [False, True])
    def test_a_code_opens_once_also_while_redis_is_gone(self, grace, settings, cache_is_gone):
        if cache_is_gone:
            gone = {**settings.CACHES["default"], "LOCATION": "redis://127.0.0.1:1/0"}
            settings.CACHES = {"default": gone}
        with_app(grace)
        first, second = half_way(), half_way()
        with time_machine.travel(AT, tick=False):
            code = code_of(at=AT)
            show(first, code)
        with time_machine.travel(AT + 29, tick=False):  # still a code of these minutes
            show(second, code)
            assert not is_signed_in(second)
            show(second, code_of(at=AT + 29))
        assert is_signed_in(first)
        assert is_signed_in(second)

    def test_a_code_older_than_the_newest_taken_opens_nothing(self, grace):
        with_app(grace)
        first, second = half_way(), half_way()
        with time_machine.travel(AT, tick=False):
            show(first, code_of(at=AT))
            show(second, code_of(at=AT - 30))
        assert not is_signed_in(second)

    def test_a_recovery_code_opens_once(self, grace):
        with_app(grace)
        code = with_recovery_codes(grace)[3]
        first, second = half_way(), half_way()
        show(first, code)
        show(second, code)
        assert (is_signed_in(first), is_signed_in(second)) == (True, False)


class TestGuessing:
    def test_after_five_wrong_ones_no_code_is_taken_from_anywhere(self, grace):
        with_app(grace)
        elsewhere = half_way(Client(REMOTE_ADDR="192.0.2.7"))
        client = half_way()
        answers = [show(client, wrong_code()) for _ in range(5)]
        assert [answer.status_code for answer in answers] == [200] * 4 + [429]
        assert 0 < int(answers[-1].headers["Retry-After"]) <= 900
        refused = show(elsewhere, code_of())
        assert refused.status_code == 429
        assert "Locked for a while" in refused.content.decode()
        assert not is_signed_in(elsewhere)

    def test_the_owner_is_told_once(self, grace):
        with_app(grace)
        client = half_way()
        for _ in range(8):
            show(client, wrong_code())
        [letter] = [message for message in mail.outbox if "wrong codes" in message.subject]
        assert letter.to == ["grace@example.com"]
        assert "knows your password" in letter.body

    def test_it_ends_by_itself(self, grace, settings):
        with_app(grace)
        start = time.time()
        for _ in range(5):
            show(half_way(), wrong_code())
        with time_machine.travel(start + 60 * settings.SIGN_IN_LOCK_MINUTES + 5, tick=False):
            client = half_way()
            show(client, code_of(at=time.time()))
            assert is_signed_in(client)

    def test_a_right_one_ends_the_count(self, grace):
        with_app(grace)
        for _ in range(4):
            show(half_way(), wrong_code())
        client = half_way()
        show(client, code_of())
        assert is_signed_in(client)
        again = half_way()
        assert [show(again, wrong_code()).status_code for _ in range(4)] == [200] * 4

    def test_confirming_is_guessed_no_better(self, grace, client):
        with_app(grace)
        client.force_login(grace)
        answers = [client.post("/accounts/2fa/reauthenticate/", {"code": wrong_code()}) for _ in range(5)]
        assert answers[-1].status_code == 429
        assert show(half_way(), code_of()).status_code == 429

    def test_it_holds_while_redis_is_gone(self, grace, settings):
        gone = {**settings.CACHES["default"], "LOCATION": "redis://127.0.0.1:1/0"}
        settings.CACHES = {"default": gone}
        with_app(grace)
        client = half_way()
        assert [show(client, wrong_code()).status_code for _ in range(5)] == [200] * 4 + [429]

    def test_long_codes_are_refused_like_any_other(self, grace):
        with_app(grace)
        assert show(half_way(), "9" * 5000).status_code == 200


class TestSecrets:
    def test_they_are_not_readable_in_the_database(self, grace):
        with_app(grace)
        with_recovery_codes(grace)
        for row in Authenticator.objects.all():
            assert SECRET not in str(row.data)
            assert (row.data.get("secret") or row.data["seed"]).startswith("gAAAA")

    def test_an_older_key_still_opens_and_a_lost_one_says_so(self, grace, settings):
        row = with_app(grace)
        old = settings.SECOND_FACTOR_KEYS
        settings.SECOND_FACTOR_KEYS = [Fernet.generate_key().decode(), *old]
        assert row.wrap().validate_code(code_of())
        settings.SECOND_FACTOR_KEYS = settings.SECOND_FACTOR_KEYS[:1]
        with pytest.raises(SecretUnreadableError, match="SECOND_FACTOR_KEYS"):
            row.wrap().validate_code(code_of())

    def test_rotating_makes_the_old_key_dispensable(self, grace, settings):
        row, sheet = with_app(grace), with_recovery_codes(grace)
        settings.SECOND_FACTOR_KEYS = [Fernet.generate_key().decode(), *settings.SECOND_FACTOR_KEYS]
        out = io.StringIO()
        call_command("rotate_second_factor_keys", stdout=out)
        assert "2" in out.getvalue()
        settings.SECOND_FACTOR_KEYS = settings.SECOND_FACTOR_KEYS[:1]
        row.refresh_from_db()
        assert row.wrap().validate_code(code_of())
        assert Authenticator.objects.get(type="recovery_codes").wrap().get_unused_codes() == sheet


class TestSettingUp:
    @pytest.fixture
    def client(self, client, grace):
        client.force_login(grace)
        confirm(client)
        return client

    def test_an_app_is_set_up_by_its_first_code_and_brings_recovery_codes(self, client, grace):
        page = client.get("/accounts/2fa/totp/activate/")
        secret = page.context["form"].secret
        assert secret in page.content.decode()
        assert "data:image/svg+xml;base64," in page.content.decode()
        answer = client.post("/accounts/2fa/totp/activate/", {"code": code_of(secret)})
        assert answer.url == "/accounts/2fa/recovery-codes/"
        sheet = client.get(answer.url)
        assert len(sheet.context["unused_codes"]) == 10
        assert all(code in sheet.content.decode() for code in sheet.context["unused_codes"])
        assert list(Record.objects.values_list("action", "data", "actor_id")) == [
            ("second_factor.added", {"kind": "totp"}, grace.pk)
        ]

    def test_a_wrong_first_code_sets_nothing_up(self, client, grace):
        secret = client.get("/accounts/2fa/totp/activate/").context["form"].secret
        answer = client.post("/accounts/2fa/totp/activate/", {"code": wrong_code(secret)})
        assert answer.status_code == 200
        assert not Authenticator.objects.exists()

    def test_codes_are_downloaded_and_made_anew(self, client, grace):
        with_app(grace)
        old = with_recovery_codes(grace)
        file = client.get("/accounts/2fa/recovery-codes/download/")
        assert file.headers["Content-Disposition"] == 'attachment; filename="recovery-codes.txt"'
        assert all(code in file.content.decode() for code in old)
        client.post("/accounts/2fa/recovery-codes/generate/")
        new = client.get("/accounts/2fa/recovery-codes/").context["unused_codes"]
        assert not set(old) & set(new)
        assert Record.objects.get().action == "second_factor.codes_made"

    def test_removing_the_app_takes_the_codes_with_it(self, client, grace):
        with_app(grace)
        with_recovery_codes(grace)
        assert client.get("/accounts/2fa/totp/deactivate/").status_code == 200
        client.post("/accounts/2fa/totp/deactivate/")
        assert not Authenticator.objects.exists()
        assert Record.objects.get().action == "second_factor.removed"
        assert mail.outbox[-1].to == ["grace@example.com"]

    @pytest.mark.parametrize(
        "page",
        [
            "totp/activate/",
            "webauthn/add/",
            "recovery-codes/",
            "recovery-codes/generate/",
            "totp/deactivate/",
        ],
    )
    def test_each_page_asks_who_is_there_first(self, grace, page):
        client = Client()
        with time_machine.travel(timezone.now() - dt.timedelta(hours=1)):
            client.force_login(grace)
        if "activate" not in page or "deactivate" in page:
            with_app(grace)
            with_recovery_codes(grace)
        answer = client.get(f"/accounts/2fa/{page}")
        assert answer.status_code == 302
        assert "reauthenticate" in answer.url

    def test_a_link_in_a_mailbox_is_no_password(self, grace):
        client = Client()
        client.force_login(grace)
        session = client.session
        session["account_authentication_methods"] = [
            {"method": "password_reset", "at": timezone.now().timestamp()}
        ]
        session.save()
        assert "reauthenticate" in client.get("/accounts/2fa/totp/activate/").url

    def test_nonsense_in_place_of_a_passkey_is_refused(self, client):
        for credential in ("", "nonsense", "[]", "{}", '{"id": 1}', '{"response": {"userHandle": null}}'):
            client.get("/accounts/2fa/webauthn/add/")
            answer = client.post("/accounts/2fa/webauthn/add/", {"credential": credential})
            assert answer.status_code == 200
        assert not Authenticator.objects.exists()

    def test_nonsense_signs_nobody_in(self):
        client = Client()
        for credential in ("", "nonsense", "[]", "7", "{}", '{"id": "x", "response": {"userHandle": null}}'):
            client.get("/accounts/2fa/webauthn/login/", headers={"Accept": "application/json"})
            answer = client.post("/accounts/2fa/webauthn/login/", {"credential": credential})
            assert (answer.status_code, answer.url) == (302, "/accounts/login/")
        assert not is_signed_in(client)


def confirm(client: Client) -> None:
    """Give the password again, as the pages ask."""
    client.post("/accounts/reauthenticate/", {"password": PASSWORD})
