"""The proof: what the report fixes, and which revealed values may be drawn with."""

import json
from hashlib import sha256

import pytest

from audit.canonical import canonical_json
from draws import proof as proofs
from draws.proof import ProofError, check_revealed, full_proof, report_sha256, seed_of
from draws.slots import Disposition, State, assign_slots
from tests.draws import proof_cases
from tests.draws.vwd1_values import DRAND_ROUNDS, ENTRIES_CSV, MANIFEST, MANIFEST_SHA256, RANKS, SECRET, SEED

REVEALED = [proofs.reveal_commit(secret_hex=SECRET)]


def report_of(case):
    return {key: case.proof[key] for key in proofs.REPORT_KEYS}


def test_the_known_seed_comes_out_of_the_revealed_secret():
    assert seed_of(manifest=MANIFEST, revealed=REVEALED).hex() == SEED


def test_the_known_draw_becomes_the_known_report():
    ranks = proof_cases.draw_all(MANIFEST, REVEALED, ENTRIES_CSV.encode())
    report = proofs.build_report(
        manifest=MANIFEST,
        revealed=REVEALED,
        ranks=ranks,
        pids=proof_cases.pids_of(ENTRIES_CSV.encode()),
        assignments=assign_slots(prizes=["p1", "p2"], ranks=4, skipped=()),
        audit_seal=None,
    )
    assert report["manifest_sha256"] == MANIFEST_SHA256
    assert report["seed"] == SEED
    assert report["ranks"] == [
        {"rank": rank, "pid": pid, "ticket": ticket, "remaining": remaining, "attempts": attempts}
        for rank, (_, pid, ticket, remaining, attempts) in enumerate(RANKS)
    ]
    assert report["slots"] == [
        {"slot": 0, "prize": "p1", "rank": 0, "pid": RANKS[0][1]},
        {"slot": 1, "prize": "p2", "rank": 1, "pid": RANKS[1][1]},
    ]
    assert tuple(report) == proofs.REPORT_KEYS


def test_a_slot_nobody_could_fill_stands_in_the_report_as_vacant():
    case = proof_cases.make_case(weights=[1, 2], prizes=[("gold", 3)])
    assert [slot["rank"] is None for slot in case.proof["slots"]] == [False, False, True]
    assert case.proof["slots"][2] == {"slot": 2, "prize": "gold", "rank": None, "pid": None}


def test_the_hash_covers_everything_but_the_dispositions():
    case = proof_cases.honest_case()
    digest = report_sha256(report_of(case))
    assert digest == case.proof["report_sha256"]
    assert digest == sha256(canonical_json(report_of(case))).hexdigest()
    for key in proofs.REPORT_KEYS:
        assert report_sha256({**report_of(case), key: "something else"}) != digest
    later = [Disposition(2, State.DECLINED, "", "2023-09-03T00:00:00Z")]
    assert full_proof(report=report_of(case), dispositions=later)["report_sha256"] == digest


def test_the_hash_survives_a_round_through_any_json_store():
    report = report_of(proof_cases.honest_case())
    stored = json.loads(json.dumps(report, indent=2, sort_keys=True))
    assert report_sha256(stored) == report_sha256(report)


@pytest.mark.parametrize("key", ["ranks", "dispositions"])
def test_it_hashes_nothing_that_is_no_report(key):
    report = report_of(proof_cases.honest_case())
    if key in report:
        del report[key]
    else:
        report[key] = []
    with pytest.raises(ProofError, match="exactly the keys"):
        report_sha256(report)


def test_ranks_of_an_extension_follow_and_leave_the_hash_alone():
    case = proof_cases.make_case(weights=[1] * 10, prizes=[("gold", 2)], alternates=0)
    report = report_of(case)
    rows = proofs.rank_rows(
        ranks=proof_cases.draw_all(case.manifest, case.proof["revealed"], case.entries)[2:4],
        pids=proof_cases.pids_of(case.entries),
    )
    longer = full_proof(report=report, dispositions=[], extension=rows)
    assert [row["rank"] for row in longer["ranks"]] == [0, 1, 2, 3]
    assert longer["report_sha256"] == case.proof["report_sha256"]
    with pytest.raises(ProofError, match="does not go on"):
        full_proof(report=report, dispositions=[], extension=rows[1:])


def test_it_builds_no_report_of_ranks_with_a_gap():
    case = proof_cases.make_case(weights=[1] * 10)
    ranks = proof_cases.draw_all(case.manifest, case.proof["revealed"], case.entries)
    with pytest.raises(ProofError, match="not 0, 1, 2"):
        proofs.build_report(
            manifest=case.manifest,
            revealed=case.proof["revealed"],
            ranks=ranks[1:],
            pids=proof_cases.pids_of(case.entries),
            assignments=[],
            audit_seal=None,
        )


ALL_SOURCES = proof_cases.make_case(weights=[1, 2, 3], sources=["commit", "drand", "public_text"])


def test_every_kind_of_source_may_be_drawn_with_when_it_is_as_declared():
    check_revealed(manifest=ALL_SOURCES.manifest, revealed=ALL_SOURCES.proof["revealed"])


COMMIT, DRAND, TEXT = ALL_SOURCES.proof["revealed"]
ROUND_123 = DRAND_ROUNDS[123][0]
BROKEN_VALUES = {
    "a source missing": ([COMMIT, DRAND], "not those of the manifest"),
    "a source too many": ([COMMIT, DRAND, TEXT, TEXT], "not those of the manifest"),
    "sources in another order": ([DRAND, COMMIT, TEXT], "not those of the manifest"),
    "another source": ([COMMIT, DRAND, COMMIT], "not those of the manifest"),
    "another secret": ([{**COMMIT, "value": "bb" * 32}, DRAND, TEXT], "not the one that was committed"),
    "a malformed secret": ([{**COMMIT, "value": "bb"}, DRAND, TEXT], "64 lower-case hex digits"),
    "an extra key": ([{**COMMIT, "note": ""}, DRAND, TEXT], "exactly its own keys"),
    "a key too few": ([COMMIT, DRAND, {"type": "public_text"}], "exactly its own keys"),
    "another round": ([COMMIT, {**DRAND, "round": 123}, TEXT], "not round 1000"),
    "another round's signature": (
        [COMMIT, proofs.reveal_drand(round_number=1000, signature_hex=ROUND_123), TEXT],
        "not quicknet's of round 1000",
    ),
    "a value that is not the signature's": ([COMMIT, {**DRAND, "value": "bb" * 32}, TEXT], "not the hash of"),
    "a malformed text value": ([COMMIT, DRAND, {**TEXT, "value": "12 24 31"}], "64 lower-case hex digits"),
}


@pytest.mark.parametrize(("revealed", "message"), BROKEN_VALUES.values(), ids=BROKEN_VALUES)
def test_it_draws_with_no_value_that_was_not_declared(revealed, message):
    with pytest.raises(ValueError, match=message):
        seed_of(manifest=ALL_SOURCES.manifest, revealed=revealed)
