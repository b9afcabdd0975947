"""The page on which somebody pays at the stand-in: it says that no money moves, and does what its buttons say."""

from datetime import timedelta
from urllib.parse import urlsplit

from django.conf import settings
from django.http import HttpRequest, HttpResponse, HttpResponseBadRequest
from django.shortcuts import get_object_or_404, redirect, render
from django.utils import timezone
from django.utils.translation import gettext_lazy as _
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_http_methods

from payments.standin import services
from payments.standin.models import Transaction

WAITS = ((10, _("10 seconds")), (90, _("90 seconds")), (600, _("10 minutes")))
"""After how many seconds who pays late may pay."""
_POLICY = (
    "default-src 'none'; style-src 'self'; img-src 'self' data:; font-src 'self'; base-uri 'none'; "
    "frame-ancestors 'none'; form-action 'self'"
)


@never_cache
@require_http_methods(["GET", "POST"])
def checkout(request: HttpRequest, access_code: str) -> HttpResponse:
    """Show what is to be paid; POST: `action` is pay, decline, leave or later (`seconds`)."""
    row = get_object_or_404(Transaction, access_code=access_code)
    if request.method == "GET":
        return _page(request, row)
    now = timezone.now()
    match request.POST.get("action"):
        case "pay":
            row = services.pay(access_code=access_code, now=now)
        case "decline":
            row = services.decline(access_code=access_code, now=now)
        case "later":
            seconds = request.POST.get("seconds", "")
            if seconds not in {str(wait) for wait, _label in WAITS}:
                return HttpResponseBadRequest(_("Choose when it shall be paid."))
            row = services.pay_late(access_code=access_code, after=timedelta(seconds=int(seconds)), now=now)
        case "leave":
            pass
        case _other:
            return HttpResponseBadRequest(_("Press one of the page's buttons."))
    if back := services.way_back(row):
        answer = redirect(back)
        answer.headers["Content-Security-Policy"] = _policy_for(row)
        return answer
    return _page(request, row)


def _page(request: HttpRequest, row: Transaction) -> HttpResponse:
    context = {
        "payment": row,
        # Paystack counts hundredths in every currency.
        "amount": f"{row.requested_amount / 100:,.2f}" if row.requested_amount < 2**50 else "",
        "is_paid": row.paid_at is not None,
        "waits": WAITS,
        "way_back": services.way_back(row),
        "site_name": settings.SITE_NAME,
    }
    answer = render(request, "standin/checkout.html", context)
    answer.headers["Content-Security-Policy"] = _policy_for(row)
    answer.headers["X-Robots-Tag"] = "noindex"
    return answer


def _policy_for(row: Transaction) -> str:
    """Browsers hold `form-action` also against where the answer to a form leads."""
    parts = urlsplit(row.callback_url)
    return f"{_POLICY} {parts.scheme}://{parts.netloc}" if parts.netloc else _POLICY
