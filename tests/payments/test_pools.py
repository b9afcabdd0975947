"""Pools of prize money, from funding to the last leftover."""

import uuid
from collections.abc import Callable
from typing import Any

import pytest

from audit.models import Record
from payments.accounts import wallet_balances
from payments.checking import check_ledger
from payments.ledger import IdempotencyConflictError, InsufficientFundsError
from payments.models import LedgerEntry
from payments.pools import (
    PoolBalance,
    PrizePayment,
    ReasonRequiredError,
    fund_pool,
    pay_owed,
    pay_prizes,
    pool_balances,
    release_prizes,
    reserve_prizes,
    return_leftover,
    withdraw_owed,
)
from tests.factories import admin, alice, bob, make_user
from tests.payments.books import NOW, key

POOL = f"draw:{uuid.UUID(int=7)}"


def fund(amount: int = 1_000, *, pool: str = POOL, unit: str = "BDT", **fields: Any) -> LedgerEntry:
    values = {"by": admin(), "reason": "Sponsor's cheque", "idem_key": key(), "now": NOW} | fields
    return fund_pool(pool=pool, unit=unit, amount=amount, **values)


def reserve(amount: int) -> LedgerEntry:
    return reserve_prizes(pool=POOL, unit="BDT", amount=amount, idem_key=key(), by=admin(), now=NOW)


def prize(amount: int, member_id: int | None, **fields: Any) -> PrizePayment:
    values = {"idem_key": key(), "unit": "BDT", "about": "draws.award:1"} | fields
    return PrizePayment(amount=amount, member_id=member_id, **values)


@pytest.fixture
def pool(db: None) -> str:
    """A pool of 1,000 minor units of BDT, of which 600 are reserved."""
    fund(1_000)
    reserve(600)
    return POOL


def balances() -> PoolBalance:
    return pool_balances(POOL)["BDT"]


def test_funding_brings_money_in_and_is_in_the_trail(db: None) -> None:
    entry = fund(1_000, reason="  Sponsor's cheque ")
    assert balances() == PoolBalance(free=1_000)
    record = Record.objects.get()
    assert (record.actor, record.action, record.target, record.at) == (
        admin(),
        "pool.funded",
        f"pool:{POOL}",
        NOW,
    )
    assert record.data == {
        "pool": POOL,
        "unit": "BDT",
        "amount": 1_000,
        "reason": "Sponsor's cheque",
        "entry": str(entry.public_id),
    }


def test_funding_twice_with_one_key_is_done_and_recorded_once(db: None) -> None:
    first = fund(idem_key="fund:1")
    assert fund(idem_key="fund:1").pk == first.pk
    assert balances().free == 1_000
    assert Record.objects.count() == 1


def test_funding_needs_a_reason(db: None) -> None:
    with pytest.raises(ReasonRequiredError):
        fund(reason="  ")
    assert LedgerEntry.objects.count() == 0


@pytest.mark.parametrize("amount", [0, -5])
def test_an_amount_is_above_zero(db: None, amount: int) -> None:
    with pytest.raises(ValueError, match="at least 1"):
        fund(amount)
    with pytest.raises(ValueError, match="at least 1"):
        reserve(amount)


def test_no_more_is_reserved_than_is_free(pool: str) -> None:
    with pytest.raises(InsufficientFundsError) as caught:
        reserve(401)
    assert (caught.value.account, caught.value.balance, caught.value.needed) == (f"pool:{POOL}:BDT", 400, 401)


def test_released_prizes_are_free_again(pool: str) -> None:
    release_prizes(pool=pool, unit="BDT", amount=250, idem_key=key(), by=admin(), now=NOW)
    assert balances() == PoolBalance(free=650, reserved=350)


def test_prizes_go_to_wallets_and_are_kept_for_those_without(pool: str) -> None:
    payments = [prize(300, alice().pk), prize(200, None), prize(100, alice().pk)]
    entries = pay_prizes(pool=pool, payments=payments, now=NOW)
    assert [entry.kind for entry in entries] == ["prize.paid", "prize.owed", "prize.paid"]
    assert [entry.idem_key for entry in entries] == [payment.idem_key for payment in payments]
    assert wallet_balances(alice()) == [("BDT", 400)]
    assert balances() == PoolBalance(free=400, reserved=0, owed=200)


def test_prizes_are_paid_once(pool: str) -> None:
    payments = [prize(300, alice().pk), prize(200, None)]
    first = pay_prizes(pool=pool, payments=payments, now=NOW)
    again = pay_prizes(pool=pool, payments=[*payments, prize(50, bob().pk)], now=NOW)
    assert [entry.pk for entry in again[:2]] == [entry.pk for entry in first]
    assert balances() == PoolBalance(free=400, reserved=50, owed=200)


def test_prizes_beyond_what_is_reserved_are_not_paid_even_in_part(pool: str) -> None:
    with pytest.raises(InsufficientFundsError) as caught:
        pay_prizes(pool=pool, payments=[prize(400, alice().pk), prize(201, bob().pk)], now=NOW)
    assert caught.value.account == f"prizes:{POOL}:BDT"
    assert balances() == PoolBalance(free=400, reserved=600)
    assert wallet_balances(alice()) in ([], [("BDT", 0)])


def test_prizes_in_several_units_are_paid_together(pool: str) -> None:
    fund(50, unit="CREDIT")
    reserve_prizes(pool=pool, unit="CREDIT", amount=50, idem_key=key(), by=admin(), now=NOW)
    pay_prizes(pool=pool, payments=[prize(600, alice().pk), prize(50, alice().pk, unit="CREDIT")], now=NOW)
    assert wallet_balances(alice()) == [("BDT", 600), ("CREDIT", 50)]


def test_many_prizes_take_no_more_queries_than_a_few(
    pool: str, django_assert_max_num_queries: Callable[..., Any]
) -> None:
    people = [make_user().pk for _ in range(100)]
    with django_assert_max_num_queries(6) as few:
        pay_prizes(pool=pool, payments=[prize(1, pk) for pk in people[:3]], now=NOW)
    with django_assert_max_num_queries(len(few)):
        pay_prizes(pool=pool, payments=[prize(1, pk) for pk in people[3:]], now=NOW)


def test_no_prizes_at_all_are_nothing(pool: str) -> None:
    assert pay_prizes(pool=pool, payments=[], now=NOW) == []


def test_what_is_owed_is_paid_on_claim_and_once(pool: str) -> None:
    pay_prizes(pool=pool, payments=[prize(200, None)], now=NOW)
    claim = {
        "pool": pool,
        "idem_key": "claim:1",
        "unit": "BDT",
        "amount": 200,
        "about": "draws.award:1",
        "now": NOW,
    }
    assert pay_owed(member_id=bob().pk, **claim).is_new
    assert not pay_owed(member_id=bob().pk, **claim).is_new
    with pytest.raises(IdempotencyConflictError):
        pay_owed(member_id=alice().pk, **claim)
    assert wallet_balances(bob()) == [("BDT", 200)]
    assert balances().owed == 0


@pytest.mark.parametrize(
    ("into", "left"),
    [("reserved", PoolBalance(free=400, reserved=600)), ("free", PoolBalance(free=600, reserved=400))],
)
def test_what_was_forfeited_goes_back(pool: str, into: Any, left: PoolBalance) -> None:
    pay_prizes(pool=pool, payments=[prize(200, None)], now=NOW)
    withdraw_owed(
        pool=pool,
        idem_key=key(),
        unit="BDT",
        amount=200,
        about="draws.award:1",
        now=NOW,
        into=into,
        by=admin(),
    )
    assert balances() == left


def test_all_that_is_free_is_returned_and_what_is_promised_stays(pool: str) -> None:
    entry = return_leftover(
        pool=pool, unit="BDT", by=admin(), reason="Draw is over", idem_key="left:1", now=NOW
    )
    assert entry is not None
    assert entry.is_new
    assert balances() == PoolBalance(free=0, reserved=600)
    record = Record.objects.get(action="pool.leftover_returned")
    assert (record.data["amount"], record.data["reason"]) == (400, "Draw is over")


def test_returning_everything_twice_is_done_once_even_when_money_came_between(pool: str) -> None:
    values = {
        "pool": pool,
        "unit": "BDT",
        "by": None,
        "reason": "Draw is over",
        "idem_key": "left:1",
        "now": NOW,
    }
    first = return_leftover(**values)
    fund(30)
    again = return_leftover(**values)
    assert first is not None
    assert again is not None
    assert (again.pk, again.is_new) == (first.pk, False)
    assert balances().free == 30
    assert Record.objects.filter(action="pool.leftover_returned").count() == 1


def test_a_part_can_be_returned_and_no_more_than_is_free(pool: str) -> None:
    values = {"pool": pool, "unit": "BDT", "by": admin(), "reason": "Paid too much", "now": NOW}
    return_leftover(amount=150, idem_key=key(), **values)
    assert balances().free == 250
    with pytest.raises(InsufficientFundsError):
        return_leftover(amount=251, idem_key=key(), **values)


def test_nothing_left_is_nothing_returned(pool: str) -> None:
    values = {"pool": pool, "unit": "BDT", "by": None, "reason": "Draw is over", "now": NOW}
    return_leftover(idem_key=key(), **values)
    assert return_leftover(idem_key=key(), **values) is None


def test_returning_needs_a_reason(pool: str) -> None:
    with pytest.raises(ReasonRequiredError):
        return_leftover(pool=pool, unit="BDT", by=admin(), reason="", idem_key=key(), now=NOW)


def test_returning_everything_with_a_key_of_something_else_is_refused(pool: str) -> None:
    fund(10, idem_key="fund:9")
    with pytest.raises(IdempotencyConflictError):
        return_leftover(pool=pool, unit="BDT", by=admin(), reason="Over", idem_key="fund:9", now=NOW)


def test_a_pool_sees_only_its_own_accounts(pool: str, django_assert_num_queries: Callable[..., Any]) -> None:
    fund(5, pool=f"{POOL}:extra")
    fund(7, pool=f"{POOL}0")
    fund(9, unit="CREDIT")
    with django_assert_num_queries(1):
        assert pool_balances(POOL) == {
            "BDT": PoolBalance(free=400, reserved=600),
            "CREDIT": PoolBalance(free=9),
        }
    assert pool_balances("draw:unknown") == {}


def test_two_people_who_return_everything_at_once_return_it_once(
    cloned_db: object, parallel: Callable[..., Any]
) -> None:
    fund(1_000)
    values = {"pool": POOL, "unit": "BDT", "by": None, "reason": "Over", "now": NOW}
    same = parallel(lambda: return_leftover(idem_key="left:1", **values), 4)
    assert same.errors == []
    assert sum(entry.is_new for entry in same.results) == 1
    fund(300)
    other = parallel(lambda turn: return_leftover(idem_key=f"left:other:{turn}", **values), 4)
    assert other.errors == []
    assert sum(entry is not None for entry in other.results) == 1
    assert balances() == PoolBalance()
    assert check_ledger() == []
