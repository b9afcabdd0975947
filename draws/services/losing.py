"""Losing a prize: not claimed in time, declined, or taken back. What it frees goes on in the same transaction.

Whoever owns the award (`draws/sources.py`) takes its money back and hands the prize on. Locks are taken in one
order: first what the awards belong to (the draw), then the awards, then the ledger's accounts.
"""

import datetime as dt
from collections.abc import Sequence
from dataclasses import dataclass

import structlog
from django.db import transaction
from django.utils.translation import gettext as _

from accounts.models import User
from audit.services import record
from draws.models import Award, PrizeAddress, Voucher
from draws.services.claiming import ClaimError, require_theirs, require_time
from draws.services.errors import DrawError
from draws.services.reconnecting import drop_if_cut
from draws.sources import AwardSource, Loss, source_named, source_of
from payments.models import LedgerEntry

log = structlog.get_logger(__name__)

BATCH = 200
"""Awards that expire in one transaction: bounds how long a claim of another prize of that draw may wait."""
REASON_LENGTH = 300


class DisqualifyError(DrawError):
    """The prize can't be taken back like this. Nothing was changed; the message says what can be done."""


@dataclass(frozen=True, slots=True)
class ExpirySummary:
    """What one run of the job did: awards that expired, and draws (or other owners) whose turn failed."""

    expired: int = 0
    failed: int = 0


def expire_awards(*, now: dt.datetime) -> ExpirySummary:
    """Forfeit every award that was not claimed in time; its prize goes to the next rank.

    Any number of workers may run this at once, and be killed at it: each draw's awards expire in transactions
    under its lock, which nobody waits for. One draw that fails doesn't stop the others.
    """
    expired = failed = 0
    due = Award.objects.due_to_expire(now).order_by("about").values_list("about", "source").distinct()
    for about, source_name in due:
        try:
            while count := _expire_batch(about, source_named(source_name), now=now):
                expired += count
        except Exception:
            failed += 1
            log.exception("expiry_failed", about=about)
            drop_if_cut()  # was it cut? the next draw gets a new one
    return ExpirySummary(expired, failed)


def _expire_batch(about: str, source: AwardSource, *, now: dt.datetime) -> int:
    with transaction.atomic():
        if not source.lock(about, False):
            return 0
        due = Award.objects.due_to_expire(now).filter(about=about, source=source.name)
        # Waits for a claim under way, and then no longer finds what was claimed.
        awards = list(due.select_for_update().order_by("claim_until", "pk")[:BATCH])
        if awards:
            losses = [Loss(award=award, ending=Award.Ending.FORFEITED) for award in awards]
            _lose(source, losses, by=None, now=now)
    return len(awards)


def decline_award(*, award: Award, member: User | None, now: dt.datetime) -> Award:
    """Give a prize back before it is claimed; `member` None is whoever came by its secret link.

    Money is declined by its winner alone, signed in: a link that somebody else came by must not throw it away. Declining
    again does nothing. Raises `ClaimError` for another person's award, and for one that is claimed or whose time
    is over.
    """
    source = source_of(award)
    with transaction.atomic():
        source.lock(award.about, True)
        award = Award.objects.select_for_update().get(pk=award.pk)
        require_theirs(award, member)
        if award.ended_as == Award.Ending.DECLINED:
            return award
        if award.unit and member is None:
            raise ClaimError(
                _(
                    "Money is declined by its winner alone: sign in with the address that won. What nobody claims in "
                    "time is passed on by itself."
                )
            )
        require_time(award, now)
        _lose(source, [Loss(award=award, ending=Award.Ending.DECLINED)], by=member, now=now)
    return award


def disqualify_winner(*, award: Award, by: User, reason: str, now: dt.datetime) -> Award:
    """Take a prize away from its winner before it is in a wallet; the next rank follows.

    What was paid is asked back by `taking_back.take_back_prize`; a voucher that was used and a thing that was sent stay
    where they are. Raises `DisqualifyError`.
    """
    return take_prize(award=award, by=by, reason=published_reason(reason), now=now)


def take_prize(*, award: Award, by: User, reason: str, now: dt.datetime, asked_as: str = "") -> Award:
    """End the award and hand its prize on; `asked_as` is the key of the request to take it out of the wallet."""
    source = source_of(award)
    with transaction.atomic():
        source.lock(award.about, True)
        award = Award.objects.select_for_update().get(pk=award.pk)
        if why_not := why_not_takeable(award, from_wallet=bool(asked_as)):
            raise DisqualifyError(why_not)
        loss = Loss(
            award=award,
            ending=Award.Ending.DISQUALIFIED,
            reason=reason,
            from_wallet=bool(asked_as),
            asked_as=asked_as,
        )
        _lose(source, [loss], by=by, now=now)
    return award


def published_reason(reason: str) -> str:
    """The reason as it is published with the proof. Raises `DisqualifyError` where it can't be."""
    reason = reason.strip()
    if not reason:
        raise DisqualifyError(_("Say why: the reason is published with the draw's proof."))
    if len(reason) > REASON_LENGTH:
        raise DisqualifyError(_("The reason is published: say it in 300 characters."))
    return reason


def why_not_takeable(award: Award, *, from_wallet: bool) -> str:
    """Why this prize can't be taken away in this way, as a sentence; empty where it can."""
    if award.state in (Award.State.EXPIRED, Award.State.REVERSED):
        return _("This prize has been lost already.")
    if award.state != Award.State.PAID:
        return _("This prize is not in a wallet: replace the winner without taking it out.") * from_wallet
    if not award.unit:
        return _("This prize has been handed over: what was sent or used can't be taken back.")
    if from_wallet:
        return ""
    return _(
        "This prize is in the winner's wallet. It can't be taken away silently: choose to take it back out of "
        "the wallet, which the winner sees and is told."
    )


def _lose(source: AwardSource, losses: Sequence[Loss], *, by: User | None, now: dt.datetime) -> None:
    """End these awards, of one owner that is locked, and let it hand on what they free."""
    awards = [loss.award for loss in losses]
    # First, because the prize's next award must not find the one before still standing.
    source.lose(losses, by, now)
    returned = {
        entry.idem_key: entry
        for entry in LedgerEntry.objects.filter(idem_key__in=[loss.return_key for loss in losses])
    }
    for loss in losses:
        award = loss.award
        is_taken = loss.ending == Award.Ending.DISQUALIFIED
        award.state = Award.State.REVERSED if is_taken else Award.State.EXPIRED
        award.ended_as = loss.ending
        award.ended_at = now
        award.reversal = returned.get(loss.return_key)
    Award.objects.bulk_update(awards, ["state", "ended_as", "ended_at", "reversal"])
    Voucher.objects.filter(award__in=awards, redeemed_at=None).update(voided_at=now)
    PrizeAddress.objects.filter(award__in=awards).delete()
    for loss in losses:
        record(
            actor=by,
            action=f"award.{loss.ending.value}",
            target=loss.award,
            data={
                "about": loss.award.about,
                "unit": loss.award.unit,
                "amount": loss.award.amount,
                "reason": loss.reason,
                "from_wallet": loss.from_wallet,
            },
            now=now,
        )
    source.tell_lost(losses, now)
