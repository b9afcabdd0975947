"""Who holds which prize: nobody moves, nobody is passed over without a reason."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from draws.slots import (
    Assignment,
    Disposition,
    SlotError,
    Standing,
    State,
    assign_slots,
    execution_dispositions,
    expand_prizes,
    ranks_due,
)

AT = "2026-12-01T09:00:00Z"
OTHER = "0b0b0b0b-1111-4222-8333-444444444444"


def said(rank, state, reason="because"):
    return Disposition(rank, State(state), reason, AT)


def standing(*, slots=2, ranks=6, entries=10, skipped=()):
    assignments = assign_slots(prizes=["prize"] * slots, ranks=ranks, skipped=skipped)
    return Standing(assignments=assignments, ranks=ranks, entries=entries, skipped=skipped)


def test_prizes_expand_in_their_order():
    assert expand_prizes([("gold", 1), ("silver", 2), ("bronze", 1)]) == [
        "gold",
        "silver",
        "silver",
        "bronze",
    ]


@pytest.mark.parametrize(("entries", "due"), [(100, 8), (8, 8), (7, 7), (1, 1)])
def test_as_many_ranks_are_due_as_slots_and_alternates_or_entries(entries, due):
    assert ranks_due(slots=5, alternates=3, entries=entries) == due


def test_slots_go_to_the_first_usable_ranks():
    assert assign_slots(prizes=["gold", "silver", "silver"], ranks=6, skipped={0, 2}) == [
        Assignment(0, "gold", 1),
        Assignment(1, "silver", 3),
        Assignment(2, "silver", 4),
    ]


def test_slots_without_a_rank_stay_vacant():
    slots = assign_slots(prizes=["gold", "silver", "silver"], ranks=3, skipped={1})
    assert [slot.rank for slot in slots] == [0, 2, None]


def test_what_was_skipped_at_execution_is_said_in_order_and_why():
    found = execution_dispositions(
        excluded={4: OTHER, 1: OTHER}, disqualified={2: "under age", 4: "x"}, at=AT
    )
    assert [item.as_json() for item in found] == [
        {"rank": 1, "state": "excluded", "reason": f"winner of draw {OTHER}", "at": AT},
        {"rank": 2, "state": "disqualified", "reason": "under age", "at": AT},
        {"rank": 4, "state": "excluded", "reason": f"winner of draw {OTHER}", "at": AT},
    ]


@pytest.mark.parametrize("state", ["declined", "forfeited", "disqualified"])
def test_a_vacancy_goes_to_the_next_unused_rank_and_nobody_else_moves(state):
    now = standing(skipped={2})
    assert now.next_promotion() is None
    now.apply(said(0, state))
    assert now.next_promotion() == (0, 3)
    assert [item.as_json() for item in now.promotions(at=AT)] == [
        {"rank": 3, "state": "promoted", "reason": "slot 0", "at": AT}
    ]
    assert now.holders == {0: 3, 1: 1}


def test_a_promoted_winner_can_lose_the_slot_as_well():
    now = standing()
    for rank in (0, 2, 3):
        now.apply(said(rank, "declined"))
        list(now.promotions(at=AT))
    assert now.holders == {0: 4, 1: 1}


def test_slots_are_filled_in_the_order_in_which_they_fell_vacant():
    now = standing(slots=3)
    now.apply(said(2, "declined"))
    now.apply(said(0, "declined"))
    with pytest.raises(SlotError, match="not next for slot 0"):
        now.apply(said(3, "promoted", "slot 0"))
    list(now.promotions(at=AT))
    assert now.holders == {0: 4, 1: 1, 2: 3}


def test_a_rank_disqualified_before_it_won_is_passed_over():
    now = standing()
    now.apply(said(2, "disqualified"))
    now.apply(said(0, "forfeited"))
    assert now.next_promotion() == (0, 3)


def test_without_a_rank_left_the_slot_waits_for_an_extension():
    now = standing(slots=2, ranks=2)
    now.apply(said(1, "forfeited"))
    assert now.next_promotion() is None
    assert now.holders == {0: 0, 1: None}
    now.apply(said(4, "extended"))
    now.apply(said(2, "excluded"))
    assert [item.rank for item in now.promotions(at=AT)] == [3]
    assert now.holders == {0: 0, 1: 3}


@pytest.mark.parametrize("ranks", [5, 6, 11, -1])
def test_an_extension_goes_beyond_the_ranks_but_not_beyond_the_entries(ranks):
    with pytest.raises(SlotError, match="cannot be extended"):
        standing(ranks=6, entries=10).apply(said(ranks, "extended"))


@pytest.mark.parametrize(
    ("disposition", "message"),
    [
        (said(6, "disqualified"), "was not drawn"),
        (said(-1, "declined"), "was not drawn"),
        (said(3, "declined"), "holds no slot"),
        (said(3, "forfeited"), "holds no slot"),
        (said(0, "excluded"), "holds a slot"),
        (said(2, "promoted", "slot 0"), "is not next"),
        (said(5, "excluded"), "has left the draw"),
        (said(2, "disqualified", ""), "without a reason"),
        (said(7, "extended", ""), "without a reason"),
    ],
)
def test_it_refuses_what_does_not_fit_and_changes_nothing(disposition, message):
    now = standing(skipped={5})
    before = dict(now.holders)
    with pytest.raises(SlotError, match=message):
        now.apply(disposition)
    assert (now.holders, now.ranks, now.next_promotion()) == (before, 6, None)


def test_nobody_loses_a_prize_twice():
    now = standing()
    now.apply(said(0, "forfeited"))
    with pytest.raises(SlotError, match="has left the draw"):
        now.apply(said(0, "disqualified"))


@given(st.lists(st.integers(0, 11), max_size=30), st.sets(st.integers(0, 11)), st.integers(1, 4))
def test_whatever_happens_no_two_slots_share_a_rank_and_no_winner_moves(losers, skipped, slots):
    now = standing(slots=slots, ranks=12, entries=12, skipped=skipped)
    for rank in losers:
        before = dict(now.holders)
        try:
            now.apply(said(rank, "disqualified"))
        except SlotError:
            assert now.holders == before
            continue
        list(now.promotions(at=AT))
        held = [holder for holder in now.holders.values() if holder is not None]
        assert len(set(held)) == len(held)
        assert not set(held) & skipped
        moved = [slot for slot, holder in now.holders.items() if holder != before[slot]]
        assert all(before[slot] in (rank, None) for slot in moved)
