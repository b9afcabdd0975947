"""Whole draws, and what somebody who can compute hashes might make of them: shared by the tests of proofs."""

import contextlib
import copy
import io
import json
import tempfile
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from itertools import accumulate, islice
from pathlib import Path

from audit.canonical import canonical_json
from draws import proof as proofs
from draws import vwd1
from draws.drand import QUICKNET
from draws.entries_file import EntriesDigest, EntriesIndex, format_entry_line
from draws.selection import draw_ranks
from draws.slots import Disposition, Standing, State, assign_slots, execution_dispositions, expand_prizes
from draws.verifier import verify_draw
from tests.draws.vwd1_values import DRAND_ROUNDS

DRAW = "0a0a0a0a-1111-4222-8333-444444444444"
OTHER_DRAW = "0b0b0b0b-1111-4222-8333-444444444444"
SECRET = sha256(b"a secret made when the draw was published").hexdigest()
PUBLIC_TEXT = "12 24 31 40 41 49"
AUDIT_SEAL = {"id": 17, "digest": sha256(b"seal 17").hexdigest()}


@dataclass
class Case:
    """A draw with its two published files, open to be tampered with."""

    proof: dict
    entries: bytes

    def copy(self) -> "Case":
        return Case(copy.deepcopy(self.proof), self.entries)

    @property
    def manifest(self) -> dict:
        return self.proof["manifest"]

    @property
    def rows(self) -> list[list[bytes]]:
        return [line.split(b",") for line in self.entries.splitlines()]

    def set_rows(self, rows) -> None:
        """Write rows of (pid, count) with the sums that belong to them."""
        rows = list(rows)
        firsts = accumulate((int(count) for _, count in rows), initial=0)
        self.entries = b"".join(
            b"%b,%d,%d\n" % (pid, first, int(count))
            for (pid, count), first in zip(rows, firsts, strict=False)
        )


def entries_file(weights) -> bytes:
    pids = sorted(sha256(b"entrant %d" % number).digest() for number in range(len(weights)))
    firsts = accumulate(weights, initial=0)
    return b"".join(
        format_entry_line(pid=pid, first=first, count=count) + b"\n"
        for pid, first, count in zip(pids, firsts, weights, strict=False)
    )


def pids_of(entries: bytes) -> dict[int, str]:
    return {index: line[:64].decode() for index, line in enumerate(entries.splitlines())}


def make_case(
    *,
    weights,
    prizes=(("gold", 1), ("silver", 2)),
    alternates=3,
    sources=("commit",),
    excluded=(),
    disqualified=None,
) -> Case:
    """An honest draw. With drand among the sources it is held at the time of quicknet's round 1000."""
    draw_at = datetime.fromtimestamp(QUICKNET.time_of(1000), UTC)
    entries = entries_file(weights)
    digest = EntriesDigest()
    digest.update(entries)
    randomness = {
        "commit": vwd1.commit_source(draw_id=DRAW, secret_hex=SECRET),
        "drand": vwd1.drand_source(draw_at=draw_at),
        "public_text": vwd1.public_text_source(label="National lottery of 23 August 2023"),
    }
    values = {
        "commit": proofs.reveal_commit(secret_hex=SECRET),
        "drand": proofs.reveal_drand(round_number=1000, signature_hex=DRAND_ROUNDS[1000][0]),
        "public_text": proofs.reveal_public_text(text=PUBLIC_TEXT),
    }
    manifest = vwd1.build_manifest(
        draw_id=DRAW,
        scope=DRAW,
        title="Grand Prize – Größe",
        rules_sha256=sha256(b"the rules").hexdigest(),
        opens_at=draw_at - timedelta(days=30),
        closes_at=draw_at - timedelta(hours=1),
        frozen_at=draw_at - timedelta(hours=1),
        draw_at=draw_at,
        entries=digest.summary(),
        prizes=prizes,
        alternates=alternates,
        excludes=[OTHER_DRAW] if excluded else [],
        min_wait_s=600,
        randomness=[randomness[source] for source in sources],
    )
    revealed = [values[source] for source in sources]
    slots = expand_prizes(prizes)
    ranks = draw_all(manifest, revealed, entries)[: len(slots) + alternates]
    at = vwd1.format_time(draw_at)
    skipped = execution_dispositions(
        excluded=dict.fromkeys(excluded, OTHER_DRAW), disqualified=disqualified or {}, at=at
    )
    report = proofs.build_report(
        manifest=manifest,
        revealed=revealed,
        ranks=ranks,
        pids=pids_of(entries),
        assignments=assign_slots(prizes=slots, ranks=len(ranks), skipped={item.rank for item in skipped}),
        audit_seal=AUDIT_SEAL,
    )
    return Case(proofs.full_proof(report=report, dispositions=skipped), entries)


def draw_all(manifest, revealed, entries, how_many=None):
    index = EntriesIndex()
    index.update(entries)
    index.finish()
    seed = proofs._seed(vwd1.manifest_sha256(manifest), revealed)
    return list(islice(draw_ranks(seed=seed, firsts=index.firsts, total=index.tickets), how_many))


def honest_case() -> Case:
    """Twelve entries, three slots, three alternates; rank 1 was excluded, rank 0 did not claim its prize."""
    case = make_case(weights=[4, 1, 1, 2, 7, 3, 1, 5, 9, 1, 2, 6], excluded=[1])
    at = "2023-09-01T00:00:00Z"
    case.proof["dispositions"] += [
        {"rank": 0, "state": "forfeited", "reason": "not claimed in time", "at": at},
        {"rank": 4, "state": "promoted", "reason": "slot 0", "at": at},
    ]
    return case


def standing_of(case: Case) -> Standing:
    """The project's own replay of a case's slots, as at execution."""
    rows = case.proof["slots"]
    holding = {row["rank"] for row in rows}
    skipped = set()
    for item in case.proof["dispositions"]:
        if item["state"] not in ("excluded", "disqualified") or item["rank"] in holding:
            break
        skipped.add(item["rank"])
    entries = case.manifest["entries"]["count"]
    slots = expand_prizes((prize["id"], prize["quantity"]) for prize in case.manifest["prizes"])
    due = min(len(slots) + case.manifest["alternates"], entries)
    assignments = assign_slots(prizes=slots, ranks=due, skipped=skipped)
    return Standing(assignments=assignments, ranks=due, entries=entries, skipped=skipped)


def happen(case: Case, standing: Standing, rank: int, state: State, reason: str = "because") -> None:
    """Let one thing happen to a rank, and promote whoever is next."""
    at = "2023-09-02T00:00:00Z"
    disposition = Disposition(rank, state, reason, at)
    standing.apply(disposition)
    happened = [disposition, *standing.promotions(at=at)]
    case.proof["dispositions"] += [item.as_json() for item in happened]
    if standing.ranks > len(case.proof["ranks"]):
        ranks = draw_all(case.manifest, case.proof["revealed"], case.entries, standing.ranks)
        case.proof["ranks"] = proofs.rank_rows(ranks=ranks, pids=pids_of(case.entries))


def reseal(case: Case, *, manifest=False, ranks=False) -> Case:
    """Compute the hashes anew, as a forger would: the report's, and on demand M with the seed, and the ranks."""
    proof = case.proof
    if manifest:
        proof["manifest_sha256"] = sha256(canonical_json(proof["manifest"])).hexdigest()
    if manifest or ranks:
        proof["seed"] = proofs._seed(proof["manifest_sha256"], proof["revealed"]).hex()
    if ranks:
        drawn = draw_all(case.manifest, proof["revealed"], case.entries, len(proof["ranks"]))
        proof["ranks"] = proofs.rank_rows(ranks=drawn, pids=pids_of(case.entries))
        for slot in proof["slots"]:
            slot["pid"] = proof["ranks"][slot["rank"]]["pid"]
    report = {key: proof[key] for key in proofs.REPORT_KEYS if key in proof}
    slots = sum(prize["quantity"] for prize in proof["manifest"]["prizes"])
    due = min(slots + proof["manifest"]["alternates"], proof["manifest"]["entries"]["count"])
    report["ranks"] = report["ranks"][:due]
    proof["report_sha256"] = sha256(canonical_json(report)).hexdigest()
    return case


def verify(proof, entries: bytes, *options: str) -> tuple[int, str]:
    """Run the stand-alone verifier on a proof (an object, or the bytes of a file): exit status and output."""
    document = proof if isinstance(proof, bytes) else json.dumps(proof).encode()
    with tempfile.TemporaryDirectory() as folder:
        (Path(folder) / "proof.json").write_bytes(document)
        (Path(folder) / "entries.csv").write_bytes(entries)
        output = io.TextIOWrapper(io.BytesIO(), encoding="utf-8")
        with contextlib.redirect_stdout(output):
            status = verify_draw.main([f"{folder}/proof.json", f"{folder}/entries.csv", *options])
        output.flush()
        return status, output.buffer.getvalue().decode()


def refused(case, *phrases, options=()):
    """Assert that the verifier refuses the case, and for these reasons."""
    status, output = verify(case.proof, case.entries, *options)
    assert status == 1, output
    assert output.splitlines()[-1].startswith("NOT VERIFIED")
    wrong = "\n".join(line for line in output.splitlines() if line.startswith("WRONG"))
    for phrase in phrases:
        assert phrase in wrong, output


def at(*path, value):
    """A change of one value; `...` removes it."""

    def change(case):
        place = case.proof
        for step in path[:-1]:
            place = place[step]
        if value is ...:
            del place[path[-1]]
        else:
            place[path[-1]] = value(place[path[-1]]) if callable(value) else value

    return change
