"""Failed sign-ins in the admin: who is locked out, and the button that lets them in again."""

from django.contrib import admin, messages
from django.db import models
from django.http import HttpRequest
from django.utils import timezone
from django.utils.translation import gettext_lazy as _
from django.utils.translation import ngettext
from unfold.decorators import action, display

from accounts.lockouts import account_of, is_of_codes, lock_time, locks_at
from accounts.models import FailedSignIn, User
from audit.admin import ReadOnlyAdmin
from config.lockouts import unlock


@admin.register(FailedSignIn)
class FailedSignInAdmin(ReadOnlyAdmin):
    """Wrong passwords and codes that still count. What was typed is shown nowhere."""

    list_display = ("account", "what", "ip_address", "failures", "attempt_time", "state")
    search_fields = ("username", "ip_address")
    ordering = ("-attempt_time",)
    fields = ("account", "what", "ip_address", "user_agent", "failures", "attempt_time", "state_said")
    actions = ("unlock",)

    def get_queryset(self, request: HttpRequest) -> models.QuerySet[FailedSignIn]:
        rows: models.QuerySet[FailedSignIn] = super().get_queryset(request)
        return rows.filter(attempt_time__gt=timezone.now() - lock_time())

    def has_unlock_permission(self, request: HttpRequest) -> bool:
        """Who may end a lock-out."""
        return bool(request.user.has_perm("accounts.unlock_sign_in"))

    @display(description=_("account"), ordering="username")
    def account(self, row: FailedSignIn) -> str:
        return account_of(row.username or "")

    @display(description=_("what was wrong"))
    def what(self, row: FailedSignIn) -> str:
        return str(_("code of the second factor") if is_of_codes(row.username or "") else _("password"))

    @display(description=_("failures"), ordering="failures_since_start")
    def failures(self, row: FailedSignIn) -> int:
        return int(row.failures_since_start)

    @display(description=_("state"), label={"locked": "danger", "counting": "info"})
    def state(self, row: FailedSignIn) -> tuple[str, str]:
        # One row is one browser; what locks is the sum. A row that alone reaches the limit surely does.
        is_locked = row.failures_since_start >= locks_at(row.username or "")
        return ("locked", str(_("locked out"))) if is_locked else ("counting", str(_("counting")))

    @display(description=_("state"))
    def state_said(self, row: FailedSignIn) -> str:
        """The word alone: on the page of a row unfold would show the pair."""
        return str(self.state(row)[1])

    @action(description=_("Let in again"), permissions=["unlock"])
    def unlock(self, request: HttpRequest, queryset: models.QuerySet[FailedSignIn]) -> None:
        """End the lock-outs of the chosen accounts, from all addresses."""
        assert isinstance(request.user, User)
        names = set(queryset.values_list("username", flat=True))
        now = timezone.now()
        count = sum(bool(unlock(name=name, by=request.user, now=now)) for name in names)
        done = ngettext("%(count)d account may try again.", "%(count)d accounts may try again.", count)
        messages.success(request, done % {"count": count})
