"""Canonical JSON: one value, one sequence of bytes, so that a hash of it means something.

Owns the serialisation of everything this site hashes as JSON: draw manifests, draw reports, audit seals.
It is RFC 8785 (JSON Canonicalization Scheme) for a subset of JSON in which that RFC needs no number
formatting and no UTF-16 ordering: object keys are ASCII, and there are no floats.
"""

from __future__ import annotations

import json

MAX_INTEGER = 2**53 - 1
"""Largest magnitude an IEEE 754 double, and so every JSON reader, holds exactly."""

MAX_DEPTH = 64
"""Deepest nesting accepted. What is hashed here is at most a handful of levels deep."""


class CanonicalError(ValueError):
    """The value has no canonical form in this subset. The message names the place, as `$.prizes[0].id`."""


def canonical_json(value: object) -> bytes:
    """Return the RFC 8785 form of `value` as UTF-8 bytes.

    Accepts `str`, `int` within ±(2^53 − 1), `bool`, `None`, `list` and `dict` with ASCII `str` keys, nested
    up to `MAX_DEPTH`. Raises `CanonicalError` for anything else: floats, tuples, dates, lone surrogates.
    """
    _check(value, "$", 0)
    # Within the subset the standard encoder is RFC 8785: control characters are \b \t \n \f \r or \u00xx in
    # lower-case hex, `"` and `\` are escaped, all else is literal; ASCII keys sort alike in UTF-16 and here.
    return json.dumps(value, ensure_ascii=False, sort_keys=True, separators=(",", ":")).encode("utf-8")


def _check(value: object, place: str, depth: int) -> None:
    if depth > MAX_DEPTH:
        raise CanonicalError(f"{place} is nested deeper than {MAX_DEPTH} levels")
    if value is None or isinstance(value, bool):
        return
    if isinstance(value, str):
        _check_text(value, place)
    elif isinstance(value, int):
        if not -MAX_INTEGER <= value <= MAX_INTEGER:
            raise CanonicalError(f"{place} is an integer beyond ±(2^53 − 1)")
    elif isinstance(value, dict):
        for key, item in value.items():
            if not isinstance(key, str) or not key.isascii():
                raise CanonicalError(f"{place} has the key {key!r}: keys must be ASCII text")
            _check(item, f"{place}.{key}", depth + 1)
    elif isinstance(value, list):
        for position, item in enumerate(value):
            _check(item, f"{place}[{position}]", depth + 1)
    else:
        raise CanonicalError(f"{place} is a {type(value).__name__}, which canonical JSON has no form for")


def _check_text(text: str, place: str) -> None:
    try:
        text.encode("utf-8")
    except UnicodeEncodeError as error:
        raise CanonicalError(f"{place} holds a lone surrogate, which is not Unicode text") from error
