"""A role sees exactly its own: which lists of the admin each may look at, add to, and change."""

import pytest
from django.contrib import admin
from django.test import Client, RequestFactory

from accounts import roles
from tests.factories import make_user

pytestmark = pytest.mark.django_db

ALL = (roles.SUPER_ADMIN, roles.MANAGER_ADMIN, roles.FINANCE, roles.SUPPORT_LEAD)
BOSS, MANAGER, FINANCE, SUPPORT = ALL
# Every model in the admin: who sees it, who may add one, who may change one.
TABLE: dict[str, tuple[set[str], set[str], set[str]]] = {
    "accounts.apikey": ({BOSS}, set(), set()),
    "accounts.failedsignin": ({BOSS, SUPPORT}, set(), set()),
    "accounts.user": ({*ALL}, {BOSS}, {BOSS}),
    "auth.group": ({BOSS}, set(), set()),
}


def holders(model_admin, permission: str) -> set[str]:
    """Roles of which a member is let by the admin of this model."""
    found = set()
    for role in ALL:
        request = RequestFactory().get("/admin/")
        request.user = make_user(role=role, is_staff=True)
        if getattr(model_admin, f"has_{permission}_permission")(request):
            found.add(role)
    return found


@pytest.mark.parametrize("label", sorted(TABLE))
def test_people_and_sign_in_are_for_whom_the_table_says(label):
    [model_admin] = [row for model, row in admin.site._registry.items() if model._meta.label_lower == label]
    got = tuple(holders(model_admin, verb) for verb in ("view_or_change", "add", "change"))
    assert got == TABLE[label]


@pytest.mark.parametrize("role", ALL)
def test_the_sidebar_and_the_pages_agree(role):
    """What a role is not shown it does not reach by its address either, and what it is shown opens."""
    client = Client()
    client.force_login(make_user(role=role, is_staff=True))
    home = client.get("/admin/").content.decode()
    for model, model_admin in admin.site._registry.items():
        path = f"/admin/{model._meta.app_label}/{model._meta.model_name}/"
        request = RequestFactory().get(path)
        request.user = make_user(role=role, is_staff=True)
        may = model_admin.has_view_or_change_permission(request)
        answer = client.get(path)
        assert (answer.status_code == 200) == may, path
        if not may:
            assert answer.status_code in (403, 404), path
            assert f'href="{path}"' not in home, path


@pytest.mark.parametrize("role", [roles.OPERATOR, roles.HOST, ""])
def test_members_with_or_without_a_role_find_no_admin(role):
    client = Client()
    client.force_login(make_user(role=role))
    for model in admin.site._registry:
        path = f"/admin/{model._meta.app_label}/{model._meta.model_name}/"
        assert client.get(path, follow=True).status_code == 404, path


def test_secrets_of_second_factors_are_in_nobody_s_admin():
    assert "mfa.authenticator" not in {model._meta.label_lower for model in admin.site._registry}
    assert "accounts.signedinsession" not in {model._meta.label_lower for model in admin.site._registry}
