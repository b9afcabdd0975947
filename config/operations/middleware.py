"""Around every request: its line in the log; and what probes the process is answered before anything else."""

import time
from collections.abc import Callable

import structlog
from django.http import HttpRequest, HttpResponse

from config.log_context import current_request
from config.operations.views import PROBES

log = structlog.get_logger(__name__)


class RequestLogMiddleware:
    """One line in the log for each request: which page, what came of it, how long it took, whose it was.

    The page is named by the pattern of its address, because addresses hold what is nobody's business.
    """

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        began = time.perf_counter()
        token = current_request.set(request)
        try:
            response = self.get_response(request)
            if request.resolver_match is not None or response.status_code >= 400:  # files are whitenoise's
                log.info(
                    "request",
                    method=request.method,
                    route=request.resolver_match.route if request.resolver_match else None,
                    status=response.status_code,
                    ms=round((time.perf_counter() - began) * 1000),
                )
        finally:
            current_request.reset(token)
        return response


class ProbeMiddleware:
    """Answers what probes this process, whatever name it was asked by, and without looking for a session."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        probe = PROBES.get(request.path_info)
        return self.get_response(request) if probe is None else probe(request)
