"""People in the admin."""

from typing import Any

from allauth.mfa.admin import Authenticator  # of the admin: it has to be registered before it is taken out
from django.apps import apps
from django.contrib import admin
from django.contrib.auth.admin import GroupAdmin as DjangoGroupAdmin
from django.contrib.auth.admin import UserAdmin as DjangoUserAdmin
from django.contrib.auth.models import Group
from django.db.models import prefetch_related_objects
from django.http import HttpRequest
from django.utils.html import format_html, format_html_join
from django.utils.translation import gettext_lazy as _
from unfold.admin import ModelAdmin
from unfold.forms import AdminPasswordChangeForm, UserChangeForm, UserCreationForm

from accounts.models import User

admin.site.unregister(Group)
# What opens a second factor is nobody's to look at or edit; who lost theirs is helped on the page of people.
admin.site.unregister(Authenticator)


@admin.register(Group)
class RoleAdmin(DjangoGroupAdmin, ModelAdmin):
    """Roles; their permissions come from `config/roles.py` and are reset after each migrate."""

    def get_object(self, request: HttpRequest, object_id: str, from_field: str | None = None) -> Group | None:
        """With what each permission is about: its name says it, and there are dozens."""
        role: Group | None = super().get_object(request, object_id, from_field)
        if role is not None:
            prefetch_related_objects([role], "permissions__content_type")
        return role

    def get_fields(self, request: HttpRequest, obj: Group | None = None) -> list[Any]:
        """Who may only look reads a list; the field's own is one sentence of a hundred names."""
        return ["name", "permissions" if self.has_change_permission(request, obj) else "rights"]

    def get_readonly_fields(self, request: HttpRequest, obj: Group | None = None) -> list[Any]:
        return [] if self.has_change_permission(request, obj) else ["name", "rights"]

    @admin.display(description=_("permissions"))
    def rights(self, obj: Group) -> str:
        """What the role may do, by the app it is about."""
        by_app: dict[str, list[str]] = {}
        for right in obj.permissions.all():
            app = apps.get_app_config(right.content_type.app_label).verbose_name
            by_app.setdefault(str(app), []).append(right.name)
        rows = (
            (app, format_html_join(" · ", "{}", ((name,) for name in sorted(names))))
            for app, names in by_app.items()
        )
        return format_html(
            '<dl class="fg-rights">{}</dl>',
            format_html_join("", "<div><dt>{}</dt><dd>{}</dd></div>", sorted(rows)),
        )


@admin.register(User)
class UserAdmin(DjangoUserAdmin[User], ModelAdmin):
    """People: search, roles, deactivate. Nobody is deleted here: money and audit rows point to people."""

    form = UserChangeForm
    add_form = UserCreationForm
    change_password_form = AdminPasswordChangeForm
    list_per_page = 25
    list_display = ("email", "display_name", "country", "is_staff", "is_active", "date_joined")
    list_filter = ("is_staff", "is_active", "groups", "country")
    search_fields = ("email", "display_name", "phone")
    ordering = ("-date_joined",)
    # Nobody agrees to promotions for somebody else.
    readonly_fields = ("public_id", "accepts_promotions", "last_login", "date_joined")
    fieldsets = (
        (None, {"fields": ("email", "password", "public_id")}),
        (
            _("Person"),
            {"fields": ("display_name", "time_zone", "language", "phone", "country", "birth_date")},
        ),
        (_("Consent"), {"fields": ("shows_name", "accepts_promotions")}),
        (_("Rights"), {"fields": ("is_active", "is_staff", "is_superuser", "groups")}),
        (_("Times"), {"fields": ("last_login", "date_joined")}),
    )
    add_fieldsets = ((None, {"fields": ("email", "display_name", "password1", "password2")}),)

    def has_delete_permission(self, request, obj=None) -> bool:  # type: ignore[no-untyped-def]
        return False
