"""How files that people send are received: bounded, and gone with the process that received them.

Django's own handler writes a large file under a name, where it stays when the process is killed; lists of people's
addresses are better held by nothing but an open file. What is beyond the limit is read and dropped, whoever sends it
and to whichever page, so that nobody fills the disk; the page then finds a file that is one byte too long.
"""

import tempfile
from typing import Any

from django.conf import settings
from django.core.files.uploadedfile import UploadedFile
from django.core.files.uploadhandler import FileUploadHandler


class BoundedUploadHandler(FileUploadHandler):
    """Keeps at most `UPLOAD_MAX_BYTES` + 1 of all files of a request, in memory or in a file without a name."""

    def __init__(self, request: Any = None) -> None:
        super().__init__(request)
        self._room = settings.UPLOAD_MAX_BYTES + 1
        self._file: Any = None

    def new_file(self, *args: Any, **kwargs: Any) -> None:
        """Begin a file."""
        super().new_file(*args, **kwargs)
        self._file = tempfile.SpooledTemporaryFile(max_size=settings.FILE_UPLOAD_MAX_MEMORY_SIZE)  # noqa: SIM115

    def receive_data_chunk(self, raw_data: bytes, start: int) -> None:
        """Take what there is room for."""
        kept = raw_data[: self._room]
        self._room -= len(kept)
        self._file.write(kept)

    def file_complete(self, file_size: int) -> "UploadedFile[Any]":
        """The file, at its beginning; `size` is what was kept of it."""
        size = self._file.tell()
        self._file.seek(0)
        return UploadedFile(
            file=self._file,
            name=self.file_name,
            content_type=self.content_type,
            size=size,
            charset=self.charset,
            content_type_extra=self.content_type_extra,
        )

    def upload_interrupted(self) -> None:
        """Whoever sent it went away."""
        if self._file is not None:
            self._file.close()
