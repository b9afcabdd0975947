"""Codes of vouchers: sixteen letters and digits that nobody guesses, and whose slips of the pen are noticed.

Fifteen characters of chance (75 bits) in the alphabet of Crockford's base 32, which has no I, L, O and U, and a
last one that checks them: the Luhn rule carried over to base 32, which notices every single wrong character and
all but one kind of neighbours swapped. Pure: no Django, no clock, no source of chance of its own.
"""

ALPHABET = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"
CODE_LENGTH = 16
RANDOM_BYTES = 10
_BASE = len(ALPHABET)
_GROUP = 4
_READ_AS = str.maketrans({"O": "0", "I": "1", "L": "1", "-": None, " ": None, "\u2013": None})


class VoucherCodeError(ValueError):
    """The text can't be a code: too short or long, a strange character, or a slip that the check notices."""


def make_code(chance: bytes) -> str:
    """A code out of `RANDOM_BYTES` random bytes, of which 75 bits are used. ValueError for another number of bytes."""
    if len(chance) != RANDOM_BYTES:
        raise ValueError(f"a code is made of {RANDOM_BYTES} random bytes, not {len(chance)}")
    number = int.from_bytes(chance, "big")
    body = "".join(ALPHABET[(number >> (5 * place)) % _BASE] for place in range(CODE_LENGTH - 1))
    return body + ALPHABET[-_luhn(body, first_factor=2) % _BASE]


def read_code(text: str) -> str:
    """The code that a person typed, in its one form. Raises `VoucherCodeError`."""
    code = text.strip().upper().translate(_READ_AS)
    if len(code) != CODE_LENGTH or not set(code) <= set(ALPHABET):
        raise VoucherCodeError(f"a code has {CODE_LENGTH} letters and digits")
    if _luhn(code, first_factor=1) % _BASE:
        raise VoucherCodeError("a character of the code is wrong")
    return code


def spell_out(code: str) -> str:
    """`7KQ2-M0XA-…`: in groups of four."""
    return "-".join(code[at : at + _GROUP] for at in range(0, len(code), _GROUP))


def _luhn(text: str, *, first_factor: int) -> int:
    """Sum over the characters from the right, every second one doubled, with carried digits added."""
    total, factor = 0, first_factor
    for character in reversed(text):
        total += sum(divmod(ALPHABET.index(character) * factor, _BASE))
        factor = 3 - factor
    return total
