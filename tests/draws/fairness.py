"""Whether a drawing is fair: the exact odds of successive sampling, and Pearson's chi-square against them.

Successive sampling is what a drum of paper tickets does: each rank goes to an entry with the odds of its tickets
among those that are left. With few entries every ordered outcome can be listed, with its exact odds.
"""

import math
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from fractions import Fraction
from itertools import permutations

Outcome = tuple[int, ...]


def ordered_odds(weights: Sequence[int], ranks: int) -> dict[Outcome, Fraction]:
    """The exact odds of each ordered outcome of `ranks` ranks; they sum to 1."""
    odds: dict[Outcome, Fraction] = {}
    for outcome in permutations(range(len(weights)), ranks):
        chance, left = Fraction(1), sum(weights)
        for index in outcome:
            chance *= Fraction(weights[index], left)
            left -= weights[index]
        odds[outcome] = chance
    return odds


def p_of(outcomes: Iterator[Outcome], odds: Mapping[Outcome, Fraction]) -> float:
    """How often a fair drawing strays from `odds` at least as far as these outcomes do.

    Near 0: not these odds. Near 1: too even to be random.
    """
    seen = Counter(outcomes)
    assert seen.keys() <= odds.keys(), "an outcome that can't be"
    draws = seen.total()
    chi_square = math.fsum(
        (seen[outcome] - expected) ** 2 / expected
        for outcome, expected in ((outcome, float(draws * chance)) for outcome, chance in odds.items())
    )
    return chi_square_p(chi_square, len(odds) - 1)


def chi_square_p(statistic: float, degrees: int) -> float:
    """The chance of a chi-square of at least `statistic`: the regularised upper incomplete gamma function Q(a, x).

    Abramowitz and Stegun 6.5.29 (the series of P = 1 − Q, where x is small) and 6.5.31 (the continued fraction, by
    Lentz's method).
    """
    a, x = degrees / 2, statistic / 2
    if x <= 0:
        return 1.0
    scale = math.exp(a * math.log(x) - x - math.lgamma(a))
    if x < a + 1:
        term = total = 1 / a
        n = a
        while term > total * 1e-16:
            n += 1
            term *= x / n
            total += term
        return 1 - scale * total
    b = x + 1 - a
    c, d = math.inf, 1 / b
    fraction = d
    for i in range(1, 10_000):
        numerator = -i * (i - a)
        b += 2
        d = 1 / (numerator * d + b)
        c = b + numerator / c
        fraction *= c * d
        if abs(c * d - 1) < 1e-15:
            break
    return scale * fraction
