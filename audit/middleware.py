"""Gives each request an id, for logs and for the audit trail."""

import re
import uuid
from collections.abc import Callable

import structlog
from django.conf import settings
from django.http import HttpRequest, HttpResponse

from audit.client import address_of
from audit.context import Origin, origin

_REQUEST_ID = re.compile(r"[A-Za-z0-9._-]{8,64}")


class AuditContextMiddleware:
    """Remembers who asks for as long as the request lasts; answers with `X-Request-ID`."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        given = request.META.get("HTTP_X_REQUEST_ID", "")
        request_id = given if _REQUEST_ID.fullmatch(given) else uuid.uuid4().hex
        user_agent = request.META.get("HTTP_USER_AGENT", "").replace("\0", "")[:300]
        token = origin.set(Origin(request_id, client_address(request), user_agent))
        try:
            with structlog.contextvars.bound_contextvars(request_id=request_id):
                response = self.get_response(request)
        finally:
            origin.reset(token)
        response.headers["X-Request-ID"] = request_id
        return response


def client_address(request: HttpRequest) -> str | None:
    """The client's address, read behind `TRUSTED_PROXIES`, in a form PostgreSQL stores; None where there is none.

    An address the database refused would undo the very action that is being recorded.
    """
    return address_of(
        peer=request.META.get("REMOTE_ADDR", ""),
        forwarded_for=request.META.get("HTTP_X_FORWARDED_FOR", ""),
        trusted=settings.TRUSTED_PROXIES,
    )
