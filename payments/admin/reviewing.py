"""The review queue: what doesn't fit is taken by somebody, noted upon, resolved."""

from typing import Any

from django.contrib import admin, messages
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.urls import reverse
from django.utils import timezone
from django.utils.html import format_html, format_html_join
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from unfold.decorators import action, display

from accounts.models import User
from payments.admin.acts import ActsWithPayments, found
from payments.admin.forms import ReviewNoteForm
from payments.admin.readonly import ReadOnlyAdmin
from payments.models import ReviewItem
from payments.services.reviewing import ReviewError, note_review, resolve_review, take_review


class UnresolvedFilter(admin.SimpleListFilter):
    """Unresolved unless all are asked for: the list is a queue."""

    title = gettext_lazy("state")
    parameter_name = "state"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        return [("resolved", _("Resolved")), ("all", _("All"))]

    def queryset(self, request: HttpRequest, queryset: QuerySet[ReviewItem]) -> QuerySet[ReviewItem]:
        if self.value() == "all":
            return queryset
        if self.value() == "resolved":
            return queryset.filter(resolved_at__isnull=False)
        return queryset.filter(resolved_at__isnull=True)


@admin.register(ReviewItem)
class ReviewItemAdmin(ActsWithPayments, ReadOnlyAdmin):
    """The oldest first: that is the order in which they are looked at."""

    list_display = ("what", "where", "reason", "payment", "taken_by", "opened_at")
    list_select_related = ("payment", "taken_by")
    list_filter = (UnresolvedFilter, "kind")
    search_fields = ("payment__reference", "key")
    ordering = ("opened_at",)
    fields = (
        "what",
        "state",
        "reason",
        "payment",
        "event",
        "taken_by",
        "opened_at",
        "resolved_at",
        "written",
    )
    actions_detail = ("take", "note", "resolve")

    @display(description=gettext_lazy("kind"), ordering="kind")
    def what(self, obj: ReviewItem) -> str:
        return str(obj.get_kind_display())

    @display(
        description=gettext_lazy("state"),
        ordering="state",
        label={"open": "warning", "taken": "info", "resolved": "success"},
    )
    def where(self, obj: ReviewItem) -> tuple[str, str]:
        return obj.state, obj.get_state_display()

    @display(description=gettext_lazy("notes"))
    def written(self, obj: ReviewItem) -> str:
        notes = obj.notes.select_related("by")
        lines = ((f"{note.at:%Y-%m-%d %H:%M}", note.by or _("the site"), note.text) for note in notes)
        return format_html("<ul>{}</ul>", format_html_join("", "<li>{} · {}: {}</li>", lines)) or "–"

    @action(
        description=gettext_lazy("Take it"),
        url_path="take",
        permissions=["manage_payments"],
        icon="front_hand",
    )
    def take(self, request: HttpRequest, object_id: str) -> HttpResponse:
        """Say that one looks after it."""
        item = found(ReviewItem, object_id)
        assert isinstance(request.user, User)
        try:
            take_review(item=item, by=request.user, now=timezone.now())
        except ReviewError as error:
            messages.error(request, str(error))
        else:
            messages.success(request, _("It is yours."))
        return HttpResponseRedirect(_page(item))

    @action(
        description=gettext_lazy("Write a note"),
        url_path="note",
        permissions=["manage_payments"],
        icon="edit_note",
    )
    def note(self, request: HttpRequest, object_id: str) -> HttpResponse:
        """Write down what was found."""
        return self._write(request, found(ReviewItem, object_id), resolves=False)

    @action(
        description=gettext_lazy("Resolve"),
        url_path="resolve",
        permissions=["manage_payments"],
        icon="task_alt",
    )
    def resolve(self, request: HttpRequest, object_id: str) -> HttpResponse:
        """Close it, with a note that says how it ended."""
        return self._write(request, found(ReviewItem, object_id), resolves=True)

    def _write(self, request: HttpRequest, item: ReviewItem, *, resolves: bool) -> HttpResponse:
        form = ReviewNoteForm(request.POST if request.method == "POST" else None)
        assert isinstance(request.user, User)
        if request.method == "POST" and form.is_valid():
            text, now = form.cleaned_data["text"], timezone.now()
            try:
                if resolves:
                    resolve_review(item=item, note=text, by=request.user, now=now)
                else:
                    note_review(item=item, text=text, by=request.user, now=now)
            except ReviewError as error:
                form.add_error(None, str(error))
            else:
                messages.success(request, _("Resolved.") if resolves else _("Noted."))
                return HttpResponseRedirect(_page(item))
        return self.ask(
            request,
            form,
            title=_("Resolve") if resolves else _("Write a note"),
            lede=item.reason,
            button=_("Resolve") if resolves else _("Save"),
            back=_page(item),
            thing=str(item),
            notes=[_("Resolving moves no money: reconcile or refund the payment for that.")]
            if resolves
            else [],
        )


def _page(item: ReviewItem) -> str:
    return reverse("admin:payments_reviewitem_change", args=[item.pk])
