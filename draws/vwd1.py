"""The words of `vwd1`: public ids, commitments, manifests and seeds, byte for byte.

Owns everything that is hashed before a draw can be made, but for the entries file (`draws.entries_file`).
Pure functions: no Django, no clock, no network. The manifest is the promise a draw makes when it is frozen;
what it may hold is checked by `validate_manifest`, and nothing else is ever hashed as one.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime
from hashlib import sha256
from itertools import pairwise
from typing import Any
from uuid import UUID

from audit.canonical import CanonicalError, canonical_json
from draws.drand import QUICKNET
from draws.entries_file import EntriesSummary
from draws.selection import MAX_TICKETS

__all__ = [
    "MAX_RANKS",
    "MAX_TICKETS",
    "SPEC",
    "IdentityError",
    "ManifestError",
    "build_manifest",
    "commit_source",
    "commitment",
    "drand_source",
    "format_time",
    "manifest_sha256",
    "normalise_identity",
    "parse_time",
    "public_id",
    "public_text_source",
    "public_text_value",
    "seed",
    "validate_manifest",
]

SPEC = "vwd1"
MAX_RANKS = 2**32
"""Ranks are hashed as 32-bit numbers."""
SALT_BYTES = 32
MAX_EMAIL_CHARACTERS = 254  # RFC 5321 §4.5.3.1.3, as corrected

_HEX_32_BYTES = re.compile(r"[0-9a-f]{64}")
_TIME = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}T(?:[01][0-9]|2[0-3]):[0-5][0-9]:[0-5][0-9]Z")
_E164 = re.compile(r"\+[1-9][0-9]{6,14}")
_PHONE_PUNCTUATION = str.maketrans("", "", " -.()\u00a0\u2011")
_MANIFEST_KEYS = frozenset(
    (
        *(
            "spec",
            "draw_id",
            "scope",
            "title",
            "rules_sha256",
            "opens_at",
            "closes_at",
            "frozen_at",
            "draw_at",
        ),
        *("entries", "prizes", "alternates", "excludes", "min_wait_s", "randomness"),
    )
)
_SOURCE_KEYS = {
    "commit": frozenset({"type", "sha256"}),
    "drand": frozenset({"type", "chain_hash", "public_key", "round"}),
    "public_text": frozenset({"type", "label"}),
}


class IdentityError(ValueError):
    """The text names no person to enter. The message is a sentence the person who typed it can act on."""


class ManifestError(ValueError):
    """The manifest breaks a rule of `vwd1`. The message names the field."""


# ── People ────────────────────────────────────────────────────────────────────────────────────────────────


def normalise_identity(raw: str) -> str:
    """The one spelling of an e-mail address or phone number that a draw knows a person by.

    A phone number begins with +, loses its spaces, dots, dashes and brackets, and must then be E.164.
    Anything else is an e-mail address: trimmed, NFC, lower-case, and nothing folded (`a.b@…` is not `ab@…`,
    a `+tag` stays). Raises `IdentityError`.
    """
    text = unicodedata.normalize("NFC", raw.strip())
    if not text:
        raise IdentityError("Give an e-mail address, or a phone number that begins with +.")
    if text.startswith("+") and "@" not in text:
        number = text.translate(_PHONE_PUNCTUATION)
        if not _E164.fullmatch(number):
            raise IdentityError(
                f"{raw.strip()!r} is not a complete phone number: write + and the country code, "
                "then the number, 7 to 15 digits in all."
            )
        return number
    address = text.lower()
    if any(unicodedata.category(character)[0] in "CZ" for character in address):
        raise IdentityError(f"{raw.strip()!r} has a space or an invisible character in it: take that out.")
    local, at, domain = address.rpartition("@")
    if not (local and at and domain) or "@" in local:
        raise IdentityError(f"{raw.strip()!r} is not an e-mail address: it needs a name, one @ and a domain.")
    if "" in domain.split(".") or "." not in domain:
        raise IdentityError(
            f"{raw.strip()!r} is not an e-mail address: {domain!r} is not a whole domain name."
        )
    if len(address) > MAX_EMAIL_CHARACTERS:
        raise IdentityError(f"An e-mail address has at most {MAX_EMAIL_CHARACTERS} characters.")
    return address


def public_id(*, scope: UUID | str, salt: bytes, identity: str) -> bytes:
    """The pid, 32 bytes: what is published in place of a person.

    `scope` is the UUID of the draw or of its series, `salt` the 32 random bytes of this person in this scope,
    `identity` what `normalise_identity` returned. Raises `ValueError` for another salt length or scope.
    """
    if len(salt) != SALT_BYTES:
        raise ValueError(f"a salt has {SALT_BYTES} bytes, not {len(salt)}")
    return sha256(
        b"vwd1/pid\0" + _uuid_text(scope).encode("ascii") + b"\0" + salt + identity.encode("utf-8")
    ).digest()


# ── Randomness ────────────────────────────────────────────────────────────────────────────────────────────


def commitment(*, draw_id: UUID | str, secret_hex: str) -> str:
    """C in hex: what is published before entries open, and binds the operator to `secret_hex` (32 bytes)."""
    _require_digest(secret_hex, "the secret")
    return sha256(f"vwd1/commit\n{_uuid_text(draw_id)}\n{secret_hex}".encode("ascii")).hexdigest()


def public_text_value(text: str) -> str:
    """What an announced text contributes to the seed: hex(SHA256(UTF-8 text)). Not trimmed, not changed."""
    return sha256(text.encode("utf-8")).hexdigest()


def commit_source(*, draw_id: UUID | str, secret_hex: str) -> dict[str, Any]:
    """The manifest's item for a secret the operator committed to."""
    return {"type": "commit", "sha256": commitment(draw_id=draw_id, secret_hex=secret_hex)}


def drand_source(*, draw_at: datetime) -> dict[str, Any]:
    """The manifest's item for the quicknet round of a draw at `draw_at`."""
    return {
        "type": "drand",
        "chain_hash": QUICKNET.chain_hash,
        "public_key": QUICKNET.public_key,
        "round": QUICKNET.round_at(int(draw_at.timestamp())),
    }


def public_text_source(*, label: str) -> dict[str, Any]:
    """The manifest's item for a text announced in advance; `label` says which, so that anyone can find it."""
    return {"type": "public_text", "label": label}


def seed(*, manifest_sha256: str, values: Iterable[tuple[str, str]]) -> bytes:
    """S, 32 bytes, from M in hex and `(type, value_hex)` of every source in the manifest's order."""
    _require_digest(manifest_sha256, "manifest_sha256")
    lines = []
    for source_type, value_hex in values:
        if source_type not in _SOURCE_KEYS:
            raise ValueError(f"{source_type!r} is not a kind of randomness")
        _require_digest(value_hex, f"the value of {source_type}")
        lines.append(f"{source_type}:{value_hex}\n")
    return sha256(f"vwd1/seed\n{manifest_sha256}\n{''.join(lines)}".encode("ascii")).digest()


# ── Manifest ──────────────────────────────────────────────────────────────────────────────────────────────


def build_manifest(
    *,
    draw_id: UUID | str,
    scope: UUID | str,
    title: str,
    rules_sha256: str,
    opens_at: datetime,
    closes_at: datetime,
    frozen_at: datetime,
    draw_at: datetime,
    entries: EntriesSummary,
    prizes: Sequence[tuple[str, int]],
    alternates: int,
    excludes: Sequence[UUID | str],
    min_wait_s: int,
    randomness: Sequence[Mapping[str, Any]],
) -> dict[str, Any]:
    """The manifest as a JSON object, validated.

    Times are aware; parts of a second are cut off. `prizes` are (id, quantity) in the order in which ranks
    are given to them. Raises `ManifestError`.
    """
    manifest = {
        "spec": SPEC,
        "draw_id": _uuid_text(draw_id),
        "scope": _uuid_text(scope),
        "title": title,
        "rules_sha256": rules_sha256,
        "opens_at": format_time(opens_at),
        "closes_at": format_time(closes_at),
        "frozen_at": format_time(frozen_at),
        "draw_at": format_time(draw_at),
        "entries": {
            "count": entries.count,
            "tickets": entries.tickets,
            "sha256": entries.sha256,
            "merkle_root": entries.merkle_root,
        },
        "prizes": [{"id": prize, "quantity": quantity} for prize, quantity in prizes],
        "alternates": alternates,
        "excludes": [_uuid_text(other) for other in excludes],
        "min_wait_s": min_wait_s,
        "randomness": [dict(source) for source in randomness],
    }
    validate_manifest(manifest)
    return manifest


def manifest_sha256(manifest: Mapping[str, Any]) -> str:
    """M in hex. Raises `ManifestError` for anything that is not a valid manifest."""
    validate_manifest(manifest)
    return sha256(canonical_json(manifest)).hexdigest()


def validate_manifest(value: object) -> None:
    """Raise `ManifestError` unless `value` keeps every rule of a manifest: keys, types, ranges, times."""
    manifest = _require_keys(value, _MANIFEST_KEYS, "the manifest")
    if manifest["spec"] != SPEC:
        raise ManifestError(f"spec must be {SPEC!r}")
    for field in ("draw_id", "scope"):
        _require_uuid(manifest[field], field)
    if not isinstance(manifest["title"], str):
        raise ManifestError("title must be text")
    _require_digest(manifest["rules_sha256"], "rules_sha256")
    _require_times(manifest)
    _require_entries(manifest["entries"])
    _require_prizes(manifest["prizes"], manifest["alternates"])
    _require_excludes(manifest["excludes"], manifest["draw_id"])
    _require_randomness(manifest["randomness"], parse_time(manifest["draw_at"]))
    try:
        canonical_json(manifest)
    except CanonicalError as error:
        raise ManifestError(str(error)) from error


def format_time(moment: datetime) -> str:
    """An aware datetime as RFC 3339 UTC with whole seconds; parts of a second are cut off."""
    if moment.tzinfo is None:
        raise ManifestError(f"{moment!r} has no time zone")
    return moment.astimezone(UTC).replace(microsecond=0, tzinfo=None).isoformat() + "Z"


def parse_time(text: object) -> int:
    """Unix seconds of an RFC 3339 UTC time with whole seconds, exactly `YYYY-MM-DDTHH:MM:SSZ`."""
    if not isinstance(text, str) or not _TIME.fullmatch(text):
        raise ManifestError(f"{text!r} is not a time of the form YYYY-MM-DDTHH:MM:SSZ")
    try:
        return int(datetime.fromisoformat(text).timestamp())
    except ValueError as error:
        raise ManifestError(f"{text!r} is not a real time") from error


def _require_times(manifest: Mapping[str, Any]) -> None:
    order = ("opens_at", "closes_at", "frozen_at")
    times = {field: parse_time(manifest[field]) for field in (*order, "draw_at")}
    for earlier, later in pairwise(order):
        if times[earlier] > times[later]:
            raise ManifestError(f"{earlier} is after {later}")
    wait = _require_integer(manifest["min_wait_s"], "min_wait_s", least=0)
    if times["draw_at"] < times["frozen_at"] + wait:
        raise ManifestError(f"draw_at is less than {wait} seconds after frozen_at")


def _require_entries(value: object) -> None:
    entries = _require_keys(value, frozenset({"count", "tickets", "sha256", "merkle_root"}), "entries")
    count = _require_integer(entries["count"], "entries.count", least=1)
    _require_integer(entries["tickets"], "entries.tickets", least=count, most=MAX_TICKETS)
    _require_digest(entries["sha256"], "entries.sha256")
    _require_digest(entries["merkle_root"], "entries.merkle_root")


def _require_prizes(prizes: object, alternates: object) -> None:
    if not isinstance(prizes, list) or not prizes:
        raise ManifestError("prizes must be a list with at least one prize")
    slots = 0
    seen: set[str] = set()
    for prize in prizes:
        _require_keys(prize, frozenset({"id", "quantity"}), "a prize")
        if not isinstance(prize["id"], str) or not prize["id"] or prize["id"] in seen:
            raise ManifestError("a prize's id must be text, not empty, and no other prize's")
        seen.add(prize["id"])
        slots += _require_integer(prize["quantity"], "a prize's quantity", least=1)
    _require_integer(alternates, "alternates", least=0, most=MAX_RANKS - slots)


def _require_excludes(excludes: object, draw_id: str) -> None:
    if not isinstance(excludes, list):
        raise ManifestError("excludes must be a list of draw ids")
    for other in excludes:
        _require_uuid(other, "a draw id in excludes")
    if len(set(excludes)) != len(excludes) or draw_id in excludes:
        raise ManifestError("excludes names a draw twice, or the draw itself")


def _require_randomness(randomness: object, draw_at: int) -> None:
    if not isinstance(randomness, list) or not randomness:
        raise ManifestError("randomness must be a list with at least one source")
    for source in randomness:
        source_type = source.get("type") if isinstance(source, Mapping) else None
        if not isinstance(source_type, str) or source_type not in _SOURCE_KEYS:
            raise ManifestError(f"{source_type!r} is not a kind of randomness")
        _require_keys(source, _SOURCE_KEYS[source_type], f"the source {source_type}")
        if source_type == "commit":
            _require_digest(source["sha256"], "the commitment")
        elif source_type == "public_text":
            if not isinstance(source["label"], str) or not source["label"]:
                raise ManifestError("a public text needs a label that says which text it is")
        else:
            _require_quicknet(source, draw_at)


def _require_quicknet(source: Mapping[str, Any], draw_at: int) -> None:
    if source["chain_hash"] != QUICKNET.chain_hash or source["public_key"] != QUICKNET.public_key:
        raise ManifestError("drand is not the quicknet chain with its public key")
    number = _require_integer(source["round"], "the drand round", least=1)
    if draw_at < QUICKNET.genesis or number != QUICKNET.round_at(draw_at):
        raise ManifestError(f"drand round {number} is not the round of draw_at")


def _require_keys(value: object, keys: frozenset[str], name: str) -> Mapping[str, Any]:
    if not isinstance(value, Mapping):
        raise ManifestError(f"{name} must be an object")
    if set(value) != keys:
        odd = ", ".join(sorted(map(str, set(value) ^ keys)))
        raise ManifestError(f"{name} must have exactly its own keys; missing or unknown: {odd}")
    return value


def _require_integer(value: object, name: str, *, least: int, most: int = MAX_TICKETS) -> int:
    # bool is a kind of int in Python, and `true` is none in JSON.
    if not isinstance(value, int) or isinstance(value, bool) or not least <= value <= most:
        raise ManifestError(f"{name} must be an integer from {least} to {most}")
    return value


def _require_digest(value: object, name: str) -> None:
    if not isinstance(value, str) or not _HEX_32_BYTES.fullmatch(value):
        raise ManifestError(f"{name} must be 64 lower-case hex digits")


def _require_uuid(value: object, name: str) -> None:
    try:
        good = isinstance(value, str) and str(UUID(value)) == value
    except ValueError:
        good = False
    if not good:
        raise ManifestError(f"{name} must be a UUID in lower case with dashes")


def _uuid_text(value: UUID | str) -> str:
    text = str(value)
    _require_uuid(text, "a draw id or scope")
    return text
