"""Sequences in the admin: what comes after an occasion, step by step, switched on and off."""

import datetime as dt
from typing import Any

from django import forms
from django.contrib import admin, messages
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.template.response import TemplateResponse
from django.urls import path, reverse
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from unfold.decorators import display
from unfold.widgets import (
    UnfoldAdminCheckboxSelectMultipleWidget,
    UnfoldAdminIntegerFieldWidget,
    UnfoldAdminSelectWidget,
    UnfoldAdminTextInputWidget,
)

from notifications import occasions
from notifications.admin.many import CATEGORIES, ManyAdmin, channel_choices, words_page
from notifications.admin.wordings import language_choices
from notifications.models import Sequence, SequenceStep
from notifications.services.audiences import duration_in_words
from notifications.services.broadcasts import BroadcastError
from notifications.services.sequence_writing import (
    add_step,
    failures_by_step,
    retire_step,
    save_sequence,
    save_step_words,
    waiting_by_step,
    why_not_on,
)
from notifications.services.sequences import set_active
from notifications.words.parts import Parts

_UNITS = [
    ("minutes", gettext_lazy("minutes")),
    ("hours", gettext_lazy("hours")),
    ("days", gettext_lazy("days")),
]


class SequenceForm(forms.Form):
    """What it is called and what it is after."""

    title = forms.CharField(
        label=gettext_lazy("Title"),
        max_length=80,
        widget=UnfoldAdminTextInputWidget(),
        help_text=gettext_lazy("For staff; nobody else reads it."),
    )
    occasion = forms.ChoiceField(label=gettext_lazy("After"), widget=UnfoldAdminSelectWidget())
    category = forms.ChoiceField(
        label=gettext_lazy("What it is"), choices=CATEGORIES, widget=UnfoldAdminSelectWidget()
    )

    def __init__(self, data: Any = None, *, initial: Any = None) -> None:
        super().__init__(data, initial=initial)
        field = self.fields["occasion"]
        assert isinstance(field, forms.ChoiceField)
        field.choices = [(one.name, f"{one.title} ({one.name})") for one in occasions.all_occasions()]


class StepForm(forms.Form):
    """When a step comes, and by which roads."""

    after = forms.IntegerField(
        label=gettext_lazy("So long after"),
        min_value=0,
        max_value=100_000,
        widget=UnfoldAdminIntegerFieldWidget(),
    )
    unit = forms.ChoiceField(label=gettext_lazy("In"), choices=_UNITS, widget=UnfoldAdminSelectWidget())
    channels = forms.MultipleChoiceField(
        label=gettext_lazy("By"), widget=UnfoldAdminCheckboxSelectMultipleWidget()
    )

    def __init__(self, data: Any = None) -> None:
        super().__init__(data, initial={"after": 1, "unit": "days", "channels": ["in_app", "email"]})
        channels = self.fields["channels"]
        assert isinstance(channels, forms.MultipleChoiceField)
        channels.choices = channel_choices()

    @property
    def delay(self) -> dt.timedelta:
        """So long after the occasion."""
        return dt.timedelta(**{self.cleaned_data["unit"]: self.cleaned_data["after"]})


@admin.register(Sequence)
class SequenceAdmin(ManyAdmin):
    """Messages one after another."""

    list_display = ("title", "occasion_shown", "state_shown", "made_at")
    search_fields = ("title",)

    def get_urls(self) -> list[Any]:
        wrap, name = self.admin_site.admin_view, "notifications_sequence_{}"
        return [
            path("<int:object_id>/add-step/", wrap(self.add_step_view), name=name.format("add_step")),
            path("<int:object_id>/switch/", wrap(self.switch_view), name=name.format("switch")),
            path(
                "steps/<int:step_id>/words/<slug:language>/", wrap(self.words_view), name=name.format("words")
            ),
            path("steps/<int:step_id>/retire/", wrap(self.retire_view), name=name.format("retire")),
            *super().get_urls(),
        ]

    @admin.display(description=gettext_lazy("after"))
    def occasion_shown(self, row: Sequence) -> str:
        """The occasion's title."""
        return _title_of(row.occasion)

    @display(description=gettext_lazy("state"), label={"on": "success", "off": ""})
    def state_shown(self, row: Sequence) -> tuple[str, str]:
        """On or off."""
        return ("on", _("on")) if row.is_active else ("off", _("off"))

    def add_step_view(self, request: HttpRequest, object_id: int) -> HttpResponse:
        """One step more; then its words are written."""
        by, row = self.insist(request), Sequence.objects.filter(pk=object_id).first()
        if row is None:
            raise Http404
        form = StepForm(request.POST if request.method == "POST" else None)
        if request.method == "POST" and form.is_valid():
            try:
                step = add_step(
                    sequence=row,
                    delay=form.delay,
                    channels=form.cleaned_data["channels"],
                    by=by,
                    now=timezone.now(),
                )
            except BroadcastError as error:
                form.add_error(None, str(error))
            else:
                language = language_choices()[0][0]
                page = reverse("admin:notifications_sequence_words", args=[step.pk, language])
                return HttpResponseRedirect(page)
        context = {
            **self.frame(request, _("Add a step"), _page(row)),
            "intro": _("Counted from the occasion itself, not from the step before. Its words come next."),
            "press": _("Add"),
            "form": form,
            "is_danger": False,
        }
        return TemplateResponse(request, "admin/draws/award/act.html", context)

    def switch_view(self, request: HttpRequest, object_id: int) -> HttpResponse:
        """On or off."""
        by, row = self.insist(request), Sequence.objects.filter(pk=object_id).first()
        if row is None:
            raise Http404
        if request.method == "POST":
            wants_on = request.POST.get("on") == "1"
            if wants_on and (why_not := why_not_on(row)):
                messages.error(request, why_not)
            elif set_active(sequence=row, is_active=wants_on, by=by, now=timezone.now()):
                said = (
                    _("On: who it happens to from now on is told.")
                    if wants_on
                    else _("Off: nothing is said.")
                )
                messages.success(request, said)
        return HttpResponseRedirect(_page(row))

    def words_view(self, request: HttpRequest, step_id: int, language: str) -> HttpResponse:
        """Write a step's words in one language."""
        by, step = self.insist(request), _step(step_id)
        if language not in dict(language_choices()):
            raise Http404

        def save(parts: Parts, accepts_warnings: bool) -> None:
            save_step_words(
                step=step,
                language=language,
                parts=parts,
                by=by,
                now=timezone.now(),
                accepts_warnings=accepts_warnings,
            )

        return words_page(
            request,
            self.frame(request, step.sequence.title, _page(step.sequence)),
            by=by,
            parts=Parts.of(step.words.get(language, {})),
            language=language,
            occasion=step.sequence.occasion,
            category=step.sequence.category,
            save=save,
        )

    def retire_view(self, request: HttpRequest, step_id: int) -> HttpResponse:
        """Take a step out."""
        by, step = self.insist(request), _step(step_id)
        if request.method == "POST":
            count = retire_step(step=step, by=by, now=timezone.now())
            messages.success(
                request, _("Taken out; not told of those who waited: %(count)d.") % {"count": count}
            )
        return HttpResponseRedirect(_page(step.sequence))

    def edit(self, request: HttpRequest, row: Sequence | None) -> HttpResponse:
        initial = {"title": row.title, "occasion": row.occasion, "category": row.category} if row else None
        form = SequenceForm(request.POST if request.method == "POST" else None, initial=initial)
        if request.method == "POST" and form.is_valid():
            try:
                saved = save_sequence(
                    sequence=row, **form.cleaned_data, by=self.insist(request), now=timezone.now()
                )
            except (BroadcastError, occasions.OccasionError) as error:
                form.add_error(None, str(error))
            else:
                return HttpResponseRedirect(_page(saved))
        context = {
            **self.frame(request, row.title if row else _("Sequence")),
            "form": form,
            "row": row,
            "occasion": _title_of(row.occasion) if row else "",
            "steps": _steps(row) if row else [],
            "why_not": why_not_on(row) if row and not row.is_active else "",
        }
        return TemplateResponse(request, "admin/notifications/many/sequence.html", context)


def _steps(row: Sequence) -> list[dict[str, Any]]:
    counts, failures, names = waiting_by_step(row), failures_by_step(row), dict(language_choices())
    first = language_choices()[0][0]
    return [
        {
            "pk": step.pk,
            "after": duration_in_words(step.delay) if step.delay else _("at once"),
            "subject": Parts.of(next(iter(step.words.values()), {})).subject,
            "languages": [(code, names.get(code, code)) for code in step.words] or [(first, names[first])],
            "is_written": bool(step.words),
            "is_retired": step.retired_at is not None and bool(step.words),
            "waiting": counts[step.pk]["waiting"],
            "told": counts[step.pk]["told"],
            "failure": failures.get(step.pk, ""),
        }
        for step in row.steps.order_by("delay", "pk")
    ]


def _title_of(occasion: str) -> str:
    try:
        return str(occasions.get(occasion).title)
    except occasions.OccasionError:
        return occasion


def _step(step_id: int) -> SequenceStep:
    step: SequenceStep | None = SequenceStep.objects.select_related("sequence").filter(pk=step_id).first()
    if step is None:
        raise Http404
    return step


def _page(row: Sequence) -> str:
    return reverse("admin:notifications_sequence_change", args=[row.pk])
