"""From a winner to what is owed: awards, payouts at once where the ledger can, claims where it can't yet."""

import datetime as dt
from collections.abc import Sequence
from dataclasses import dataclass

from django.db import transaction
from django.utils.translation import gettext as _

from accounts.models import User
from audit.services import record
from draws.models import Award, Draw, Entry, Prize, Winner
from draws.services.errors import DrawError
from draws.services.holding import require_payouts
from draws.services.people import has_verified_address
from payments import pools


class ClaimError(DrawError):
    """The award can't be claimed like this. The message says why."""


@dataclass(frozen=True, slots=True)
class Win:
    """One slot taken by one entry."""

    slot: int
    rank: int
    ticket: int
    entry: Entry
    prize: Prize


def award_key(draw: Draw, win: Win) -> str:
    """What makes an award, and its payout, happen once."""
    return f"draw:{draw.public_id}:slot:{win.slot}:rank:{win.rank}"


def award_prizes(*, draw: Draw, wins: Sequence[Win], now: dt.datetime) -> list[Award]:
    """Make the awards of these wins and pay what can be paid at once; in the order of `wins`.

    Cash, credits and points go to the wallet of a member, or wait on the draw's *owed* account for a person
    without one. Vouchers and things wait to be claimed.
    """
    claim_until = now + dt.timedelta(days=draw.claim_days)
    payouts = [
        pools.PrizePayment(
            idem_key=award_key(draw, win),
            unit=win.prize.unit,
            amount=win.prize.amount,
            member_id=win.entry.member_id,
            about=draw.about,
        )
        for win in wins
        if win.prize.unit
    ]
    entries = iter(pools.pay_prizes(pool=draw.pool, payments=payouts, now=now) if payouts else ())
    awards = []
    for win in wins:
        paid_entry = next(entries) if win.prize.unit else None
        is_paid = paid_entry is not None and win.entry.member_id is not None
        awards.append(
            Award(
                key=award_key(draw, win),
                about=draw.about,
                pool=draw.pool,
                title=win.prize.title,
                member_id=win.entry.member_id,
                identity=win.entry.identity,
                kind=win.prize.kind,
                unit=win.prize.unit,
                amount=win.prize.amount,
                state=Award.State.PAID if is_paid else Award.State.CLAIMABLE,
                claim_until=None if is_paid else claim_until,
                payout=paid_entry if is_paid else None,
                created_at=now,
                paid_at=now if is_paid else None,
            )
        )
    return Award.objects.bulk_create(awards)


def claimable_awards(member: User) -> list[Award]:
    """Awards that wait for this member: by account, or by the verified address they won with."""
    waiting = Award.objects.filter(state=Award.State.CLAIMABLE)
    mine = waiting.filter(member=member)
    if has_verified_address(member):
        mine |= waiting.filter(member=None, identity=member.email)
    return list(mine)


def claim_award(*, award: Award, member: User, now: dt.datetime) -> Award:
    """Pay an award that waited on the owed account into the wallet of the member whose address won it.

    Claiming again does nothing. Raises `ClaimError` for another person's award, while the address is not
    verified, after the deadline, and for prizes the ledger does not hold.
    """
    with transaction.atomic():
        award = Award.objects.select_for_update().get(pk=award.pk)
        if award.member_id != member.pk and (award.member_id is not None or award.identity != member.email):
            raise ClaimError(_("This prize belongs to somebody else."))
        if award.member_id is None and not has_verified_address(member):
            raise ClaimError(_("Confirm your e-mail address first; then claim."))
        if award.state == Award.State.PAID:
            return award
        if award.state != Award.State.CLAIMABLE or (
            award.claim_until is not None and award.claim_until < now
        ):
            raise ClaimError(_("The time to claim this prize is over."))
        if not award.unit:
            raise ClaimError(_("This prize is handed over by its organiser, who will write to you."))
        require_payouts(award.about)
        award.payout = pools.pay_owed(
            pool=award.pool,
            idem_key=f"{award.key}:claim",
            unit=award.unit,
            amount=award.amount,
            member_id=member.pk,
            about=award.about,
            now=now,
        )
        award.member = member
        award.state = Award.State.PAID
        award.paid_at = now
        award.save(update_fields=["payout", "member", "state", "paid_at"])
        Winner.objects.filter(award=award, state__in=Winner.STANDING).update(state=Winner.State.PAID)
        record(
            actor=member,
            action="award.claimed",
            target=award,
            data={"about": award.about, "unit": award.unit, "amount": award.amount},
            now=now,
        )
    return award
