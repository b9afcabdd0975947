"""Broadcasts in the admin: written, looked at with size and time, scheduled, called off."""

import datetime as dt
from typing import Any

from django import forms
from django.conf import settings
from django.contrib import admin, messages
from django.db.models import QuerySet
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.template.response import TemplateResponse
from django.urls import path, reverse
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from unfold.decorators import display
from unfold.widgets import (
    UnfoldAdminCheckboxSelectMultipleWidget,
    UnfoldAdminSelectWidget,
    UnfoldAdminTextInputWidget,
)

from notifications.admin.many import CATEGORIES, ManyAdmin, channel_choices, preview_page, words_page
from notifications.admin.wordings import language_choices
from notifications.models import Broadcast, BroadcastState, Segment
from notifications.segments import Condition, SegmentError, in_words
from notifications.services.audiences import duration_in_words, plans_for, size_of
from notifications.services.audiences import in_words as plan_in_words
from notifications.services.broadcasts import (
    BroadcastError,
    cancel_broadcast,
    copy_broadcast,
    progress_of,
    save_broadcast,
    save_broadcast_words,
    schedule_broadcast,
    why_not_schedule,
    with_progress,
)
from notifications.words.parts import Parts

_TONES = {"draft": "", "scheduled": "info", "sending": "warning", "sent": "success", "cancelled": "danger"}
_NAMES = {
    "draft": gettext_lazy("draft"),
    "scheduled": gettext_lazy("scheduled"),
    "sending": gettext_lazy("being sent"),
    "sent": gettext_lazy("sent"),
    "cancelled": gettext_lazy("cancelled"),
}
_WHEN = {"type": "datetime-local"}


class BroadcastForm(forms.Form):
    """What it is called, to whom, by which roads and when."""

    title = forms.CharField(
        label=gettext_lazy("Title"),
        max_length=80,
        widget=UnfoldAdminTextInputWidget(),
        help_text=gettext_lazy("For staff; nobody else reads it."),
    )
    segment = forms.ModelChoiceField(
        Segment.objects.order_by("title"),
        label=gettext_lazy("Audience"),
        empty_label=gettext_lazy("choose one"),
        widget=UnfoldAdminSelectWidget(),
    )
    category = forms.ChoiceField(
        label=gettext_lazy("What it is"), choices=CATEGORIES, widget=UnfoldAdminSelectWidget()
    )
    channels = forms.MultipleChoiceField(
        label=gettext_lazy("By"), widget=UnfoldAdminCheckboxSelectMultipleWidget()
    )
    send_at = forms.DateTimeField(
        label=gettext_lazy("Sent at"),
        required=False,
        widget=UnfoldAdminTextInputWidget(_WHEN),
        help_text=gettext_lazy("In your time zone."),
    )
    expires_at = forms.DateTimeField(
        label=gettext_lazy("Of no use after"),
        required=False,
        widget=UnfoldAdminTextInputWidget(_WHEN),
        help_text=gettext_lazy("Who has not been told by then isn’t any more. Empty: it never ends."),
    )

    def __init__(self, data: Any = None, *, initial: Any = None) -> None:
        super().__init__(data, initial=initial)
        channels = self.fields["channels"]
        assert isinstance(channels, forms.MultipleChoiceField)
        channels.choices = channel_choices()


@admin.register(Broadcast)
class BroadcastAdmin(ManyAdmin):
    """What is told to many."""

    list_display = ("title", "segment", "state_shown", "send_at", "size_shown")
    list_select_related = ("segment", "message")
    list_filter = ("state", "category")
    search_fields = ("title",)

    def get_urls(self) -> list[Any]:
        wrap, name = self.admin_site.admin_view, "notifications_broadcast_{}"
        return [
            path("preview/", wrap(self.preview_view), name=name.format("preview")),
            path("<int:object_id>/words/<slug:language>/", wrap(self.words_view), name=name.format("words")),
            path("<int:object_id>/schedule/", wrap(self.schedule_view), name=name.format("schedule")),
            path("<int:object_id>/cancel/", wrap(self.cancel_view), name=name.format("cancel")),
            path("<int:object_id>/copy/", wrap(self.copy_view), name=name.format("copy")),
            *super().get_urls(),
        ]

    def get_queryset(self, request: HttpRequest) -> QuerySet[Broadcast]:
        return with_progress(super().get_queryset(request))

    @display(description=gettext_lazy("state"), label=_TONES)
    def state_shown(self, row: Broadcast) -> tuple[str, str]:
        """Where it is."""
        state = progress_of(row)
        return state, str(_NAMES[state])

    @admin.display(description=gettext_lazy("people"))
    def size_shown(self, row: Broadcast) -> str:
        """How many people it was for when it was scheduled."""
        return f"{row.size:,}" if row.size else "—"

    def words_view(self, request: HttpRequest, object_id: int, language: str) -> HttpResponse:
        """Write its words in one language."""
        by = self.insist(request)
        row = _found(object_id)
        if language not in dict(language_choices()):
            raise Http404

        def save(parts: Parts, accepts_warnings: bool) -> None:
            save_broadcast_words(
                broadcast=row,
                language=language,
                parts=parts,
                by=by,
                now=timezone.now(),
                accepts_warnings=accepts_warnings,
            )

        return words_page(
            request,
            self.frame(request, row.title, _page(row)),
            by=by,
            parts=row.parts_in(language),
            language=language,
            occasion="",
            category=row.category,
            save=save,
            is_open=row.state == BroadcastState.DRAFT,
        )

    def preview_view(self, request: HttpRequest) -> HttpResponse:
        """What typed words look like, of broadcasts and of steps."""
        return preview_page(request, by=self.insist(request))

    def schedule_view(self, request: HttpRequest, object_id: int) -> HttpResponse:
        """Let it go out at its time."""
        by, row = self.insist(request), _found(object_id)
        if request.method == "POST":
            try:
                row = schedule_broadcast(broadcast=row, by=by, now=timezone.now())
            except (BroadcastError, SegmentError) as error:
                messages.error(request, str(error))
            else:
                messages.success(request, _("Scheduled. Until it is sent it can be cancelled."))
        return HttpResponseRedirect(_page(row))

    def cancel_view(self, request: HttpRequest, object_id: int) -> HttpResponse:
        """Call it off."""
        by, row = self.insist(request), _found(object_id)
        if request.method == "POST":
            count = cancel_broadcast(broadcast=row, by=by, now=timezone.now())
            messages.success(
                request, _("Cancelled; taken back: %(count)d. Sent mails stay sent.") % {"count": count}
            )
        return HttpResponseRedirect(_page(row))

    def copy_view(self, request: HttpRequest, object_id: int) -> HttpResponse:
        """Use it again, as a new draft."""
        by, row = self.insist(request), _found(object_id)
        if request.method == "POST":
            row = copy_broadcast(broadcast=row, by=by, now=timezone.now())
            messages.success(request, _("This is a new draft with the same words. Choose when it is sent."))
        return HttpResponseRedirect(_page(row))

    def edit(self, request: HttpRequest, row: Broadcast | None) -> HttpResponse:
        form = BroadcastForm(request.POST if request.method == "POST" else None, initial=_initial(row))
        if request.method == "POST" and form.is_valid():
            try:
                saved = save_broadcast(
                    broadcast=row, **form.cleaned_data, by=self.insist(request), now=timezone.now()
                )
            except BroadcastError as error:
                form.add_error(None, str(error))
            else:
                return HttpResponseRedirect(_page(saved))
        state = progress_of(row) if row else "draft"
        estimate = _estimate(row) if row else {}
        context = {
            **self.frame(request, row.title if row else _("Broadcast")),
            "form": form,
            "row": row,
            "state": state,
            "state_name": _NAMES[state],
            "tone": _TONES[state],
            "is_draft": state == "draft",
            "may_cancel": state in ("scheduled", "sending"),
            "has_audiences": Segment.objects.exists(),
            "languages": _languages(row) if row else [],
            **_unwritten(row, estimate),
            "estimate": estimate,
            "category_name": dict(CATEGORIES)[row.category] if row else "",
            "channel_names": [name for code, name in channel_choices() if row and code in row.channels],
        }
        return TemplateResponse(request, "admin/notifications/many/broadcast.html", context)


def _initial(row: Broadcast | None) -> dict[str, Any]:
    if row is None:
        return {"channels": ["in_app", "email"]}
    return {
        "title": row.title,
        "segment": row.segment_id,
        "category": row.category,
        "channels": row.channels,
        "send_at": _local(row.send_at),
        "expires_at": _local(row.expires_at),
    }


def _local(at: dt.datetime | None) -> str:
    """As a browser's field for a time takes it."""
    return timezone.localtime(at).strftime("%Y-%m-%dT%H:%M") if at else ""


def _languages(row: Broadcast) -> list[dict[str, Any]]:
    names = dict(language_choices())
    return [
        {"code": code, "name": names.get(code, code), "parts": row.parts_in(code), "is_first": at == 0}
        for at, code in enumerate(row.languages)
    ]


def _unwritten(row: Broadcast | None, estimate: dict[str, Any]) -> dict[str, Any]:
    """Languages in which nothing is written yet: those of the site and of the audience, and all others."""
    left = [choice for choice in language_choices() if row and choice[0] not in row.words]
    read = set(dict(settings.LANGUAGES)) | set(estimate["size"].languages if "size" in estimate else ())
    return {
        "wanted_languages": [choice for choice in left if choice[0] in read][:4],
        "more_languages": [choice for choice in left if choice[0] not in read],
    }


def _estimate(row: Broadcast) -> dict[str, Any]:
    """Size and time of a draft as it stands, or of what was scheduled."""
    now = timezone.now()
    is_draft = row.state == BroadcastState.DRAFT
    rules = row.segment.conditions if is_draft else [Condition.of(stored) for stored in row.audience]
    try:
        size = size_of(rules, category=row.category)
        sentence = in_words(rules)
    except SegmentError as error:
        return {"problem": str(error)}
    start = max(row.send_at or now, now) if is_draft else row.send_at or now
    plans = plans_for(
        size, channels=row.channels, category=row.category, start=start, expires_at=row.expires_at
    )
    return {
        "size": size,
        "sentence": sentence,
        "languages": [
            (dict(language_choices()).get(code, code), count, code in row.words)
            for code, count in size.languages.items()
        ][:8],
        "plans": [
            {
                "words": plan_in_words(channel, plan),
                "late": plan.late,
                "ends_at": plan.ends_at,
                "takes": duration_in_words(plan.takes),
            }
            for channel, plan in plans.items()
        ],
        "inbox": size.channels.get("in_app", 0) if "in_app" in row.channels else 0,
        "why_not": why_not_schedule(row, now=now) if is_draft else "",
    }


def _found(object_id: int) -> Broadcast:
    row: Broadcast | None = (
        Broadcast.objects.select_related("segment", "message").filter(pk=object_id).first()
    )
    if row is None:
        raise Http404
    return row


def _page(row: Broadcast) -> str:
    return reverse("admin:notifications_broadcast_change", args=[row.pk])
