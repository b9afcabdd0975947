"""Codes of vouchers: well formed, checked, and read as people type them."""

import os

import pytest
from hypothesis import given
from hypothesis import strategies as st

from draws.voucher_codes import (
    ALPHABET,
    CODE_LENGTH,
    RANDOM_BYTES,
    VoucherCodeError,
    make_code,
    read_code,
    spell_out,
)

chance = st.binary(min_size=RANDOM_BYTES, max_size=RANDOM_BYTES)


@given(chance)
def test_a_code_is_read_however_it_is_typed(random):
    code = make_code(random)
    assert len(code) == CODE_LENGTH
    assert set(code) <= set(ALPHABET)
    spelled = spell_out(code)
    for typed in (code, spelled, spelled.lower(), f"  {spelled} ", code.replace("0", "O").replace("1", "l")):
        assert read_code(typed) == code


@given(chance, st.integers(0, CODE_LENGTH - 1), st.sampled_from(ALPHABET))
def test_every_single_wrong_character_is_noticed(random, place, other):
    code = make_code(random)
    if code[place] == other:
        return
    with pytest.raises(VoucherCodeError, match="wrong"):
        read_code(code[:place] + other + code[place + 1 :])


@given(chance, st.integers(0, CODE_LENGTH - 2))
def test_neighbours_swapped_are_noticed_but_for_the_first_and_the_last_of_the_alphabet(random, place):
    code = make_code(random)
    pair = {code[place], code[place + 1]}
    if len(pair) == 1 or pair == {ALPHABET[0], ALPHABET[-1]}:
        return
    swapped = code[:place] + code[place + 1] + code[place] + code[place + 2 :]
    with pytest.raises(VoucherCodeError):
        read_code(swapped)


@pytest.mark.parametrize("text", ["", "short", "U" * CODE_LENGTH, "é" * CODE_LENGTH, "0" * (CODE_LENGTH + 1)])
def test_what_can_be_no_code_is_refused(text):
    with pytest.raises(VoucherCodeError):
        read_code(text)


def test_it_takes_exactly_its_bytes_of_chance():
    with pytest.raises(ValueError, match="random bytes"):
        make_code(os.urandom(RANDOM_BYTES - 1))


def test_all_of_the_chance_is_in_the_code():
    base = bytes(RANDOM_BYTES)
    bits = [make_code((1 << bit).to_bytes(RANDOM_BYTES, "big")) for bit in range(75)]
    assert len({make_code(base), *bits}) == 76
