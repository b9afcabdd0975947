"""Erasures in the admin: who is to be erased when, what holds one up; asking for one on behalf of somebody who wrote."""

import contextlib
import uuid
from typing import Any

from django import forms
from django.contrib import admin, messages
from django.contrib.admin.utils import quote, unquote
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.template.response import TemplateResponse
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from unfold.decorators import action, display
from unfold.enums import ActionVariant
from unfold.widgets import UnfoldAdminTextInputWidget, UnfoldBooleanSwitchWidget

from accounts.fresh_sign_in import fresh_sign_in_required, kept_form
from accounts.models import Erasure, User
from accounts.privacy import Person, person_at
from audit.admin import ReadOnlyAdmin
from config.privacy import WAITING_TIME, ErasureError, cancel_erasure, erase_due_people, request_erasure
from draws.forms import ReasonForm
from draws.vwd1 import IdentityError, normalise_identity


class AskForm(ReasonForm):
    """Whom to erase, and what they have agreed to."""

    identity = forms.CharField(
        label=gettext_lazy("E-mail address or phone"),
        max_length=254,
        widget=UnfoldAdminTextInputWidget({"autocomplete": "off"}),
        help_text=gettext_lazy("Of an account, or of somebody without one. They are told by mail."),
    )
    gives_up_wallet = forms.BooleanField(
        label=gettext_lazy("They have agreed in writing to give up what is in the wallet"),
        required=False,
        widget=UnfoldBooleanSwitchWidget(),
    )
    field_order = ("identity", "reason", "gives_up_wallet")

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["reason"].help_text = _(
            "Who asked, and how: a case number. It stays in the audit trail for good, so name nobody."
        )

    def clean_identity(self) -> str:
        """An address or number in the form in which it is stored."""
        try:
            return normalise_identity(self.cleaned_data["identity"])
        except IdentityError as error:
            raise forms.ValidationError(str(error)) from error

    @property
    def person(self) -> Person:
        """Whom the address belongs to."""
        return person_at(self.cleaned_data["identity"])


@admin.register(Erasure)
class ErasureAdmin(ReadOnlyAdmin):
    """Erasures: asked for, waiting, done."""

    list_display = ("public_id", "whose", "requested_at", "due_at", "state", "problem")
    list_select_related = ("member",)
    fields = (
        "public_id",
        "whose",
        "by",
        "gives_up_wallet",
        "requested_at",
        "due_at",
        "state_said",
        "problem",
    )
    readonly_fields = ("whose", "state_said")
    actions_list = ("ask", "erase_now")
    actions_detail = ("call_off",)

    def has_erase_person_permission(self, request: HttpRequest, object_id: Any = None) -> bool:
        """Who may have others erased."""
        return bool(request.user.has_perm("accounts.erase_person"))

    @display(description=gettext_lazy("person"))
    def whose(self, obj: Erasure) -> str:
        """The person, as long as somebody is to be named."""
        return str(obj.member or obj.identity or "—")

    @display(
        description=gettext_lazy("state"),
        label={"waiting": "info", "held": "danger", "off": "", "done": "success"},
    )
    def state(self, obj: Erasure) -> tuple[str, Any]:
        """Where it stands, in a word."""
        if obj.done_at is not None:
            return "done", _("Erased")
        if obj.cancelled_at is not None:
            return "off", _("Called off")
        return ("held", _("Held back")) if obj.problem else ("waiting", _("Waiting"))

    @display(description=gettext_lazy("state"))
    def state_said(self, obj: Erasure) -> str:
        """The word alone: on the page of a row unfold would show the pair."""
        return str(self.state(obj)[1])

    def get_actions_detail(self, request: HttpRequest, object_id: Any) -> list[Any]:
        waiting = (
            Erasure.objects.waiting().filter(pk=unquote(str(object_id))) if str(object_id).isdigit() else None
        )
        if waiting is None or not waiting.exists():
            return []
        return super().get_actions_detail(request, object_id)  # type: ignore[no-any-return]

    @action(
        description=gettext_lazy("Erase a person"),
        url_path="ask",
        permissions=["erase_person"],
        icon="person_off",
        variant=ActionVariant.DANGER,
    )
    @fresh_sign_in_required
    def ask(self, request: HttpRequest) -> HttpResponse:
        """For somebody who asked for it by mail."""
        assert isinstance(request.user, User)
        form = (
            AskForm(request.POST)
            if request.method == "POST"
            else AskForm(kept_form(request), initial=_given(request))
        )
        if request.method == "POST" and form.is_valid():
            try:
                erasure = request_erasure(
                    person=form.person,
                    by=request.user,
                    gives_up_wallet=form.cleaned_data["gives_up_wallet"],
                    reason=form.cleaned_data["reason"],
                    now=timezone.now(),
                )
            except ErasureError as error:
                form.add_error(None, str(error))
            else:
                messages.success(
                    request,
                    _("They are told, and erased in %(days)d days unless they or you call it off.")
                    % {"days": WAITING_TIME.days},
                )
                return HttpResponseRedirect(reverse("admin:accounts_erasure_change", args=[erasure.pk]))
        return self._page(
            request,
            title=_("Erase a person"),
            intro=_(
                "For somebody who asks by mail. Their account is closed at once; in %(days)d days everything about them is "
                "erased for good. Amounts stay in the ledger and public ids in the proofs, and name nobody any more."
            )
            % {"days": WAITING_TIME.days},
            press=_("Have them erased"),
            form=form,
            is_danger=True,
        )

    @action(
        description=gettext_lazy("Erase who is due"),
        url_path="erase-now",
        permissions=["erase_person"],
        icon="cleaning_services",
    )
    def erase_now(self, request: HttpRequest) -> HttpResponse:
        """What the job does every ten minutes, at once."""
        if request.method == "POST":
            summary = erase_due_people(now=timezone.now())
            messages.add_message(
                request,
                messages.WARNING if summary.failed or summary.held else messages.SUCCESS,
                _("%(erased)d erased, %(held)d held back, %(failed)d failed.")
                % {"erased": summary.erased, "held": summary.held, "failed": summary.failed},
            )
            return HttpResponseRedirect(reverse("admin:accounts_erasure_changelist"))
        return self._page(
            request,
            title=_("Erase who is due"),
            intro=_(
                "Erases everybody whose waiting time is over. The site does this by itself every ten minutes."
            ),
            press=_("Erase them now"),
            form=forms.Form(),
        )

    @action(
        description=gettext_lazy("Call off"), url_path="call-off", permissions=["erase_person"], icon="undo"
    )
    def call_off(self, request: HttpRequest, object_id: str) -> HttpResponse:
        """The person has changed their mind, and wrote so."""
        erasure: Erasure | None = self.get_object(request, unquote(object_id))
        if erasure is None or not isinstance(request.user, User):
            raise PermissionDenied
        back = reverse("admin:accounts_erasure_change", args=[quote(erasure.pk)])
        if request.method == "POST":
            try:
                cancel_erasure(erasure=erasure, by=request.user, now=timezone.now())
            except ErasureError as error:
                messages.error(request, str(error))
            else:
                messages.success(request, _("Called off; nothing is erased."))
            return HttpResponseRedirect(back)
        return self._page(
            request,
            title=_("Call off"),
            intro=_("Nothing is erased, and the account is open again if it was before."),
            press=_("Call it off"),
            form=forms.Form(),
        )

    def _page(
        self,
        request: HttpRequest,
        *,
        title: str,
        intro: str,
        press: str,
        form: forms.Form,
        is_danger: bool = False,
    ) -> HttpResponse:
        return TemplateResponse(
            request,
            "admin/draws/award/act.html",
            {
                **self.admin_site.each_context(request),
                "opts": self.opts,
                "title": title,
                "intro": intro,
                "press": press,
                "form": form,
                "is_danger": is_danger,
                "back": reverse("admin:accounts_erasure_changelist"),
            },
        )


def _given(request: HttpRequest) -> dict[str, str]:
    """Whom the address of the page means: by public id, never by e-mail."""
    with contextlib.suppress(ValueError):
        person = User.objects.filter(public_id=uuid.UUID(request.GET.get("member", ""))).first()
        if person is not None:
            return {"identity": person.email}
    return {}
