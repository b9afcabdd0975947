"""The published evidence of a draw: its entries file, its proof, and the check that both still hold."""

from collections.abc import Sequence
from itertools import islice
from typing import IO, Any, cast

from django.core.files.storage import default_storage

from audit.canonical import canonical_json
from draws import proof
from draws.entries_file import EntriesFileError, EntriesIndex
from draws.models import Disposition, Draw
from draws.selection import draw_ranks
from draws.services.freezing import entries_file_name, store_entries_file, written_entries_file
from draws.slots import Disposition as SlotDisposition
from draws.slots import State
from draws.vwd1 import format_time

_BLOCK = 1 << 18


def entries_file(draw: Draw) -> IO[bytes]:
    """The entries file of a frozen draw, open for reading; made again from the database if it is missing."""
    name = entries_file_name(draw)
    if not default_storage.exists(name):
        with written_entries_file(draw) as (file, _summary):
            store_entries_file(file, draw)
    return cast(IO[bytes], default_storage.open(name, "rb"))


def index_of_entries(draw: Draw) -> EntriesIndex:
    """The stored entries file, read strictly. One that isn't what was frozen is made again, once.

    The caller compares `sha256` with the manifest's.
    """
    assert draw.manifest is not None
    try:
        index = _read(draw)
    except EntriesFileError:
        index = None
    if index is None or index.sha256 != draw.manifest["entries"]["sha256"]:
        default_storage.delete(entries_file_name(draw))
        index = _read(draw)
    return index


def _read(draw: Draw) -> EntriesIndex:
    index = EntriesIndex()
    with entries_file(draw) as file:
        while block := file.read(_BLOCK):
            index.update(block)
    index.finish()
    return index


def pids_at(draw: Draw, positions: Sequence[int]) -> dict[int, str]:
    """The pids, in hex, at these positions of the entries file."""
    pids = {}
    with entries_file(draw) as file:
        lines = iter(file)
        reached = 0
        for position in sorted(set(positions)):
            line = next(islice(lines, position - reached, None))
            pids[position] = line[:64].decode("ascii")
            reached = position + 1
    return pids


def proof_of(draw: Draw) -> dict[str, Any]:
    """The whole proof of an executed draw, as it is published."""
    return proof.full_proof(report=draw.report.proof, dispositions=dispositions_of(draw))


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
        promised = report.manifest["entries"]
        found = {
            "count": summary.count,
            "tickets": summary.tickets,
            "sha256": summary.sha256,
            "merkle_root": summary.merkle_root,
        }
        if found != promised:
            wrong.append(
                f"The entries in the database are not those of the manifest: {found}, not {promised}."
            )
    index = index_of_entries(draw)
    if index.sha256 != promised["sha256"]:
        wrong.append("The stored entries file is not the one of the manifest.")
    seed = proof.seed_of(manifest=report.manifest, revealed=report.proof["revealed"])
    if seed.hex() != report.proof["seed"]:
        wrong.append("The seed is not that of manifest and revealed values.")
    rows = report.proof["ranks"]
    ranks = list(islice(draw_ranks(seed=seed, firsts=index.firsts, total=index.tickets), len(rows)))
    if proof.rank_rows(ranks=ranks, pids=pids_at(draw, [rank.index for rank in ranks])) != rows:
        wrong.append("The ranks are not those that the seed draws.")
    stored = {
        (winner.slot, winner.rank): winner.entry.pid_hex
        for winner in draw.winners.select_related("entry").filter(slot__lt=len(report.proof["slots"]))
    }
    for slot in report.proof["slots"]:
        if slot["rank"] is not None and stored.get((slot["slot"], slot["rank"])) != slot["pid"]:
            wrong.append(f"The winner of slot {slot['slot']} is not the one in the report.")
    return wrong
