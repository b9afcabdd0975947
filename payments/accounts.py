"""Accounts of the ledger: how each is called, and making those that are not there yet.

A code says what the account is for and ends in its unit: `member:42:CREDIT`, `pool:draw:<uuid>:BDT`.
"""

from collections.abc import Iterable
from dataclasses import dataclass

from django.db import connection

from accounts.models import User
from payments.models import Account


class AccountMismatchError(Exception):
    """An account of this code exists with another owner or floor; the message names it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class AccountSpec:
    """An account as it has to be. `floor` in minor units; None: it may fall without end."""

    code: str
    unit: str
    owner_id: int | None = None
    floor: int | None = 0
    is_materialised: bool = True

    def __post_init__(self) -> None:
        if not self.code.endswith(f":{self.unit}"):
            raise ValueError(
                f"The code of an account in {self.unit} ends in :{self.unit}; {self.code!r} does not."
            )


def member_code(user_id: int, unit: str) -> str:
    """A member's wallet."""
    return f"member:{user_id}:{unit}"


def pool_code(pool: str, unit: str) -> str:
    """What a pool (`draw:<uuid>`) holds and has not promised to anybody."""
    return f"pool:{pool}:{unit}"


def prizes_code(pool: str, unit: str) -> str:
    """What a pool has set aside for its published prizes."""
    return f"prizes:{pool}:{unit}"


def owed_code(pool: str, unit: str) -> str:
    """What a pool keeps for winners who have no account here yet."""
    return f"owed:{pool}:{unit}"


def funding_code(unit: str) -> str:
    """The outside world that pools are funded from and leftovers return to."""
    return f"world:funding:{unit}"


def member_account(user_id: int, unit: str) -> AccountSpec:
    """The wallet of a member in a unit: never below zero."""
    return AccountSpec(code=member_code(user_id, unit), unit=unit, owner_id=user_id)


def funding_account(unit: str) -> AccountSpec:
    """The outside world: no floor, and a sum instead of a balance, so that nobody waits for it."""
    return AccountSpec(code=funding_code(unit), unit=unit, floor=None, is_materialised=False)


def ensure_accounts(specs: Iterable[AccountSpec]) -> dict[str, Account]:
    """The accounts of these specs by code; those that are missing are made, in order of code.

    One query when all of them are there, two when some are new, three when another process made one meanwhile.
    Call it before `ledger.post`, not after: see the locking order there. Raises `AccountMismatchError`.
    """
    wanted = {spec.code: spec for spec in specs}
    accounts = _existing(wanted)
    if missing := sorted(wanted.keys() - accounts.keys()):
        _insert([wanted[code] for code in missing])
        accounts |= _existing(missing)
    for code, spec in wanted.items():
        account = accounts[code]
        is_now = (account.unit, account.owner_id, account.floor, account.is_materialised)
        if is_now != (spec.unit, spec.owner_id, spec.floor, spec.is_materialised):
            raise AccountMismatchError(
                f"Account {code} exists with another owner, floor or way of keeping a balance."
            )
    return accounts


def wallet_balances(user: User) -> list[tuple[str, int]]:
    """(unit, balance in minor units) of each of the person's wallets, by unit."""
    return [(wallet.unit, wallet.balance) for wallet in wallets_of(user)]


def wallets_of(user: User) -> list[Account]:
    """The person's wallets, by unit; not what else is kept for them."""
    wallets = Account.objects.filter(owner=user, code__startswith=member_code(user.pk, ""))
    return list(wallets.order_by("unit"))


def _existing(codes: Iterable[str]) -> dict[str, Account]:
    return {account.code: account for account in Account.objects.filter(code__in=list(codes))}


def _insert(specs: list[AccountSpec]) -> None:
    """Not `bulk_create`: it could not say which conflict to overlook, and others must not be overlooked."""
    columns = ("code", "unit", "owner_id", "floor", "is_materialised")
    with connection.cursor() as cursor:
        cursor.execute(
            """
            INSERT INTO payments_account (code, unit, owner_id, floor, is_materialised, balance, version)
            SELECT *, 0, 0 FROM unnest(%s::text[], %s::text[], %s::bigint[], %s::bigint[], %s::boolean[])
            ON CONFLICT (code) DO NOTHING
            """,
            [[getattr(spec, column) for spec in specs] for column in columns],
        )
