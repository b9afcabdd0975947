"""What a file is, known by how it begins and not by its name: enough to tell a list from what is none."""

from enum import StrEnum

BEGINNING = 8192
"""How many bytes are enough."""


class FileKind(StrEnum):
    """What a file may turn out to be."""

    TEXT = "text"
    SPREADSHEET = "spreadsheet"
    ARCHIVE = "archive"
    DOCUMENT = "document"
    PICTURE = "picture"
    PAGE = "page"
    UTF16 = "utf16"
    BINARY = "binary"


_BEGINNINGS: tuple[tuple[bytes, FileKind], ...] = (
    (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1", FileKind.SPREADSHEET),  # .xls, and other files of old Office
    (b"\x1f\x8b", FileKind.ARCHIVE),
    (b"7z\xbc\xaf\x27\x1c", FileKind.ARCHIVE),
    (b"Rar!\x1a\x07", FileKind.ARCHIVE),
    (b"BZh91AY&SY", FileKind.ARCHIVE),
    (b"\xfd7zXZ\x00", FileKind.ARCHIVE),
    (b"%PDF-", FileKind.DOCUMENT),
    (b"{\\rtf", FileKind.DOCUMENT),
    (b"\x89PNG\r\n\x1a\n", FileKind.PICTURE),
    (b"\xff\xd8\xff", FileKind.PICTURE),
    (b"GIF87a", FileKind.PICTURE),
    (b"GIF89a", FileKind.PICTURE),
    (b"\xff\xfe", FileKind.UTF16),
    (b"\xfe\xff", FileKind.UTF16),
)
_ZIPS = (b"PK\x03\x04", b"PK\x05\x06", b"PK\x07\x08")
# A spreadsheet is a ZIP, whose first files are named so.
_IN_SPREADSHEETS = (b"[Content_Types].xml", b"xl/", b"opendocument.spreadsheet")
# Riffat is a name too: what follows the size has to be one of these.
_IN_RIFF = (b"WEBP", b"WAVE", b"AVI ")
_MARKUP = (b"<!doctype", b"<html", b"<?xml", b"<svg")


def kind_of(beginning: bytes) -> FileKind:
    """What a file that begins with these bytes is; `TEXT` where nothing speaks against it."""
    if beginning.startswith(_ZIPS):
        inside = any(name in beginning for name in _IN_SPREADSHEETS)
        return FileKind.SPREADSHEET if inside else FileKind.ARCHIVE
    if beginning.startswith(b"RIFF") and beginning[8:12] in _IN_RIFF:
        return FileKind.PICTURE
    for start, kind in _BEGINNINGS:
        if beginning.startswith(start):
            return kind
    if beginning.removeprefix(b"\xef\xbb\xbf").lstrip()[:9].lower().startswith(_MARKUP):
        return FileKind.PAGE
    if b"\x00" in beginning:
        # Latin text in UTF-16 is every other byte a NUL; anything else with one is no text.
        halves = beginning[0::2].count(0), beginning[1::2].count(0)
        is_wide = max(halves) > len(beginning) // 4 and min(halves) == 0
        return FileKind.UTF16 if is_wide else FileKind.BINARY
    return FileKind.TEXT
