"""Odds of weighted drawing without replacement: exact values by going through every order, and what must always hold."""

from collections import Counter
from fractions import Fraction
from itertools import islice, pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from draws.odds import Chance, chance_to_win, standard_error
from draws.selection import draw_ranks


def by_every_order(weights, mine, slots) -> Fraction:
    """The chance of entry `mine`, over every order in which `slots` entries can be drawn: exact fractions."""

    def lost(left: tuple[int, ...], ranks: int) -> Fraction:
        if ranks == 0:
            return Fraction(1)
        total = sum(weights[entry] for entry in left)
        ways = [entry for entry in left if entry != mine]
        return sum(
            (
                Fraction(weights[entry], total) * lost(tuple(x for x in left if x != entry), ranks - 1)
                for entry in ways
            ),
            Fraction(0),
        )

    return 1 - lost(tuple(range(len(weights))), min(slots, len(weights)))


CASES = [
    ([1], 1),
    ([1, 1], 1),
    ([1, 2], 1),
    ([3, 1, 1], 2),
    ([1, 2, 3], 2),
    ([5, 1, 1, 1], 3),
    ([7, 3, 3, 1, 1], 2),
    ([1, 1, 2, 2, 4], 3),
    ([100, 1, 1, 1, 1], 4),
    ([1, 2, 3, 4, 5, 6], 3),
    ([2, 2, 2, 2], 3),
]


@pytest.mark.parametrize(("weights", "slots"), CASES)
def test_it_is_what_going_through_every_order_gives(weights, slots):
    for mine, weight in enumerate(weights):
        chance = chance_to_win(weight=weight, classes=Counter(weights), slots=slots)
        assert chance.is_exact
        assert chance.value == pytest.approx(float(by_every_order(weights, mine, slots)), abs=1e-12)


@pytest.mark.parametrize(
    ("weight", "classes", "slots", "value"),
    [
        (4, {4: 250}, 10, 0.04),
        (1, {1: 1_000_000}, 1_000, 0.001),
        (3, {3: 5, 1: 5}, 1, 0.15),
        (3, {3: 5, 1: 5}, 0, 0.0),
        (1, {3: 2, 1: 2}, 4, 1.0),
        (1, {3: 2, 1: 2}, 400, 1.0),
    ],
)
def test_the_plain_cases_are_exact(weight, classes, slots, value):
    assert chance_to_win(weight=weight, classes=classes, slots=slots) == Chance(pytest.approx(value), True)


def test_a_large_draw_is_estimated_and_says_so():
    classes = {weight: 1_000 for weight in range(1, 21)}
    chance = chance_to_win(weight=7, classes=classes, slots=500)
    assert not chance.is_exact
    assert chance.value * 1.1 > 7 * 500 / 210_000
    assert chance.value < 7 * 500 / 200_000


def test_the_estimate_is_close_to_what_is_drawn():
    weights = [1 + n % 20 for n in range(2_000)]
    firsts = [sum(weights[:n]) for n in range(len(weights))]
    slots, runs, wins = 400, 60, Counter()
    for run in range(runs):
        drawn = draw_ranks(seed=run.to_bytes(32, "big"), firsts=firsts, total=sum(weights))
        wins.update(weights[rank.index] for rank in islice(drawn, slots))
    for weight in (1, 10, 20):
        chance = chance_to_win(weight=weight, classes=Counter(weights), slots=slots)
        assert not chance.is_exact
        trials = 100 * runs
        error = standard_error(chance=chance.value, trials=trials)
        assert abs(wins[weight] / trials - chance.value) < 4 * error


def test_the_estimate_agrees_with_the_exact_value_where_both_can_be_had(monkeypatch):
    classes = {1: 60, 4: 30, 9: 10}
    exact = {weight: chance_to_win(weight=weight, classes=classes, slots=8).value for weight in classes}
    monkeypatch.setattr("draws.odds._MOST_STEPS", 0)
    for weight in classes:
        estimate = chance_to_win(weight=weight, classes=classes, slots=8)
        assert not estimate.is_exact
        assert estimate.value == pytest.approx(exact[weight], rel=0.02)


CLASSES = st.dictionaries(st.integers(1, 50), st.integers(1, 30), min_size=1, max_size=5)


@settings(deadline=None, max_examples=60)
@given(classes=CLASSES, slots=st.integers(1, 40), steps=st.sampled_from([0, 3_000]))
def test_all_chances_add_up_to_the_prizes_and_grow_with_tickets_and_prizes(classes, slots, steps):
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("draws.odds._MOST_STEPS", steps)
        chances = {weight: chance_to_win(weight=weight, classes=classes, slots=slots) for weight in classes}
        more = {weight: chance_to_win(weight=weight, classes=classes, slots=slots + 1) for weight in classes}
    entries = sum(classes.values())
    total = sum(count * chances[weight].value for weight, count in classes.items())
    # Exact and estimated values of different weights are not mixed where the limit falls between them.
    if len({chance.is_exact for chance in chances.values()}) == 1:
        assert total == pytest.approx(min(slots, entries), rel=1e-9)
        ordered = [chances[weight].value for weight in sorted(classes)]
        assert all(low <= high + 1e-9 for low, high in pairwise(ordered))
    for weight in classes:
        assert -1e-9 <= chances[weight].value <= 1 + 1e-9
        if chances[weight].is_exact == more[weight].is_exact:
            assert more[weight].value >= chances[weight].value - 1e-9


@pytest.mark.parametrize(("weight", "classes"), [(2, {1: 5}), (0, {0: 1}), (1, {1: 0}), (1, {1: 1, 2: -1})])
def test_it_refuses_what_is_no_draw(weight, classes):
    with pytest.raises(ValueError):
        chance_to_win(weight=weight, classes=classes, slots=1)
