#!/usr/bin/env python3
"""Check a draw yourself: python3 verify_draw.py proof.json entries.csv

Download both files from the draw's page and run this one. It needs Python 3.9 or newer and nothing else, asks
nobody, and computes the whole draw (vwd1) again from the two files. Every check is one line: ok or WRONG.

  --manifest-sha256 M   also compare the manifest with the M of your freeze notice. That mail was sent before
                        the randomness was known: with it, not even the operator can have changed anything.
  --public-text TEXT    also compare a public text that was announced as randomness (one for each, in order)

Exit status: 0 all holds; 1 something is wrong; 2 a file or the command could not be read; 3 all else holds,
but a drand signature was not authenticated (that takes `pip install py_ecc`).
"""

from __future__ import annotations

import argparse
import hashlib
import hmac
import io
import json
import re
import sys
from array import array
from collections import deque
from datetime import datetime
from typing import Any, Callable, Iterable, Iterator, NamedTuple, cast

LIMIT = 2**53 - 1
HEX64 = re.compile(r"[0-9a-f]{64}")
SOME = re.compile(r".+", re.DOTALL)
UUID = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}")
TIME = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-5][0-9]Z")
ROW = re.compile(rb"([0-9a-f]{64}),(0|[1-9][0-9]{0,15}),([1-9][0-9]{0,15})\n")
REPORT_KEYS = ("manifest", "manifest_sha256", "revealed", "seed", "ranks", "slots", "audit_seal")
TIME_KEYS = ("opens_at", "closes_at", "frozen_at", "draw_at")
ENTRIES_KEYS = ("count", "tickets", "sha256", "merkle_root")
LIST_KEYS = ("prizes", "alternates", "excludes", "min_wait_s", "randomness")
MANIFEST_KEYS = ("spec", "draw_id", "scope", "title", "rules_sha256", "entries", *TIME_KEYS, *LIST_KEYS)
STATES = re.compile("excluded|disqualified|declined|forfeited|promoted|extended")

# drand's quicknet is the only chain a draw may name: a key of the operator's own would prove nothing.
CHAIN_HASH = "52db9ba70e0cc0f6eaf7803dd07447a1f5477735fd3f661792ba94600c84e971"
CHAIN_KEY = (
    "83cf0f2896adee7eb8b5f01fcad3912212c437e0073e911fb90022d3e760183c8c4b450b6a0a6c3ac6a5776a2d106451"
    "0d1fec758c921cc22b0e17e63aaf4bcb5ed66304de9cf809bd274ca73bab4af5a6e9c76a4bc09e76eae8991ef5ece45a"
)
CHAIN_GENESIS, CHAIN_PERIOD = 1692803367, 3
DOMAIN = b"BLS_SIG_BLS12381G1_XMD:SHA-256_SSWU_RO_NUL_"


class Wrong(Exception):
    """A check that does not hold; the message says what and where."""


class Entries(NamedTuple):  # a file that was read and is in order
    edges: array[int]  # edges[i] tickets lie before entry i; the last edge is their total
    pids: bytearray  # 32 bytes each
    sha256: str
    merkle_root: str


def keys(value: Any, wanted: Iterable[str], where: str) -> dict[str, Any]:
    if not isinstance(value, dict):
        raise Wrong(f"{where} is not an object")
    for name in sorted(set(value) ^ set(wanted)):
        raise Wrong(f"{where} {'has the unknown key' if name in value else 'lacks the key'} {name!a}")
    return value


def items(value: Any, where: str) -> list[Any]:
    if not isinstance(value, list):
        raise Wrong(f"{where} is not a list")
    return value


def integer(value: Any, where: str, least: int = 0, most: int = LIMIT) -> int:
    if type(value) is not int or not least <= value <= most:  # true is no integer
        raise Wrong(f"{where} is {ascii(value)[:60]}, and not an integer from {least} to {most}")
    return value


def text(value: Any, where: str, form: re.Pattern[str] | None = None) -> str:
    if not isinstance(value, str) or (form is not None and not form.fullmatch(value)):
        raise Wrong(f"{where} has not the right form: {ascii(value)[:100]}")
    return value


def moment(value: Any, where: str) -> int:
    """Unix seconds of a time in UTC."""
    try:
        return int(datetime.strptime(text(value, where, TIME) + "+0000", "%Y-%m-%dT%H:%M:%SZ%z").timestamp())
    except ValueError as error:
        raise Wrong(f"{where} is not a real time: {value}") from error


def same(found: Any, wanted: Any, where: str) -> None:
    if type(found) is not type(wanted) or found != wanted:
        raise Wrong(f"{where} is {ascii(found)[:100]}, and should be {ascii(wanted)[:100]}")


def read_proof(path: str) -> dict[str, Any]:
    """The JSON object in the file, with the keys of a proof, and no key twice anywhere."""

    def unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        if len(dict(pairs)) != len(pairs):
            raise Wrong("an object in it has the same key twice")
        return dict(pairs)

    with open(path, "rb") as handle:
        document = handle.read()
    try:
        found = json.loads(document.decode("utf-8"), object_pairs_hook=unique)
    except ValueError as error:
        raise Wrong(f"it is not JSON: {error}") from error
    keys(found, (*REPORT_KEYS, "dispositions", "report_sha256"), "the proof")
    if found["audit_seal"] is not None and not isinstance(found["audit_seal"], dict):
        raise Wrong("audit_seal is neither an object nor null")
    for name in ("revealed", "ranks", "slots", "dispositions"):
        items(found[name], name)
    canonical(found)
    return dict(found)


def canonical(value: Any) -> bytes:
    """RFC 8785, for text, integers, booleans, null, lists and objects with ASCII keys; nothing else."""
    if isinstance(value, dict):
        if not all(key.isascii() for key in value):
            raise Wrong("a key of an object is not ASCII")
        pairs = [canonical(key) + b":" + canonical(value[key]) for key in sorted(value)]
        return b"{" + b",".join(pairs) + b"}"
    if isinstance(value, list):
        return b"[" + b",".join([canonical(item) for item in value]) + b"]"
    if isinstance(value, (int, float)) and not isinstance(value, bool):
        integer(value, "a number in it", -LIMIT)
    return json.dumps(value, ensure_ascii=False).encode("utf-8")


def read_entries(path: str) -> Entries:
    """Read the rows in order, check form, order and sums, and hash them on the way."""
    edges, pids, digest, sha256 = array("Q", [0]), bytearray(), hashlib.sha256(), hashlib.sha256
    peaks: list[bytes] = []  # roots of the full subtrees of the Merkle tree, the largest first
    total, number, before = 0, 0, b""
    with open(path, "rb") as handle:
        for block in iter(lambda: handle.read(1 << 20), b""):
            if not block.endswith(b"\n"):
                block += handle.readline(100)  # the rest of a row
            digest.update(block)
            rows = ROW.findall(block)
            if sum(map(len, [part for row in rows for part in row])) + 3 * len(rows) != len(block):
                lines = enumerate(io.BytesIO(block), number + 1)
                number, line = next(pair for pair in lines if not ROW.fullmatch(pair[1]))
                raise Wrong(f"line {number} is not pid,first,count and one line feed: {line[:110]!a}")
            for pid, first, count in rows:
                number += 1
                if pid <= before:
                    raise Wrong(f"line {number}: its pid is not after the pid before it")
                if int(first) != total:
                    raise Wrong(f"line {number}: first is {int(first)}, and should be {total}")
                total += int(count)
                if total > LIMIT:
                    raise Wrong(f"line {number}: there are more than 2^53 - 1 tickets")
                before = pid
                edges.append(total)
                node = sha256(b"\x00" + pid + b"," + first + b"," + count).digest()
                carry = number
                while not carry & 1:
                    node = sha256(b"\x01" + peaks.pop() + node).digest()
                    carry >>= 1
                peaks.append(node)
            pids += bytes.fromhex(b"".join([row[0] for row in rows]).decode("ascii"))
    if not number:
        raise Wrong("it holds no entries, so there was nothing to draw")
    root = peaks.pop()
    while peaks:
        root = sha256(b"\x01" + peaks.pop() + root).digest()
    return Entries(edges, pids, digest.hexdigest(), root.hex())


def check_manifest(manifest: Any) -> None:
    keys(manifest, MANIFEST_KEYS, "the manifest")
    same(manifest["spec"], "vwd1", "spec")
    text(manifest["title"], "title")
    for name, form in (("draw_id", UUID), ("scope", UUID), ("rules_sha256", HEX64)):
        text(manifest[name], name, form)
    opens, closes, frozen, draw_at = [moment(manifest[name], name) for name in TIME_KEYS]
    if not opens <= closes <= frozen:
        raise Wrong("opens_at, closes_at and frozen_at are not in this order")
    if draw_at < frozen + integer(manifest["min_wait_s"], "min_wait_s"):
        raise Wrong("draw_at is sooner after frozen_at than min_wait_s")
    entries = keys(manifest["entries"], ENTRIES_KEYS, "entries")
    integer(entries["tickets"], "entries.tickets", integer(entries["count"], "entries.count", 1))
    text(entries["sha256"], "entries.sha256", HEX64)
    text(entries["merkle_root"], "entries.merkle_root", HEX64)
    ids = set()
    for place, prize in enumerate(items(manifest["prizes"], "prizes")):
        keys(prize, ("id", "quantity"), f"prizes[{place}]")
        ids.add(text(prize["id"], f"prizes[{place}].id", SOME))
        integer(prize["quantity"], f"prizes[{place}].quantity", 1)
    if not ids or len(ids) != len(manifest["prizes"]):
        raise Wrong("there is no prize, or two have the same id")
    integer(manifest["alternates"], "alternates", 0, 2**32 - slot_count(manifest))
    excludes = [text(other, "excludes", UUID) for other in items(manifest["excludes"], "excludes")]
    if len({manifest["draw_id"], *excludes}) != len(excludes) + 1:
        raise Wrong("excludes names a draw twice, or this draw itself")
    if not items(manifest["randomness"], "randomness"):
        raise Wrong("randomness names no source")
    for place, source in enumerate(manifest["randomness"]):
        check_source(source, f"randomness[{place}]", draw_at)


def check_source(source: Any, where: str, draw_at: int) -> None:
    kind = source.get("type") if isinstance(source, dict) else None
    if kind == "commit":
        text(keys(source, ("type", "sha256"), where)["sha256"], where + ".sha256", HEX64)
    elif kind == "public_text":
        text(keys(source, ("type", "label"), where)["label"], where + ".label", SOME)
    elif kind == "drand":
        keys(source, ("type", "chain_hash", "public_key", "round"), where)
        same(source["chain_hash"], CHAIN_HASH, where + ".chain_hash")
        same(source["public_key"], CHAIN_KEY, where + ".public_key")
        if draw_at < CHAIN_GENESIS:
            raise Wrong("draw_at is before the drand chain began")
        due = (draw_at - CHAIN_GENESIS + CHAIN_PERIOD - 1) // CHAIN_PERIOD + 1
        same(source["round"], due, f"{where}.round, by draw_at,")
    else:
        raise Wrong(f"{where} is no known kind of randomness")


def slot_count(manifest: Any) -> int:
    return sum(prize["quantity"] for prize in manifest["prizes"])


def ranks_due(manifest: Any) -> int:
    """How many ranks are drawn at execution: slots and alternates, or all entries if there are fewer."""
    return int(min(slot_count(manifest) + manifest["alternates"], manifest["entries"]["count"]))


def check_entries(found: Entries, wanted: Any) -> None:
    values = (len(found.edges) - 1, found.edges[-1], found.sha256, found.merkle_root)
    for name, value in zip(ENTRIES_KEYS, values):  # noqa: B905 (Python 3.9)
        same(value, wanted[name], f"{name}, by the manifest,")


def check_revealed(item: Any, source: Any, draw_id: str, told: str | None) -> bool:
    """Check one revealed value against its source; returns whether nothing is left to be authenticated."""
    if source["type"] == "drand":
        keys(item, ("type", "value", "round", "signature"), "the item")
        same(item["round"], source["round"], "the round")
        signature = text(item["signature"], "the signature", re.compile("[0-9a-f]{96}"))
        same(item["value"], hashlib.sha256(bytes.fromhex(signature)).hexdigest(), "the value")
        verdict = bls_verdict(source["round"], signature)
        if verdict is False:
            raise Wrong("the signature is not quicknet's of that round")
        return verdict is True
    value = text(keys(item, ("type", "value"), "the item")["value"], "the value", HEX64)
    if source["type"] == "commit":
        commitment = hashlib.sha256(f"vwd1/commit\n{draw_id}\n{value}".encode("ascii")).hexdigest()
        same(commitment, source["sha256"], "the commitment that the secret gives")
    elif told is not None:
        same(value, hashlib.sha256(told.encode("utf-8", "surrogateescape")).hexdigest(), "the value")
    return True


def bls_verdict(round_number: int, signature: str) -> bool | None:
    """True or False for a signature on G1 of BLS12-381; None if no library is here that can tell."""
    try:
        from py_ecc.bls import g2_primitives, hash_to_curve, point_compression
        from py_ecc.optimized_bls12_381 import optimized_curve
        from py_ecc.optimized_bls12_381.optimized_pairing import pairing
    except Exception:  # one that does not load is none
        return None
    unpack, sha256 = cast(Any, point_compression), cast(Any, hashlib.sha256)
    try:
        point = unpack.decompress_G1(int(signature, 16))
    except ValueError:
        return False
    if optimized_curve.is_inf(point) or not g2_primitives.subgroup_check(point):
        return False
    key = unpack.decompress_G2((int(CHAIN_KEY[:96], 16), int(CHAIN_KEY[96:], 16)))
    hashed = hash_to_curve.hash_to_G1(sha256(round_number.to_bytes(8, "big")).digest(), DOMAIN, sha256)
    return bool(pairing(optimized_curve.G2, point) == pairing(key, hashed))


def draw(seed: bytes, edges: array[int], how_many: int) -> Iterator[tuple[int, int, int, int]]:
    """Yield (entry, ticket, remaining, attempts) of each rank."""
    size, remaining = len(edges) - 1, edges[-1]
    tree = array("Q", [0])  # a Fenwick tree of the tickets left: finds the x-th of them without a scan
    tree.extend(edges[node] - edges[node & (node - 1)] for node in range(1, size + 1))
    for rank in range(how_many):
        bits = (remaining - 1).bit_length()
        attempts, x = 0, remaining
        while x >= remaining:
            message = b"vwd1/draw\x00" + rank.to_bytes(4, "big") + attempts.to_bytes(4, "big")
            x = int.from_bytes(hmac.new(seed, message, "sha256").digest()[:8], "big") >> (64 - bits)
            attempts += 1
        entry, step = 0, 1 << (size.bit_length() - 1)
        while step:
            if entry + step <= size and tree[entry + step] <= x:
                entry += step
                x -= tree[entry]
            step >>= 1
        yield entry, edges[entry] + x, remaining, attempts
        count = edges[entry + 1] - edges[entry]
        remaining -= count
        node = entry + 1
        while node <= size:
            tree[node] -= count
            node += node & -node


def check_ranks(ranks: Any, seed: bytes, entries: Entries, how_many: int) -> None:
    same(len(ranks), how_many, "the number of ranks")
    names = ("rank", "pid", "ticket", "remaining", "attempts")
    for rank, (entry, *numbers) in enumerate(draw(seed, entries.edges, how_many)):
        row = keys(ranks[rank], names, f"rank {rank}")
        pid = entries.pids[32 * entry : 32 * entry + 32].hex()
        for name, value in zip(names, (rank, pid, *numbers)):  # noqa: B905 (Python 3.9)
            same(row[name], value, f"rank {rank}: {name}")


def check_form_of_dispositions(proof: Any) -> int:
    """Returns how many ranks there must be by now."""
    how_many, entry_count = ranks_due(proof["manifest"]), proof["manifest"]["entries"]["count"]
    before = moment(proof["manifest"]["frozen_at"], "frozen_at")
    for place, item in enumerate(proof["dispositions"]):
        where = f"dispositions[{place}]"
        rank = integer(keys(item, ("rank", "state", "reason", "at"), where)["rank"], where + ".rank")
        bare = text(item["state"], where + ".state", STATES) in ("declined", "forfeited")
        text(
            item["reason"], f"{where}: the reason why rank {rank} is {item['state']}", None if bare else SOME
        )
        now = moment(item["at"], where + ".at")
        if now < before:
            raise Wrong(f"{where}.at is before the disposition above it, or before the freeze")
        before = now
        if item["state"] == "extended":
            how_many = integer(rank, f"{where}.rank, an extension,", how_many + 1, entry_count)
    return how_many


def check_slots(proof: Any) -> set[int]:
    """Check the slots as they were at execution; returns the ranks that were skipped then."""
    manifest, slots = proof["manifest"], proof["slots"]
    same(len(slots), slot_count(manifest), "the number of slots")
    for place, row in enumerate(slots):
        if keys(row, ("slot", "prize", "rank", "pid"), f"slot {place}")["rank"] is not None:
            integer(row["rank"], f"slot {place}: rank")
    holding, skipped = {row["rank"] for row in slots}, set()
    for item in proof["dispositions"]:  # which begin with the ranks that were skipped at execution
        if item["state"] not in ("excluded", "disqualified") or item["rank"] in holding:
            break
        skipped.add(item["rank"])
    prizes = (prize["id"] for prize in manifest["prizes"] for _ in range(prize["quantity"]))
    usable = (rank for rank in range(ranks_due(manifest)) if rank not in skipped)
    for place, (row, prize) in enumerate(zip(slots, prizes)):  # noqa: B905 (Python 3.9)
        same(row["slot"], place, f"slot {place}: its number")
        same(row["prize"], prize, f"slot {place}: prize")
        rank = next(usable, None)
        if rank is not None and row["rank"] != rank:
            raise Wrong(f"slot {place} must go to rank {rank}, which nothing recorded excludes")
        same(row["rank"], rank, f"slot {place}: rank")
        same(row["pid"], None if rank is None else proof["ranks"][rank]["pid"], f"slot {place}: pid")
    return skipped


def check_dispositions(proof: Any, skipped: set[int]) -> None:
    """Replay what happened since: every vacancy goes, in its turn, to the next unused rank."""
    slots, excludes = proof["slots"], proof["manifest"]["excludes"]
    holds = {row["rank"]: row["slot"] for row in slots if row["rank"] is not None}
    vacant = deque(row["slot"] for row in slots if row["rank"] is None)
    used, said, drawn, following = {*holds, *skipped}, set(), ranks_due(proof["manifest"]), 0
    for place, item in enumerate(proof["dispositions"]):
        rank, state, where = item["rank"], item["state"], f"dispositions[{place}]: rank {item['rank']}"
        while following in used:
            following += 1
        if state == "extended":
            drawn = rank
        elif rank >= drawn:
            raise Wrong(f"{where} was not drawn")
        elif state == "promoted":
            if not vacant or item["reason"] != f"slot {vacant[0]}":
                raise Wrong(f"{where}: {ascii(item['reason'])[:40]} is not the slot next to be filled")
            same(rank, following, f"{where}: the rank next in turn")
            holds[rank] = vacant.popleft()
            used.add(rank)
        elif state == "excluded" and (rank in holds or not any(one in item["reason"] for one in excludes)):
            raise Wrong(f"{where} is excluded, but holds a slot or names no draw of the manifest's excludes")
        elif rank in holds:
            vacant.append(holds.pop(rank))
            said.add(rank)
        elif state in ("declined", "forfeited") or rank in said:
            raise Wrong(f"{where} is {state}, but holds no slot")
        else:
            used.add(rank)
            said.add(rank)
    while following in used:
        following += 1
    if vacant and following < drawn:
        raise Wrong(f"slot {vacant[0]} is vacant, and rank {following} was not promoted to it")


class Run:
    """Prints each check as it is made, and remembers what did not hold."""

    def __init__(self, options: argparse.Namespace) -> None:
        self.options, self.wrong, self.authenticated = options, 0, True
        self.remarks: list[str] = []

    def check(self, name: str, function: Callable[..., Any], *arguments: Any) -> Any:
        """The check's value (True if it has none) if it holds, None if it does not."""
        try:
            value = function(*arguments)
        except (Wrong, RecursionError, UnicodeEncodeError) as error:  # or half a surrogate pair in a text
            self.wrong += 1
            print(f"WRONG  {name}: {error}")
            return None
        print(f"ok     {name}")
        return True if value is None else value

    def all_checks(self) -> None:
        """Everything that can be checked; what hangs on a check that failed is left out."""
        entries = self.check("entries file: form, order and sums", read_entries, self.options.entries)
        proof = self.check("proof: JSON and its keys", read_proof, self.options.proof)
        if not (proof and self.check("manifest: types and times", check_manifest, proof["manifest"])):
            return
        manifest = proof["manifest"]
        digest = hashlib.sha256(canonical(manifest)).hexdigest()
        self.check("manifest: its SHA-256 (M)", same, proof["manifest_sha256"], digest, "M")
        if self.options.manifest_sha256 is not None:
            self.check("manifest: M of the notice", same, digest, self.options.manifest_sha256.lower(), "M")
        if entries:
            self.check("entries file: SHA-256, root, counts", check_entries, entries, manifest["entries"])
        report = {name: proof[name] for name in REPORT_KEYS}
        report["ranks"] = proof["ranks"][: ranks_due(manifest)]  # an extension stands behind the report's own
        fixed = hashlib.sha256(canonical(report)).hexdigest()
        self.check("report: its SHA-256", same, proof["report_sha256"], fixed, "report_sha256")
        seed = self.seed(proof, digest)
        how_many = self.check("dispositions: form and order", check_form_of_dispositions, proof)
        if not (entries and seed and how_many and len(entries.edges) - 1 == manifest["entries"]["count"]):
            return
        if self.check(f"ranks: {how_many} of them", check_ranks, proof["ranks"], seed, entries, how_many):
            skipped = self.check("slots: at execution", check_slots, proof)
            if skipped is not None:
                self.check("slots: dispositions since", check_dispositions, proof, skipped)
        self.remarks.insert(0, f"draw {manifest['draw_id']}, {how_many} ranks, M {digest}")

    def seed(self, proof: Any, digest: str) -> bytes | None:
        """S, if each declared source was revealed as it was declared, and no other."""
        manifest, told, failed, lines = proof["manifest"], list(self.options.public_text), self.wrong, ""
        found = [item.get("type") if isinstance(item, dict) else None for item in proof["revealed"]]
        kinds = [source["type"] for source in manifest["randomness"]]
        if not self.check("randomness: the sources, in order", same, found, kinds, "the list"):
            return None
        for item, source in zip(proof["revealed"], manifest["randomness"]):  # noqa: B905 (Python 3.9)
            said = told.pop(0) if told and source["type"] == "public_text" else None
            name = f"randomness: {source['type']}"
            if self.check(name, check_revealed, item, source, manifest["draw_id"], said) is False:
                self.authenticated = False
                print("       NOT AUTHENTICATED: without a BLS library the signature proves nothing")
            if source["type"] == "public_text" and said is None:
                self.remarks.append(f"compare {ascii(source['label'])[:80]} yourself (--public-text)")
            lines += f"{source['type']}:{item.get('value')}\n"
        if self.wrong > failed:
            return None
        seed = hashlib.sha256(f"vwd1/seed\n{digest}\n{lines}".encode("ascii")).digest()
        return seed if self.check("seed (S)", same, proof["seed"], seed.hex(), "S") else None


def main(arguments: list[str] | None = None) -> int:
    """Make all checks and return the exit status."""
    sys.stdout.reconfigure(errors="backslashreplace")  # type: ignore[union-attr]
    parser = argparse.ArgumentParser(usage=__doc__)
    parser.add_argument("proof")
    parser.add_argument("entries")
    parser.add_argument("--manifest-sha256", help=argparse.SUPPRESS)
    parser.add_argument("--public-text", action="append", default=[], help=argparse.SUPPRESS)
    run = Run(parser.parse_args(arguments))
    try:
        run.all_checks()
    except OSError as error:
        status, verdict = 2, f"NOT VERIFIED: a file could not be read: {error}"
    except Exception as error:  # what breaks the check is no proof
        status, verdict = 1, f"NOT VERIFIED: the check broke off: {ascii(error)[:200]}"
    else:
        remarks = "; ".join(run.remarks)
        status, verdict = 0, f"VERIFIED: {remarks}"
        if not run.authenticated:
            status, verdict = 3, f"NOT AUTHENTICATED: drand was not checked, all else holds: {remarks}"
        if run.wrong:
            status, verdict = 1, f"NOT VERIFIED: checks that do not hold: {run.wrong}"
    print(verdict)
    return status


if __name__ == "__main__":
    try:
        sys.exit(main())
    except BrokenPipeError:  # whoever read our lines went away
        sys.exit(1)
