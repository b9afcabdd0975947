"""The pages of the acts: each asks (GET) and does (POST)."""

import datetime as dt
from typing import Any

from django.contrib import messages
from django.contrib.admin.utils import quote, unquote
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.template.response import TemplateResponse
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext_lazy
from unfold.admin import ModelAdmin
from unfold.decorators import action
from unfold.enums import ActionVariant

from accounts.fresh_sign_in import fresh_sign_in_required, kept_form
from accounts.models import User
from draws.admin.acts import ACTS as MAKING_ACTS
from draws.admin.acts import REFUSALS, Act, sentence_of
from draws.admin.clocks import in_zone
from draws.admin.overview import (
    PHASES,
    amounts,
    checklist,
    entries_and_tickets,
    may_see_entries,
    pool_rows,
)
from draws.admin.promise_acts import PROMISE_ACTS
from draws.admin.vacancy_acts import VACANCY_ACTS
from draws.models import Draw
from draws.services import prize_totals

ACTS = MAKING_ACTS | PROMISE_ACTS | VACANCY_ACTS


class DrawActs(ModelAdmin):
    """The acts: each a page that asks (GET) and does (POST), open to those with its permission."""

    actions_detail = (
        "publish",
        "fund",
        "return_money",
        "import_entries",
        "change_terms",
        "freeze",
        "enter_text",
        "confirm_text",
        "execute",
        "extend",
        "close",
        "check_draw",
        "resume",
        "cancel",
        "call_off",
        "draw_up",
    )
    _acts = {
        "publish": "publish",
        "fund": "fund",
        "return_money": "return",
        "import_entries": "import",
        "freeze": "freeze",
        "execute": "execute",
        "cancel": "cancel",
        "call_off": "call_off",
        "draw_up": "draw_up",
        "extend": "extend",
        "close": "close",
        "change_terms": "change",
        "enter_text": "enter_text",
        "confirm_text": "confirm_text",
        "check_draw": "check",
        "resume": "resume",
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

    def has_call_off_draw_permission(self, request: HttpRequest, object_id: Any = None) -> bool:
        """To ask for it; who may only agree to it does so on the page of the approval."""
        return bool(request.user.has_perms(("draws.cancel_draw", "draws.call_off_draw")))

    def has_fill_vacancies_permission(self, request: HttpRequest, object_id: Any = None) -> bool:
        return bool(request.user.has_perm("draws.fill_vacancies"))

    def has_amend_draw_permission(self, request: HttpRequest, object_id: Any = None) -> bool:
        return bool(request.user.has_perm("draws.amend_draw"))

    def has_announce_text_permission(self, request: HttpRequest, object_id: Any = None) -> bool:
        return bool(request.user.has_perm("draws.announce_text"))

    def has_check_draw_permission(self, request: HttpRequest, object_id: Any = None) -> bool:
        return bool(request.user.has_perm("draws.check_draw"))

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

    @action(description=gettext_lazy("Fund pool"), url_path="fund", permissions=["fund_draw"], icon="savings")
    @fresh_sign_in_required
    def fund(self, request: HttpRequest, object_id: str) -> HttpResponse:
        return self._act(request, object_id, ACTS["fund"])

    @action(
        description=gettext_lazy("Return money"),
        url_path="return-money",
        permissions=["fund_draw"],
        icon="undo",
    )
    @fresh_sign_in_required
    def return_money(self, request: HttpRequest, object_id: str) -> HttpResponse:
        return self._act(request, object_id, ACTS["return"])

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
    @fresh_sign_in_required
    def execute(self, request: HttpRequest, object_id: str) -> HttpResponse:
        return self._act(request, object_id, ACTS["execute"])

    @action(
        description=gettext_lazy("Cancel draw"),
        url_path="cancel",
        permissions=["cancel_draw"],
        icon="block",
        variant=ActionVariant.DANGER,
    )
    @fresh_sign_in_required
    def cancel(self, request: HttpRequest, object_id: str) -> HttpResponse:
        return self._act(request, object_id, ACTS["cancel"])

    @action(
        description=gettext_lazy("Call off"),
        url_path="call-off",
        permissions=["call_off_draw"],
        icon="block",
        variant=ActionVariant.DANGER,
    )
    @fresh_sign_in_required
    def call_off(self, request: HttpRequest, object_id: str) -> HttpResponse:
        return self._act(request, object_id, ACTS["call_off"])

    @action(
        description=gettext_lazy("Draw up"),
        url_path="draw-up",
        permissions=["check_draw"],
        icon="fact_check",
    )
    def draw_up(self, request: HttpRequest, object_id: str) -> HttpResponse:
        return self._act(request, object_id, ACTS["draw_up"])

    @action(
        description=gettext_lazy("Extend ranks"),
        url_path="extend",
        permissions=["fill_vacancies"],
        icon="playlist_add",
        variant=ActionVariant.PRIMARY,
    )
    def extend(self, request: HttpRequest, object_id: str) -> HttpResponse:
        return self._act(request, object_id, ACTS["extend"])

    @action(
        description=gettext_lazy("Close vacancies"),
        url_path="close",
        permissions=["fill_vacancies"],
        icon="playlist_remove",
        variant=ActionVariant.DANGER,
    )
    def close(self, request: HttpRequest, object_id: str) -> HttpResponse:
        return self._act(request, object_id, ACTS["close"])

    @action(
        description=gettext_lazy("Change"), url_path="amend", permissions=["amend_draw"], icon="edit_note"
    )
    def change_terms(self, request: HttpRequest, object_id: str) -> HttpResponse:
        return self._act(request, object_id, ACTS["change"])

    @action(
        description=gettext_lazy("Enter text"),
        url_path="enter-text",
        permissions=["announce_text"],
        icon="edit",
    )
    def enter_text(self, request: HttpRequest, object_id: str) -> HttpResponse:
        return self._act(request, object_id, ACTS["enter_text"])

    @action(
        description=gettext_lazy("Confirm text"),
        url_path="confirm-text",
        permissions=["announce_text"],
        icon="how_to_reg",
    )
    def confirm_text(self, request: HttpRequest, object_id: str) -> HttpResponse:
        return self._act(request, object_id, ACTS["confirm_text"])

    @action(
        description=gettext_lazy("Check"), url_path="check", permissions=["check_draw"], icon="fact_check"
    )
    def check_draw(self, request: HttpRequest, object_id: str) -> HttpResponse:
        return self._act(request, object_id, ACTS["check"])

    @action(
        description=gettext_lazy("Let payouts go on"),
        url_path="resume",
        permissions=["check_draw"],
        icon="play_arrow",
        variant=ActionVariant.DANGER,
    )
    def resume(self, request: HttpRequest, object_id: str) -> HttpResponse:
        return self._act(request, object_id, ACTS["resume"])

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
            kept = kept_form(request)
            return self._ask(request, draw, act, act.form(draw, kept) if kept else act.form(draw), now)
        form = act.form(draw, request.POST, request.FILES)
        if form.is_valid():
            try:
                done = act.run(draw, form.cleaned_data, user, now)
            except REFUSALS as error:
                form.add_error(None, sentence_of(error))
            else:
                messages.add_message(
                    request, messages.SUCCESS if done.is_good else messages.WARNING, done.sentence
                )
                if done.upload is not None and may_see_entries(user):
                    return HttpResponseRedirect(
                        reverse("admin:draws_entryupload_change", args=[done.upload.pk])
                    )
                return HttpResponseRedirect(page)
            draw.refresh_from_db()
        return self._ask(request, draw, act, form, now)

    def _ask(self, request: HttpRequest, draw: Draw, act: Act, form: Any, now: dt.datetime) -> HttpResponse:
        by_hand = act is ACTS["execute"]
        closing = act.shows == "figures"
        entries, tickets = entries_and_tickets(draw) if closing else (0, 0)
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
                "uploads_waiting": draw.uploads.filter(state="waiting").count() if closing else 0,
                "entries_count": f"{entries:,}",
                "tickets": f"{tickets:,}",
                "closes": in_zone(draw.closes_at, draw.zone),
                "draws": in_zone(draw.draw_at, draw.zone),
                "back": reverse("admin:draws_draw_change", args=[quote(draw.pk)]),
            },
        )
