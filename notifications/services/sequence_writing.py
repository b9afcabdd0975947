"""Writing sequences: what they are after, their steps and words. Who was enrolled keeps the steps there were then."""

import datetime as dt
from collections.abc import Mapping, Sequence
from typing import Any

from django.db import models, transaction
from django.utils.translation import gettext as _

from accounts.models import User
from audit.models import Record
from audit.services import record, target_name
from notifications import occasions
from notifications.models import Sequence as SequenceRow
from notifications.models import SequenceStep, SequenceTurn
from notifications.services.audiences import usable_channels
from notifications.services.broadcasts import BroadcastError, check_brought, insist_they_fit, vocabulary
from notifications.services.sequences import FAILED, call_off
from notifications.words.parts import Parts

LONGEST = dt.timedelta(days=366)
_WRITTEN = "notification.step_written"
_ROOM = 16_384  # bytes of a message's values besides its words: what the occasion knows is among them


def save_sequence(
    *, sequence: SequenceRow | None, title: str, occasion: str, category: str, by: User, now: dt.datetime
) -> SequenceRow:
    """Make one, switched off, or change what it is called. Raises `OccasionError`; and `BroadcastError` for another occasion or
    category once it has steps, because their words are about those."""
    occasions.get(occasion)
    with transaction.atomic():
        if sequence is None:
            sequence = SequenceRow.objects.create(
                title=title, occasion=occasion, category=category, made_at=now
            )
            action = "notification.sequence_made"
        else:
            sequence = SequenceRow.objects.select_for_update().get(pk=sequence.pk)
            if sequence.steps.exists() and (sequence.occasion, sequence.category) != (occasion, category):
                raise BroadcastError(
                    _("It has steps already, whose words are about this occasion. Make a new sequence.")
                )
            sequence.title, sequence.occasion, sequence.category = title, occasion, category
            sequence.save(update_fields=["title", "occasion", "category"])
            action = "notification.sequence_changed"
        _record(sequence, action, {"occasion": occasion, "category": category}, by, now)
    return sequence


def add_step(
    *, sequence: SequenceRow, delay: dt.timedelta, channels: Sequence[str], by: User, now: dt.datetime
) -> SequenceStep:
    """Another message, so long after the occasion; without words yet, so that it is said to nobody. Raises `BroadcastError`."""
    if not dt.timedelta(0) <= delay <= LONGEST:
        raise BroadcastError(_("A step comes at once, or up to a year after."))
    if not channels or not set(channels) <= {str(channel) for channel in usable_channels()}:
        raise BroadcastError(_("Choose by which channels it goes."))
    with transaction.atomic():
        # Retired until something is written: nobody is enrolled for what has no words.
        step = SequenceStep.objects.create(
            sequence=sequence, delay=delay, channels=list(channels), retired_at=now
        )
        data = {"step": step.pk, "after_s": int(delay.total_seconds())}
        _record(sequence, "notification.step_added", data, by, now)
    return step


def save_step_words(
    *,
    step: SequenceStep,
    language: str,
    parts: Parts,
    by: User,
    now: dt.datetime,
    accepts_warnings: bool = False,
) -> SequenceStep:
    """Write a step's words in one language; with all parts empty, take that language out. From its first words on people are
    enrolled for it; new words hold for who has not been told yet. Raises `BroadcastError`."""
    occasion = step.sequence.occasion
    found = check_brought(parts, vocabulary(occasions.variables_of(occasion), occasion))
    if parts and not (parts.subject and parts.text):
        raise BroadcastError(_("Write a subject and a text."), found)
    if found.errors:
        raise BroadcastError(_("These words can't be used yet. What to do stands at each part."), found)
    if found.warnings and not accepts_warnings:
        raise BroadcastError(_("Look at the warnings: mend what they name, or accept them."), found)
    with transaction.atomic():
        step = SequenceStep.objects.select_for_update(of=("self",)).select_related("sequence").get(pk=step.pk)
        words = dict(step.words)
        if parts:
            words[language] = dict(parts.items())
        else:
            words.pop(language, None)
        insist_they_fit(words, room=_ROOM)
        if not words and step.turns.filter(ended_at=None).exists():
            raise BroadcastError(_("People wait for this step: take the step out instead of its last words."))
        step.words, step.retired_at = words, None if words else now
        step.save(update_fields=["words", "retired_at"])
        _record(step.sequence, _WRITTEN, {"step": step.pk, "language": language}, by, now)
    return step


def retire_step(*, step: SequenceStep, by: User, now: dt.datetime) -> int:
    """Take a step out: nobody is enrolled for it any more, and who waits for it, or whose message is not out, is not told;
    returns how many those were."""
    with transaction.atomic():
        locked = (
            SequenceStep.objects.select_for_update(of=("self",)).select_related("sequence").get(pk=step.pk)
        )
        count = call_off(SequenceTurn.objects.filter(step=locked), now=now)
        if locked.retired_at is None:
            locked.retired_at = now
            locked.save(update_fields=["retired_at"])
        _record(locked.sequence, "notification.step_retired", {"step": step.pk, "people": count}, by, now)
    return count


def why_not_on(sequence: SequenceRow) -> str:
    """What is missing before it can be switched on; "" for nothing."""
    if not sequence.steps.filter(retired_at=None).exists():
        return _("It has no step with words yet.")
    if sequence.occasion not in {occasion.name for occasion in occasions.all_occasions()}:
        return _("No part of the site knows its occasion any more.")
    return ""


def waiting_by_step(sequence: SequenceRow) -> Mapping[int, Any]:
    """How many people wait for each step, and how many were told."""
    counted = (
        sequence.steps.values("pk")
        .annotate(
            waiting=models.Count("turns", filter=models.Q(turns__ended_at=None)),
            told=models.Count("turns", filter=models.Q(turns__batch__isnull=False)),
        )
        .order_by()
    )
    return {row["pk"]: row for row in counted}


def failures_by_step(sequence: SequenceRow) -> Mapping[int, str]:
    """Why steps could not be said, the last time since their words were written."""
    trail = Record.objects.filter(target=target_name(sequence), action__in=[FAILED, _WRITTEN])
    failures: dict[int, str] = {}
    newest = trail.annotate(step=models.F("data__step")).order_by("step", "-pk").distinct("step")
    for row in newest:
        if row.action == FAILED:
            failures[row.data["step"]] = row.data["why"]
    return failures


def _record(sequence: SequenceRow, action: str, data: Mapping[str, Any], by: User, now: dt.datetime) -> None:
    record(actor=by, action=action, target=sequence, data=data, now=now)
