"""`check_ledger` finds what was done to the ledger with its guards switched off."""

import io
from collections.abc import Callable

import pytest
from django.core.management import call_command

from payments.checking import check_ledger
from tests.factories import alice, bob
from tests.payments.books import give, move, raw_entry, sql, wallet, world


@pytest.fixture
def books(db: None) -> None:
    """Alice got 500 and gave 120 and 80 of it to Bob."""
    give(alice(), 500)
    move(wallet(alice()), wallet(bob()), 120, idem_key="gift:1")
    move(wallet(alice()), wallet(bob()), 80, idem_key="gift:2")


@pytest.fixture
def unguarded(books: None) -> Callable[..., None]:
    """Straight SQL with every trigger of ours off and the constraints gone: a forger who owns the tables."""
    sql("SET CONSTRAINTS ALL IMMEDIATE")
    for table in ("payments_account", "payments_ledgerentry", "payments_posting"):
        sql(f"ALTER TABLE {table} DISABLE TRIGGER USER")
    sql("ALTER TABLE payments_account DROP CONSTRAINT payments_account_floor")
    for constraint in ("account_fk", "entry_fk", "account_version", "entry_position", "version_with_balance"):
        sql(f"ALTER TABLE payments_posting DROP CONSTRAINT payments_posting_{constraint}")
    return sql


def found() -> dict[str, list[tuple[str, str, str]]]:
    """The differences by what they are."""
    result: dict[str, list[tuple[str, str, str]]] = {}
    for each in check_ledger():
        result.setdefault(each.what, []).append((each.subject, each.expected, each.found))
    return result


def test_a_ledger_that_was_only_posted_to_is_whole(books: None) -> None:
    assert check_ledger() == []


def test_it_is_one_query_however_large_the_ledger(
    books: None, django_assert_num_queries: Callable[..., object]
) -> None:
    with django_assert_num_queries(1):
        check_ledger()


def test_it_finds_a_balance_that_was_raised(unguarded: Callable[..., None]) -> None:
    unguarded("UPDATE payments_account SET balance = balance + 1 WHERE code = %s", [wallet(bob()).code])
    assert found() == {"balance is not the sum of the postings": [(wallet(bob()).code, "200", "201")]}


def test_it_finds_an_invented_balance_on_an_account_without_postings(unguarded: Callable[..., None]) -> None:
    unguarded(
        "INSERT INTO payments_account (code, unit, floor, is_materialised, balance, version)"
        " VALUES ('member:9:KES', 'KES', 0, true, 7, 1)"
    )
    assert found() == {
        "balance is not the sum of the postings": [("member:9:KES", "0", "7")],
        "version is not the number of postings": [("member:9:KES", "0", "1")],
    }


def test_it_finds_a_version_that_was_changed(unguarded: Callable[..., None]) -> None:
    unguarded("UPDATE payments_account SET version = 9 WHERE code = %s", [wallet(bob()).code])
    assert found() == {"version is not the number of postings": [(wallet(bob()).code, "2", "9")]}


def test_it_finds_a_changed_amount(unguarded: Callable[..., None]) -> None:
    unguarded("UPDATE payments_posting SET amount = 121 WHERE amount = 120")
    differences = found()
    assert differences["entry does not balance"] == [("gift:1 in KES", "0", "1")]
    assert differences["balance is not the sum of the postings"] == [(wallet(bob()).code, "201", "200")]
    assert differences["running balance is wrong"] == [(f"{wallet(bob()).code} posting 1", "121", "120")]


def test_it_finds_a_changed_running_balance(unguarded: Callable[..., None]) -> None:
    unguarded("UPDATE payments_posting SET balance_after = 999 WHERE amount = 120")
    assert found() == {"running balance is wrong": [(f"{wallet(bob()).code} posting 1", "120", "999")]}


def test_it_finds_a_posting_that_was_deleted(unguarded: Callable[..., None]) -> None:
    unguarded("DELETE FROM payments_posting WHERE amount = 120")
    differences = found()
    assert differences["postings are not numbered without a gap"] == [
        (wallet(bob()).code, "1 to 1", "1 numbers from 2 to 2")
    ]
    assert differences["entry does not balance"] == [("gift:1 in KES", "0", "-120")]
    assert differences["balance is not the sum of the postings"] == [(wallet(bob()).code, "80", "200")]


def test_it_finds_an_entry_whose_postings_are_gone(unguarded: Callable[..., None]) -> None:
    unguarded(
        "DELETE FROM payments_posting WHERE entry_id = (SELECT id FROM payments_ledgerentry WHERE idem_key = 'gift:2')"
    )
    assert found()["entry has no postings"] == [("gift:2", "2 or more", "0")]


def test_it_finds_an_entry_that_never_had_postings(books: None) -> None:
    raw_entry()
    assert list(found()) == ["entry has no postings"]


def test_it_finds_a_leg_that_was_deleted_together_with_its_opposite_amount(
    unguarded: Callable[..., None],
) -> None:
    unguarded("UPDATE payments_posting SET position = position + 1 WHERE abs(amount) = 80")
    assert found() == {"legs of an entry are missing": [("gift:2", "1 to 3", "2")]}


def test_it_finds_a_balance_that_was_below_the_floor(unguarded: Callable[..., None]) -> None:
    hers, his = wallet(alice()).pk, wallet(bob()).pk
    entry = raw_entry()
    unguarded(
        "INSERT INTO payments_posting (entry_id, position, account_id, unit, amount, balance_after, version) VALUES"
        " (%s, 1, %s, 'KES', -400, -100, 4), (%s, 2, %s, 'KES', 400, 600, 3)",
        [entry, hers, entry, his],
    )
    unguarded("UPDATE payments_account SET balance = -100, version = 4 WHERE id = %s", [hers])
    unguarded("UPDATE payments_account SET balance = 600, version = 3 WHERE id = %s", [his])
    assert found() == {
        "balance was below the floor": [(f"{wallet(alice()).code} posting 4", "0 or more", "-100")]
    }


def test_it_finds_a_posting_in_another_unit(unguarded: Callable[..., None]) -> None:
    unguarded("UPDATE payments_posting SET unit = 'USD' WHERE abs(amount) = 80")
    what = "postings in another unit than the account"
    assert found().keys() == {what}
    assert sorted(found()[what]) == sorted([(wallet(each()).code, "0", "1") for each in (alice, bob)])


def test_it_finds_a_version_on_an_account_that_keeps_no_balance(unguarded: Callable[..., None]) -> None:
    unguarded(
        "UPDATE payments_posting SET version = 1, balance_after = -500 WHERE account_id = %s", [world().pk]
    )
    assert found() == {"account keeps no balance but its postings do": [(world().code, "0", "1")]}


def test_it_finds_a_posting_that_lost_its_version(unguarded: Callable[..., None]) -> None:
    unguarded("UPDATE payments_posting SET version = NULL, balance_after = NULL WHERE amount = 80")
    assert found() == {
        "postings are not numbered without a gap": [(wallet(bob()).code, "1 to 2", "1 numbers from 1 to 1")]
    }


def test_it_finds_a_posting_whose_entry_is_gone(unguarded: Callable[..., None]) -> None:
    unguarded("DELETE FROM payments_ledgerentry WHERE idem_key = 'gift:2'")
    assert len(found()["posting without its account or entry"]) == 2


def test_the_command_says_that_all_is_well(books: None) -> None:
    out = io.StringIO()
    call_command("check_ledger", stdout=out)
    assert out.getvalue().strip() == "The ledger is whole: 3 entries, 3 accounts."


def test_the_command_prints_what_differs_and_fails(unguarded: Callable[..., None]) -> None:
    unguarded("UPDATE payments_account SET balance = 201 WHERE code = %s", [wallet(bob()).code])
    out, err = io.StringIO(), io.StringIO()
    with pytest.raises(SystemExit) as caught:
        call_command("check_ledger", stdout=out, stderr=err)
    assert caught.value.code == 1
    assert f"{wallet(bob()).code}: expected 200, found 201" in out.getvalue()
    assert err.getvalue().strip() == "The ledger does not add up: 1 difference."
