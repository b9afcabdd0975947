"""What a seal covers, byte for byte, and the arithmetic of gaps."""

import datetime as dt
import hashlib
import json
import zoneinfo
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from audit import chain

AT = dt.datetime(2026, 11, 21, 8, 0, tzinfo=zoneinfo.ZoneInfo("Africa/Nairobi"))
ids = st.sets(st.integers(1, 60)).map(sorted)


def test_a_leaf_is_this_text():
    leaf = chain.record_leaf(
        id=7, at=AT, actor="", action="draw.executed", target="draws.draw:x", data={"n": 1}
    )
    assert leaf == (
        b'{"action":"draw.executed","actor":"","at":"2026-11-21T05:00:00.000000Z","data":{"n":1},"id":7,'
        b'"target":"draws.draw:x"}'
    )


def test_data_without_a_canonical_form_is_sealed_as_text():
    fields = {"id": 7, "at": AT, "actor": "", "action": "a.b", "target": "x"}
    leaf = chain.record_leaf(**fields, data={"b": 1.5, "a": [2]})
    assert json.loads(leaf)["data_text"] == '{"a": [2], "b": 1.5}'
    assert leaf != chain.record_leaf(**fields, data={"b": 1.25, "a": [2]})
    assert leaf != chain.record_leaf(**fields, data='{"a": [2], "b": 1.5}')


def test_a_digest_is_this_hash():
    fields = {
        "first_id": 1, "last_id": 5, "missing": [[2, 3]], "late": [], "count": 3,
        "merkle_root": "ab" * 32, "previous": chain.GENESIS,
    }  # fmt: skip
    text = json.dumps(
        {
            **fields,
            "kind": "fairground.audit.seal/1",
            "number": 1,
            "sealed_at": "2026-11-21T05:00:00.000000Z",
        },
        sort_keys=True,
        separators=(",", ":"),
    )
    assert chain.seal_digest(number=1, sealed_at=AT, **fields) == hashlib.sha256(text.encode()).hexdigest()


def test_a_digest_depends_on_every_field():
    fields = {
        "number": 1, "first_id": 1, "last_id": 5, "missing": [[2, 3]], "late": [], "count": 3,
        "merkle_root": "ab" * 32, "previous": chain.GENESIS, "sealed_at": AT,
    }  # fmt: skip
    others = {
        "number": 2, "first_id": 2, "last_id": 6, "missing": [], "late": [[1, 1]], "count": 4,
        "merkle_root": "ac" * 32, "previous": "1" * 64, "sealed_at": AT + dt.timedelta(microseconds=1),
    }  # fmt: skip
    digests = {chain.seal_digest(**{**fields, name: value}) for name, value in others.items()}
    assert len(digests | {chain.seal_digest(**fields)}) == len(fields) + 1


@given(ids)
def test_spans_hold_just_the_ids_they_were_made_of(some):
    spans = chain.spans_of(some)
    assert list(chain.ids_in(spans)) == some
    assert chain.are_spans(spans)
    assert [n for n in range(70) if chain.holds(spans, n)] == some
    assert all(after[0] > before[1] + 1 for before, after in pairwise(spans))


@given(ids, ids)
def test_taking_spans_away_is_taking_ids_away(some, others):
    left = chain.without(chain.spans_of(some), chain.spans_of(others))
    assert list(chain.ids_in(left)) == sorted(set(some) - set(others))
    assert chain.are_spans(left)


@given(ids.filter(bool), st.integers(1, 60))
def test_gaps_are_what_is_missing_between(some, first):
    some = [n for n in some if n >= first]
    gaps = chain.gaps_in(first, some)
    last = max(some, default=first - 1)
    assert list(chain.ids_in(gaps)) == [n for n in range(first, last + 1) if n not in some]


def test_a_huge_gap_costs_nothing():
    assert chain.gaps_in(1, [10**15]) == [[1, 10**15 - 1]]


@pytest.mark.parametrize(
    "value",
    [
        None,
        "x",
        3,
        {},
        [1, 2],
        [[1]],
        [[1, 2, 3]],
        [[2, 1]],
        [[1, 2], [2, 3]],
        [[1.0, 2]],
        [[True, 2]],
        [["1", "2"]],
    ],
)
def test_what_is_read_as_spans_is_checked(value):
    assert not chain.are_spans(value)
    assert not chain.are_spans([], value)
    assert chain.are_spans([], [[1, 1], [3, 4]])


def test_many_spans_are_named_in_short():
    assert chain.text_of([[4, 4], [7, 9]]) == "4, 7–9"
    assert chain.text_of([[2 * i, 2 * i] for i in range(30)]).endswith("36, 38, …")
