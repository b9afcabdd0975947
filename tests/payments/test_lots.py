"""Bought credits are spent oldest first, gifts last; and what unused ones are worth on their way back."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from payments.lots import Move, Step, holdings, refund_amount


def bought(lot, amount):
    return Step(Move.BOUGHT, amount, lot)


def spent(amount):
    return Step(Move.OTHER, -amount)


def gift(amount):
    return Step(Move.OTHER, amount)


def test_the_oldest_purchase_is_spent_first_and_gifts_last():
    held = holdings([gift(5), bought("a", 10), bought("b", 10), spent(12)])
    assert (held.lots, held.gifts, held.total) == ({"a": 0, "b": 8}, 5, 13)


def test_gifts_are_spent_when_nothing_bought_is_left():
    held = holdings([bought("a", 10), gift(5), spent(13)])
    assert (held.lots, held.gifts) == ({"a": 0}, 2)


def test_what_is_set_aside_comes_out_of_its_own_lot_and_goes_back_there():
    steps = [bought("a", 10), bought("b", 10), Step(Move.HELD, -10, "b")]
    assert holdings(steps).lots == {"a": 10, "b": 0}
    assert holdings([*steps, spent(4), Step(Move.RELEASED, 10, "b")]).lots == {"a": 6, "b": 10}


@pytest.mark.parametrize(
    "steps",
    [[bought("a", 5), spent(6)], [bought("a", 5), spent(2), Step(Move.HELD, -4, "a")], [gift(3), spent(4)]],
)
def test_more_than_there_is_can_not_have_gone(steps):
    with pytest.raises(ValueError, match=r"held|spent"):
        holdings(steps)


@given(st.lists(st.tuples(st.sampled_from(["buy", "gift", "spend"]), st.integers(1, 50)), max_size=40))
def test_it_agrees_with_credits_that_are_moved_one_by_one(acts):
    """The slow, obvious way: a queue of single credits, bought ones before gifts."""
    steps, queue, lot = [], [], 0
    for act, amount in acts:
        if act == "buy":
            lot += 1
            steps.append(bought(str(lot), amount))
            queue += [str(lot)] * amount
        elif act == "gift":
            steps.append(gift(amount))
            queue += [""] * amount
        else:
            amount = min(amount, len(queue))
            if not amount:
                continue
            steps.append(spent(amount))
            for _each in range(amount):
                oldest = next((one for one in queue if one), "")
                queue.remove(oldest)
    held = holdings(steps)
    assert held.gifts == queue.count("")
    assert {name: count for name, count in held.lots.items() if count} == {
        name: queue.count(name) for name in set(queue) if name
    }


def test_the_first_designs_own_example_never_pays_back_more_than_was_paid():
    """Fifty credits were sold for KES 400; at KES 10 each they would come to 500."""
    assert refund_amount(unused=50, credits=50, price=40_000, currency="KES") == 40_000
    assert refund_amount(unused=10, credits=50, price=40_000, currency="KES") == 8_000
    assert refund_amount(unused=10, credits=50, price=100_000, currency="KES") == 10_000  # KES 10.00 each
    assert refund_amount(unused=10, credits=50, price=40_000, currency="KES", going_back=35_000) == 5_000


@given(st.integers(1, 1_000), st.integers(1, 10**9), st.data())
def test_refunds_together_never_exceed_what_was_paid(credits, price, data):
    left, gone = credits, 0
    while left:
        part = data.draw(st.integers(1, left))
        gone += refund_amount(unused=part, credits=credits, price=price, currency="CAD", going_back=gone)
        left -= part
    assert gone <= price
