"""The only door into the ledger: `post` for one entry, `post_many` for thousands in three statements.

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
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import psycopg
from django.db import IntegrityError, connection, transaction

from accounts.models import User
from payments.models import Account, LedgerEntry

LARGEST_AMOUNT = 2**53 - 1
"""Minor units in one leg: what JSON, and so JavaScript, still holds exactly."""


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
    try:
        with transaction.atomic():
            entries = _insert_entries(wanted, now)
            if len(entries) < len(wanted):
                entries |= _known_entries([spec for key, spec in wanted.items() if key not in entries])
            _insert_postings([(entries[key].pk, spec) for key, spec in wanted.items() if entries[key].is_new])
    except IntegrityError as error:
        raise _insufficient_funds(error) or error from error.__cause__
    return [entries[spec.idem_key] for spec in specs]


_INSERT_ENTRIES = """
INSERT INTO payments_ledgerentry (public_id, idem_key, kind, actor_id, about, reason, digest, created_at)
SELECT *, %s FROM unnest(
    %s::uuid[], %s::text[], %s::text[], %s::bigint[], %s::text[], %s::text[], %s::bytea[])
ON CONFLICT (idem_key) DO NOTHING
RETURNING idem_key, id
"""


def _insert_entries(wanted: Mapping[str, EntrySpec], now: dt.datetime) -> dict[str, LedgerEntry]:
    """Insert those whose key is new; by key. Waits for another transaction that is posting one of them."""
    made: dict[str, LedgerEntry] = {}
    for key in sorted(wanted):
        spec = wanted[key]
        made[key] = LedgerEntry(
            public_id=uuid.uuid4(),
            idem_key=key,
            kind=spec.kind,
            actor_id=spec.actor.pk if spec.actor else None,
            about=spec.about,
            reason=spec.reason,
            digest=spec.digest,
            created_at=now,
        )
    columns = ("public_id", "idem_key", "kind", "actor_id", "about", "reason", "digest")
    arrays = [[getattr(entry, column) for entry in made.values()] for column in columns]
    with connection.cursor() as cursor:
        cursor.execute(_INSERT_ENTRIES, [now, *arrays])
        inserted = cursor.fetchall()
    for key, pk in inserted:
        entry = made[key]
        entry.pk, entry.is_new = pk, True
        entry._state.adding, entry._state.db = False, connection.alias
    return {key: made[key] for key, _pk in inserted}


def _known_entries(specs: Sequence[EntrySpec]) -> dict[str, LedgerEntry]:
    """The entries that already have these keys. Raises `IdempotencyConflictError`."""
    known = {
        entry.idem_key: entry
        for entry in LedgerEntry.objects.filter(idem_key__in=[s.idem_key for s in specs])
    }
    for spec in specs:
        if bytes(known[spec.idem_key].digest) != spec.digest:
            raise IdempotencyConflictError(spec.idem_key)
    return known


# `locked` reads each account as it is once its lock is held, whatever the statement's snapshot says.
_INSERT_POSTINGS = """
WITH leg AS (
    SELECT * FROM unnest(%s::bigint[], %s::smallint[], %s::bigint[], %s::text[], %s::bigint[])
        WITH ORDINALITY AS leg (entry_id, position, account_id, unit, amount, turn)
), locked AS MATERIALIZED (
    SELECT id, balance, version FROM payments_account WHERE id = ANY (%s) ORDER BY id FOR NO KEY UPDATE
)
INSERT INTO payments_posting (entry_id, position, account_id, unit, amount, balance_after, version)
SELECT leg.entry_id, leg.position, leg.account_id, leg.unit, leg.amount,
    locked.balance + sum(leg.amount) OVER past, locked.version + row_number() OVER past
FROM leg LEFT JOIN locked ON locked.id = leg.account_id
WINDOW past AS (PARTITION BY leg.account_id ORDER BY leg.turn ROWS UNBOUNDED PRECEDING)
ORDER BY leg.turn
"""


def _insert_postings(entries: Sequence[tuple[int, EntrySpec]]) -> None:
    """Lock the accounts and insert all legs; the trigger checks them and moves the balances."""
    legs = [
        (entry_id, position, leg.account.pk, leg.account.unit, leg.amount)
        for entry_id, spec in entries
        for position, leg in enumerate(spec.legs, start=1)
    ]
    if not legs:
        return
    accounts = {leg.account.pk for _id, spec in entries for leg in spec.legs if leg.account.is_materialised}
    with connection.cursor() as cursor:
        cursor.execute(_INSERT_POSTINGS, [*map(list, zip(*legs, strict=True)), sorted(accounts)])


def _insufficient_funds(error: IntegrityError) -> InsufficientFundsError | None:
    """What the floor's guard said, as ours; None when something else was refused."""
    cause = error.__cause__
    if not isinstance(cause, psycopg.Error) or cause.diag.constraint_name != "payments_account_floor":
        return None
    return InsufficientFundsError(**json.loads(cause.diag.message_detail or "{}"))
