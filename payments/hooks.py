"""The edge of Paystack's webhook: who may speak, how much, and what is answered. The work: `payments.services.webhook`."""

import threading
import time

from django.db import DatabaseError, InterfaceError
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.utils import timezone
from django.views.decorators.csrf import csrf_exempt
from django.views.decorators.http import require_POST

from payments import paystack
from payments.keys import webhook_keys
from payments.services import webhook

LARGEST_BODY = 256 * 1024
"""Bytes. Paystack's own events have a few thousand."""
QUIET_PER_S, BURST = 10, 8
"""So many requests in one process are worked on before they are answered; where more come, a worker does it after."""


class Crowd:
    """Whether more come than one can work on while they wait. Each adds one; `per_s` leave in a second."""

    def __init__(self, *, per_s: float, burst: int) -> None:
        self._per_s, self._burst = per_s, burst
        self._size, self._at = 0.0, 0.0
        self._lock = threading.Lock()

    def grows(self, at: float | None = None) -> bool:
        """Count one more at the monotonic time `at` (default: now); whether that is one too many.

        What is counted ends at twice the burst and one, so that it is quiet again about `burst / per_s` seconds after a storm.
        """
        at = time.monotonic() if at is None else at
        with self._lock:
            left = max(0.0, self._size - (at - self._at) * self._per_s)
            self._size, self._at = min(left + 1, 2 * self._burst + 1), at
            return self._size > self._burst


crowd = Crowd(per_s=QUIET_PER_S, burst=BURST)


@csrf_exempt
@require_POST
def paystack_webhook(request: HttpRequest) -> HttpResponse:
    """Keep what Paystack tells; see the table in `docs/payments.md` for what is answered when."""
    now = timezone.now()
    if _said_length(request) > LARGEST_BODY:
        return _answer(413, error="This body is larger than any event: 256 KiB.")
    body = request.read(LARGEST_BODY + 1)
    if len(body) > LARGEST_BODY:
        return _answer(413, error="This body is larger than any event: 256 KiB.")
    signature = request.META.get("HTTP_X_PAYSTACK_SIGNATURE")
    if not paystack.signature_is_valid(body=body, header=signature, keys=webhook_keys()):
        webhook.count_refusal(reason="signature" if signature else "no signature", now=now)
        return _answer(401, error="The signature is missing or not ours.")
    try:
        answer = webhook.receive(body=body, now=now, is_busy=crowd.grows())
    except (DatabaseError, InterfaceError):
        return _answer(503, error="This could not be kept: send it again.", **{"Retry-After": "180"})
    if answer.status == 400:
        return _answer(400, error="This is kept, and not an event that can be worked on.")
    content = b'{"flagged": true}' if answer.is_flagged else b'{"received": true}'
    return HttpResponse(content, content_type="application/json", status=answer.status)


def _said_length(request: HttpRequest) -> int:
    said = request.META.get("CONTENT_LENGTH") or ""
    return int(said) if said.isascii() and said.isdigit() else 0


def _answer(status: int, *, error: str, **headers: str) -> JsonResponse:
    return JsonResponse({"error": error}, status=status, headers=headers)
