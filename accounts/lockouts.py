"""Who is locked out for guessing, and for how long: what django-axes asks about each wrong password and code.

Counted in PostgreSQL, so a Redis that is gone lets nobody guess on. Passwords are counted by account *and* address: whoever
guesses does not shut the owner out. Codes are counted by account alone, because who gets to type them knows the
password already, and six digits have to last: five wrong ones, from wherever, and no code is taken for a while. An
account that does not exist is locked like one that does.
"""

import datetime as dt
import math
from typing import Any

from axes.handlers.proxy import AxesProxyHandler
from axes.models import AccessAttempt
from django.conf import settings
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils import timezone

from accounts.models import User, normalise_email

CODES = "codes of "
"""Begins the name under which the wrong codes of an account are counted."""
CODE_FAILURES = 5
_LONGEST_NAME = 255


def failure_limit(request: HttpRequest, credentials: dict[str, Any] | None) -> int:
    """How many wrong ones in a row lock."""
    return locks_at(account_tried(request, credentials))


def locks_at(name: str) -> int:
    """The same for the name under which failures are counted."""
    return CODE_FAILURES if is_of_codes(name) else int(settings.SIGN_IN_FAILURES)


def lock_time(request: HttpRequest | None = None) -> dt.timedelta:
    """How long a lock lasts, counted from the last wrong one; also the pause after which counting starts anew."""
    return dt.timedelta(minutes=settings.SIGN_IN_LOCK_MINUTES)


def account_tried(request: HttpRequest, credentials: dict[str, Any] | None) -> str:
    """The account that somebody tries to get into, in the one form of addresses, cut to what the table holds."""
    return normalise_email(str((credentials or {}).get("email") or ""))[:_LONGEST_NAME]


def counted_together(request: Any, credentials: dict[str, Any] | None) -> list[str | list[str]]:
    """What has to be the same for failures to add up."""
    return ["username"] if is_of_codes(account_tried(request, credentials)) else [["username", "ip_address"]]


def codes_locked(request: HttpRequest, user: User) -> bool:
    """Whether no code of this account is taken at the moment; then the answer is the page that says so."""
    if AxesProxyHandler.is_allowed(request, _codes_of(user)):
        return False
    _lock(request, user)
    return True


def note_wrong_code(request: HttpRequest, user: User) -> bool:
    """Count a wrong code; True where it was the one that locks."""
    AxesProxyHandler.user_login_failed(User, _codes_of(user), request)
    return bool(request.axes_locked_out)  # type: ignore[attr-defined]


def forget_wrong_codes(user: User) -> None:
    """A right one ends the count."""
    AxesProxyHandler.reset_attempts(username=_codes_of(user)["email"])


def forget_wrong_passwords(user: User) -> None:
    """A new password ends the count, from every address."""
    AxesProxyHandler.reset_attempts(username=account_tried(HttpRequest(), {"email": user.email}))


def locked_out(request: HttpRequest, original: HttpResponse, credentials: dict[str, Any]) -> HttpResponse:
    """The answer to who is locked out: what happened, how long, and what to do meanwhile. 429 with `Retry-After`."""
    name = account_tried(request, credentials)
    tries = AccessAttempt.objects.filter(username=name)
    if not is_of_codes(name):
        tries = tries.filter(ip_address=request.axes_ip_address)  # type: ignore[attr-defined]
    newest = tries.order_by("-attempt_time").values_list("attempt_time", flat=True).first()
    left = (newest or timezone.now()) + lock_time(request) - timezone.now()
    seconds = max(1, math.ceil(left.total_seconds()))
    context = {"minutes": math.ceil(seconds / 60), "codes": is_of_codes(name)}
    response = render(request, "account/locked_out.html", context, status=429)
    response.headers["Retry-After"] = str(seconds)
    return response


def _lock(request: HttpRequest, user: User) -> None:
    request.axes_locked_out = True  # type: ignore[attr-defined]
    request.axes_credentials = _codes_of(user)  # type: ignore[attr-defined]


def _codes_of(user: User) -> dict[str, str]:
    return {"email": f"{CODES}{user.email}"}


def is_of_codes(name: str) -> bool:
    """Whether wrong codes are counted under this name, and not wrong passwords."""
    return name.startswith(CODES)


def account_of(name: str) -> str:
    """The address of the account behind the name under which failures are counted."""
    return name.removeprefix(CODES)
