"""Bought credits of a member: which payment they come from, and how many of them are unspent."""

from collections.abc import Iterator

from payments.accounts import AccountSpec, member_code
from payments.lots import Holdings, Move, Step, holdings
from payments.models import Account, Payment, Posting

HELD_KINDS = frozenset({"refund.held", "dispute.held"})
RELEASED_KINDS = frozenset({"refund.released", "dispute.released"})


def held_account(payment: Payment, unit: str) -> AccountSpec:
    """Where credits and money of a payment wait until a refund or a dispute is decided."""
    return AccountSpec(code=f"held:payment:{payment.public_id}:{unit}", unit=unit)


def lock_wallet(payment: Payment) -> Account | None:
    """The payer's wallet of credits, locked, so that nothing is spent from it until the transaction ends.

    The one place where an account is locked before the key of its entry (see the locking order in `payments.ledger`): the
    payment's row is locked by then, and nobody else posts under its keys.
    """
    if payment.member_id is None:
        return None
    return Account.objects.select_for_update().filter(code=member_code(payment.member_id, "CREDIT")).first()


def holdings_of(wallet: Account) -> Holdings:
    """Unspent credits of a wallet, by payment (its name) in the order they were bought, and gifts."""
    return holdings(_steps(wallet))


def unused_credits(payment: Payment) -> int:
    """How many of a payment's credits are in its payer's wallet, neither spent nor held."""
    wallet = (
        Account.objects.filter(code=member_code(payment.member_id, "CREDIT")).first()
        if payment.member_id and payment.credits
        else None
    )
    return holdings_of(wallet).lots.get(payment.name, 0) if wallet else 0


def _steps(wallet: Account) -> Iterator[Step]:
    rows = (
        Posting.objects.filter(account=wallet)
        .order_by("version")
        .values_list("amount", "entry__kind", "entry__about")
    )
    for amount, kind, about in rows.iterator():
        if kind == "payment.settled":
            yield Step(Move.BOUGHT, amount, about)
        elif kind in HELD_KINDS:
            yield Step(Move.HELD, amount, about)
        elif kind in RELEASED_KINDS:
            yield Step(Move.RELEASED, amount, about)
        else:
            yield Step(Move.OTHER, amount)
