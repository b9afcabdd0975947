"""The entries file of a draw: its rows, its digest while it is written, and its strict reading.

One row `pid,first,count` and LF an entry, ASCII, no header, sorted by pid. `pid` is 64 lower-case hex
digits, `first` the sum of the counts before, `count` at least 1, decimal without leading zeros. Pure: bytes
in, numbers out. Both classes take the file in blocks cut anywhere, as `COPY … TO STDOUT` or a storage hands
them over, and work through a megabyte at a time: a million rows take about a second.
"""

from __future__ import annotations

import re
from array import array
from dataclasses import dataclass
from hashlib import sha256
from itertools import accumulate
from operator import lt

from audit.merkle import MerkleTree
from draws.selection import MAX_TICKETS

ENTRY_LINE = re.compile(rb"([0-9a-f]{64}),(0|[1-9][0-9]{0,15}),([1-9][0-9]{0,15})")
"""A row without its LF. Numbers of 16 digits hold every value up to 2^53 − 1."""

_WORK_BYTES = 1 << 20


class EntriesFileError(ValueError):
    """The bytes are not an entries file. The message says which line and why."""


@dataclass(frozen=True, slots=True)
class EntryLine:
    """One row: the pid in hex, the number of tickets before it, and its own number of tickets."""

    pid: str
    first: int
    count: int


@dataclass(frozen=True, slots=True)
class EntriesSummary:
    """What a manifest says about an entries file. Hashes are lower-case hex."""

    count: int
    tickets: int
    sha256: str
    merkle_root: str


def format_entry_line(*, pid: bytes, first: int, count: int) -> bytes:
    """A row without its LF, as it is a leaf of the Merkle tree. `pid` is 32 bytes."""
    line = b"%b,%d,%d" % (pid.hex().encode("ascii"), first, count)
    parse_entry_line(line)
    return line


def parse_entry_line(line: bytes) -> EntryLine:
    """The values of one row without LF. Raises `EntriesFileError` for anything but the one right spelling."""
    match = ENTRY_LINE.fullmatch(line)
    if not match:
        raise EntriesFileError(f"{line[:120]!r} is not pid,first,count")
    pid, first, count = match.groups()
    entry = EntryLine(pid.decode("ascii"), int(first), int(count))
    if entry.first + entry.count > MAX_TICKETS:
        raise EntriesFileError("there are more than 2^53 − 1 tickets")
    return entry


class _Blocks:
    """Collects blocks cut anywhere and hands over whole lines, about a megabyte at a time."""

    def __init__(self) -> None:
        self._waiting: list[bytes | memoryview] = []
        self._waiting_bytes = 0

    def update(self, block: bytes | memoryview) -> None:
        """Take the next bytes of the file."""
        self._waiting.append(block)
        self._waiting_bytes += len(block)
        if self._waiting_bytes >= _WORK_BYTES:
            self._flush()

    def _flush(self) -> None:
        data = b"".join(self._waiting)
        end = data.rfind(b"\n") + 1
        if end:
            self._take(data[:end])
        self._waiting = [data[end:]]
        self._waiting_bytes = len(data) - end
        if self._waiting_bytes >= _WORK_BYTES:
            raise EntriesFileError("a line is longer than a megabyte")

    def _finish(self) -> None:
        self._flush()
        if self._waiting_bytes:
            raise EntriesFileError("the last line does not end with a line feed")

    def _take(self, lines: bytes) -> None:
        raise NotImplementedError


class EntriesDigest(_Blocks):
    """SHA-256, Merkle root, count and tickets of an entries file while it is being made.

    It trusts the order and sums of the rows, which the query that makes them guarantees; `EntriesIndex` is
    the one that trusts nothing.
    """

    def __init__(self) -> None:
        super().__init__()
        self._sha256 = sha256()
        self._tree = MerkleTree()
        self._tickets = 0

    def summary(self) -> EntriesSummary:
        """The values for the manifest, after the last block. An empty file has count and tickets 0."""
        self._finish()
        return EntriesSummary(
            count=self._tree.size,
            tickets=self._tickets,
            sha256=self._sha256.hexdigest(),
            merkle_root=self._tree.root().hex(),
        )

    def _take(self, lines: bytes) -> None:
        self._sha256.update(lines)
        rows = lines[:-1].split(b"\n")
        self._tree.add_leaves(rows)
        last = parse_entry_line(rows[-1])
        self._tickets = last.first + last.count


class EntriesIndex(_Blocks):
    """Reads an entries file strictly and keeps what drawing needs: `firsts`, 8 bytes an entry.

    Raises `EntriesFileError` at the first row that is malformed, out of order, repeated, or whose `first`
    is not the sum of the counts before it. `sha256` must still be compared with the manifest's.
    """

    def __init__(self) -> None:
        super().__init__()
        self.firsts = array("Q")
        self.tickets = 0
        self.sha256 = ""
        """Hex digest of the whole file, once `finish` was called."""
        self._digest = sha256()
        self._last_pid = b""

    def finish(self) -> None:
        """Say that the last block has been given."""
        self._finish()
        self.sha256 = self._digest.hexdigest()

    def _take(self, lines: bytes) -> None:
        self._digest.update(lines)
        fields = lines.replace(b"\n", b",").split(b",")
        fields.pop()
        pids, counts = fields[::3], fields[2::3]
        try:
            numbers = list(map(int, counts))
        except ValueError:
            raise self._first_fault(lines) from None
        firsts = list(accumulate(numbers, initial=self.tickets))
        tickets = firsts.pop()
        # Everything but the pids is right if and only if writing the rows anew gives the same bytes.
        anew = b"".join([b"%b,%d,%d\n" % row for row in zip(pids, firsts, numbers, strict=False)])
        if (
            anew != lines
            or min(numbers) < 1
            or tickets > MAX_TICKETS
            or set(map(len, pids)) != {64}
            or b"".join(pids).translate(None, b"0123456789abcdef")
            or not self._last_pid < pids[0]
            or not all(map(lt, pids, pids[1:]))
        ):
            raise self._first_fault(lines)
        self.firsts.extend(firsts)
        self.tickets = tickets
        self._last_pid = pids[-1]

    def _first_fault(self, lines: bytes) -> EntriesFileError:
        """Walk the block row by row, slowly, to say what is wrong with it."""
        number, tickets, before = len(self.firsts), self.tickets, self._last_pid.decode("ascii")
        for line in lines[:-1].split(b"\n"):
            number += 1
            try:
                entry = parse_entry_line(line)
            except EntriesFileError as error:
                return EntriesFileError(f"line {number}: {error}")
            if entry.pid <= before:
                return EntriesFileError(f"line {number}: its pid is not after the one before it")
            if entry.first != tickets:
                return EntriesFileError(f"line {number}: first is {entry.first}, and should be {tickets}")
            tickets += entry.count
            before = entry.pid
        raise AssertionError("a block was refused that has no fault")
