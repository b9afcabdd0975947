"""The page on which members show that a telephone number is theirs."""

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils import timezone
from django.utils.translation import gettext as _
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_http_methods

from accounts.models import User
from notifications.forms import CodeForm
from notifications.models import SuppressionReason
from notifications.services.proving import (
    VALID_FOR,
    ProofError,
    ask_for_code,
    is_offered,
    newest_code,
    prove_phone,
    suppression_of,
)


@never_cache
@login_required
@require_http_methods(["GET", "HEAD", "POST"])
def phone(request: HttpRequest) -> HttpResponse:
    """Ask for a code, and type it back. There only where the site sends SMS."""
    if not is_offered():
        raise Http404
    assert isinstance(request.user, User)
    member, now = request.user, timezone.now()
    form = CodeForm()
    if request.method == "POST" and "ask" in request.POST:
        try:
            ask_for_code(member=member, now=now)
        except ProofError as error:
            messages.error(request, str(error))
        else:
            messages.success(request, _("A code is on its way to %(phone)s.") % {"phone": member.phone})
        return redirect("notifications:phone")
    if request.method == "POST":
        form = CodeForm(request.POST)
        if form.is_valid():
            try:
                prove_phone(member=member, digits=form.cleaned_data["code"], now=now)
            except ProofError as error:
                form.add_error("code", str(error))
            else:
                messages.success(request, _("This number is shown to be yours."))
                return redirect("notifications:phone")
    code = newest_code(member)
    is_sent = code is not None and code.phone == member.phone and now < code.sent_at + VALID_FOR
    suppressed = suppression_of(member.phone) if member.proven_phone else None
    has_stopped = suppressed is not None and suppressed.reason == SuppressionReason.STOP
    return render(
        request,
        "notifications/phone.html",
        {"form": form, "is_sent": is_sent, "member": member, "has_stopped": has_stopped},
    )
