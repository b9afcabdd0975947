"""The only door into the ledger: `post` for one entry, `post_many` for thousands, in one statement either way.

An entry moves amounts between accounts and sums to zero in each unit. Its `idem_key` is chosen by the caller
(`draw:<uuid>:prize:17`): a second attempt with the same key and content returns the first entry and moves
nothing, whoever comes first and however close behind; another content under a known key is refused.

**Locking order**, for every transaction of the site: rows of features first; then new accounts
(`ensure_accounts`, by code); then entry keys, by key; then account rows, by id. Ledger accounts are the last
locks a transaction takes, so post once, at its end, and use `post_many` where several entries belong together:
two calls in one transaction lock twice, and PostgreSQL may have to end one of two such transactions as a
deadlock. Accounts that are not materialised take no lock at all.

Both functions run inside the caller's transaction, or in one of their own. An error of theirs undoes what they
did and leaves the caller's transaction usable.
"""

import datetime as dt
import hashlib
import json
import uuid
from collections import defaultdict
from collections.abc import Collection, Sequence
from contextlib import nullcontext
from dataclasses import dataclass, field

import psycopg
from django.db import IntegrityError, connection, transaction

from accounts.models import User
from payments.models import Account, LedgerEntry
from payments.money import LARGEST_AMOUNT


class LedgerError(Exception):
    """An entry was refused. Nothing was written."""


class UnbalancedEntryError(LedgerError):
    """The legs of an entry do not sum to zero in each unit, or there are none."""


class IdempotencyConflictError(LedgerError):
    """The key is known, and its entry says something else."""

    def __init__(self, idem_key: str) -> None:
        super().__init__(f"The ledger key {idem_key!r} is already used by an entry with another content.")
        self.idem_key = idem_key


class InsufficientFundsError(LedgerError):
    """An account would fall below its floor.

    `balance` is what it held before the posting that failed and `needed` what that posting takes, both in
    minor units.
    """

    def __init__(self, *, account: str, balance: int, needed: int) -> None:
        super().__init__(f"Account {account} holds {balance}, and {needed} are needed.")
        self.account = account
        self.balance = balance
        self.needed = needed


@dataclass(frozen=True, slots=True)
class Leg:
    """A signed amount in minor units of the account's own unit: above zero it gains, below it gives."""

    account: Account
    amount: int

    def __post_init__(self) -> None:
        if type(self.amount) is not int or not 0 < abs(self.amount) <= LARGEST_AMOUNT:
            raise ValueError(
                f"{self.amount!r} is not an amount: a whole number of minor units other than zero"
            )


@dataclass(frozen=True, slots=True, kw_only=True)
class EntrySpec:
    """What one entry shall say.

    `kind` is a dotted name (`prize.paid`), `about` names the thing it concerns (`draws.draw:<uuid>`), `actor`
    is None for the site itself.
    """

    idem_key: str
    kind: str
    legs: Sequence[Leg]
    about: str
    reason: str = ""
    actor: User | None = None
    digest: bytes = field(init=False)

    def __post_init__(self) -> None:
        sums: dict[str, int] = defaultdict(int)
        for leg in self.legs:
            sums[leg.account.unit] += leg.amount
        if not sums:
            raise UnbalancedEntryError(f"Entry {self.idem_key!r} has no legs.")
        for unit, total in sums.items():
            if total:
                raise UnbalancedEntryError(
                    f"Entry {self.idem_key!r} does not balance: its {unit} sum to {total}."
                )
        object.__setattr__(self, "digest", self._digest())

    def _digest(self) -> bytes:
        """SHA-256 of what was asked for. Not of who asked or when: a retry may come from somebody else."""
        legs = sorted((leg.account.code, leg.amount) for leg in self.legs)
        content = json.dumps(
            [self.kind, self.about, self.reason, legs], ensure_ascii=False, separators=(",", ":")
        )
        return hashlib.sha256(content.encode()).digest()


def post(
    *,
    idem_key: str,
    kind: str,
    legs: Sequence[Leg],
    about: str,
    reason: str = "",
    actor: User | None,
    now: dt.datetime,
) -> LedgerEntry:
    """Post one entry, or return the one that the key already has (then `is_new` is false).

    Raises `UnbalancedEntryError`, `InsufficientFundsError`, `IdempotencyConflictError`.
    """
    spec = EntrySpec(idem_key=idem_key, kind=kind, legs=legs, about=about, reason=reason, actor=actor)
    return post_many([spec], now=now)[0]


def post_many(specs: Sequence[EntrySpec], *, now: dt.datetime) -> list[LedgerEntry]:
    """Post all of the entries or none, with the effect of posting them one after another; in their order.

    The same entry may appear twice and some keys may be known already: each key is posted once.
    Raises like `post`, naming the first entry in the way.
    """
    wanted: dict[str, EntrySpec] = {}
    for spec in specs:
        if wanted.setdefault(spec.idem_key, spec).digest != spec.digest:
            raise IdempotencyConflictError(spec.idem_key)
    if not wanted:
        return []
    entries = {
        key: LedgerEntry(
            public_id=uuid.uuid4(),
            idem_key=key,
            kind=spec.kind,
            actor_id=spec.actor.pk if spec.actor else None,
            about=spec.about,
            reason=spec.reason,
            digest=spec.digest,
            created_at=now,
        )
        for key, spec in wanted.items()
    }
    ids = _call(entries.values(), wanted.values(), now)
    for entry, pk in zip(entries.values(), ids, strict=True):
        entry.pk, entry.is_new = pk, pk is not None
        entry._state.adding, entry._state.db = False, connection.alias
    if known := [key for key, entry in entries.items() if not entry.is_new]:
        entries |= {entry.idem_key: entry for entry in LedgerEntry.objects.filter(idem_key__in=known)}
    return [entries[spec.idem_key] for spec in specs]


_POST = """
SELECT payments_post(%s, %s::uuid[], %s::text[], %s::text[], %s::bigint[], %s::text[], %s::text[], %s::bytea[],
    %s::int[], %s::smallint[], %s::bigint[], %s::text[], %s::bigint[], %s::bigint[])
"""


def _call(
    entries: Collection[LedgerEntry], specs: Collection[EntrySpec], now: dt.datetime
) -> list[int | None]:
    """One call of the database's function (migration 0007); the ids of the entries that were new."""
    rows = [(e.public_id, e.idem_key, e.kind, e.actor_id, e.about, e.reason, e.digest) for e in entries]
    legs = [
        (number, position, leg.account.pk, leg.account.unit, leg.amount)
        for number, spec in enumerate(specs, start=1)
        for position, leg in enumerate(spec.legs, start=1)
    ]
    locks = sorted({leg.account.pk for spec in specs for leg in spec.legs if leg.account.is_materialised})
    columns = [_array(column) for column in (*zip(*rows, strict=True), *zip(*legs, strict=True))]
    try:
        # One statement is a transaction of its own; within the caller's, a savepoint keeps that usable.
        with (
            transaction.atomic() if connection.in_atomic_block else nullcontext(),
            connection.cursor() as cursor,
        ):
            cursor.execute(_POST, [now, *columns, _array(locks)])
            (ids,) = cursor.fetchone()
    except IntegrityError as error:
        raise _ours(error) or error from error.__cause__
    return list(ids)


def _array(values: Sequence[object]) -> str:
    """PostgreSQL's text for an array, which is bound like any other text.

    The driver writes a list element by element through its adapters; fourteen lists took it longer than the
    server takes to post.
    """
    return "{" + ",".join([_element(value) for value in values]) + "}"


def _element(value: object) -> str:
    if value is None:
        return "NULL"
    if isinstance(value, bytes):
        return rf'"\\x{value.hex()}"'
    if isinstance(value, str):
        return '"' + value.replace("\\", r"\\").replace('"', r"\"") + '"'
    return str(value)  # a number or a UUID: nothing in it to quote


def _ours(error: IntegrityError) -> LedgerError | None:
    """What the database's guards said, as an error of ours; None when something else was refused."""
    cause = error.__cause__
    if isinstance(cause, psycopg.Error) and cause.diag.message_detail:
        if cause.diag.constraint_name == "payments_account_floor":
            return InsufficientFundsError(**json.loads(cause.diag.message_detail))
        if cause.diag.constraint_name == "payments_entry_idem_key":
            return IdempotencyConflictError(cause.diag.message_detail)
    return None
