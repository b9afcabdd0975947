"""`post` and `post_many`: what they write, what they refuse, what a repeat does."""

import dataclasses

import pytest
from django.db import connection, transaction
from django.test.utils import CaptureQueriesContext

from payments.accounts import ensure_accounts, member_account
from payments.checking import check_ledger
from payments.ledger import (
    IdempotencyConflictError,
    InsufficientFundsError,
    Leg,
    UnbalancedEntryError,
    post,
    post_many,
)
from payments.models import Account, LedgerEntry, Posting
from tests.factories import admin, alice, bob, make_user
from tests.payments.books import NOW, balance, give, key, move, spec, wallet, world

pytestmark = pytest.mark.django_db


def test_it_posts_an_entry_with_running_balances() -> None:
    give(alice(), 500)
    entry = move(wallet(alice()), wallet(bob()), 120, kind="gift.sent", reason="Thanks", actor=admin())
    assert entry.is_new
    stored = LedgerEntry.objects.get(pk=entry.pk)
    assert (stored.kind, stored.reason, stored.actor, stored.created_at) == (
        "gift.sent",
        "Thanks",
        admin(),
        NOW,
    )
    assert stored.public_id == entry.public_id
    postings = Posting.objects.filter(entry=entry).order_by("position")
    assert list(postings.values_list("account__code", "amount", "balance_after", "version", "unit")) == [
        (wallet(alice()).code, -120, 380, 2, "KES"),
        (wallet(bob()).code, 120, 120, 1, "KES"),
    ]


def test_an_account_that_keeps_no_balance_stays_as_it_is() -> None:
    give(alice(), 500)
    outside = Account.objects.get(pk=world().pk)
    assert (outside.balance, outside.version) == (0, 0)
    posting = Posting.objects.get(account=outside)
    assert (posting.amount, posting.balance_after, posting.version) == (-500, None, None)


def test_one_entry_may_move_several_units() -> None:
    shillings, credits = wallet(alice()), wallet(alice(), "CREDIT")
    legs = [Leg(world(), -400), Leg(shillings, 400), Leg(world("CREDIT"), -50), Leg(credits, 50)]
    post(idem_key=key(), kind="test.both", legs=legs, about="tests.case:1", actor=None, now=NOW)
    assert (balance(shillings), balance(credits)) == (400, 50)


def test_one_account_may_stand_in_an_entry_twice() -> None:
    give(alice(), 100)
    legs = [Leg(wallet(alice()), -30), Leg(wallet(alice()), -20), Leg(wallet(bob()), 50)]
    post(idem_key=key(), kind="test.split", legs=legs, about="tests.case:1", actor=None, now=NOW)
    assert balance(wallet(alice())) == 50
    assert wallet(alice()).version == 3


@pytest.mark.parametrize("amounts", [(-10, 11), (-10, -10), (10,)])
def test_it_refuses_an_entry_that_does_not_balance(amounts: tuple[int, ...]) -> None:
    accounts = [world(), wallet(alice())]
    with pytest.raises(UnbalancedEntryError, match="KES sum to"):
        spec(*zip(accounts, amounts, strict=False))


def test_it_refuses_an_entry_that_balances_only_across_units() -> None:
    with pytest.raises(UnbalancedEntryError, match="does not balance"):
        spec((world(), -5), (wallet(alice(), "CREDIT"), 5))


def test_it_refuses_an_entry_without_legs() -> None:
    with pytest.raises(UnbalancedEntryError, match="no legs"):
        post(idem_key=key(), kind="test.none", legs=[], about="tests.case:1", actor=None, now=NOW)


@pytest.mark.parametrize("amount", [0, 1.0, True, "5", 2**53, None])
def test_a_leg_is_a_whole_number_other_than_zero(amount: object) -> None:
    with pytest.raises(ValueError, match="is not an amount"):
        Leg(Account(), amount)


def test_it_refuses_an_overdraft_and_says_what_is_missing() -> None:
    give(alice(), 70)
    with pytest.raises(InsufficientFundsError) as caught:
        move(wallet(alice()), wallet(bob()), 100)
    error = caught.value
    assert (error.account, error.balance, error.needed) == (wallet(alice()).code, 70, 100)
    assert (balance(wallet(alice())), balance(wallet(bob()))) == (70, 0)
    assert LedgerEntry.objects.count() == 1


def test_the_last_minor_unit_may_be_spent() -> None:
    give(alice(), 70)
    move(wallet(alice()), wallet(bob()), 70)
    assert balance(wallet(alice())) == 0


def test_a_refusal_leaves_the_callers_transaction_usable() -> None:
    give(alice(), 70)
    with transaction.atomic():
        with pytest.raises(InsufficientFundsError):
            move(wallet(alice()), wallet(bob()), 100)
        move(wallet(alice()), wallet(bob()), 60)
    assert balance(wallet(alice())) == 10


def test_a_stale_account_object_does_no_harm() -> None:
    stale = wallet(alice())
    give(alice(), 70)
    move(stale, wallet(bob()), 20)
    move(stale, wallet(bob()), 20)
    assert balance(stale) == 30


def test_a_repeat_returns_the_first_entry_and_moves_nothing() -> None:
    first = give(alice(), 70, idem_key="gift:1")
    again = give(alice(), 70, idem_key="gift:1", actor=admin(), now=NOW.replace(year=2027))
    assert again.pk == first.pk
    assert (first.is_new, again.is_new) == (True, False)
    assert (again.created_at, again.actor, again.public_id) == (NOW, None, first.public_id)
    assert balance(wallet(alice())) == 70


def test_a_repeat_succeeds_even_when_the_money_is_gone() -> None:
    give(alice(), 70)
    move(wallet(alice()), wallet(bob()), 70, idem_key="gift:1")
    assert not move(wallet(alice()), wallet(bob()), 70, idem_key="gift:1").is_new


def test_the_order_of_legs_is_no_other_content() -> None:
    legs = [Leg(world(), -5), Leg(wallet(alice()), 5)]
    values = {"idem_key": "gift:1", "kind": "test.moved", "about": "a", "actor": None, "now": NOW}
    first = post(legs=legs, **values)
    assert post(legs=legs[::-1], **values).pk == first.pk


@pytest.mark.parametrize(
    "other",
    [{"amount": 71}, {"kind": "test.other"}, {"about": "tests.case:2"}, {"reason": "Other"}, {"unit": "USD"}],
)
def test_it_refuses_a_known_key_with_another_content(other: dict[str, object]) -> None:
    give(alice(), 70, idem_key="gift:1")
    with pytest.raises(IdempotencyConflictError, match="gift:1") as caught:
        give(alice(), **{"amount": 70, "idem_key": "gift:1"} | other)
    assert caught.value.idem_key == "gift:1"
    assert balance(wallet(alice())) == 70


def test_it_refuses_a_known_key_for_another_account() -> None:
    give(alice(), 70, idem_key="gift:1")
    with pytest.raises(IdempotencyConflictError):
        give(bob(), 70, idem_key="gift:1")


def test_a_key_is_free_again_after_a_refusal() -> None:
    with pytest.raises(InsufficientFundsError):
        move(wallet(alice()), wallet(bob()), 5, idem_key="gift:1")
    give(alice(), 5)
    assert move(wallet(alice()), wallet(bob()), 5, idem_key="gift:1").is_new


def test_it_keeps_what_is_odd_in_a_text() -> None:
    odd = 'He said "10 % {off}", \\o/ NULL\n\u0995 ’; DROP TABLE'
    entry = give(alice(), 5, idem_key=f"k:{odd}", reason=odd, about=odd)
    stored = LedgerEntry.objects.get(pk=entry.pk)
    assert (stored.idem_key, stored.reason, stored.about) == (f"k:{odd}", odd, odd)
    assert not give(alice(), 5, idem_key=f"k:{odd}", reason=odd, about=odd).is_new


# Many at once


def test_it_posts_thousands_at_once_with_one_account_in_all_of_them() -> None:
    people = [make_user() for _ in range(50)]
    made = ensure_accounts([member_account(person.pk, "KES") for person in people])
    wallets = list(made.values())
    pot = wallet(alice())
    give(alice(), 1_000_000)
    specs = [spec((pot, -(n % 7) - 1), (wallets[n % 50], (n % 7) + 1)) for n in range(5_000)]
    entries = post_many(specs, now=NOW)
    assert [entry.idem_key for entry in entries] == [each.idem_key for each in specs]
    assert all(entry.is_new for entry in entries)
    assert len({entry.pk for entry in entries}) == 5_000
    paid = sum((n % 7) + 1 for n in range(5_000))
    assert balance(pot) == 1_000_000 - paid
    assert sum(balance(each) for each in wallets) == paid
    assert Account.objects.get(pk=pot.pk).version == 5_001
    assert check_ledger() == []


def test_many_take_as_few_statements_as_one() -> None:
    give(alice(), 1_000)
    pair = wallet(alice()), wallet(bob())
    with CaptureQueriesContext(connection) as one:
        move(*pair, 1)
    with CaptureQueriesContext(connection) as many:
        post_many([spec((pair[0], -1), (pair[1], 1)) for _ in range(300)], now=NOW)
    assert len(many) == len(one) <= 3  # a savepoint around one call


def test_many_have_the_effect_of_one_after_another() -> None:
    give(alice(), 100)
    hers, his = wallet(alice()), wallet(bob())
    entries = post_many(
        [spec((hers, -100), (his, 100)), spec((his, -60), (hers, 60)), spec((hers, -1), (his, 1))], now=NOW
    )
    after = Posting.objects.filter(entry__in=entries, account=hers).order_by("version")
    assert list(after.values_list("entry", "balance_after")) == [
        (entries[0].pk, 0),
        (entries[1].pk, 60),
        (entries[2].pk, 59),
    ]


def test_many_are_refused_where_one_after_another_would_be() -> None:
    give(alice(), 100)
    hers, his = wallet(alice()), wallet(bob())
    with pytest.raises(InsufficientFundsError) as caught:  # the second is covered only by the third
        post_many(
            [spec((hers, -70), (his, 70)), spec((hers, -40), (his, 40)), spec((his, -50), (hers, 50))],
            now=NOW,
        )
    assert (caught.value.account, caught.value.balance, caught.value.needed) == (hers.code, 30, 40)
    assert (balance(hers), balance(his)) == (100, 0)


def test_many_with_some_keys_known_post_only_the_others() -> None:
    give(alice(), 100)
    hers, his = wallet(alice()), wallet(bob())
    specs = [spec((hers, -10), (his, 10)) for _ in range(6)]
    first = post_many(specs[1:4], now=NOW)
    entries = post_many(specs, now=NOW)
    assert [entry.is_new for entry in entries] == [True, False, False, False, True, True]
    assert [entry.pk for entry in entries[1:4]] == [entry.pk for entry in first]
    assert balance(hers) == 40
    assert not any(entry.is_new for entry in post_many(specs, now=NOW))
    assert balance(hers) == 40


def test_many_may_hold_the_same_entry_twice() -> None:
    give(alice(), 100)
    one = spec((wallet(alice()), -10), (wallet(bob()), 10))
    entries = post_many([one, one], now=NOW)
    assert entries[0].pk == entries[1].pk
    assert balance(wallet(alice())) == 90


def test_many_with_one_key_for_two_contents_are_refused() -> None:
    give(alice(), 100)
    one = spec((wallet(alice()), -10), (wallet(bob()), 10))
    with pytest.raises(IdempotencyConflictError):
        post_many([one, dataclasses.replace(one, about="tests.case:2")], now=NOW)


def test_a_conflict_among_many_posts_none_of_them() -> None:
    give(alice(), 100)
    hers, his = wallet(alice()), wallet(bob())
    move(hers, his, 5, idem_key="gift:1")
    with pytest.raises(IdempotencyConflictError, match="gift:1"):
        post_many([spec((hers, -10), (his, 10)), spec((hers, -6), (his, 6), idem_key="gift:1")], now=NOW)
    assert balance(hers) == 95


def test_many_may_be_none() -> None:
    assert post_many([], now=NOW) == []


def test_ten_thousand_plans_for_two_legs_do_not_spoil_the_plan_for_many() -> None:
    give(alice(), 1_000_000)
    people = ensure_accounts([member_account(make_user().pk, "KES") for _ in range(300)])
    for _ in range(12):  # PostgreSQL settles on a plan for any arrays after a few calls
        move(wallet(alice()), wallet(bob()), 1)
    legs = [(wallet(alice()), -300), *((each, 1) for each in people.values())]
    with connection.cursor() as cursor:
        cursor.execute("SHOW enable_nestloop")
        assert cursor.fetchone() == ("on",)  # the function's own setting does not leak
    entries = post_many([spec(*legs) for _ in range(20)], now=NOW)
    assert len(entries) == 20
    assert {each.balance for each in Account.objects.filter(pk__in=[a.pk for a in people.values()])} == {20}
