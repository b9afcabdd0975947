"""What staff change about people and roles goes into the trail, in the transaction that changes it.

Here, because only the top floor may know both: accounts is below the trail.
"""

from typing import Any

from django.contrib import admin, messages
from django.contrib.auth.models import Group
from django.db import models
from django.http import HttpRequest
from django.utils import timezone
from django.utils.translation import gettext_lazy as _
from django.utils.translation import ngettext
from unfold.decorators import action

import config.lockout_admin  # noqa: F401  (autodiscovery finds this module only)
from accounts.admin import RoleAdmin, UserAdmin
from accounts.models import ApiKey, User
from audit.admin import ReadOnlyAdmin
from audit.services import record
from config.api_keys import revoke_api_key
from config.second_factor import reset_second_factor

admin.site.unregister([User, Group])


def _record(request: HttpRequest, target: models.Model, action: str, data: dict[str, Any]) -> None:
    """Write it in the name of who is signed in; the pages of the admin need that somebody is."""
    assert isinstance(request.user, User)
    record(actor=request.user, action=action, target=target, data=data, now=timezone.now())


def _fields(message: Any) -> list[str]:
    """Names of the fields in Django's message of a change, which is a list of what was added and changed."""
    if not isinstance(message, list):
        return [str(message)]
    return [field for part in message for field in part.get("changed", {}).get("fields", [])]


@admin.register(User)
class RecordedUserAdmin(UserAdmin):
    """People; the trail holds which fields were changed and the rights they have now, and no personal data."""

    actions = ("reset_second_factor",)

    def has_reset_second_factor_permission(self, request: HttpRequest) -> bool:
        """Who may remove a factor that was lost."""
        return bool(request.user.has_perm("accounts.reset_second_factor"))

    @action(description=_("Remove the second factor"), permissions=["reset_second_factor"])
    def reset_second_factor(self, request: HttpRequest, queryset: models.QuerySet[User]) -> None:
        """For who lost phone, passkey and codes. Only a superuser does it to a superuser, and nobody to themselves."""
        assert isinstance(request.user, User)
        now, count = timezone.now(), 0
        people = queryset.exclude(pk=request.user.pk)
        for person in people if request.user.is_superuser else people.filter(is_superuser=False):
            count += reset_second_factor(person=person, by=request.user, now=now)
        if not count:
            messages.warning(request, _("None of them has a second factor that you may remove."))
            return
        done = ngettext(
            "%(count)d person signs in with the password alone until they set up a new factor.",
            "%(count)d people sign in with the password alone until they set up new factors.",
            count,
        )
        messages.success(request, done % {"count": count})

    def log_addition(self, request: HttpRequest, obj: User, message: Any) -> Any:
        _record(request, obj, "person.added", self._rights(obj))
        return super().log_addition(request, obj, message)

    def log_change(self, request: HttpRequest, obj: User, message: Any) -> Any:
        _record(request, obj, "person.changed", {"fields": _fields(message), **self._rights(obj)})
        return super().log_change(request, obj, message)

    @staticmethod
    def _rights(user: User) -> dict[str, Any]:
        return {
            "active": user.is_active,
            "staff": user.is_staff,
            "superuser": user.is_superuser,
            "roles": sorted(user.groups.values_list("name", flat=True)),
        }


@admin.register(Group)
class RecordedRoleAdmin(RoleAdmin):
    """Roles; the trail holds the permissions they give now."""

    def log_addition(self, request: HttpRequest, obj: Group, message: Any) -> Any:
        _record(request, obj, "role.added", self._rights(obj))
        return super().log_addition(request, obj, message)

    def log_change(self, request: HttpRequest, obj: Group, message: Any) -> Any:
        _record(request, obj, "role.changed", self._rights(obj))
        return super().log_change(request, obj, message)

    def log_deletions(self, request: HttpRequest, queryset: models.QuerySet[Group]) -> Any:
        for role in queryset:
            _record(request, role, "role.deleted", self._rights(role))
        return super().log_deletions(request, queryset)

    @staticmethod
    def _rights(role: Group) -> dict[str, Any]:
        names = role.permissions.values_list("content_type__app_label", "codename")
        return {"name": role.name, "permissions": sorted(f"{app}.{codename}" for app, codename in names)}


@admin.register(ApiKey)
class ApiKeyAdmin(ReadOnlyAdmin):
    """Everybody's API keys, to find and revoke one that got out. People make their own on their account's page."""

    list_display = ("prefix", "owner", "scopes", "created_at", "expires_at", "last_used_at", "revoked_at")
    list_select_related = ("owner",)
    search_fields = ("prefix", "owner__email")
    fields = ("prefix", "owner", "name", "scopes", "created_at", "expires_at", "last_used_at", "revoked_at")
    actions = ("revoke",)

    def has_revoke_permission(self, request: HttpRequest) -> bool:
        """Who may end other people's keys."""
        return bool(request.user.has_perm("accounts.revoke_apikey"))

    @action(description=_("Revoke"), permissions=["revoke"])
    def revoke(self, request: HttpRequest, queryset: models.QuerySet[ApiKey]) -> None:
        """End the chosen keys."""
        assert isinstance(request.user, User)
        now = timezone.now()
        count = sum(
            revoke_api_key(key=key, by=request.user, now=now) for key in queryset.select_related("owner")
        )
        done = ngettext("%(count)d key is revoked.", "%(count)d keys are revoked.", count) % {"count": count}
        messages.success(request, done)
