"""Importing entrants from a CSV file: streamed, wholly in or wholly out, with a report of every refused line.

Columns: `email` (or `phone`, or `identity`), and if there are any `name` and `weight`; a first line that names
them, or else the order identity, name, weight. A million lines are one COPY and two statements.
"""

import csv
import datetime as dt
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from hashlib import sha256
from typing import BinaryIO

from django.db import connection, transaction
from django.utils.translation import gettext as _

from accounts.models import User
from audit.services import record
from draws import vwd1
from draws.models import Draw, Entry, EntryImport
from draws.services.entering import NewEntry, copy_into_stage, create_stage, insert_staged, lock_open_draw
from draws.services.errors import DrawError

_IDENTITY_COLUMNS = ("identity", "email", "e-mail", "e_mail", "phone")
_CONTENT = 300
_PROGRESS_EVERY = 10_000


class ImportRefusedError(DrawError):
    """The file as a whole can't be imported. Nothing of it was."""


@dataclass
class _Columns:
    identity: int = 0
    name: int | None = 1
    weight: int | None = 2


@dataclass
class _Reader:
    """Reads rows, keeps what was refused, hashes the file on the way."""

    file: BinaryIO
    progress: Callable[[int], None]
    lines: int = 0
    rejected: list[tuple[int, str, str]] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.digest = sha256()

    def entries(self) -> Iterator[tuple[int, NewEntry]]:
        """Good rows as (line number, entry)."""
        columns: _Columns | None = None
        reader = csv.reader(self._text())
        while True:
            try:
                row = next(reader, None)
            except csv.Error as error:
                self.rejected.append(
                    (reader.line_num, "", _("Not a CSV line: %(error)s.") % {"error": error})
                )
                continue
            if row is None:
                break
            if not any(cell.strip() for cell in row):
                continue
            if columns is None:
                columns = _columns_of(row)
                if columns is not None:
                    continue
                columns = _Columns()
            self.lines += 1
            if self.lines % _PROGRESS_EVERY == 0:
                self.progress(self.lines)
            try:
                yield reader.line_num, _entry_of(row, columns)
            except ValueError as error:
                self.rejected.append((reader.line_num, ",".join(row)[:_CONTENT], str(error)[:_CONTENT]))

    def _text(self) -> Iterator[str]:
        first = True
        for line in self.file:
            self.digest.update(line)
            try:
                text = line.decode("utf-8-sig" if first else "utf-8")
            except UnicodeDecodeError:
                # One such line is that line's fault; it must not hide behind a replaced character.
                text = "\x00" + line.decode("latin-1")
            first = False
            yield text.replace("\x00", "\ufffd")


def _columns_of(row: list[str]) -> _Columns | None:
    """The columns a first line names, or None when it is a person already."""
    names = [cell.strip().lower() for cell in row]
    at = {name: index for index, name in reversed(list(enumerate(names)))}
    identity = next((at[name] for name in _IDENTITY_COLUMNS if name in at), None)
    if identity is None:
        return None
    return _Columns(identity=identity, name=at.get("name"), weight=at.get("weight", at.get("tickets")))


def _cell(row: list[str], index: int | None) -> str:
    return row[index].strip() if index is not None and index < len(row) else ""


def _entry_of(row: list[str], columns: _Columns) -> NewEntry:
    if any("\ufffd" in cell for cell in row):
        raise ValueError(_("This line is not UTF-8: save the file as UTF-8 and import it again."))
    identity = vwd1.normalise_identity(_cell(row, columns.identity))
    text = _cell(row, columns.weight) or "1"
    if (
        not (text.isascii() and text.isdigit())
        or not 1 <= int(text[:17]) <= vwd1.MAX_TICKETS
        or len(text) > 16
    ):
        raise ValueError(
            _("“%(weight)s” is not a number of tickets: write a whole number from 1.") % {"weight": text[:40]}
        )
    return NewEntry(identity=identity, weight=int(text), name=_cell(row, columns.name)[:80])


def import_entries(
    *,
    draw: Draw,
    file: BinaryIO,
    file_name: str,
    by: User | None,
    now: dt.datetime,
    progress: Callable[[int], None] = lambda lines: None,
) -> EntryImport:
    """Enter everyone in a CSV file; returns the import with its counts and `rejections`.

    `file` yields lines of bytes and is read once. A refused line doesn't stop the others; a person who stands
    in the file twice, or in the draw already, keeps the first entry. Raises `EntryRefusedError` when the draw
    closed meanwhile, `ImportRefusedError` when no line is good: nothing is then imported.
    """
    reader = _Reader(file, progress)
    with transaction.atomic():
        create_stage()
        # Locked before the file is read: whoever starts in time gets in, and a closed draw is told at once.
        staged = copy_into_stage(scope=lock_open_draw(draw), rows=reader.entries())
        if not reader.lines:
            raise ImportRefusedError(_("The file has no lines. Write one person a line: email,name,weight."))
        if not staged:
            line, _content, reason = reader.rejected[0]
            raise ImportRefusedError(
                _("None of the %(count)d lines can be used. Line %(line)d: %(reason)s")
                % {"count": reader.lines, "line": line, "reason": reason}
            )
        report = EntryImport.objects.create(
            draw=draw,
            file_name=file_name[:200],
            file_sha256=reader.digest.hexdigest(),
            lines=reader.lines,
            accepted=0,
            rejected=0,
            by=by,
            created_at=now,
        )
        _write_rejections(report, reader.rejected)
        report.accepted = insert_staged(draw=draw, source=Entry.Source.IMPORT, now=now)
        report.rejected = report.rejections.count()
        report.save(update_fields=["accepted", "rejected"])
        record(
            actor=by,
            action="draw.entries_imported",
            target=draw,
            data={
                "import": str(report.public_id),
                "file_sha256": report.file_sha256,
                "lines": report.lines,
                "accepted": report.accepted,
                "rejected": report.rejected,
            },
            now=now,
        )
    return report


def _write_rejections(report: EntryImport, rejected: list[tuple[int, str, str]]) -> None:
    """Store refused lines: what the reader refused, and repeats, which only the database can see."""
    with connection.cursor() as cursor:
        with cursor.copy(
            "COPY draws_importrejection (entry_import_id, line, content, reason) FROM STDIN"
        ) as copy:
            for line, content, reason in rejected:
                copy.write_row((report.pk, line, content, reason))
        cursor.execute(
            """
            INSERT INTO draws_importrejection (entry_import_id, line, content, reason)
            SELECT %(import)s, line, left(identity, 300), CASE
                WHEN first_line < line THEN format(%(repeated)s, first_line) ELSE %(known)s END
            FROM (
                SELECT staged.line, staged.identity, entry.id IS NOT NULL AS is_known,
                       min(staged.line) OVER (PARTITION BY staged.identity) AS first_line
                FROM draws_staged staged
                LEFT JOIN draws_entry entry ON entry.draw_id = %(draw)s AND entry.identity = staged.identity
            ) seen
            WHERE is_known OR first_line < line
            """,
            {
                "import": report.pk,
                "draw": report.draw_id,
                "repeated": _("This person stands in line %s already."),
                "known": _("This person is in the draw already."),
            },
        )
