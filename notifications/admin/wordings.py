"""Words of one's own in the admin: written with a preview beside them, kept in versions, tried out on oneself."""

import datetime as dt
from collections.abc import Mapping
from typing import Any

from django import forms
from django.conf import global_settings, settings
from django.contrib import admin, messages
from django.contrib.admin.utils import unquote
from django.core.exceptions import PermissionDenied
from django.db.models import Exists, OuterRef, QuerySet
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.template.response import TemplateResponse
from django.urls import path, reverse
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from unfold.decorators import display
from unfold.widgets import (
    UnfoldAdminEmailInputWidget,
    UnfoldAdminSelectWidget,
    UnfoldAdminTextareaWidget,
    UnfoldAdminTextInputWidget,
    UnfoldBooleanWidget,
)

from accounts.models import User
from audit.admin import ReadOnlyAdmin
from notifications import kinds
from notifications.admin.filters import KindFilter
from notifications.kinds import Kind
from notifications.models import Message, TemplateOverride, TemplateVersion
from notifications.services.previews import (
    Preview,
    PreviewError,
    Reader,
    made_up_reader,
    preview_words,
    real_reader,
    usual_words,
)
from notifications.services.wordings import WordingError, check_words, restore_words, save_words, send_test
from notifications.variables import ContextError
from notifications.words.checking import Findings
from notifications.words.parts import LIMITS, PARTS, TITLES, Parts

MESSAGES_SHOWN = 20
VERSIONS_SHOWN = 50
_MONO = {"class": "fg-code", "spellcheck": "false"}


def language_choices() -> list[tuple[str, str]]:
    """Languages of words: the site's own first, then all that Django can write a date in."""
    own = [(code, str(name)) for code, name in settings.LANGUAGES]
    known = {code for code, _name in own}
    others = [(code, str(_(name))) for code, name in global_settings.LANGUAGES if code not in known]
    return [*own, *others]


def writable_kinds() -> list[Kind]:
    """Kinds whose words may be replaced."""
    return [kind for kind in kinds.all_kinds() if not kind.fixed_words]


class ChooseForm(forms.Form):
    """Which message, in which language."""

    kind = forms.ChoiceField(label=gettext_lazy("Message"), widget=UnfoldAdminSelectWidget())
    language = forms.ChoiceField(label=gettext_lazy("Language"), widget=UnfoldAdminSelectWidget())

    def __init__(self, data: Any = None) -> None:
        super().__init__(data, initial={"language": settings.LANGUAGE_CODE})
        for name, choices in (
            ("kind", [(kind.name, f"{kind.title} ({kind.name})") for kind in writable_kinds()]),
            ("language", language_choices()),
        ):
            field = self.fields[name]
            assert isinstance(field, forms.ChoiceField)
            field.choices = choices


class PartsForm(forms.Form):
    """The four texts of a message, and the warnings of theirs that are accepted.

    What is wrong with them is said by the service; the limits are its own, so a text that is too long is kept and told."""

    subject = forms.CharField(
        required=False, label=TITLES["subject"], widget=UnfoldAdminTextInputWidget(_MONO)
    )
    text = forms.CharField(
        required=False,
        label=TITLES["text"],
        strip=False,
        widget=UnfoldAdminTextareaWidget({**_MONO, "rows": 12}),
        help_text=gettext_lazy(
            "Read in the inbox and in mail programs without HTML; links are made by themselves."
        ),
    )
    html = forms.CharField(
        required=False,
        label=TITLES["html"],
        strip=False,
        widget=UnfoldAdminTextareaWidget({**_MONO, "rows": 8}),
        help_text=gettext_lazy(
            "Of mails. Left empty it is made from the text. The site’s head and foot come by themselves."
        ),
    )
    sms = forms.CharField(
        required=False,
        label=TITLES["sms"],
        strip=False,
        widget=UnfoldAdminTextareaWidget({**_MONO, "rows": 3}),
        help_text=gettext_lazy("For SMS and other short messages."),
    )
    accepts_warnings = forms.BooleanField(
        required=False,
        label=gettext_lazy("I have read the warnings: save it all the same"),
        widget=UnfoldBooleanWidget(),
    )

    def add_findings(self, findings: Findings) -> None:
        """Say at each part what has to be mended."""
        for problem in findings.errors:
            self.add_error(problem.part, str(problem))

    @property
    def parts(self) -> Parts:
        """What was typed."""
        return Parts.of(self.cleaned_data)


class WordingForm(PartsForm):
    """Words for one kind and language, and for whom they are shown beside."""

    seen = forms.IntegerField(required=False, widget=forms.HiddenInput())
    person = forms.CharField(
        required=False,
        label=gettext_lazy("For"),
        widget=UnfoldAdminEmailInputWidget(
            {"placeholder": gettext_lazy("somebody made up"), "autocomplete": "off"}
        ),
        help_text=gettext_lazy(
            "An e-mail address: shows what this person reads, with the values of a message to them."
        ),
    )
    message = forms.ModelChoiceField(
        Message.objects.none(),
        required=False,
        label=gettext_lazy("Message"),
        empty_label=gettext_lazy("the newest to them"),
        widget=UnfoldAdminSelectWidget(),
    )
    at = forms.DateTimeField(
        required=False,
        label=gettext_lazy("As of"),
        widget=UnfoldAdminTextInputWidget({"type": "datetime-local"}),
        help_text=gettext_lazy("In your time zone; empty: now."),
    )

    def __init__(self, data: Any = None, *, kind: Kind, initial: Any = None, sees_people: bool) -> None:
        super().__init__(data, initial=initial)
        if not sees_people:
            del self.fields["person"], self.fields["message"]
            return
        chosen = self.fields["message"]
        assert isinstance(chosen, forms.ModelChoiceField)
        newest = Message.objects.filter(kind=kind.name).order_by("-pk").values("pk")[:MESSAGES_SHOWN]
        chosen.queryset = Message.objects.filter(pk__in=list(newest.values_list("pk", flat=True))).order_by(
            "-pk"
        )
        chosen.label_from_instance = _name_of_message  # type: ignore[method-assign, assignment]


def _name_of_message(message: Message) -> str:
    at = timezone.localtime(message.not_before).strftime("%Y-%m-%d %H:%M")
    return f"{at} · {message.about.partition(':')[2][:13] or message.about}"


@admin.register(TemplateOverride)
class WordingAdmin(ReadOnlyAdmin):
    """Words in the place of a kind's own, with every version there was."""

    list_display = ("title", "language", "state", "changed_at")
    list_filter = (KindFilter, "language")
    search_fields = ("kind",)
    ordering = ("kind", "language")
    sortable_by = ()

    def has_add_permission(self, request: HttpRequest) -> bool:
        return self.has_change_permission(request)

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return bool(request.user.has_perm("notifications.write_words"))

    def get_urls(self) -> list[Any]:
        wrap = self.admin_site.admin_view
        return [
            path("preview/", wrap(self.preview_view), name="notifications_templateoverride_preview"),
            path(
                "<int:object_id>/restore/",
                wrap(self.restore_view),
                name="notifications_templateoverride_restore",
            ),
            *super().get_urls(),
        ]

    def get_queryset(self, request: HttpRequest) -> QuerySet[TemplateOverride]:
        """With whether the version in force says anything of its own."""
        in_force = TemplateVersion.objects.filter(override=OuterRef("pk"), number=OuterRef("number"))
        written = in_force.exclude(subject="", text="", html="", sms="")
        rows: QuerySet[TemplateOverride] = super().get_queryset(request)
        return rows.annotate(has_own=Exists(written))

    @admin.display(description=gettext_lazy("message"))
    def title(self, row: TemplateOverride) -> str:
        """The kind's title and name."""
        return f"{_title_of(row.kind)} ({row.kind})"

    @display(
        description=gettext_lazy("state"),
        label={"broken": "danger", "own": "success", "usual": ""},
    )
    def state(self, row: TemplateOverride) -> tuple[str, str]:
        """Whose words are said."""
        if row.broken_at:
            return "broken", _("broken: the usual words are said")
        if not getattr(row, "has_own", False):
            return "usual", _("the usual words")
        return "own", _("version %(number)d") % {"number": row.number}

    def add_view(self, request: HttpRequest, form_url: str = "", extra_context: Any = None) -> HttpResponse:
        """Choose a message and a language; then write its words, on the same page."""
        if not self.has_add_permission(request):
            raise PermissionDenied
        given = request.POST if request.method == "POST" else request.GET
        chosen = ChooseForm(given if "kind" in given else None)
        if not chosen.is_bound or not chosen.is_valid():
            context = {**self._frame(request, _("Words of a message")), "form": chosen}
            return TemplateResponse(request, "admin/notifications/wording/choose.html", context)
        kind, language = kinds.get(chosen.cleaned_data["kind"]), chosen.cleaned_data["language"]
        row = TemplateOverride.objects.filter(kind=kind.name, language=language).first()
        if row is not None and request.method != "POST":
            return HttpResponseRedirect(reverse("admin:notifications_templateoverride_change", args=[row.pk]))
        return self._edit(request, kind, language, row)

    def change_view(
        self, request: HttpRequest, object_id: str, form_url: str = "", extra_context: Any = None
    ) -> HttpResponse:
        """Write new words, look at older ones."""
        row: TemplateOverride | None = self.get_object(request, unquote(object_id))
        if row is None:
            raise Http404
        if not self.has_view_permission(request, row):
            raise PermissionDenied
        if request.method == "POST" and not self.has_change_permission(request):
            raise PermissionDenied
        try:
            kind = kinds.get(row.kind)
        except kinds.KindError:
            messages.error(request, _("No part of the site says %(kind)s any more.") % {"kind": row.kind})
            return HttpResponseRedirect(reverse("admin:notifications_templateoverride_changelist"))
        return self._edit(request, kind, row.language, row)

    def restore_view(self, request: HttpRequest, object_id: int) -> HttpResponse:
        """Go back to an older version, or to the usual words."""
        row = TemplateOverride.objects.filter(pk=object_id).first()
        if row is None or not self.has_change_permission(request):
            raise PermissionDenied
        page = reverse("admin:notifications_templateoverride_change", args=[row.pk])
        number = request.POST.get("number", "")
        if request.method != "POST" or not number.isdigit() or len(number) > 9:
            return HttpResponseRedirect(page)
        try:
            version = restore_words(override=row, number=int(number), by=_actor(request), now=timezone.now())
        except (WordingError, kinds.KindError) as error:
            messages.error(request, _why(error))
        else:
            messages.success(request, _("In force now: version %(number)d.") % {"number": version.number})
        return HttpResponseRedirect(page)

    def preview_view(self, request: HttpRequest) -> HttpResponse:
        """What the typed words look like: a part of the page, asked for while one types."""
        if not self.has_change_permission(request) and not self.has_view_permission(request):
            raise PermissionDenied
        chosen = ChooseForm(request.POST)
        if not chosen.is_valid():
            return HttpResponse(status=204)
        kind = kinds.get(chosen.cleaned_data["kind"])
        form = WordingForm(request.POST, kind=kind, sees_people=_sees_people(request))
        return TemplateResponse(
            request,
            "admin/notifications/wording/preview.html",
            self._previewed(request, kind, chosen.cleaned_data["language"], form),
        )

    def _edit(
        self, request: HttpRequest, kind: Kind, language: str, row: TemplateOverride | None
    ) -> HttpResponse:
        versions = (
            list(row.versions.select_related("made_by").order_by("-number")[:VERSIONS_SHOWN]) if row else []
        )
        may_write = self.has_change_permission(request)
        form = WordingForm(
            request.POST if request.method == "POST" else None,
            kind=kind,
            initial=_beginning(request, kind, row, versions),
            sees_people=_sees_people(request),
        )
        warnings: list[Any] = []
        if request.method == "POST" and form.is_valid() and "look" not in request.POST:
            act = self._test if "test" in request.POST else self._save
            done, warnings = act(request, kind, language, form)
            if done is not None:
                return done
        context = {
            **self._frame(request, str(kind.title)),
            "form": form,
            "written": [form[name] for name in PARTS],
            "shown_for": [form[name] for name in ("person", "message", "at") if name in form.fields],
            "kind": kind,
            "language": language,
            "language_name": dict(language_choices()).get(language, language),
            "row": row,
            "versions": versions,
            "warnings": warnings,
            "may_write": may_write,
            "variables": _variables_of(kind),
            "limits": LIMITS,
            "begin": f"{reverse('admin:notifications_templateoverride_add')}?kind={kind.name}&language={language}",
            "preview": self._previewed(request, kind, language, form),
        }
        return TemplateResponse(request, "admin/notifications/wording/edit.html", context)

    def _save(
        self, request: HttpRequest, kind: Kind, language: str, form: WordingForm
    ) -> tuple[HttpResponse | None, list[Any]]:
        try:
            version = save_words(
                kind=kind,
                language=language,
                parts=form.parts,
                by=_actor(request),
                now=timezone.now(),
                accepts_warnings=form.cleaned_data["accepts_warnings"],
                seen_number=form.cleaned_data["seen"] or 0,
            )
        except WordingError as error:
            form.add_error(None, str(error))
            if error.findings is None:  # somebody was faster: the next save is over what is shown now
                newest = TemplateOverride.objects.filter(kind=kind.name, language=language).first()
                form.data = {**request.POST.dict(), "seen": newest.number if newest else 0}
                return None, []
            form.add_findings(error.findings)
            return None, error.findings.warnings
        said = _("Saved as version %(number)d. It is said from now on; what was sent stays as it was.")
        messages.success(request, said % {"number": version.number})
        page = reverse("admin:notifications_templateoverride_change", args=[version.override_id])
        return HttpResponseRedirect(page), []

    def _test(
        self, request: HttpRequest, kind: Kind, language: str, form: WordingForm
    ) -> tuple[HttpResponse | None, list[Any]]:
        """Send what is typed to oneself; the page stays, with what was typed."""
        by, now = _actor(request), timezone.now()
        reader = made_up_reader(kind, at=now, person=by)
        found, preview = preview_words(kind=kind, language=language, parts=form.parts, reader=reader, at=now)
        if preview is None:
            form.add_error(None, _("A test can be sent once what stands at each part is mended."))
            form.add_findings(found)
            return None, []
        try:
            send_test(
                kind=kind,
                language=language,
                subject=preview.subject,
                text=preview.text,
                html=preview.content,
                by=by,
                now=now,
            )
        except ContextError:
            form.add_error(None, _("These words are too long for one message. Shorten them."))
        else:
            messages.success(
                request,
                _("A test is on its way to %(address)s. Nothing is saved yet.") % {"address": by.email},
            )
        return None, found.warnings

    def _previewed(
        self, request: HttpRequest, kind: Kind, language: str, form: WordingForm
    ) -> dict[str, Any]:
        values = form.cleaned_data if form.is_bound and form.is_valid() else {}
        parts = Parts.of(form.data if form.is_bound else form.initial)
        at = values.get("at") or timezone.now()
        problem = ""
        try:
            reader = self._reader(request, kind, values, at)
            found, preview = preview_words(kind=kind, language=language, parts=parts, reader=reader, at=at)
        except PreviewError as error:
            problem, found, preview = str(error), check_words(kind=kind, parts=parts), None
        except Exception as error:  # words may use what this person's values lack, whatever that raises
            problem = _("With these values it fails: %(why)s") % {"why": error}
            found, preview = check_words(kind=kind, parts=parts), None
        return {
            "found": found,
            "errors": [(TITLES[error.part], error) for error in found.errors],
            "warned": [(TITLES[warning.part], warning) for warning in found.warnings],
            "shown": preview,
            "problem": problem,
            "sms_length": len(preview.sms) if isinstance(preview, Preview) else 0,
        }

    def _reader(self, request: HttpRequest, kind: Kind, values: dict[str, Any], at: dt.datetime) -> Reader:
        address = (values.get("person") or "").strip()
        by = _actor(request)
        if not address:
            return made_up_reader(kind, at=at, person=by)
        return real_reader(kind, address=address, message=values.get("message"), at=at, by=by)

    def _frame(self, request: HttpRequest, title: str) -> dict[str, Any]:
        return {
            **self.admin_site.each_context(request),
            "opts": self.opts,
            "title": title,
            "back": reverse("admin:notifications_templateoverride_changelist"),
        }


def _beginning(
    request: HttpRequest, kind: Kind, row: TemplateOverride | None, versions: list[Any]
) -> dict[str, Any]:
    """What stands in the form at first: the newest version, an older one that is asked for, or the usual words."""
    chosen = versions[0] if versions else None
    wanted = request.GET.get("version", "")
    if row is not None and wanted.isdigit():
        chosen = next((version for version in versions if str(version.number) == wanted), chosen)
    parts = chosen.parts if chosen is not None else Parts()
    if not parts and ("begin" in request.GET or row is None):
        parts = usual_words(kind)
    return {**dict(parts.items()), "seen": row.number if row else 0}


def _variables_of(kind: Kind) -> list[tuple[str, str]]:
    """Names of variables and what they are."""
    links = dict.fromkeys(kind.links, str(gettext_lazy("link, must not be missing")))
    return [*links.items(), *variables_in_words({**kind.variables, **kind.params})]


def variables_in_words(types: Mapping[str, type]) -> list[tuple[str, str]]:
    """Names of variables and what they are, with those that all words know."""
    what = {
        **{name: _WORDS_FOR.get(of_type, of_type.__name__) for name, of_type in types.items()},
        "name": gettext_lazy("whom it is to; may be empty"),
        "site_name": gettext_lazy("text"),
        "site_url": gettext_lazy("beginning of links to the site"),
        "inbox_url": gettext_lazy("link to the inbox; empty without an account"),
    }
    return [(name, str(words)) for name, words in what.items()]


_WORDS_FOR: dict[type, Any] = {
    str: gettext_lazy("text"),
    int: gettext_lazy("number: |intcomma"),
    bool: gettext_lazy("yes or no"),
    dt.datetime: gettext_lazy('time: |date:"j F Y, H:i T"'),
    dt.date: gettext_lazy('day: |date:"j F Y"'),
    list: gettext_lazy("list"),
    dict: gettext_lazy("values by name"),
}


def _title_of(name: str) -> str:
    try:
        return str(kinds.get(name).title)
    except kinds.KindError:
        return _("no longer said")


def _why(error: Exception) -> str:
    findings = getattr(error, "findings", None)
    details = (
        " ".join(f"{TITLES[problem.part]}: {problem}" for problem in findings.errors) if findings else ""
    )
    return f"{error} {details}".strip()


def _sees_people(request: HttpRequest) -> bool:
    return bool(request.user.has_perm("notifications.view_delivery"))


def _actor(request: HttpRequest) -> User:
    assert isinstance(request.user, User)  # the admin lets nobody else in
    return request.user
