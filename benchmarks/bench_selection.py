"""`vwd1` selection beside its peers: 1,000,000 entries, about 2.67 million tickets, 1,000 winners.

`python -m benchmarks.bench_selection`. Every peer draws 1,000 different entries by weight from the same data, in
the same run, alternating; the medians are compared. What each needs before its first draw (the array of first
tickets, of odds, the pool) is measured apart. Those that take seconds take part in the first and the last round only.

- *numpy*: `Generator.choice(replace=False, p=…)`: fast, in floating point, its stream may change between releases.
- *consistent_sampler*: R. Rivest's package, made for election audits: every ticket gets a long number out of a hash of
  the seed and its id, the smallest win. Anybody can repeat that, too, but it costs a hash for every ticket.
- *hash per ticket*: the same idea with bare hashes and nothing else, the least it can cost in Python.
- *pool*: the usual list with one row per ticket, `random number of 32 bits % length`, rows of entries already drawn
  passed over. Nobody can repeat it, and the remainder favours low rows.
"""

import heapq
import random
import secrets
import statistics
import time
from array import array
from collections.abc import Callable
from hashlib import sha256
from itertools import accumulate, chain, islice, repeat

import numpy
from consistent_sampler import sampler

from benchmarks.figures import show
from draws.selection import draw_ranks

ENTRIES = 1_000_000
WINNERS = 1_000
ROUNDS = 5
PACKAGE = "consistent_sampler"
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
    winners: dict[int, None] = {}
    while len(winners) < WINNERS:
        winners[pool[secrets.randbits(32) % len(pool)]] = None
    return list(winners)


def with_consistent_sampler(pool: list[int]) -> list[int]:
    """The same by the package: the ids are the tickets, and an entry comes in with its first one."""
    winners: dict[int, None] = {}
    for ticket in sampler(range(len(pool)), seed=SEED.hex(), with_replacement=False, output="id"):
        winners[pool[ticket]] = None
        if len(winners) == WINNERS:
            break
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
    prepared[PACKAGE] = prepared["hash per ticket"] = prepared["pool"]
    inputs = {name: result for name, (_, result) in prepared.items()}
    contenders: dict[str, Callable[[], list[int]]] = {
        "vwd1": lambda: with_vwd1(inputs["vwd1"], total),
        "numpy": lambda: with_numpy(inputs["numpy"]),
        "pool": lambda: with_pool(inputs["pool"]),
        "hash per ticket": lambda: with_a_hash_per_ticket(inputs["pool"]),
        PACKAGE: lambda: with_consistent_sampler(inputs["pool"]),
    }
    seconds: dict[str, list[float]] = {name: [] for name in contenders}
    for round_number in range(ROUNDS):
        for name, draw in contenders.items():
            if name in ("hash per ticket", PACKAGE) and 0 < round_number < ROUNDS - 1:
                continue
            spent, winners = timed(draw)
            assert len(set(winners)) == WINNERS
            seconds[name].append(spent)
    drawing = {name: 1_000 * statistics.median(spent) for name, spent in seconds.items()}
    whole = {name: 1_000 * prepared[name][0] + spent for name, spent in drawing.items()}

    what = "vwd1 selection, ms"
    ours = f"{drawing['vwd1']:.1f}"
    numpys = f"{drawing['numpy']:.1f}"
    show(f"{what}, numpy", ours=ours, peer=numpys, ratio=drawing["vwd1"] / drawing["numpy"], at_most=1.5)
    ours = f"{whole['vwd1']:,.1f}"
    what = "vwd1 with preparation, ms"
    show(f"{what}, numpy", ours=ours, peer=f"{whole['numpy']:,.1f}", ratio=whole["vwd1"] / whole["numpy"])
    for name, at_least in ((PACKAGE, 20), ("hash per ticket", None), ("pool", None)):
        show(
            f"{what}, times as fast as {name}",
            ours=ours,
            peer=f"{whole[name]:,.1f} (drawing {drawing[name]:,.1f})",
            ratio=whole[name] / whole["vwd1"],
            at_least=at_least,
        )


if __name__ == "__main__":
    main()
