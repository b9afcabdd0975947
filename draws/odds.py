"""How likely an entry wins: the chance to be among the first ranks of a weighted draw without replacement.

Pure arithmetic. An entry is drawn at most once and leaves the drum with all its tickets ("successive sampling"), so
the chance to win one of s prizes is not s times the share of tickets. It is computed *exactly* (but for the
rounding of floats) where that is cheap:

- everybody has as many tickets: s / n;
- one prize: the share of tickets;
- few prizes or few different weights: by walking through how many entries of each weight may have been drawn.

Elsewhere it is an *estimate*: each entry rings a bell after an exponential time of rate its weight, and the order of
the bells is the order of drawing. In a large draw the s-th bell rings at nearly a fixed time t, the one at which s
bells are expected to have rung; so the chance is 1 − exp(−w·t). (B. Rosén, "Asymptotic theory for successive
sampling with varying probabilities without replacement", Ann. Math. Statist. 43, 1972.) The estimates of all
entries sum to s. Ranks that are skipped because their entry won another draw are not foreseen by either.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from math import expm1, prod, sqrt

_MOST_STEPS = 60_000
"""Steps of the exact walk, about a microsecond each."""
_HALVINGS = 200


@dataclass(frozen=True, slots=True)
class Chance:
    """A probability from 0 to 1, and whether it is exact or a good estimate."""

    value: float
    is_exact: bool


def chance_to_win(*, weight: int, classes: Mapping[int, int], slots: int) -> Chance:
    """The chance that one entry of `weight` tickets is among the first `slots` ranks.

    `classes` maps a number of tickets to how many entries hold that many, this entry among them. Raises ValueError
    when no entry holds `weight`, or a weight or count is below 1.
    """
    if classes.get(weight, 0) < 1 or any(each < 1 or count < 1 for each, count in classes.items()):
        raise ValueError(f"no entry holds {weight} tickets, or there are weights or counts below 1")
    entries = sum(classes.values())
    if slots <= 0:
        return Chance(0.0, True)
    if slots >= entries:
        return Chance(1.0, True)
    if len(classes) == 1:
        return Chance(slots / entries, True)
    if slots == 1:
        return Chance(weight / _tickets(classes), True)
    others = {each: count - (each == weight) for each, count in classes.items()}
    others = {each: count for each, count in others.items() if count}
    if _steps(others, slots) <= _MOST_STEPS:
        return Chance(_walk(weight, others, slots), True)
    return Chance(-expm1(-weight * _time_of(classes, slots)), False)


def chances_to_win(*, classes: Mapping[int, int], slots: int) -> dict[int, Chance]:
    """`chance_to_win` for every number of tickets at once: all exact, or all estimated from one t."""
    found: dict[int, Chance] = {}
    for weight in classes:
        chance = chance_to_win(weight=weight, classes=classes, slots=slots)
        if not chance.is_exact:
            t = _time_of(classes, slots)
            return {weight: Chance(-expm1(-weight * t), False) for weight in classes}
        found[weight] = chance
    return found


def _tickets(classes: Mapping[int, int]) -> int:
    return sum(weight * count for weight, count in classes.items())


def _steps(others: Mapping[int, int], slots: int) -> int:
    """At most how many steps `_walk` takes: after j ranks, all counts but one are free."""
    sizes = sorted(min(count, slots) + 1 for count in others.values())
    return slots * len(sizes) * prod(sizes[:-1])


def _walk(weight: int, others: Mapping[int, int], slots: int) -> float:
    """One minus the chance that `slots` ranks all go to others, over how many of each weight were drawn."""
    weights, counts = list(others), list(others.values())
    total = _tickets(others) + weight
    reached: dict[tuple[int, ...], float] = {(0,) * len(weights): 1.0}
    for _rank in range(slots):
        following: dict[tuple[int, ...], float] = {}
        for drawn, likelihood in reached.items():
            left = total - sum(number * each for number, each in zip(drawn, weights, strict=True))
            for place, number in enumerate(drawn):
                if tickets := (counts[place] - number) * weights[place]:
                    state = (*drawn[:place], number + 1, *drawn[place + 1 :])
                    following[state] = following.get(state, 0.0) + likelihood * tickets / left
        reached = following
    return 1.0 - sum(reached.values())


def _time_of(classes: Mapping[int, int], slots: int) -> float:
    """The t at which `slots` bells are expected to have rung: Σ count·(1 − exp(−weight·t)) = slots."""

    def rung(t: float) -> float:
        return sum(-count * expm1(-weight * t) for weight, count in classes.items())

    low, high = 0.0, 1.0 / max(classes)
    while rung(high) < slots:
        low, high = high, 2 * high
    for _halving in range(_HALVINGS):
        middle = (low + high) / 2
        if not low < middle < high:
            break
        low, high = (middle, high) if rung(middle) < slots else (low, middle)
    return high


def standard_error(*, chance: float, trials: int) -> float:
    """How far an observed share of `trials` independent yes-or-no trials usually lies from `chance`."""
    return sqrt(chance * (1 - chance) / trials)
