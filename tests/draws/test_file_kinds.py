"""What a file is, by its content: lists are taken, whatever they begin with; what is none is named."""

import gzip
import io
import zipfile

import pytest

from draws.file_kinds import FileKind, kind_of


def zipped(name: str) -> bytes:
    held = io.BytesIO()
    with zipfile.ZipFile(held, "w") as archive:
        archive.writestr(name, "a@example.org\n")
    return held.getvalue()


@pytest.mark.parametrize(
    ("beginning", "kind"),
    [
        (zipped("[Content_Types].xml"), FileKind.SPREADSHEET),
        (zipped("people.csv"), FileKind.ARCHIVE),
        (gzip.compress(b"a@example.org\n", mtime=0), FileKind.ARCHIVE),
        (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + bytes(40), FileKind.SPREADSHEET),
        (b"%PDF-1.7\n", FileKind.DOCUMENT),
        (b"\x89PNG\r\n\x1a\n\x00\x00", FileKind.PICTURE),
        (b"\xff\xd8\xff\xe0", FileKind.PICTURE),
        (b"RIFF\x24\x00\x00\x00WEBPVP8 ", FileKind.PICTURE),
        (b"\xef\xbb\xbf <!DOCTYPE html><title>Sign in</title>", FileKind.PAGE),
        (b'<?xml version="1.0"?>', FileKind.PAGE),
        ("email\na@example.org\n".encode("utf-16"), FileKind.UTF16),
        ("email\na@example.org\n".encode("utf-16-le"), FileKind.UTF16),
        ("email\na@example.org\n".encode("utf-16-be"), FileKind.UTF16),
        (b"\x7fELF\x02\x01\x01\x00\x00\x01\x00\x02", FileKind.BINARY),
    ],
)
def test_what_is_no_list_is_known(beginning, kind):
    assert kind_of(beginning) == kind


@pytest.mark.parametrize(
    "beginning",
    [
        b"",
        b"email,name\n",
        b"\xef\xbb\xbfemail,name\n",
        "riffat@example.org,রিফাত\n".encode(),
        b"RIFFAT@example.org,Riffat\n",
        b"BZhang@example.org\n",
        b"pk@example.org\n",
        b"andr\xe9@example.org\n",
        b"<a@example.org>\n",
    ],
)
def test_lists_are_text_whatever_they_begin_with(beginning):
    assert kind_of(beginning) == FileKind.TEXT
