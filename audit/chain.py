"""What a seal covers, byte for byte, so that anyone can recompute it from the rows.

**Leaf.** Each record is one leaf: the canonical JSON (`audit.canonical`) of an object with the keys `id`, `at`
(UTC, always six decimals: `2026-11-21T05:00:00.000000Z`), `actor` (the person's public id, or `""` for the site
itself), `action`, `target` and `data`. A row that did not come through `audit.services.record` and whose data
has no canonical form is sealed all the same, with its data as JSON text under `data_text` instead of `data`.

**Seal.** Seal number n covers the ids `first_id` to `last_id`, which follow those of seal n − 1 without a hole,
except the `missing` ones, and the ids in `late`, which were missing when an earlier seal was made. Its Merkle
root (RFC 6962, `audit.merkle`) is over the leaves in `late`, then over those of its range, each in order of id.
Its digest is the SHA-256 of the canonical JSON of its fields (`seal_digest`), among them the digest of the seal
before: whoever knows one digest knows that nothing before it was changed.

`missing` and `late` are lists of `[first, last]`, both inclusive, ascending and apart from each other: a bulk
transaction that is rolled back leaves one pair and not a hundred thousand numbers.
"""

from __future__ import annotations

import datetime as dt
import json
from collections.abc import Iterable, Iterator, Sequence
from hashlib import sha256

from audit.canonical import CanonicalError, canonical_json

GENESIS = "0" * 64
"""What the first seal gives as the digest of the one before."""

SEAL_KIND = "fairground.audit.seal/1"
"""Stands in every seal, so that its digest can't be mistaken for that of anything else we hash."""

Spans = list[list[int]]
"""Ids as ascending pairs `[first, last]`, both inclusive, none touching the next."""


def utc_text(moment: dt.datetime) -> str:
    """`moment` (aware) as it is hashed: UTC with six decimals and a `Z`."""
    return moment.astimezone(dt.UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")


def record_leaf(*, id: int, at: dt.datetime, actor: str, action: str, target: str, data: object) -> bytes:
    """The leaf of one record; `actor` is a public id, or empty for the site itself."""
    fields: dict[str, object] = {
        "id": id,
        "at": utc_text(at),
        "actor": actor,
        "action": action,
        "target": target,
        "data": data,
    }
    try:
        return canonical_json(fields)
    except CanonicalError:
        # Not written by `record`, which refuses it. The sealer must not stop at it, and it must not pass unsealed.
        del fields["data"]
        return canonical_json({**fields, "data_text": json.dumps(data, sort_keys=True)})


def seal_digest(
    *,
    number: int,
    first_id: int,
    last_id: int,
    missing: Spans,
    late: Spans,
    count: int,
    merkle_root: str,
    previous: str,
    sealed_at: dt.datetime,
) -> str:
    """Digest of a seal as 64 hexadecimal digits."""
    return sha256(
        canonical_json(
            {
                "kind": SEAL_KIND,
                "number": number,
                "first_id": first_id,
                "last_id": last_id,
                "missing": missing,
                "late": late,
                "count": count,
                "merkle_root": merkle_root,
                "previous": previous,
                "sealed_at": utc_text(sealed_at),
            }
        )
    ).hexdigest()


def spans_of(ids: Iterable[int]) -> Spans:
    """Ascending ids as spans."""
    spans: Spans = []
    for number in ids:
        if spans and spans[-1][1] == number - 1:
            spans[-1][1] = number
        else:
            spans.append([number, number])
    return spans


def ids_in(spans: Spans) -> Iterator[int]:
    """Every id of the spans, ascending."""
    for first, last in spans:
        yield from range(first, last + 1)


def holds(spans: Spans, number: int) -> bool:
    """Whether the id is in one of the spans."""
    return any(first <= number <= last for first, last in spans)


def are_spans(*values: object) -> bool:
    """Whether each value, read from somewhere, is a list of ascending, separate pairs of integers."""
    for value in values:
        if not isinstance(value, list):
            return False
        end = -1
        for span in value:
            if not (
                isinstance(span, list) and len(span) == 2 and all(type(number) is int for number in span)
            ):
                return False
            if not end < span[0] <= span[1]:
                return False
            end = span[1]
    return True


def text_of(spans: Spans) -> str:
    """Spans as a person reads them: `4, 7–9`; of many the first few."""
    shown = [str(first) if first == last else f"{first}–{last}" for first, last in spans[:20]]
    return ", ".join(shown) + (", …" if len(spans) > 20 else "")


def gaps_in(first: int, ids: Sequence[int]) -> Spans:
    """The ids from `first` on that are not among the ascending `ids`, up to the last of them."""
    gaps: Spans = []
    expected = first
    for number in ids:
        if number > expected:
            gaps.append([expected, number - 1])
        expected = number + 1
    return gaps


def without(spans: Spans, taken: Spans) -> Spans:
    """The ids of `spans` that are not in `taken`; both ascending and without overlaps."""
    left: Spans = []
    position = 0
    for first, last in spans:
        while position < len(taken) and taken[position][1] < first:
            position += 1
        at = position
        while at < len(taken) and taken[at][0] <= last:
            if taken[at][0] > first:
                left.append([first, taken[at][0] - 1])
            first = taken[at][1] + 1
            at += 1
        if first <= last:
            left.append([first, last])
    return left
