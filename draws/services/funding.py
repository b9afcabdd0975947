"""Money into a draw's pool and out of it by hand. Above the limit either waits for a second person.

What a draw does by itself (reserving, paying, returning what was not won) is promised beforehand and needs no one.
"""

import datetime as dt
from collections.abc import Collection, Mapping

from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from accounts.models import User
from draws.models import Draw
from draws.services.errors import DrawError
from payments import pools
from payments.accounts import funding_code, pool_code
from payments.approvable import ApprovableKind, MoneyAct, Signatures
from payments.approvals import Outcome, request_or_do, waiting_amounts
from payments.models import LedgerEntry

FUND_POOL = "draws.fund_pool"
RETURN_LEFTOVER = "draws.return_leftover"


class FundingError(DrawError):
    """Money can't go into this pool, or out of it, like this. The message says why."""


def fund_draw(
    *, draw: Draw, unit: str, amount: int, by: User, reason: str, idem_key: str, now: dt.datetime
) -> Outcome:
    """Move `amount` minor units from outside into the draw's pool, or ask a second person to agree.

    Repeats of `idem_key` do it once. Raises `FundingError` without a reason, for an amount below 1, and for a draw that
    is over; `payments.approvals.ApprovalError` where it can't be asked for.
    """
    if not reason.strip():
        raise FundingError(_("Say why the pool is funded: it is kept in the audit trail."))
    return _ask(FUND_POOL, draw, unit, amount, by, reason, idem_key, now)


def return_leftover(
    *, draw: Draw, unit: str, amount: int, by: User, reason: str, idem_key: str, now: dt.datetime
) -> Outcome:
    """Send `amount` minor units of what is free in the draw's pool back outside, or ask a second person to agree.

    What is reserved for prizes or owed to winners stays. Raises like `fund_draw`, and
    `payments.ledger.InsufficientFundsError` where less is free.
    """
    if not reason.strip():
        raise FundingError(_("Say why the money goes back: it is kept in the audit trail."))
    return _ask(RETURN_LEFTOVER, draw, unit, amount, by, reason, idem_key, now)


def waiting_funds(draw: Draw) -> dict[str, int]:
    """What would come into the pool once a second person agrees: unit to minor units."""
    return waiting_amounts(about=draw.about, kind=FUND_POOL)


def _ask(
    kind: str, draw: Draw, unit: str, amount: int, by: User, reason: str, idem_key: str, now: dt.datetime
) -> Outcome:
    if amount < 1:
        raise FundingError(_("The amount must be above zero."))
    act = MoneyAct(
        kind=kind,
        amounts={unit: amount},
        params={"draw": str(draw.public_id), "unit": unit, "amount": amount},
        about=draw.about,
        reason=reason.strip(),
        idem_key=idem_key,
    )
    return request_or_do(act=act, by=by, now=now)


def names_of_draws(abouts: Collection[str]) -> Mapping[str, str]:
    """Titles of draws, drafts too: staff read them."""
    public_ids = [about.removeprefix("draws.draw:") for about in abouts]
    return {draw.about: draw.title for draw in Draw.objects.filter(public_id__in=public_ids)}


def _draw_of(act: MoneyAct) -> Draw:
    return Draw.objects.get(public_id=act.params["draw"])


def _why_not_fund(act: MoneyAct) -> str:
    return _("This draw is over: there is nothing left to fund.") if _draw_of(act).is_finished else ""


def _funding_moves(act: MoneyAct) -> Mapping[str, int]:
    unit, amount = str(act.params["unit"]), int(act.params["amount"])
    return {funding_code(unit): -amount, pool_code(f"draw:{act.params['draw']}", unit): amount}


def _returning_moves(act: MoneyAct) -> Mapping[str, int]:
    return {code: -amount for code, amount in _funding_moves(act).items()}


def _fund(act: MoneyAct, signatures: Signatures, now: dt.datetime) -> LedgerEntry:
    # Locked, so that no money comes in behind the back of the one who empties the pool of a finished draw.
    draw = Draw.objects.select_for_update().get(public_id=act.params["draw"])
    if draw.is_finished:
        raise FundingError(_("This draw is over: there is nothing left to fund."))
    return pools.fund_pool(
        pool=draw.pool,
        unit=act.params["unit"],
        amount=act.params["amount"],
        by=signatures.by,
        reason=act.reason,
        idem_key=act.idem_key,
        now=now,
    )


def _return(act: MoneyAct, signatures: Signatures, now: dt.datetime) -> LedgerEntry:
    # Locked, so that it is not taken from under the feet of whoever publishes the draw.
    draw = Draw.objects.select_for_update().get(public_id=act.params["draw"])
    entry = pools.return_leftover(
        pool=draw.pool,
        unit=act.params["unit"],
        amount=act.params["amount"],
        by=signatures.by,
        reason=act.reason,
        idem_key=act.idem_key,
        now=now,
    )
    assert entry is not None  # an amount was named
    return entry


APPROVABLE_KINDS = (
    ApprovableKind(
        name=FUND_POOL,
        words=gettext_lazy("Fund a draw's pool"),
        permission="draws.fund_draw",
        names=names_of_draws,
        moves=_funding_moves,
        do=_fund,
        why_not=_why_not_fund,
        refusals=(DrawError,),
    ),
    ApprovableKind(
        name=RETURN_LEFTOVER,
        words=gettext_lazy("Return money from a draw's pool"),
        permission="draws.fund_draw",
        names=names_of_draws,
        moves=_returning_moves,
        do=_return,
        refusals=(DrawError,),
    ),
)
