"""The first Super Admin."""

import getpass
import io
import sys

import pytest
from django.core.management import call_command
from django.core.management.base import CommandError

from accounts import roles
from accounts.models import User
from audit.models import Record
from tests.factories import make_user

pytestmark = pytest.mark.django_db
PASSWORD = "correct horse battery"


@pytest.fixture
def terminal(monkeypatch):
    """A terminal at which somebody types these passwords."""

    def types(*passwords: str, email: str = "") -> None:
        answers = iter(passwords)
        monkeypatch.setattr(sys.stdin, "isatty", lambda: True, raising=False)
        monkeypatch.setattr(getpass, "getpass", lambda prompt: next(answers))
        monkeypatch.setattr("builtins.input", lambda prompt: email)

    return types


@pytest.fixture
def script(monkeypatch):
    """No terminal, and the password in the environment."""
    monkeypatch.setattr(sys, "stdin", io.StringIO())
    monkeypatch.setenv("ADMIN_PASSWORD", PASSWORD)


def run(capsys, **options: str) -> str:
    call_command("create_admin", **options)
    out, err = capsys.readouterr()
    assert PASSWORD not in out + err
    return out


def test_a_script_makes_one_who_can_sign_in_to_the_admin(script, capsys, client):
    assert "is now a Super Admin" in run(capsys, email="Root@Example.com")
    user = User.objects.get()
    assert (user.email, user.is_staff, user.has_role(roles.SUPER_ADMIN)) == ("root@example.com", True, True)
    assert user.groups.get().name == roles.SUPER_ADMIN
    assert user.has_perm("audit.view_record")
    client.post("/accounts/login/", {"login": "root@example.com", "password": PASSWORD})
    assert client.get("/admin/audit/record/").status_code == 200


def test_it_is_written_in_the_trail(script, capsys):
    run(capsys, email="root@example.com")
    row = Record.objects.get(action="person.made_super_admin")
    assert row.target == f"accounts.user:{User.objects.get().public_id}"
    assert PASSWORD not in str(row.data)


def test_a_second_time_it_says_so_and_changes_nothing(script, capsys, monkeypatch):
    run(capsys, email="root@example.com")
    monkeypatch.setenv("ADMIN_PASSWORD", "an entirely different one")
    assert "already: nothing to do" in run(capsys, email="ROOT@example.com")
    assert User.objects.get().check_password(PASSWORD)
    assert Record.objects.count() == 1


def test_a_member_is_promoted_and_keeps_the_password(capsys, monkeypatch):
    monkeypatch.setattr(sys, "stdin", io.StringIO())
    member = make_user(email="grace@example.com", password="what she has", verified=False)
    assert "the password they have" in run(capsys, email="grace@example.com")
    member.refresh_from_db()
    assert member.is_superuser
    assert member.check_password("what she has")
    assert member.emailaddress_set.get().verified


def test_at_a_terminal_it_asks(terminal, capsys):
    terminal(PASSWORD, PASSWORD, email="root@example.com")
    run(capsys)
    assert User.objects.get(email="root@example.com").check_password(PASSWORD)


def test_two_different_passwords_make_nobody(terminal):
    terminal(PASSWORD, "something else")
    with pytest.raises(CommandError, match="differ"):
        call_command("create_admin", email="root@example.com")
    assert not User.objects.exists()


@pytest.mark.parametrize("weak", ["", "sh0rt!", "1234567890123", "password123", "root@example.com"])
def test_a_weak_password_makes_nobody(script, monkeypatch, weak):
    monkeypatch.setenv("ADMIN_PASSWORD", weak)
    with pytest.raises(CommandError) as error:
        call_command("create_admin", email="root@example.com")
    assert not weak or weak not in str(error.value)
    assert not User.objects.exists()


@pytest.mark.parametrize("email", ["root", "root@", "a b@example.com"])
def test_an_address_that_is_none_makes_nobody(script, email):
    with pytest.raises(CommandError, match="valid email"):
        call_command("create_admin", email=email)
    assert not User.objects.exists()


def test_without_terminal_and_password_it_says_what_to_set(monkeypatch):
    monkeypatch.setattr(sys, "stdin", io.StringIO())
    monkeypatch.delenv("ADMIN_PASSWORD", raising=False)
    with pytest.raises(CommandError, match="set ADMIN_PASSWORD"):
        call_command("create_admin", email="root@example.com")
    with pytest.raises(CommandError, match="give --email"):
        call_command("create_admin")
