"""How far an import is, written where everybody sees it while the import's own transaction is still open.

Over a database connection of its own, each time committed at once: in the import's transaction nobody would see it before
the end, and Redis may be gone. It counts attempts too, which has to outlive an attempt that is killed.
"""

import datetime as dt
import time
from types import TracebackType

import structlog
from django.db import DEFAULT_DB_ALIAS, DatabaseError, connections

from draws.topics import PROGRESS, import_topic
from notifications.live import publish

log = structlog.get_logger(__name__)

_EVERY_S = 0.3


class ShownProgress:
    """Shows the progress of one upload's import. Used by whoever holds the upload's row, and by nobody else."""

    def __init__(self, upload_id: int) -> None:
        self._upload_id = upload_id
        self._connection = connections[DEFAULT_DB_ALIAS].copy()
        self._shown_at = 0.0

    def __enter__(self) -> "ShownProgress":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._connection.close()

    def begin(self, now: dt.datetime) -> int:
        """Count an attempt and start from nothing; returns which attempt it is."""
        with self._connection.cursor() as cursor:
            cursor.execute(
                """
                UPDATE draws_uploadprogress SET attempts = attempts + 1, started_at = %s, lines = 0, bytes_read = 0
                WHERE upload_id = %s RETURNING attempts
                """,
                [now, self._upload_id],
            )
            row = cursor.fetchone()
        return int(row[0]) if row else 1  # not there: whoever received the upload has not committed yet

    def show(self, lines: int, bytes_read: int) -> None:
        """Say how far it is, a few times a second at most. An import does not fail because it can't be shown."""
        if time.monotonic() - self._shown_at >= _EVERY_S:
            self._write(lines, bytes_read)

    def all_read(self, lines: int, size: int) -> None:
        """Say that the file is read to its end."""
        self._write(lines, size)

    def _write(self, lines: int, bytes_read: int) -> None:
        try:
            with self._connection.cursor() as cursor:
                cursor.execute(
                    "UPDATE draws_uploadprogress SET lines = %s, bytes_read = %s WHERE upload_id = %s",
                    [lines, bytes_read, self._upload_id],
                )
            publish(import_topic(self._upload_id), PROGRESS, {})
        except DatabaseError as error:
            log.warning("progress_not_shown", upload=self._upload_id, error=str(error))
        self._shown_at = time.monotonic()
