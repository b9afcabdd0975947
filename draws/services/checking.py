"""The daily check of drawn draws: compute them again, follow every payout into the ledger, stop what doesn't fit."""

import datetime as dt
from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, field

import structlog
from django.db import transaction
from django.utils.translation import gettext as _

from accounts.models import User
from audit.services import record
from draws.models import Award, Draw, Winner
from draws.services.errors import DrawError
from draws.services.proving import verify_stored_draw
from notifications.services import notify
from payments.accounts import member_code, owed_code, prizes_code
from payments.models import LedgerEntry, Posting

log = structlog.get_logger(__name__)

# What the draw engine posts when a prize leaves the reserved part of a pool, or the owed part for a wallet.
_FIRST_PAYMENTS = ("prize.paid", "prize.owed")
_CLAIMS = ("prize.claimed",)


class CheckError(DrawError):
    """The draw can't be checked, or its payouts can't go on. The message says why."""


@dataclass(frozen=True)
class CheckSummary:
    """What one run found: how many draws it looked at, and what is wrong by the draw's address."""

    checked: int = 0
    differences: dict[str, list[str]] = field(default_factory=dict)


def check_draws(*, now: dt.datetime, draws: Iterable[Draw] | None = None) -> CheckSummary:
    """Check `draws`, or every completed draw; one that can't even be computed doesn't stop the others."""
    found = Draw.objects.filter(status=Draw.Status.COMPLETED).order_by("pk") if draws is None else draws
    checked, differences = 0, {}
    for draw in found:
        if wrong := check_draw(draw=draw, now=now):
            differences[draw.slug] = wrong
        checked += 1
    return CheckSummary(checked, differences)


def check_draw(*, draw: Draw, now: dt.datetime, by: User | None = None) -> list[str]:
    """Check one completed draw; returns what differs, in sentences.

    A difference stops its unpaid payouts, until an admin lets them go on, and alarms the admins. The same
    difference found again says nothing new. Raises `CheckError` for a draw that is not completed.
    """
    if draw.status != Draw.Status.COMPLETED:
        raise CheckError(_("Only a completed draw can be checked."))
    try:
        wrong = verify_stored_draw(draw) + wrong_payouts(draw)
    except Exception as error:  # a row that isn't what it should be may raise anything, and is a difference
        log.exception("check_failed", draw=str(draw.public_id))
        wrong = [f"It can't be computed anew: {type(error).__name__}: {error}"]
    if wrong:
        _stop_payouts(draw, wrong, now=now)
    if by is not None:
        record(actor=by, action="draw.checked", target=draw, data={"differences": len(wrong)}, now=now)
    return wrong


def _stop_payouts(draw: Draw, wrong: list[str], *, now: dt.datetime) -> None:
    text = "\n".join(wrong)[:4000].replace("\0", "\\0")
    with transaction.atomic():
        draw = Draw.objects.select_for_update().get(pk=draw.pk)
        if draw.payouts_stopped_at is not None and draw.payouts_stopped_why == text:
            return
        draw.payouts_stopped_at = draw.payouts_stopped_at or now
        draw.payouts_stopped_why = text
        draw.save(update_fields=["payouts_stopped_at", "payouts_stopped_why"])
        record(actor=None, action="draw.check_failed", target=draw, data={"differences": text}, now=now)
        notify(
            kind="draws.check_failed",
            about=draw.about,
            context={"draw": draw.title, "slug": draw.slug, "differences": text[:1000]},
            not_before=now,
            idem_key=f"draw:{draw.public_id}:check-failed:{now.timestamp():.0f}",
            now=now,
        )


def resume_payouts(*, draw: Draw, by: User, reason: str, now: dt.datetime) -> Draw:
    """Let the payouts of a draw go on after somebody has looked into the difference.

    Raises `CheckError` without a reason.
    """
    if not reason.strip():
        raise CheckError(_("Say what the difference was and why payouts may go on."))
    with transaction.atomic():
        draw = Draw.objects.select_for_update().get(pk=draw.pk)
        if draw.payouts_stopped_at is None:
            return draw
        why = draw.payouts_stopped_why
        draw.payouts_stopped_at, draw.payouts_stopped_why = None, ""
        draw.save(update_fields=["payouts_stopped_at", "payouts_stopped_why"])
        record(
            actor=by,
            action="draw.payouts_resumed",
            target=draw,
            data={"reason": reason.strip(), "differences": why},
            now=now,
        )
    return draw


def wrong_payouts(draw: Draw) -> list[str]:
    """Where winners, awards and ledger entries of a completed draw say different things."""
    winners = list(
        Winner.objects.filter(draw=draw).select_related("award", "prize", "entry").order_by("slot", "rank")
    )
    for winner in winners:
        winner.prize.draw = draw
    wrong = [text for winner in winners for text in _wrong_award(winner)]
    awards = {winner.award.key: winner.award for winner in winners}
    wrong += [
        f"Award {award.key} belongs to no winner."
        for award in Award.objects.filter(about=draw.about)
        if award.key not in awards
    ]
    return wrong + _wrong_entries(draw, awards) + _wrong_report(draw, awards)


def _wrong_award(winner: Winner) -> list[str]:
    award, prize = winner.award, winner.prize
    if (award.kind, award.unit, award.amount) != (prize.kind, prize.unit, prize.amount):
        return [f"The award of slot {winner.slot} is not worth its prize."]
    if award.unit and award.state == Award.State.PAID and award.payout is None:
        return [f"The award of slot {winner.slot} counts as paid, and the ledger knows of no payout."]
    if award.unit and award.ended_at is not None and award.reversal_id is None:
        return [f"The award of slot {winner.slot} was lost, and its money did not come back."]
    return []


def _wrong_entries(draw: Draw, awards: dict[str, Award]) -> list[str]:
    """Compare every payout in the ledger with the award it pays; and look for such that pay none."""
    entries = {
        entry.idem_key: entry
        for entry in LedgerEntry.objects.filter(about=draw.about, kind__in=(*_FIRST_PAYMENTS, *_CLAIMS))
    }
    legs: dict[int, dict[str, int]] = defaultdict(dict)
    postings = Posting.objects.filter(entry__in=[entry.pk for entry in entries.values()])
    for entry_id, code, amount in postings.values_list("entry_id", "account__code", "amount"):
        legs[entry_id][code] = legs[entry_id].get(code, 0) + amount
    wrong = []
    for key, award in awards.items():
        if not award.unit:
            continue
        first = entries.pop(key, None)
        if first is None:
            wrong.append(f"Nothing was posted for the award {key}.")
            continue
        source = prizes_code(award.pool, award.unit)
        target = (
            owed_code(award.pool, award.unit)
            if first.kind == "prize.owed"
            else member_code(award.member_id or 0, award.unit)
        )
        if legs[first.pk] != {source: -award.amount, target: award.amount}:
            wrong.append(f"The ledger moved something else than the award {key} says.")
        claim = entries.pop(f"{key}:claim", None)
        if claim is not None:
            paid = {
                owed_code(award.pool, award.unit): -award.amount,
                member_code(award.member_id or 0, award.unit): award.amount,
            }
            if legs[claim.pk] != paid:
                wrong.append(f"The claim of the award {key} paid something else than it says.")
        if award.payout_id is not None and award.payout_id not in {first.pk, claim.pk if claim else None}:
            wrong.append(f"The award {key} names another entry of the ledger as its payout.")
    return wrong + [f"The ledger paid {key} ({entry.kind}) for no award." for key, entry in entries.items()]


def _wrong_report(draw: Draw, awards: dict[str, Award]) -> list[str]:
    """What the report says was awarded is what the slots of the execution were worth."""
    awarded: dict[str, int] = {}
    for slot in draw.report.proof["slots"]:
        award = awards.get(f"draw:{draw.public_id}:slot:{slot['slot']}:rank:{slot['rank']}")
        if award is not None and award.unit:
            awarded[award.unit] = awarded.get(award.unit, 0) + award.amount
    if awarded != draw.report.awarded:
        return [f"The report says {draw.report.awarded} were awarded, the awards say {awarded}."]
    return []
