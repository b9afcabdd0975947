"""What draws leave behind, to be looked at and never written by hand: entries, imports, winners, reports."""

import csv
import string
from collections.abc import Iterator
from typing import Any

from django.contrib import admin
from django.core.exceptions import PermissionDenied
from django.core.paginator import Paginator
from django.db.models import Q, QuerySet
from django.http import Http404, HttpRequest, HttpResponse, StreamingHttpResponse
from django.shortcuts import get_object_or_404
from django.urls import path, reverse
from django.utils.html import format_html
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from unfold.contrib.filters.admin import AutocompleteSelectFilter
from unfold.decorators import display

from accounts.models import User
from draws import vwd1
from draws.admin.entry_acts import EntryActs, ImportActs
from draws.admin.overview import amounts, may_see_entries
from draws.admin.paging import EstimatedPaginator
from draws.admin.reach import unreachable_words
from draws.admin.read_only import ReadOnlyAdmin
from draws.models import Draw, DrawReport, Entry, EntryImport, ImportRejection, Winner
from draws.services import unreachable_entries
from notifications.csv_cells import defused

_REJECTIONS_SHOWN = 100
_LEAST_PID_DIGITS = 8


def long_value(value: str) -> str:
    """A hash or an id, broken where the line ends."""
    return format_html('<code class="fg-mono">{}</code>', value)


@admin.register(Entry)
class EntryAdmin(EntryActs, ReadOnlyAdmin):
    """Entries: millions, so they are found by address or public id, and never counted one by one."""

    list_display = ("pid_short", "identity", "name", "draw", "tickets", "source", "entered_at")
    list_select_related = ("draw",)
    list_filter = (("draw", AutocompleteSelectFilter), "source")
    search_fields = ("identity",)
    search_help_text = gettext_lazy(
        "A whole e-mail address or phone number, or the first 8 or more digits of a public id"
    )
    paginator = EstimatedPaginator
    fields = ("draw", "pid_hex", "identity", "name", "member", "weight", "source", "entered_at", "salt_hex")

    def get_ordering(self, request: HttpRequest) -> tuple[str, ...]:
        """Newest first; within one draw in the order of its entries file, for which there is an index."""
        return ("pid",) if "draw__id__exact" in request.GET else ("-pk",)

    def get_search_results(
        self, request: HttpRequest, queryset: QuerySet[Entry], search_term: str
    ) -> tuple[QuerySet[Entry], bool]:
        """By whole identity or start of pid. Both indexes begin with the draw: naming all draws makes them of use."""
        term = search_term.strip()
        if not term:
            return queryset, False
        wanted = Q()
        digits = term.lower()
        if _LEAST_PID_DIGITS <= len(digits) <= 64 and set(digits) <= set(string.hexdigits):
            first, last = (bytes.fromhex(digits.ljust(64, end)) for end in "0f")
            wanted |= Q(pid__gte=first, pid__lte=last)
        try:
            wanted |= Q(identity=vwd1.normalise_identity(term))
        except ValueError:
            if not wanted:
                return queryset.none(), False
        draws = list(Draw.objects.values_list("pk", flat=True))
        return queryset.filter(wanted, draw__in=draws), False

    @display(description=gettext_lazy("public id"))
    def pid_short(self, obj: Entry) -> str:
        return format_html('<code title="{}">{}</code>', obj.pid_hex, obj.pid_hex[:12])

    @display(description=gettext_lazy("public id"))
    def pid_hex(self, obj: Entry) -> str:
        return long_value(obj.pid_hex)

    @display(description=gettext_lazy("salt"))
    def salt_hex(self, obj: Entry) -> str:
        return long_value(obj.salt_hex or _("erased"))

    @display(description=gettext_lazy("tickets"))
    def tickets(self, obj: Entry) -> str:
        return f"{obj.weight:,}"


@admin.register(Winner)
class WinnerAdmin(ReadOnlyAdmin):
    """Winners, with what became of them."""

    list_display = ("draw", "place", "prize", "who", "state_shown", "created_at")
    list_select_related = ("draw", "prize", "entry__member")
    list_filter = (("draw", AutocompleteSelectFilter), "state")
    search_fields = ("=entry__identity", "draw__title")
    search_help_text = gettext_lazy("A whole e-mail address or phone number, or a draw's title")
    ordering = ("-pk",)
    fields = ("draw", "slot", "rank", "prize", "entry", "award", "ticket", "state", "created_at")

    @display(description=gettext_lazy("place"))
    def place(self, obj: Winner) -> str:
        return _("slot %(slot)d, rank %(rank)d") % {"slot": obj.slot + 1, "rank": obj.rank + 1}

    @display(description=gettext_lazy("winner"))
    def who(self, obj: Winner) -> str:
        return obj.entry.identity or obj.entry.pid_hex[:12]

    @display(
        description=gettext_lazy("state"),
        ordering="state",
        label={"drawn": "info", "notified": "info", "claimed": "info", "paid": "success"}
        | dict.fromkeys(("forfeited", "declined", "disqualified"), "danger"),
    )
    def state_shown(self, obj: Winner) -> tuple[str, str]:
        return obj.state, obj.get_state_display()


@admin.register(DrawReport)
class DrawReportAdmin(ReadOnlyAdmin):
    """Reports: what happened, for ever."""

    list_display = ("draw", "entries", "winners", "awarded_shown", "leftover_shown", "created_at")
    list_select_related = ("draw",)
    search_fields = ("draw__title", "=report_sha256")
    ordering = ("-pk",)
    fields = (
        "draw",
        "created_at",
        "entries",
        "tickets",
        "winners",
        "awarded_shown",
        "leftover_shown",
        "hash_shown",
        "audit_record",
        "proof_link",
    )

    def get_queryset(self, request: HttpRequest) -> QuerySet[DrawReport]:
        """Without the proofs: each holds every rank of its draw."""
        return super().get_queryset(request).defer("proof")  # type: ignore[no-any-return]

    @display(description=gettext_lazy("entries"), ordering="entries_count")
    def entries(self, obj: DrawReport) -> str:
        return f"{obj.entries_count:,}"

    @display(description=gettext_lazy("winners"), ordering="winners_count")
    def winners(self, obj: DrawReport) -> str:
        return f"{obj.winners_count:,}"

    @display(description=gettext_lazy("awarded"))
    def awarded_shown(self, obj: DrawReport) -> str:
        return ", ".join(amounts(obj.awarded)) or "—"

    @display(description=gettext_lazy("leftover"))
    def leftover_shown(self, obj: DrawReport) -> str:
        return ", ".join(amounts({unit: amount for unit, amount in obj.leftover.items() if amount})) or "—"

    @display(description=gettext_lazy("hash of the report"))
    def hash_shown(self, obj: DrawReport) -> str:
        return long_value(obj.report_sha256)

    @display(description=gettext_lazy("proof"))
    def proof_link(self, obj: DrawReport) -> str:
        return format_html(
            '<a class="text-link" href="{}">proof.json</a>', reverse("draws:proof", args=[obj.draw.slug])
        )


class ImportedAdmin(ReadOnlyAdmin):
    """Imports belong to whoever may see entries, or may import them: the lines hold people's addresses."""

    def has_view_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return isinstance(request.user, User) and may_see_entries(request.user)

    def has_module_permission(self, request: HttpRequest) -> bool:
        return self.has_view_permission(request)


@admin.register(EntryImport)
class EntryImportAdmin(ImportActs, ImportedAdmin):
    """Imports; the page of one is its report, with every line that was refused."""

    list_display = ("file_name", "draw", "accepted", "rejected", "lines", "by", "created_at")
    list_select_related = ("draw", "by")
    list_filter = (("draw", AutocompleteSelectFilter),)
    search_fields = ("file_name", "draw__title", "=file_sha256")
    ordering = ("-pk",)
    fields = ("draw", "file_name", "hash_shown", "by", "created_at")
    change_form_outer_before_template = "admin/draws/entryimport/report.html"

    @display(description=gettext_lazy("hash of the file"))
    def hash_shown(self, obj: EntryImport) -> str:
        return long_value(obj.file_sha256)

    def get_urls(self) -> list[Any]:
        csv_view = self.admin_site.admin_view(self.rejected_csv)
        own = [path("<int:import_id>/rejected.csv", csv_view, name="draws_entryimport_rejected")]
        return [*own, *super().get_urls()]

    def render_change_form(
        self, request: HttpRequest, context: dict[str, Any], *args: Any, **kwargs: Any
    ) -> HttpResponse:
        obj: EntryImport = kwargs["obj"]
        pages = Paginator(obj.rejections.order_by("line", "pk"), _REJECTIONS_SHOWN)
        context["report"] = obj
        entered = unreachable_entries(obj.draw).filter(source=Entry.Source.IMPORT, entered_at=obj.created_at)
        context["unreachable"] = unreachable_words(entered.count())
        context["counts"] = {name: f"{getattr(obj, name):,}" for name in ("lines", "accepted", "rejected")}
        context["rejections"] = pages.get_page(request.GET.get("page"))
        context["csv_url"] = reverse("admin:draws_entryimport_rejected", args=[obj.pk])
        return super().render_change_form(request, context, *args, **kwargs)  # type: ignore[no-any-return]

    def rejected_csv(self, request: HttpRequest, import_id: int) -> StreamingHttpResponse:
        """Every refused line with its reason, streamed."""
        if not self.has_view_permission(request):
            raise PermissionDenied
        report = get_object_or_404(EntryImport, pk=import_id)
        if not report.rejected:
            raise Http404(_("No line of this import was refused."))
        response = StreamingHttpResponse(_csv_of(report), content_type="text/csv; charset=utf-8")
        response["Content-Disposition"] = f'attachment; filename="rejected-{report.public_id}.csv"'
        return response


@admin.register(ImportRejection)
class ImportRejectionAdmin(ImportedAdmin):
    """Refused lines of all imports."""

    list_display = ("line", "content", "reason", "entry_import")
    list_select_related = ("entry_import",)
    search_fields = ("content", "reason")
    ordering = ("-entry_import", "line")
    paginator = EstimatedPaginator
    fields = ("entry_import", "line", "content", "reason")


class _Echo:
    """What `csv.writer` writes to when the line itself is wanted."""

    def write(self, line: str) -> str:
        return line


def _csv_of(report: EntryImport) -> Iterator[str]:
    writer = csv.writer(_Echo())
    yield writer.writerow(["line", "content", "reason"])
    for rejection in report.rejections.order_by("line", "pk").iterator(chunk_size=2000):
        yield writer.writerow([rejection.line, defused(rejection.content), defused(rejection.reason)])
