"""From a winner to what is owed: awards and winners, paid at once where the ledger can, claimed where it can't yet."""

import datetime as dt
from collections.abc import Sequence
from dataclasses import dataclass

from django.db.models import Q

from accounts.models import User
from draws.models import Award, Draw, Entry, Prize, Winner
from draws.services.people import verified_addresses
from draws.sources import source_for
from payments import pools


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


def award_prizes(
    *, draw: Draw, wins: Sequence[Win], now: dt.datetime, returns: Sequence[pools.PrizeReturn] = ()
) -> list[Award]:
    """Make the awards of these wins and pay what can be paid at once; in the order of `wins`.

    Cash, credits and points go to the wallet of a member, or wait on the draw's *owed* account: for a person
    without an account, for one who was erased, and where the prize is paid on claim. Vouchers and things wait
    to be claimed. `returns` are prizes that come back from those who lost them, in the same posting.
    """
    claim_until = now + dt.timedelta(days=draw.claim_days)
    payouts = [
        pools.PrizePayment(
            idem_key=award_key(draw, win),
            unit=win.prize.unit,
            amount=win.prize.amount,
            member_id=win.entry.member_id if _is_paid_at_once(win) else None,
            about=draw.about,
        )
        for win in wins
        if win.prize.unit
    ]
    _returned, paid = pools.hand_on_prizes(pool=draw.pool, returns=returns, payments=payouts, now=now)
    entries = iter(paid)
    awards = []
    for win in wins:
        paid_entry = next(entries) if win.prize.unit else None
        is_paid = paid_entry is not None and _is_paid_at_once(win)
        awards.append(
            Award(
                key=award_key(draw, win),
                source=source_for(draw.owner).name,
                about=draw.about,
                pool=draw.pool,
                title=win.prize.title,
                member_id=win.entry.member_id,
                identity=win.entry.identity,
                kind=win.prize.kind,
                unit=win.prize.unit,
                amount=win.prize.amount,
                terms=win.prize.terms,
                valid_days=win.prize.valid_days,
                state=Award.State.PAID if is_paid else Award.State.CLAIMABLE,
                claim_until=None if is_paid else claim_until,
                payout=paid_entry if is_paid else None,
                created_at=now,
                paid_at=now if is_paid else None,
            )
        )
    return Award.objects.bulk_create(awards)


def _is_paid_at_once(win: Win) -> bool:
    """Into a wallet, and somebody is there to have it: an erased entry is nobody's any more."""
    member = win.entry.member
    return (
        win.prize.pays == Prize.Pays.AT_ONCE
        and member is not None
        and member.is_active
        and win.entry.identity is not None
    )


def record_winners(*, draw: Draw, wins: Sequence[Win], awards: Sequence[Award], now: dt.datetime) -> None:
    """Write down who holds which slot, with the award of each."""
    Winner.objects.bulk_create(
        Winner(
            draw=draw,
            slot=win.slot,
            rank=win.rank,
            ticket=win.ticket,
            entry=win.entry,
            prize=win.prize,
            award=award,
            state=Winner.State.PAID if award.state == Award.State.PAID else Winner.State.DRAWN,
            created_at=now,
        )
        for win, award in zip(wins, awards, strict=True)
    )


def theirs(member: User) -> Q:
    """Which awards are this member's: by account, or by a verified address they won with."""
    return Q(member=member) | Q(member=None, identity__in=verified_addresses(member))


def claimable_awards(member: User) -> list[Award]:
    """Awards that wait for this member, the most urgent first."""
    waiting = Award.objects.filter(theirs(member), state=Award.State.CLAIMABLE)
    return list(waiting.order_by("claim_until", "pk"))
