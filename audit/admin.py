"""The trail in the admin: search it, filter it, look at one record; nothing can be changed here or anywhere."""

import datetime as dt
import json
from typing import Any

from django import forms
from django.contrib import admin, messages
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse
from django.urls import reverse
from django.utils import timezone
from django.utils.dateparse import parse_date
from django.utils.formats import date_format
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.translation import gettext_lazy as _
from django.utils.translation import ngettext
from unfold.admin import ModelAdmin
from unfold.contrib.filters.admin import DropdownFilter, RangeDateFilter
from unfold.decorators import action
from unfold.paginator import InfinitePaginator
from unfold.widgets import INPUT_CLASSES

from audit import services
from audit.models import Record, RequestContext, Seal


class ReadOnlyAdmin(ModelAdmin):
    """Pages to look at, for whoever may view; never counts all rows."""

    paginator = InfinitePaginator
    show_full_result_count = False
    show_facets = admin.ShowFacets.NEVER
    list_per_page = 25

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False


class ActionFilter(DropdownFilter):
    """One action out of those that occur."""

    title = _("action")
    parameter_name = "action"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        return [(name, name) for name in Record.objects.actions()]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Record]) -> QuerySet[Record]:
        return queryset.filter(action=self.value()) if self.value() else queryset


class DayForm(forms.Form):
    """Two days, chosen in the browser's own calendar: unfold's covers the second field with a note on zones."""

    def __init__(self, name: str, data: dict[str, Any]) -> None:
        super().__init__(data)
        for end, label in (("from", _("From")), ("to", _("To"))):
            attributes = {"type": "date", "aria-label": label, "class": " ".join(INPUT_CLASSES)}
            self.fields[f"{name}_{end}"] = forms.DateField(required=False, widget=forms.DateInput(attributes))


class DayFilter(RangeDateFilter):
    """From one day to another, both whole, in the zone of whoever looks."""

    form_class = DayForm

    def queryset(self, request: HttpRequest, queryset: QuerySet[Record]) -> QuerySet[Record]:
        if first := self._day("from"):
            queryset = queryset.filter(at__gte=_midnight(first))
        if last := self._day("to"):
            queryset = queryset.filter(at__lt=_midnight(last + dt.timedelta(days=1)))
        return queryset

    def _day(self, end: str) -> dt.date | None:
        try:
            return parse_date(str(self.used_parameters.get(f"{self.parameter_name}_{end}") or ""))
        except ValueError:  # such as 2026-02-31
            return None


def _midnight(day: dt.date) -> dt.datetime:
    return timezone.make_aware(dt.datetime.combine(day, dt.time.min))


@admin.register(Record)
class RecordAdmin(ReadOnlyAdmin):
    """Who did what to what, newest first."""

    list_display = ("when", "who", "action", "target")
    list_display_links = ("when", "action")
    list_filter = (("at", DayFilter), ActionFilter)
    list_filter_submit = True
    search_fields = ("action",)  # shows the box; `get_search_results` is what it does
    search_help_text = _(
        "A person's name, address or public id; what it was about (draws.draw:…, or its public id alone); "
        "the beginning of an action (draw.)"
    )
    ordering = ("-pk",)
    sortable_by = ()
    fields = ("when", "who", "action", "target", "details", "request_id", "address", "browser")
    readonly_fields = fields

    def get_queryset(self, request: HttpRequest) -> QuerySet[Record]:
        queryset: QuerySet[Record] = super().get_queryset(request)
        return queryset.select_related("actor", "context")

    def get_search_results(
        self, request: HttpRequest, queryset: QuerySet[Record], search_term: str
    ) -> tuple[QuerySet[Record], bool]:
        if not search_term.strip():
            return queryset, False
        return queryset.filter(pk__in=Record.objects.search(search_term).values("pk")), False

    @admin.display(description=_("time"))
    def when(self, record: Record) -> str:
        """To the second, in the zone of whoever looks."""
        return date_format(timezone.localtime(record.at), "j M Y, H:i:s")

    @admin.display(description=_("who"))
    def who(self, record: Record) -> str:
        """The person, or the site itself."""
        return str(record.actor) if record.actor else str(_("the site"))

    @admin.display(description=_("details"))
    def details(self, record: Record) -> SafeString:
        """The data, laid out to be read."""
        return format_html(
            '<pre class="whitespace-pre-wrap">{}</pre>', json.dumps(record.data, ensure_ascii=False, indent=2)
        )

    @admin.display(description=_("request"))
    def request_id(self, record: Record) -> str:
        """Id of the request, as the logs have it."""
        return self._context(record).request_id

    @admin.display(description=_("address"))
    def address(self, record: Record) -> str:
        """The client's address, until it is erased."""
        return self._context(record).address or ""

    @admin.display(description=_("browser"))
    def browser(self, record: Record) -> str:
        """What the browser called itself, until it is erased."""
        return self._context(record).user_agent

    @staticmethod
    def _context(record: Record) -> RequestContext:
        return getattr(record, "context", None) or RequestContext()


@admin.register(Seal)
class SealAdmin(ReadOnlyAdmin):
    """The chain, newest first."""

    list_display = ("number", "sealed_at", "count", "first_id", "last_id", "digest")
    search_fields = ("=digest",)
    search_help_text = _("A digest, as a proof or a page shows it")
    ordering = ("-pk",)
    sortable_by = ()
    fields = (
        "id", "sealed_at", "count", "first_id", "last_id", "missing", "late", "merkle_root", "previous", "digest",
    )  # fmt: skip
    readonly_fields = fields
    actions_list = ("seal_now",)

    @admin.display(description=_("number"))
    def number(self, seal: Seal) -> int:
        """Its place in the chain."""
        return seal.pk

    @action(
        description=_("Seal now"),
        url_path="seal-now",
        permissions=["view"],
        icon="link",
        dialog={
            "title": _("Seal now"),
            "description": _(
                "Chains a seal over the records that have none yet, as happens every few seconds."
            ),
            "form_class": None,
            "form_submit_text": _("Seal"),
        },
    )
    def seal_now(self, request: HttpRequest, form: object) -> HttpResponse:
        """What the scheduled job does."""
        count = sum(seal.count for seal in services.seal_backlog(now=timezone.now()))
        text = ngettext("%(count)d record sealed.", "%(count)d records sealed.", count) % {"count": count}
        messages.success(request, text)
        return HttpResponse(headers={"HX-Redirect": reverse("admin:audit_seal_changelist")})
