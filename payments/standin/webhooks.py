"""Webhooks of the stand-in: written down with what they tell of, sent over HTTP as Paystack sends them, and again.

Tried at once by a thread of whoever caused them, and by the sweep. Whoever sends one holds it for half a minute, so that a
process that is killed in between gives it free.
"""

import hashlib
import hmac
import http.client
import json
import threading
import urllib.error
import urllib.request
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from datetime import datetime, timedelta
from typing import IO, Any

import structlog
from django.conf import settings
from django.db import connections, transaction
from django.utils import timezone

from payments.standin.models import Behaviour, Effect, Operation, OutgoingWebhook

log = structlog.get_logger(__name__)

PATH = "/webhooks/paystack/"
TIMEOUT_S = 5.0
HOLD = timedelta(seconds=30)
OVERTAKEN = timedelta(seconds=5)
SOON, SOON_TIMES = timedelta(minutes=3), 4
LATER, GIVE_UP = timedelta(hours=1), timedelta(hours=72)
_SENDS_HERE: ContextVar[bool] = ContextVar("sends_here", default=False)


def enqueue(event: Mapping[str, Any], *, now: datetime) -> None:
    """Write an event down in the caller's transaction, and send it once that is committed."""
    behaviour = Behaviour.take(Operation.WEBHOOK)
    effect, value = (behaviour.effect, behaviour.value) if behaviour else ("", 0)
    next_at: datetime | None = now
    if effect == Effect.LOSE:
        next_at = None
    elif effect == Effect.DELAY:
        next_at = now + timedelta(seconds=value or 10)
    elif effect == Effect.REORDER:
        next_at = now + OVERTAKEN
    times = 1 + (value or 1) if effect == Effect.REPEAT else 1
    OutgoingWebhook.objects.bulk_create(
        OutgoingWebhook(
            event=str(event["event"]),
            body=json.dumps(event, separators=(",", ":")).encode(),
            is_forged=effect == Effect.FORGE,
            created_at=now,
            next_at=next_at,
            last_answer="lost" if effect == Effect.LOSE else "",
        )
        for _number in range(times)
    )
    transaction.on_commit(send_soon)


@contextmanager
def sending_here() -> Iterator[None]:
    """For who calls `send_due` itself afterwards, such as a command, whose threads would end with it half-way."""
    token = _SENDS_HERE.set(True)
    try:
        yield
    finally:
        _SENDS_HERE.reset(token)


def send_soon() -> None:
    """Send what is due, in a thread: whoever caused it does not wait for the site's answer."""
    if _SENDS_HERE.get():
        return
    threading.Thread(target=_send_and_leave, name="standin-webhooks", daemon=True).start()


def send_due(*, now: datetime, most: int = 50) -> int:
    """Send the webhooks whose time has come, the oldest first; how many were heard."""
    heard = 0
    for row in _claim(now, most):
        is_heard, answer = _post(row)
        heard += is_heard
        _note(row, is_heard, answer[:200], timezone.now())
    return heard


def signature(body: bytes, key: str) -> str:
    """What Paystack sends as `x-paystack-signature`."""
    return hmac.new(key.encode(), body, hashlib.sha512).hexdigest()


def next_try(*, created_at: datetime, attempts: int, now: datetime) -> datetime | None:
    """When a webhook that was not heard is tried again: every 3 minutes four times, then hourly for three days."""
    at = now + (SOON if attempts <= SOON_TIMES else LATER)
    return at if at <= created_at + GIVE_UP else None


def _send_and_leave() -> None:
    try:
        send_due(now=timezone.now())
    except (
        Exception
    ) as error:  # a thread of its own: nobody else would hear of it, and the sweep comes anyway
        log.warning("standin_webhooks_wait", error=str(error))
    finally:
        connections.close_all()


def _claim(now: datetime, most: int) -> list[OutgoingWebhook]:
    with transaction.atomic():
        due = OutgoingWebhook.objects.select_for_update(skip_locked=True).filter(next_at__lte=now)
        rows = list(due.order_by("next_at", "pk")[:most])
        OutgoingWebhook.objects.filter(pk__in=[row.pk for row in rows]).update(next_at=now + HOLD)
    return rows


def _note(row: OutgoingWebhook, is_heard: bool, answer: str, now: datetime) -> None:
    attempts = row.attempts + 1
    OutgoingWebhook.objects.filter(pk=row.pk).update(
        attempts=attempts,
        last_answer=answer,
        heard_at=now if is_heard else None,
        next_at=None if is_heard else next_try(created_at=row.created_at, attempts=attempts, now=now),
    )


class _NoRedirects(urllib.request.HTTPRedirectHandler):
    """Paystack takes a redirect for a failure."""

    def redirect_request(
        self,
        req: urllib.request.Request,
        fp: IO[bytes],
        code: int,
        msg: str,
        headers: http.client.HTTPMessage,
        newurl: str,
    ) -> None:
        return None


def _post(row: OutgoingWebhook) -> tuple[bool, str]:
    """Whether it was heard, and what was answered."""
    body = bytes(row.body)
    key = "sk_test_somebody_elses" if row.is_forged else settings.PAYSTACK_SECRET_KEY
    headers = {
        "Content-Type": "application/json",
        "User-Agent": "Paystack/2.0 (stand-in)",
        "x-paystack-signature": signature(body, key),
    }
    address = f"{settings.SITE_URL}{PATH}"
    request = urllib.request.Request(address, data=body, headers=headers, method="POST")
    try:
        with urllib.request.build_opener(_NoRedirects).open(request, timeout=TIMEOUT_S) as answer:
            return answer.status == 200, f"status {answer.status}"
    except urllib.error.HTTPError as error:
        error.close()
        return False, f"status {error.code}"
    except (OSError, http.client.HTTPException, ValueError) as error:
        return False, str(getattr(error, "reason", "") or error) or type(error).__name__
