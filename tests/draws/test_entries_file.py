"""The entries file: one right form, however its bytes arrive."""

from hashlib import sha256
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from audit.merkle import merkle_root
from draws import entries_file
from draws.entries_file import (
    EntriesDigest,
    EntriesFileError,
    EntriesIndex,
    EntriesSummary,
    EntryLine,
    format_entry_line,
    parse_entry_line,
)
from draws.selection import MAX_TICKETS
from tests.draws import proof_cases
from tests.draws.vwd1_values import ENTRIES_CSV, MANIFEST

PID = "ab" * 32
GOOD = ENTRIES_CSV.encode()
LINES = GOOD.splitlines(keepends=True)


def index_of(blocks):
    index = EntriesIndex()
    for block in blocks:
        index.update(block)
    index.finish()
    return index


def summary_of(blocks):
    digest = EntriesDigest()
    for block in blocks:
        digest.update(block)
    return digest.summary()


def test_the_known_file_has_the_known_digest():
    assert summary_of([GOOD]) == EntriesSummary(**MANIFEST["entries"])


def test_the_index_holds_what_drawing_needs():
    index = index_of([GOOD])
    assert (list(index.firsts), index.tickets) == ([0, 1, 2, 6], 7)
    assert index.sha256 == MANIFEST["entries"]["sha256"]


@given(st.lists(st.integers(1, 9), min_size=1, max_size=50), st.data())
def test_blocks_may_be_cut_anywhere(weights, data):
    entries = proof_cases.entries_file(weights)
    cuts = sorted(data.draw(st.sets(st.integers(0, len(entries)), max_size=30)) | {0, len(entries)})
    work = data.draw(st.integers(200, 4000))
    blocks = [entries[start:stop] for start, stop in pairwise(cuts)]
    before = entries_file._WORK_BYTES
    try:
        entries_file._WORK_BYTES = work
        summary, index = summary_of(map(memoryview, blocks)), index_of(blocks)
    finally:
        entries_file._WORK_BYTES = before
    assert summary == EntriesSummary(
        count=len(weights),
        tickets=sum(weights),
        sha256=sha256(entries).hexdigest(),
        merkle_root=merkle_root(entries.splitlines()).hex(),
    )
    assert (index.sha256, index.tickets, len(index.firsts)) == (summary.sha256, summary.tickets, len(weights))


def test_a_file_larger_than_the_working_block_is_read_the_same():
    entries = proof_cases.entries_file([1 + number % 3 for number in range(30_000)])
    assert len(entries) > 2 * entries_file._WORK_BYTES
    rows = entries.splitlines(keepends=True)
    assert summary_of(rows) == summary_of([entries])
    assert index_of(rows).firsts == index_of([entries]).firsts


def test_an_empty_file_has_no_entries():
    assert summary_of([]) == EntriesSummary(0, 0, sha256(b"").hexdigest(), sha256(b"").hexdigest())
    assert index_of([b""]).tickets == 0


def test_a_row_is_written_and_read_in_one_way():
    line = format_entry_line(pid=bytes.fromhex(PID), first=0, count=12)
    assert line == f"{PID},0,12".encode()
    assert parse_entry_line(line) == EntryLine(pid=PID, first=0, count=12)


@pytest.mark.parametrize(
    "line",
    [
        f"{PID},0,0",
        f"{PID},00,1",
        f"{PID},0,01",
        f"{PID},+0,1",
        f"{PID},-1,1",
        f"{PID},0,1\r",
        f" {PID},0,1",
        f"{PID}, 0,1",
        f"{PID},0",
        f"{PID},0,1,1",
        f"{PID.upper()},0,1",
        f"{PID[:-1]},0,1",
        f"{PID}0,0,1",
        f"{PID},0,1_0",
        f"{PID},0,١",
        f"{PID},0,{10**16}",
        f"{PID},{MAX_TICKETS},1",
        "pid,first,count",
        "",
    ],
)
def test_it_refuses_any_other_row(line):
    with pytest.raises(EntriesFileError):
        parse_entry_line(line.encode())
    with pytest.raises(EntriesFileError, match="line 1: "):
        index_of([line.encode() + b"\n"])


@pytest.mark.parametrize(("first", "count"), [(0, 0), (-1, 1), (MAX_TICKETS, 1)])
def test_it_writes_no_row_that_could_not_be_read(first, count):
    with pytest.raises(EntriesFileError):
        format_entry_line(pid=bytes(32), first=first, count=count)


FAULTS = {
    "rows in the wrong order": (
        LINES[1].replace(b",1,1", b",0,1") + LINES[0].replace(b",0,1", b",1,1"),
        "line 2: its pid is not after",
    ),
    "the same pid twice": (LINES[0] + LINES[0].replace(b",0,1", b",1,1"), "line 2: its pid is not after"),
    "a first that is too large": (
        LINES[0] + LINES[1].replace(b",1,1", b",2,1"),
        "line 2: first is 2, and should be 1",
    ),
    "a first row that does not begin at 0": (LINES[1], "line 1: first is 1, and should be 0"),
    "a blank line": (LINES[0] + b"\n", "line 2: "),
    "a header": (b"pid,first,count\n" + GOOD, "line 1: "),
    "carriage returns": (GOOD.replace(b"\n", b"\r\n"), "line 1: "),
    "a byte order mark": (b"\xef\xbb\xbf" + GOOD, "line 1: "),
    "no line feed at the end": (GOOD[:-1], "does not end with a line feed"),
    "too many tickets": (
        LINES[0].replace(b",0,1", b",0,%d" % MAX_TICKETS) + LINES[1].replace(b",1,1", b",%d,1" % MAX_TICKETS),
        "more than 2^53",
    ),
}


@pytest.mark.parametrize(("data", "message"), FAULTS.values(), ids=FAULTS)
@pytest.mark.parametrize("cut", [None, 30])
def test_it_says_where_the_file_is_wrong(data, message, cut):
    blocks = [data] if cut is None else [data[:cut], data[cut:]]
    with pytest.raises(EntriesFileError, match=message.replace("^", r"\^")):
        index_of(blocks)


def test_order_is_checked_across_blocks_too(monkeypatch):
    monkeypatch.setattr(entries_file, "_WORK_BYTES", 10)
    with pytest.raises(EntriesFileError, match="line 2: its pid is not after"):
        index_of([LINES[1].replace(b",1,1", b",0,1"), LINES[0].replace(b",0,1", b",1,1")])


def test_a_line_without_end_is_not_collected_for_ever():
    with pytest.raises(EntriesFileError, match="longer than a megabyte"):
        EntriesIndex().update(b"x" * (1 << 20))


@given(st.integers(0, len(GOOD) - 1), st.integers(1, 255))
def test_one_changed_byte_never_goes_unnoticed(place, change):
    tampered = bytearray(GOOD)
    tampered[place] ^= change
    try:
        index = index_of([bytes(tampered)])
    except EntriesFileError:
        return
    assert index.sha256 != MANIFEST["entries"]["sha256"]
