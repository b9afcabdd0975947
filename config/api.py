"""The edge of the REST API that all apps share: problems, the size of what may be sent, pages, schema and docs."""

from collections.abc import Iterator, Mapping
from http import HTTPStatus
from typing import Any

from django.core.exceptions import PermissionDenied, RequestDataTooBig, SuspiciousOperation
from django.http import Http404, JsonResponse
from django.utils.translation import gettext as _
from rest_framework import exceptions, status
from rest_framework.pagination import PageNumberPagination
from rest_framework.parsers import JSONParser
from rest_framework.response import Response

from draws.services import (
    DrawError,
    EntriesChangedError,
    EntryRefusedError,
    ExecutionError,
    RandomnessError,
)

PROBLEM = "application/problem+json"
LARGEST_BODY = 64 * 1024
"""Bytes of one JSON body: no call of this API has more to say."""

# What our services refuse with: status and the stable code.
_REFUSALS: tuple[tuple[type[Exception], int, str], ...] = (
    (EntryRefusedError, status.HTTP_409_CONFLICT, "entry_refused"),
    (RandomnessError, status.HTTP_409_CONFLICT, "randomness_missing"),
    (ExecutionError, status.HTTP_409_CONFLICT, "execution_refused"),
    (EntriesChangedError, status.HTTP_503_SERVICE_UNAVAILABLE, "entries_changed"),
    (DrawError, status.HTTP_409_CONFLICT, "refused"),
)
# DRF's names and ours, where hers say too little.
_CODES = {"error": "internal_error", "parse_error": "bad_json", "invalid": "invalid_input"}
_BY_STATUS = {
    400: "bad_request",
    403: "forbidden",
    404: "not_found",
    405: "method_not_allowed",
    413: "too_large",
    429: "throttled",
    500: "internal_error",
    503: "unavailable",
}


class BodyTooLargeError(exceptions.APIException):
    """More was sent than any call reads."""

    status_code = status.HTTP_413_REQUEST_ENTITY_TOO_LARGE
    default_code = "too_large"


class SmallJSONParser(JSONParser):
    """JSON of at most `LARGEST_BODY` bytes, and not nested so deeply that reading it fails."""

    def parse(
        self, stream: Any, media_type: str | None = None, parser_context: Mapping[str, Any] | None = None
    ) -> Any:
        request = (parser_context or {})["request"]
        length = request.META.get("CONTENT_LENGTH") or "0"
        if not length.isdecimal() or int(length) > LARGEST_BODY:
            raise BodyTooLargeError(_("Send at most %(count)d bytes.") % {"count": LARGEST_BODY})
        try:
            return super().parse(stream, media_type, dict(parser_context or {}))
        except RecursionError:
            raise exceptions.ParseError(_("This JSON is nested too deeply.")) from None


class Pages(PageNumberPagination):
    """`?page=2&page_size=50`; 25 a page, 100 at most."""

    page_size = 25
    page_size_query_param = "page_size"
    max_page_size = 100


def problem(*, status: int, code: str, detail: str = "", **more: Any) -> dict[str, Any]:
    """The body of a problem (RFC 9457). `code` never changes its meaning; `detail` is for people, in their language."""
    body: dict[str, Any] = {"type": "about:blank", "title": HTTPStatus(status).phrase, "status": status}
    return {**body, "code": code, **({"detail": detail} if detail else {}), **more}


def problem_response(*, status: int, code: str = "", detail: str = "", **more: Any) -> JsonResponse:
    """A problem outside of any view."""
    code = code or _BY_STATUS.get(status, "error")
    body = problem(status=status, code=code, detail=detail, **more)
    return JsonResponse(body, status=status, content_type=PROBLEM)


def answer_problem(error: Exception, context: Mapping[str, Any]) -> Response | None:
    """DRF's exception handler: every refusal as a problem. None for a fault of ours, which Django logs as one."""
    error = _as_api_exception(error)
    if not isinstance(error, exceptions.APIException):
        return None
    headers = {}
    if auth_header := getattr(error, "auth_header", None):
        headers["WWW-Authenticate"] = auth_header
    if wait := getattr(error, "wait", None):
        headers["Retry-After"] = str(int(wait))
    return Response(_body_of(error), status=error.status_code, headers=headers, content_type=PROBLEM)


def _as_api_exception(error: Exception) -> Exception:
    for kind, status_code, code in _REFUSALS:
        if isinstance(error, kind):
            refusal = exceptions.APIException(str(error), code=code)
            refusal.status_code = status_code
            return refusal
    match error:
        case Http404():
            return exceptions.NotFound()
        case PermissionDenied():
            return exceptions.PermissionDenied()
        case RequestDataTooBig():
            return BodyTooLargeError(_("This is too much."))
        case SuspiciousOperation():
            return exceptions.ParseError(_("This request can't be read."), code="bad_request")
    return error


def _body_of(error: exceptions.APIException) -> dict[str, Any]:
    if isinstance(error, exceptions.ValidationError):
        errors = list(_field_errors(error.get_full_details()))
        return problem(
            status=error.status_code,
            code="invalid_input",
            detail=" ".join(
                f"{item['field']}: {item['detail']}" if item["field"] else item["detail"] for item in errors
            ),
            errors=errors,
        )
    details: Any = error.get_full_details()
    code = str(details["code"])
    if isinstance(error, exceptions.PermissionDenied) and str(details["message"]).startswith("CSRF"):
        code = "csrf_failed"
    return problem(status=error.status_code, code=_CODES.get(code, code), detail=str(details["message"]))


def _field_errors(details: Any, field: str = "") -> Iterator[dict[str, str]]:
    """DRF's tree of errors, flat: field (dotted, empty for the whole), code, detail."""
    if isinstance(details, Mapping) and set(details) == {"message", "code"}:
        yield {"field": field, "code": str(details["code"]), "detail": str(details["message"])}
    elif isinstance(details, Mapping):
        for name, inner in details.items():
            whole = name == "non_field_errors"
            yield from _field_errors(inner, field if whole else f"{field}.{name}".lstrip("."))
    else:
        for inner in details:
            yield from _field_errors(inner, field)
