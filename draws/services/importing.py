"""Importing entrants from a CSV file: streamed, wholly in or wholly out, with a report of every refused line.

Columns: `email` (or `phone`, or `identity`), and if there are any `name` and `weight`; a first line that names
them, or else the order identity, name, weight. A million lines are one COPY and two statements.

Each line is read by itself. A quotation mark that is never closed then costs its own line and not, as with a
reader of whole records, some thousand people after it.
"""

import csv
import datetime as dt
import hashlib
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import BinaryIO

from django.db import connection, transaction
from django.utils.translation import gettext as _

from accounts.models import User
from accounts.plain_text import UNSEEN
from audit.services import record
from draws import vwd1
from draws.models import Draw, Entry, EntryImport
from draws.services.entering import lock_open_draw
from draws.services.errors import DrawError
from draws.services.staging import NewEntry, RefusedLine, copy_into_stage, create_stage, insert_staged

_IDENTITY_COLUMNS = ("identity", "email", "e-mail", "e_mail", "phone")
_CONTENT = 300
_NAME = 80
_LONGEST_LINE = 10_000
_PROGRESS_EVERY = 10_000
_WEIGHT = re.compile(r"[0-9]{1,16}")


class ImportRefusedError(DrawError):
    """The file as a whole can't be imported. Nothing of it was."""


class FileChangedError(DrawError):
    """The file is not the one that was received."""


@dataclass
class _Columns:
    identity: int = 0
    name: int | None = 1
    weight: int | None = 2


@dataclass
class _Reader:
    """Reads rows, counts them, hashes the file on the way, and remembers the first refusal."""

    file: BinaryIO
    progress: Callable[[int, int], None]
    lines: int = 0
    bytes_read: int = 0
    first_refused: tuple[int, RefusedLine] | None = None

    def __post_init__(self) -> None:
        self.digest = hashlib.sha256()

    def rows(self) -> Iterator[tuple[int, NewEntry | RefusedLine]]:
        """Every line that says something, as (line number, the person or why there is none)."""
        columns: _Columns | None = None
        for number, line in enumerate(self._lines(), start=1):
            if not line.strip(b" \t\r\n,"):
                continue
            try:
                cells = _cells_of(line)
                if columns is None:
                    named = _columns_of(cells)
                    columns = named or _Columns()
                    if named:
                        continue
                row: NewEntry | RefusedLine = _entry_of(cells, columns)
            except ValueError as error:
                row = RefusedLine(_shown(line), str(error)[:_CONTENT])
                self.first_refused = self.first_refused or (number, row)
            self.lines += 1
            if self.lines % _PROGRESS_EVERY == 0:
                self.progress(self.lines, self.bytes_read)
            yield number, row

    def _lines(self) -> Iterator[bytes]:
        """Lines without a byte order mark; of an endless one only the beginning is kept."""
        is_first = True
        while line := self.file.readline(_LONGEST_LINE + 1):
            self._take(line)
            rest = line
            while len(rest) > _LONGEST_LINE and not rest.endswith(b"\n"):
                rest = self.file.readline(_LONGEST_LINE + 1)
                self._take(rest)
            yield line.removeprefix(b"\xef\xbb\xbf") if is_first else line
            is_first = False

    def _take(self, data: bytes) -> None:
        self.digest.update(data)
        self.bytes_read += len(data)


def _cells_of(line: bytes) -> list[str]:
    """The cells of one line. Raises ValueError with a sentence for whoever made the file."""
    if len(line) > _LONGEST_LINE:
        raise ValueError(_("This line is longer than %(most)d bytes.") % {"most": _LONGEST_LINE})
    if b"\0" in line:
        raise ValueError(
            _("This line holds a NUL character: save the file as UTF-8 text and import it again.")
        )
    try:
        text = line.decode("utf-8").rstrip("\r\n")
    except UnicodeDecodeError:
        raise ValueError(_("This line is not UTF-8: save the file as UTF-8 and import it again.")) from None
    if "\ufffd" in text:
        raise ValueError(_("A character of this line was lost before: save the file as UTF-8 at its origin."))
    if '"' not in text and "\r" not in text:
        return text.split(",")
    try:
        return next(csv.reader([text], strict=True))
    except csv.Error as error:
        raise ValueError(_("Not a CSV line of its own: %(error)s.") % {"error": error}) from None


def _shown(line: bytes) -> str:
    """A refused line as it can be stored and read."""
    return (
        line[:_CONTENT].rstrip(b"\r\n").decode("utf-8", "backslashreplace").replace("\0", "\\x00")[:_CONTENT]
    )


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
    identity = vwd1.normalise_identity(_cell(row, columns.identity))
    weight = _cell(row, columns.weight) or "1"
    if not _WEIGHT.fullmatch(weight) or not 1 <= int(weight) <= vwd1.MAX_TICKETS:
        raise ValueError(
            _("“%(weight)s” is not a number of tickets: write a whole number from 1.")
            % {"weight": weight[:40]}
        )
    name = " ".join(UNSEEN.sub(" ", _cell(row, columns.name)).split())[:_NAME].strip()
    return NewEntry(identity=identity, weight=int(weight), name=name)


def import_entries(
    *,
    draw: Draw,
    file: BinaryIO,
    file_name: str,
    by: User | None,
    now: dt.datetime,
    sha256: str = "",
    progress: Callable[[int, int], None] = lambda lines, bytes_read: None,
    all_read: Callable[[int, int], None] = lambda lines, bytes_read: None,
) -> EntryImport:
    """Enter everyone in a CSV file; returns the import with its counts and `rejections`.

    `file` yields lines of bytes and is read once; `progress` hears of lines and bytes read every 10,000 lines, `all_read`
    at the end of the file, before anybody is entered. A refused line doesn't stop the others; a person who stands in the
    file twice, or in the draw already, keeps the first entry. Raises `EntryRefusedError` when the draw closed meanwhile,
    `ImportRefusedError` when no line is good, `FileChangedError` when `sha256` is given and not the file's: nothing is then imported.
    """
    reader = _Reader(file, progress)
    with transaction.atomic():
        create_stage()
        # Locked before the file is read: whoever starts in time gets in, and a closed draw is told at once.
        staged = copy_into_stage(scope=lock_open_draw(draw), rows=reader.rows())
        all_read(reader.lines, reader.bytes_read)
        if sha256 and reader.digest.hexdigest() != sha256:
            raise FileChangedError(_("The file is not the one that was received."))
        if not reader.lines:
            raise ImportRefusedError(_("The file has no lines. Write one person a line: email,name,weight."))
        if not staged and reader.first_refused:
            line, refused = reader.first_refused
            raise ImportRefusedError(
                _("None of the %(count)d lines can be used. Line %(line)d: %(reason)s")
                % {"count": reader.lines, "line": line, "reason": refused.reason}
            )
        accepted = insert_staged(draw=draw, source=Entry.Source.IMPORT, now=now)
        # Written once: a trigger keeps it as it is.
        report = EntryImport.objects.create(
            draw=draw,
            file_name=file_name[:200],
            file_sha256=reader.digest.hexdigest(),
            lines=reader.lines,
            accepted=accepted,
            rejected=reader.lines - accepted,
            by=by,
            created_at=now,
        )
        written = _write_rejections(report)
        if written != report.rejected:
            raise AssertionError(f"{written} reasons for {report.rejected} refused lines")
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


def _write_rejections(report: EntryImport) -> int:
    """Store what the reader refused, and every good line that made no entry; returns how many. After the insert."""
    with connection.cursor() as cursor:
        cursor.execute(
            """
            INSERT INTO draws_importrejection (entry_import_id, line, content, reason)
            SELECT %(import)s, line, content, reason FROM draws_staged WHERE reason IS NOT NULL
            UNION ALL
            SELECT %(import)s, line, left(coalesce(listed, identity), %(content)s), CASE
                WHEN first_line < line THEN format(%(repeated)s, first_line)
                WHEN listed IS NOT NULL THEN %(other)s ELSE %(known)s END
            FROM (
                SELECT line, identity, listed, pid, min(line) OVER (PARTITION BY identity) AS first_line
                FROM draws_staged WHERE reason IS NULL
            ) good
            WHERE NOT EXISTS (SELECT 1 FROM draws_entry entry WHERE entry.draw_id = %(draw)s AND entry.pid = good.pid)
            """,
            {
                "import": report.pk,
                "draw": report.draw_id,
                "content": _CONTENT,
                "repeated": _("This person stands in line %s already."),
                "known": _("This person is in the draw already."),
                "other": _("This person is in the draw already, under another address of theirs."),
            },
        )
        return int(cursor.rowcount)
