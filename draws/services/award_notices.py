"""What the winners of a draw are told: won, remember to claim, lost. One message row for many of them.

Those promoted together are told by one message, known by the first and the last of their ranks: nobody else is
promoted between. Reminders are queued with the announcement; the outbox asks who has still not claimed when
their time has come, so a prize that was claimed is not reminded of.
"""

import datetime as dt
from collections.abc import Sequence

from draws.models import Award, Draw, Winner
from draws.reminders import reminder_times
from draws.services.telling import tell
from draws.sources import Loss
from notifications.recipients import Recipient


def tell_won(awards: Sequence[Award], now: dt.datetime) -> None:
    """Queue the announcement to the winners of these awards, which were made together, and their reminders."""
    if not awards:
        return
    draw = _draw_of(awards[0])
    ranks = Winner.objects.filter(award__in=awards).values_list("rank", flat=True)
    claim_until = now + dt.timedelta(days=draw.claim_days)
    context = {
        "claim_until": claim_until,
        "first_rank": min(ranks),
        "last_rank": max(ranks),
    }
    key = f"draw:{draw.public_id}:ranks:{context['first_rank']}-{context['last_rank']}"
    tell(
        draw=draw,
        kind="draws.winner_announcement",
        context=context,
        idem_key=f"{key}:won",
        now=now,
    )
    if all(award.state == Award.State.PAID for award in awards):
        return
    times = reminder_times(since=now, until=claim_until)
    for number, (at, following) in enumerate(zip(times, [*times[1:], claim_until], strict=True), start=1):
        tell(
            draw=draw,
            kind="draws.claim_reminder",
            context=context,
            not_before=at,
            expires_at=following,
            idem_key=f"{key}:reminder:{number}",
            now=now,
        )


def tell_lost(losses: Sequence[Loss], now: dt.datetime) -> None:
    """Tell those who lost a prize, as far as they can be reached."""
    first = losses[0].award
    draw = _draw_of(first)
    names = dict(
        Winner.objects.filter(award__in=[loss.award for loss in losses]).values_list(
            "award_id", "entry__name"
        )
    )
    recipients = [
        recipient for loss in losses if (recipient := _recipient(loss, names.get(loss.award.pk, "")))
    ]
    if recipients:
        tell(
            draw=draw,
            kind="draws.prize_forfeited",
            context={},
            recipients=recipients,
            idem_key=f"{first.key}:lost",
            now=now,
        )


def tell_vacant(*, draw: Draw, now: dt.datetime) -> None:
    """Tell the admins that slots are vacant, and that no rank is left to take them over."""
    steps = draw.dispositions.count()
    tell(
        draw=draw,
        kind="draws.slots_vacant",
        context={"slots": draw.vacant_slots},
        idem_key=f"draw:{draw.public_id}:vacant:{steps}",
        now=now,
    )


def _draw_of(award: Award) -> Draw:
    return Draw.objects.get(public_id=award.about.rpartition(":")[2])


def _recipient(loss: Loss, name: str) -> Recipient | None:
    """Who lost it; None for somebody who was erased, or has only a phone."""
    award = loss.award
    params = {"prize": award.title, "ending": str(loss.ending), "reason": loss.reason}
    if award.member is not None:
        return Recipient.of(award.member, params=params)
    if award.identity and "@" in award.identity:
        return Recipient(address=award.identity, name=name, params=params)
    return None
