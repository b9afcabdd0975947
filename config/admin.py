"""What staff change about people and roles goes into the trail, in the transaction that changes it.

Here, because only the top floor may know both: accounts is below the trail.
"""

from typing import Any

from django.contrib import admin
from django.contrib.auth.models import Group
from django.db import models
from django.http import HttpRequest
from django.utils import timezone

from accounts.admin import RoleAdmin, UserAdmin
from accounts.models import User
from audit.services import record

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
