"""A posting reads a handful of rows, however many accounts and entries there are: told by PostgreSQL's own counters."""

import pytest
from django.db import connection

from payments.accounts import AccountSpec, ensure_accounts
from payments.ledger import IdempotencyConflictError, InsufficientFundsError, post_many
from tests.factories import alice, bob
from tests.payments.books import NOW, account, give, move, spec, wallet, world

pytestmark = pytest.mark.django_db

MANY = 2_000
A_HANDFUL = 40
REVENUE = AccountSpec(code="revenue:test:KES", unit="KES", floor=None, is_materialised=False)


def rows_read(table):
    """Rows of the table that this transaction has read so far, by scan or by index."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT seq_tup_read + coalesce(idx_tup_fetch, 0) FROM pg_stat_xact_user_tables WHERE relname = %s",
            [table],
        )
        return cursor.fetchone()[0]


@pytest.fixture
def books():
    """Many accounts, each with an entry of its own; and a session that has kept its plans since they were few."""
    for _ in range(8):
        give(alice(), 1_000)
    specs = [AccountSpec(code=f"other:{n}:KES", unit="KES") for n in range(MANY)]
    others = ensure_accounts(specs).values()
    post_many([spec((world(), -10), (other, 10)) for other in others], now=NOW)
    wallet(bob())


@pytest.fixture
def read(books):
    """Does something and returns how many rows of accounts, of entries and of postings it read."""
    tables = ("payments_account", "payments_ledgerentry", "payments_posting")

    def counted(work):
        before = [rows_read(table) for table in tables]
        work()
        return [rows_read(table) - count for table, count in zip(tables, before, strict=True)]

    return counted


def refused(error, *arguments, **fields):
    with pytest.raises(error):
        move(*arguments, **fields)


def test_a_new_entry_reads_only_what_it_concerns(read):
    source, target, revenue = wallet(alice()), wallet(bob()), account(REVENUE)
    assert max(read(lambda: move(source, target, 5))) < A_HANDFUL
    assert max(read(lambda: move(source, revenue, 5))) < A_HANDFUL


def test_several_entries_at_once_do(read):
    source, target = wallet(alice()), wallet(bob())
    entries = [spec((source, -1), (target, 1)), spec((target, -1), (source, 1))]
    assert max(read(lambda: post_many(entries, now=NOW))) < 2 * A_HANDFUL


def test_a_repeat_does(read):
    source, target = wallet(alice()), wallet(bob())
    move(source, target, 5, idem_key="again")
    assert max(read(lambda: move(source, target, 5, idem_key="again"))) < A_HANDFUL


def test_a_refusal_does(read):
    source, target = wallet(alice()), wallet(bob())
    assert max(read(lambda: refused(InsufficientFundsError, source, target, 10**6))) < A_HANDFUL
    move(source, target, 5, idem_key="known")
    assert (
        max(read(lambda: refused(IdempotencyConflictError, source, target, 6, idem_key="known"))) < A_HANDFUL
    )
