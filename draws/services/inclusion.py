"""That one entry stands in the published list: its line, and the path from there to the Merkle root of the manifest.

Hashing a million lines takes a second, so the roots of runs of 1,024 lines are kept in the cache, 70 bytes a run:
from then on a proof reads one run of the file. They are a pure function of a published file, and may be lost.
"""

from bisect import bisect_right
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice
from typing import IO

import structlog
from django.core.cache import cache

from audit.merkle import SUBTREE, MerkleError, inclusion_proof_by_runs, merkle_root, verify_inclusion
from draws.models import Draw, Entry
from draws.services.proving import EntriesChangedError, entries_file

log = structlog.get_logger(__name__)

_KEPT_S = 7 * 86_400


@dataclass(frozen=True, slots=True)
class Inclusion:
    """One line of an entries file and its audit path (RFC 6962 §2.1.1), from the leaf up; hashes in hex."""

    line: str
    index: int
    size: int
    path: list[str]
    root: str


@dataclass(frozen=True, slots=True)
class _Runs:
    """Of each run of lines: where it begins in the file, its first pid, and its Merkle root."""

    offsets: list[int]
    first_pids: list[bytes]
    roots: list[bytes]


def inclusion_of(*, draw: Draw, entry: Entry) -> Inclusion | None:
    """The inclusion proof of an entry of a frozen draw.

    None before the freeze, and when the entries file can't be had as it was frozen or does not hold the entry: then
    a proof would not hold, and that is written to the log.
    """
    if draw.manifest is None:
        return None
    promised = draw.manifest["entries"]
    key = f"draw:{draw.public_id}:runs:{promised['sha256']}"
    root = bytes.fromhex(promised["merkle_root"])
    try:
        with entries_file(draw) as file:
            runs = cache.get(key)
            if runs is None:
                runs = _runs_of(file)
                cache.set(key, runs, _KEPT_S)
            found = _proof(file, runs, entry.pid_hex.encode("ascii"))
    except (EntriesChangedError, MerkleError, OSError) as error:
        log.error("inclusion_failed", draw=str(draw.public_id), error=str(error))
        return None
    if found is None or not verify_inclusion(
        leaf=found[0], index=found[1], size=promised["count"], proof=found[2], root=root
    ):
        cache.delete(key)
        log.error("inclusion_does_not_hold", draw=str(draw.public_id), entry=entry.pk)
        return None
    line, index, path = found
    return Inclusion(
        line=line.decode("ascii"),
        index=index,
        size=promised["count"],
        path=[sibling.hex() for sibling in path],
        root=promised["merkle_root"],
    )


def _runs_of(file: IO[bytes]) -> _Runs:
    runs = _Runs([], [], [])
    offset = 0
    lines = _lines(file)
    while run := list(islice(lines, SUBTREE)):
        runs.offsets.append(offset)
        runs.first_pids.append(run[0][:64])
        runs.roots.append(merkle_root(line[:-1] for line in run))
        offset += sum(map(len, run))
    return runs


def _lines(file: IO[bytes]) -> Iterator[bytes]:
    """The lines from where the file stands. (Walking through one of Django's files begins at its beginning.)"""
    return iter(file.readline, b"")


def _proof(file: IO[bytes], runs: _Runs, pid: bytes) -> tuple[bytes, int, list[bytes]] | None:
    """(line, index, path) of the entry with this pid in hex, from the one run that may hold it."""
    place = bisect_right(runs.first_pids, pid) - 1
    if place < 0:
        return None
    file.seek(runs.offsets[place])
    run = [line.rstrip(b"\n") for line in islice(_lines(file), SUBTREE)]
    for within, line in enumerate(run):
        if line.startswith(pid + b","):
            index = place * SUBTREE + within
            return line, index, inclusion_proof_by_runs(run=run, index=index, roots=runs.roots)
    return None
