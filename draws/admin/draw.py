"""Draws in the admin: the list, the form of a draft, the page of a draw, and the acts that change its state.

A published draw has no form: what is promised is shown, and changes only by the acts. The form of a draft
locks its row, so that a draft which is published meanwhile is not written over.
"""

import datetime as dt
from typing import Any

from django.contrib import admin, messages
from django.contrib.admin.utils import quote, unquote
from django.core.exceptions import PermissionDenied
from django.db import connection
from django.db.models import Case, Count, F, OuterRef, Q, QuerySet, Subquery, When
from django.db.models.functions import Coalesce
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.template.response import TemplateResponse
from django.urls import reverse
from django.utils import timezone
from django.utils.html import format_html
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from unfold.admin import ModelAdmin, TabularInline
from unfold.decorators import action, display
from unfold.enums import ActionVariant
from unfold.views import ChangeList

from accounts.models import User
from audit.services import record
from draws.admin.acts import ACTS, REFUSALS, Act, sentence_of
from draws.admin.overview import (
    PHASES,
    amounts,
    checklist,
    entries_and_tickets,
    in_utc,
    in_zone,
    late_by,
    may_see_entries,
    overview_of,
    pool_rows,
)
from draws.forms import DrawForm, PrizeForm, PrizeFormSet
from draws.models import Draw, Entry, Prize
from draws.services.publishing import prize_totals
from payments.pools import pool_balances


class PhaseFilter(admin.SimpleListFilter):
    """Where draws stand."""

    title = gettext_lazy("state")
    parameter_name = "phase"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, Any]]:
        return [
            ("draft", _("Draft")),
            ("upcoming", _("Upcoming")),
            ("open", _("Open")),
            ("waiting", _("Closed or frozen, to be drawn")),
            ("completed", _("Drawn")),
            ("void", _("Void")),
            ("cancelled", _("Cancelled")),
        ]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Draw]) -> QuerySet[Draw]:
        now = timezone.now()
        draws = Draw.objects.all()
        match self.value():
            case None:
                return queryset
            case "upcoming":
                chosen = draws.upcoming(now)
            case "open":
                chosen = draws.open(now)
            case "waiting":
                chosen = draws.awaiting_draw(now)
            case status:
                chosen = draws.filter(status=status)
        return queryset.filter(pk__in=chosen.values("pk"))


class DueFilter(admin.SimpleListFilter):
    """When draws are due."""

    title = gettext_lazy("due")
    parameter_name = "due"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, Any]]:
        return [
            ("overdue", _("Overdue")),
            ("day", _("In the next 24 hours")),
            ("week", _("In the next 7 days")),
            ("failed", _("Failed last time")),
        ]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Draw]) -> QuerySet[Draw]:
        now = timezone.now()
        unfinished = Q(status__in=(Draw.Status.ACTIVE, Draw.Status.EXECUTING))
        match self.value():
            case "overdue":
                return queryset.filter(pk__in=Draw.objects.overdue(now).values("pk"))
            case "day":
                return queryset.filter(unfinished, draw_at__lte=now + dt.timedelta(days=1))
            case "week":
                return queryset.filter(unfinished, draw_at__lte=now + dt.timedelta(days=7))
            case "failed":
                return queryset.filter(unfinished).exclude(execution_error="")
        return queryset


class DrawChangeList(ChangeList):
    """Adds what the rows show: entries counted for the draws whose freeze has not counted them yet."""

    def get_queryset(self, *args: Any, **kwargs: Any) -> QuerySet[Draw]:
        counted = Entry.objects.filter(draw=OuterRef("pk")).order_by().values("draw").annotate(n=Count("pk")).values("n")
        draws: QuerySet[Draw] = super().get_queryset(*args, **kwargs)
        known = When(entries_count__isnull=False, then=F("entries_count"))
        return draws.prefetch_related("prizes").annotate(
            entries_so_far=Case(known, default=Coalesce(Subquery(counted), 0))
        )


class PrizeInline(TabularInline):
    """The prizes of a draft; of a published draw the overview shows them."""

    model = Prize
    form = PrizeForm
    formset = PrizeFormSet
    fields = ("title", "kind", "amount", "quantity", "position")
    verbose_name_plural = gettext_lazy("prizes")

    def get_extra(self, request: HttpRequest, obj: Draw | None = None, **kwargs: Any) -> int:
        return 0 if obj and obj.prizes.exists() else 1


class DrawActs(ModelAdmin):
    """The acts: each a page that asks (GET) and does (POST), open to those with its permission."""

    actions_detail = ("publish", "fund", "import_entries", "freeze", "execute", "cancel")
    _acts = {
        "publish": "publish",
        "fund": "fund",
        "import_entries": "import",
        "freeze": "freeze",
        "execute": "execute",
        "cancel": "cancel",
    }

    # Named by method and not as "draws.publish_draw": unfold's system check would look that up in a database
    # which, before the first migrate, has no permissions.
    def has_publish_draw_permission(self, request: HttpRequest, object_id: Any = None) -> bool:
        return bool(request.user.has_perm("draws.publish_draw"))

    def has_fund_draw_permission(self, request: HttpRequest, object_id: Any = None) -> bool:
        return bool(request.user.has_perm("draws.fund_draw"))

    def has_import_entries_permission(self, request: HttpRequest, object_id: Any = None) -> bool:
        return bool(request.user.has_perm("draws.import_entries"))

    def has_freeze_draw_permission(self, request: HttpRequest, object_id: Any = None) -> bool:
        return bool(request.user.has_perm("draws.freeze_draw"))

    def has_execute_draw_permission(self, request: HttpRequest, object_id: Any = None) -> bool:
        return bool(request.user.has_perm("draws.execute_draw"))

    def has_cancel_draw_permission(self, request: HttpRequest, object_id: Any = None) -> bool:
        return bool(request.user.has_perm("draws.cancel_draw"))

    def get_actions_detail(self, request: HttpRequest, object_id: Any) -> list[Any]:
        """Only what makes sense in the draw's state, of what the person may do."""
        draw = Draw.objects.filter(pk=unquote(str(object_id))).first() if str(object_id).isdigit() else None
        if draw is None:
            return []
        now = timezone.now()
        allowed = super().get_actions_detail(request, object_id)
        prefix = f"{self.opts.app_label}_{self.opts.model_name}_"
        return [
            item
            for item in allowed
            if not ACTS[self._acts[item.action_name.removeprefix(prefix)]].why_not(draw, now)
        ]

    @action(
        description=gettext_lazy("Publish"),
        url_path="publish",
        permissions=["publish_draw"],
        icon="campaign",
        variant=ActionVariant.PRIMARY,
    )
    def publish(self, request: HttpRequest, object_id: str) -> HttpResponse:
        return self._act(request, object_id, ACTS["publish"])

    @action(
        description=gettext_lazy("Fund pool"), url_path="fund", permissions=["fund_draw"], icon="savings"
    )
    def fund(self, request: HttpRequest, object_id: str) -> HttpResponse:
        return self._act(request, object_id, ACTS["fund"])

    @action(
        description=gettext_lazy("Import entries"),
        url_path="import",
        permissions=["import_entries"],
        icon="upload_file",
    )
    def import_entries(self, request: HttpRequest, object_id: str) -> HttpResponse:
        return self._act(request, object_id, ACTS["import"])

    @action(
        description=gettext_lazy("Freeze now"),
        url_path="freeze",
        permissions=["freeze_draw"],
        icon="ac_unit",
    )
    def freeze(self, request: HttpRequest, object_id: str) -> HttpResponse:
        return self._act(request, object_id, ACTS["freeze"])

    @action(
        description=gettext_lazy("Execute now"),
        url_path="execute",
        permissions=["execute_draw"],
        icon="casino",
        variant=ActionVariant.PRIMARY,
    )
    def execute(self, request: HttpRequest, object_id: str) -> HttpResponse:
        return self._act(request, object_id, ACTS["execute"])

    @action(
        description=gettext_lazy("Cancel draw"),
        url_path="cancel",
        permissions=["cancel_draw"],
        icon="block",
        variant=ActionVariant.DANGER,
    )
    def cancel(self, request: HttpRequest, object_id: str) -> HttpResponse:
        return self._act(request, object_id, ACTS["cancel"])

    def _act(self, request: HttpRequest, object_id: str, act: Act) -> HttpResponse:
        draw: Draw | None = self.get_object(request, unquote(object_id))
        if draw is None:
            return self._get_obj_does_not_exist_redirect(request, self.opts, object_id)  # type: ignore[no-any-return]
        user = request.user
        if not isinstance(user, User) or not self.has_view_permission(request, draw):
            raise PermissionDenied
        now = timezone.now()
        page = reverse("admin:draws_draw_change", args=[quote(draw.pk)])
        if request.method != "POST":
            if why_not := act.why_not(draw, now):
                messages.warning(request, why_not)
                return HttpResponseRedirect(page)
            return self._ask(request, draw, act, act.form(draw), now)
        form = act.form(draw, request.POST, request.FILES)
        if form.is_valid():
            try:
                done = act.run(draw, form.cleaned_data, user, now)
            except REFUSALS as error:
                form.add_error(None, sentence_of(error))
            else:
                messages.add_message(request, messages.SUCCESS if done.is_good else messages.WARNING, done.sentence)
                if done.report is not None and may_see_entries(user):
                    return HttpResponseRedirect(reverse("admin:draws_entryimport_change", args=[done.report.pk]))
                return HttpResponseRedirect(page)
            draw.refresh_from_db()
        return self._ask(request, draw, act, form, now)

    def _ask(self, request: HttpRequest, draw: Draw, act: Act, form: Any, now: dt.datetime) -> HttpResponse:
        by_hand = act is ACTS["execute"]
        entries, tickets = entries_and_tickets(draw) if act.shows == "figures" else (0, 0)
        return TemplateResponse(
            request,
            "admin/draws/draw/act.html",
            {
                **self.admin_site.each_context(request),
                "opts": self.opts,
                "title": act.title,
                "object": draw,
                "draw": draw,
                "act": act,
                "form": form,
                "phase_word": PHASES[draw.phase(now)][1],
                "phase_tone": PHASES[draw.phase(now)][0],
                "checklist": checklist(draw, now=now, by_hand=by_hand) if act.shows == "checklist" else [],
                "pool": pool_rows(draw) if act.shows == "pool" else [],
                "prize_total": amounts(prize_totals(draw)),
                "entries_count": f"{entries:,}",
                "tickets": f"{tickets:,}",
                "closes": in_zone(draw.closes_at, draw.zone),
                "draws": in_zone(draw.draw_at, draw.zone),
                "back": reverse("admin:draws_draw_change", args=[quote(draw.pk)]),
            },
        )


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
        (gettext_lazy("Who and what"), {"fields": ("audience", "currency", "alternates", "leftover_policy", "claim_days")}),
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
        return ("opens_shown", "closes_shown", "draws_shown")

    def get_inline_instances(self, request: HttpRequest, obj: Draw | None = None) -> list[Any]:
        if obj is not None and not self.has_change_permission(request, obj):
            return []
        return super().get_inline_instances(request, obj)  # type: ignore[no-any-return]

    def get_changeform_initial_data(self, request: HttpRequest) -> dict[str, Any]:
        """A week of entries from the next full hour, in the zone of whoever drafts."""
        user = request.user
        zone = user.time_zone if isinstance(user, User) else "UTC"
        opens = timezone.localtime().replace(minute=0, second=0, microsecond=0, tzinfo=None) + dt.timedelta(hours=1)
        closes = (opens + dt.timedelta(days=7)).replace(hour=18)
        given = {"time_zone": zone, "opens_at": opens, "closes_at": closes, "draw_at": closes + dt.timedelta(hours=1)}
        return {**given, **super().get_changeform_initial_data(request)}

    def render_change_form(self, request: HttpRequest, context: dict[str, Any], *args: Any, **kwargs: Any) -> HttpResponse:
        obj = kwargs.get("obj")
        if obj is not None and obj.pk and isinstance(request.user, User):
            # The form may have put what was typed into `obj`; the page speaks of what is stored.
            stored = Draw.objects.get(pk=obj.pk) if request.method == "POST" else obj
            context["overview"] = overview_of(stored, user=request.user, now=timezone.now())
        return super().render_change_form(request, context, *args, **kwargs)  # type: ignore[no-any-return]

    def save_related(self, request: HttpRequest, form: Any, formsets: Any, change: bool) -> None:
        """After the prizes too: put on record who wrote the draft, and what of it."""
        super().save_related(request, form, formsets, change)
        changed = sorted(form.changed_data) + (["prizes"] if any(item.has_changed() for item in formsets) else [])
        if changed or not change:
            record(
                actor=request.user,  # type: ignore[arg-type]
                action="draw.changed" if change else "draw.drafted",
                target=form.instance,
                data={"fields": changed},
                now=timezone.now(),
            )

    def delete_model(self, request: HttpRequest, obj: Draw) -> None:
        record(
            actor=request.user,  # type: ignore[arg-type]
            action="draw.deleted",
            target=obj,
            data={"title": obj.title, "slug": obj.slug},
            now=timezone.now(),
        )
        super().delete_model(request, obj)

    def response_add(self, request: HttpRequest, obj: Draw, post_url_continue: str | None = None) -> HttpResponse:
        """On to the draw's own page: what is missing before it can be published stands there."""
        if "_addanother" in request.POST:
            return super().response_add(request, obj, post_url_continue)  # type: ignore[no-any-return]
        messages.success(request, _("“%(draw)s” is saved as a draft.") % {"draw": obj})
        return HttpResponseRedirect(reverse("admin:draws_draw_change", args=[obj.pk]))

    @display(description=gettext_lazy("draw"), header=True, ordering="title")
    def name(self, obj: Draw) -> tuple[str, str]:
        return obj.title, obj.slug

    @display(description=gettext_lazy("state"), label={phase: tone for phase, (tone, _word) in PHASES.items()})
    def state(self, obj: Draw) -> tuple[str, Any]:
        phase = obj.phase(timezone.now())
        return phase, PHASES[phase][1]

    @display(description=gettext_lazy("draw time"), ordering="draw_at")
    def draw_time(self, obj: Draw) -> str:
        at = in_zone(obj.draw_at, obj.zone)
        if late := late_by(obj, timezone.now()):
            return format_html(
                '<span class="fg-late"><span class="material-symbols-outlined" aria-hidden="true">error</span>{}</span>'
                '<span class="fg-sub">{}</span>',
                late,
                at,
            )
        return format_html('<span class="fg-nowrap">{}</span><span class="fg-sub">{}</span>', at, in_utc(obj.draw_at))

    @display(description=gettext_lazy("entries"))
    def entries_shown(self, obj: Draw) -> str:
        return f"{getattr(obj, 'entries_so_far', 0):,}"

    @display(description=gettext_lazy("prizes"))
    def prizes_total(self, obj: Draw) -> str:
        count = sum(prize.quantity for prize in obj.prizes.all())
        if not count:
            return "—"
        total = ", ".join(amounts(prize_totals(obj)))
        return format_html('<span class="fg-nowrap">{}</span><span class="fg-sub">{}</span>', total or _("things"), _("%(n)s in all") % {"n": f"{count:,}"})

    @display(description=gettext_lazy("entries open"))
    def opens_shown(self, obj: Draw) -> str:
        return f"{in_zone(obj.opens_at, obj.zone)} · {in_utc(obj.opens_at)}"

    @display(description=gettext_lazy("entries close"))
    def closes_shown(self, obj: Draw) -> str:
        return f"{in_zone(obj.closes_at, obj.zone)} · {in_utc(obj.closes_at)}"

    @display(description=gettext_lazy("draw time"))
    def draws_shown(self, obj: Draw) -> str:
        return f"{in_zone(obj.draw_at, obj.zone)} · {in_utc(obj.draw_at)}"
