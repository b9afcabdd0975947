"""The picture and the links by which a mail tells that it was read: no session, no cookie, nothing but the telling."""

import base64
import uuid

import structlog
from django.db import DatabaseError, InterfaceError
from django.http import HttpRequest, HttpResponse, HttpResponseNotFound
from django.utils import timezone
from django.utils.translation import gettext as _
from django.views.decorators.csrf import csrf_exempt
from django.views.decorators.http import require_safe

from notifications.services.tracking import record_click, record_open
from notifications.tracking import TRAP, is_genuine_target

log = structlog.get_logger(__name__)

_PIXEL = base64.b64decode("R0lGODlhAQABAIAAAAAAAP///yH5BAEAAAAALAAAAAABAAEAAAIBRAA7")
_LONGEST_TARGET = 4_096
_HEADERS = {
    "Cache-Control": "no-store, no-cache, must-revalidate, private, max-age=0",
    "Pragma": "no-cache",
    "Expires": "Thu, 01 Jan 1970 00:00:00 GMT",
    "X-Robots-Tag": "noindex, nofollow",
    "Referrer-Policy": "no-referrer",
}


@csrf_exempt
@require_safe
def open_pixel(request: HttpRequest, handle: uuid.UUID) -> HttpResponse:
    """A picture of one transparent pixel, whatever the handle: it tells nobody which handles there are."""
    if not _asks_not_to_be_tracked(request):
        try:
            record_open(
                handle=handle, user_agent=_agent(request), method=request.method or "", now=timezone.now()
            )
        except (DatabaseError, InterfaceError):
            log.warning("open_not_kept")
    return HttpResponse(
        _PIXEL, content_type="image/gif", headers={**_HEADERS, "Cross-Origin-Resource-Policy": "cross-origin"}
    )


@csrf_exempt
@require_safe
def click(request: HttpRequest, handle: uuid.UUID) -> HttpResponse:
    """Lead on to a target that stands in the mail; 404 for any other."""
    target, mac = request.GET.get("to", ""), request.GET.get("sig", "")
    if len(target) > _LONGEST_TARGET or not is_genuine_target(handle, target, mac):
        return HttpResponseNotFound(
            _("This link stands in none of our mails."), content_type="text/plain; charset=utf-8"
        )
    if not _asks_not_to_be_tracked(request):
        try:
            record_click(
                handle=handle,
                target=target,
                is_trap=TRAP in request.GET,
                user_agent=_agent(request),
                method=request.method or "",
                now=timezone.now(),
            )
        except (DatabaseError, InterfaceError):
            log.warning("click_not_kept")
    return HttpResponse(status=302, headers={**_HEADERS, "Location": target})


def _asks_not_to_be_tracked(request: HttpRequest) -> bool:
    """Do Not Track, and Global Privacy Control."""
    return request.headers.get("DNT") == "1" or request.headers.get("Sec-GPC") == "1"


def _agent(request: HttpRequest) -> str:
    return request.headers.get("User-Agent", "")[:500]
