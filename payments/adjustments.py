"""Adjustments: an amount put into a member's wallet or taken out of it by hand, with a reason.

The other side is an account of its own in each unit, so that what was ever adjusted can be summed. Above the
limit it waits for a second person. Nobody adjusts their own wallet, and nobody agrees to their own gain.
"""

import datetime as dt
from collections.abc import Collection, Mapping

from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from accounts.models import User
from audit.services import record, target_name
from payments.accounts import AccountSpec, ensure_accounts, member_account, member_code
from payments.approvable import ApprovableKind, MoneyAct, Signatures
from payments.approvals import Outcome, request_or_do
from payments.ledger import Leg, post
from payments.models import LedgerEntry

ADJUST_WALLET = "payments.adjust_wallet"


class AdjustmentError(Exception):
    """A wallet can't be adjusted like this. The message is a sentence for whoever asked."""


def adjustments_account(unit: str) -> AccountSpec:
    """The other side of every adjustment in a unit: no floor, and a sum instead of a balance."""
    return AccountSpec(code=f"world:adjustments:{unit}", unit=unit, floor=None, is_materialised=False)


def adjust_wallet(
    *, member: User, unit: str, amount: int, by: User, reason: str, idem_key: str, now: dt.datetime
) -> Outcome:
    """Put `amount` minor units into a member's wallet, or take them out where it is below zero.

    Raises `AdjustmentError`, `payments.approvals.ApprovalError`, and the ledger's errors: a wallet never falls
    below zero.
    """
    if not amount:
        raise AdjustmentError(_("The amount must not be zero."))
    if member.pk == by.pk:
        raise AdjustmentError(_("Nobody adjusts their own wallet: ask a colleague."))
    act = MoneyAct(
        kind=ADJUST_WALLET,
        amounts={unit: abs(amount)},
        params={"member_id": member.pk, "unit": unit, "amount": amount},
        about=target_name(member),
        reason=reason.strip(),
        idem_key=idem_key,
    )
    return request_or_do(act=act, by=by, now=now)


def _names(abouts: Collection[str]) -> Mapping[str, str]:
    people = User.objects.filter(public_id__in=[about.removeprefix("accounts.user:") for about in abouts])
    return {target_name(person): str(person) for person in people}


def _moves(act: MoneyAct) -> Mapping[str, int]:
    unit, amount = str(act.params["unit"]), int(act.params["amount"])
    return {
        member_code(int(act.params["member_id"]), unit): amount,
        adjustments_account(unit).code: -amount,
    }


def _adjust(act: MoneyAct, signatures: Signatures, now: dt.datetime) -> LedgerEntry:
    member = User.objects.get(pk=act.params["member_id"])
    if signatures.approved_by is not None and signatures.approved_by.pk == member.pk:
        raise AdjustmentError(_("This is your own wallet: somebody else decides."))
    unit = str(act.params["unit"])
    accounts = ensure_accounts([member_account(member.pk, unit), adjustments_account(unit)])
    entry = post(
        idem_key=act.idem_key,
        kind="wallet.adjusted",
        legs=[Leg(accounts[code], amount) for code, amount in _moves(act).items()],
        about=act.about,
        reason=act.reason,
        actor=signatures.by,
        now=now,
    )
    if entry.is_new:
        record(
            actor=signatures.by,
            action="wallet.adjusted",
            target=act.about,
            data={
                "unit": unit,
                "amount": int(act.params["amount"]),
                "reason": act.reason,
                "entry": str(entry.public_id),
            },
            now=now,
        )
    return entry


WALLET_ADJUSTMENT = ApprovableKind(
    name=ADJUST_WALLET,
    words=gettext_lazy("Adjust a wallet"),
    permission="payments.manage_payments",
    names=_names,
    moves=_moves,
    do=_adjust,
    refusals=(AdjustmentError,),
)
