"""Rehearsing a draw: the whole drawing on values that anybody can make up, as often as one likes, changing nothing.

The drawing is that of the execution, by the same functions: the entries file as the database gives it, `draw_ranks`,
`assign_slots`. Only the seed is another. The n-th rehearsal draws with the SHA-256 of a text that is shown,
`rehearsal <draw id> <n>`; it has nothing to do with the draw's own randomness and tells nothing about the result. All of it
runs in a transaction in which PostgreSQL refuses to write.
"""

import tempfile
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from hashlib import sha256
from itertools import islice, pairwise

from django.db import connection, transaction
from django.utils.translation import gettext as _

from draws.entries_file import EntriesIndex
from draws.models import Draw
from draws.odds import chances_to_win, standard_error
from draws.selection import draw_ranks
from draws.services.errors import DrawError
from draws.services.freezing import entries_blocks
from draws.services.proving import FrozenEntries
from draws.slots import assign_slots, expand_prizes, ranks_due

RUNS = 200
_MOST_RANKS = 50_000
"""Ranks drawn in one request, 50 microseconds each in a draw of 600,000: a page should not take minutes."""
_MOST_GROUPS = 12
_SHOWN = 50
_PREFIX = 12


class RehearsalError(DrawError):
    """There is nothing to rehearse. The message says what is missing."""


@dataclass(frozen=True, slots=True)
class RehearsedRank:
    """One rank of the first rehearsal: the beginning of its pid, its tickets, and the prize it would have (or none)."""

    rank: int
    pid_start: str
    tickets: int
    prize: str


@dataclass(frozen=True, slots=True)
class Group:
    """Entries with `low` to `high` tickets: how often they should have won, and did, as a share of their chances.

    `error` is how far the two usually lie apart by chance (one standard error).
    """

    low: int
    high: int
    entries: int
    expected: float
    observed: float
    error: float


@dataclass(frozen=True, slots=True)
class Rehearsal:
    """What came of the rehearsals of one draw."""

    runs: int
    text: str
    value: str
    entries: int
    tickets: int
    slots: int
    ranks_drawn: int
    ranks: list[RehearsedRank]
    groups: list[Group]
    is_exact: bool


def dummy_text(draw: Draw, number: int) -> str:
    """The text whose SHA-256 is the seed of a rehearsal; the first is number 1."""
    return f"rehearsal {draw.public_id} {number}"


def rehearse_draw(*, draw: Draw, runs: int = RUNS) -> Rehearsal:
    """Draw a published draw `runs` times (fewer where it has very many prizes) over its entries of this moment.

    Raises `RehearsalError` for a draft, and where there are no prizes or no entries.
    """
    if draw.published_at is None:
        raise RehearsalError(_("Only a published draw can be rehearsed."))
    with _read_only(), _current_entries(draw) as entries:
        index = entries.index
        count = len(index.firsts)
        slots = expand_prizes(_prizes(draw))
        if not slots:
            raise RehearsalError(_("There are no prizes to draw."))
        if not count:
            raise RehearsalError(_("Nobody has entered yet."))
        due = ranks_due(slots=len(slots), alternates=draw.alternates or 0, entries=count)
        winning = min(len(slots), count)
        runs = max(1, min(runs, _MOST_RANKS // winning))
        wins: Counter[int] = Counter()
        for number in range(2, runs + 1):
            ranks = islice(
                draw_ranks(seed=_seed(draw, number), firsts=index.firsts, total=index.tickets), winning
            )
            wins.update(entries.tickets_of(rank.index) for rank in ranks)
        first = list(islice(draw_ranks(seed=_seed(draw, 1), firsts=index.firsts, total=index.tickets), due))
        holders = {item.rank: item.prize for item in assign_slots(prizes=slots, ranks=len(first), skipped=())}
        wins.update(entries.tickets_of(rank.index) for rank in first if rank.rank in holders)
        pids = entries.pids_at([rank.index for rank in first[:_SHOWN]])
        titles = {code: title for code, title in draw.prizes.values_list("code", "title")}
        shown = [
            RehearsedRank(
                rank.rank,
                pids[rank.index][:_PREFIX],
                entries.tickets_of(rank.index),
                titles.get(holders.get(rank.rank, ""), ""),
            )
            for rank in first[:_SHOWN]
        ]
        edges = [*index.firsts, index.tickets]
        classes = Counter(end - start for start, end in pairwise(edges))
        groups, is_exact = _groups(classes, wins, slots=len(slots), runs=runs)
        return Rehearsal(
            runs=runs,
            text=dummy_text(draw, 1),
            value=_seed(draw, 1).hex(),
            entries=count,
            tickets=index.tickets,
            slots=len(slots),
            ranks_drawn=len(first),
            ranks=shown,
            groups=groups,
            is_exact=is_exact,
        )


def _seed(draw: Draw, number: int) -> bytes:
    return sha256(dummy_text(draw, number).encode("ascii")).digest()


def _prizes(draw: Draw) -> list[tuple[str, int]]:
    if draw.manifest is not None:
        return [(prize["id"], prize["quantity"]) for prize in draw.manifest["prizes"]]
    return [(str(prize.code), prize.quantity) for prize in draw.prizes.all()]


@contextmanager
def _read_only() -> Iterator[None]:
    """A transaction that can't write: what a mistake in here would change is refused by PostgreSQL."""
    with transaction.atomic():
        with connection.cursor() as cursor:
            cursor.execute("SET TRANSACTION READ ONLY")
        yield


@contextmanager
def _current_entries(draw: Draw) -> Iterator[FrozenEntries]:
    """The entries file as it would be now, in a temporary file; what is published is not touched."""
    index = EntriesIndex()
    with tempfile.TemporaryFile() as file:
        for block in entries_blocks(draw):
            index.update(block)
            file.write(block)
        index.finish()
        yield FrozenEntries(file, index)


def _groups(classes: Counter[int], wins: Counter[int], *, slots: int, runs: int) -> tuple[list[Group], bool]:
    """Neighbouring numbers of tickets together, so that there are at most twelve groups; and whether odds are exact."""
    chances = chances_to_win(classes=classes, slots=slots)
    weights = sorted(classes)
    size = -(-len(weights) // _MOST_GROUPS)
    groups = []
    for start in range(0, len(weights), size):
        members = weights[start : start + size]
        entries = sum(classes[weight] for weight in members)
        expected = sum(classes[weight] * chances[weight].value for weight in members) / entries
        groups.append(
            Group(
                low=members[0],
                high=members[-1],
                entries=entries,
                expected=expected,
                observed=sum(wins[weight] for weight in members) / (entries * runs),
                error=standard_error(chance=min(max(expected, 0.0), 1.0), trials=entries * runs),
            )
        )
    return groups, all(chance.is_exact for chance in chances.values())
