"""What staff change about people and roles goes into the trail, in the transaction that changes it.

Here, because only the top floor may know both: accounts is below the trail.
"""

from typing import Any

from django import forms
from django.contrib import admin, messages
from django.contrib.auth.models import Group
from django.db import models
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext_lazy as _
from django.utils.translation import ngettext
from unfold.admin import TabularInline
from unfold.decorators import action
from unfold.forms import UserChangeForm
from unfold.widgets import UnfoldAdminCheckboxSelectMultipleWidget

import config.erasure_admin
import config.lockout_admin
import config.scheduling_admin  # noqa: F401
from accounts.admin import RoleAdmin, UserAdmin
from accounts.models import ApiKey, User, normalise_email
from audit.admin import ReadOnlyAdmin
from audit.services import record
from config.addresses import change_email, why_not_address
from config.api_keys import revoke_api_key
from config.models import Alarm, AlarmNotice
from config.operations.alarms import watch
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


class PersonForm(UserChangeForm):
    """A person; their address only where no other account has it."""

    class Meta(UserChangeForm.Meta):
        # A handful of roles: boxes to tick, where Django's two lists have filters that nothing names.
        widgets = {"groups": UnfoldAdminCheckboxSelectMultipleWidget()}

    def clean_email(self) -> str:
        email = normalise_email(self.cleaned_data["email"])
        if why_not := why_not_address(person=self.instance, email=email):
            raise forms.ValidationError(why_not)
        return email


@admin.register(User)
class RecordedUserAdmin(UserAdmin):
    """People; the trail holds which fields were changed and the rights they have now, and no personal data."""

    form = PersonForm
    actions_detail = ("erase",)

    def has_erase_person_permission(self, request: HttpRequest, object_id: Any = None) -> bool:
        """Who may have others erased."""
        return bool(request.user.has_perm("accounts.erase_person"))

    @action(
        description=_("Erase this person"), url_path="erase", permissions=["erase_person"], icon="person_off"
    )
    def erase(self, request: HttpRequest, object_id: str) -> HttpResponse:
        """On to the page that asks, with the address filled in."""
        page = reverse("admin:accounts_erasure_ask")
        person = User.objects.filter(pk=object_id).first() if object_id.isdigit() else None
        return HttpResponseRedirect(f"{page}?member={person.public_id}" if person else page)

    def save_model(self, request: HttpRequest, obj: User, form: Any, change: bool) -> None:
        """Another address is given by the service that knows what hangs on it."""
        wanted = obj.email
        if change and "email" in form.changed_data:
            obj.email = form.initial["email"]
        super().save_model(request, obj, form, change)
        if obj.email != wanted:
            assert isinstance(request.user, User)
            change_email(person=obj, email=wanted, by=request.user, now=timezone.now())
            obj.email = wanted

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


class NoticeInline(TabularInline):
    """Who was told of an alarm, and with what success."""

    model = AlarmNotice
    fields = readonly_fields = ("event", "channel", "attempts", "next_attempt_at", "sent_at", "error")
    extra = 0
    can_delete = False
    hide_title = True

    def has_add_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False


@admin.register(Alarm)
class AlarmAdmin(ReadOnlyAdmin):
    """What was wrong with the site, since when, what mends it, and who was told."""

    list_display = ("title", "key", "raised_at", "resolved_at")
    list_filter = (("resolved_at", admin.EmptyFieldListFilter),)
    search_fields = ("key", "title")
    fields = ("title", "detail", "mend", "key", "raised_at", "resolved_at")
    inlines = (NoticeInline,)
    actions_list = ("look_now",)

    @action(
        description=_("Look now"),
        url_path="look-now",
        permissions=["view"],
        icon="visibility",
        dialog={
            "title": _("Look now"),
            "description": _(
                "Looks whether something is wrong, as happens every half minute, and tells of it."
            ),
            "form_class": None,
            "form_submit_text": _("Look"),
        },
    )
    def look_now(self, request: HttpRequest, form: object) -> HttpResponse:
        """What the watcher does every half minute, at once."""
        done = watch(now=timezone.now())
        said = _("%(raised)d alarms began, %(resolved)d are over.")
        messages.success(request, said % {"raised": done.raised, "resolved": done.resolved})
        return HttpResponse(headers={"HX-Redirect": reverse("admin:config_alarm_changelist")})
