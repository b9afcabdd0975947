"""The edge of Mailgun's webhooks: who may speak, how much, and what is answered. The work: `services.callbacks`.

Anymail knows how Mailgun signs and what an old or a new webhook looks like. Mailgun signs a time and a token, not what it tells:
so each token counts for one telling only, and for half a day, in which Mailgun repeats what was not answered.
"""

import datetime as dt
import hashlib

from anymail.exceptions import AnymailWebhookValidationFailure
from anymail.webhooks.mailgun import MailgunTrackingWebhookView
from django.conf import settings
from django.core.cache import cache
from django.db import DatabaseError, InterfaceError
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.utils import timezone
from django.views.decorators.csrf import csrf_exempt
from django.views.decorators.http import require_POST

from notifications.services.callbacks import record_mailgun_event

LARGEST_BODY = 256 * 1024
"""Bytes. Mailgun's own events have a few thousand."""
OLDEST = dt.timedelta(hours=12)
"""Mailgun repeats for eight hours."""
AHEAD = dt.timedelta(minutes=5)
NEVER_AGAIN = 406
"""The one answer after which Mailgun does not repeat what it told. A wrong key can be mended meanwhile: 401."""


@csrf_exempt
@require_POST
def mailgun_webhook(request: HttpRequest) -> HttpResponse:
    """Keep what Mailgun tells; 401 for whoever is not Mailgun, 406 for what it need not repeat."""
    now = timezone.now()
    if not settings.MAILGUN_WEBHOOK_SIGNING_KEY:
        return _answer(401, "There is no key by which Mailgun could be recognised.")
    said = request.headers.get("Content-Length", "")
    if not (said.isascii() and said.isdigit() and len(said) < 9) or int(said) > LARGEST_BODY:
        return _answer(413, "This body is larger than any event: 256 KiB.")
    if request.content_type != "application/json":  # the form of before 2018 is nobody's any more
        return _answer(401, "The signature is missing: this is no webhook of Mailgun's.")
    view = MailgunTrackingWebhookView(webhook_signing_key=settings.MAILGUN_WEBHOOK_SIGNING_KEY)
    try:
        view.run_validators(request)
        [event] = view.parse_events(request)
        signature = event.esp_event["signature"]
        at = dt.datetime.fromtimestamp(float(signature["timestamp"]), tz=dt.UTC)
        token = str(signature["token"])
    except (AnymailWebhookValidationFailure, UnicodeError):
        return _answer(401, "The signature is missing or not ours.")
    except (ValueError, KeyError, TypeError, AttributeError, OverflowError):
        return _answer(NEVER_AGAIN, "This is no event.")
    if not now - OLDEST <= at <= now + AHEAD:
        return _answer(NEVER_AGAIN, "This was signed too long ago.")
    if not _is_first(token, request.body):
        return _answer(NEVER_AGAIN, "Something else was told with this signature.")
    try:
        record_mailgun_event(event=event, now=now)
    except (DatabaseError, InterfaceError):
        return _answer(503, "This could not be kept: send it again.")
    return JsonResponse({"received": True})


def _is_first(token: str, body: bytes) -> bool:
    """Whether nothing else came with this token. A cache that is away lets it through: the signature is genuine."""
    name = f"mailgun:{hashlib.sha256(token.encode()).hexdigest()}"
    told = hashlib.sha256(body).hexdigest()
    if cache.add(name, told, timeout=int((OLDEST + AHEAD).total_seconds())):
        return True
    return bool(cache.get(name, told) == told)


def _answer(status: int, error: str) -> JsonResponse:
    return JsonResponse({"error": error}, status=status)
