"""What the pages of audiences, broadcasts and sequences share: who may, and the page on which their words are written."""

from collections.abc import Callable
from typing import Any

from django import forms
from django.contrib import messages
from django.contrib.admin.utils import unquote
from django.core.exceptions import PermissionDenied
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.template.response import TemplateResponse
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from accounts.models import User
from audit.admin import ReadOnlyAdmin
from notifications import kinds, occasions
from notifications.admin.wordings import PartsForm, language_choices, variables_in_words
from notifications.kinds import Category, Channel
from notifications.services.audiences import usable_channels
from notifications.services.broadcasts import BroadcastError, kind_name
from notifications.services.previews import preview_brought
from notifications.services.wordings import send_test
from notifications.variables import ContextError
from notifications.words.parts import PARTS, TITLES, Parts

CATEGORIES = [
    (str(Category.SERVICE), gettext_lazy("service: to all, one click stops it")),
    (str(Category.PROMOTIONAL), gettext_lazy("promotional: only to who agreed, not at night")),
]
Save = Callable[[Parts, bool], object]


class ManyAdmin(ReadOnlyAdmin):
    """Seen by whoever may view; made and changed by whoever may tell many. Its pages are its own."""

    ordering = ("-pk",)
    sortable_by = ()

    def has_add_permission(self, request: HttpRequest) -> bool:
        return self.may(request)

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return self.may(request)

    def may(self, request: HttpRequest) -> bool:
        """Whether this person may make, change, schedule and cancel."""
        return bool(request.user.has_perm("notifications.broadcast"))

    def insist(self, request: HttpRequest) -> User:
        """Who acts. Raises `PermissionDenied` for who may not."""
        if not self.may(request) or not isinstance(request.user, User):
            raise PermissionDenied
        return request.user

    def edit(self, request: HttpRequest, row: Any) -> HttpResponse:
        """The page of one, or of a new one where `row` is None; its form, and what becomes of it."""
        raise NotImplementedError

    def add_view(self, request: HttpRequest, form_url: str = "", extra_context: Any = None) -> HttpResponse:
        """Begin one."""
        self.insist(request)
        return self.edit(request, None)

    def change_view(
        self, request: HttpRequest, object_id: str, form_url: str = "", extra_context: Any = None
    ) -> HttpResponse:
        """Look at one; change it as far as it can still be changed."""
        row = self.get_object(request, unquote(object_id))
        if row is None:
            raise Http404
        if not self.has_view_permission(request, row) or (request.method == "POST" and not self.may(request)):
            raise PermissionDenied
        return self.edit(request, row)

    def frame(self, request: HttpRequest, title: str, back: str = "") -> dict[str, Any]:
        """What every page of the admin knows."""
        model = f"{self.opts.app_label}_{self.opts.model_name}"
        return {
            **self.admin_site.each_context(request),
            "opts": self.opts,
            "title": title,
            "may": self.may(request),
            "list": reverse(f"admin:{model}_changelist"),
            "list_title": self.opts.verbose_name_plural,
            "back": back or reverse(f"admin:{model}_changelist"),
        }


class LanguageForm(forms.Form):
    """Which language words are written in."""

    language = forms.ChoiceField(choices=language_choices)


def channel_choices() -> list[tuple[str, str]]:
    """The channels staff may choose from."""
    return [(str(channel), str(Channel(channel).label)) for channel in usable_channels()]


def words_page(
    request: HttpRequest,
    frame: dict[str, Any],
    *,
    by: User,
    parts: Parts,
    language: str,
    occasion: str,
    category: str,
    save: Save,
    is_open: bool = True,
) -> HttpResponse:
    """The page on which words for one language are written: shown (GET), tried out or saved (POST)."""
    form = PartsForm(request.POST if request.method == "POST" else None, initial=dict(parts.items()))
    if request.method == "POST" and is_open and form.is_valid() and "look" not in request.POST:
        if "test" in request.POST:
            _try_out(request, form, by=by, language=language, occasion=occasion, category=category)
        else:
            try:
                save(form.parts, form.cleaned_data["accepts_warnings"])
            except BroadcastError as error:
                form.add_error(None, str(error))
                if error.findings is not None:
                    form.add_findings(error.findings)
            else:
                return HttpResponseRedirect(frame["back"])
    context = {
        **frame,
        "form": form,
        "written": [form[name] for name in PARTS],
        "language": language,
        "language_name": dict(language_choices()).get(language, language),
        "occasion": occasion,
        "category": category,
        "variables": variables_in_words(occasions.variables_of(occasion)),
        "warns": request.method == "POST",
        "is_open": is_open,
        **preview_context(
            request.POST if form.is_bound else parts,
            by=by,
            language=language,
            occasion=occasion,
            category=category,
        ),
    }
    return TemplateResponse(request, "admin/notifications/many/words.html", context)


def preview_context(given: Any, *, by: User, language: str, occasion: str, category: str) -> dict[str, Any]:
    """What `preview.html` shows of typed words."""
    parts = given if isinstance(given, Parts) else Parts.of(given)
    kind = kinds.get(kind_name(category))
    problem, shown = "", None
    try:
        found, shown = preview_brought(
            kind=kind, occasion=occasion, language=language, parts=parts, by=by, at=timezone.now()
        )
    except Exception as error:  # a filter given something it wasn't made for may raise anything
        return {"errors": [], "warned": [], "problem": _("It fails: %(why)s") % {"why": error}}
    if parts and not (parts.subject and parts.text):
        problem = _("It is shown once there is a subject and a text.")
    return {
        "errors": [(TITLES[error.part], error) for error in found.errors],
        "warned": [(TITLES[warning.part], warning) for warning in found.warnings],
        "shown": shown,
        "problem": problem,
        "sms_length": len(shown.sms) if shown is not None else 0,
    }


def preview_page(request: HttpRequest, *, by: User) -> HttpResponse:
    """What the typed words look like: a part of the page, asked for while one types."""
    language, occasion = request.POST.get("language", ""), request.POST.get("occasion", "")
    if language not in dict(language_choices()):
        return HttpResponse(status=204)
    context = preview_context(
        request.POST, by=by, language=language, occasion=occasion, category=request.POST.get("category", "")
    )
    return TemplateResponse(request, "admin/notifications/wording/preview.html", context)


def _try_out(
    request: HttpRequest, form: PartsForm, *, by: User, language: str, occasion: str, category: str
) -> None:
    """Send what is typed to oneself; the page stays, with what was typed."""
    kind, now = kinds.get(kind_name(category)), timezone.now()
    found, shown = preview_brought(
        kind=kind, occasion=occasion, language=language, parts=form.parts, by=by, at=now
    )
    if shown is None:
        form.add_error(None, _("A test can be sent once there is a subject and a text, and nothing to mend."))
        form.add_findings(found)
        return
    try:
        send_test(
            kind=kind,
            language=language,
            subject=shown.subject,
            text=shown.text,
            html=shown.content,
            by=by,
            now=now,
        )
    except ContextError:
        form.add_error(None, _("These words are too long for one message. Shorten them."))
    else:
        said = _("A test is on its way to %(address)s. Nothing is saved yet.")
        messages.success(request, said % {"address": by.email})
