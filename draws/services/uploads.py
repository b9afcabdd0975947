"""Importing the files that wait, and forgetting them afterwards.

One transaction an import, under the lock of its row: a worker that is killed frees it with its connection, nothing
of the file is in, and the next sweep starts anew. The draw's cutoff is the one of every entry: a file that was
received in time but whose import begins after entries closed is refused, and whoever sent it and the admins are told.
"""

import datetime as dt
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from typing import BinaryIO, cast

import structlog
from django.core.files.storage import default_storage
from django.db import transaction
from django.urls import reverse
from django.utils import timezone, translation
from django.utils.translation import gettext as _

from audit.services import record
from draws.models import EntryImport, EntryUpload
from draws.models.uploads import MOST_ATTEMPTS
from draws.services.entering import EntryRefusedError
from draws.services.errors import DrawError
from draws.services.importing import FileChangedError, import_entries
from draws.services.progress import ShownProgress
from draws.services.receiving import FOLDER
from draws.topics import PROGRESS, import_topic
from notifications.live import publish
from notifications.services import notify

log = structlog.get_logger(__name__)

KEPT_FOR = dt.timedelta(days=7)
_UNKNOWN_KEPT_FOR = dt.timedelta(days=1)


def import_due_uploads(*, now: dt.datetime) -> list[EntryUpload]:
    """Import every file that waits, in the order in which they came; returns those that ended.

    One that fails doesn't stop the others, one that somebody else is importing is passed by.
    """
    waiting = EntryUpload.objects.filter(state=EntryUpload.State.WAITING).select_related("progress")
    ended = []
    for upload in waiting.order_by("created_at", "pk"):
        if not upload.progress.is_due(now):
            continue
        try:
            done = import_upload(upload_id=upload.pk, now=now)
        except Exception:
            log.exception("import_broke_off", upload=str(upload.public_id))
            continue
        if done is not None:
            ended.append(done)
    return ended


def import_upload(*, upload_id: int, now: dt.datetime) -> EntryUpload | None:
    """Make one attempt to import a file; returns the upload once it has ended, well or not.

    None when nothing waits, somebody else is at it, or the attempt failed and another one will be made.
    """
    if (stored_as := _waits_as(upload_id)) is None:
        return None
    with _stored(stored_as) as file, ShownProgress(upload_id) as progress, transaction.atomic():
        upload = _locked(upload_id)
        if upload is None:
            return None
        # The sentences are for whoever sent the file.
        with translation.override(upload.by.language if upload.by else None):
            return _attempt(upload, file, progress, now)


def _attempt(
    upload: EntryUpload, file: BinaryIO | None, progress: ShownProgress, now: dt.datetime
) -> EntryUpload | None:
    """Under the lock of the upload's row."""
    attempt = progress.begin(now)
    if file is None:
        return _stop(upload, EntryUpload.State.FAILED, _gone(), now)
    if attempt > MOST_ATTEMPTS:  # the last one was killed
        why = _("The worker was stopped in the middle %(count)d times. Try again, or split the file.")
        return _stop(upload, EntryUpload.State.FAILED, why % {"count": MOST_ATTEMPTS}, now)
    try:
        with transaction.atomic():
            report = import_entries(
                draw=upload.draw,
                file=file,
                file_name=upload.file_name,
                by=upload.by,
                now=now,
                sha256=upload.file_sha256,
                progress=progress.show,
                all_read=progress.all_read,
            )
    except FileChangedError:
        return _stop(upload, EntryUpload.State.FAILED, _gone(), now)
    except EntryRefusedError as refusal:
        return _stop(upload, EntryUpload.State.REFUSED, _came_too_late(upload, str(refusal)), now)
    except DrawError as refusal:
        return _stop(upload, EntryUpload.State.REFUSED, str(refusal), now)
    except Exception as error:
        log.exception("import_failed", upload=str(upload.public_id), attempt=attempt)
        if attempt < MOST_ATTEMPTS:
            return None
        why = _("The import failed %(count)d times on our side, the last time with %(error)s.")
        why %= {"count": attempt, "error": type(error).__name__}
        return _stop(upload, EntryUpload.State.FAILED, why, now)
    return _finish(upload, report, now)


def forget_uploads(*, now: dt.datetime) -> int:
    """Delete the files whose import ended a week ago, and those that nobody put down; returns how many."""
    ended = EntryUpload.objects.filter(ended_at__lte=now - KEPT_FOR).exclude(stored_as="")
    forgotten = 0
    for upload_id, stored_as in list(ended.values_list("pk", "stored_as")):
        # First the row, then the file: killed in between, the file is one that nobody knows.
        if ended.filter(pk=upload_id).update(stored_as=""):
            default_storage.delete(stored_as)
            forgotten += 1
    return forgotten + _forget_unknown(now)


def _forget_unknown(now: dt.datetime) -> int:
    """What a killed request or a killed clean-up left in the storage."""
    try:
        _folders, names = default_storage.listdir(FOLDER)
    except FileNotFoundError:
        return 0
    stored = {f"{FOLDER}/{name}" for name in names}
    unknown = stored - set(EntryUpload.objects.exclude(stored_as="").values_list("stored_as", flat=True))
    forgotten = 0
    for name in sorted(unknown):
        try:
            is_old = default_storage.get_modified_time(name) <= timezone.now() - _UNKNOWN_KEPT_FOR
        except FileNotFoundError:  # whoever stored it has just refused it
            continue
        if is_old:
            default_storage.delete(name)
            forgotten += 1
    return forgotten


def _locked(upload_id: int) -> EntryUpload | None:
    """The upload, ours until the transaction ends; None when it doesn't wait or somebody else has it."""
    waiting = EntryUpload.objects.select_for_update(skip_locked=True, of=("self",))
    return waiting.filter(pk=upload_id, state=EntryUpload.State.WAITING).select_related("draw", "by").first()


def _waits_as(upload_id: int) -> str | None:
    """The name of the file, if it waits and nobody is at it: asked before a copy of it is fetched."""
    with transaction.atomic():
        upload = _locked(upload_id)
        return upload.stored_as if upload else None


@contextmanager
def _stored(name: str) -> Iterator[BinaryIO | None]:
    """The stored file on this machine, None when it is gone. An object store is asked before any row is locked."""
    try:
        stored = default_storage.open(name, "rb")
    except FileNotFoundError:
        yield None
        return
    with stored:
        try:
            default_storage.path(name)
        except NotImplementedError:
            with tempfile.TemporaryFile() as copy:
                shutil.copyfileobj(stored, copy)
                copy.seek(0)
                yield cast(BinaryIO, copy)
        else:
            yield cast(BinaryIO, stored.file)


def _gone() -> str:
    return _("The stored file is not there any more, or not as it was received. Upload it again.")


def _came_too_late(upload: EntryUpload, refusal: str) -> str:
    """A refusal of the draw; with what an admin can do where the file itself came in time."""
    draw = upload.draw
    if draw.frozen_at is None and draw.status == draw.Status.ACTIVE:
        hint = _(  # it was received while entries were open, or it would not be here
            "The file came in time, but its import did not begin before the cutoff: nobody of it was entered. Until "
            "the draw is frozen you may let entries close later, and try again."
        )
        return f"{refusal} {hint}"
    if draw.frozen_at is not None:
        return (
            refusal + " " + _("The draw was frozen before the file was imported. Nobody of it was entered.")
        )
    return refusal


def _tell_end(upload: EntryUpload) -> None:
    """Tell the open page of the file, once that is committed."""
    transaction.on_commit(lambda: publish(import_topic(upload.pk), PROGRESS, {}), robust=True)


def _finish(upload: EntryUpload, report: EntryImport, now: dt.datetime) -> EntryUpload:
    upload.state, upload.report, upload.ended_at = EntryUpload.State.DONE, report, now
    upload.save(update_fields=["state", "report", "ended_at"])
    _tell_end(upload)
    return upload


def _stop(upload: EntryUpload, state: EntryUpload.State, why: str, now: dt.datetime) -> EntryUpload:
    """It ends without an import: say so here, in the trail, and to whoever sent it and the admins."""
    upload.state, upload.why, upload.ended_at = state, why, now
    upload.save(update_fields=["state", "why", "ended_at"])
    _tell_end(upload)
    record(
        actor=None,
        action="draw.upload_stopped",
        target=upload.draw,
        data={"upload": str(upload.public_id), "state": str(state)},
        now=now,
    )
    notify(
        kind="draws.import_stopped",
        about=upload.draw.about,
        context={
            "draw": upload.draw.title,
            "slug": upload.draw.slug,
            "upload": str(upload.public_id),
            "file": upload.file_name,
            "why": why,
            "page": reverse("admin:draws_entryupload_change", args=[upload.pk]),
        },
        not_before=now,
        idem_key=f"upload:{upload.public_id}:stopped:{now.timestamp():.6f}",
        now=now,
    )
    return upload
