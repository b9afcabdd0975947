"""The page on which people see where they are signed in, and sign out there."""

from uuid import UUID

from django.contrib import messages
from django.contrib.auth import logout
from django.contrib.auth.decorators import login_required
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import ngettext
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_POST, require_safe

from accounts.models import SignedInSession, User
from accounts.sessions import sessions_of
from config.second_factor import end_sessions


@never_cache
@login_required
@require_safe
def sessions(request: HttpRequest) -> HttpResponse:
    """Where I am signed in: this session first."""
    assert isinstance(request.user, User)
    mine = sessions_of(request.user, now=timezone.now())
    mine.sort(key=lambda row: row.session_key != request.session.session_key)
    rows = [(row, row.session_key == request.session.session_key) for row in mine]
    return render(request, "account/sessions.html", {"rows": rows, "others": len(rows) - 1})


@login_required
@require_POST
def end(request: HttpRequest, session_id: UUID) -> HttpResponse:
    """Sign out one session of mine."""
    assert isinstance(request.user, User)
    row = get_object_or_404(SignedInSession, public_id=session_id, account=request.user)
    if row.session_key == request.session.session_key:
        logout(request)
        return redirect("home")
    end_sessions(user=request.user, chosen=[row.session_key], now=timezone.now())
    messages.success(request, _("%(device)s is signed out.") % {"device": row.device})
    return redirect("sessions")


@login_required
@require_POST
def end_others(request: HttpRequest) -> HttpResponse:
    """Sign out every session of mine but this one."""
    assert isinstance(request.user, User)
    mine = SignedInSession.objects.filter(account=request.user)
    others = mine.exclude(session_key=request.session.session_key).values_list("session_key", flat=True)
    count = end_sessions(user=request.user, chosen=list(others), now=timezone.now())
    done = ngettext(
        "%(count)d other session is signed out.", "%(count)d other sessions are signed out.", count
    )
    messages.success(request, done % {"count": count})
    return redirect("sessions")
