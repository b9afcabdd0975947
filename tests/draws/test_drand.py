"""drand quicknet: the right round, and only its own signature."""

import subprocess
import sys

import pytest
from py_ecc.bls.point_compression import compress_G1
from py_ecc.optimized_bls12_381 import FQ, Z1, b, curve_order, field_modulus, is_inf, is_on_curve, multiply

from draws.drand import QUICKNET, value_of, verify_signature
from tests.draws.vwd1_values import DRAND_CHAIN_HASH, DRAND_GENESIS, DRAND_PERIOD, DRAND_ROUNDS


def test_it_knows_quicknet():
    assert (QUICKNET.chain_hash, QUICKNET.genesis, QUICKNET.period) == (
        DRAND_CHAIN_HASH,
        DRAND_GENESIS,
        DRAND_PERIOD,
    )


@pytest.mark.parametrize(
    ("seconds", "round_number"), [(0, 1), (1, 2), (3, 2), (4, 3), (2996, 1000), (2997, 1000), (2998, 1001)]
)
def test_a_draw_uses_the_first_round_at_or_after_its_time(seconds, round_number):
    assert QUICKNET.round_at(DRAND_GENESIS + seconds) == round_number
    assert QUICKNET.time_of(round_number) >= DRAND_GENESIS + seconds
    assert QUICKNET.time_of(round_number - 1) < DRAND_GENESIS + seconds


def test_it_refuses_a_time_before_the_chain_began():
    with pytest.raises(ValueError, match="had not begun"):
        QUICKNET.round_at(DRAND_GENESIS - 1)


@pytest.mark.parametrize("round_number", DRAND_ROUNDS)
def test_the_value_of_a_round_is_its_randomness(round_number):
    signature, randomness = DRAND_ROUNDS[round_number]
    assert value_of(signature_hex=signature) == randomness


@pytest.mark.parametrize("signed", DRAND_ROUNDS)
@pytest.mark.parametrize("asked", DRAND_ROUNDS)
def test_a_signature_is_good_for_its_own_round_only(asked, signed):
    good = verify_signature(round_number=asked, signature_hex=DRAND_ROUNDS[signed][0])
    assert good is (asked == signed)


def point_outside_the_subgroup():
    x = 0
    while True:
        x += 1
        square = (x**3 + b.n) % field_modulus
        y = pow(square, (field_modulus + 1) // 4, field_modulus)
        if y * y % field_modulus == square:
            return (FQ(x), FQ(y), FQ(1))


@pytest.mark.parametrize(
    "signature",
    [
        "",
        "zz" * 48,
        "00" * 48,
        "ff" * 48,
        DRAND_ROUNDS[1000][0].upper(),
        DRAND_ROUNDS[1000][0][:-2],
        DRAND_ROUNDS[1000][0] + "00",
        f"{compress_G1(Z1):096x}",
        f"{compress_G1(point_outside_the_subgroup()):096x}",
        # the same point negated: on the curve and in the subgroup, but no signature
        f"{int(DRAND_ROUNDS[1000][0], 16) ^ 1 << 381:096x}",
    ],
    ids=[
        "empty",
        "no hex",
        "zeros",
        "ones",
        "upper case",
        "short",
        "long",
        "infinity",
        "no subgroup",
        "negated",
    ],
)
def test_it_refuses_what_is_no_signature(signature):
    assert verify_signature(round_number=1000, signature_hex=signature) is False


def test_the_point_outside_the_subgroup_is_on_the_curve_all_the_same():
    point = point_outside_the_subgroup()
    assert is_on_curve(point, b)
    assert not is_inf(multiply(point, curve_order))


@pytest.mark.parametrize("round_number", [0, -1, 2**64])
def test_it_refuses_a_round_that_cannot_be(round_number):
    assert verify_signature(round_number=round_number, signature_hex=DRAND_ROUNDS[1000][0]) is False


@pytest.mark.parametrize(
    "key", ["", "00" * 96, "c0" + "00" * 95, QUICKNET.public_key[:-2] + "5b", QUICKNET.public_key.upper()]
)
def test_it_refuses_another_public_key(key):
    signature = DRAND_ROUNDS[1000][0]
    assert verify_signature(round_number=1000, signature_hex=signature, public_key_hex=key) is False


def test_deep_json_raises_and_does_not_kill_the_process() -> None:
    """In a process of its own: py_ecc lifts the limit of recursion above what the stack holds."""
    code = "import json, draws.drand\ntry:\n    json.loads('[' * 200_000)\nexcept RecursionError:\n    print('raised')"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout) == (0, "raised\n")
