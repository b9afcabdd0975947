"""Shows times in the zone of the person who looks, and holds staff to their second factor."""

import zoneinfo
from collections.abc import Callable
from typing import Any

from django.conf import settings
from django.contrib import messages
from django.contrib.auth import REDIRECT_FIELD_NAME
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.urls import reverse
from django.utils import timezone
from django.utils.functional import SimpleLazyObject
from django.utils.http import urlencode
from django.utils.translation import gettext as _

from accounts.second_factor import has_second_factor, lacks_second_factor, way_to_show_it


class TimeZoneMiddleware:
    """Activates the signed-in person's zone for the request; UTC for everyone else."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        # No session cookie, no person: a public page then costs no query. Programs want UTC, whoever's they are.
        is_page = bool(request.COOKIES) and not request.path.startswith("/api/")
        name = request.user.time_zone if is_page and request.user.is_authenticated else "UTC"
        with timezone.override(zoneinfo.ZoneInfo(name)):
            return self.get_response(request)


class SecondFactorMiddleware:
    """Staff without a second factor are members and no more: no permission, and of `/admin/` only the way to set it up.

    So is a session that was signed in without the factor which the account has got since: it is asked for.
    """

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        if settings.STAFF_SECOND_FACTOR:
            person = request.user
            request.user = SimpleLazyObject(lambda: _measured(request, person))  # type: ignore[assignment]
            if request.path.startswith("/admin/") and getattr(request.user, "lacks_second_factor", False):
                return _way_to_second_factor(request)
        return self.get_response(request)


def _measured(request: HttpRequest, person: Any) -> Any:
    """The person of the session, marked where they lack the second factor they need; looked up when first asked for."""
    if person.is_authenticated:
        person.lacks_second_factor = lacks_second_factor(request, person)
    return person


def _way_to_second_factor(request: HttpRequest) -> HttpResponse:
    user: Any = request.user
    if not has_second_factor(user):
        return HttpResponseRedirect(reverse("mfa_index"))  # which says why
    messages.info(request, _("Show your second factor to go on: this session was signed in without it."))
    target = request.get_full_path() if request.method in ("GET", "HEAD") else reverse("admin:index")
    return HttpResponseRedirect(f"{way_to_show_it(user)}?{urlencode({REDIRECT_FIELD_NAME: target})}")
