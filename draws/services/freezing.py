"""Freezing a draw: the fairness lock, the entries file, the manifest. From here on nothing about it changes.

Three steps, each of which may be the last before a crash: (1) `frozen_at` is set, and triggers make the
entries immutable; (2) outside any transaction the entries file is written to the storage and hashed; it is a
pure function of immutable rows, so doing it twice gives the same bytes; (3) one transaction stores the
manifest, once. The next run goes on where the last one stopped.
"""

import datetime as dt
import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any

import structlog
from django.conf import settings
from django.core.files.base import File
from django.core.files.storage import default_storage
from django.db import connection, transaction
from django.utils.translation import gettext as _

from accounts.models import User
from audit.services import record
from draws import vwd1
from draws.entries_file import EntriesDigest, EntriesSummary
from draws.models import Draw, DrawChange
from draws.owners import owner_of
from draws.services.errors import DrawError
from draws.services.failing import FREEZE, note_failure
from draws.services.history import moved, note_change
from draws.services.publishing import return_everything
from draws.services.randomness import manifest_sources
from draws.services.reconnecting import drop_if_cut
from draws.services.reminding import cancel_reminders, move_reminders
from draws.services.revealing import tell_phase
from draws.services.telling import tell

log = structlog.get_logger(__name__)

_BLOCK = 1 << 18
# The job comes every few seconds; where the least wait leaves no slack, it moves the draw by as much.
_WORTH_TELLING = dt.timedelta(minutes=1)
_ENTRIES_ROWS = """
    COPY (
        SELECT encode(pid, 'hex'),
               sum(weight) OVER (ORDER BY pid ROWS UNBOUNDED PRECEDING) - weight,
               weight
        FROM draws_entry WHERE draw_id = {draw_id:d} ORDER BY pid
    ) TO STDOUT (FORMAT CSV)
"""


class FreezeError(DrawError):
    """The draw can't be frozen. The message says what to do."""


def freeze_due_draws(*, now: dt.datetime) -> list[Draw]:
    """Freeze every draw whose entries have closed; one that fails doesn't stop the others, and is tried again."""
    frozen = []
    for draw_id in Draw.objects.due_to_freeze(now).order_by("closes_at").values_list("pk", flat=True):
        try:
            if (draw := freeze_draw(draw_id=draw_id, now=now)) is not None:
                frozen.append(draw)
        except Exception:
            drop_if_cut()  # was it cut? the next draw gets a new one
            continue  # recorded, logged and told by freeze_draw
    return frozen


def freeze_draw(*, draw_id: int, now: dt.datetime, by: User | None = None, reason: str = "") -> Draw | None:
    """Freeze one draw. With `by` it closes entries early, and needs a `reason`.

    Returns the frozen (or void: nobody entered) draw, or None when somebody else is freezing it, or it is
    frozen already. Raises `FreezeError` where an admin's word is refused, or whatever else went wrong, after the
    failure was written down and the admins were told.
    """
    try:
        return _freeze(draw_id=draw_id, now=now, by=by, reason=reason)
    except Exception as error:
        if by is not None and isinstance(error, FreezeError):
            raise  # an answer to the one who asked
        if not note_failure(draw_id=draw_id, step=FREEZE, error=error, by=by, now=now):
            return None  # another process finished it meanwhile, which is what failed us
        raise


def _freeze(*, draw_id: int, now: dt.datetime, by: User | None, reason: str) -> Draw | None:
    if not _lock_entries(draw_id=draw_id, now=now, by=by, reason=reason):
        return None
    draw = Draw.objects.get(pk=draw_id)
    if not draw.entries.exists():
        return _void(draw_id=draw_id, by=by, now=now)
    with written_entries_file(draw) as (file, summary):
        store_entries_file(file, draw)
    return _publish_manifest(draw_id=draw_id, summary=summary, by=by, now=now)


def _lock_entries(*, draw_id: int, now: dt.datetime, by: User | None, reason: str) -> bool:
    """Step 1: set `frozen_at`. False when another process holds the row or there is nothing to do.

    The job comes again in a moment and passes by a row that is busy; an admin's word waits for the entries
    that are just being made, of which there may always be one.
    """
    with transaction.atomic():
        draw = (
            Draw.objects.select_for_update(skip_locked=by is None)
            .filter(pk=draw_id, status=Draw.Status.ACTIVE, manifest__isnull=True)
            .first()
        )
        if draw is None:
            return False
        if draw.frozen_at is not None:
            return True  # a freeze that was killed after this step
        frozen_at = now.replace(microsecond=0)
        before = {"closes_at": draw.closes_at, "draw_at": draw.draw_at}
        if draw.closes_at > now:
            if by is None:
                return False
            if not reason.strip():
                raise FreezeError(_("Say why entries close early: it is published with the draw."))
            if draw.opens_at >= frozen_at:
                raise FreezeError(_("Entries have not opened yet: cancel the draw, or wait until they do."))
            draw.closes_at = frozen_at
        draw.frozen_at = frozen_at
        # A late freeze moves the draw, so that the least wait between promise and result holds.
        draw.draw_at = max(draw.draw_at, frozen_at + dt.timedelta(seconds=draw.min_wait_s))
        draw.save(update_fields=["frozen_at", "closes_at", "draw_at"])
        fields = moved(before, draw)
        if "closes_at" in fields or draw.draw_at - before["draw_at"] >= _WORTH_TELLING:
            kind = DrawChange.Kind.CLOSED_EARLY if "closes_at" in fields else DrawChange.Kind.FROZEN_LATE
            note_change(draw=draw, kind=kind, by=by, reason=reason.strip(), fields=fields, now=now)
            move_reminders(draw, by=by, now=now)
        record(
            actor=by,
            action="draw.entries_locked",
            target=draw,
            data={
                "frozen_at": vwd1.format_time(frozen_at),
                "closes_at": vwd1.format_time(draw.closes_at),
                "draw_at": vwd1.format_time(draw.draw_at),
                "reason": reason.strip(),
            },
            now=now,
        )
    return True


def _void(*, draw_id: int, by: User | None, now: dt.datetime) -> Draw | None:
    """Nobody entered: the draw is void, never drawn, and everything goes back."""
    with transaction.atomic():
        draw = (
            Draw.objects.select_for_update(skip_locked=by is None)
            .filter(pk=draw_id, status=Draw.Status.ACTIVE, manifest__isnull=True)
            .first()
        )
        if draw is None:
            return None
        draw.status = Draw.Status.VOID
        draw.entries_count = 0
        draw.save(update_fields=["status", "entries_count", *_forget_failures(draw)])
        returned = return_everything(draw=draw, by=None, reason="nobody entered", now=now)
        record(actor=None, action="draw.voided", target=draw, data={"returned": returned}, now=now)
        note_change(draw=draw, kind=DrawChange.Kind.VOID, by=None, now=now)
        cancel_reminders(draw, by=None, now=now, sent_too=True)
        tell(
            draw=draw,
            kind="draws.draw_void",
            context={},
            idem_key=f"draw:{draw.public_id}:void",
            now=now,
        )
        if (owner := owner_of(draw)) is not None and owner.on_ended is not None:
            owner.on_ended(draw, now)
        tell_phase(draw)
    return draw


def _forget_failures(draw: Draw) -> list[str]:
    """It is frozen: attempts are counted anew, for the execution. The names of the fields to save."""
    draw.execution_error, draw.attempts, draw.next_attempt_at = "", 0, None
    return ["execution_error", "attempts", "next_attempt_at"]


def _publish_manifest(
    *, draw_id: int, summary: EntriesSummary, by: User | None, now: dt.datetime
) -> Draw | None:
    """Step 3: one manifest, ever.

    Somebody who came too late to enter may hold the row for a moment still: an admin's word waits for them too.
    """
    with transaction.atomic():
        draw = (
            Draw.objects.select_for_update(skip_locked=by is None)
            .filter(pk=draw_id, status=Draw.Status.ACTIVE, manifest__isnull=True)
            .first()
        )
        if draw is None:
            return None
        manifest = manifest_of(draw, summary)
        draw.manifest = manifest
        draw.manifest_sha256 = vwd1.manifest_sha256(manifest)
        draw.entries_count = summary.count
        draw.save(update_fields=["manifest", "manifest_sha256", "entries_count", *_forget_failures(draw)])
        record(
            actor=None,
            action="draw.frozen",
            target=draw,
            data={"manifest": manifest, "manifest_sha256": draw.manifest_sha256},
            now=now,
        )
        tell(
            draw=draw,
            kind="draws.entries_frozen",
            context={
                "draw_at": draw.draw_at,
                "manifest_sha256": draw.manifest_sha256,
                "entries": summary.count,
            },
            idem_key=f"draw:{draw.public_id}:frozen",
            now=now,
        )
        tell_phase(draw)
    return draw


def manifest_of(draw: Draw, summary: EntriesSummary) -> dict[str, Any]:
    """The manifest of a draw whose entries are locked."""
    assert draw.frozen_at is not None
    prizes = [(str(prize.code), prize.quantity) for prize in draw.prizes.all()]
    return vwd1.build_manifest(
        draw_id=draw.public_id,
        scope=draw.scope or draw.public_id,
        title=draw.title,
        rules_sha256=draw.rules_sha256,
        opens_at=draw.opens_at,
        closes_at=draw.closes_at,
        frozen_at=draw.frozen_at,
        draw_at=draw.draw_at,
        entries=summary,
        prizes=prizes,
        alternates=draw.alternates or 0,
        excludes=draw.excludes,
        min_wait_s=draw.min_wait_s,
        randomness=manifest_sources(draw),
    )


def entries_file_name(draw: Draw) -> str:
    """Where a draw's entries file lies in the storage."""
    return f"draws/{draw.public_id}/entries.csv"


def entries_blocks(draw: Draw) -> Iterator[bytes]:
    """The entries file as the database gives it at this moment, in blocks cut anywhere."""
    with connection.cursor() as cursor, cursor.copy(_ENTRIES_ROWS.format(draw_id=draw.pk)) as copy:
        for block in copy:
            yield bytes(block)


@contextmanager
def written_entries_file(draw: Draw) -> Iterator[tuple[IO[bytes], EntriesSummary]]:
    """The entries file of locked entries, made from the database into a temporary file, with its digests."""
    digest = EntriesDigest()
    with tempfile.TemporaryFile() as file:
        for block in entries_blocks(draw):
            digest.update(block)
            file.write(block)
        file.seek(0)
        yield file, digest.summary()


def store_entries_file(file: IO[bytes], draw: Draw) -> None:
    """Put the file in place, whole or not at all, whoever reads, writes or is killed meanwhile."""
    name = entries_file_name(draw)
    try:
        path = Path(default_storage.path(name))
    except NotImplementedError:  # an object store: what is put there appears at once and whole
        default_storage.delete(name)
        default_storage.save(name, File(file))
        return
    path.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.NamedTemporaryFile(dir=path.parent, prefix=".entries-", delete=False) as partial:
        try:
            shutil.copyfileobj(file, partial, _BLOCK)
            partial.flush()
            os.fsync(partial.fileno())
            os.fchmod(partial.fileno(), settings.FILE_UPLOAD_PERMISSIONS or 0o644)
            os.replace(partial.name, path)
        except BaseException:
            os.unlink(partial.name)
            raise
