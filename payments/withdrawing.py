"""A member's withdrawals: asking to be paid out, taking it back, and how far each is. Everybody sees their own alone."""

import uuid

import structlog
from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.core.paginator import Paginator
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils import timezone
from django.utils.translation import gettext as _
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_http_methods, require_POST

from accounts.models import User
from payments import paystack
from payments.forms import WithdrawForm
from payments.models import Account, Withdrawal
from payments.services.banks import banks_for
from payments.services.withdrawing import (
    Destination,
    WithdrawalError,
    ask_withdrawal,
    cancel_withdrawal,
    money_wallets,
)

log = structlog.get_logger(__name__)

PER_PAGE = 20


@never_cache
@login_required
@require_http_methods(["GET", "HEAD", "POST"])
def withdraw(request: HttpRequest) -> HttpResponse:
    """The form, for one wallet at a time since each currency has banks of its own, and what was asked for before."""
    member = _member(request)
    wallets = money_wallets(member)
    shown = _chosen(wallets, request.POST.get("unit") or request.GET.get("unit") or "")
    form, banks = None, _banks(shown)
    if shown is not None and banks:
        form = WithdrawForm(request.POST or None, wallet=shown, banks=banks)
        if request.method == "POST" and form.is_valid():
            try:
                _ask(member, shown, form, banks)
            except WithdrawalError as error:
                form.add_error("amount", str(error))
            else:
                messages.success(request, _("Asked for. You are told as soon as it is paid."))
                return redirect("payments:withdraw")
    own = Withdrawal.objects.filter(member=member).order_by("-requested_at", "-pk")
    context = {
        "wallets": wallets,
        "shown": shown,
        "form": form,
        "is_silent": banks is None,
        "page": Paginator(own, PER_PAGE).get_page(request.GET.get("page")),
    }
    return render(request, "payments/withdraw.html", context)


@never_cache
@login_required
@require_POST
def cancel(request: HttpRequest, public_id: uuid.UUID) -> HttpResponse:
    """Take back what nobody has decided about. Another person's is not there."""
    member = _member(request)
    found = Withdrawal.objects.filter(public_id=public_id, member=member).first()
    if found is None:
        raise Http404
    try:
        cancel_withdrawal(withdrawal=found, member=member, now=timezone.now())
    except WithdrawalError as error:
        messages.error(request, str(error))
    else:
        messages.success(request, _("Taken back: the money is in your wallet."))
    return redirect("payments:withdraw")


def _ask(member: User, wallet: Account, form: WithdrawForm, banks: list[paystack.Bank]) -> None:
    data = form.cleaned_data
    bank = next(bank for bank in banks if bank.code == data["bank"])
    ask_withdrawal(
        member=member,
        unit=wallet.unit,
        amount=data["amount"],
        to=Destination(
            recipient_type=bank.type,
            bank_code=bank.code,
            bank_name=bank.name,
            account_number=data["account_number"],
            account_name=data["account_name"],
        ),
        idem_key=f"withdrawal:{member.pk}:{data['token']}",
        now=timezone.now(),
    )


def _chosen(wallets: list[Account], unit: str) -> Account | None:
    usual = next((wallet for wallet in wallets if wallet.balance), wallets[0] if wallets else None)
    return next((wallet for wallet in wallets if wallet.unit == unit), usual)


def _banks(wallet: Account | None) -> list[paystack.Bank] | None:
    """Where this currency can be paid to, in the order of names; None where Paystack gives no answer."""
    if wallet is None or wallet.balance <= 0:
        return []
    try:
        banks = banks_for(currency=wallet.unit, now=timezone.now())
    except paystack.PaystackRefusedError:
        return []
    except paystack.PaystackError as error:
        log.warning("banks_not_listed", unit=wallet.unit, error=str(error))
        return None
    return sorted((bank for bank in banks if bank.type), key=lambda bank: bank.name)


def _member(request: HttpRequest) -> User:
    assert isinstance(request.user, User)  # behind login_required
    return request.user
