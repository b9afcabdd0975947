"""What PostgreSQL refuses of the ledger when somebody goes around the code."""

import pytest
from django.core.management import call_command
from django.db import connection

from payments.models import Account, LedgerEntry, Posting
from tests.factories import alice, bob
from tests.payments.books import (
    balance,
    give,
    raw_entry,
    raw_postings,
    refused_by,
    sql,
    wallet,
    without_trigger,
    world,
)


@pytest.fixture
def hers(db: None) -> Account:
    """Alice's wallet, which holds 100 after one posting."""
    give(alice(), 100)
    sql("SET CONSTRAINTS ALL IMMEDIATE")  # a pending check would refuse TRUNCATE before the guard does
    return wallet(alice())


@pytest.fixture
def his(db: None) -> Account:
    """Bob's wallet, which holds nothing."""
    return wallet(bob())


def test_a_right_entry_by_straight_sql_passes_and_moves_the_balances(hers: Account, his: Account) -> None:
    entry = raw_entry()
    raw_postings((entry, 1, hers, -40, 60, 2), (entry, 2, his, 40, 40, 1))
    assert (balance(hers), balance(his)) == (60, 40)


def test_it_refuses_an_entry_that_does_not_balance(hers: Account, his: Account) -> None:
    entry = raw_entry()
    with refused_by("payments_posting_balanced"):
        raw_postings((entry, 1, hers, -40, 60, 2), (entry, 2, his, 41, 41, 1))


def test_it_refuses_an_entry_that_balances_only_across_units(hers: Account) -> None:
    entry, credits = raw_entry(), wallet(bob(), "CREDIT")
    with refused_by("payments_posting_balanced"):
        raw_postings((entry, 1, hers, -40, 60, 2), (entry, 2, credits, 40, 40, 1))


def test_it_refuses_two_entries_that_balance_only_together(hers: Account, his: Account) -> None:
    with refused_by("payments_posting_balanced"):
        raw_postings((raw_entry(), 1, hers, -40, 60, 2), (raw_entry(), 1, his, 40, 40, 1))


def test_it_refuses_a_posting_alone(hers: Account) -> None:
    with refused_by("payments_posting_balanced"):
        raw_postings((raw_entry(), 1, hers, 5, 105, 2))


def test_it_refuses_an_overdraft_by_straight_sql(hers: Account, his: Account) -> None:
    entry = raw_entry()
    with refused_by("payments_account_floor"):
        raw_postings((entry, 1, hers, -101, -1, 2), (entry, 2, his, 101, 101, 1))


def test_it_refuses_a_dip_below_the_floor_within_one_statement(hers: Account, his: Account) -> None:
    first, second = raw_entry(), raw_entry()
    with refused_by("payments_account_floor"):
        raw_postings(
            (first, 1, hers, -101, -1, 2),
            (first, 2, his, 101, 101, 1),
            (second, 1, his, -101, 0, 2),
            (second, 2, hers, 101, 100, 3),
        )


def test_the_floor_itself_holds_without_the_posting_trigger(hers: Account) -> None:
    off = without_trigger("payments_account_moves_by_posting", "payments_account")
    with off, refused_by("payments_account_floor"):
        sql("UPDATE payments_account SET balance = -1 WHERE id = %s", [hers.pk])


def test_it_refuses_a_second_set_of_postings_to_an_entry(hers: Account, his: Account) -> None:
    entry = raw_entry()
    raw_postings((entry, 1, hers, -40, 60, 2), (entry, 2, his, 40, 40, 1))
    with refused_by("payments_posting_entry_position"):
        raw_postings((entry, 1, hers, -40, 20, 3), (entry, 2, his, 40, 80, 2))


def test_it_refuses_a_second_set_that_counts_on_from_the_first(hers: Account, his: Account) -> None:
    entry = raw_entry()
    raw_postings((entry, 1, hers, -40, 60, 2), (entry, 2, his, 40, 40, 1))
    with refused_by("payments_posting_all_at_once"):
        raw_postings((entry, 3, hers, -40, 20, 3), (entry, 4, his, 40, 80, 2))


@pytest.mark.parametrize("wrong", [59, 61, 100])
def test_it_refuses_a_wrong_balance_after(hers: Account, his: Account, wrong: int) -> None:
    entry = raw_entry()
    with refused_by("payments_posting_runs_on"):
        raw_postings((entry, 1, hers, -40, wrong, 2), (entry, 2, his, 40, 40, 1))


def test_it_refuses_a_wrong_balance_in_the_middle(hers: Account, his: Account) -> None:
    entry = raw_entry()
    with refused_by("payments_posting_runs_on"):
        raw_postings((entry, 1, hers, -40, 61, 2), (entry, 2, hers, 10, 70, 3), (entry, 3, his, 30, 30, 1))


@pytest.mark.parametrize("version", [1, 3, 0, -1])
def test_it_refuses_a_version_used_or_skipped(hers: Account, his: Account, version: int) -> None:
    entry = raw_entry()
    with refused_by("payments_posting_account_version" if version == 1 else "payments_posting_runs_on"):
        raw_postings((entry, 1, hers, -40, 60, version), (entry, 2, his, 40, 40, 1))


def test_it_refuses_a_gap_between_two_postings(hers: Account, his: Account) -> None:
    entry = raw_entry()
    with refused_by("payments_posting_runs_on"):
        raw_postings((entry, 1, hers, -40, 60, 2), (entry, 2, hers, 10, 70, 4), (entry, 3, his, 30, 30, 1))


def test_it_refuses_a_posting_without_version_in_an_account_that_keeps_a_balance(hers: Account) -> None:
    entry = raw_entry()
    with refused_by("payments_posting_runs_on"):
        raw_postings((entry, 1, hers, 40, None, None), (entry, 2, world(), -40, None, None))


def test_it_refuses_a_version_in_an_account_that_keeps_none(hers: Account) -> None:
    entry = raw_entry()
    with refused_by("payments_posting_runs_on"):
        raw_postings((entry, 1, hers, 40, 140, 2), (entry, 2, world(), -40, -40, 1))


def test_it_refuses_a_posting_in_another_unit_than_its_account(hers: Account, his: Account) -> None:
    entry = raw_entry()
    with refused_by("payments_posting_account_fk"):
        raw_postings((entry, 1, hers, -40, 60, 2), (entry, 2, his, 40, 40, 1), unit="CREDIT")


def test_it_refuses_an_amount_of_zero(hers: Account) -> None:
    with refused_by("payments_posting_amount_not_zero"):
        raw_postings((raw_entry(), 1, hers, 0, 100, 2))


@pytest.mark.parametrize("table", ["payments_posting", "payments_ledgerentry", "payments_account"])
@pytest.mark.parametrize("statement", ["DELETE FROM {}", "TRUNCATE {} CASCADE", "UPDATE {} SET id = id"])
def test_it_refuses_to_change_or_remove_rows(hers: Account, table: str, statement: str) -> None:
    with refused_by("append-only"):
        sql(statement.format(table))


@pytest.mark.parametrize(
    "change",
    [
        "balance = balance + 1",
        "version = version + 1",
        "floor = -1000",
        "floor = NULL",
        "code = 'member:0:KES'",
        "unit = 'USD'",
        "owner_id = NULL",
        "is_materialised = false",
    ],
)
def test_it_refuses_to_change_an_account(hers: Account, change: str) -> None:
    with refused_by("append-only"):
        sql(f"UPDATE payments_account SET {change} WHERE id = {hers.pk}")


def test_it_refuses_to_change_an_account_by_upsert(hers: Account) -> None:
    with refused_by("append-only"):
        sql(
            "INSERT INTO payments_account (code, unit, floor, is_materialised, balance, version)"
            " VALUES (%s, 'KES', 0, true, 0, 0) ON CONFLICT (code) DO UPDATE SET balance = 1000000",
            [hers.code],
        )


@pytest.mark.parametrize(
    "columns",
    [
        "floor, balance, version) VALUES ('x:KES', 'KES', true, 0, 5, 0)",
        "floor, balance, version) VALUES ('x:KES', 'KES', true, 0, 0, 3)",
        "balance, version) VALUES ('x:KES', 'KES', false, 5, 0)",
    ],
)
def test_it_refuses_an_account_born_with_a_balance(db: None, columns: str) -> None:
    with refused_by("must begin empty"):
        sql(f"INSERT INTO payments_account (code, unit, is_materialised, {columns}")


def test_it_refuses_a_floor_on_an_account_that_keeps_no_balance(db: None) -> None:
    with refused_by("payments_account_sum_only"):
        sql(
            "INSERT INTO payments_account (code, unit, floor, is_materialised, balance, version)"
            " VALUES ('x:KES', 'KES', 0, false, 0, 0)"
        )


@pytest.mark.parametrize("unit", ["kes", "", "K S", "1KES", "KES\n"])
def test_it_refuses_what_is_no_unit(db: None, unit: str) -> None:
    with refused_by("payments_account_unit_code"):
        Account.objects.create(code=f"x:{unit}", unit=unit, floor=0)


def test_the_orm_is_refused_like_anybody(hers: Account) -> None:
    hers.balance = 10**9
    with refused_by("append-only"):
        hers.save()
    with refused_by("append-only"):
        Posting.objects.update(amount=1)
    with refused_by("append-only"):
        LedgerEntry.objects.update(reason="another")


def test_the_guards_can_be_taken_back_and_made_again(cloned_db: object) -> None:
    call_command("migrate", "payments", "0001", verbosity=0)
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT count(*) FROM pg_trigger WHERE tgname LIKE 'payments\\_%%' AND NOT tgisinternal", []
        )
        assert cursor.fetchone() == (0,)
    call_command("migrate", "payments", verbosity=0)
    give(alice(), 5)
    with refused_by("append-only"):
        sql("DELETE FROM payments_posting")
