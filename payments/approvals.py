"""Two people for large amounts: acts with money are done at once below a limit, and wait for a second above it.

So do acts of a kind that always takes two; they move nothing of their own and leave no ledger entry.

`request_or_do` is the one way in. What waits is an `Approval`; `approve` does exactly what was asked, in one
transaction: the request is locked, whoever asked is refused (here, and by a CHECK of the table), the digest of what
is stored is the digest of what was asked, and the ledger entry holds what the kind said it would. A request whose time
has run out is never done, whether or not the job has marked it.

Held against the limit is what the person has moved alone in the last 24 hours, this act included; under a lock of
that person, so that two acts at the same moment don't each find room for one.

Locks come in this order: the approval, or the person who acts alone; then rows of features, then the ledger. So whoever
holds a feature's row must not go on to lock an approval or to ask for an act.
"""

import datetime as dt
from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass

from django.conf import settings
from django.db import IntegrityError, transaction
from django.db.models import QuerySet
from django.utils.translation import gettext as _

from accounts.models import User
from accounts.rights import holders_of
from audit.services import record
from notifications.services import Recipient, notify
from payments.alone import lock_person, moved_alone, note_alone
from payments.approvable import ApprovableKind, MoneyAct, Signatures, UnknownKindError, approvable, known_acts
from payments.ledger import IdempotencyConflictError, InsufficientFundsError
from payments.limits import needs_second_person
from payments.models import Approval, LedgerEntry
from payments.money import format_amount

APPROVE_MONEY = "payments.approve_money"
State = Approval.State


class ApprovalError(Exception):
    """An act or a decision was refused; nothing was moved. The message is a sentence for whoever asked."""


class OwnRequestError(ApprovalError):
    """Nobody decides about what they asked for themselves."""


class NotEntitledError(ApprovalError):
    """This person may not decide about such acts."""


class AlreadyDecidedError(ApprovalError):
    """It is no longer waiting."""


class CantBeDoneError(ApprovalError):
    """It makes no sense as things stand. The request keeps waiting."""


class ActMismatchError(Exception):
    """A kind did, or stored, something else than it said: a fault of ours or a forgery. Nothing was moved."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """What came of an act: the ledger entry where it was done, the approval where it needs, or needed, one."""

    entry: LedgerEntry | None
    approval: Approval | None = None

    @property
    def waits(self) -> bool:
        """Whether it is still to be decided."""
        return self.approval is not None and self.approval.state == State.REQUESTED


def request_or_do(*, act: MoneyAct, by: User, now: dt.datetime) -> Outcome:
    """Do `act` at once, or file it to wait for a second person.

    A second is needed where the amount, with what `by` has moved alone in the last 24 hours, is above the limit.
    Whether `by` may do it at all is the caller's to check. Repeats of `act.idem_key` with the same content by the same
    person give the first outcome. Raises `ApprovalError`, the kind's own refusals, and `IdempotencyConflictError`.
    """
    kind = approvable(act.kind)
    if not act.reason.strip():
        raise ApprovalError(_("Say why: the reason is kept in the audit trail."))
    _hold_to_amounts(kind, act)
    if (known := Approval.objects.filter(idem_key=act.idem_key).first()) is not None:
        return _repeated(known, act, by)
    if (entry := _done_alone(kind, act, by, now)) is not None:
        return Outcome(entry)
    if sentence := kind.why_not(act):
        raise CantBeDoneError(sentence)
    try:
        with transaction.atomic():
            return Outcome(None, _file(kind, act, by, now))
    except IntegrityError:  # somebody filed the same key at this very moment
        known = Approval.objects.filter(idem_key=act.idem_key).first()
        if known is None:
            raise
        return _repeated(known, act, by)


def approve(*, approval: Approval, by: User, note: str = "", now: dt.datetime) -> Approval:
    """Agree, and do what was asked, in one transaction. Again by the same person: nothing more happens.

    Where it can't be done as things stand, that goes on record, the request keeps waiting, and `CantBeDoneError` is
    raised. Else raises `OwnRequestError`, `NotEntitledError`, `AlreadyDecidedError`, `ActMismatchError`.
    """
    with transaction.atomic():
        approval = _locked(approval)
        if approval.state in (State.APPROVED, State.DONE) and approval.decided_by_id == by.pk:
            return approval
        kind = _decidable(approval, by, now)
        act = act_of(approval)
        if act.digest(by=approval.requested_by) != bytes(approval.digest):
            raise ActMismatchError(f"Approval {approval.public_id} does not hold what was asked.")
        refusals: tuple[type[Exception], ...] = (
            ApprovalError,
            InsufficientFundsError,
            IdempotencyConflictError,
            *kind.refusals,
        )
        refused: Exception | None = None
        try:
            with transaction.atomic():
                _decide(approval, State.APPROVED, by=by, note=note, now=now)
                approval.result = _do(kind, act, Signatures(by=approval.requested_by, approved_by=by), now)
                approval.state = State.DONE
                approval.save(update_fields=["state", "result"])
        except refusals as error:
            refused, sentence = error, sentence_of(error)
            record(
                actor=by,
                action="approval.failed",
                target=approval.name,
                data={"digest": bytes(approval.digest).hex(), "error": sentence},
                now=now,
            )
        else:
            _record(approval, by=by, now=now)
            _tell_requester(approval, now=now)
    if refused is not None:
        raise CantBeDoneError(sentence) from refused
    return approval


def reject(*, approval: Approval, by: User, note: str, now: dt.datetime) -> Approval:
    """Refuse what was asked; it is never done. Raises like `approve`, and `ApprovalError` without a note."""
    if not note.strip():
        raise ApprovalError(_("Say why: whoever asked is told."))
    with transaction.atomic():
        approval = _locked(approval)
        if approval.state == State.REJECTED and approval.decided_by_id == by.pk:
            return approval
        _decidable(approval, by, now)
        _decide(approval, State.REJECTED, by=by, note=note, now=now)
        _record(approval, by=by, now=now)
        _tell_requester(approval, now=now)
    return approval


def withdraw(*, approval: Approval, by: User, note: str = "", now: dt.datetime) -> Approval:
    """Take back what one asked for oneself. Raises `NotEntitledError`, `AlreadyDecidedError`."""
    with transaction.atomic():
        approval = _locked(approval)
        if approval.requested_by_id != by.pk:
            raise NotEntitledError(_("Only who asked for it takes it back."))
        if approval.state == State.WITHDRAWN:
            return approval
        _still_waiting(approval)
        _decide(approval, State.WITHDRAWN, by=None, note=note, now=now)
        _record(approval, by=by, now=now)
    return approval


def expire_approvals(*, now: dt.datetime) -> list[Approval]:
    """Close what nobody decided about in time, and tell who asked; those that it closed."""
    expired = []
    due = Approval.objects.filter(state=State.REQUESTED, expires_at__lte=now).order_by("expires_at", "pk")
    for pk in list(due.values_list("pk", flat=True)):
        with transaction.atomic():
            locked = due.select_for_update(skip_locked=True)
            if (approval := locked.filter(pk=pk).first()) is None:
                continue
            _decide(approval, State.EXPIRED, by=None, note="", now=now)
            _record(approval, by=None, now=now)
            _tell_requester(approval, now=now)
            expired.append(approval)
    return expired


@dataclass(frozen=True, slots=True)
class Requests:
    """What was asked under numbered keys of one beginning: the one that waits, and how many are closed."""

    waiting: Approval | None
    closed: int


def requests_under(beginning: str) -> Requests:
    """What was asked for under `<beginning>:1`, `<beginning>:2`, …"""
    asked = list(Approval.objects.filter(idem_key__startswith=f"{beginning}:").select_related("requested_by"))
    waiting = next((approval for approval in asked if approval.state == State.REQUESTED), None)
    return Requests(waiting, sum(approval.state != State.REQUESTED for approval in asked))


def act_of(approval: Approval) -> MoneyAct:
    """What was asked for."""
    return MoneyAct(
        kind=approval.kind,
        amounts=approval.amounts,
        params=approval.params,
        about=approval.about,
        reason=approval.reason,
        idem_key=approval.idem_key,
    )


def words_of_act(kind: str) -> str:
    """What a kind of act is called; its name where no app registers it any more."""
    try:
        return str(approvable(kind).words)
    except UnknownKindError:
        return kind


def names_of(approvals: Iterable[Approval]) -> dict[int, str]:
    """What staff call the things that these are about, by the approvals' ids: one query for each kind of act."""
    approvals = list(approvals)
    abouts: dict[str, set[str]] = defaultdict(set)
    for approval in approvals:
        abouts[approval.kind].add(approval.about)
    registered = {name for name, _words in known_acts()}
    named = {kind: approvable(kind).names(wanted) for kind, wanted in abouts.items() if kind in registered}
    return {
        approval.pk: named.get(approval.kind, {}).get(approval.about, approval.about)
        for approval in approvals
    }


def title_of(approval: Approval) -> str:
    """`Fund a draw's pool: KES 250,000.00`; the words alone where nothing is moved."""
    return ": ".join(filter(None, [words_of_act(approval.kind), amounts_text(approval)]))


def amounts_text(approval: Approval) -> str:
    """`KES 250,000.00, 30 credits`."""
    return ", ".join(format_amount(amount, unit) for unit, amount in sorted(approval.amounts.items()))


def deciders_of(approval: Approval) -> QuerySet[User]:
    """Those who may decide about it: they may decide, may do such an act themselves, and did not ask for it."""
    try:
        permission = approvable(approval.kind).permission
    except UnknownKindError:
        return User.objects.none()
    return holders_of(APPROVE_MONEY, permission).exclude(pk=approval.requested_by_id)


def why_may_not_decide(approval: Approval, user: User) -> str:
    """A sentence why this person may not decide about it, whatever its state; empty for those who may."""
    if approval.requested_by_id == user.pk:
        return _("You asked for this yourself: somebody else decides.")
    try:
        permission = approvable(approval.kind).permission
    except UnknownKindError:
        return _("This site does not know such acts any more: nobody can decide about it.")
    if not (user.is_active and user.has_perms((APPROVE_MONEY, permission))):
        return _("Your role may not decide about such acts.")
    return ""


def waiting(*, now: dt.datetime) -> QuerySet[Approval]:
    """Everything that can still be decided about, what asks for haste first."""
    return Approval.objects.filter(state=State.REQUESTED, expires_at__gt=now).order_by("expires_at", "pk")


def waiting_for(user: User, *, now: dt.datetime) -> QuerySet[Approval]:
    """What waits for this very person: all that they may decide about."""
    kinds = [name for name, _words in known_acts() if user.has_perm(approvable(name).permission)]
    if not kinds or not user.has_perm(APPROVE_MONEY):
        return Approval.objects.none()
    return waiting(now=now).filter(kind__in=kinds).exclude(requested_by=user)


def waiting_amounts(*, about: str, kind: str) -> dict[str, int]:
    """What is asked and not decided about one thing: unit to minor units."""
    totals: dict[str, int] = defaultdict(int)
    asked = Approval.objects.filter(state=State.REQUESTED, about=about, kind=kind)
    for amounts in asked.values_list("amounts", flat=True):
        for unit, amount in amounts.items():
            totals[unit] += amount
    return dict(totals)


def sentence_of(error: Exception) -> str:
    """A refusal as a person can act on it."""
    match error:
        case InsufficientFundsError():
            unit = error.account.rpartition(":")[2]
            return _("%(account)s holds %(held)s, and %(needed)s are needed.") % {
                "account": error.account,
                "held": format_amount(error.balance, unit),
                "needed": format_amount(error.needed, unit),
            }
        case IdempotencyConflictError():
            return _("This was done once already, with another content: open the form anew.")
    return str(error)


def _hold_to_amounts(kind: ApprovableKind, act: MoneyAct) -> None:
    """What is held against the limits must be what moves: a kind that understates it would go around them."""
    moved: dict[str, int] = defaultdict(int)
    for code, amount in kind.moves(act).items():
        moved[code.rpartition(":")[2]] += max(amount, 0)
    if kind.always_two and not act.amounts and not moved:
        return
    if not act.amounts or dict(moved) != dict(act.amounts) or min(act.amounts.values()) < 1:
        raise ActMismatchError(f"{act.kind} says it moves {dict(act.amounts)}, and would move {dict(moved)}.")


def _done_alone(kind: ApprovableKind, act: MoneyAct, by: User, now: dt.datetime) -> LedgerEntry | None:
    """Do it on one signature; None where that is not enough."""
    if kind.always_two:
        return None
    with transaction.atomic():
        lock_person(by)
        # A key that the ledger knows moves nothing any more: the entry comes back, or a conflict. Asked under the lock,
        # for the same form may have been sent a moment before.
        is_repeat = LedgerEntry.objects.filter(idem_key=act.idem_key).exists()
        if not is_repeat:
            before = moved_alone(by, until=now)
            amounts = {unit: amount + before.get(unit, 0) for unit, amount in act.amounts.items()}
            if needs_second_person(amounts):
                return None
        entry = _do(kind, act, Signatures(by=by), now)
        if entry is not None and not is_repeat:
            note_alone(act, entry=entry, by=by, now=now)
    return entry


def _do(kind: ApprovableKind, act: MoneyAct, signatures: Signatures, now: dt.datetime) -> LedgerEntry | None:
    """Let the kind do it, and hold the ledger entry, where it moves anything, to what was said."""
    entry = kind.do(act, signatures, now)
    if entry is None and not act.amounts:
        return None
    if entry is None:
        raise ActMismatchError(f"{act.kind} posted nothing.")
    legs: Iterable[tuple[str, int]] = entry.postings.values_list("account__code", "amount")
    if entry.idem_key != act.idem_key or dict(legs) != dict(kind.moves(act)):
        raise ActMismatchError(f"{act.kind} posted something else than was asked for.")
    return entry


def _repeated(known: Approval, act: MoneyAct, by: User) -> Outcome:
    if known.requested_by_id != by.pk or bytes(known.digest) != act.digest(by=by):
        raise IdempotencyConflictError(act.idem_key)
    return Outcome(known.result, known)


def _file(kind: ApprovableKind, act: MoneyAct, by: User, now: dt.datetime) -> Approval:
    approval = Approval.objects.create(
        idem_key=act.idem_key,
        kind=act.kind,
        amounts=dict(act.amounts),
        params=dict(act.params),
        about=act.about,
        reason=act.reason,
        digest=act.digest(by=by),
        requested_by=by,
        requested_at=now,
        expires_at=now + dt.timedelta(days=settings.APPROVAL_DAYS),
    )
    _record(approval, by=by, now=now)
    notify(
        kind="payments.approval_requested",
        about=approval.name,
        context={**_context(approval), "by": str(by), "expires_at": approval.expires_at},
        idem_key=f"approval:{approval.public_id}:requested",
        not_before=now,
        expires_at=approval.expires_at,
        now=now,
    )
    return approval


def _locked(approval: Approval) -> Approval:
    # Nothing joined: a row that changed while its lock was waited for would come with the old `decided_by`.
    return Approval.objects.select_for_update().get(pk=approval.pk)


def _still_waiting(approval: Approval) -> None:
    if approval.state == State.REQUESTED:
        return
    if approval.decided_by is None:
        sentence = _("This is no longer waiting: %(state)s.") % {
            "state": approval.get_state_display().lower()
        }
    else:
        sentence = _("%(who)s has decided about this already: %(state)s.") % {
            "who": approval.decided_by,
            "state": approval.get_state_display().lower(),
        }
    raise AlreadyDecidedError(sentence)


def _decidable(approval: Approval, by: User, now: dt.datetime) -> ApprovableKind:
    """Its kind, if `by` may decide about it at this moment."""
    if approval.requested_by_id == by.pk:
        raise OwnRequestError(why_may_not_decide(approval, by))
    if sentence := why_may_not_decide(approval, by):
        raise NotEntitledError(sentence)
    _still_waiting(approval)
    if approval.expires_at <= now:
        raise AlreadyDecidedError(_("This has waited too long and is not done any more: ask for it anew."))
    return approvable(approval.kind)


def _decide(approval: Approval, state: State, *, by: User | None, note: str, now: dt.datetime) -> None:
    approval.state, approval.decided_by = state, by
    approval.decided_at, approval.note = now, note.strip()
    approval.save(update_fields=["state", "decided_by", "decided_at", "note"])


def _record(approval: Approval, *, by: User | None, now: dt.datetime) -> None:
    """A step of an approval, in the trail: with the digest that tells what it was about."""
    data = {
        "kind": approval.kind,
        "about": approval.about,
        "amounts": approval.amounts,
        "digest": bytes(approval.digest).hex(),
        "requested_by": str(approval.requested_by.public_id),
        "reason": approval.reason if approval.state == State.REQUESTED else approval.note,
    }
    if approval.result is not None:
        data["entry"] = str(approval.result.public_id)
    record(actor=by, action=f"approval.{approval.state}", target=approval.name, data=data, now=now)


def _context(approval: Approval) -> dict[str, str | int]:
    return {
        "what": words_of_act(approval.kind),
        "title": title_of(approval),
        "amounts": amounts_text(approval),
        "thing": names_of([approval])[approval.pk],
        "reason": approval.reason,
        "approval": approval.pk,
    }


def _tell_requester(approval: Approval, *, now: dt.datetime) -> None:
    notify(
        kind="payments.approval_decided",
        about=approval.name,
        context={
            **_context(approval),
            "outcome": str(approval.state),
            "by": str(approval.decided_by or ""),
            "note": approval.note,
        },
        idem_key=f"approval:{approval.public_id}:decided",
        not_before=now,
        recipients=[Recipient.of(approval.requested_by)],
        now=now,
    )
