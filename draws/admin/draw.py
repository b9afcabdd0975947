"""Draws in the admin: the form of a draft, and the page of a draw.

A published draw has no form: what is promised is shown, and changes only by the acts. The form of a draft
locks its row, so that a draft which is published meanwhile is not written over.
"""

import datetime as dt
from typing import Any

from django.contrib import admin, messages
from django.db import connection
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.urls import path, reverse
from django.utils import timezone
from django.utils.html import format_html
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from unfold.admin import TabularInline
from unfold.decorators import display

from accounts.models import User
from audit.services import record
from draws.admin.asking import DrawActs
from draws.admin.clocks import in_utc, in_zone, late_by
from draws.admin.listing import DrawChangeList, DueFilter, PhaseFilter
from draws.admin.overview import PHASES, amounts, overview_of
from draws.admin.rehearsal import rehearsal_page
from draws.forms import DrawForm, PrizeForm, PrizeFormSet
from draws.models import Draw, Prize
from draws.pictures import drop_pictures, pictures_of
from draws.services import prize_totals
from payments.pools import pool_balances

_TWO_LINES = '<div class="fg-cell">{}<span class="fg-sub">{}</span></div>'


class PrizeInline(TabularInline):
    """The prizes of a draft; of a published draw the overview shows them."""

    model = Prize
    form = PrizeForm
    formset = PrizeFormSet
    fields = ("title", "kind", "amount", "quantity", "pays", "terms", "valid_days", "position", "image")
    verbose_name_plural = gettext_lazy("prizes")
    hide_title = True

    def get_extra(self, request: HttpRequest, obj: Draw | None = None, **kwargs: Any) -> int:
        return 0 if obj and obj.prizes.exists() else 1


@admin.register(Draw)
class DrawAdmin(DrawActs):
    """Draws."""

    form = DrawForm
    inlines = (PrizeInline,)
    list_display = ("name", "state", "draw_time", "entries_shown", "prizes_total")
    list_filter = (PhaseFilter, DueFilter)
    search_fields = ("title", "slug")
    search_help_text = gettext_lazy("Title or address of a draw")
    ordering = ("-draw_at", "-pk")
    list_per_page = 25
    actions = None
    prepopulated_fields = {"slug": ("title",)}
    warn_unsaved_form = True
    change_form_outer_before_template = "admin/draws/draw/overview.html"
    change_form_outer_after_template = "admin/draws/draw/evidence.html"
    fieldsets = (
        (gettext_lazy("What it is"), {"fields": ("title", "slug", "description", "rules")}),
        (gettext_lazy("When"), {"fields": ("time_zone", "opens_at", "closes_at", "draw_at", "min_wait_s")}),
        (
            gettext_lazy("Who and what"),
            {
                "fields": (
                    "audience",
                    "audience_group",
                    "min_age",
                    "countries",
                    "currency",
                    "alternates",
                    "leftover_policy",
                    "claim_days",
                )
            },
        ),
        (
            gettext_lazy("Its number, and whom it skips"),
            {"fields": ("source_types", "public_text_label", "skips")},
        ),
    )
    promised = (
        (
            gettext_lazy("What is promised"),
            {
                "fields": (
                    "title",
                    "slug",
                    "description",
                    "rules",
                    "audience",
                    "audience_group",
                    "min_age",
                    "countries_shown",
                    "currency",
                    "alternates",
                    "leftover_policy",
                    "claim_days",
                    "min_wait_s",
                    "time_zone",
                    "opens_shown",
                    "closes_shown",
                    "draws_shown",
                )
            },
        ),
    )

    def get_urls(self) -> list[Any]:
        view = self.admin_site.admin_view(rehearsal_page)
        return [
            path("<int:draw_id>/rehearsal/", view, name="draws_draw_rehearsal"),
            *super().get_urls(),
        ]

    def get_changelist(self, request: HttpRequest, **kwargs: Any) -> type[DrawChangeList]:
        return DrawChangeList

    def get_object(self, request: HttpRequest, object_id: str, from_field: str | None = None) -> Draw | None:
        """The draw; locked where its form is being saved, so that nobody publishes it in between."""
        if request.method == "POST" and connection.in_atomic_block and object_id.isdigit():
            self.get_queryset(request).select_for_update().filter(pk=object_id).first()
        found: Draw | None = super().get_object(request, object_id, from_field)
        return found

    def has_change_permission(self, request: HttpRequest, obj: Draw | None = None) -> bool:
        is_draft = obj is None or obj.status == Draw.Status.DRAFT
        return is_draft and bool(super().has_change_permission(request, obj))

    def has_delete_permission(self, request: HttpRequest, obj: Draw | None = None) -> bool:
        """A draft that nobody has put anything into. What was published, or funded, stays."""
        if not super().has_delete_permission(request, obj):
            return False
        return obj is None or (obj.status == Draw.Status.DRAFT and not pool_balances(obj.pool))

    def get_fieldsets(self, request: HttpRequest, obj: Draw | None = None) -> Any:
        if obj is not None and not self.has_change_permission(request, obj):
            return self.promised
        return self.fieldsets

    def get_readonly_fields(self, request: HttpRequest, obj: Draw | None = None) -> Any:
        return ("countries_shown", "opens_shown", "closes_shown", "draws_shown")

    def get_inline_instances(self, request: HttpRequest, obj: Draw | None = None) -> list[Any]:
        if obj is not None and not self.has_change_permission(request, obj):
            return []
        return super().get_inline_instances(request, obj)  # type: ignore[no-any-return]

    def get_changeform_initial_data(self, request: HttpRequest) -> dict[str, Any]:
        """A week of entries from the next full hour, in the zone of whoever drafts."""
        user = request.user
        zone = user.time_zone if isinstance(user, User) else "UTC"
        opens = timezone.localtime().replace(minute=0, second=0, microsecond=0, tzinfo=None) + dt.timedelta(
            hours=1
        )
        closes = (opens + dt.timedelta(days=7)).replace(hour=18)
        given = {
            "time_zone": zone,
            "opens_at": opens,
            "closes_at": closes,
            "draw_at": closes + dt.timedelta(hours=1),
        }
        return {**given, **super().get_changeform_initial_data(request)}

    def render_change_form(
        self, request: HttpRequest, context: dict[str, Any], *args: Any, **kwargs: Any
    ) -> HttpResponse:
        obj = kwargs.get("obj")
        if obj is not None and obj.pk and isinstance(request.user, User):
            # The form may have put what was typed into `obj`; the page speaks of what is stored.
            stored = Draw.objects.get(pk=obj.pk) if request.method == "POST" else obj
            context["overview"] = overview_of(stored, user=request.user, now=timezone.now())
        return super().render_change_form(request, context, *args, **kwargs)  # type: ignore[no-any-return]

    def save_related(self, request: HttpRequest, form: Any, formsets: Any, change: bool) -> None:
        """After the prizes too: put on record who wrote the draft, and what of it."""
        super().save_related(request, form, formsets, change)
        changed = sorted(form.changed_data) + (
            ["prizes"] if any(item.has_changed() for item in formsets) else []
        )
        if changed or not change:
            record(
                actor=request.user,  # type: ignore[arg-type]
                action="draw.changed" if change else "draw.drafted",
                target=form.instance,
                data={"fields": changed},
                now=timezone.now(),
            )

    def save_formset(self, request: HttpRequest, form: Any, formset: Any, change: bool) -> None:
        """The prizes; pictures that none of them has any more go, once that is committed."""
        before = pictures_of(form.instance)
        super().save_formset(request, form, formset, change)
        drop_pictures(before - pictures_of(form.instance))

    def delete_model(self, request: HttpRequest, obj: Draw) -> None:
        record(
            actor=request.user,  # type: ignore[arg-type]
            action="draw.deleted",
            target=obj,
            data={"title": obj.title, "slug": obj.slug},
            now=timezone.now(),
        )
        drop_pictures(pictures_of(obj))
        super().delete_model(request, obj)

    def response_add(
        self, request: HttpRequest, obj: Draw, post_url_continue: str | None = None
    ) -> HttpResponse:
        """On to the draw's own page: what is missing before it can be published stands there."""
        if "_addanother" in request.POST:
            return super().response_add(request, obj, post_url_continue)  # type: ignore[no-any-return]
        messages.success(request, _("“%(draw)s” is saved as a draft.") % {"draw": obj})
        return HttpResponseRedirect(reverse("admin:draws_draw_change", args=[obj.pk]))

    @display(description=gettext_lazy("draw"), header=True, ordering="title")
    def name(self, obj: Draw) -> tuple[str, str]:
        return obj.title, obj.slug

    @display(
        description=gettext_lazy("state"), label={phase: tone for phase, (tone, _word) in PHASES.items()}
    )
    def state(self, obj: Draw) -> tuple[str, Any]:
        phase = obj.phase(timezone.now())
        return phase, PHASES[phase][1]

    @display(description=gettext_lazy("draw time"), ordering="draw_at")
    def draw_time(self, obj: Draw) -> str:
        at = in_zone(obj.draw_at, obj.zone)
        if late := late_by(obj, timezone.now()):
            return format_html(
                '<div class="fg-cell"><span class="fg-late"><span class="material-symbols-outlined" '
                'aria-hidden="true">error</span>{}</span><span class="fg-sub">{}</span></div>',
                late,
                at,
            )
        return format_html(_TWO_LINES, at, in_utc(obj.draw_at))

    @display(description=gettext_lazy("entries"))
    def entries_shown(self, obj: Draw) -> str:
        return f"{getattr(obj, 'entries_so_far', 0):,}"

    @display(description=gettext_lazy("prizes"))
    def prizes_total(self, obj: Draw) -> str:
        count = sum(prize.quantity for prize in obj.prizes.all())
        if not count:
            return "—"
        total = ", ".join(amounts(prize_totals(obj)))
        return format_html(
            _TWO_LINES,
            total or _("things"),
            _("%(n)s in all") % {"n": f"{count:,}"},
        )

    @display(description=gettext_lazy("countries"))
    def countries_shown(self, obj: Draw) -> str:
        return ", ".join(obj.countries) or _("Every country")

    @display(description=gettext_lazy("entries open"))
    def opens_shown(self, obj: Draw) -> str:
        return f"{in_zone(obj.opens_at, obj.zone)} · {in_utc(obj.opens_at)}"

    @display(description=gettext_lazy("entries close"))
    def closes_shown(self, obj: Draw) -> str:
        return f"{in_zone(obj.closes_at, obj.zone)} · {in_utc(obj.closes_at)}"

    @display(description=gettext_lazy("draw time"))
    def draws_shown(self, obj: Draw) -> str:
        return f"{in_zone(obj.draw_at, obj.zone)} · {in_utc(obj.draw_at)}"
