"""Forged manifests and randomness, each by name: what binds a draw before it is made.

The forger makes M, the seed and the report's hash anew, so what refuses the forgery is the check of that very thing.
"""

import contextlib
import json

import pytest

from draws import proof as proofs
from draws import vwd1
from tests.draws.proof_cases import DRAW, OTHER_DRAW, at, honest_case, make_case, refused, reseal, verify
from tests.draws.vwd1_values import DRAND_ROUNDS, SECRET

HONEST = honest_case()
DRAND = make_case(weights=[4, 1, 2, 8], sources=["drand"])


# The manifest, with M, the seed and the report's hash made again

FORGED_MANIFESTS = {
    "another Merkle root": (
        at("manifest", "entries", "merkle_root", value="ab" * 32),
        "merkle_root, by the manifest,",
    ),
    "another hash of the file": (
        at("manifest", "entries", "sha256", value="ab" * 32),
        "sha256, by the manifest,",
    ),
    "another number of tickets": (
        at("manifest", "entries", "tickets", value=43),
        "tickets, by the manifest,",
    ),
    "another number of entries": (at("manifest", "entries", "count", value=11), "count, by the manifest,"),
    "other rules": (at("manifest", "rules_sha256", value="ab" * 32), "rank 0"),
    "another title": (at("manifest", "title", value="Grand Prize 2"), "rank 0"),
    "prizes in another order": (at("manifest", "prizes", value=lambda prizes: prizes[::-1]), "rank 0"),
    "more alternates": (at("manifest", "alternates", value=4), "the number of ranks"),
    "opening after closing": (
        at("manifest", "opens_at", value="2023-08-24T00:00:00Z"),
        "are not in this order",
    ),
    "freezing before closing": (
        at("manifest", "frozen_at", value="2023-08-23T12:00:00Z"),
        "are not in this order",
    ),
    "a draw before its least wait": (at("manifest", "min_wait_s", value=3601), "sooner after frozen_at"),
    "a time that does not exist": (
        at("manifest", "opens_at", value="2023-02-30T00:00:00Z"),
        "not a real time",
    ),
    "a time with an offset": (
        at("manifest", "opens_at", value="2023-07-01T00:00:00+00:00"),
        "has not the right form",
    ),
    "true as a number": (at("manifest", "prizes", 0, "quantity", value=True), "not an integer"),
    "text as a number": (at("manifest", "alternates", value="3"), "not an integer"),
    "a negative number": (at("manifest", "alternates", value=-3), "not an integer"),
    "a quantity of zero": (at("manifest", "prizes", 0, "quantity", value=0), "not an integer from 1"),
    "two prizes of one id": (at("manifest", "prizes", 0, "id", value="silver"), "two have the same id"),
    "no prizes": (at("manifest", "prizes", value=[]), "there is no prize"),
    "an unknown key": (lambda case: case.manifest.update(note="x"), "has the unknown key 'note'"),
    "a key that is not ASCII": (lambda case: case.manifest.update({"größe": 1}), "is not ASCII"),
    "a missing key": (at("manifest", "excludes", value=...), "lacks the key 'excludes'"),
    "another version": (at("manifest", "spec", value="vwd2"), "spec is 'vwd2'"),
    "an id that is none": (at("manifest", "draw_id", value="first draw"), "draw_id has not the right form"),
    "a draw that excludes itself": (at("manifest", "excludes", value=[DRAW]), "excludes names a draw twice"),
    "no randomness": (at("manifest", "randomness", value=[]), "randomness names no source"),
    "an unknown source": (
        at("manifest", "randomness", 0, "type", value="dice"),
        "no known kind of randomness",
    ),
    "another commitment": (at("manifest", "randomness", 0, "sha256", value="ab" * 32), "the commitment that"),
}


@pytest.mark.parametrize(("forge", "phrase"), FORGED_MANIFESTS.values(), ids=FORGED_MANIFESTS)
def test_it_refuses_a_manifest_with(forge, phrase):
    case = HONEST.copy()
    forge(case)
    with contextlib.suppress(ValueError, KeyError, TypeError):
        reseal(case, manifest=True)
    refused(case, phrase)


def test_it_refuses_a_manifest_changed_later_whose_m_was_not_made_again():
    case = HONEST.copy()
    case.manifest["rules_sha256"] = "ab" * 32
    refused(reseal(case), "M is")


def test_it_refuses_the_secret_of_another_draw():
    case = HONEST.copy()
    case.manifest["randomness"][0]["sha256"] = vwd1.commitment(draw_id=OTHER_DRAW, secret_hex=SECRET)
    case.proof["revealed"][0]["value"] = SECRET
    refused(reseal(case, manifest=True, ranks=True), "the commitment that the secret gives")


def test_a_whole_draw_made_again_under_other_rules_is_betrayed_by_the_m_of_the_notice():
    """Everything fits, because everything was made anew: this is what the mails to the entrants are for."""
    case = HONEST.copy()
    case.manifest["rules_sha256"] = "ab" * 32
    reseal(case, manifest=True, ranks=True)
    assert verify(case.proof, case.entries)[0] == 0
    refused(case, "M of the notice", options=("--manifest-sha256", HONEST.proof["manifest_sha256"]))


def test_it_refuses_a_key_given_twice():
    document = json.dumps(HONEST.proof)
    twice = document.replace('"alternates": 3', '"alternates": 2, "alternates": 3')
    assert twice != document
    status, output = verify(twice.encode(), HONEST.entries)
    assert status == 1
    assert "the same key twice" in output


# drand


def sign_with(signature):
    def change(case):
        case.proof["revealed"][0].update(proofs.reveal_drand(round_number=1000, signature_hex=signature))

    return change


FORGED_DRAND = {
    "the signature of another round": (sign_with(DRAND_ROUNDS[123][0]), "not quicknet's of that round"),
    "a point that is no signature": (sign_with("c0" + "00" * 47), "not quicknet's of that round"),
    "bytes that are no point": (sign_with("ff" * 48), "not quicknet's of that round"),
    "another round revealed": (at("revealed", 0, "round", value=123), "the round is 123, and should be 1000"),
    "a value that is not the signature's": (at("revealed", 0, "value", value="ab" * 32), "the value is 'ab"),
    "a signature in upper case": (at("revealed", 0, "signature", value=str.upper), "has not the right form"),
    "an earlier round declared": (
        at("manifest", "randomness", 0, "round", value=999),
        "round, by draw_at, is 999, and should be 1000",
    ),
    "a key of the operator's own": (
        at("manifest", "randomness", 0, "public_key", value="ab" * 96),
        "public_key is 'ab",
    ),
    "another chain": (at("manifest", "randomness", 0, "chain_hash", value="ab" * 32), "chain_hash is 'ab"),
}


@pytest.mark.parametrize(("forge", "phrase"), FORGED_DRAND.values(), ids=FORGED_DRAND)
def test_it_refuses_a_drand_draw_with(forge, phrase):
    case = DRAND.copy()
    forge(case)
    refused(reseal(case, manifest=True), phrase)
