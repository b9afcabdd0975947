"""Withdrawals in the admin: looked at, approved, rejected, sent again, or marked as paid by hand."""

import uuid
from collections.abc import Callable
from typing import Any

from django import forms
from django.contrib import admin, messages
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from unfold.decorators import action, display
from unfold.widgets import UnfoldAdminTextareaWidget

from accounts.fresh_sign_in import fresh_sign_in_required, kept_form
from accounts.models import User
from payments.admin.acts import ActsWithPayments, found
from payments.admin.readonly import ReadOnlyAdmin
from payments.admin.times import LocalTimesFilter
from payments.approvals import ApprovalError, Outcome, sentence_of
from payments.ledger import LedgerError
from payments.models import Withdrawal
from payments.money import format_amount
from payments.services.withdrawing import (
    WithdrawalError,
    approve_withdrawal,
    mark_paid_by_hand,
    reject_withdrawal,
    send_again,
)

_TONES = {
    "paid": "success",
    "failed": "danger",
    "rejected": "danger",
    "attention": "warning",
    "requested": "info",
    "approved": "info",
    "sent": "info",
}


class ReasonForm(forms.Form):
    """A sentence, kept for good. `token` is made with the form: sent twice, it is done once."""

    reason = forms.CharField(
        label=gettext_lazy("Reason"), max_length=300, widget=UnfoldAdminTextareaWidget({"rows": 3})
    )
    token = forms.UUIDField(widget=forms.HiddenInput, initial=uuid.uuid4)


class WaitingFilter(admin.SimpleListFilter):
    """What is neither paid nor given back."""

    title = gettext_lazy("still open")
    parameter_name = "waits"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        return [("yes", _("Neither paid nor given back"))]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Withdrawal]) -> QuerySet[Withdrawal]:
        return queryset.filter(finished_at=None) if self.value() == "yes" else queryset


@admin.register(Withdrawal)
class WithdrawalAdmin(ActsWithPayments, ReadOnlyAdmin):
    """Withdrawals: what members want paid out, and how far it is."""

    list_display = ("reference", "member", "goes_out", "bank_name", "where", "requested_at")
    list_select_related = ("member",)
    list_filter = (WaitingFilter, "state", "unit", ("requested_at", LocalTimesFilter))
    list_filter_submit = True
    search_fields = ("reference", "member__email")
    ordering = ("-requested_at",)
    fields = (
        "reference",
        "member",
        "goes_out",
        "destination",
        "bank_name",
        "account_number",
        "account_name",
        "state",
        "outcome",
        "reason",
        "evidence",
        "approved_by",
        "requested_at",
        "finished_at",
        "was_sent",
        "attempts",
        "try_after",
        "transfer_code",
        "held_entry",
    )
    actions_detail = ("approve", "reject", "paid_by_hand", "again")

    @display(description=gettext_lazy("amount"), ordering="amount")
    def goes_out(self, obj: Withdrawal) -> str:
        return format_amount(obj.amount, obj.unit)

    @display(description=gettext_lazy("state"), ordering="state", label=_TONES)
    def where(self, obj: Withdrawal) -> tuple[str, str]:
        return obj.state, obj.get_state_display()

    @action(
        description=gettext_lazy("Approve"),
        url_path="approve",
        permissions=["manage_payments"],
        icon="check",
    )
    @fresh_sign_in_required
    def approve(self, request: HttpRequest, object_id: str) -> HttpResponse:
        """Agree that it is paid."""
        return self._decide(
            request,
            object_id,
            lambda one, by, said, token: approve_withdrawal(
                withdrawal=one,
                by=by,
                reason=said,
                idem_key=f"withdrawal:{one.public_id}:approved:{token}",
                now=timezone.now(),
            ),
            title=_("Approve"),
            label=_("What you looked at"),
            done=_("Approved: Paystack is being asked to pay it."),
            notes=[
                _("Paystack pays it within a minute or so; the member is told."),
                _("Above your limit a second person has to agree."),
                _("Nobody approves their own withdrawal."),
            ],
        )

    @action(
        description=gettext_lazy("Reject"), url_path="reject", permissions=["manage_payments"], icon="block"
    )
    @fresh_sign_in_required
    def reject(self, request: HttpRequest, object_id: str) -> HttpResponse:
        """Give it back."""
        return self._decide(
            request,
            object_id,
            lambda one, by, said, token: reject_withdrawal(
                withdrawal=one, reason=said, by=by, now=timezone.now()
            ),
            title=_("Reject"),
            label=_("Why not"),
            done=_("Rejected: the money is back in the wallet, and the member is told."),
            notes=[_("The member reads the reason."), _("What Paystack may be paying already can't be.")],
        )

    @action(
        description=gettext_lazy("Paid by hand"),
        url_path="paid-by-hand",
        permissions=["manage_payments"],
        icon="front_hand",
    )
    @fresh_sign_in_required
    def paid_by_hand(self, request: HttpRequest, object_id: str) -> HttpResponse:
        """Write down that it was paid without Paystack."""
        return self._decide(
            request,
            object_id,
            lambda one, by, said, token: mark_paid_by_hand(
                withdrawal=one,
                by=by,
                evidence=said,
                idem_key=f"withdrawal:{one.public_id}:by-hand:{token}",
                now=timezone.now(),
            ),
            title=_("Paid by hand"),
            label=_("Evidence"),
            done=_("Written down as paid, and the member is told."),
            notes=[
                _(
                    "Pay it first. Then say here how that can be proved: the number of a receipt, a statement."
                ),
                _("Above your limit a second person has to agree."),
            ],
        )

    @action(
        description=gettext_lazy("Send again"),
        url_path="send-again",
        permissions=["manage_payments"],
        icon="refresh",
    )
    @fresh_sign_in_required
    def again(self, request: HttpRequest, object_id: str) -> HttpResponse:
        """Try once more what Paystack has refused."""
        one = found(Withdrawal, object_id)
        assert isinstance(request.user, User)
        try:
            send_again(withdrawal=one, by=request.user, now=timezone.now())
        except WithdrawalError as error:
            messages.error(request, str(error))
        else:
            messages.success(request, _("Paystack is being asked again."))
        return HttpResponseRedirect(reverse("admin:payments_withdrawal_change", args=[one.pk]))

    def _decide(
        self,
        request: HttpRequest,
        object_id: str,
        act: Callable[[Withdrawal, User, str, uuid.UUID], Outcome | Withdrawal],
        *,
        title: str,
        label: str,
        done: str,
        notes: list[str],
    ) -> HttpResponse:
        """Ask for the sentence, and do it."""
        one = found(Withdrawal, object_id)
        assert isinstance(request.user, User)
        back = reverse("admin:payments_withdrawal_change", args=[one.pk])
        form = ReasonForm(request.POST if request.method == "POST" else kept_form(request))
        form.fields["reason"].label = label
        if request.method == "POST" and form.is_valid():
            data = form.cleaned_data
            try:
                outcome = act(one, request.user, data["reason"], data["token"])
            except (WithdrawalError, ApprovalError, LedgerError) as error:
                form.add_error(None, sentence_of(error))
            else:
                approval = outcome.approval if isinstance(outcome, Outcome) else None
                if approval is not None and isinstance(outcome, Outcome) and outcome.entry is None:
                    messages.warning(request, _("This is above your limit: a second person has to agree."))
                    back = reverse("admin:payments_approval_change", args=[approval.pk])
                else:
                    messages.success(request, done)
                return HttpResponseRedirect(back)
        lede = _("%(amount)s to %(bank)s, %(number)s, %(name)s. It is %(state)s.") % {
            "amount": format_amount(one.amount, one.unit),
            "bank": one.bank_name,
            "number": one.account_number or "–",
            "name": one.account_name or "–",
            "state": one.get_state_display().lower(),
        }
        return self.ask(
            request, form, title=title, lede=lede, button=title, back=back, thing=one.reference, notes=notes
        )
