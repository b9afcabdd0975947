"""Roles: groups hold what the table says, no more and no less."""

from pathlib import Path

import pytest
from django.apps import apps
from django.contrib.admin import site
from django.contrib.auth.models import Group, Permission
from django.core.management import call_command
from django.urls import reverse
from django_celery_beat.models import PeriodicTask

from accounts import roles
from config.roles import ROLES, sync_roles
from tests.factories import admin, make_user

pytestmark = pytest.mark.django_db


def held_by(role: str) -> set[str]:
    rows = Group.objects.get(name=role).permissions.values_list("content_type__app_label", "codename")
    return {f"{app}.{codename}" for app, codename in rows}


@pytest.mark.parametrize("role", ROLES)
def test_after_migrate_a_group_holds_just_what_the_table_says(role):
    assert held_by(role) == set(ROLES[role])


def test_the_table_names_no_permission_twice():
    for role, names in ROLES.items():
        assert len(names) == len(set(names)), role


def test_migrating_again_takes_back_what_somebody_added_and_gives_what_they_took():
    group = Group.objects.get(name=roles.FINANCE)
    group.permissions.set(Permission.objects.filter(codename="delete_user"))
    call_command("migrate", verbosity=0)
    assert held_by(roles.FINANCE) == set(ROLES[roles.FINANCE])


def test_a_role_that_was_deleted_comes_back():
    Group.objects.filter(name=roles.HOST).delete()
    sync_roles()
    assert Group.objects.filter(name=roles.HOST).exists()


def test_groups_of_the_site_s_own_are_left_alone():
    own = Group.objects.create(name="Auditors")
    own.permissions.set(Permission.objects.filter(codename="view_record"))
    sync_roles()
    assert own.permissions.count() == 1


def test_a_permission_that_no_app_declares_is_named(monkeypatch):
    monkeypatch.setitem(ROLES, roles.HOST, ("events.hold_event",))
    with pytest.raises(LookupError, match=r"'Host' .* events\.hold_event"):
        sync_roles()


def test_a_role_gives_its_rights_to_who_holds_it():
    finance = make_user(role=roles.FINANCE)
    assert finance.has_perm("payments.manage_payments")
    assert not finance.has_perm("draws.execute_draw")
    assert admin().has_perm("draws.execute_draw")
    assert not make_user(role=roles.MANAGER_ADMIN).has_perm("draws.execute_draw")


def test_a_super_admin_may_look_at_every_page_of_ours_in_the_admin(client):
    ours = {
        config.label for config in apps.get_app_configs() if "site-packages" not in Path(config.path).parts
    }
    pages = [
        reverse(f"admin:{model._meta.app_label}_{model._meta.model_name}_changelist")
        for model in site._registry
        if model._meta.app_label in ours or model in (Group, PeriodicTask)
    ]
    client.force_login(admin())
    assert [(page, status) for page in pages if (status := client.get(page).status_code) != 200] == []
