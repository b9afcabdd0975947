"""The edge of Twilio's webhooks: who may speak, how much, and what is answered. The work: `services.reports`, `services.answering`."""

from django.conf import settings
from django.db import DatabaseError, InterfaceError
from django.http import Http404, HttpRequest, HttpResponse
from django.utils import timezone
from django.views.decorators.csrf import csrf_exempt
from django.views.decorators.http import require_POST
from twilio.request_validator import RequestValidator

from notifications.channels.twilio import WHATSAPP
from notifications.kinds import Channel
from notifications.services.answering import take_answer
from notifications.services.reports import take_report

LARGEST_BODY = 64 * 1024
"""Bytes. Twilio's own forms have a few thousand."""
_NOTHING_TO_SAY = b'<?xml version="1.0" encoding="UTF-8"?><Response></Response>'


@csrf_exempt
@require_POST
def twilio_status(request: HttpRequest, key: str) -> HttpResponse:
    """What became of a message."""
    if (refusal := _refusal(request)) is not None:
        return refusal
    code = request.POST.get("ErrorCode", "")
    try:
        take_report(
            key=key,
            message_id=_line(request, "MessageSid"),
            state=_line(request, "MessageStatus"),
            code=int(code) if code.isascii() and code.isdigit() and len(code) < 7 else 0,
            text=_line(request, "ErrorMessage"),
            now=timezone.now(),
        )
    except (DatabaseError, InterfaceError):
        return _answer(503, "This could not be kept: send it again.")
    return HttpResponse(_NOTHING_TO_SAY, content_type="text/xml")


@csrf_exempt
@require_POST
def twilio_inbound(request: HttpRequest) -> HttpResponse:
    """What somebody wrote to our number."""
    if (refusal := _refusal(request)) is not None:
        return refusal
    sender = _line(request, "From")
    try:
        take_answer(
            channel=Channel.WHATSAPP if sender.startswith(WHATSAPP) else Channel.SMS,
            number=sender.removeprefix(WHATSAPP),
            text=request.POST.get("Body", ""),
            provider_id=_line(request, "MessageSid"),
            said_by_provider=_line(request, "OptOutType"),
            now=timezone.now(),
        )
    except (DatabaseError, InterfaceError):
        return _answer(503, "This could not be kept: send it again.")
    return HttpResponse(_NOTHING_TO_SAY, content_type="text/xml")


def _refusal(request: HttpRequest) -> HttpResponse | None:
    """Why Twilio is not listened to here, None when it is."""
    if not settings.TWILIO_AUTH_TOKEN:
        raise Http404
    said = request.headers.get("Content-Length", "")
    length = int(said) if said.isascii() and said.isdigit() else 0
    if length > LARGEST_BODY:
        return _answer(413, "This form is larger than any of Twilio's: 64 KiB.")
    if request.content_type != "application/x-www-form-urlencoded":
        return _answer(415, "Twilio sends forms (application/x-www-form-urlencoded).")
    # The address as Twilio was told it: a proxy in between may have changed scheme and host.
    address = settings.SITE_URL + request.get_full_path()
    signature = request.headers.get("X-Twilio-Signature", "")
    validator = RequestValidator(settings.TWILIO_AUTH_TOKEN)
    if not signature or not validator.validate(address, request.POST, signature):
        return _answer(403, "The signature is missing or not ours.")
    return None


def _line(request: HttpRequest, name: str) -> str:
    return request.POST.get(name, "").replace("\0", "").strip()


def _answer(status: int, error: str) -> HttpResponse:
    return HttpResponse(error, status=status, content_type="text/plain; charset=utf-8")
