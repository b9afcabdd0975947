"""Pages of the site as a whole: home, dashboard, health."""

import datetime as dt

from django.http import HttpRequest, HttpResponse, JsonResponse


def healthz(request: HttpRequest) -> HttpResponse:
    """The process answers. Says nothing about the database: `/readyz` does."""
    return JsonResponse({"healthy": True, "timestamp": dt.datetime.now(dt.UTC).isoformat(timespec="seconds")})
