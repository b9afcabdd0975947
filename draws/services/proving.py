"""The published evidence of a draw: its entries file, its proof, and the check that both still hold."""

import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from itertools import islice
from typing import IO, Any, cast

import structlog
from django.core.files.storage import default_storage
from django.utils.translation import gettext as _

from audit.canonical import canonical_json
from draws import proof
from draws.entries_file import EntriesFileError, EntriesIndex
from draws.models import CalledOff, Disposition, Draw
from draws.selection import draw_ranks
from draws.services.errors import DrawError
from draws.services.freezing import entries_file_name, store_entries_file, written_entries_file
from draws.slots import Disposition as SlotDisposition
from draws.slots import State
from draws.vwd1 import format_time

log = structlog.get_logger(__name__)

_BLOCK = 1 << 18


class EntriesChangedError(DrawError):
    """Neither the stored entries file nor the database holds the entries that were frozen any more."""


def entries_file(draw: Draw) -> IO[bytes]:
    """The entries file of a frozen draw, open for reading; made again from the database if it is missing.

    Raises `EntriesChangedError`.
    """
    name = entries_file_name(draw)
    if not default_storage.exists(name):
        _restore(draw)
    return cast(IO[bytes], default_storage.open(name, "rb"))


@dataclass(frozen=True, slots=True)
class FrozenEntries:
    """The entries as they were frozen: a private copy of the file, whose hash was compared, and its index."""

    file: IO[bytes]
    index: EntriesIndex

    def tickets_of(self, position: int) -> int:
        """How many tickets the entry at this position of the file has."""
        firsts = self.index.firsts
        end = firsts[position + 1] if position + 1 < len(firsts) else self.index.tickets
        return end - firsts[position]

    def pids_at(self, positions: Sequence[int]) -> dict[int, str]:
        """The pids, in hex, at these positions of the file."""
        pids = {}
        self.file.seek(0)
        lines = iter(self.file)
        reached = 0
        for position in sorted(set(positions)):
            line = next(islice(lines, position - reached, None))
            pids[position] = line[:64].decode("ascii")
            reached = position + 1
        return pids


@contextmanager
def frozen_entries(draw: Draw) -> Iterator[FrozenEntries]:
    """The entries of a frozen draw, to draw from. A stored file that isn't what was frozen is made again, once.

    The copy is what nobody else can write to between the comparison of its hash and its last use. Raises
    `EntriesChangedError` when the entries can't be had as they were.
    """
    with tempfile.TemporaryFile() as copy:
        index = _read(draw, copy)
        if index is None:
            log.warning("entries_file_restored", draw=str(draw.public_id))
            _restore(draw)
            index = _read(draw, copy)
        if index is None:
            raise EntriesChangedError(_("The entries file can't be kept in the storage as it was frozen."))
        yield FrozenEntries(copy, index)


def _read(draw: Draw, copy: IO[bytes]) -> EntriesIndex | None:
    """Copy the stored file and read it strictly; None when it isn't the one that the manifest promises."""
    index = EntriesIndex()
    copy.seek(0)
    copy.truncate()
    try:
        with entries_file(draw) as file:
            while block := file.read(_BLOCK):
                index.update(block)
                copy.write(block)
        index.finish()
    except (EntriesFileError, OSError):
        return None
    found = {"sha256": index.sha256, "count": len(index.firsts), "tickets": index.tickets}
    promised = _promised(draw)
    return index if all(promised[name] == value for name, value in found.items()) else None


def _restore(draw: Draw) -> None:
    """Make the stored file anew out of the database, if that still holds what was frozen."""
    with written_entries_file(draw) as (file, summary):
        if (found := asdict(summary)) != _promised(draw):
            raise EntriesChangedError(
                _(
                    "The entries are not those that were frozen: they are %(found)s, promised were %(promised)s."
                )
                % {"found": found, "promised": _promised(draw)}
            )
        store_entries_file(file, draw)


def _promised(draw: Draw) -> dict[str, Any]:
    assert draw.manifest is not None
    return dict(draw.manifest["entries"])


def proof_of(draw: Draw) -> dict[str, Any]:
    """The whole proof of an executed draw, as it is published."""
    return proof.full_proof(
        report=draw.report.proof,
        dispositions=dispositions_of(draw),
        extension=[rank.as_row() for rank in draw.extra_ranks.all()],
    )


def published_proof(draw: Draw) -> dict[str, Any] | None:
    """The proof that everybody may have: of an executed draw, or of what a called-off one would have drawn."""
    if draw.status == Draw.Status.COMPLETED:
        return proof_of(draw)
    if draw.status != Draw.Status.CANCELLED:
        return None
    called_off = CalledOff.objects.filter(draw=draw).first()
    return called_off.proof if called_off is not None else None


def rank_rows_of(draw: Draw) -> list[dict[str, Any]]:
    """Every rank drawn by now, as in the proof: those of the execution and those drawn since."""
    return [*draw.report.proof["ranks"], *(rank.as_row() for rank in draw.extra_ranks.all())]


def canonical_manifest(draw: Draw) -> bytes:
    """The manifest in the form that M is the hash of."""
    return canonical_json(draw.manifest)


def dispositions_of(draw: Draw) -> list[SlotDisposition]:
    """What became of the ranks since the draw."""
    return [
        SlotDisposition(item.rank, State(item.state), item.reason, format_time(item.at))
        for item in Disposition.objects.filter(draw=draw)
    ]


def verify_stored_draw(draw: Draw) -> list[str]:
    """Compute an executed draw anew and compare it with what is stored; returns what differs, in sentences."""
    wrong = []
    report = draw.report
    if proof.report_sha256(report.proof) != report.report_sha256:
        wrong.append("The report does not have its own hash.")
    if report.proof["manifest"] != draw.manifest or report.proof["manifest_sha256"] != draw.manifest_sha256:
        wrong.append("The report speaks of another manifest.")
    with written_entries_file(draw) as (_file, summary):
        if (found := asdict(summary)) != report.manifest["entries"]:
            wrong.append(
                "The entries in the database are not those of the manifest: "
                f"{found}, not {report.manifest['entries']}."
            )
    seed = proof.seed_of(manifest=report.manifest, revealed=report.proof["revealed"])
    if seed.hex() != report.proof["seed"]:
        wrong.append("The seed is not that of manifest and revealed values.")
    try:
        with frozen_entries(draw) as entries:
            wrong += _wrong_ranks(rank_rows_of(draw), seed=seed, entries=entries)
    except EntriesChangedError as error:
        wrong.append(f"The stored entries file is not the one of the manifest. {error}")
    return wrong + _wrong_winners(draw)


def _wrong_ranks(rows: list[dict[str, Any]], *, seed: bytes, entries: FrozenEntries) -> list[str]:
    drawn = draw_ranks(seed=seed, firsts=entries.index.firsts, total=entries.index.tickets)
    ranks = list(islice(drawn, len(rows)))
    if proof.rank_rows(ranks=ranks, pids=entries.pids_at([rank.index for rank in ranks])) != rows:
        return ["The ranks are not those that the seed draws."]
    return []


def _wrong_winners(draw: Draw) -> list[str]:
    """Winners that the report doesn't name, and such as it names and that aren't there."""
    wrong = []
    slots = {(slot["slot"], slot["rank"]): slot for slot in draw.report.proof["slots"]}
    promoted = {item.rank for item in dispositions_of(draw) if item.state is State.PROMOTED}
    stored = {}
    for winner in draw.winners.select_related("entry", "prize"):
        stored[winner.slot, winner.rank] = (winner.entry.pid_hex, winner.prize.code)
        if (winner.slot, winner.rank) not in slots and winner.rank not in promoted:
            wrong.append(f"Rank {winner.rank} holds slot {winner.slot}, of which the report knows nothing.")
    for at, slot in slots.items():
        if slot["rank"] is not None and stored.get(at) != (slot["pid"], slot["prize"]):
            wrong.append(f"The winner of slot {slot['slot']} is not the one in the report.")
    return wrong
