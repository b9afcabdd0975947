"""Accounts and postings for the tests of the ledger, and straight SQL that goes around it."""

import contextlib
import datetime as dt
import itertools
import uuid
from collections.abc import Iterator, Sequence
from typing import Any

import psycopg
import pytest
from django.db import DatabaseError, connection, transaction

from accounts.models import User
from payments.accounts import AccountSpec, ensure_accounts, funding_account, member_account
from payments.ledger import EntrySpec, Leg, post
from payments.models import Account, LedgerEntry

NOW = dt.datetime(2026, 11, 21, 9, 30, tzinfo=dt.UTC)

_numbers = itertools.count(1)


def account(spec: AccountSpec) -> Account:
    """The account as it is now."""
    return ensure_accounts([spec])[spec.code]


def wallet(user: User, unit: str = "KES") -> Account:
    return account(member_account(user.pk, unit))


def world(unit: str = "KES") -> Account:
    return account(funding_account(unit))


def key() -> str:
    """An idempotency key that was never used."""
    return f"test:{next(_numbers)}"


def spec(*legs: tuple[Account, int], idem_key: str = "", **fields: Any) -> EntrySpec:
    values = {"kind": "test.moved", "about": "tests.case:1"} | fields
    return EntrySpec(idem_key=idem_key or key(), legs=[Leg(*leg) for leg in legs], **values)


def move(source: Account, target: Account, amount: int, *, idem_key: str = "", **fields: Any) -> LedgerEntry:
    """Post one entry of two legs."""
    values = {"kind": "test.moved", "about": "tests.case:1", "actor": None, "now": NOW} | fields
    legs = [Leg(source, -amount), Leg(target, amount)]
    return post(idem_key=idem_key or key(), legs=legs, **values)


def give(user: User, amount: int, unit: str = "KES", **fields: Any) -> LedgerEntry:
    """Money from outside into a member's wallet."""
    return move(world(unit), wallet(user, unit), amount, **fields)


def balance(of: Account) -> int:
    return Account.objects.get(pk=of.pk).balance


def sql(statement: str, params: Sequence[Any] = ()) -> None:
    """Straight SQL, as somebody with the site's password could send it."""
    with connection.cursor() as cursor:
        cursor.execute(statement, params)


def raw_entry() -> int:
    """An entry without postings, by straight SQL; its id."""
    with connection.cursor() as cursor:
        cursor.execute(
            "INSERT INTO payments_ledgerentry (public_id, idem_key, kind, about, reason, digest, created_at)"
            " VALUES (%s, %s, 'test.raw', 'tests.case:1', '', '', %s) RETURNING id",
            [uuid.uuid4(), key(), NOW],
        )
        return int(cursor.fetchone()[0])


def raw_postings(*rows: tuple[int, int, Account, int, int | None, int | None], unit: str = "") -> None:
    """One INSERT of (entry, position, account, amount, balance_after, version)."""
    values = ", ".join(["(%s, %s, %s, %s, %s, %s, %s)"] * len(rows))
    params: list[Any] = []
    for entry, position, of, *rest in rows:
        params += [entry, position, of.pk, unit or of.unit, *rest]
    sql(
        "INSERT INTO payments_posting (entry_id, position, account_id, unit, amount, balance_after, version)"
        f" VALUES {values}",
        params,
    )


@contextlib.contextmanager
def without_trigger(name: str, table: str) -> Iterator[None]:
    """Switch one guard off, as the owner of the tables may."""
    sql("SET CONSTRAINTS ALL IMMEDIATE")
    sql(f"ALTER TABLE {table} DISABLE TRIGGER {name}")
    yield
    sql(f"ALTER TABLE {table} ENABLE TRIGGER {name}")


@contextlib.contextmanager
def refused_by(what: str) -> Iterator[None]:
    """PostgreSQL itself must refuse, naming the constraint `what` or saying it; the transaction lives on."""
    with pytest.raises(DatabaseError) as caught, transaction.atomic():
        yield
    cause = caught.value.__cause__
    assert isinstance(cause, psycopg.Error)
    assert what == cause.diag.constraint_name or what in (cause.diag.message_primary or "")
