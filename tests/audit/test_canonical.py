"""Canonical JSON: one value, one sequence of bytes."""

import json
import re
import string

import pytest
from hypothesis import given
from hypothesis import strategies as st

from audit.canonical import MAX_DEPTH, MAX_INTEGER, CanonicalError, canonical_json

KEYS = st.text(st.characters(max_codepoint=127), max_size=8)
TEXTS = st.text(st.characters(exclude_categories=["Cs"]))
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers(-MAX_INTEGER, MAX_INTEGER) | TEXTS,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(KEYS, inner, max_size=4),
    max_leaves=20,
)


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ({"b": 1, "a": [True, False, None]}, b'{"a":[true,false,null],"b":1}'),
        ({"Z": 1, "a": 2, "_": 3, "1": 4}, b'{"1":4,"Z":1,"_":3,"a":2}'),
        ('\b\t\n\f\r"\\/', b'"\\b\\t\\n\\f\\r\\"\\\\/"'),
        ("\x00\x0f\x1f\x7f", b'"\\u0000\\u000f\\u001f\x7f"'),
        ("\u20ac$ \u00f6 \U0001f600 \u2028", '"\u20ac$ \u00f6 \U0001f600 \u2028"'.encode()),
        (MAX_INTEGER, b"9007199254740991"),
        (-MAX_INTEGER, b"-9007199254740991"),
        ({}, b"{}"),
        ([], b"[]"),
    ],
)
def test_it_writes_the_form_of_rfc_8785(value, expected):
    assert canonical_json(value) == expected


@given(VALUES)
def test_what_it_writes_reads_back_as_the_same_value(value):
    assert json.loads(canonical_json(value)) == value


@given(st.dictionaries(KEYS, st.integers(0, 9), min_size=2))
def test_the_order_of_keys_never_matters(value):
    assert canonical_json(dict(reversed(value.items()))) == canonical_json(value)


@given(VALUES)
def test_it_has_no_space_outside_texts(value):
    outside = re.sub(r'"(?:[^"\\]|\\.)*"', "", canonical_json(value).decode())
    assert not set(outside) & set(string.whitespace)


@pytest.mark.parametrize(
    ("value", "place"),
    [
        (1.0, "$"),
        ({"a": [0, 0.5]}, "$.a[1]"),
        (float("nan"), "$"),
        (MAX_INTEGER + 1, "$"),
        (-MAX_INTEGER - 1, "$"),
        ({"clé": 1}, "$"),
        ({1: 1}, "$"),
        ((1, 2), "$"),
        (b"bytes", "$"),
        ({"a": {"b": "\ud800"}}, "$.a.b"),
        ({"a": {1, 2}}, "$.a"),
    ],
)
def test_it_refuses_what_has_no_canonical_form_and_says_where(value, place):
    with pytest.raises(CanonicalError) as caught:
        canonical_json(value)
    assert str(caught.value).startswith(f"{place} ")


def test_it_refuses_a_value_nested_too_deeply_or_in_itself():
    value = []
    value.append(value)
    with pytest.raises(CanonicalError, match=f"deeper than {MAX_DEPTH} levels"):
        canonical_json(value)
