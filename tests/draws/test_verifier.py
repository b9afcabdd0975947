"""The stand-alone verifier: what is honest holds, what is forged is refused, whatever comes is answered."""

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from draws.proof import REPORT_KEYS
from draws.selection import MAX_TICKETS
from draws.slots import SlotError, State
from draws.verifier import verify_draw
from tests.draws.proof_cases import (
    PUBLIC_TEXT,
    Case,
    happen,
    honest_case,
    make_case,
    reseal,
    standing_of,
    verify,
)
from tests.draws.vwd1_values import (
    ENTRIES_CSV,
    MANIFEST,
    MANIFEST_CANONICAL,
    MANIFEST_SHA256,
    MERKLE_LEAVES,
    RANKS,
    SECRET,
    SEED,
)

SCRIPT = Path(verify_draw.__file__)
HONEST = honest_case()


def run_script(*arguments, python=(sys.executable,), **options):
    """Run the verifier as anybody would, in a process of its own."""
    return subprocess.run(
        [*python, str(SCRIPT), *map(str, arguments)], capture_output=True, text=True, check=False, **options
    )


def write(case, folder):
    (folder / "proof.json").write_text(json.dumps(case.proof))
    (folder / "entries.csv").write_bytes(case.entries)
    return folder / "proof.json", folder / "entries.csv"


def known_case():
    proof = {
        "manifest": MANIFEST,
        "manifest_sha256": MANIFEST_SHA256,
        "revealed": [{"type": "commit", "value": SECRET}],
        "seed": SEED,
        "ranks": [
            {"rank": rank, "pid": pid, "ticket": ticket, "remaining": remaining, "attempts": attempts}
            for rank, (_, pid, ticket, remaining, attempts) in enumerate(RANKS)
        ],
        "slots": [
            {"slot": slot, "prize": prize, "rank": slot, "pid": RANKS[slot][1]}
            for slot, prize in enumerate(["p1", "p2"])
        ],
        "audit_seal": None,
        "dispositions": [],
        "report_sha256": "",
    }
    return reseal(Case(json.loads(json.dumps(proof)), ENTRIES_CSV.encode()))


# Honest draws


def test_the_known_draw_is_verified():
    status, output = verify(known_case().proof, ENTRIES_CSV.encode())
    assert status == 0
    assert output.splitlines()[-1].startswith(f"VERIFIED: draw {MANIFEST['draw_id']}, 4 ranks")
    assert all(line.startswith("ok ") for line in output.splitlines()[:-1])


def test_the_example_of_the_documentation_is_verified():
    page = (SCRIPT.parents[2] / "docs" / "proof-format.md").read_text(encoding="utf-8")
    example = page.split("## Example")[1]
    (entries,) = re.findall(r"```\n((?:[0-9a-f]{64},\d+,\d+\n)+)```", example)
    (proof,) = re.findall(r"```json\n(.*?)```", example, re.DOTALL)
    status, output = verify(proof.encode(), entries.encode())
    assert status == 0, output


def test_a_draw_with_exclusions_and_a_promotion_is_verified():
    assert verify(HONEST.proof, HONEST.entries)[0] == 0


def test_it_is_one_file_that_needs_only_the_standard_library(tmp_path):
    copy = tmp_path / "verify_draw.py"
    copy.write_bytes(SCRIPT.read_bytes())
    proof, entries = write(HONEST, tmp_path)
    done = subprocess.run(
        [sys.executable, "-I", "-S", str(copy), str(proof), str(entries)],
        capture_output=True,
        text=True,
        check=False,
        cwd=tmp_path,
        env={"LC_ALL": "C", "PYTHONIOENCODING": "ascii"},
    )
    assert (done.returncode, done.stderr) == (0, "")


def test_its_hashes_are_the_known_ones(tmp_path):
    assert verify_draw.canonical(MANIFEST).decode() == MANIFEST_CANONICAL
    entries = tmp_path / "entries.csv"
    entries.write_text(ENTRIES_CSV)
    found = verify_draw.read_entries(str(entries))
    assert found.merkle_root == MANIFEST["entries"]["merkle_root"]
    assert found.sha256 == MANIFEST["entries"]["sha256"]
    assert len(MERKLE_LEAVES) == 8


@settings(max_examples=40, deadline=None)
@given(st.data())
def test_whatever_the_project_draws_the_verifier_finds_right(data):
    size = data.draw(st.integers(1, 30))
    weight = st.integers(1, 4) | st.integers(1, MAX_TICKETS // size)
    quantities = data.draw(st.lists(st.integers(1, 4), min_size=1, max_size=3))
    case = make_case(
        weights=data.draw(st.lists(weight, min_size=size, max_size=size)),
        prizes=[(f"prize {place}", quantity) for place, quantity in enumerate(quantities)],
        alternates=data.draw(st.integers(0, 6)),
        sources=data.draw(st.sampled_from([["commit"], ["public_text"], ["commit", "public_text"]])),
    )
    drawn = len(case.proof["ranks"])
    skipped = data.draw(st.sets(st.integers(0, drawn - 1), max_size=4))
    excluded = {rank for rank in skipped if rank % 2}
    case = make_case(
        weights=[int(row[2]) for row in case.rows],
        prizes=[(prize["id"], prize["quantity"]) for prize in case.manifest["prizes"]],
        alternates=case.manifest["alternates"],
        excluded=[],
        disqualified=dict.fromkeys(skipped - excluded, "under age"),
    )
    standing = standing_of(case)
    for _ in range(data.draw(st.integers(0, 8))):
        state = data.draw(
            st.sampled_from([State.DECLINED, State.FORFEITED, State.DISQUALIFIED, State.EXTENDED])
        )
        rank = data.draw(st.integers(0, size))
        try:
            happen(case, standing, rank, state)
        except SlotError:
            continue
    status, output = verify(case.proof, case.entries)
    assert status == 0, output


@settings(max_examples=5, deadline=None)
@given(st.lists(st.integers(1, MAX_TICKETS // 20), min_size=1, max_size=20))
def test_the_script_itself_agrees_on_random_draws(tmp_path_factory, weights):
    case = make_case(weights=weights)
    done = run_script(*write(case, tmp_path_factory.mktemp("draw")))
    assert (done.returncode, done.stderr) == (0, "")


def test_a_file_of_several_blocks_is_verified():
    case = make_case(weights=[1 + number % 5 for number in range(40_000)])
    assert len(case.entries) > 2_500_000
    assert verify(case.proof, case.entries)[0] == 0


def test_fewer_entries_than_ranks_wanted_leaves_slots_vacant():
    case = make_case(weights=[3, 4], prizes=[("gold", 1), ("silver", 3)])
    assert verify(case.proof, case.entries)[0] == 0


def test_an_extension_is_verified_and_fills_the_vacancy():
    case = make_case(weights=[2] * 9, prizes=[("gold", 2)], alternates=1)
    standing = standing_of(case)
    for rank in (0, 1):
        happen(case, standing, rank, State.FORFEITED, "not claimed in time")
    assert standing.holders == {0: 2, 1: None}
    status, output = verify(case.proof, case.entries)
    assert status == 0, output
    happen(case, standing, 5, State.EXTENDED, "the alternates ran out")
    assert standing.holders == {0: 2, 1: 3}
    status, output = verify(case.proof, case.entries)
    assert status == 0, output
    assert "ranks: 5 of them" in output


def test_the_m_of_the_freeze_notice_is_compared():
    m = HONEST.proof["manifest_sha256"]
    assert verify(HONEST.proof, HONEST.entries, "--manifest-sha256", m.upper())[0] == 0
    status, output = verify(HONEST.proof, HONEST.entries, "--manifest-sha256", "00" * 32)
    assert status == 1
    assert "WRONG  manifest: M of the notice" in output


def test_a_public_text_is_left_to_the_reader_unless_it_is_told():
    case = make_case(weights=[1, 2, 3], sources=["public_text"])
    status, output = verify(case.proof, case.entries)
    assert status == 0
    assert "compare 'National lottery of 23 August 2023' yourself" in output.splitlines()[-1]
    status, output = verify(case.proof, case.entries, "--public-text", PUBLIC_TEXT)
    assert status == 0
    assert "yourself" not in output
    assert verify(case.proof, case.entries, "--public-text", PUBLIC_TEXT + " ")[0] == 1


# drand


def drand_case():
    return make_case(weights=[4, 1, 2, 8], sources=["drand"])


def test_a_drand_signature_is_authenticated_where_a_library_can():
    case = drand_case()
    status, output = verify(case.proof, case.entries)
    assert status == 0, output


def test_a_drand_signature_nobody_could_check_is_never_reported_as_fine(tmp_path):
    done = run_script(*write(drand_case(), tmp_path), python=(sys.executable, "-S"))
    assert done.returncode == 3
    assert "NOT AUTHENTICATED" in done.stdout
    assert done.stdout.splitlines()[-1].startswith("NOT AUTHENTICATED")
    assert "VERIFIED:" not in done.stdout


def test_what_is_wrong_weighs_more_than_what_was_not_authenticated(tmp_path):
    case = drand_case()
    case.proof["ranks"][0]["attempts"] += 1
    done = run_script(*write(reseal(case), tmp_path), python=(sys.executable, "-S"))
    assert done.returncode == 1
    assert done.stdout.splitlines()[-1].startswith("NOT VERIFIED")


# Whatever comes


@pytest.mark.parametrize("arguments", [[], ["only-one"], ["a", "b", "c"], ["--nonsense", "a", "b"]])
def test_bad_usage_is_explained(arguments):
    done = run_script(*arguments)
    assert done.returncode == 2
    assert "verify_draw.py proof.json entries.csv" in done.stderr
    assert "Traceback" not in done.stderr


def test_files_that_cannot_be_read_are_named(tmp_path):
    proof, entries = write(HONEST, tmp_path)
    for arguments in ([tmp_path / "no.json", entries], [proof, tmp_path / "no.csv"], [tmp_path, entries]):
        done = run_script(*arguments)
        assert (done.returncode, done.stderr) == (2, "")
        assert "NOT VERIFIED: a file could not be read" in done.stdout


def test_a_reader_that_goes_away_is_no_traceback(tmp_path):
    read, written = os.pipe()
    os.close(read)
    with os.fdopen(written, "w") as output:
        done = subprocess.run(
            [sys.executable, "-u", str(SCRIPT), *map(str, write(HONEST, tmp_path))],
            stdout=output,
            stderr=subprocess.PIPE,
            text=True,
            check=False,
        )
    assert done.returncode == 1
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize(
    "document",
    [
        b"",
        b"{",
        b"[]",
        b"null",
        b"7",
        b"\xff\xfe",
        b"\xef\xbb\xbf{}",
        b'{"manifest": NaN}',
        b'{"manifest": 1e400}',
        b'{"manifest": ' + b"9" * 5000 + b"}",
        b'{"manifest": "\\ud800"}',
    ],
    ids=lambda document: repr(document[:20]),
)
def test_any_document_is_answered_without_a_traceback(document):
    status, output = verify(document, HONEST.entries)
    assert status == 1
    assert output.splitlines()[-1].startswith("NOT VERIFIED")


@pytest.mark.parametrize("opening", ["[", '{"a":'])
def test_a_document_nested_without_end_is_answered_too(tmp_path, opening):
    proof, entries = write(HONEST, tmp_path)
    proof.write_text(opening * 100_000)
    done = run_script(proof, entries)
    assert (done.returncode, done.stderr) == (1, "")
    assert "NOT VERIFIED" in done.stdout


def places(value, path=()):
    """Every place in a JSON document."""
    yield path
    inside = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, item in inside:
        yield from places(item, (*path, key))


def put(document, path, value):
    place = document
    for step in path[:-1]:
        place = place[step]
    place[path[-1]] = value


PLACES = [path for path in places(HONEST.proof) if path]
ODD_VALUES = [
    None,
    True,
    False,
    0,
    1,
    -1,
    2**53,
    10**30,
    1.5,
    "",
    "x",
    "\ud800",
    [],
    {},
    [[]],
    [None],
    {"a": 1},
]


@pytest.mark.parametrize("sealed", [False, True], ids=["as it is", "with hashes made anew"])
@settings(max_examples=150, deadline=None)
@given(path=st.sampled_from(PLACES), value=st.sampled_from(ODD_VALUES))
def test_any_value_in_any_place_is_answered_and_never_believed(sealed, path, value):
    case = HONEST.copy()
    put(case.proof, path, value)
    if sealed:
        try:
            reseal(case, manifest=path[0] == "manifest")
        except (ValueError, TypeError, KeyError, AttributeError):
            return
    status, output = verify(case.proof, case.entries)
    assert "broke off" not in output, output
    # The words of a disposition bind nothing, and a seal is only looked at by those who hold the trail.
    free = (path[0] == "dispositions" and path[-1] == "reason") or (sealed and path[0] == "audit_seal")
    same = json.dumps(case.proof) == json.dumps(HONEST.proof)
    assert status == 1 or free or same, (path, value)


# One byte


DOCUMENT = json.dumps(HONEST.proof, separators=(",", ":"), ensure_ascii=False).encode()


@settings(max_examples=300, deadline=None)
@given(place=st.integers(0, len(DOCUMENT) - 1), byte=st.integers(0, 255))
def test_one_changed_byte_of_the_proof_is_never_accepted(place, byte):
    tampered = DOCUMENT[:place] + bytes([byte]) + DOCUMENT[place + 1 :]
    status, output = verify(tampered, HONEST.entries)
    if status != 0:
        assert "broke off" not in output, output
        return
    # Accepted is only what says the same, but for the words and times of later dispositions:
    # those are not part of the report, and stand in the audit trail.
    found, wanted = json.loads(tampered), json.loads(DOCUMENT)
    for document in (found, wanted):
        for item in document["dispositions"]:
            del item["reason"], item["at"]
    assert found == wanted


@given(place=st.integers(0, len(HONEST.entries) - 1), change=st.integers(1, 255))
@settings(max_examples=200, deadline=None)
def test_one_changed_byte_of_the_entries_is_never_accepted(place, change):
    tampered = bytearray(HONEST.entries)
    tampered[place] ^= change
    assert verify(HONEST.proof, bytes(tampered))[0] == 1


def test_every_key_of_the_report_is_needed():
    for key in (*REPORT_KEYS, "dispositions", "report_sha256"):
        case = HONEST.copy()
        del case.proof[key]
        status, output = verify(case.proof, case.entries)
        assert status == 1
        assert f"lacks the key '{key}'" in output
