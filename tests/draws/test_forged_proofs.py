"""Forgeries, each by name. The forger computes every hash anew that can be computed; the verifier still says no.

Most change one thing in an honest draw and then make the report's hash again, so that what refuses them is
the check of that thing and not a hash somewhere else.
"""

import contextlib
import json

import pytest

from draws import proof as proofs
from draws.slots import Disposition, State
from tests.draws.proof_cases import (
    OTHER_DRAW,
    at,
    draw_all,
    happen,
    honest_case,
    make_case,
    pids_of,
    refused,
    reseal,
    standing_of,
    verify,
)

HONEST = honest_case()


def test_the_draw_that_is_forged_below_is_honest():
    assert verify(HONEST.proof, HONEST.entries)[0] == 0


# The entries file


def pairs(case):
    return [(row[0], row[2]) for row in case.rows]


def swap_two_rows(case):
    lines = case.entries.splitlines(keepends=True)
    lines[3], lines[4] = lines[4], lines[3]
    case.entries = b"".join(lines)


def swap_two_pids(case):
    rows = pairs(case)
    rows[3], rows[4] = (rows[4][0], rows[3][1]), (rows[3][0], rows[4][1])
    case.set_rows(rows)


def repeat_a_pid(case):
    rows = pairs(case)
    rows[4] = (rows[3][0], rows[4][1])
    case.set_rows(rows)


def add_an_entry(case):
    case.set_rows([*pairs(case), (b"f" * 64, b"1")])


def raise_a_weight(case):
    rows = pairs(case)
    rows[2] = (rows[2][0], b"9")
    case.set_rows(rows)


def raise_a_weight_and_lower_another(case):
    rows = pairs(case)
    rows[0], rows[1] = (rows[0][0], b"1"), (rows[1][0], b"4")
    case.set_rows(rows)


def replace(old, new, count=1):
    def change(case):
        assert old in case.entries
        case.entries = case.entries.replace(old, new, count)

    return change


FIRST_ROW = HONEST.entries.splitlines()[0]
PID = FIRST_ROW[:64]
FORGED_FILES = {
    "two rows swapped": (swap_two_rows, "line 4: first is 8, and should be 6"),
    "two pids swapped": (swap_two_pids, "its pid is not after"),
    "a pid repeated": (repeat_a_pid, "its pid is not after"),
    "an entry added": (add_an_entry, "count, by the manifest, is 13, and should be 12"),
    "an entry removed": (lambda case: case.set_rows(pairs(case)[:-1]), "count, by the manifest, is 11"),
    "a weight raised": (raise_a_weight, "tickets, by the manifest, is 50, and should be 42"),
    "a weight raised and another lowered": (raise_a_weight_and_lower_another, "sha256, by the manifest,"),
    "a count raised and nothing else": (replace(b",0,4\n", b",0,5\n"), "line 2: first is 4, and should be 5"),
    "a wrong first": (replace(b",4,1\n", b",5,1\n"), "line 2: first is 5, and should be 4"),
    "a first row that does not begin at 0": (
        replace(b",0,4\n", b",1,4\n"),
        "line 1: first is 1, and should be 0",
    ),
    "a leading zero in a count": (replace(b",0,4\n", b",0,04\n"), "line 1 is not pid,first,count"),
    "a leading zero in a first": (replace(b",4,1\n", b",04,1\n"), "line 2 is not pid,first,count"),
    "a plus sign": (replace(b",0,4\n", b",0,+4\n"), "line 1 is not pid,first,count"),
    "a count of zero": (replace(b",4,1\n", b",4,0\n"), "line 2 is not pid,first,count"),
    "a negative count": (replace(b",4,1\n", b",4,-1\n"), "line 2 is not pid,first,count"),
    "a decimal point": (replace(b",0,4\n", b",0,4.0\n"), "line 1 is not pid,first,count"),
    "a fourth column": (replace(b",0,4\n", b",0,4,x\n"), "line 1 is not pid,first,count"),
    "spaces": (replace(b",0,4\n", b", 0, 4\n"), "line 1 is not pid,first,count"),
    "carriage returns": (replace(b"\n", b"\r\n", -1), "line 1 is not pid,first,count"),
    "a missing line feed at the end": (
        lambda case: setattr(case, "entries", case.entries[:-1]),
        "line 12 is not pid,first,count and one line feed",
    ),
    "a blank line at the end": (
        lambda case: setattr(case, "entries", case.entries + b"\n"),
        "line 13 is not pid,first,count",
    ),
    "a header": (
        lambda case: setattr(case, "entries", b"pid,first,count\n" + case.entries),
        "line 1 is not pid,first,count",
    ),
    "a byte order mark": (
        lambda case: setattr(case, "entries", b"\xef\xbb\xbf" + case.entries),
        "line 1 is not pid,first,count",
    ),
    "a pid in upper case": (replace(PID, PID.upper()), "line 1 is not pid,first,count"),
    "a short pid": (replace(PID, PID[:-1]), "line 1 is not pid,first,count"),
    "too many tickets": (replace(b",0,4\n", b",0,9007199254740992\n"), "more than 2^53 - 1 tickets"),
    "no entries at all": (lambda case: setattr(case, "entries", b""), "it holds no entries"),
    "an endless line": (
        lambda case: setattr(case, "entries", b"0" * 3_000_000),
        "line 1 is not pid,first,count",
    ),
}


@pytest.mark.parametrize(("forge", "phrase"), FORGED_FILES.values(), ids=FORGED_FILES)
def test_it_refuses_an_entries_file_with(forge, phrase):
    case = HONEST.copy()
    forge(case)
    assert case.entries != HONEST.entries
    refused(case, phrase)


# The proof, with its report's hash made again


def move_a_winner(case):
    slots = case.proof["slots"]
    for key in ("rank", "pid"):
        slots[0][key], slots[1][key] = slots[1][key], slots[0][key]


def fill_a_slot_twice(case):
    case.proof["slots"][2] = {**case.proof["slots"][1], "slot": 2}


def pass_over_rank_two(case):
    for slot, rank in ((1, 3), (2, 4)):
        case.proof["slots"][slot].update(rank=rank, pid=case.proof["ranks"][rank]["pid"])


def swap_two_ranks(case):
    ranks = case.proof["ranks"]
    ranks[0], ranks[1] = {**ranks[1], "rank": 0}, {**ranks[0], "rank": 1}


def add_a_rank(case):
    drawn = draw_all(case.manifest, case.proof["revealed"], case.entries, 7)
    case.proof["ranks"] = proofs.rank_rows(ranks=drawn, pids=pids_of(case.entries))


def insert_at_execution(rank, state, reason):
    item = {"rank": rank, "state": state, "reason": reason, "at": HONEST.proof["dispositions"][0]["at"]}
    return lambda case: case.proof["dispositions"].insert(0, item)


def append(rank, state, reason, at="2023-10-01T00:00:00Z"):
    item = {"rank": rank, "state": state, "reason": reason, "at": at}
    return lambda case: case.proof["dispositions"].append(item)


def say_that_rank_two_was_excluded_for_nothing(case):
    pass_over_rank_two(case)
    insert_at_execution(2, "excluded", "we did not like it")(case)


FORGED_PROOFS = {
    "a winner moved": (move_a_winner, "slot 0 must go to rank 0"),
    "a rank passed over without a reason": (pass_over_rank_two, "slot 1 must go to rank 2"),
    "an exclusion that names no excluded draw": (
        say_that_rank_two_was_excluded_for_nothing,
        "is excluded, but",
    ),
    "the reason of an exclusion removed": (at("dispositions", 0, value=...), "slot 1 must go to rank 1"),
    "the reason of an exclusion emptied": (
        at("dispositions", 0, "reason", value=""),
        "the reason why rank 1",
    ),
    "a slot filled twice": (fill_a_slot_twice, "slot 2 must go to rank 3"),
    "a slot left out": (at("slots", 2, value=...), "the number of slots is 2, and should be 3"),
    "a slot too many": (
        lambda case: case.proof["slots"].append({**case.proof["slots"][2], "slot": 3}),
        "the number of slots is 4, and should be 3",
    ),
    "a slot left vacant": (at("slots", 2, "rank", value=None), "slot 2 must go to rank 3"),
    "a slot for a stranger": (at("slots", 0, "pid", value="ab" * 32), "slot 0: pid"),
    "another prize in a slot": (at("slots", 0, "prize", value="silver"), "slot 0: prize"),
    "a slot with another number": (at("slots", 1, "slot", value=2), "slot 1: its number"),
    "two ranks swapped": (swap_two_ranks, "rank 0: pid"),
    "a rank with another pid": (at("ranks", 3, "pid", value="ab" * 32), "rank 3: pid"),
    "another ticket": (at("ranks", 2, "ticket", value=lambda ticket: ticket + 1), "rank 2: ticket"),
    "another number of tickets remaining": (
        at("ranks", 1, "remaining", value=lambda number: number - 1),
        "rank 1: remaining",
    ),
    "another number of attempts": (at("ranks", 0, "attempts", value=lambda a: a + 1), "rank 0: attempts"),
    "a rank with another number": (at("ranks", 1, "rank", value=7), "rank 1: rank"),
    "a rank too few": (at("ranks", 5, value=...), "the number of ranks is 5, and should be 6"),
    "a rank too many": (add_a_rank, "the number of ranks is 7, and should be 6"),
    "true instead of 1": (at("ranks", 1, "rank", value=True), "rank 1: rank is True"),
    "a float instead of an integer": (at("ranks", 1, "rank", value=1.0), "not an integer"),
    "text instead of an integer": (at("ranks", 1, "rank", value="1"), "rank 1: rank is '1'"),
    "true as a rank in a slot": (at("slots", 0, "rank", value=False), "slot 0: rank is False"),
    "an extra key of a rank": (
        lambda case: case.proof["ranks"][1].update(note=1),
        "has the unknown key 'note'",
    ),
    "an extra key of a slot": (
        lambda case: case.proof["slots"][1].update(note=1),
        "has the unknown key 'note'",
    ),
    "an extra key of the proof": (lambda case: case.proof.update(note=1), "has the unknown key 'note'"),
    "another seed": (at("seed", value="ab" * 32), "S is 'ab"),
    "another secret": (at("revealed", 0, "value", value="ab" * 32), "the commitment that the secret gives"),
    "a secret in upper case": (at("revealed", 0, "value", value=str.upper), "has not the right form"),
    "an extra key of a revealed value": (
        lambda case: case.proof["revealed"][0].update(round=1),
        "has the unknown key 'round'",
    ),
    "no revealed value": (at("revealed", value=[]), "the list is []"),
    "a second source": (
        lambda case: case.proof["revealed"].append(proofs.reveal_public_text(text="lucky")),
        "the list is ['commit', 'public_text'], and should be ['commit']",
    ),
    "another kind of source": (at("revealed", 0, "type", value="public_text"), "the list is ['public_text']"),
    "a seal that is no object": (at("audit_seal", value="17"), "audit_seal is neither"),
    # what happened since
    "an unknown state": (append(2, "replaced", "x"), "state has not the right form"),
    "a disposition without a time": (append(2, "declined", "x", at=""), "at has not the right form"),
    "a disposition before the one above it": (
        append(2, "declined", "x", at="2023-08-24T00:00:00Z"),
        "is before the disposition above it",
    ),
    "an extra key of a disposition": (
        lambda case: case.proof["dispositions"][1].update(by="admin"),
        "has the unknown key 'by'",
    ),
    "a vacancy nobody was promoted to": (at("dispositions", 2, value=...), "slot 0 is vacant, and rank 4"),
    "a favourite promoted before the next in turn": (
        at("dispositions", 2, "rank", value=5),
        "the rank next in turn is 5, and should be 4",
    ),
    "a promotion to a slot that is taken": (
        at("dispositions", 2, "reason", value="slot 1"),
        "is not the slot next to be filled",
    ),
    "a promotion without a vacancy": (append(5, "promoted", "slot 0"), "is not the slot next to be filled"),
    "a winner excluded after the draw": (
        append(2, "excluded", f"winner of draw {OTHER_DRAW}"),
        "is excluded, but",
    ),
    "a winner who loses the prize twice": (
        append(0, "disqualified", "x"),
        "is disqualified, but holds no slot",
    ),
    "an alternate who declines what it never had": (
        append(5, "declined", "x"),
        "is declined, but holds no slot",
    ),
    "a rank that was never drawn": (append(6, "disqualified", "x"), "was not drawn"),
    "an extension without its ranks": (
        append(8, "extended", "x"),
        "the number of ranks is 6, and should be 8",
    ),
    "an extension to fewer ranks": (append(6, "extended", "x"), "not an integer from 7 to 12"),
    "an extension beyond the entries": (append(13, "extended", "x"), "not an integer from 7 to 12"),
    "an extension without a reason": (append(8, "extended", ""), "the reason why rank 8 is extended"),
}


@pytest.mark.parametrize(("forge", "phrase"), FORGED_PROOFS.values(), ids=FORGED_PROOFS)
def test_it_refuses_a_proof_with(forge, phrase):
    case = HONEST.copy()
    forge(case)
    assert json.dumps(case.proof) != json.dumps(HONEST.proof)
    with contextlib.suppress(ValueError):  # a float has no canonical form, so it has no hash either
        reseal(case)
    refused(case, phrase)


UNSEALED = {
    "another hash of the report": ("report_sha256", "report_sha256 is 'ab"),
    "another hash of the manifest": ("manifest_sha256", "M is 'ab"),
}


@pytest.mark.parametrize(("key", "phrase"), UNSEALED.values(), ids=UNSEALED)
def test_it_refuses_a_proof_with_a_hash_changed(key, phrase):
    case = HONEST.copy()
    case.proof[key] = "ab" * 32
    refused(case, phrase)


def test_it_refuses_a_changed_audit_seal():
    case = HONEST.copy()
    case.proof["audit_seal"]["id"] += 1
    refused(case, "report_sha256")


# Vacancies


def two_vacancies():
    case = make_case(weights=[2] * 12, prizes=[("gold", 1), ("silver", 2)], alternates=2)
    standing = standing_of(case)
    happen(case, standing, 2, State.DECLINED)
    happen(case, standing, 0, State.DECLINED)
    return case


def test_it_refuses_a_better_prize_given_out_of_turn():
    case = two_vacancies()
    assert verify(case.proof, case.entries)[0] == 0
    items = case.proof["dispositions"]
    first, second = (item for item in items if item["state"] == "promoted")
    case.proof["dispositions"] = [
        *(item for item in items if item["state"] != "promoted"),
        {**first, "reason": "slot 0"},
        {**second, "reason": "slot 2"},
    ]
    refused(case, "is not the slot next to be filled")


def test_it_refuses_an_extension_whose_ranks_are_not_the_draws():
    case = two_vacancies()
    happen(case, standing_of_all(case), 8, State.EXTENDED, "the alternates ran out")
    assert verify(case.proof, case.entries)[0] == 0
    case.proof["ranks"][6]["pid"], case.proof["ranks"][7]["pid"] = (
        case.proof["ranks"][7]["pid"],
        case.proof["ranks"][6]["pid"],
    )
    refused(case, "rank 6: pid")


def standing_of_all(case):
    standing = standing_of(case)
    for item in list(case.proof["dispositions"]):
        standing.apply(Disposition(item["rank"], State(item["state"]), item["reason"], item["at"]))
    return standing
