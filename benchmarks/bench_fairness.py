"""Fairness: as many draws as show a bias of a thousandth, against the exact odds of successive sampling.

`python -m benchmarks.bench_fairness`. Six entries of unequal weights, four ranks: 360 ordered outcomes, whose odds are
known exactly. Pearson's chi-square of how often each came out is compared with its distribution: p is how often a
fair drawing strays at least that far. Near 0 it is unfair; near 1 it is too even to be random. Drawn once by the plain
scan and once by the tree, each from seeds of its own; all seeds are fixed, so the figures are the same in every run.

The peer is numpy's `Generator.choice` with the same odds, asked the same question. `tests/draws/test_fairness.py` does
it with fewer draws, and shows that biased drawings are found out.
"""

import time
from array import array
from collections.abc import Iterator
from hashlib import sha256
from itertools import accumulate, islice

import numpy

from benchmarks.figures import show
from draws import selection
from tests.draws.fairness import Outcome, ordered_odds, p_of

WEIGHTS = (1, 2, 3, 5, 7, 11)
RANKS = 4
DRAWS = 400_000
NUMPY_DRAWS = 100_000


def with_vwd1(name: str, scan_ranks: int) -> Iterator[Outcome]:
    """Ordered outcomes; up to `scan_ranks` ranks are drawn by the scan and the others by the tree."""
    firsts = array("Q", accumulate(WEIGHTS, initial=0))
    total = firsts.pop()
    selection.SCAN_RANKS = scan_ranks
    for number in range(DRAWS):
        seed = sha256(b"fairness %b %d" % (name.encode(), number)).digest()
        ranks = selection.draw_ranks(seed=seed, firsts=firsts, total=total)
        yield tuple(rank.index for rank in islice(ranks, RANKS))


def with_numpy() -> Iterator[Outcome]:
    """The same from numpy, a generator for all draws."""
    source = numpy.random.default_rng(1)
    odds = numpy.array(WEIGHTS) / sum(WEIGHTS)
    for _number in range(NUMPY_DRAWS):
        yield tuple(int(index) for index in source.choice(len(WEIGHTS), RANKS, replace=False, p=odds))


def main() -> None:
    """Print p of each."""
    odds = ordered_odds(WEIGHTS, RANKS)
    peer = p_of(with_numpy(), odds)
    for name, scan_ranks in (("scan", selection.SCAN_RANKS), ("tree", 0)):
        began = time.perf_counter()
        p = p_of(with_vwd1(name, scan_ranks), odds)
        rate = DRAWS / (time.perf_counter() - began)
        show(
            f"fairness of {DRAWS:,} draws by the {name}, p",
            ours=f"{p:.3f} ({len(odds)} outcomes, {rate:,.0f} draws a second)",
            peer=f"{peer:.3f} of {NUMPY_DRAWS:,} by numpy",
            value=p,
            at_least=0.001,
            at_most=0.999,
        )


if __name__ == "__main__":
    main()
