"""`vwd1` selection beside its peers: 1,000,000 entries, about 2.67 million tickets, 1,000 winners.

`python -m benchmarks.bench_selection`. Every peer draws 1,000 different entries by weight from the same data, in
the same run, alternating; the medians are compared. What each needs before its first draw (the array of first
tickets, of odds, the pool) is measured apart.

- *numpy*: `Generator.choice(replace=False, p=…)`: fast, in floating point, its stream may change between releases.
- *pool*: a list with one row per ticket, a random row at a time, rows of entries already drawn passed over.
- *hash per ticket*: the idea of consistent sampling: every ticket has a hash, the smallest win. Anybody can
  repeat it, too, but it costs a hash for every ticket.
"""

import heapq
import random
import statistics
import time
from array import array
from collections.abc import Callable
from hashlib import sha256
from itertools import accumulate, chain, islice, repeat

import numpy

from draws.selection import draw_ranks

ENTRIES = 1_000_000
WINNERS = 1_000
ROUNDS = 5
SEED = sha256(b"benchmark").digest()


def weights_of_a_large_draw() -> list[int]:
    """Most people have one ticket, some have a few: 2.67 on average."""
    source = random.Random(20261121)
    return source.choices([1, 2, 3, 5, 10], weights=[90, 40, 30, 25, 15], k=ENTRIES)


def with_vwd1(firsts: "array[int]", total: int) -> list[int]:
    """Positions of the winners, in the order of drawing."""
    return [rank.index for rank in islice(draw_ranks(seed=SEED, firsts=firsts, total=total), WINNERS)]


def with_numpy(odds: "numpy.ndarray") -> list[int]:
    """The same by numpy's generator."""
    chosen = numpy.random.default_rng(1).choice(len(odds), WINNERS, replace=False, p=odds)
    return [int(index) for index in chosen]


def with_pool(pool: list[int]) -> list[int]:
    """The same from a list with one row per ticket."""
    source = random.Random(1)
    winners: dict[int, None] = {}
    while len(winners) < WINNERS:
        winners[pool[source.randrange(len(pool))]] = None
    return list(winners)


def with_a_hash_per_ticket(pool: list[int]) -> list[int]:
    """The same by the smallest hashes of all tickets."""
    hashes = ((sha256(b"%b%d" % (SEED, ticket)).digest(), index) for ticket, index in enumerate(pool))
    winners: dict[int, None] = {}
    for _, index in heapq.nsmallest(2 * WINNERS, hashes):
        winners[index] = None
    return list(winners)[:WINNERS]


def timed(function: Callable, *arguments: object) -> tuple[float, object]:
    """Seconds, and what came out."""
    start = time.perf_counter()
    result = function(*arguments)
    return time.perf_counter() - start, result


def main() -> None:
    """Measure and print the ratios."""
    weights = weights_of_a_large_draw()
    total = sum(weights)
    print(f"{ENTRIES:,} entries, {total:,} tickets, {WINNERS:,} winners; median of {ROUNDS} rounds")

    prepared = {
        "vwd1": timed(lambda: array("Q", islice(accumulate(weights, initial=0), ENTRIES))),
        "numpy": timed(lambda: numpy.array(weights) / total),
        "pool": timed(lambda: list(chain.from_iterable(map(repeat, range(ENTRIES), weights)))),
    }
    prepared["hash per ticket"] = prepared["pool"]
    inputs = {name: result for name, (_, result) in prepared.items()}
    contenders: dict[str, Callable[[], list[int]]] = {
        "vwd1": lambda: with_vwd1(inputs["vwd1"], total),
        "numpy": lambda: with_numpy(inputs["numpy"]),
        "pool": lambda: with_pool(inputs["pool"]),
        "hash per ticket": lambda: with_a_hash_per_ticket(inputs["pool"]),
    }
    seconds: dict[str, list[float]] = {name: [] for name in contenders}
    for round_number in range(ROUNDS):
        for name, draw in contenders.items():
            if name == "hash per ticket" and round_number:
                continue  # seconds a round: once is enough
            spent, winners = timed(draw)
            assert len(set(winners)) == WINNERS
            seconds[name].append(spent)
    ours = statistics.median(seconds["vwd1"])
    whole = ours + prepared["vwd1"][0]
    print(f"{'':16} {'prepare':>10} {'draw':>10} {'draw / vwd1':>12} {'both / vwd1':>12}")
    for name, spent in seconds.items():
        middle, before = statistics.median(spent), prepared[name][0]
        ratios = f"{middle / ours:12.2f} {(before + middle) / whole:12.2f}"
        print(f"{name:16} {before * 1e3:8.1f}ms {middle * 1e3:8.1f}ms {ratios}")
    print(f"vwd1 / numpy: {ours / statistics.median(seconds['numpy']):.2f} (to reach: 1.5 or less)")


if __name__ == "__main__":
    main()
