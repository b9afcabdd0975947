"""Addresses by which browsers are switched on for push messages, and the service worker that shows them."""

import json
import uuid
from collections.abc import Callable
from functools import cache, wraps
from typing import Any

from django.conf import settings
from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.http import Http404, HttpRequest, HttpResponse, JsonResponse
from django.middleware.csrf import get_token
from django.shortcuts import redirect
from django.utils import timezone
from django.utils.translation import gettext as _
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from accounts.models import User
from notifications.services.devices import DeviceError, add_device, remove_device
from notifications.vapid import public_key_of

BODY_LIMIT = 8_192
"""Bytes of what a browser tells of itself."""


def _with_key_only(view: Callable[..., HttpResponse]) -> Callable[..., HttpResponse]:
    """A site without a key sends no push messages, and has no such addresses."""

    @wraps(view)
    def guarded(request: HttpRequest, *args: object, **kwargs: object) -> HttpResponse:
        if not settings.VAPID_PRIVATE_KEY:
            raise Http404
        return view(request, *args, **kwargs)

    return guarded


@require_safe
def worker(request: HttpRequest) -> HttpResponse:
    """The service worker, at the root because it may then speak for the whole site. Browsers look for a new one themselves."""
    return HttpResponse(
        _worker(), content_type="text/javascript; charset=utf-8", headers={"Cache-Control": "no-cache"}
    )


@cache
def _worker() -> bytes:
    return (settings.BASE_DIR / "static" / "js" / "push_worker.js").read_bytes()


@never_cache
@_with_key_only
@require_http_methods(["GET", "POST"])
def devices(request: HttpRequest) -> HttpResponse:
    """GET: what a script needs to switch its browser on. POST: switch it on, by the JSON of its subscription."""
    if not request.user.is_authenticated:
        return JsonResponse({"code": "signed_out"}, status=401)
    assert isinstance(request.user, User)
    if request.method == "GET":
        # A service worker has no page to read the token from. Other sites' scripts can't read this answer.
        return JsonResponse({"key": public_key_of(settings.VAPID_PRIVATE_KEY), "token": get_token(request)})
    said = _said(request)
    keys = said.get("keys") if isinstance(said.get("keys"), dict) else {}
    try:
        device = add_device(
            member=request.user,
            endpoint=_text(said, "endpoint"),
            p256dh=_text(keys, "p256dh"),
            auth=_text(keys, "auth"),
            replaces=_text(said, "replaces"),
            user_agent=request.headers.get("User-Agent", ""),
            now=timezone.now(),
        )
    except DeviceError as error:
        return JsonResponse({"code": "device", "detail": str(error)}, status=400)
    if not said.get("replaces"):  # somebody looks on
        messages.success(request, _("This device is switched on: %s.") % device.name)
    return JsonResponse({"id": str(device.public_id), "name": device.name}, status=201)


@never_cache
@_with_key_only
@login_required
@require_POST
def remove(request: HttpRequest, public_id: uuid.UUID) -> HttpResponse:
    """Tell one of the member's devices nothing more."""
    assert isinstance(request.user, User)
    if not remove_device(member=request.user, public_id=public_id):
        raise Http404
    messages.success(request, _("This device is told nothing any more."))
    return redirect("notifications:preferences")


def _said(request: HttpRequest) -> dict[str, Any]:
    """The JSON of a request; {} for what is none, or too long to be a subscription."""
    try:
        if int(request.headers.get("Content-Length") or 0) > BODY_LIMIT:
            return {}
        said = json.loads(request.body)
    except (ValueError, RecursionError):
        return {}
    return said if isinstance(said, dict) else {}


def _text(said: Any, name: str) -> str:
    value = said.get(name) if isinstance(said, dict) else None
    return value if isinstance(value, str) and "\0" not in value else ""
