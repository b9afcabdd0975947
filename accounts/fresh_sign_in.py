"""Acts with money ask who is there: a sign-in, or a confirmation of it, at most some minutes old.

`fresh_sign_in_required` is put on each admin view that moves money. Who signed in longer ago is led to the page that
asks for the password or the code, and comes back to the form; what had been typed is kept in the session meanwhile
and stands in the form again (`kept_form`). Nothing is done by the confirmation alone.
"""

import datetime as dt
from collections.abc import Callable
from functools import wraps
from typing import Any, Concatenate, ParamSpec

from allauth.account.adapter import get_adapter
from allauth.account.authentication import get_authentication_records
from django.conf import settings
from django.contrib import messages
from django.contrib.auth import REDIRECT_FIELD_NAME
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect, QueryDict
from django.urls import reverse
from django.utils import timezone
from django.utils.http import urlencode
from django.utils.translation import gettext as _

KEPT_IN_SESSION = "kept_form"
LARGEST_KEPT = 20_000
"""Characters of a form that the session keeps; what moves money is short."""

P = ParamSpec("P")
View = Callable[Concatenate[Any, HttpRequest, P], HttpResponse]
SHOWN = ("password", "mfa")
"""What a person has in hand, unlike a link in a mailbox, as allauth notes it."""


def is_fresh(request: HttpRequest, *, now: dt.datetime) -> bool:
    """Whether the person signed in, or confirmed it was them, at most `FRESH_SIGN_IN_MINUTES` ago."""
    return _newest_is_fresh(get_authentication_records(request, request.user), now)


def has_just_shown(request: HttpRequest, *, now: dt.datetime) -> bool:
    """Whether the person gave the password or a factor that recently: at the sign-in or after, it is the same."""
    records = get_authentication_records(request, request.user)
    return _newest_is_fresh([each for each in records if each["method"] in SHOWN], now)


def _newest_is_fresh(records: list[dict[str, Any]], now: dt.datetime) -> bool:
    if not records:
        return False
    age = now.timestamp() - max(float(each["at"]) for each in records)
    return bool(age < settings.FRESH_SIGN_IN_MINUTES * 60)


def fresh_sign_in_required(view: View[P]) -> View[P]:
    """Decorator of a method that is a view: only for who signed in freshly; others confirm first and come back.

    Put it under what checks permissions: nobody is asked to confirm for what they may not do.
    """

    @wraps(view)
    def asking(owner: Any, request: HttpRequest, /, *args: P.args, **kwargs: P.kwargs) -> HttpResponse:
        if is_fresh(request, now=timezone.now()):
            return view(owner, request, *args, **kwargs)
        return ask_to_confirm(
            request, _("Money is moved only soon after signing in. Confirm that it is you.")
        )

    return asking


def kept_form(request: HttpRequest) -> QueryDict | None:
    """What had been typed here before the person was asked to confirm; given out once, and to this page only."""
    kept = request.session.get(KEPT_IN_SESSION)
    if not isinstance(kept, dict) or kept.get("path") != request.path:
        return None
    del request.session[KEPT_IN_SESSION]
    return QueryDict(kept["data"])


def ask_to_confirm(request: HttpRequest, sentence: str) -> HttpResponse:
    """Lead to the page that asks for the password or the code, saying why; what was typed is kept."""
    # `Any`: a user or nobody; the admin lets nobody but users in.
    user: Any = request.user
    ways = get_adapter().get_reauthentication_methods(user)
    if not ways:
        messages.error(
            request,
            _(
                "This account has neither a password nor a second factor to confirm with: set a password first."
            ),
        )
        return HttpResponseRedirect(reverse("admin:index" if user.is_staff else "account_change_password"))
    if request.method == "POST":
        typed = request.POST.copy()
        typed.pop("csrfmiddlewaretoken", None)
        data = typed.urlencode()
        if len(data) <= LARGEST_KEPT:
            request.session[KEPT_IN_SESSION] = {"path": request.path, "data": data}
            sentence += " " + _("What you typed is kept.")
    messages.info(request, sentence)
    back = urlencode({REDIRECT_FIELD_NAME: request.get_full_path()})
    return HttpResponseRedirect(f"{ways[0]['url']}?{back}")
