"""Public ids, commitments, manifests and seeds of `vwd1`."""

import copy
from datetime import UTC, datetime, timedelta, timezone
from hashlib import sha256
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from audit.canonical import canonical_json
from draws import vwd1
from draws.drand import QUICKNET
from draws.entries_file import EntriesSummary
from draws.vwd1 import IdentityError, ManifestError
from tests.draws.vwd1_values import (
    MANIFEST,
    MANIFEST_CANONICAL,
    MANIFEST_SHA256,
    PEOPLE,
    RANKS,
    SECRET,
    SEED,
)

SCOPE = MANIFEST["scope"]


def changed(path, value):
    """The known manifest with one value changed; `path` is keys and positions, `...` removes the key."""
    manifest = copy.deepcopy(MANIFEST)
    place = manifest
    for step in path[:-1]:
        place = place[step]
    if value is ...:
        del place[path[-1]]
    else:
        place[path[-1]] = value
    return manifest


# People


@pytest.mark.parametrize(
    ("raw", "identity"),
    [
        ("alice@example.com", "alice@example.com"),
        ("  Alice@Example.COM\n", "alice@example.com"),
        ("a.l.i.c.e+tag@example.com", "a.l.i.c.e+tag@example.com"),
        ("JOSE\u0301@example.com", "jos\u00e9@example.com"),
        ("STRASSE@EXAMPLE.COM", "strasse@example.com"),
        ("stra\u00dfe@example.com", "stra\u00dfe@example.com"),
        ("+tag@example.com", "+tag@example.com"),
        ("+254712345678", "+254712345678"),
        (" +254 712-345.678 ", "+254712345678"),
        ("+1 (416) 555-0100", "+14165550100"),
    ],
)
def test_a_person_has_one_spelling(raw, identity):
    assert vwd1.normalise_identity(raw) == identity


@pytest.mark.parametrize(
    ("raw", "sentence"),
    [
        ("", "Give an e-mail address, or a phone number"),
        ("   ", "Give an e-mail address, or a phone number"),
        ("alice", "needs a name, one @ and a domain"),
        ("@example.com", "needs a name, one @ and a domain"),
        ("alice@", "needs a name, one @ and a domain"),
        ("alice@bob@example.com", "needs a name, one @ and a domain"),
        ("alice@localhost", "not a whole domain name"),
        ("alice@example..com", "not a whole domain name"),
        ("alice@example.com.", "not a whole domain name"),
        ("ali ce@example.com", "a space or an invisible character"),
        ("ali\u200bce@example.com", "a space or an invisible character"),
        ("ali\x00ce@example.com", "a space or an invisible character"),
        ("a" * 250 + "@example.com", "at most 254 characters"),
        ("+254", "7 to 15 digits"),
        ("+0712345678", "7 to 15 digits"),
        ("+2547123456781234", "7 to 15 digits"),
        ("+254 712 34x 678", "7 to 15 digits"),
        ("+\u0661\u0662\u0663\u0664\u0665\u0666\u0667\u0668", "7 to 15 digits"),
        ("0712345678", "needs a name, one @ and a domain"),
    ],
)
def test_it_says_what_to_mend_in_what_names_nobody(raw, sentence):
    with pytest.raises(IdentityError, match=sentence):
        vwd1.normalise_identity(raw)


@given(st.text())
def test_any_text_is_a_person_or_a_sentence(raw):
    try:
        identity = vwd1.normalise_identity(raw)
    except IdentityError as error:
        identity, sentence = None, str(error)
    assert identity == identity.strip() if identity else sentence.endswith(".")


@given(st.emails())
def test_an_ordinary_address_does_not_change_when_normalised_again(raw):
    identity = vwd1.normalise_identity(raw)
    assert vwd1.normalise_identity(identity) == identity == raw.lower()


def test_the_known_pids_come_out():
    found = {
        email: vwd1.public_id(
            scope=SCOPE, salt=bytes.fromhex(salt), identity=vwd1.normalise_identity(email)
        ).hex()
        for email, salt, _ in PEOPLE
    }
    assert found == {email: pid for email, pid, *_ in RANKS}


def test_a_pid_depends_on_scope_salt_and_identity():
    one = {"scope": SCOPE, "salt": bytes(32), "identity": "alice@example.com"}
    others = [{"scope": str(UUID(int=1))}, {"salt": b"\x01" + bytes(31)}, {"identity": "bob@example.com"}]
    pids = {vwd1.public_id(**{**one, **other}) for other in [{}, *others]}
    assert len(pids) == 4
    assert vwd1.public_id(**{**one, "scope": UUID(SCOPE)}) == vwd1.public_id(**one)


@pytest.mark.parametrize(
    ("scope", "salt"), [(SCOPE, bytes(31)), (SCOPE.replace("-", ""), bytes(32)), ("x", bytes(32))]
)
def test_it_refuses_another_salt_length_or_scope(scope, salt):
    with pytest.raises(ValueError):
        vwd1.public_id(scope=scope, salt=salt, identity="alice@example.com")


# Randomness


def test_the_known_commitment_and_seed_come_out():
    source = vwd1.commit_source(draw_id=MANIFEST["draw_id"], secret_hex=SECRET)
    assert source == MANIFEST["randomness"][0]
    assert vwd1.seed(manifest_sha256=MANIFEST_SHA256, values=[("commit", SECRET)]).hex() == SEED


def test_the_order_of_sources_is_part_of_the_seed():
    values = [("commit", "aa" * 32), ("public_text", "bb" * 32)]
    seeds = {vwd1.seed(manifest_sha256=MANIFEST_SHA256, values=order) for order in (values, values[::-1])}
    assert len(seeds) == 2
    by_hand = f"vwd1/seed\n{MANIFEST_SHA256}\ncommit:{'aa' * 32}\npublic_text:{'bb' * 32}\n"
    assert sha256(by_hand.encode()).digest() in seeds


@pytest.mark.parametrize(
    ("digest", "values"),
    [
        (MANIFEST_SHA256.upper(), [("commit", SECRET)]),
        (MANIFEST_SHA256, [("commit", SECRET[:-1])]),
        (MANIFEST_SHA256, [("commit", SECRET[:-1] + "\n")]),
        (MANIFEST_SHA256, [("dice", SECRET)]),
    ],
)
def test_it_makes_no_seed_of_malformed_values(digest, values):
    with pytest.raises(ValueError):
        vwd1.seed(manifest_sha256=digest, values=values)


def test_a_public_text_is_taken_as_it_is():
    assert vwd1.public_text_value("12 24 31") == sha256(b"12 24 31").hexdigest()
    assert vwd1.public_text_value("12 24 31 ") != vwd1.public_text_value("12 24 31")
    assert vwd1.public_text_value("Größe") == sha256("Größe".encode()).hexdigest()


@pytest.mark.parametrize("secret", ["", "AA" * 32, "aa" * 31, 7])
def test_it_commits_to_no_malformed_secret(secret):
    with pytest.raises(ManifestError, match="64 lower-case hex digits"):
        vwd1.commitment(draw_id=MANIFEST["draw_id"], secret_hex=secret)


# Manifest


def build(**changes):
    """The known manifest, built from its parts."""
    at = datetime(2026, 11, 30, 20, 0, 0, tzinfo=UTC)
    parts = {
        "draw_id": UUID(MANIFEST["draw_id"]),
        "scope": MANIFEST["scope"],
        "title": MANIFEST["title"],
        "rules_sha256": MANIFEST["rules_sha256"],
        "opens_at": datetime(2026, 11, 1, tzinfo=UTC),
        "closes_at": at,
        "frozen_at": at + timedelta(seconds=5, microseconds=999_999),
        "draw_at": datetime(2026, 12, 1, 0, 0, 0, tzinfo=timezone(timedelta(hours=3))),
        "entries": EntriesSummary(**MANIFEST["entries"]),
        "prizes": [("p1", 1), ("p2", 1)],
        "alternates": 2,
        "excludes": [],
        "min_wait_s": 600,
        "randomness": MANIFEST["randomness"],
    }
    return vwd1.build_manifest(**{**parts, **changes})


def test_the_known_manifest_comes_out_with_its_hash():
    manifest = build()
    assert manifest == MANIFEST
    assert canonical_json(manifest).decode() == MANIFEST_CANONICAL
    assert vwd1.manifest_sha256(manifest) == MANIFEST_SHA256


def test_every_source_builds_a_manifest_that_is_valid():
    draw_at = datetime(2026, 11, 30, 21, tzinfo=UTC)
    sources = [
        *MANIFEST["randomness"],
        vwd1.drand_source(draw_at=draw_at),
        vwd1.public_text_source(label="National lottery of 30 November 2026"),
    ]
    manifest = build(randomness=sources)
    assert QUICKNET.time_of(manifest["randomness"][1]["round"]) in range(
        int(draw_at.timestamp()), int(draw_at.timestamp()) + 3
    )


def test_it_builds_none_that_is_not_valid():
    with pytest.raises(ManifestError, match="less than 3601 seconds"):
        build(min_wait_s=3601)
    with pytest.raises(ManifestError, match="no time zone"):
        build(opens_at=datetime(2026, 11, 1))
    with pytest.raises(ManifestError, match=r"entries\.count"):
        build(entries=EntriesSummary(0, 0, "aa" * 32, "bb" * 32))


COMMIT = MANIFEST["randomness"][0]
DRAND = vwd1.drand_source(draw_at=datetime(2026, 11, 30, 21, tzinfo=UTC))
BROKEN_MANIFESTS = {
    "another spec": (["spec"], "vwd2"),
    "a draw id in upper case": (["draw_id"], "AAAAAAAA-2222-4333-8444-555555555555"),
    "a draw id without dashes": (["draw_id"], "11111111222243338444555555555555"),
    "a draw id in braces": (["draw_id"], "{11111111-2222-4333-8444-555555555555}"),
    "a scope that is a number": (["scope"], 7),
    "a title that is a number": (["title"], 7),
    "a title with half a surrogate pair": (["title"], "\ud83d"),
    "rules hashed in upper case": (["rules_sha256"], MANIFEST["rules_sha256"].upper()),
    "rules hashed with a line feed": (["rules_sha256"], MANIFEST["rules_sha256"] + "\n"),
    "a missing key": (["rules_sha256"], ...),
    "an unknown key": (["note"], "x"),
    "opening after closing": (["opens_at"], "2026-11-30T20:00:01Z"),
    "closing after the freeze": (["closes_at"], "2026-11-30T20:00:06Z"),
    "a draw too soon after the freeze": (["draw_at"], "2026-11-30T20:10:04Z"),
    "a time with an offset": (["opens_at"], "2026-11-01T00:00:00+00:00"),
    "a time with parts of a second": (["opens_at"], "2026-11-01T00:00:00.5Z"),
    "a time that does not exist": (["opens_at"], "2026-02-30T00:00:00Z"),
    "an hour 24": (["opens_at"], "2026-10-30T24:00:00Z"),
    "a leap second": (["opens_at"], "2026-10-30T23:59:60Z"),
    "a time in other digits": (["opens_at"], "٢٠٢٦-11-01T00:00:00Z"),
    "a time that is a number": (["opens_at"], 1793491200),
    "a wait below zero": (["min_wait_s"], -1),
    "a wait that is true": (["min_wait_s"], True),
    "a wait that is a float": (["min_wait_s"], 600.0),
    "a wait that is text": (["min_wait_s"], "600"),
    "no entries": (["entries", "count"], 0),
    "a count that is true": (["entries", "count"], True),
    "fewer tickets than entries": (["entries", "tickets"], 3),
    "too many tickets": (["entries", "tickets"], 2**53),
    "a short hash": (["entries", "sha256"], "ab"),
    "no Merkle root": (["entries", "merkle_root"], ...),
    "an unknown key of entries": (["entries", "size"], 1),
    "entries that are a list": (["entries"], []),
    "no prize": (["prizes"], []),
    "prizes that are an object": (["prizes"], {}),
    "a prize that is text": (["prizes", 0], "p1"),
    "a prize without an id": (["prizes", 0, "id"], ""),
    "the same prize twice": (["prizes", 0, "id"], "p2"),
    "a prize of quantity zero": (["prizes", 0, "quantity"], 0),
    "a prize of a float quantity": (["prizes", 0, "quantity"], 1.0),
    "an unknown key of a prize": (["prizes", 0, "amount"], 100),
    "more slots than ranks can be": (["prizes", 0, "quantity"], 2**32),
    "alternates below zero": (["alternates"], -1),
    "alternates that are null": (["alternates"], None),
    "excludes that are text": (["excludes"], SCOPE),
    "an excluded draw that is no id": (["excludes"], ["x"]),
    "an excluded draw that is a list": (["excludes"], [[]]),
    "the same excluded draw twice": (["excludes"], ["0b0b0b0b-1111-4222-8333-444444444444"] * 2),
    "a draw that excludes itself": (["excludes"], [MANIFEST["draw_id"]]),
    "no randomness": (["randomness"], []),
    "randomness that is an object": (["randomness"], COMMIT),
    "an unknown source": (["randomness", 0, "type"], "dice"),
    "a source that is text": (["randomness", 0], "commit"),
    "a source whose type is a list": (["randomness", 0, "type"], []),
    "a commitment with an unknown key": (["randomness", 0, "note"], "x"),
    "a commitment in upper case": (["randomness", 0, "sha256"], COMMIT["sha256"].upper()),
    "a public text without a label": (["randomness"], [{"type": "public_text", "label": ""}]),
    "another drand chain": (["randomness"], [{**DRAND, "chain_hash": "aa" * 32}]),
    "a drand key of the operator's own": (["randomness"], [{**DRAND, "public_key": "aa" * 96}]),
    "an earlier drand round": (["randomness"], [{**DRAND, "round": DRAND["round"] - 1}]),
    "a later drand round": (["randomness"], [{**DRAND, "round": DRAND["round"] + 1}]),
    "a drand round that is a float": (["randomness"], [{**DRAND, "round": float(DRAND["round"])}]),
}


@pytest.mark.parametrize(("path", "value"), BROKEN_MANIFESTS.values(), ids=BROKEN_MANIFESTS)
def test_it_refuses_a_manifest_with(path, value):
    with pytest.raises(ManifestError):
        vwd1.validate_manifest(changed(path, value))
    with pytest.raises(ManifestError):
        vwd1.manifest_sha256(changed(path, value))


def test_it_refuses_a_drand_draw_before_the_chain_began():
    manifest = changed(["randomness"], [{**DRAND, "round": 1}])
    for name in ("opens_at", "closes_at", "frozen_at", "draw_at"):
        manifest[name] = manifest[name].replace("2026", "2016")
    with pytest.raises(ManifestError, match="not the round of draw_at"):
        vwd1.validate_manifest(manifest)


@pytest.mark.parametrize("value", [None, [], "vwd1", 7])
def test_it_refuses_what_is_no_object(value):
    with pytest.raises(ManifestError, match="must be an object"):
        vwd1.validate_manifest(value)


def test_times_are_written_in_utc_and_cut_to_seconds():
    nairobi = timezone(timedelta(hours=3))
    moment = datetime(2026, 12, 1, 2, 30, 15, 999_999, tzinfo=nairobi)
    assert vwd1.format_time(moment) == "2026-11-30T23:30:15Z"
    assert vwd1.parse_time("2026-11-30T23:30:15Z") == int(moment.timestamp())
