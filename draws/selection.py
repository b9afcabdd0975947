"""Weighted drawing without replacement, exact in integers: the heart of `vwd1`.

Owns how a seed and a list of weights become ranks. Picture paper tickets in a drum, numbered from 0 in the
order of the entries file: an entry holds the tickets `first … first + count − 1`. For every rank one of the
remaining tickets is taken out, and with it all the tickets of the same entry. Pure functions: no Django, no
clock, no network. The algorithm is the section "The draw" of the `vwd1` specification.

Memory: the caller's array of `first` values (8 bytes an entry), an eighth of a byte an entry, and what the
drawn entries themselves need.
"""

from __future__ import annotations

import hmac
from bisect import bisect_right, insort
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from struct import Struct

MAX_TICKETS = 2**53 - 1
"""Most tickets a draw may hold, so that every number in it is exact in any JSON reader."""

SCAN_RANKS = 128
"""Ranks drawn by the plain scan of the specification before the tree takes over. Either gives the same ranks;
the scan costs time by the square of the ranks, the tree has a fixed cost of a few microseconds a rank."""

_BUCKET = 64  # neighbouring entries that share one leaf of the tree
_COUNTERS = Struct(">II")


class SelectionError(ValueError):
    """The entries or the seed are not what a draw can be made from."""


@dataclass(frozen=True, slots=True)
class Rank:
    """One line of the order of drawing.

    `rank` counts from 0. `index` is the position of the drawn entry in the entries file (0 is the smallest
    pid). `ticket` is the number of the ticket taken out, among all tickets. `remaining` is how many tickets
    were in the drum before it was taken. `attempts` is how many hashes it took, at least 1.
    """

    rank: int
    index: int
    ticket: int
    remaining: int
    attempts: int


def draw_ranks(*, seed: bytes, firsts: Sequence[int], total: int) -> Iterator[Rank]:
    """Yield the ranks of a draw, lazily, until no tickets are left.

    `seed` is S, 32 bytes. `firsts[i]` is the number of tickets before entry i: strictly increasing from 0,
    best an `array('Q')`. `total` is the number of all tickets, W. A rank never depends on how many are taken
    from this iterator, so more ranks later are simply more of it. Raises `SelectionError` at once for input
    that cannot be a draw.
    """
    if len(seed) != 32:
        raise SelectionError(f"the seed has {len(seed)} bytes, and needs 32")
    if not firsts:
        if total:
            raise SelectionError(f"there are {total} tickets, and no entry holds them")
        return iter(())
    if firsts[0] != 0:
        raise SelectionError("the tickets of the first entry do not begin at 0")
    if not firsts[-1] < total <= MAX_TICKETS:
        raise SelectionError(f"{total} tickets in all do not fit entries that begin at up to {firsts[-1]}")
    return _draw(seed, firsts, total)


def _draw(seed: bytes, firsts: Sequence[int], total: int) -> Iterator[Rank]:
    drum: ScanDrum | TreeDrum = ScanDrum(firsts=firsts, total=total)
    remaining = total
    rank = 0
    while remaining:
        if rank == SCAN_RANKS:
            drum = TreeDrum(firsts=firsts, total=total, drawn=drum.drawn)
        number, attempts = uniform_below(seed=seed, rank=rank, bound=remaining)
        index, ticket = drum.locate(number)
        yield Rank(rank, index, ticket, remaining, attempts)
        remaining -= drum.remove(index)
        rank += 1


def uniform_below(*, seed: bytes, rank: int, bound: int) -> tuple[int, int]:
    """A number in `range(bound)`, uniform over seeds, and how many attempts it took (at least 1).

    Takes as many leading bits of HMAC-SHA256 as `bound − 1` has, and rejects what is too large: a remainder
    instead would favour small numbers. `bound` is from 1 to 2^64.
    """
    shift = 64 - (bound - 1).bit_length()
    attempt = 0
    while True:
        digest = hmac.digest(seed, b"vwd1/draw\0" + _COUNTERS.pack(rank, attempt), "sha256")
        number = int.from_bytes(digest[:8], "big") >> shift
        attempt += 1
        if number < bound:
            return number, attempt


class ScanDrum:
    """The drum as the specification words it: a scan over the drawn entries, ascending."""

    def __init__(self, *, firsts: Sequence[int], total: int) -> None:
        self.drawn: list[int] = []
        """Positions of the drawn entries, ascending."""
        self._firsts = firsts
        self._total = total

    def locate(self, number: int) -> tuple[int, int]:
        """Entry (position) and ticket that the `number`-th remaining ticket is, counting from 0."""
        ticket = number
        for index in self.drawn:
            if ticket < self._firsts[index]:
                break
            ticket += _count_of(self._firsts, self._total, index)
        return bisect_right(self._firsts, ticket) - 1, ticket

    def remove(self, index: int) -> int:
        """Take the entry out and return how many tickets went with it."""
        insort(self.drawn, index)
        return _count_of(self._firsts, self._total, index)


class TreeDrum:
    """The same drum in O(log n) a rank: a Fenwick tree over buckets of 64 neighbouring entries.

    The tree holds how many tickets were *drawn*, so it starts empty; how many there were at first is a
    difference of two values in `firsts`. Descending it is the scan of the specification in longer strides:
    "beyond this point? then add what was drawn before it". The last stride ends in one bucket, whose own
    drawn entries are scanned one by one.
    """

    def __init__(self, *, firsts: Sequence[int], total: int, drawn: Sequence[int] = ()) -> None:
        self._firsts = firsts
        self._total = total
        self._buckets = -(-len(firsts) // _BUCKET)
        self._tree = [0] * (self._buckets + 1)
        self._drawn_in: dict[int, list[int]] = {}
        self._top = 1 << self._buckets.bit_length() - 1
        for index in drawn:
            self.remove(index)

    @property
    def drawn(self) -> list[int]:
        """Positions of the drawn entries, ascending."""
        return [index for bucket in sorted(self._drawn_in) for index in self._drawn_in[bucket]]

    def locate(self, number: int) -> tuple[int, int]:
        """Entry (position) and ticket that the `number`-th remaining ticket is, counting from 0."""
        firsts, tree, buckets = self._firsts, self._tree, self._buckets
        bucket, ticket, stride = 0, number, self._top
        while stride:
            beyond = bucket + stride
            if beyond < buckets and ticket + tree[beyond] >= firsts[beyond * _BUCKET]:
                ticket += tree[beyond]
                bucket = beyond
            stride >>= 1
        for index in self._drawn_in.get(bucket, ()):
            if ticket < firsts[index]:
                break
            ticket += _count_of(firsts, self._total, index)
        start = bucket * _BUCKET
        return bisect_right(firsts, ticket, start, min(start + _BUCKET, len(firsts))) - 1, ticket

    def remove(self, index: int) -> int:
        """Take the entry out and return how many tickets went with it."""
        count = _count_of(self._firsts, self._total, index)
        bucket = index // _BUCKET
        insort(self._drawn_in.setdefault(bucket, []), index)
        node = bucket + 1
        while node <= self._buckets:
            self._tree[node] += count
            node += node & -node
        return count


def _count_of(firsts: Sequence[int], total: int, index: int) -> int:
    """Tickets of the entry at `index`: up to where the next entry begins."""
    return (firsts[index + 1] if index + 1 < len(firsts) else total) - firsts[index]
