"""Withdrawals: a member asks to be paid out, Finance agrees, and the money waits on accounts of its own meanwhile.

`held:withdrawal:…` is what was asked for, `leaving:withdrawal:…` what somebody agreed to. Paying it:
`payments.services.paying_out`. Locks: the approval (`payments.approvals`), the withdrawal's row, the ledger.
"""

import datetime as dt
from collections.abc import Collection, Mapping
from dataclasses import dataclass

from django.db import IntegrityError, transaction
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from accounts.models import User
from audit.services import record
from notifications.recipients import Recipient
from notifications.services import notify
from payments.accounts import AccountSpec, ensure_accounts, member_account, wallets_of
from payments.approvable import ApprovableKind, MoneyAct, Signatures
from payments.approvals import Outcome, request_or_do
from payments.ledger import InsufficientFundsError, Leg, post
from payments.models import Account, LedgerEntry, ReviewItem, Withdrawal
from payments.money import CURRENCIES, format_amount
from payments.services.reviewing import open_review, resolve_by_itself

APPROVE_WITHDRAWAL = "payments.approve_withdrawal"
PAY_BY_HAND = "payments.pay_withdrawal_by_hand"
State = Withdrawal.State


class WithdrawalError(Exception):
    """This can't be done with the withdrawal. Nothing was moved; the message is a sentence for whoever tried."""


@dataclass(frozen=True, slots=True)
class Destination:
    """Where the money shall go: a bank or mobile money as Paystack lists it, and the account there."""

    recipient_type: str
    bank_code: str
    bank_name: str
    account_number: str
    account_name: str

    @property
    def kind(self) -> str:
        """A bank account, or mobile money."""
        is_mobile = self.recipient_type.startswith("mobile_money")
        return Withdrawal.Destination.MOBILE if is_mobile else Withdrawal.Destination.BANK


def held_account(withdrawal: Withdrawal) -> AccountSpec:
    """Where it waits until somebody decides."""
    return AccountSpec(code=f"held:withdrawal:{withdrawal.public_id}:{withdrawal.unit}", unit=withdrawal.unit)


def leaving_account(withdrawal: Withdrawal) -> AccountSpec:
    """Where it waits, agreed to, until it is paid."""
    return AccountSpec(
        code=f"leaving:withdrawal:{withdrawal.public_id}:{withdrawal.unit}", unit=withdrawal.unit
    )


def by_hand_account(unit: str) -> AccountSpec:
    """The outside world that withdrawals are paid to without Paystack."""
    return AccountSpec(code=f"world:paid_by_hand:{unit}", unit=unit, floor=None, is_materialised=False)


def money_wallets(member: User) -> list[Account]:
    """The member's wallets that can be paid out: currencies, not credits or points."""
    return [wallet for wallet in wallets_of(member) if wallet.unit in CURRENCIES]


def ask_withdrawal(
    *, member: User, unit: str, amount: int, to: Destination, idem_key: str, now: dt.datetime
) -> Withdrawal:
    """Set `amount` aside and tell Finance; the same key again gives the first. Raises `WithdrawalError`."""
    if unit not in CURRENCIES:
        raise WithdrawalError(_("Only money can be paid out."))
    if amount <= 0:
        raise WithdrawalError(_("The amount must be above zero."))
    if not (to.account_number.strip() and to.account_name.strip() and to.bank_code):
        raise WithdrawalError(_("Say where the money shall go."))
    if (known := _known(member, unit, amount, idem_key)) is not None:
        return known
    try:
        with transaction.atomic():
            return _hold(member, unit, amount, to, idem_key, now)
    except InsufficientFundsError as error:
        raise WithdrawalError(
            _("Your wallet holds %(held)s: that is less than %(amount)s.")
            % {"held": format_amount(error.balance, unit), "amount": format_amount(amount, unit)}
        ) from error
    except IntegrityError:  # the same form, sent twice at this very moment
        if (known := _known(member, unit, amount, idem_key)) is None:
            raise
        return known


def cancel_withdrawal(*, withdrawal: Withdrawal, member: User, now: dt.datetime) -> Withdrawal:
    """Take it back while nobody has decided; again: nothing more happens. Raises `WithdrawalError`."""
    with transaction.atomic():
        withdrawal = Withdrawal.objects.select_for_update().get(pk=withdrawal.pk)
        if withdrawal.member_id != member.pk:
            raise WithdrawalError(_("This is somebody else's."))
        if withdrawal.state == State.CANCELLED:
            return withdrawal
        if withdrawal.state != State.REQUESTED:
            raise WithdrawalError(
                _("This can't be taken back any more: %(state)s.")
                % {"state": withdrawal.get_state_display().lower()}
            )
        _give_back(withdrawal, State.CANCELLED, reason="", by=member, now=now)
    return withdrawal


def reject_withdrawal(*, withdrawal: Withdrawal, reason: str, by: User, now: dt.datetime) -> Withdrawal:
    """Give it back with a reason that the member reads. What may be at Paystack already can't be. Raises `WithdrawalError`."""
    if not reason.strip():
        raise WithdrawalError(_("Say why: the member reads it."))
    with transaction.atomic():
        withdrawal = Withdrawal.objects.select_for_update().get(pk=withdrawal.pk)
        if withdrawal.member_id == by.pk:
            raise WithdrawalError(_("This is your own withdrawal: somebody else decides."))
        if withdrawal.state == State.REJECTED:
            return withdrawal
        if withdrawal.state in Withdrawal.FINISHED:
            raise WithdrawalError(
                _("This is finished: %(state)s.") % {"state": withdrawal.get_state_display().lower()}
            )
        if withdrawal.was_sent:
            raise WithdrawalError(
                _(
                    "Paystack may still pay this: stop the transfer in its dashboard, and it comes back by itself."
                )
            )
        _give_back(withdrawal, State.REJECTED, reason=reason.strip(), by=by, now=now)
    return withdrawal


def send_again(*, withdrawal: Withdrawal, by: User, now: dt.datetime) -> Withdrawal:
    """Try once more what Paystack has refused. Raises `WithdrawalError`."""
    with transaction.atomic():
        withdrawal = Withdrawal.objects.select_for_update().get(pk=withdrawal.pk)
        if withdrawal.state != State.ATTENTION or withdrawal.was_sent:
            raise WithdrawalError(_("Only what Paystack has refused can be sent again."))
        withdrawal.state, withdrawal.try_after, withdrawal.attempts = State.APPROVED, now, 0
        withdrawal.save(update_fields=["state", "try_after", "attempts"])
        record(actor=by, action="withdrawal.sent_again", target=withdrawal, data={}, now=now)
    return withdrawal


def approve_withdrawal(
    *, withdrawal: Withdrawal, by: User, reason: str, idem_key: str, now: dt.datetime
) -> Outcome:
    """Agree that it is paid; above the limit a second person agrees first. Raises `WithdrawalError`, `ApprovalError`."""
    act = _act(APPROVE_WITHDRAWAL, withdrawal, {}, by=by, reason=reason, idem_key=idem_key)
    return request_or_do(act=act, by=by, now=now)


def mark_paid_by_hand(
    *, withdrawal: Withdrawal, by: User, evidence: str, idem_key: str, now: dt.datetime
) -> Outcome:
    """Write down that it was paid without Paystack; `evidence` says how that can be proved. Raises like `approve_withdrawal`."""
    if not evidence.strip():
        raise WithdrawalError(_("Say how it was paid: the number of the receipt, the bank's statement."))
    params = {"is_leaving": withdrawal.state in Withdrawal.LEAVING}
    act = _act(PAY_BY_HAND, withdrawal, params, by=by, reason=evidence, idem_key=idem_key)
    return request_or_do(act=act, by=by, now=now)


def tell_member(withdrawal: Withdrawal, kind: str, *, now: dt.datetime) -> None:
    """Paid, failed or rejected: the member hears of each once. In the caller's transaction."""
    notify(
        kind=f"payments.withdrawal_{kind}",
        about=withdrawal.name,
        context={
            "amount": format_amount(withdrawal.amount, withdrawal.unit),
            "bank": withdrawal.bank_name,
            "reason": withdrawal.reason,
            "reference": withdrawal.reference,
        },
        recipients=[Recipient.of(withdrawal.member)],
        idem_key=f"withdrawal:{withdrawal.public_id}:{kind}",
        not_before=now,
        now=now,
    )


def move(
    withdrawal: Withdrawal,
    *,
    key: str,
    kind: str,
    source: AccountSpec,
    target: AccountSpec,
    reason: str = "",
    by: User | None,
    now: dt.datetime,
) -> LedgerEntry:
    """All of it from one account to another. The last of its transaction."""
    accounts = ensure_accounts([source, target])
    return post(
        idem_key=key,
        kind=kind,
        legs=[
            Leg(accounts[source.code], -withdrawal.amount),
            Leg(accounts[target.code], withdrawal.amount),
        ],
        about=withdrawal.name,
        reason=reason,
        actor=by,
        now=now,
    )


def review_key(withdrawal: Withdrawal) -> str:
    """Under which its review item is opened once."""
    return f"withdrawal:{withdrawal.public_id}"


def review(withdrawal: Withdrawal, reason: str, now: dt.datetime, *, about: str = "") -> None:
    """Something for people to look at. In the caller's transaction."""
    key = f"{review_key(withdrawal)}:{about}" if about else review_key(withdrawal)
    open_review(kind=ReviewItem.Kind.WITHDRAWAL, key=key, reason=f"{withdrawal.reference}: {reason}", now=now)


def _known(member: User, unit: str, amount: int, idem_key: str) -> Withdrawal | None:
    known = Withdrawal.objects.filter(idem_key=idem_key).first()
    if known is not None and (known.member_id, known.unit, known.amount) != (member.pk, unit, amount):
        raise WithdrawalError(_("This was sent once already, with another content: open the form anew."))
    return known


def _hold(
    member: User, unit: str, amount: int, to: Destination, idem_key: str, now: dt.datetime
) -> Withdrawal:
    withdrawal = Withdrawal.objects.create(
        idem_key=idem_key,
        member=member,
        unit=unit,
        amount=amount,
        destination=to.kind,
        recipient_type=to.recipient_type,
        bank_code=to.bank_code,
        bank_name=to.bank_name,
        account_number=to.account_number.strip(),
        account_name=to.account_name.strip(),
        requested_at=now,
    )
    data = {"amount": amount, "unit": unit}
    record(actor=member, action="withdrawal.requested", target=withdrawal, data=data, now=now)
    notify(
        kind="payments.withdrawal_requested",
        about=withdrawal.name,
        context={
            "amount": format_amount(amount, unit),
            "bank": to.bank_name,
            "reference": withdrawal.reference,
            "withdrawal": withdrawal.pk,
        },
        idem_key=f"withdrawal:{withdrawal.public_id}:requested",
        not_before=now,
        now=now,
    )
    withdrawal.held_entry = move(
        withdrawal,
        key=f"withdrawal:{withdrawal.public_id}:held",
        kind="withdrawal.held",
        source=member_account(member.pk, unit),
        target=held_account(withdrawal),
        by=member,
        now=now,
    )
    withdrawal.save(update_fields=["held_entry"])
    return withdrawal


def _give_back(
    withdrawal: Withdrawal, state: State, *, reason: str, by: User | None, now: dt.datetime
) -> None:
    is_leaving = withdrawal.state in Withdrawal.LEAVING
    withdrawal.state, withdrawal.reason = state, reason[:300]
    withdrawal.finished_at, withdrawal.try_after = now, None
    withdrawal.save(update_fields=["state", "reason", "finished_at", "try_after"])
    resolve_by_itself(review_key(withdrawal), note=str(state.label), now=now)
    record(actor=by, action=f"withdrawal.{state}", target=withdrawal, data={"reason": reason}, now=now)
    if state == State.REJECTED:
        tell_member(withdrawal, "rejected", now=now)
    move(
        withdrawal,
        key=f"withdrawal:{withdrawal.public_id}:given_back",
        kind="withdrawal.released",
        source=leaving_account(withdrawal) if is_leaving else held_account(withdrawal),
        target=member_account(withdrawal.member_id, withdrawal.unit),
        reason=reason,
        by=by,
        now=now,
    )


# ── The acts, alone or with a second person ───────────────────────────────────────────────────────────────


def _act(
    kind: str,
    withdrawal: Withdrawal,
    params: Mapping[str, object],
    *,
    by: User,
    reason: str,
    idem_key: str,
) -> MoneyAct:
    if withdrawal.member_id == by.pk:
        raise WithdrawalError(_("This is your own withdrawal: somebody else decides."))
    return MoneyAct(
        kind=kind,
        amounts={withdrawal.unit: withdrawal.amount},
        params={"withdrawal": str(withdrawal.public_id), **params},
        about=withdrawal.name,
        reason=reason.strip(),
        idem_key=idem_key,
    )


def _of(act: MoneyAct) -> Withdrawal:
    return Withdrawal.objects.get(public_id=act.params["withdrawal"])


def _names(abouts: Collection[str]) -> Mapping[str, str]:
    numbers = [about.removeprefix("payments.withdrawal:") for about in abouts]
    return {one.name: one.reference for one in Withdrawal.objects.filter(public_id__in=numbers)}


def _ends(act: MoneyAct, withdrawal: Withdrawal) -> tuple[AccountSpec, AccountSpec]:
    """From which account to which the act moves it."""
    if act.kind == APPROVE_WITHDRAWAL:
        return held_account(withdrawal), leaving_account(withdrawal)
    is_leaving = bool(act.params["is_leaving"])
    source = leaving_account(withdrawal) if is_leaving else held_account(withdrawal)
    return source, by_hand_account(withdrawal.unit)


def _moves(act: MoneyAct) -> Mapping[str, int]:
    withdrawal = _of(act)
    source, target = _ends(act, withdrawal)
    return {source.code: -withdrawal.amount, target.code: withdrawal.amount}


def _why_not(act: MoneyAct) -> str:
    return _refusal(act, _of(act))


def _refusal(act: MoneyAct, withdrawal: Withdrawal) -> str:
    if act.kind == APPROVE_WITHDRAWAL:
        fits = withdrawal.state == State.REQUESTED
    elif act.params["is_leaving"]:
        # What Paystack has may still be paid by it, except where it waits for somebody there.
        fits = withdrawal.state == State.ATTENTION or (
            withdrawal.state == State.APPROVED and not withdrawal.was_sent
        )
    else:
        fits = withdrawal.state == State.REQUESTED
    if fits:
        return ""
    return _("This can't be done with the withdrawal as it stands: %(state)s.") % {
        "state": withdrawal.get_state_display().lower()
    }


def _do(act: MoneyAct, signatures: Signatures, now: dt.datetime) -> LedgerEntry:
    """Agree to it, or write down that it was paid by hand."""
    withdrawal = Withdrawal.objects.select_for_update().get(public_id=act.params["withdrawal"])
    if (known := LedgerEntry.objects.filter(idem_key=act.idem_key).first()) is not None:
        return known
    if withdrawal.member_id in {person.pk for person in (signatures.by, signatures.approved_by) if person}:
        raise WithdrawalError(_("This is your own withdrawal: somebody else decides."))
    if sentence := _refusal(act, withdrawal):
        raise WithdrawalError(sentence)
    source, target = _ends(act, withdrawal)
    is_paid = act.kind == PAY_BY_HAND
    withdrawal.approved_by = signatures.by
    if is_paid:
        withdrawal.state, withdrawal.evidence = State.PAID, act.reason
        withdrawal.finished_at, withdrawal.try_after = now, None
        resolve_by_itself(review_key(withdrawal), note=act.reason, now=now)
    else:
        withdrawal.state, withdrawal.try_after = State.APPROVED, now
    withdrawal.save(update_fields=["approved_by", "state", "evidence", "finished_at", "try_after"])
    record(
        actor=signatures.by,
        action="withdrawal.paid_by_hand" if is_paid else "withdrawal.approved",
        target=withdrawal,
        data={"amount": withdrawal.amount, "unit": withdrawal.unit, "reason": act.reason},
        now=now,
    )
    if is_paid:
        tell_member(withdrawal, "paid", now=now)
    return move(
        withdrawal,
        key=act.idem_key,
        kind="withdrawal.paid" if is_paid else "withdrawal.approved",
        source=source,
        target=target,
        reason=act.reason,
        by=signatures.by,
        now=now,
    )


WITHDRAWAL_APPROVAL = ApprovableKind(
    name=APPROVE_WITHDRAWAL,
    words=gettext_lazy("Pay out a withdrawal"),
    permission="payments.manage_payments",
    names=_names,
    moves=_moves,
    do=_do,
    why_not=_why_not,
    refusals=(WithdrawalError,),
)
WITHDRAWAL_BY_HAND = ApprovableKind(
    name=PAY_BY_HAND,
    words=gettext_lazy("Mark a withdrawal as paid by hand"),
    permission="payments.manage_payments",
    names=_names,
    moves=_moves,
    do=_do,
    why_not=_why_not,
    refusals=(WithdrawalError,),
)
