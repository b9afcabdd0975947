"""Receiving a file of entrants: checked by its content, hashed, stored, and put down as waiting.

The request that brings it does no more. Killed before the row is committed, it leaves a file that nobody knows,
which is deleted after a day; killed after, the sweep imports what waits.
"""

import datetime as dt
import uuid
from dataclasses import dataclass
from hashlib import sha256
from typing import BinaryIO

from django.conf import settings
from django.core.files.base import File
from django.core.files.storage import default_storage
from django.db import IntegrityError, transaction
from django.utils.translation import gettext as _

from accounts.models import User
from audit.services import record
from draws.file_kinds import BEGINNING, FileKind, kind_of
from draws.models import Draw, EntryUpload, UploadProgress
from draws.services.entering import lock_open_draw
from draws.services.errors import DrawError
from notifications.services import wake

FOLDER = "imports"
TASK = "draws.tasks.import_uploads"
_BLOCK = 1 << 18


class UploadRefusedError(DrawError):
    """This file can't be taken, or not be tried again. The message says what to do."""


@dataclass(frozen=True)
class Received:
    """The upload a file belongs to; not new where the same file was sent before."""

    upload: EntryUpload
    is_new: bool


def receive_upload(
    *, draw: Draw, file: BinaryIO, file_name: str, by: User | None, now: dt.datetime
) -> Received:
    """Take a CSV file of entrants, to be imported by a worker. `file` is read twice, from its beginning.

    The same file sent twice to a draw is one upload, also when both come at once. Raises `UploadRefusedError` for
    what is no list or too large, `EntryRefusedError` when the draw takes no entries.
    """
    size, digest = _checked(file)
    if (before := _same(draw, digest)) is not None:
        return Received(before, is_new=False)
    file.seek(0)
    stored_as = default_storage.save(f"{FOLDER}/{uuid.uuid4()}.csv", File(file))
    try:
        with transaction.atomic():
            lock_open_draw(draw)
            upload = EntryUpload.objects.create(
                draw=draw,
                file_name=file_name[:200],
                file_sha256=digest,
                size=size,
                stored_as=stored_as,
                by=by,
                created_at=now,
            )
            UploadProgress.objects.create(upload=upload)
            record(
                actor=by,
                action="draw.entries_uploaded",
                target=draw,
                data={"upload": str(upload.public_id), "file_sha256": digest, "bytes": size},
                now=now,
            )
            transaction.on_commit(lambda: wake(TASK), robust=True)
    except (DrawError, IntegrityError) as error:
        # Only where it is certain that no row came of it; else the clean-up finds the file.
        default_storage.delete(stored_as)
        if isinstance(error, IntegrityError) and (before := _same(draw, digest)) is not None:
            return Received(before, is_new=False)
        raise
    return Received(upload, is_new=True)


def retry_upload(*, upload: EntryUpload, by: User | None, now: dt.datetime) -> EntryUpload:
    """Let an upload that was refused or has failed wait to be imported once more.

    Raises `UploadRefusedError` when it can't be, `EntryRefusedError` when the draw takes no entries.
    """
    if EntryUpload.objects.filter(pk=upload.pk, state=EntryUpload.State.WAITING).exists():
        return upload  # pressed twice; by now a worker may hold the row, and for long
    try:
        with transaction.atomic():
            locked = (
                EntryUpload.objects.select_for_update(of=("self",)).select_related("draw").get(pk=upload.pk)
            )
            if locked.state == EntryUpload.State.WAITING:
                return locked
            if not locked.can_be_tried_again:
                raise UploadRefusedError(_("This file is not kept any more: upload it again."))
            lock_open_draw(locked.draw)
            locked.state, locked.why, locked.ended_at = EntryUpload.State.WAITING, "", None
            locked.save(update_fields=["state", "why", "ended_at"])
            UploadProgress.objects.filter(upload=locked).update(
                attempts=0, started_at=None, lines=0, bytes_read=0
            )
            record(
                actor=by,
                action="draw.upload_retried",
                target=locked.draw,
                data={"upload": str(locked.public_id)},
                now=now,
            )
            transaction.on_commit(lambda: wake(TASK), robust=True)
    except IntegrityError as error:
        raise UploadRefusedError(
            _("The same file was uploaded again meanwhile: look at that one.")
        ) from error
    return locked


def _checked(file: BinaryIO) -> tuple[int, str]:
    """Size in bytes and SHA-256 of a file that may be a list."""
    beginning = file.read(BEGINNING)
    match kind_of(beginning):
        case FileKind.TEXT:
            pass
        case FileKind.SPREADSHEET:
            raise UploadRefusedError(
                _("This is not a CSV file but a spreadsheet. Open it, choose “Save as”, then “CSV (UTF-8)”.")
            )
        case FileKind.UTF16:
            raise UploadRefusedError(
                _("This is not a CSV file in UTF-8 but in UTF-16. Choose “Save as”, then “CSV (UTF-8)”.")
            )
        case FileKind.ARCHIVE:
            raise UploadRefusedError(
                _("This is not a CSV file but an archive. Unpack it and upload the CSV file.")
            )
        case _:
            raise UploadRefusedError(
                _("This is not a CSV file. In a spreadsheet choose “Save as”, then “CSV (UTF-8)”.")
            )
    digest, size = sha256(), 0
    block = beginning
    while block:
        digest.update(block)
        size += len(block)
        block = file.read(_BLOCK)
    if not size:
        raise UploadRefusedError(_("The file has no lines. Write one person a line: email,name,weight."))
    if size > settings.UPLOAD_MAX_BYTES:
        raise UploadRefusedError(
            _("The file is larger than %(most)d MB. Split it, and import the parts one after the other.")
            % {"most": settings.UPLOAD_MAX_BYTES >> 20}
        )
    return size, digest.hexdigest()


def _same(draw: Draw, digest: str) -> EntryUpload | None:
    """The upload of the same file that waits or is done."""
    states = (EntryUpload.State.WAITING, EntryUpload.State.DONE)
    return EntryUpload.objects.filter(draw=draw, file_sha256=digest, state__in=states).first()
