"""Pages of the site as a whole: home, dashboard, errors, health."""

import datetime as dt

from django.contrib.auth.decorators import login_required
from django.http import HttpRequest, HttpResponse, HttpResponseServerError, JsonResponse
from django.shortcuts import render
from django.template import loader
from django.views.decorators.http import require_safe

from audit.context import origin


@require_safe
def home(request: HttpRequest) -> HttpResponse:
    """What is on now, and how fairness is checked."""
    return render(request, "site/home.html")


@login_required
@require_safe
def dashboard(request: HttpRequest) -> HttpResponse:
    """A member's own ground."""
    return render(request, "site/dashboard.html")


def server_error(request: HttpRequest) -> HttpResponse:
    """The page for what broke on our side. Asks nothing of the database: that may be what broke."""
    came_from = origin.get()
    context = {"request_id": came_from.request_id if came_from else ""}
    return HttpResponseServerError(loader.render_to_string("500.html", context))


def healthz(request: HttpRequest) -> HttpResponse:
    """The process answers. Says nothing about the database: `/readyz` does."""
    return JsonResponse({"healthy": True, "timestamp": dt.datetime.now(dt.UTC).isoformat(timespec="seconds")})
