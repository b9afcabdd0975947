"""Sequences: who is enrolled after an occasion, whose turn it is, and whose turn never comes.

An enrolment writes one turn for each step there is then, in one statement; a person has each step about one thing once, whatever
is tried. The sweep takes what is due in one statement and says it as messages, a message a step and thing; all of it is one
transaction, so a killed worker has said nothing.
"""

import datetime as dt
import json
import uuid
from collections.abc import Mapping
from typing import Any

import structlog
from django.db import OperationalError, connection, transaction
from django.db.models import Exists, F, OuterRef, Q, QuerySet, TextField, Value
from django.db.models.functions import Cast, Concat

from accounts.models import User
from audit.services import record
from notifications import occasions, variables
from notifications.kinds import Category
from notifications.models import WAITING, Delivery, Message, SequenceStep, SequenceTurn, State
from notifications.models import Sequence as SequenceRow
from notifications.privacy import keep_erasures_out
from notifications.recipients import Recipient
from notifications.services.broadcasts import NEWS_KIND, OPEN
from notifications.services.messages import notify

log = structlog.get_logger(__name__)

STEP_KIND = "notifications.step"
FAILED = "notification.step_failed"
"""What the audit trail calls it that a step could not be said."""
TURNS_A_ROUND = 5_000

_ENROL = """
INSERT INTO notifications_sequenceturn
    (step_id, about, recipient_key, member_id, address, name, values, due_at, batch, ended_at)
SELECT step.id, %s, %s, %s, %s, %s, %s::jsonb, %s::timestamptz + step.delay, NULL, NULL
FROM notifications_sequencestep AS step
JOIN notifications_sequence AS sequence ON sequence.id = step.sequence_id
WHERE sequence.occasion = %s AND sequence.is_active AND step.retired_at IS NULL
ON CONFLICT DO NOTHING
"""
# The lock on sequences is against `set_active`, which takes back what was taken before it: the one waits or skips for the other.
# What came too late to be of use ends without a batch; the others belong to a batch of their step and thing. A sequence that was
# switched off keeps its turns, which go on with it; what came too late meanwhile is dropped then.
_TAKE = """
WITH due AS (
    SELECT turn.id, turn.step_id, turn.about, turn.values, turn.due_at + step.useful_for > %(now)s AS is_useful
    FROM notifications_sequenceturn AS turn
    JOIN notifications_sequencestep AS step ON step.id = turn.step_id
    JOIN notifications_sequence AS sequence ON sequence.id = step.sequence_id
    WHERE turn.ended_at IS NULL AND turn.due_at <= %(now)s AND sequence.is_active
    ORDER BY turn.due_at LIMIT %(limit)s
    FOR UPDATE OF turn SKIP LOCKED FOR SHARE OF sequence SKIP LOCKED
), batches AS (
    SELECT step_id, about, values, gen_random_uuid() AS batch FROM due WHERE is_useful
    GROUP BY step_id, about, values
), taken AS (
    UPDATE notifications_sequenceturn AS turn SET ended_at = %(now)s, batch = batches.batch
    FROM due
    LEFT JOIN batches ON due.is_useful AND batches.step_id = due.step_id AND batches.about = due.about
        AND batches.values = due.values
    WHERE turn.id = due.id
    RETURNING turn.step_id, turn.about, turn.values, turn.batch, turn.due_at
)
SELECT batch, step_id, about, values::text, min(due_at), count(*) FROM taken GROUP BY batch, step_id, about, values
"""


def enrol(
    *,
    occasion: str,
    about: str,
    recipient: Recipient,
    values: Mapping[str, Any],
    at: dt.datetime,
) -> int:
    """`occasion` happened to somebody at `at`, because of `about`: plan what follows; returns how many steps.

    In the caller's transaction, one statement. Enrolled again, nothing is planned twice. Raises `OccasionError`, and
    `ContextError` where the values are not those the occasion declares.
    """
    declared = occasions.get(occasion)
    encoded = variables.encode(values, declared.variables)
    with connection.cursor() as cursor:
        cursor.execute(
            _ENROL,
            [
                about,
                recipient.key,
                recipient.member_id,
                # A member's address is the account's when it is sent.
                "" if recipient.member_id else recipient.address,
                "" if recipient.member_id else recipient.name,
                json.dumps(encoded),
                at,
                occasion,
            ],
        )
        return int(cursor.rowcount)


def leave(*, occasion: str, about: str, recipient_key: str, now: dt.datetime) -> int:
    """The occasion holds no longer for this person: what they were not sent yet is called off; returns how much that was."""
    theirs = SequenceTurn.objects.filter(
        step__sequence__occasion=occasion, about=about, recipient_key=recipient_key
    )
    with transaction.atomic():
        count: int = theirs.filter(ended_at=None).update(ended_at=now)
        batches = list(theirs.filter(batch__isnull=False).values_list("batch", flat=True))
        if batches:
            # Taken, and not sent: neither those whose message has no deliveries yet nor those that wait.
            theirs.filter(batch__in=batches).update(batch=None)
            keys = [_key(batch) for batch in batches if batch is not None]
            waiting = Delivery.objects.filter(
                message__idem_key__in=keys, recipient_key=recipient_key, state__in=WAITING
            )
            count += waiting.update(state=State.CANCELLED)
    return count


def end_about(*, about: str, now: dt.datetime) -> int:
    """Nothing follows any more about this thing, for anybody: it was called off. Returns how many turns that were."""
    return call_off(SequenceTurn.objects.filter(about=about), now=now)


def call_off(turns: QuerySet[SequenceTurn], *, now: dt.datetime) -> int:
    """End turns, all of a thing or all of a step, and take back what of them is not out; returns how many those were."""
    with transaction.atomic():
        ended: int = turns.filter(ended_at=None).update(ended_at=now)
        return ended + _take_back(turns, ended_at=now, now=now)


def _take_back(turns: QuerySet[SequenceTurn], *, ended_at: dt.datetime | None, now: dt.datetime) -> int:
    """Cancel what was said in these turns and is not out, as `leave` does for one person; returns how many have nothing of it,
    whose turns are `ended_at` then, or wait again."""
    # What is older than it is of use is not sent anyway.
    taken = turns.filter(batch__isnull=False, due_at__gt=now - F("step__useful_for"))
    said = Message.objects.filter(idem_key__in=taken.values_list(_key_of("batch")), cancelled_at=None)
    # Locked before one looks at their deliveries: a page of them that is being written now is seen then.
    locked = list(said.order_by("pk").select_for_update().values_list("pk", flat=True))
    of_one = Delivery.objects.filter(message=OuterRef("pk"), state__in=OPEN)
    not_out = Message.objects.filter(Q(expanded_at=None) | Exists(of_one), pk__in=locked)
    batches = {row.pk: row.context["batch"] for row in not_out}
    Message.objects.filter(pk__in=batches).update(cancelled_at=now)
    Delivery.objects.filter(message__in=batches, state__in=WAITING).update(state=State.CANCELLED)
    theirs = Delivery.objects.exclude(state=State.CANCELLED).filter(
        message__idem_key=_key_of(OuterRef("batch")), recipient_key=OuterRef("recipient_key")
    )
    untold = turns.filter(~Exists(theirs), batch__in=batches.values())
    return untold.update(batch=None, ended_at=ended_at)


def take_due_turns(*, now: dt.datetime, limit: int = TURNS_A_ROUND) -> int:
    """Say what is due; returns how many turns were taken. Any number of workers may run this at once.

    What can't be said ends without having been told, stands in the log, in the audit trail and at its step, and stops no
    other."""
    failed: dict[int, tuple[int, Exception]] = {}
    with transaction.atomic():
        keep_erasures_out()
        with connection.cursor() as cursor:
            cursor.execute(_TAKE, {"now": now, "limit": limit})
            batches = cursor.fetchall()
        steps = SequenceStep.objects.select_related("sequence").in_bulk({row[1] for row in batches})
        for batch, step_id, about, values, due_at, count in batches:
            if batch is None:
                continue
            try:
                with transaction.atomic():
                    _say(steps[step_id], batch, about, values, due_at, now)
            except OperationalError:  # the database's own trouble passes: all of it is tried again
                raise
            except Exception as error:
                log.error("step_failed", step=step_id, about=about, error=str(error), exc_info=error)
                SequenceTurn.objects.filter(batch=batch).update(batch=None)
                failed[step_id] = (failed[step_id][0] if step_id in failed else 0) + count, error
        for step_id, (people, cause) in failed.items():
            # Texts of other errors may name somebody, and what stands in the trail stays.
            why = str(cause) if isinstance(cause, variables.ContextError) else type(cause).__name__
            data = {"step": step_id, "people": people, "why": why}
            record(actor=None, action=FAILED, target=steps[step_id].sequence, data=data, now=now)
    return sum(row[5] for row in batches)


def _say(
    step: SequenceStep, batch: uuid.UUID, about: str, values: str, due_at: dt.datetime, now: dt.datetime
) -> None:
    promotes = step.sequence.category == Category.PROMOTIONAL
    notify(
        kind=NEWS_KIND if promotes else STEP_KIND,
        about=about,
        context={
            "words": step.words,
            "channels": step.channels,
            "occasion": step.sequence.occasion,
            "values": json.loads(values),
            "batch": str(batch),
        },
        idem_key=_key(batch),
        not_before=now,
        expires_at=due_at + step.useful_for,
        now=now,
    )


def _key(batch: uuid.UUID) -> str:
    return f"sequence:{batch}"


def _key_of(batch: str | OuterRef) -> Concat:
    """The same in SQL."""
    return Concat(Value("sequence:"), Cast(batch, TextField()), output_field=TextField())


def set_active(*, sequence: SequenceRow, is_active: bool, by: User, now: dt.datetime) -> bool:
    """Switch a sequence on or off; whether that changed anything. Off, nobody is enrolled and nothing is said; what is not out
    waits with the other turns until it is on again."""
    with transaction.atomic():
        changed = SequenceRow.objects.filter(pk=sequence.pk, is_active=not is_active).update(
            is_active=is_active
        )
        if changed:
            action = "notification.sequence_on" if is_active else "notification.sequence_off"
            turns = SequenceTurn.objects.filter(step__sequence=sequence)
            data = {} if is_active else {"people": _take_back(turns, ended_at=None, now=now)}
            record(actor=by, action=action, target=sequence, data=data, now=now)
    return bool(changed)
