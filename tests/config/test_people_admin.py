"""What staff change about people and roles can be read in the trail."""

import pytest
from django.contrib.auth.models import Group, Permission
from django.db import DatabaseError
from django.urls import reverse

from accounts import roles
from accounts.models import User
from audit import services
from audit.models import Record
from tests.factories import admin, alice

pytestmark = pytest.mark.django_db


@pytest.fixture
def boss(client):
    """An admin who may change rights."""
    person = admin()
    User.objects.filter(pk=person.pk).update(is_superuser=True)
    client.force_login(person)
    return client


def page_of(row) -> str:
    return reverse(f"admin:{row._meta.app_label}_{row._meta.model_name}_change", args=[row.pk])


def form_of(client, row) -> dict[str, object]:
    """What the browser would send if nothing were changed."""
    form = client.get(page_of(row)).context["adminform"].form
    fields = {name: form[name].value() for name in form.fields}
    return {name: value for name, value in fields.items() if value not in (None, False)}


def newest() -> Record:
    return Record.objects.order_by("-pk").first()


def test_giving_a_role_is_recorded_in_the_name_of_who_gave_it(boss):
    finance = Group.objects.get(name=roles.FINANCE)
    sent = {**form_of(boss, alice()), "groups": [finance.pk], "is_staff": "on"}
    assert boss.post(page_of(alice()), sent).status_code == 302
    row = newest()
    assert (row.actor, row.action) == (admin(), "person.changed")
    assert row.target == f"accounts.user:{alice().public_id}"
    assert row.data == {
        "fields": ["Staff", "Groups"],
        "roles": [roles.FINANCE],
        "staff": True,
        "superuser": False,
        "active": True,
    }
    assert row.context.request_id


def test_personal_data_stays_out_of_the_trail(boss):
    sent = {**form_of(boss, alice()), "email": "secret@example.com", "display_name": "Somebody Else"}
    boss.post(page_of(alice()), sent)
    assert User.objects.filter(email="secret@example.com").exists()
    assert newest().data["fields"] == ["E-mail", "Name"]
    assert "secret" not in str(newest().data)
    assert "Somebody" not in str(newest().data)


def test_a_new_password_is_recorded_and_not_shown(boss):
    sent = {
        "password1": "correct horse battery",
        "password2": "correct horse battery",
        "usable_password": "true",
    }
    response = boss.post(reverse("admin:auth_user_password_change", args=[alice().pk]), sent)
    assert response.status_code == 302
    assert (newest().action, newest().target) == ("person.changed", f"accounts.user:{alice().public_id}")
    assert "horse" not in str(newest().data)


def test_adding_a_person_is_recorded(boss):
    sent = {
        "email": "new@example.com",
        "password1": "correct horse battery",
        "password2": "correct horse battery",
        "usable_password": "true",
    }
    assert boss.post(reverse("admin:accounts_user_add"), sent).status_code == 302
    assert (newest().action, newest().data["roles"]) == ("person.added", [])


def test_changing_a_role_is_recorded_with_what_it_gives_now(boss):
    host = Group.objects.get(name=roles.HOST)
    permission = Permission.objects.get(codename="view_record")
    assert boss.post(page_of(host), {"name": roles.HOST, "permissions": [permission.pk]}).status_code == 302
    assert newest().action == "role.changed"
    assert newest().data == {"name": roles.HOST, "permissions": ["audit.view_record"]}


def test_deleting_a_role_is_recorded(boss):
    host = Group.objects.get(name=roles.HOST)
    boss.post(reverse("admin:auth_group_delete", args=[host.pk]), {"post": "yes"})
    assert not Group.objects.filter(name=roles.HOST).exists()
    assert (newest().action, newest().data["name"]) == ("role.deleted", roles.HOST)


def test_what_can_not_be_recorded_is_not_changed(boss, monkeypatch):
    def refuse(**fields):
        raise DatabaseError

    sent = {**form_of(boss, alice()), "is_staff": "on"}
    monkeypatch.setattr(services.Record.objects, "create", refuse)
    with pytest.raises(DatabaseError):
        boss.post(page_of(alice()), sent)
    assert not User.objects.get(pk=alice().pk).is_staff
