"""Buying: what is on offer, the way to Paystack and back, and what became of each payment.

Thin edges over `payments.services.checkout` and `payments.services.asking`. Everybody sees their own payments alone.
"""

import contextlib
import uuid

import structlog
from django.conf import settings
from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.core.paginator import Paginator
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext as _
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_http_methods, require_safe

from accounts.models import User
from payments import paystack
from payments.forms import BuyForm
from payments.keys import domain
from payments.models import Payment
from payments.packages import KIND, offers
from payments.purchasables import NotForSaleError
from payments.services.asking import NotKnownThereError, check_payment
from payments.services.checkout import CheckoutError, begin_checkout, paystack_page
from payments.services.lots import unused_credits
from payments.services.settling import Source

log = structlog.get_logger(__name__)

PER_PAGE = 20
_PAYSTACKS_PAGES = ("https://checkout.paystack.com", "https://paystack.com")


@never_cache
@login_required
@require_http_methods(["GET", "HEAD", "POST"])
def packages(request: HttpRequest) -> HttpResponse:
    """What can be bought; sent, it leads to Paystack's page."""
    member = _member(request)
    form = BuyForm(request.POST or None)
    if request.method == "POST" and form.is_valid():
        try:
            return redirect(_begin(request, member, form))
        except (NotForSaleError, CheckoutError) as error:
            form.add_error(None, str(error))
    context = {
        "offers": offers(),
        "form": form,
        "is_test": domain() == "test",
    }
    response = render(request, "payments/packages.html", context)
    return _may_lead_on(response)


@never_cache
@login_required
@require_safe
def history(request: HttpRequest) -> HttpResponse:
    """All payments of this member, the newest first."""
    paginator = Paginator(Payment.objects.filter(member=_member(request)).order_by("-created_at"), PER_PAGE)
    page = paginator.get_page(request.GET.get("page"))
    return render(request, "payments/payments.html", {"page": page})


@never_cache
@login_required
@require_safe
def payment(request: HttpRequest, public_id: uuid.UUID) -> HttpResponse:
    """One payment: what became of it, and its receipt to print. Another person's is not there."""
    found = Payment.objects.filter(public_id=public_id, member=_member(request)).first()
    if found is None:
        raise Http404
    context = {
        "payment": found,
        "is_open": found.status in Payment.OPEN,
        "may_pay": bool(found.authorization_url) and found.status in Payment.OPEN,
        "is_reviewed": found.reviews.filter(resolved_at=None).exists(),
        "refunds": list(found.refunds.order_by("requested_at")),
        "unused": unused_credits(found) if found.is_paid else 0,
    }
    return _may_lead_on(render(request, "payments/payment.html", context))


@never_cache
@require_safe
def callback(request: HttpRequest) -> HttpResponse:
    """Where Paystack sends people back to. It proves nothing: Paystack is asked, and the answer counts."""
    reference = request.GET.get("reference") or request.GET.get("trxref") or ""
    found = Payment.objects.filter(reference=reference[:60]).first() if reference else None
    if found is None:
        raise Http404
    if not found.is_paid:
        with contextlib.suppress(NotKnownThereError):
            try:
                check_payment(payment=found, source=Source.CALLBACK, now=timezone.now())
            except paystack.PaystackError as error:
                log.warning("callback_not_checked", payment=str(found.public_id), error=str(error))
                messages.info(request, _("Paystack is slow to answer: this page shows the payment soon."))
    return redirect("payments:payment", found.public_id)


def _begin(request: HttpRequest, member: User, form: BuyForm) -> str:
    now = timezone.now()
    payment = begin_checkout(
        kind=KIND,
        item=str(form.cleaned_data["package"]),
        buyer=member,
        expected=(form.cleaned_data["price"], form.cleaned_data["currency"]),
        checkout_key=form.cleaned_data["checkout_key"],
        now=now,
    )
    if payment.is_paid:
        return reverse("payments:payment", args=[payment.public_id])
    callback_url = settings.SITE_URL + reverse("payments:callback")
    return paystack_page(payment=payment, callback_url=callback_url, now=now)


def _may_lead_on(response: HttpResponse) -> HttpResponse:
    response.form_targets = _PAYSTACKS_PAGES  # type: ignore[attr-defined]  # for the middleware of the policy
    return response


def _member(request: HttpRequest) -> User:
    assert isinstance(request.user, User)  # behind login_required
    return request.user
