"""Pools of prize money: funded, reserved for published prizes, paid out, returned.

A pool is called by what it belongs to (`draw:<uuid>`) and has three accounts in each unit: *free*, *reserved*
for prizes that were published, and *owed* to winners who have no account here yet. None of them can fall below
zero, so no prize is promised or paid that is not covered.

Amounts are whole minor units above zero. Each function takes the caller's `idem_key`: repeated, it returns the
first entry and moves nothing. All of them raise `payments.ledger.InsufficientFundsError` when the account they
take from holds too little, and `IdempotencyConflictError` when the key belongs to something else.
"""

import datetime as dt
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Literal

from django.db import transaction
from django.db.models import Q

from accounts.models import User
from audit.services import record
from payments.accounts import (
    AccountSpec,
    ensure_accounts,
    funding_account,
    member_account,
    member_code,
    owed_code,
    pool_code,
    prizes_code,
)
from payments.ledger import EntrySpec, Leg, post, post_many
from payments.models import Account, LedgerEntry


class ReasonRequiredError(ValueError):
    """Money came in or went out by hand without a reason given."""


@dataclass(frozen=True, slots=True)
class PoolBalance:
    """What a pool holds in one unit, in minor units."""

    free: int = 0
    reserved: int = 0
    owed: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class PrizePayment:
    """One prize to pay: to a member's wallet, or kept as owed where `member_id` is None."""

    idem_key: str
    unit: str
    amount: int
    member_id: int | None
    about: str


@dataclass(frozen=True, slots=True, kw_only=True)
class PrizeReturn:
    """One prize to take back for the next rank: out of what was owed, or of a member's wallet."""

    idem_key: str
    unit: str
    amount: int
    member_id: int | None
    about: str
    reason: str = ""
    by: User | None = None


def fund_pool(
    *,
    pool: str,
    unit: str,
    amount: int,
    by: User,
    reason: str,
    idem_key: str,
    now: dt.datetime,
    about: str = "",
) -> LedgerEntry:
    """Bring money into a pool from outside. Raises `ReasonRequiredError`, ValueError for an amount below 1."""
    reason = _given(reason)
    accounts = ensure_accounts([funding_account(unit), _pool_account(pool_code(pool, unit), unit)])
    with transaction.atomic():
        entry = post(
            idem_key=idem_key,
            kind="pool.funded",
            legs=_move(accounts, funding_account(unit).code, pool_code(pool, unit), amount),
            about=about or f"pool:{pool}",
            reason=reason,
            actor=by,
            now=now,
        )
        _audit(entry, pool=pool, unit=unit, amount=amount, now=now)
    return entry


def return_leftover(
    *,
    pool: str,
    unit: str,
    by: User | None,
    reason: str,
    idem_key: str,
    now: dt.datetime,
    amount: int | None = None,
    about: str = "",
) -> LedgerEntry | None:
    """Send free money of a pool back outside: `amount`, or all of it. None when all of it is nothing.

    Raises `ReasonRequiredError`.
    """
    reason = _given(reason)
    accounts = ensure_accounts([funding_account(unit), _pool_account(pool_code(pool, unit), unit)])
    with transaction.atomic():
        if amount is None:
            # The balance can't be known before its lock; so this once the account comes before the entry's key.
            amount = Account.objects.select_for_update(no_key=True).get(code=pool_code(pool, unit)).balance
            if (
                known := LedgerEntry.objects.filter(idem_key=idem_key, kind="pool.leftover_returned").first()
            ) is not None:
                return known
            if amount == 0:
                return None
        entry = post(
            idem_key=idem_key,
            kind="pool.leftover_returned",
            legs=_move(accounts, pool_code(pool, unit), funding_account(unit).code, amount),
            about=about or f"pool:{pool}",
            reason=reason,
            actor=by,
            now=now,
        )
        _audit(entry, pool=pool, unit=unit, amount=amount, now=now)
    return entry


def reserve_prizes(
    *, pool: str, unit: str, amount: int, idem_key: str, by: User | None, now: dt.datetime, about: str = ""
) -> LedgerEntry:
    """Set free money aside for prizes that are being published."""
    return _within_pool(
        pool,
        "prizes.reserved",
        pool_code(pool, unit),
        prizes_code(pool, unit),
        unit,
        amount,
        idem_key,
        about,
        by,
        now,
    )


def release_prizes(
    *, pool: str, unit: str, amount: int, idem_key: str, by: User | None, now: dt.datetime, about: str = ""
) -> LedgerEntry:
    """Make reserved money free again: a prize was cancelled or nobody is left to win it."""
    return _within_pool(
        pool,
        "prizes.released",
        prizes_code(pool, unit),
        pool_code(pool, unit),
        unit,
        amount,
        idem_key,
        about,
        by,
        now,
    )


def pay_prizes(*, pool: str, payments: Sequence[PrizePayment], now: dt.datetime) -> list[LedgerEntry]:
    """Pay prizes out of what was reserved, all or none, in three or four statements however many they are."""
    return hand_on_prizes(pool=pool, returns=(), payments=payments, now=now)[1]


def hand_on_prizes(
    *, pool: str, returns: Sequence[PrizeReturn], payments: Sequence[PrizePayment], now: dt.datetime
) -> tuple[list[LedgerEntry], list[LedgerEntry]]:
    """Take prizes back from those who lost them, then pay those who follow; all in one posting, all or none.

    What is taken back is reserved again, and may be paid on in the same breath. Returns the entries of both.
    """
    moves: list[PrizePayment | PrizeReturn] = [*returns, *payments]
    if not moves:
        return [], []
    specs = {spec.code: spec for spec in (_target(pool, move) for move in moves)}
    reserved = [_pool_account(prizes_code(pool, unit), unit) for unit in {move.unit for move in moves}]
    accounts = ensure_accounts([*specs.values(), *reserved])
    entries = post_many(
        [
            *(
                EntrySpec(
                    idem_key=back.idem_key,
                    kind="prize.forfeited" if back.member_id is None else "prize.taken_back",
                    legs=_move(accounts, _target(pool, back).code, prizes_code(pool, back.unit), back.amount),
                    about=back.about,
                    reason=back.reason,
                    actor=back.by,
                )
                for back in returns
            ),
            *(
                EntrySpec(
                    idem_key=payment.idem_key,
                    kind="prize.owed" if payment.member_id is None else "prize.paid",
                    legs=_move(
                        accounts, prizes_code(pool, payment.unit), _target(pool, payment).code, payment.amount
                    ),
                    about=payment.about,
                )
                for payment in payments
            ),
        ],
        now=now,
    )
    return entries[: len(returns)], entries[len(returns) :]


def pay_owed(
    *, pool: str, idem_key: str, unit: str, amount: int, member_id: int, about: str, now: dt.datetime
) -> LedgerEntry:
    """Pay what was kept for a winner into the wallet that they have now."""
    accounts = ensure_accounts([_pool_account(owed_code(pool, unit), unit), member_account(member_id, unit)])
    return post(
        idem_key=idem_key,
        kind="prize.claimed",
        legs=_move(accounts, owed_code(pool, unit), member_code(member_id, unit), amount),
        about=about,
        actor=None,
        now=now,
    )


def withdraw_owed(
    *,
    pool: str,
    idem_key: str,
    unit: str,
    amount: int,
    about: str,
    now: dt.datetime,
    into: Literal["reserved", "free"] = "reserved",
    by: User | None = None,
) -> LedgerEntry:
    """Take back what was kept for a winner who forfeited it: for the next rank, or to be free again."""
    target = prizes_code(pool, unit) if into == "reserved" else pool_code(pool, unit)
    return _within_pool(
        pool, "prize.forfeited", owed_code(pool, unit), target, unit, amount, idem_key, about, by, now
    )


def pool_balances(pool: str) -> dict[str, PoolBalance]:
    """What a pool holds, by unit. One query."""
    prefixes = {"free": pool_code(pool, ""), "reserved": prizes_code(pool, ""), "owed": owed_code(pool, "")}
    found = Q()
    for prefix in prefixes.values():
        found |= Q(code__startswith=prefix)
    held: dict[str, dict[str, int]] = {}
    for code, unit, balance in (
        Account.objects.filter(found).order_by("unit").values_list("code", "unit", "balance")
    ):
        for part, prefix in prefixes.items():
            if code == prefix + unit:
                held.setdefault(unit, {})[part] = balance
    return {unit: PoolBalance(**parts) for unit, parts in held.items()}


def free_in_pools(wanted: Iterable[tuple[str, str]]) -> dict[tuple[str, str], int]:
    """What is free of each (pool, unit): nothing in a pool that nobody has funded. One query."""
    codes = {pool_code(pool, unit): (pool, unit) for pool, unit in wanted}
    held = dict(Account.objects.filter(code__in=codes).values_list("code", "balance"))
    return {key: held.get(code, 0) for code, key in codes.items()}


def _within_pool(
    pool: str,
    kind: str,
    source: str,
    target: str,
    unit: str,
    amount: int,
    idem_key: str,
    about: str,
    by: User | None,
    now: dt.datetime,
) -> LedgerEntry:
    accounts = ensure_accounts([_pool_account(source, unit), _pool_account(target, unit)])
    return post(
        idem_key=idem_key,
        kind=kind,
        legs=_move(accounts, source, target, amount),
        about=about or f"pool:{pool}",
        actor=by,
        now=now,
    )


def _pool_account(code: str, unit: str) -> AccountSpec:
    return AccountSpec(code=code, unit=unit)


def _target(pool: str, move: PrizePayment | PrizeReturn) -> AccountSpec:
    """Where the winner has the prize, or will have it."""
    if move.member_id is None:
        return _pool_account(owed_code(pool, move.unit), move.unit)
    return member_account(move.member_id, move.unit)


def _move(accounts: dict[str, Account], source: str, target: str, amount: int) -> list[Leg]:
    if amount <= 0:
        raise ValueError(f"{amount} can't be moved: an amount is at least 1")
    return [Leg(accounts[source], -amount), Leg(accounts[target], amount)]


def _given(reason: str) -> str:
    if not reason.strip():
        raise ReasonRequiredError("Say why: the reason is kept in the audit trail.")
    return reason.strip()


def _audit(entry: LedgerEntry, *, pool: str, unit: str, amount: int, now: dt.datetime) -> None:
    """Record what the entry moved, unless it is a repeat whose first attempt recorded it."""
    if entry.is_new:
        record(
            actor=entry.actor,
            action=entry.kind,
            target=entry.about,
            data={
                "pool": pool,
                "unit": unit,
                "amount": amount,
                "reason": entry.reason,
                "entry": str(entry.public_id),
            },
            now=now,
        )
