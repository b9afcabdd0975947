"""Text that stands on one line and shows what it says: titles, names.

Pure rules. A control character or a line break in a title breaks mails and lists apart; a character that turns the
direction of writing lets “Prize 001 SEK” be read from the other end. Joiners, which Bengali and emoji need, are no such
thing.
"""

import re
import unicodedata

# What turns the direction of what follows, and separators of lines and paragraphs.
_TURNING = "\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069"
UNSEEN = re.compile(f"[\\x00-\\x1f\\x7f-\\x9f{_TURNING}]+")
"""Characters that have no place in a line of plain text."""


def unseen_in(text: str) -> str:
    """Name of the first character that has no place in a line of plain text, as `U+202E RIGHT-TO-LEFT OVERRIDE`."""
    found = UNSEEN.search(text)
    if found is None:
        return ""
    character = found[0][0]
    return f"U+{ord(character):04X} {unicodedata.name(character, 'CONTROL CHARACTER')}"
