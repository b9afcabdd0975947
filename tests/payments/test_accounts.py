"""Accounts: their codes, and making those that are missing."""

from collections.abc import Callable
from typing import Any

import pytest

from payments.accounts import (
    AccountMismatchError,
    AccountSpec,
    ensure_accounts,
    funding_account,
    funding_code,
    member_account,
    member_code,
    owed_code,
    pool_code,
    prizes_code,
    wallet_balances,
)
from payments.models import Account
from tests.factories import alice, bob, make_user
from tests.payments.books import give


def test_codes_say_what_an_account_is_for() -> None:
    assert member_code(42, "CREDIT") == "member:42:CREDIT"
    assert pool_code("draw:1", "BDT") == "pool:draw:1:BDT"
    assert prizes_code("draw:1", "BDT") == "prizes:draw:1:BDT"
    assert owed_code("draw:1", "BDT") == "owed:draw:1:BDT"
    assert funding_code("KES") == "world:funding:KES"


def test_a_code_ends_in_its_unit() -> None:
    with pytest.raises(ValueError, match="ends in :KES"):
        AccountSpec(code="pool:x:BDT", unit="KES")


def test_it_makes_what_is_missing_and_finds_what_is_there(db: None) -> None:
    first = ensure_accounts([member_account(alice().pk, "KES"), funding_account("KES")])
    again = ensure_accounts([member_account(alice().pk, "KES"), member_account(bob().pk, "KES")])
    hers = first[member_code(alice().pk, "KES")]
    assert again[hers.code].pk == hers.pk
    assert (hers.owner_id, hers.floor, hers.is_materialised, hers.balance) == (alice().pk, 0, True, 0)
    outside = first[funding_code("KES")]
    assert (outside.owner_id, outside.floor, outside.is_materialised) == (None, None, False)
    assert Account.objects.count() == 3


def test_it_takes_few_queries_however_many(
    db: None, django_assert_max_num_queries: Callable[..., Any]
) -> None:
    specs = [member_account(make_user().pk, "KES") for _ in range(60)]
    with django_assert_max_num_queries(3):
        assert len(ensure_accounts([*specs, *specs])) == 60
    with django_assert_max_num_queries(1):
        ensure_accounts(specs)


def test_it_refuses_an_account_that_exists_as_something_else(db: None) -> None:
    ensure_accounts([AccountSpec(code="pool:x:KES", unit="KES")])
    with pytest.raises(AccountMismatchError, match="pool:x:KES"):
        ensure_accounts([AccountSpec(code="pool:x:KES", unit="KES", floor=None)])
    with pytest.raises(AccountMismatchError):
        ensure_accounts([AccountSpec(code="pool:x:KES", unit="KES", owner_id=alice().pk)])


def test_nothing_is_nothing(db: None) -> None:
    assert ensure_accounts([]) == {}


def test_wallets_are_the_persons_own_by_unit(db: None, django_assert_num_queries: Callable[..., Any]) -> None:
    give(alice(), 500)
    give(alice(), 3, "CREDIT")
    give(bob(), 9)
    ensure_accounts([AccountSpec(code="held:withdrawal:KES", unit="KES", owner_id=alice().pk)])
    user = alice()
    with django_assert_num_queries(1):
        assert wallet_balances(user) == [("CREDIT", 3), ("KES", 500)]
