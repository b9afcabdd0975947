"""Taking people out by hand: acts on the page of an entry and on that of an import, each asked before it is done."""

import datetime as dt
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from django.contrib import messages
from django.contrib.admin.utils import unquote
from django.core.exceptions import PermissionDenied
from django.db.models import Model
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.template.response import TemplateResponse
from django.urls import reverse
from django.utils import timezone
from django.utils.functional import Promise
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext
from unfold.admin import ModelAdmin
from unfold.decorators import action
from unfold.enums import ActionVariant

from accounts.models import User
from draws import services
from draws.admin.acts import REFUSALS, sentence_of
from draws.admin.vacancy_acts import PublishedReasonForm
from draws.models import Draw, Entry, EntryImport


@dataclass(frozen=True)
class RowAct:
    """One thing that may be done to a row by hand. `why_not` is empty where the act makes sense now."""

    title: str | Promise
    intro: str | Promise
    submit: str | Promise
    run: Callable[[Any, str, User, dt.datetime], str]
    why_not: Callable[[Any, dt.datetime], str]


def _why_closed(row: Entry | EntryImport, now: dt.datetime) -> str:
    draw: Draw = row.draw
    return "" if draw.phase(now) == "open" else _("Only while entries are open is anybody taken out.")


def _why_no_import(row: EntryImport, now: dt.datetime) -> str:
    if why_not := _why_closed(row, now):
        return why_not
    is_there = services.entries_of_import(row).exists()
    return "" if is_there else _("Nobody of this import is in the draw any more.")


def _disqualify(entry: Entry, reason: str, by: User, now: dt.datetime) -> str:
    services.disqualify_entry(entry=entry, by=by, reason=reason, now=now)
    return _("The entry is disqualified: its ranks will be skipped.")


def _withdraw(entry: Entry, reason: str, by: User, now: dt.datetime) -> str:
    services.withdraw_entry(entry=entry, by=by, reason=reason, now=now)
    return _("The entry is taken out, and its person is told why.")


def _withdraw_import(row: EntryImport, reason: str, by: User, now: dt.datetime) -> str:
    count = services.withdraw_import(entry_import=row, by=by, reason=reason, now=now)
    return ngettext("%(n)s entry is taken out.", "%(n)s entries are taken out.", count) % {"n": f"{count:,}"}


ROW_ACTS = {
    "disqualify": RowAct(
        title=gettext_lazy("Disqualify this entry"),
        intro=gettext_lazy(
            "The sealed list stays as it is. Should this entry be drawn, its rank is skipped, and the reason is published in "
            "the proof. The person is told. It can't be undone."
        ),
        submit=gettext_lazy("Disqualify it"),
        run=_disqualify,
        why_not=services.why_not_disqualified,
    ),
    "withdraw": RowAct(
        title=gettext_lazy("Take this entry out"),
        intro=gettext_lazy("The person is out of the draw, and is told the reason."),
        submit=gettext_lazy("Take it out"),
        run=_withdraw,
        why_not=_why_closed,
    ),
    "withdraw_import": RowAct(
        title=gettext_lazy("Take this import back"),
        intro=gettext_lazy(
            "Everyone whom this file brought is out of the draw; members among them are told the reason. Who was in before "
            "stays in. The report stays, for the audit trail."
        ),
        submit=gettext_lazy("Take all of them out"),
        run=_withdraw_import,
        why_not=_why_no_import,
    ),
}


class RowActs(ModelAdmin):
    """The acts on one row: each a page that asks (GET) and does (POST)."""

    def get_actions_detail(self, request: HttpRequest, object_id: Any) -> list[Any]:
        """Only what makes sense in the row's state, of what the person may do."""
        row = (
            self.model.objects.filter(pk=unquote(str(object_id))).first()
            if str(object_id).isdigit()
            else None
        )
        if row is None:
            return []
        allowed = super().get_actions_detail(request, object_id)
        prefix = f"{self.opts.app_label}_{self.opts.model_name}_"
        now = timezone.now()
        return [
            item for item in allowed if not ROW_ACTS[item.action_name.removeprefix(prefix)].why_not(row, now)
        ]

    def has_replace_winner_permission(self, request: HttpRequest, object_id: Any = None) -> bool:
        return bool(request.user.has_perm("draws.replace_winner"))

    def has_import_entries_permission(self, request: HttpRequest, object_id: Any = None) -> bool:
        return bool(request.user.has_perm("draws.import_entries"))

    def row_act(self, request: HttpRequest, object_id: str, act: RowAct) -> HttpResponse:
        """Ask, or do it."""
        row: Model | None = self.get_object(request, unquote(object_id))
        if row is None:
            return self._get_obj_does_not_exist_redirect(request, self.opts, object_id)  # type: ignore[no-any-return]
        user = request.user
        if not isinstance(user, User) or not self.has_view_permission(request, row):
            raise PermissionDenied
        page = reverse(f"admin:{self.opts.app_label}_{self.opts.model_name}_change", args=[row.pk])
        form = PublishedReasonForm(request.POST) if request.method == "POST" else PublishedReasonForm()
        if request.method == "POST" and form.is_valid():
            draw_page = reverse("admin:draws_draw_change", args=[row.draw_id])  # type: ignore[attr-defined]
            try:
                said = act.run(row, form.cleaned_data["reason"], user, timezone.now())
            except REFUSALS as error:
                form.add_error(None, sentence_of(error))
            else:
                messages.success(request, said)
                return HttpResponseRedirect(draw_page)
        elif request.method != "POST" and (why_not := act.why_not(row, timezone.now())):
            messages.warning(request, why_not)
            return HttpResponseRedirect(page)
        return TemplateResponse(
            request,
            "admin/draws/award/act.html",
            {
                **self.admin_site.each_context(request),
                "opts": self.opts,
                "title": act.title,
                "intro": act.intro,
                "press": act.submit,
                "form": form,
                "back": page,
                "is_danger": True,
            },
        )


class EntryActs(RowActs):
    """What may be done to one entry."""

    actions_detail = ("withdraw", "disqualify")

    @action(
        description=gettext_lazy("Take this entry out"),
        url_path="withdraw",
        permissions=["import_entries"],
        icon="person_remove",
        variant=ActionVariant.DANGER,
    )
    def withdraw(self, request: HttpRequest, object_id: str) -> HttpResponse:
        return self.row_act(request, object_id, ROW_ACTS["withdraw"])

    @action(
        description=gettext_lazy("Disqualify this entry"),
        url_path="disqualify",
        permissions=["replace_winner"],
        icon="block",
        variant=ActionVariant.DANGER,
    )
    def disqualify(self, request: HttpRequest, object_id: str) -> HttpResponse:
        return self.row_act(request, object_id, ROW_ACTS["disqualify"])


class ImportActs(RowActs):
    """What may be done to one import."""

    actions_detail = ("withdraw_import",)

    @action(
        description=gettext_lazy("Take this import back"),
        url_path="withdraw",
        permissions=["import_entries"],
        icon="undo",
        variant=ActionVariant.DANGER,
    )
    def withdraw_import(self, request: HttpRequest, object_id: str) -> HttpResponse:
        return self.row_act(request, object_id, ROW_ACTS["withdraw_import"])
