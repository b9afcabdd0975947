"""Weighted drawing without replacement: exact, and the same however it is computed."""

import hmac
from array import array
from collections import Counter
from hashlib import sha256
from itertools import accumulate, islice, permutations

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from draws import selection
from draws.selection import MAX_TICKETS, ScanDrum, SelectionError, TreeDrum, draw_ranks, uniform_below
from draws.verifier import verify_draw
from tests.draws.vwd1_values import SELECTIONS, ZERO_SEED

SEEDS = st.binary(min_size=32, max_size=32)


@st.composite
def weight_lists(draw, max_size=40):
    """Weights whose sum stays a legal number of tickets, with small and huge ones side by side."""
    size = draw(st.integers(1, max_size))
    largest = MAX_TICKETS // size
    weight = st.integers(1, 5) | st.integers(1, largest) | st.just(largest)
    return draw(st.lists(weight, min_size=size, max_size=size))


def firsts_and_total(weights):
    firsts = array("Q", accumulate(weights, initial=0))
    return firsts, firsts.pop()


def draw_by_definition(seed, weights):
    """The loop of the specification, as it is written there; a list of tuples like those of `Rank`."""
    firsts = list(accumulate(weights, initial=0))
    total = firsts.pop()
    drawn = []
    ranks = []
    remaining = total
    while remaining:
        j = len(ranks)
        k = (remaining - 1).bit_length()
        a = 0
        while True:
            message = b"vwd1/draw" + b"\x00" + j.to_bytes(4, "big") + a.to_bytes(4, "big")
            h = hmac.new(seed, message, sha256).digest()
            x = int.from_bytes(h[0:8], "big") >> (64 - k)
            if x < remaining:
                break
            a += 1
        t = x
        for first, count in sorted(drawn):
            if t >= first:
                t += count
            else:
                break
        index = next(i for i in range(len(weights)) if firsts[i] <= t < firsts[i] + weights[i])
        ranks.append((j, index, t, remaining, a + 1))
        drawn.append((firsts[index], weights[index]))
        remaining -= weights[index]
    return ranks


def as_tuples(ranks):
    return [(rank.rank, rank.index, rank.ticket, rank.remaining, rank.attempts) for rank in ranks]


def all_ranks(seed, weights):
    firsts, total = firsts_and_total(weights)
    return as_tuples(draw_ranks(seed=seed, firsts=firsts, total=total))


@pytest.fixture(params=["scan", "tree"])
def structure(request, monkeypatch):
    monkeypatch.setattr(selection, "SCAN_RANKS", 0 if request.param == "tree" else 2**32)


@pytest.mark.parametrize(
    ("name", "seed", "entries", "expected"), SELECTIONS, ids=[row[0] for row in SELECTIONS]
)
def test_the_known_draws_come_out(structure, name, seed, entries, expected):
    ranks = all_ranks(bytes.fromhex(seed), [count for _, count in entries])
    assert [
        (entries[index][0], ticket, remaining, attempts) for _, index, ticket, remaining, attempts in ranks
    ] == expected


@given(SEEDS, weight_lists())
@example(bytes(32), [1])
@example(bytes(32), [MAX_TICKETS])
def test_it_draws_what_the_definition_says(seed, weights):
    assert all_ranks(seed, weights) == draw_by_definition(seed, weights)


@settings(max_examples=30)
@given(SEEDS, weight_lists(max_size=400))
def test_scan_tree_and_the_change_between_them_give_the_same_ranks(seed, weights):
    before = selection.SCAN_RANKS
    try:
        found = []
        for limit in (0, 1, len(weights) // 2, 2**32):
            selection.SCAN_RANKS = limit
            found.append(all_ranks(seed, weights))
    finally:
        selection.SCAN_RANKS = before
    assert found.count(found[0]) == len(found)


@given(SEEDS, weight_lists())
def test_the_verifier_draws_the_same(seed, weights):
    edges = array("Q", accumulate(weights, initial=0))
    theirs = list(verify_draw.draw(seed, edges, len(weights)))
    assert theirs == [rank[1:] for rank in all_ranks(seed, weights)]


@pytest.mark.parametrize("weights", [[1] * 5000, [1 + number % 7 for number in range(5000)]])
def test_project_and_verifier_agree_on_every_rank_of_a_large_draw(weights):
    seed = sha256(b"large").digest()
    ranks = all_ranks(seed, weights)
    assert [rank[1:] for rank in ranks] == list(
        verify_draw.draw(seed, array("Q", accumulate(weights, initial=0)), len(weights))
    )
    assert sorted(rank[1] for rank in ranks) == list(range(5000))


@given(SEEDS, weight_lists())
def test_every_entry_is_drawn_once_and_by_a_ticket_of_its_own(seed, weights):
    firsts, total = firsts_and_total(weights)
    ranks = list(draw_ranks(seed=seed, firsts=firsts, total=total))
    assert sorted(rank.index for rank in ranks) == list(range(len(weights)))
    for rank in ranks:
        assert firsts[rank.index] <= rank.ticket < firsts[rank.index] + weights[rank.index]
        assert rank.attempts >= 1
    assert [rank.remaining for rank in ranks] == [
        total - drawn for drawn in accumulate((weights[rank.index] for rank in ranks[:-1]), initial=0)
    ]


@given(SEEDS, weight_lists(), st.integers(0, 40))
def test_earlier_ranks_never_depend_on_how_many_are_drawn(seed, weights, how_many):
    firsts, total = firsts_and_total(weights)
    some = list(islice(draw_ranks(seed=seed, firsts=firsts, total=total), how_many))
    assert as_tuples(some) == all_ranks(seed, weights)[:how_many]


@given(weight_lists(), st.data())
def test_both_drums_find_every_remaining_ticket(weights, data):
    firsts, total = firsts_and_total(weights)
    drums = [ScanDrum(firsts=firsts, total=total), TreeDrum(firsts=firsts, total=total)]
    out = data.draw(st.lists(st.integers(0, len(weights) - 1), unique=True, max_size=len(weights) - 1))
    for index in out:
        assert {drum.remove(index) for drum in drums} == {weights[index]}
    assert [drum.drawn for drum in drums] == [sorted(out)] * 2
    number = 0
    for index in sorted(set(range(len(weights))) - set(out)):
        for offset in {0, weights[index] - 1}:
            expected = (index, firsts[index] + offset)
            assert [drum.locate(number + offset) for drum in drums] == [expected] * 2
        number += weights[index]


def test_a_view_of_memory_serves_as_well_as_an_array():
    firsts, total = firsts_and_total([3, 1, 4, 1, 5])
    seed = bytes(32)
    from_view = draw_ranks(seed=seed, firsts=memoryview(firsts), total=total)
    assert as_tuples(from_view) == all_ranks(seed, [3, 1, 4, 1, 5])


def test_no_entries_give_no_ranks():
    assert list(draw_ranks(seed=bytes(32), firsts=[], total=0)) == []


@pytest.mark.parametrize(
    ("seed", "firsts", "total", "message"),
    [
        (b"short", [0], 1, "the seed has 5 bytes"),
        (bytes(32), [], 1, "no entry holds them"),
        (bytes(32), [1], 2, "do not begin at 0"),
        (bytes(32), [0, 5], 5, "do not fit"),
        (bytes(32), [0], MAX_TICKETS + 1, "do not fit"),
    ],
)
def test_it_refuses_at_once_what_cannot_be_drawn(seed, firsts, total, message):
    with pytest.raises(SelectionError, match=message):
        draw_ranks(seed=seed, firsts=firsts, total=total)


def test_a_bound_of_one_needs_no_bits_and_a_power_of_two_rejects_nothing():
    seed = bytes.fromhex(ZERO_SEED)
    assert uniform_below(seed=seed, rank=0, bound=1) == (0, 1)
    assert all(uniform_below(seed=seed, rank=rank, bound=2**20)[1] == 1 for rank in range(200))


@given(SEEDS, st.integers(0, 2**32 - 1), st.integers(1, 2**64))
def test_numbers_stay_below_their_bound(seed, rank, bound):
    number, attempts = uniform_below(seed=seed, rank=rank, bound=bound)
    assert 0 <= number < bound
    assert attempts >= 1


def test_every_order_comes_as_often_as_successive_sampling_says():
    weights = (1, 2, 3, 4)
    draws = 12_000
    seen = Counter(
        tuple(rank[1] for rank in all_ranks(sha256(b"fair %d" % number).digest(), weights))
        for number in range(draws)
    )
    chi_square = 0.0
    for order in permutations(range(4)):
        odds, left = 1.0, sum(weights)
        for index in order:
            odds *= weights[index] / left
            left -= weights[index]
        chi_square += (seen[order] - draws * odds) ** 2 / (draws * odds)
    # 23 degrees of freedom: 0.001 and 0.999 of the distribution. Seeds are fixed, so this never flickers.
    assert 7.53 < chi_square < 49.73
