"""Paystack's webhook: kept first, worked on second.

`receive` commits the request as it came, in one statement, and only then works on it in a transaction of its own: at
once in quiet times, and by a worker where so many come that answering goes first. What goes wrong there is written on
the event, tried again by the sweep with growing waits, and shown to staff; Paystack need not know. It tries again by
itself only where we could not keep the request at all.
"""

import datetime as dt
import hashlib
import time
import uuid
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import structlog
from django.conf import settings
from django.db import DatabaseError, InterfaceError, connection, transaction
from django.utils import timezone, translation
from django.utils.translation import gettext as _

from notifications.services.waking import wake
from payments.charges import charge_of, metadata_of, read_json, text
from payments.models import Payment, ReviewItem, WebhookEvent
from payments.prepared import prepared_cursor
from payments.services import disputes, paying_out, refunding
from payments.services.reviewing import open_review, resolve_by_itself
from payments.services.settling import Source, settle_payment

log = structlog.get_logger(__name__)
_woken_at = float("-inf")

State = WebhookEvent.State
LEASE = dt.timedelta(minutes=1)
"""How long whoever received an event has to work on it before the sweep does."""
_BACKOFF_S = (10, 30, 120, 600, 1800, 3600)
MOST_ATTEMPTS = 60
"""With waits of an hour that is two days and a half; then only people go on."""
SWEEP_SIZE = 200
WAKE_EVERY_S = 1.0
CHARGE = "charge.success"
_KEEP = """
INSERT INTO payments_webhookevent AS event (digest, body, event, reference, state, answer, is_flagged,
    outcome, delivery_count, first_at, last_at, attempts, try_after, done_at)
VALUES (%(digest)s, %(body)s, %(event)s, %(reference)s, %(state)s, %(answer)s, false,
    '', 1, %(now)s, %(now)s, 0, %(try_after)s, %(done_at)s)
ON CONFLICT (digest) DO UPDATE SET delivery_count = event.delivery_count + 1, last_at = excluded.last_at,
    try_after = CASE event.state WHEN 'failed' THEN excluded.last_at ELSE event.try_after END
RETURNING id, state, answer, is_flagged
"""


@dataclass(frozen=True, slots=True)
class Answer:
    """What Paystack hears: the status, and whether a person has to look at it here."""

    status: int
    is_flagged: bool = False


@dataclass(frozen=True, slots=True)
class _Reading:
    """What the bytes say by themselves. `flaw` is a sentence where they are no event."""

    name: str = ""
    fields: Mapping[str, Any] = field(default_factory=dict)
    flaw: str = ""

    @property
    def reference(self) -> str:
        """Ours, wherever this kind of event has it; empty where it has none."""
        transaction_of = self.fields.get("transaction")
        inner = transaction_of.get("reference") if isinstance(transaction_of, dict) else None
        return text(self.fields.get("reference") or self.fields.get("transaction_reference") or inner, 120)

    @property
    def status(self) -> int:
        """What Paystack is answered: 400 where nobody here can have asked for this."""
        if self.flaw or (self.name == CHARGE and "payment_id" not in metadata_of(self.fields)):
            return 400
        return 200

    @property
    def concerns_us(self) -> bool:
        """Whether anything here is done about such an event."""
        return bool(self.flaw) or self.name == CHARGE or self.name.startswith(tuple(_HANDLERS))


@dataclass(frozen=True, slots=True)
class _Done:
    """What working on an event came to."""

    state: str
    outcome: str
    payment: Payment | None = None


def receive(*, body: bytes, now: dt.datetime, is_busy: bool = False) -> Answer:
    """Keep a signed request and work on it; a repeat gets the answer of the first delivery.

    `is_busy`: a worker is to do the work, the answer does not wait for it.

    Raises `django.db.DatabaseError` (or `InterfaceError`) where it could not be kept.
    """
    event_id, is_finished, answer = _keep(body, _read(body), now, now if is_busy else now + LEASE)
    if is_finished:
        return answer
    if is_busy:
        _wake_a_worker()
        return answer
    with translation.override(settings.LANGUAGE_CODE), timezone.override(None):  # not the last visitor's
        return work_on(event_id=event_id, now=now)


def work_on(*, event_id: int, now: dt.datetime) -> Answer:
    """Work on a kept event once; after a failure it is written down, and due again later. Never raises for what is in it."""
    try:
        with transaction.atomic():
            return _work(WebhookEvent.objects.select_for_update().get(pk=event_id), now)
    except Exception as error:
        log.exception("webhook_event_failed", event_id=event_id)
        return _note_failure(event_id, error, now)


def work_on_due_events(*, now: dt.datetime, limit: int = SWEEP_SIZE) -> int:
    """What waits for a worker, was received and not worked on, or failed and is due again; returns how many it tried."""
    tried = 0
    for event_id in WebhookEvent.objects.due(now).values_list("pk", flat=True)[:limit]:
        try:
            with transaction.atomic():
                free = WebhookEvent.objects.select_for_update(skip_locked=True)
                event = free.filter(pk=event_id, try_after__lte=now).first()
                if event is None:
                    continue  # somebody is at work on it, or was
                tried += 1
                _work(event, now)
        except Exception as error:
            log.exception("webhook_event_failed", event_id=event_id)
            _note_failure(event_id, error, now)
    return tried


def count_refusal(*, reason: str, now: dt.datetime) -> None:
    """Count a request whose signature is missing or wrong. Where that can't be written down, it goes uncounted."""
    try:
        with connection.cursor() as cursor:
            cursor.execute(
                """
                INSERT INTO payments_webhookrefusal AS refusal (hour, reason, count) VALUES (%s, %s, 1)
                ON CONFLICT (hour, reason) DO UPDATE SET count = refusal.count + 1
                """,
                [now.replace(minute=0, second=0, microsecond=0), reason],
            )
    except (DatabaseError, InterfaceError):
        log.warning("webhook_refusal_not_counted", reason=reason)


def _keep(
    body: bytes, reading: _Reading, now: dt.datetime, try_after: dt.datetime
) -> tuple[int, bool, Answer]:
    """One statement, committed when it returns: the event, whether nothing is left to do for it, and its answer.

    A repeat is counted, and brings back what had failed.
    """
    is_finished = not reading.concerns_us
    with prepared_cursor() as cursor:
        cursor.execute(
            _KEEP,
            {
                "digest": hashlib.sha256(body).digest(),
                "body": body,
                "event": text(reading.name, 80),
                "reference": reading.reference,
                "state": (State.IGNORED if is_finished else State.RECEIVED).value,
                "answer": reading.status,
                "now": now,
                "try_after": None if is_finished else try_after,
                "done_at": now if is_finished else None,
            },
        )
        event_id, state, answer, is_flagged = cursor.fetchone()
    return int(event_id), state not in (State.RECEIVED, State.FAILED), Answer(answer or 200, is_flagged)


def _wake_a_worker() -> None:
    """Once in a while is enough: a worker goes on until nothing is due. What comes just after it has ended, and was
    not woken for, the sweep finds within seconds."""
    global _woken_at
    if time.monotonic() - _woken_at >= WAKE_EVERY_S:
        _woken_at = time.monotonic()
        wake("payments.tasks.work_on_events")


def _work(event: WebhookEvent, now: dt.datetime) -> Answer:
    """Inside a transaction that holds the event's row."""
    if event.state in (State.RECEIVED, State.FAILED):
        _finish(event, _handle(event, now), now)
    return Answer(event.answer or 200, event.is_flagged)


def _finish(event: WebhookEvent, done: _Done, now: dt.datetime) -> None:
    if event.state == State.FAILED:
        resolve_by_itself(_review_key(event), note=_("It was worked on at a later attempt."), now=now)
    event.state, event.outcome, event.payment = done.state, done.outcome[:300], done.payment
    event.attempts += 1
    event.try_after, event.done_at = None, now
    event.save(update_fields=["state", "outcome", "payment", "attempts", "try_after", "done_at"])


def _handle(event: WebhookEvent, now: dt.datetime) -> _Done:
    reading = _read(bytes(event.body))
    if reading.flaw:
        open_review(
            kind=ReviewItem.Kind.BAD_EVENT, key=_review_key(event), reason=reading.flaw, event=event, now=now
        )
        return _Done(State.BAD, reading.flaw)
    if reading.name == CHARGE:
        return _charge(event, reading.fields, now)
    for prefix, handle in _HANDLERS.items():
        if reading.name.startswith(prefix):
            found = handle(event, reading.name, reading.fields, now)
            if found is not None:
                return _Done(State.DONE, found[1], payment=found[0])
    return _Done(State.IGNORED, "")


def _charge(event: WebhookEvent, data: Mapping[str, Any], now: dt.datetime) -> _Done:
    charge, metadata = charge_of(data), metadata_of(data)
    payment = Payment.objects.filter(reference=charge.reference).first() if charge.reference else None
    if payment is not None:
        settlement = settle_payment(payment=payment, charge=charge, source=Source.WEBHOOK, now=now)
        return _Done(State.DONE, str(settlement.result), settlement.payment)
    if "payment_id" not in metadata:
        reason = _("A charge without our metadata, under a reference that nobody here knows.")
        open_review(
            kind=ReviewItem.Kind.METADATA, key=_review_key(event), reason=reason, event=event, now=now
        )
        return _Done(State.DONE, reason)
    # Anybody can start a charge with any metadata. So it tells staff where to look, and credits nothing.
    meant = _payment_named(metadata["payment_id"])
    reason = _("A charge that names a payment of ours, under a reference that is not that payment's.")
    open_review(
        kind=ReviewItem.Kind.ORPHAN_THERE,
        key=_review_key(event),
        reason=reason,
        payment=meant,
        event=event,
        now=now,
    )
    return _Done(State.DONE, reason, meant)


def _payment_named(value: object) -> Payment | None:
    try:
        return Payment.objects.filter(public_id=uuid.UUID(str(value))).first()
    except ValueError:
        return None


def _read(body: bytes) -> _Reading:
    try:
        content = read_json(body)
    except ValueError:
        return _Reading(flaw=_("The body is not JSON."))
    if not isinstance(content, dict):
        return _Reading(flaw=_("The body is JSON, and not an object."))
    name, data = content.get("event"), content.get("data")
    if not isinstance(name, str) or not name.strip():
        return _Reading(flaw=_("The body names no event."))
    return _Reading(name.strip(), data if isinstance(data, dict) else {})


def _note_failure(event_id: int, error: Exception, now: dt.datetime) -> Answer:
    """Write it down and step back. Where even that fails, the lease runs out and the sweep comes."""
    try:
        if not connection.in_atomic_block:
            connection.close_if_unusable_or_obsolete()
        with transaction.atomic():
            event = WebhookEvent.objects.select_for_update().get(pk=event_id)
            if event.state not in (State.RECEIVED, State.FAILED):
                return Answer(event.answer or 200, event.is_flagged)
            event.attempts += 1
            wait = _BACKOFF_S[min(event.attempts, len(_BACKOFF_S)) - 1]
            event.try_after = now + dt.timedelta(seconds=wait) if event.attempts < MOST_ATTEMPTS else None
            event.state, event.outcome = State.FAILED, f"{type(error).__name__}: {error}"[:300]
            event.is_flagged = True
            event.save(update_fields=["attempts", "try_after", "state", "outcome", "is_flagged"])
            open_review(
                kind=ReviewItem.Kind.EVENT,
                key=_review_key(event),
                reason=_("An event of Paystack could not be worked on: %(error)s") % {"error": event.outcome},
                event=event,
                now=now,
            )
            return Answer(event.answer or 200, True)
    except Exception:
        log.exception("webhook_failure_not_noted", event_id=event_id)
        return Answer(200, is_flagged=True)


def _review_key(event: WebhookEvent) -> str:
    return f"event:{event.pk}"


_Handler = Callable[[WebhookEvent, str, Mapping[str, Any], dt.datetime], tuple[Payment | None, str] | None]
_HANDLERS: dict[str, _Handler] = {
    "refund.": refunding.note_event,
    "charge.dispute.": disputes.note_event,
    "transfer.": paying_out.note_event,
}
"""By the beginning of an event's name. None of theirs: it concerns nothing here."""
