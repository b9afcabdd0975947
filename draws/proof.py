"""The proof of a draw: what its report fixes for ever, and the document anyone can check.

Owns the shape of `proof.json` (described in docs/proof-format.md), and the step from revealed values to the
seed, because a value that does not match the manifest must never be drawn with. Pure: no Django, no clock,
no network.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from hashlib import sha256
from typing import Any

from audit.canonical import canonical_json
from draws import vwd1
from draws.drand import value_of, verify_signature
from draws.selection import Rank
from draws.slots import Assignment, Disposition

_REVEALED_KEYS = {
    "commit": {"type", "value"},
    "drand": {"type", "value", "round", "signature"},
    "public_text": {"type", "value"},
}
REPORT_KEYS = ("manifest", "manifest_sha256", "revealed", "seed", "ranks", "slots", "audit_seal")


class ProofError(ValueError):
    """The parts do not belong together. The message says which."""


def reveal_commit(*, secret_hex: str) -> dict[str, Any]:
    """The revealed item of a `commit` source."""
    return {"type": "commit", "value": secret_hex}


def reveal_drand(*, round_number: int, signature_hex: str) -> dict[str, Any]:
    """The revealed item of a `drand` source."""
    return {
        "type": "drand",
        "value": value_of(signature_hex=signature_hex),
        "round": round_number,
        "signature": signature_hex,
    }


def reveal_public_text(*, text: str) -> dict[str, Any]:
    """The revealed item of a `public_text` source."""
    return {"type": "public_text", "value": vwd1.public_text_value(text)}


def check_revealed(*, manifest: Mapping[str, Any], revealed: Sequence[Mapping[str, Any]]) -> None:
    """Raise `ProofError` unless `revealed` is exactly what the manifest's sources bind.

    Checks the commitment of a secret and the signature of a drand round (0.2 s); a public text binds nothing
    but its place in the list.
    """
    sources = manifest["randomness"]
    if [item.get("type") for item in revealed] != [source["type"] for source in sources]:
        raise ProofError("the revealed values are not those of the manifest's sources, in their order")
    for source, item in zip(sources, revealed, strict=True):
        if set(item) != _REVEALED_KEYS[source["type"]]:
            raise ProofError(f"the revealed {source['type']} has not exactly its own keys")
        if source["type"] == "commit":
            if vwd1.commitment(draw_id=manifest["draw_id"], secret_hex=item["value"]) != source["sha256"]:
                raise ProofError("the secret is not the one that was committed to")
        elif source["type"] == "drand":
            if item["round"] != source["round"]:
                raise ProofError(f"the revealed drand round is not round {source['round']}")
            if not verify_signature(
                round_number=source["round"],
                signature_hex=item["signature"],
                public_key_hex=source["public_key"],
            ):
                raise ProofError(f"the signature is not quicknet's of round {source['round']}")
            if item != reveal_drand(round_number=source["round"], signature_hex=item["signature"]):
                raise ProofError("the value of the drand round is not the hash of its signature")


def seed_of(*, manifest: Mapping[str, Any], revealed: Sequence[Mapping[str, Any]]) -> bytes:
    """S, 32 bytes, after `check_revealed`. Raises `ProofError` or `vwd1.ManifestError`."""
    check_revealed(manifest=manifest, revealed=revealed)
    return _seed(vwd1.manifest_sha256(manifest), revealed)


def rank_rows(*, ranks: Iterable[Rank], pids: Mapping[int, str]) -> list[dict[str, Any]]:
    """The items of `ranks`. `pids` maps a position in the entries file to the pid there, in hex."""
    return [
        {
            "rank": rank.rank,
            "pid": pids[rank.index],
            "ticket": rank.ticket,
            "remaining": rank.remaining,
            "attempts": rank.attempts,
        }
        for rank in ranks
    ]


def build_report(
    *,
    manifest: Mapping[str, Any],
    revealed: Sequence[Mapping[str, Any]],
    ranks: Sequence[Rank],
    pids: Mapping[int, str],
    assignments: Sequence[Assignment],
    audit_seal: Mapping[str, Any] | None,
) -> dict[str, Any]:
    """The part of a proof that the execution fixes for ever.

    `ranks` are the ranks drawn at execution, `pids` as in `rank_rows`, `assignments` the slots of
    `assign_slots`, `audit_seal` the newest seal of the audit trail (a JSON object, or None before the first).
    `revealed` has passed `seed_of`, which is not repeated here.
    """
    digest = vwd1.manifest_sha256(manifest)
    rows = rank_rows(ranks=ranks, pids=pids)
    if [row["rank"] for row in rows] != list(range(len(rows))):
        raise ProofError("the ranks are not 0, 1, 2, …")
    return {
        "manifest": dict(manifest),
        "manifest_sha256": digest,
        "revealed": [dict(item) for item in revealed],
        "seed": _seed(digest, revealed).hex(),
        "ranks": rows,
        "slots": [
            {
                "slot": item.slot,
                "prize": item.prize,
                "rank": item.rank,
                "pid": None if item.rank is None else rows[item.rank]["pid"],
            }
            for item in assignments
        ],
        "audit_seal": None if audit_seal is None else dict(audit_seal),
    }


def report_sha256(report: Mapping[str, Any]) -> str:
    """Hex digest of the canonical JSON of a report: what proves that it never changed."""
    if set(report) != set(REPORT_KEYS):
        raise ProofError("a report has exactly the keys " + ", ".join(REPORT_KEYS))
    return sha256(canonical_json(dict(report))).hexdigest()


def full_proof(
    *,
    report: Mapping[str, Any],
    dispositions: Iterable[Disposition],
    extension: Sequence[Mapping[str, Any]] = (),
) -> dict[str, Any]:
    """The whole `proof.json`: the report, what happened since, and the report's hash.

    `extension` are the rank rows drawn later by `extended` dispositions, appended to the report's own.
    """
    digest = report_sha256(report)
    ranks = [*report["ranks"], *map(dict, extension)]
    if [row["rank"] for row in ranks] != list(range(len(ranks))):
        raise ProofError("the extension does not go on where the report's ranks end")
    return {
        **report,
        "ranks": ranks,
        "dispositions": [item.as_json() for item in dispositions],
        "report_sha256": digest,
    }


def _seed(manifest_sha256: str, revealed: Sequence[Mapping[str, Any]]) -> bytes:
    return vwd1.seed(
        manifest_sha256=manifest_sha256, values=[(item["type"], item["value"]) for item in revealed]
    )
