"""Approvals in the admin: what waits for a second person, what it would do, and deciding about it."""

import contextlib
import datetime as dt
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from django import forms
from django.apps import apps
from django.contrib import admin, messages
from django.contrib.admin.utils import unquote
from django.core.exceptions import FieldError, PermissionDenied, ValidationError
from django.db.models import Case, IntegerField, QuerySet, Value, When
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.template.response import TemplateResponse
from django.urls import NoReverseMatch, reverse
from django.utils import timezone
from django.utils.functional import Promise
from django.utils.html import format_html
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from unfold.decorators import action, display
from unfold.enums import ActionVariant
from unfold.views import ChangeList

from accounts.fresh_sign_in import fresh_sign_in_required, kept_form
from accounts.models import User
from payments import approvals
from payments.admin.forms import NoteForm, RejectForm
from payments.admin.readonly import ReadOnlyAdmin
from payments.alone import moved_alone
from payments.approvable import UnknownKindError, approvable, known_acts
from payments.models import Account, Approval, LedgerEntry
from payments.money import format_amount

TONES = {
    "requested": "warning",
    "approved": "info",
    "done": "success",
    "rejected": "danger",
    "withdrawn": "",
    "expired": "",
}
"""State to the colour of its badge."""
_DECIDERS_NAMED = 8


@dataclass(frozen=True)
class Decision:
    """One way to decide. `by_requester`: it is for whoever asked, and not for the second person."""

    title: str | Promise
    intro: str | Promise
    submit: str | Promise
    run: Callable[..., Approval]
    form_class: type[forms.Form] = NoteForm
    is_danger: bool = False
    by_requester: bool = False


DECISIONS = {
    "approve": Decision(
        title=gettext_lazy("Approve"),
        intro=gettext_lazy("You agree to just what stands here. It is done at once, and can't be undone."),
        submit=gettext_lazy("Approve and do it"),
        run=approvals.approve,
    ),
    "reject": Decision(
        title=gettext_lazy("Reject"),
        intro=gettext_lazy("Nothing is moved, for good. Whoever asked is told why, and may ask anew."),
        submit=gettext_lazy("Reject it"),
        run=approvals.reject,
        form_class=RejectForm,
        is_danger=True,
    ),
    "withdraw": Decision(
        title=gettext_lazy("Withdraw"),
        intro=gettext_lazy("You take back what you asked for. Nothing is moved."),
        submit=gettext_lazy("Withdraw it"),
        run=approvals.withdraw,
        by_requester=True,
    ),
}


class ActFilter(admin.SimpleListFilter):
    """Kinds of act that an app has registered."""

    title = gettext_lazy("act")
    parameter_name = "kind"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        return known_acts()

    def queryset(self, request: HttpRequest, queryset: QuerySet[Approval]) -> QuerySet[Approval]:
        return queryset.filter(kind=self.value()) if self.value() else queryset


class ApprovalChangeList(ChangeList):
    """Adds the names of what the rows are about, in a query for each kind of act."""

    def get_results(self, request: HttpRequest) -> None:
        super().get_results(request)
        rows: list[Any] = list(self.result_list)  # type: ignore[has-type]
        names = approvals.names_of(rows)
        for approval in rows:
            approval.thing_name = names[approval.pk]
        self.result_list = rows


@admin.register(Approval)
class ApprovalAdmin(ReadOnlyAdmin):
    """Approvals: those that wait come first."""

    list_display = ("what", "sums", "thing", "asked", "state_shown", "decided_by")
    list_display_links = ("what",)
    list_select_related = ("requested_by", "decided_by")
    list_filter = ("state", ActFilter)
    search_fields = ("about", "reason", "=public_id", "requested_by__email")
    search_help_text = gettext_lazy("A part of what it is about, of the reason, or of who asked")
    fields = ("idem_key", "digest_shown", "public_id")
    change_form_outer_before_template = "admin/payments/approval/overview.html"
    actions_detail = ("approve", "reject", "withdraw")

    def get_changelist(self, request: HttpRequest, **kwargs: Any) -> type[ApprovalChangeList]:
        return ApprovalChangeList

    def get_ordering(self, request: HttpRequest) -> tuple[Any, ...]:
        """Waiting ones first, then the newest."""
        is_waiting = Case(
            When(state="requested", then=Value(0)), default=Value(1), output_field=IntegerField()
        )
        return (is_waiting.asc(), "-pk")

    def has_approve_money_permission(self, request: HttpRequest, object_id: Any = None) -> bool:
        return bool(request.user.has_perm(approvals.APPROVE_MONEY))

    def has_view_approval_permission(self, request: HttpRequest, object_id: Any = None) -> bool:
        return bool(request.user.has_perm("payments.view_approval"))

    def get_actions_detail(self, request: HttpRequest, object_id: Any) -> list[Any]:
        """Only what this person may do about it now."""
        approval = self.get_object(request, unquote(str(object_id)))
        assert isinstance(request.user, User)
        if approval is None or approval.state != Approval.State.REQUESTED:
            return []
        offered = {
            name
            for name, decision in DECISIONS.items()
            if (
                approval.requested_by_id == request.user.pk
                if decision.by_requester
                else not approvals.why_may_not_decide(approval, request.user)
            )
        }
        prefix = f"{self.opts.app_label}_{self.opts.model_name}_"
        allowed = super().get_actions_detail(request, object_id)
        return [item for item in allowed if item.action_name.removeprefix(prefix) in offered]

    def render_change_form(
        self, request: HttpRequest, context: dict[str, Any], *args: Any, **kwargs: Any
    ) -> HttpResponse:
        assert isinstance(request.user, User)
        context["o"] = overview_of(kwargs["obj"], user=request.user, now=timezone.now())
        return super().render_change_form(request, context, *args, **kwargs)  # type: ignore[no-any-return]

    @action(
        description=gettext_lazy("Approve"),
        url_path="approve",
        permissions=["approve_money"],
        icon="task_alt",
        variant=ActionVariant.PRIMARY,
    )
    @fresh_sign_in_required
    def approve(self, request: HttpRequest, object_id: str) -> HttpResponse:
        return self._decide(request, object_id, DECISIONS["approve"])

    @action(
        description=gettext_lazy("Reject"),
        url_path="reject",
        permissions=["approve_money"],
        icon="block",
        variant=ActionVariant.DANGER,
    )
    @fresh_sign_in_required
    def reject(self, request: HttpRequest, object_id: str) -> HttpResponse:
        return self._decide(request, object_id, DECISIONS["reject"])

    @action(
        description=gettext_lazy("Withdraw"),
        url_path="withdraw",
        permissions=["view_approval"],
        icon="undo",
    )
    def withdraw(self, request: HttpRequest, object_id: str) -> HttpResponse:
        return self._decide(request, object_id, DECISIONS["withdraw"])

    def _decide(self, request: HttpRequest, object_id: str, decision: Decision) -> HttpResponse:
        approval: Approval | None = self.get_object(request, unquote(object_id))
        if approval is None:
            return self._get_obj_does_not_exist_redirect(request, self.opts, object_id)  # type: ignore[no-any-return]
        user = request.user
        if not isinstance(user, User) or not self.has_view_permission(request, approval):
            raise PermissionDenied
        now = timezone.now()
        page = reverse("admin:payments_approval_change", args=[approval.pk])
        if request.method != "POST":
            form = decision.form_class(kept_form(request))
            if sentence := _why_not(approval, decision, user):
                messages.warning(request, sentence)
                return HttpResponseRedirect(page)
            return self._ask(request, approval, decision, form, user, now)
        form = decision.form_class(request.POST)
        if form.is_valid():
            try:
                decided = decision.run(approval=approval, by=user, note=form.cleaned_data["note"], now=now)
            except approvals.ApprovalError as error:
                form.add_error(None, str(error))
            else:
                messages.success(request, _said(decided))
                return HttpResponseRedirect(page)
            approval.refresh_from_db()
        return self._ask(request, approval, decision, form, user, now)

    def _ask(
        self,
        request: HttpRequest,
        approval: Approval,
        decision: Decision,
        form: forms.Form,
        user: User,
        now: dt.datetime,
    ) -> HttpResponse:
        return TemplateResponse(
            request,
            "admin/payments/approval/decide.html",
            {
                **self.admin_site.each_context(request),
                "opts": self.opts,
                "title": decision.title,
                "decision": decision,
                "form": form,
                "o": overview_of(approval, user=user, now=now),
                "back": reverse("admin:payments_approval_change", args=[approval.pk]),
            },
        )

    @display(description=gettext_lazy("act"), ordering="kind")
    def what(self, obj: Approval) -> str:
        return approvals.words_of_act(obj.kind)

    @display(description=gettext_lazy("amount"))
    def sums(self, obj: Approval) -> str:
        return approvals.amounts_text(obj)

    @display(description=gettext_lazy("about"))
    def thing(self, obj: Approval) -> str:
        return str(getattr(obj, "thing_name", obj.about))

    @display(description=gettext_lazy("asked by"), ordering="requested_at")
    def asked(self, obj: Approval) -> str:
        at = timezone.localtime(obj.requested_at).strftime("%d %b %Y, %H:%M")
        return format_html(
            '<div class="fg-cell">{}<span class="fg-sub">{}</span></div>', obj.requested_by, at
        )

    @display(description=gettext_lazy("state"), ordering="state", label=TONES)
    def state_shown(self, obj: Approval) -> tuple[str, str]:
        return obj.state, obj.get_state_display()

    @display(description=gettext_lazy("digest of what is asked"))
    def digest_shown(self, obj: Approval) -> str:
        return format_html('<code class="fg-mono">{}</code>', bytes(obj.digest).hex())


def overview_of(approval: Approval, *, user: User, now: dt.datetime) -> dict[str, Any]:
    """Context of the pages of one approval."""
    is_waiting = approval.state == Approval.State.REQUESTED
    deciders = list(approvals.deciders_of(approval).order_by("email")[: _DECIDERS_NAMED + 1])
    return {
        "approval": approval,
        "title": approvals.title_of(approval),
        "moves_nothing": not approval.amounts,
        "thing": approvals.names_of([approval])[approval.pk],
        "thing_page": _page_of(approval.about),
        "moved_alone": _moved_alone(approval),
        "state_word": approval.get_state_display(),
        "tone": TONES[approval.state],
        "is_waiting": is_waiting,
        "is_late": is_waiting and approval.expires_at <= now,
        "obstacle": _obstacle(approval) if is_waiting else "",
        "accounts": _would_move(approval) if is_waiting else _moved(approval.result),
        "deciders": deciders[:_DECIDERS_NAMED],
        "more_deciders": len(deciders) > _DECIDERS_NAMED,
        "is_own": approval.requested_by_id == user.pk,
        "may_not": approvals.why_may_not_decide(approval, user),
    }


def _moved_alone(approval: Approval) -> str:
    """What whoever asked had moved without a second person in the day before: it may be why this one waits."""
    moved = moved_alone(approval.requested_by, until=approval.requested_at)
    return ", ".join(format_amount(amount, unit) for unit, amount in moved.items())


def _page_of(about: str) -> str:
    """The admin's page of the thing that `about` names by its model and public id; empty where there is none."""
    sort, _colon, public_id = about.partition(":")
    with contextlib.suppress(LookupError, ValueError, FieldError, ValidationError, NoReverseMatch):
        model = apps.get_model(sort)
        pk = model._default_manager.filter(public_id=public_id).values_list("pk", flat=True).first()
        if pk is not None:
            return reverse(f"admin:{model._meta.app_label}_{model._meta.model_name}_change", args=[pk])
    return ""


def _why_not(approval: Approval, decision: Decision, user: User) -> str:
    """Why there is no use in asking this person for this decision."""
    if approval.state != Approval.State.REQUESTED:
        return _("This is no longer waiting: %(state)s.") % {"state": approval.get_state_display().lower()}
    if decision.by_requester:
        return "" if approval.requested_by_id == user.pk else _("Only who asked for it takes it back.")
    return approvals.why_may_not_decide(approval, user)


def _said(approval: Approval) -> str:
    match approval.state:
        case Approval.State.DONE:
            return _("Approved and done: %(what)s.") % {"what": approvals.title_of(approval)}
        case Approval.State.REJECTED:
            return _("Rejected. Nothing was moved; %(who)s is told.") % {"who": approval.requested_by}
    return _("Withdrawn. Nothing was moved.")


def _obstacle(approval: Approval) -> str:
    """Why it could not be done at this moment, as far as can be seen without doing it."""
    try:
        return approvable(approval.kind).why_not(approvals.act_of(approval))
    except UnknownKindError:
        return _("This site does not know such acts any more: nobody can decide about it.")


def _would_move(approval: Approval) -> list[dict[str, Any]]:
    """Each account as it stands, and as it would stand; one below its floor is marked."""
    try:
        moves = approvable(approval.kind).moves(approvals.act_of(approval))
    except UnknownKindError:
        return []
    known = {account.code: account for account in Account.objects.filter(code__in=list(moves))}
    rows = []
    for code, amount in sorted(moves.items(), key=lambda move: move[1]):
        unit, account = code.rpartition(":")[2], known.get(code)
        keeps = account.is_materialised if account else not code.startswith("world:")
        held = account.balance if account else 0
        floor = account.floor if account else 0
        rows.append(
            _row(
                code,
                unit,
                amount,
                held if keeps else None,
                held + amount if keeps else None,
                short=keeps and floor is not None and held + amount < floor,
            )
        )
    return rows


def _moved(entry: LedgerEntry | None) -> list[dict[str, Any]]:
    """What the ledger says it did."""
    if entry is None:
        return []
    rows = []
    for posting in entry.postings.select_related("account").order_by("amount"):
        after = posting.balance_after
        before = None if after is None else after - posting.amount
        rows.append(_row(posting.account.code, posting.unit, posting.amount, before, after))
    return rows


def _row(
    code: str, unit: str, amount: int, before: int | None, after: int | None, *, short: bool = False
) -> dict[str, Any]:
    return {
        "code": code,
        "amount": ("+" if amount > 0 else "") + format_amount(amount, unit),
        "keeps": before is not None and after is not None,
        "before": "" if before is None else format_amount(before, unit),
        "after": "" if after is None else format_amount(after, unit),
        "short": short,
    }
