"""The page on which staff adjust a member's wallet."""

import contextlib
import uuid
from typing import Any

from django.contrib import messages
from django.contrib.admin.utils import unquote
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.template.response import TemplateResponse
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from unfold.admin import ModelAdmin
from unfold.decorators import action

from accounts.fresh_sign_in import fresh_sign_in_required, kept_form
from accounts.models import User
from payments.accounts import member_code
from payments.adjustments import AdjustmentError, adjust_wallet
from payments.admin.forms import AdjustForm
from payments.approvals import ApprovalError, sentence_of
from payments.ledger import LedgerError
from payments.limits import limit_of
from payments.models import Account
from payments.money import format_amount


class WalletAdjusting(ModelAdmin):
    """The act on the list of accounts, and on the page of a wallet with its member filled in."""

    actions_list = ("adjust",)
    actions_detail = ("adjust_this",)

    # By method, like the acts of draws: unfold's check would look a named permission up in the database.
    def has_manage_payments_permission(self, request: HttpRequest, object_id: Any = None) -> bool:
        return bool(request.user.has_perm("payments.manage_payments"))

    def get_actions_detail(self, request: HttpRequest, object_id: Any) -> list[Any]:
        """Only wallets are adjusted: pools and the outside world have acts of their own."""
        if _wallet(object_id) is None:
            return []
        return super().get_actions_detail(request, object_id)  # type: ignore[no-any-return]

    @action(
        description=gettext_lazy("Adjust this wallet"),
        url_path="adjust-this",
        permissions=["manage_payments"],
        icon="tune",
    )
    def adjust_this(self, request: HttpRequest, object_id: str) -> HttpResponse:
        page = reverse("admin:payments_account_adjust")
        wallet = _wallet(object_id)
        if wallet is None or wallet.owner is None:
            return HttpResponseRedirect(page)
        return HttpResponseRedirect(f"{page}?member={wallet.owner.public_id}&unit={wallet.unit}")

    @action(
        description=gettext_lazy("Adjust a wallet"),
        url_path="adjust",
        permissions=["manage_payments"],
        icon="tune",
    )
    @fresh_sign_in_required
    def adjust(self, request: HttpRequest) -> HttpResponse:
        assert isinstance(request.user, User)
        if request.method != "POST":
            return self._ask(request, AdjustForm(kept_form(request), initial=_given(request)))
        form = AdjustForm(request.POST)
        if form.is_valid():
            data = form.cleaned_data
            try:
                outcome = adjust_wallet(
                    member=data["member"],
                    unit=data["unit"],
                    amount=data["amount"],
                    by=request.user,
                    reason=data["reason"],
                    idem_key=f"adjust:{data['member'].public_id}:{data['token']}",
                    now=timezone.now(),
                )
            except (AdjustmentError, ApprovalError, LedgerError) as error:
                form.add_error(None, sentence_of(error))
            else:
                if outcome.entry is None and outcome.approval is not None:
                    messages.warning(
                        request,
                        _(
                            "Nothing has moved yet: with what you moved alone in the last 24 hours this is above the "
                            "limit, and waits for a second person."
                        ),
                    )
                    return HttpResponseRedirect(
                        reverse("admin:payments_approval_change", args=[outcome.approval.pk])
                    )
                wallet = Account.objects.get(code=member_code(data["member"].pk, data["unit"]))
                messages.success(
                    request,
                    _("The wallet of %(member)s holds %(held)s now.")
                    % {"member": data["member"], "held": format_amount(wallet.balance, wallet.unit)},
                )
                return HttpResponseRedirect(reverse("admin:payments_account_change", args=[wallet.pk]))
        return self._ask(request, form)

    def _ask(self, request: HttpRequest, form: AdjustForm) -> HttpResponse:
        limits = [format_amount(limit_of(unit), unit) for unit in ("KES", "CREDIT", "POINT")]
        return TemplateResponse(
            request,
            "admin/payments/account/adjust.html",
            {
                **self.admin_site.each_context(request),
                "opts": self.opts,
                "title": _("Adjust a wallet"),
                "form": form,
                "limits": limits,
                "back": reverse("admin:payments_account_changelist"),
            },
        )


def _wallet(object_id: Any) -> Account | None:
    """The account if it is a member's wallet."""
    pk = unquote(str(object_id))
    account = Account.objects.select_related("owner").filter(pk=pk).first() if pk.isdigit() else None
    if account is None or account.owner is None:
        return None
    return account if account.code == member_code(account.owner.pk, account.unit) else None


def _given(request: HttpRequest) -> dict[str, str]:
    """What the address fills in: who and in which unit. People stand in addresses by public id, never by e-mail."""
    given = {"unit": request.GET.get("unit", "")}
    with contextlib.suppress(ValueError):
        public_id = uuid.UUID(request.GET.get("member", ""))
        given["member"] = (
            User.objects.filter(public_id=public_id).values_list("email", flat=True).first() or ""
        )
    return {name: value for name, value in given.items() if value}
