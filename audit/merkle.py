"""Merkle trees over lists of byte strings, as RFC 6962 §2.1 defines them.

Owns the tree hash, inclusion proofs and their verification. Everything that walks the leaves does so once, in
order, with memory that grows with the logarithm of their number: a tree over a million lines of an entries
file costs two million SHA-256 calls and a few kilobytes.

A leaf is hashed as SHA-256(00 ‖ data) and an inner node as SHA-256(01 ‖ left ‖ right), so neither can pass
for the other. The tree of n > 1 leaves splits at the largest power of two below n; the empty tree is
SHA-256("").
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from hashlib import sha256
from itertools import islice

EMPTY_ROOT = sha256(b"").digest()
HASH_BYTES = 32

_BATCH_LEVELS = 10
_BATCH = 1 << _BATCH_LEVELS
SUBTREE = _BATCH
"""Leaves in a run whose root may be kept, so that a proof needs no other leaves than those of one run."""


class MerkleError(ValueError):
    """The proof that was asked for does not exist: an index outside the tree, or too few leaves."""


class MerkleTree:
    """The root of a growing list of leaves, in O(log n) memory.

    Leaves are hashed in batches of 1,024, a power of two: a full batch is always a whole subtree of the final
    tree, so only its root is kept. Full subtrees merge in pairs, as the bits carry when a counter is
    increased.
    """

    def __init__(self) -> None:
        self.size = 0
        """Number of leaves so far."""
        self._pending: list[bytes] = []  # leaf hashes of the batch that is not full yet
        self._peaks: list[bytes] = []  # roots of full subtrees, the largest (leftmost) first

    def add(self, leaf: bytes) -> None:
        """Append one leaf."""
        self.add_leaves((leaf,))

    def add_leaves(self, leaves: Iterable[bytes]) -> None:
        """Append leaves in order. One call with many is much faster than many calls with one."""
        hash_of = sha256
        source = iter(leaves)
        pending = self._pending
        while True:
            before = len(pending)
            pending += [hash_of(b"\0" + leaf).digest() for leaf in islice(source, _BATCH - before)]
            self.size += len(pending) - before
            if len(pending) < _BATCH:
                return
            self._push_batch(_fold_full(pending))
            pending.clear()

    def root(self) -> bytes:
        """The 32-byte root of the leaves so far. More leaves may be added afterwards."""
        if not self.size:
            return EMPTY_ROOT
        right = _fold_ragged(self._pending) if self._pending else None
        for peak in reversed(self._peaks):
            right = peak if right is None else _node(peak, right)
        assert right is not None  # a tree that is not empty has a pending leaf or a peak
        return right

    def _push_batch(self, subtree: bytes) -> None:
        batches_before = self.size // _BATCH - 1
        while batches_before & 1:
            subtree = _node(self._peaks.pop(), subtree)
            batches_before >>= 1
        self._peaks.append(subtree)


def merkle_root(leaves: Iterable[bytes]) -> bytes:
    """The 32-byte root of all `leaves`."""
    tree = MerkleTree()
    tree.add_leaves(leaves)
    return tree.root()


def inclusion_proof(*, leaves: Sequence[bytes], index: int) -> list[bytes]:
    """The audit path of leaf `index` (RFC 6962 §2.1.1): sibling hashes from the leaf up to below the root."""
    return inclusion_proof_streamed(leaves=leaves, index=index, size=len(leaves))


def inclusion_proof_streamed(*, leaves: Iterable[bytes], index: int, size: int) -> list[bytes]:
    """The audit path of leaf `index` in the tree of the first `size` leaves, read once and not kept.

    The siblings on the path cover, together with the leaf itself, every leaf exactly once and in order; so
    each is the root of the next stretch of the stream. Raises `MerkleError` when `index` is outside the tree
    or the stream ends early.
    """
    if not 0 <= index < size:
        raise MerkleError(f"leaf {index} is not in a tree of {size} leaves")
    stretches = _sibling_ranges(index, size)
    source = iter(leaves)
    roots: dict[int, bytes] = {}
    for start, stop in sorted([*stretches, (index, index + 1)]):
        tree = MerkleTree()
        tree.add_leaves(islice(source, stop - start))
        if tree.size != stop - start:
            raise MerkleError(f"the leaves end after {start + tree.size}, and there should be {size}")
        roots[start] = tree.root()
    return [roots[start] for start, _ in stretches]


def inclusion_proof_by_runs(*, run: Sequence[bytes], index: int, roots: Sequence[bytes]) -> list[bytes]:
    """The audit path of leaf `index` out of one run of leaves and the roots of all runs.

    The leaves of a tree fall into runs of `SUBTREE`, of which only the last may be shorter; `run` are the leaves of
    the one with the leaf, `roots` is `merkle_root` of every run. As `SUBTREE` is a power of two, each run is a
    subtree, and the tree above them has the shape of one with a leaf for each. Raises `MerkleError` when `index`
    is in no run, or `run` is not as long as its place says.
    """
    place, within = divmod(index, SUBTREE)
    if not 0 <= place < len(roots) or not within < len(run) <= SUBTREE:
        raise MerkleError(f"leaf {index} is in none of {len(roots)} runs of leaves")
    if place < len(roots) - 1 and len(run) != SUBTREE:
        raise MerkleError(
            f"run {place} has {len(run)} leaves, and only the last may be shorter than {SUBTREE}"
        )
    below = inclusion_proof(leaves=run, index=within)
    return below + [
        _fold_ragged(list(roots[start:stop])) for start, stop in _sibling_ranges(place, len(roots))
    ]


def verify_inclusion(*, leaf: bytes, index: int, size: int, proof: Sequence[bytes], root: bytes) -> bool:
    """Whether `proof` shows that `leaf` stands at `index` in the tree of `size` leaves with this `root`.

    The algorithm of RFC 9162 §2.1.3.2.
    """
    if not 0 <= index < size or any(len(sibling) != HASH_BYTES for sibling in proof):
        return False
    node, last = index, size - 1
    current = sha256(b"\0" + leaf).digest()
    for sibling in proof:
        if last == 0:
            return False
        if node & 1 or node == last:
            current = _node(sibling, current)
            while not node & 1 and node:
                node >>= 1
                last >>= 1
        else:
            current = _node(current, sibling)
        node >>= 1
        last >>= 1
    return last == 0 and current == root


def _node(left: bytes, right: bytes) -> bytes:
    return sha256(b"\1" + left + right).digest()


def _fold_full(hashes: list[bytes]) -> bytes:
    """Root of a power of two of leaf hashes; list comprehensions, because this is nearly all of the time."""
    hash_of = sha256
    while len(hashes) > 1:
        pairs: Iterator[bytes] = iter(hashes)
        hashes = [hash_of(b"\1" + left + right).digest() for left, right in zip(pairs, pairs, strict=True)]
    return hashes[0]


def _fold_ragged(hashes: list[bytes]) -> bytes:
    """Root of any number of leaf hashes: pair them level by level, an odd last one moves up as it is."""
    while len(hashes) > 1:
        above = [_node(hashes[at], hashes[at + 1]) for at in range(0, len(hashes) - 1, 2)]
        if len(hashes) % 2:
            above.append(hashes[-1])
        hashes = above
    return hashes[0]


def _sibling_ranges(index: int, size: int) -> list[tuple[int, int]]:
    """Half-open ranges of leaves under the siblings of the path from leaf `index` up, nearest first."""
    start, stop = 0, size
    ranges = []
    while stop - start > 1:
        split = start + (1 << (stop - start - 1).bit_length() - 1)
        if index < split:
            ranges.append((split, stop))
            stop = split
        else:
            ranges.append((start, split))
            start = split
    ranges.reverse()
    return ranges
