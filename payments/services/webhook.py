"""Paystack's webhook: kept first, worked on second.

`receive` commits the request as it came, in one statement, and only then works on it in a transaction of its own. What
goes wrong there is written on the event, tried again by the sweep with growing waits, and shown to staff; Paystack need
not know. It tries again by itself only where we could not keep the request at all.
"""

import datetime as dt
import hashlib
import uuid
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import structlog
from django.db import DatabaseError, InterfaceError, connection, transaction
from django.utils.translation import gettext as _

from payments.charges import charge_of, metadata_of, read_json, text
from payments.models import Payment, ReviewItem, WebhookEvent
from payments.services import disputes, paying_out, refunding
from payments.services.reviewing import open_review, resolve_by_itself
from payments.services.settling import Source, settle_payment

log = structlog.get_logger(__name__)

State = WebhookEvent.State
LEASE = dt.timedelta(minutes=1)
"""How long whoever received an event has to work on it before the sweep does."""
_BACKOFF_S = (10, 30, 120, 600, 1800, 3600)
MOST_ATTEMPTS = 60
"""With waits of an hour that is two days and a half; then only people go on."""
SWEEP_SIZE = 200


@dataclass(frozen=True, slots=True)
class Answer:
    """What Paystack hears: the status, and whether a person has to look at it here."""

    status: int
    is_flagged: bool = False


@dataclass(frozen=True, slots=True)
class _Done:
    """What working on an event came to."""

    state: str
    outcome: str
    answer: int = 200
    payment: Payment | None = None


class _NotAnEvent(Exception):
    """The body is signed, and no event. The message says what it is."""


def receive(*, body: bytes, now: dt.datetime) -> Answer:
    """Keep a signed request and work on it; a repeat gets the answer of the first delivery.

    Raises `django.db.DatabaseError` (or `InterfaceError`) where it could not be kept.
    """
    event_id, finished = _keep(body, now)
    return finished or work_on(event_id=event_id, now=now)


def work_on(*, event_id: int, now: dt.datetime) -> Answer:
    """Work on a kept event once; after a failure it is written down, and due again later. Never raises for what is in it."""
    try:
        with transaction.atomic():
            event = WebhookEvent.objects.select_for_update().get(pk=event_id)
            if event.state in (State.RECEIVED, State.FAILED):
                _finish(event, _handle(event, now), now)
            return Answer(event.answer or 200, event.is_flagged)
    except Exception as error:
        log.exception("webhook_event_failed", event_id=event_id)
        return _note_failure(event_id, error, now)


def work_on_due_events(*, now: dt.datetime, limit: int = SWEEP_SIZE) -> int:
    """What was received and not worked on, or failed and is due again; returns how many it tried."""
    due = list(WebhookEvent.objects.due(now).values_list("pk", flat=True)[:limit])
    tried = 0
    for event_id in due:
        with transaction.atomic():  # somebody at work on it holds its row: not ours then
            is_free = (
                WebhookEvent.objects.due(now)
                .select_for_update(skip_locked=True)
                .filter(pk=event_id)
                .values_list("pk", flat=True)
                .first()
            )
        if is_free:
            work_on(event_id=event_id, now=now)
            tried += 1
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


def _keep(body: bytes, now: dt.datetime) -> tuple[int, Answer | None]:
    """One statement, committed when it returns: the event, and its answer where it is a repeat of a finished one.

    A repeat is counted, and brings back what had failed.
    """
    with connection.cursor() as cursor:
        cursor.execute(
            """
            INSERT INTO payments_webhookevent AS event (digest, body, event, reference, state, is_flagged, outcome,
                delivery_count, first_at, last_at, attempts, try_after)
            VALUES (%s, %s, '', '', 'received', false, '', 1, %s, %s, 0, %s)
            ON CONFLICT (digest) DO UPDATE SET delivery_count = event.delivery_count + 1, last_at = excluded.last_at
            RETURNING id, state, answer, is_flagged
            """,
            [hashlib.sha256(body).digest(), body, now, now, now + LEASE],
        )
        event_id, state, answer, is_flagged = cursor.fetchone()
    is_finished = state not in (State.RECEIVED, State.FAILED)
    return int(event_id), Answer(answer or 200, is_flagged) if is_finished else None


def _finish(event: WebhookEvent, done: _Done, now: dt.datetime) -> None:
    if event.state == State.FAILED:
        resolve_by_itself(_review_key(event), note=_("It was worked on at a later attempt."), now=now)
    event.state, event.outcome, event.payment = done.state, done.outcome[:300], done.payment
    event.answer = event.answer or done.answer
    event.attempts += 1
    event.try_after, event.done_at = None, now
    event.save(
        update_fields=[
            "event",
            "reference",
            "state",
            "outcome",
            "payment",
            "answer",
            "attempts",
            "try_after",
            "done_at",
        ]
    )


def _handle(event: WebhookEvent, now: dt.datetime) -> _Done:
    try:
        name, data = _read(bytes(event.body))
    except _NotAnEvent as error:
        open_review(
            kind=ReviewItem.Kind.BAD_EVENT, key=_review_key(event), reason=str(error), event=event, now=now
        )
        return _Done(State.BAD, str(error), 400)
    event.event = text(name, 80)
    fields = data if isinstance(data, dict) else {}
    event.reference = _reference_in(fields)
    if name == "charge.success":
        return _charge(event, fields, now)
    for prefix, handle in _HANDLERS.items():
        if name.startswith(prefix):
            found = handle(event, name, fields, now)
            if found is not None:
                return _Done(State.DONE, found[1], payment=found[0])
    return _Done(State.IGNORED, "")


def _charge(event: WebhookEvent, data: Mapping[str, Any], now: dt.datetime) -> _Done:
    charge, metadata = charge_of(data), metadata_of(data)
    is_ours = "payment_id" in metadata
    answer = 200 if is_ours else 400
    payment = Payment.objects.filter(reference=charge.reference).first() if charge.reference else None
    if payment is not None:
        settlement = settle_payment(payment=payment, charge=charge, source=Source.WEBHOOK, now=now)
        return _Done(State.DONE, str(settlement.result), answer, settlement.payment)
    if not is_ours:
        reason = _("A charge without our metadata, under a reference that nobody here knows.")
        open_review(
            kind=ReviewItem.Kind.METADATA, key=_review_key(event), reason=reason, event=event, now=now
        )
        return _Done(State.DONE, reason, answer)
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
    return _Done(State.DONE, reason, answer, meant)


def _payment_named(value: object) -> Payment | None:
    try:
        return Payment.objects.filter(public_id=uuid.UUID(str(value))).first()
    except ValueError:
        return None


def _read(body: bytes) -> tuple[str, Any]:
    """Name and data of an event. Raises `_NotAnEvent`."""
    try:
        content = read_json(body)
    except ValueError as error:
        raise _NotAnEvent(_("The body is not JSON.")) from error
    if not isinstance(content, dict):
        raise _NotAnEvent(_("The body is JSON, and not an object."))
    name = content.get("event")
    if not isinstance(name, str) or not name.strip():
        raise _NotAnEvent(_("The body names no event."))
    return name.strip(), content.get("data")


def _reference_in(data: Mapping[str, Any]) -> str:
    """Ours, wherever this kind of event has it; empty where it has none."""
    transaction_of = data.get("transaction")
    inner = transaction_of.get("reference") if isinstance(transaction_of, dict) else None
    return text(data.get("reference") or data.get("transaction_reference") or inner, 120)


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
            event.answer, event.is_flagged = event.answer or 200, True
            event.save(update_fields=["attempts", "try_after", "state", "outcome", "answer", "is_flagged"])
            open_review(
                kind=ReviewItem.Kind.EVENT,
                key=_review_key(event),
                reason=_("An event of Paystack could not be worked on: %(error)s") % {"error": event.outcome},
                event=event,
                now=now,
            )
            return Answer(event.answer, True)
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
