"""What follows in a draw when a prize is lost: its slot falls vacant, and the next unused rank takes it over.

Where alternates have run out the slot stays vacant until an admin extends the ranks (the same sequence goes on)
or closes the vacancy. What nobody can win any more goes where the draw's leftover policy says.
"""

import datetime as dt
from collections.abc import Sequence
from itertools import islice
from typing import Any

from django.db import transaction
from django.db.models import Q
from django.utils.translation import gettext as _

from accounts.models import User
from audit.services import record
from draws import proof
from draws.models import Award, Disposition, Draw, ExtraRank, Winner
from draws.selection import draw_ranks
from draws.services.award_notices import tell_vacant
from draws.services.awarding import Win, award_prizes, record_winners
from draws.services.errors import DrawError
from draws.services.holding import require_payouts
from draws.services.losing import REASON_LENGTH
from draws.services.proving import frozen_entries, rank_rows_of
from draws.services.publishing import release_reserved
from draws.services.removing import disqualified_ranks
from draws.services.standing import DispositionBook, standing_of
from draws.slots import State, exclusion_reason
from draws.sources import Loss, source_for
from payments import pools


class VacancyError(DrawError):
    """The ranks can't be extended, or the vacancies closed. The message says why."""


def lock_draw(about: str, wait: bool) -> bool:
    """Lock the draw that is called so; False when somebody else holds it, or its payouts are stopped, and not `wait`."""
    rows = Draw.objects.select_for_update(skip_locked=not wait).filter(public_id=about.rpartition(":")[2])
    draw = rows.first()
    # While payouts are stopped nobody can claim, so nobody may forfeit either: the job comes again.
    return draw is not None and (wait or draw.payouts_stopped_at is None)


def hand_on(losses: Sequence[Loss], by: User | None, now: dt.datetime) -> None:
    """Take what these winners of one locked draw lost, and promote the ranks that follow."""
    draw = Draw.objects.get(public_id=losses[0].award.about.rpartition(":")[2])
    require_payouts(draw.about)
    winners = {row.award_id: row for row in Winner.objects.filter(award__in=[loss.award for loss in losses])}
    book = DispositionBook(draw, by=by, now=now)
    for loss in losses:
        winner = winners[loss.award.pk]
        book.write(rank=winner.rank, state=State(loss.ending.value), reason=loss.reason)
        winner.state = Winner.State(loss.ending.value)
    Winner.objects.bulk_update(winners.values(), ["state"])
    returns = [
        pools.PrizeReturn(
            idem_key=loss.return_key,
            unit=loss.award.unit,
            amount=loss.award.amount,
            member_id=loss.award.member_id if loss.from_wallet else None,
            about=draw.about,
            reason=loss.reason,
            by=by,
        )
        for loss in losses
        if loss.award.unit
    ]
    _fill(book, returns=returns, by=by, now=now)


def _fill(
    book: DispositionBook, *, returns: Sequence[pools.PrizeReturn], by: User | None, now: dt.datetime
) -> list[Award]:
    """Promote whom the rules promote, move the money, tell them, and see to what stays vacant."""
    draw = book.draw
    wins = book.promote()
    _reserve_what_is_short(draw, wins, returns, now=now)
    awards = award_prizes(draw=draw, wins=wins, now=now, returns=returns)
    record_winners(draw=draw, wins=wins, awards=awards, now=now)
    if awards:
        source_for(draw.owner).tell_won(awards, now)
    _see_to_vacancies(book, by=by, now=now)
    return awards


def _reserve_what_is_short(
    draw: Draw, wins: Sequence[Win], returns: Sequence[pools.PrizeReturn], *, now: dt.datetime
) -> None:
    """A slot that was vacant at the execution has had its money released: it is set aside again, if it is there."""
    needed: dict[str, int] = {}
    for win in wins:
        if win.prize.unit:
            needed[win.prize.unit] = needed.get(win.prize.unit, 0) + win.prize.amount
    for back in returns:
        needed[back.unit] = needed.get(back.unit, 0) - back.amount
    balances = pools.pool_balances(draw.pool)
    for unit, amount in sorted(needed.items()):
        short = amount - (balances[unit].reserved if unit in balances else 0)
        if short > 0:
            pools.reserve_prizes(
                pool=draw.pool,
                unit=unit,
                amount=short,
                idem_key=f"draw:{draw.public_id}:reserve-rank:{wins[0].rank}:{unit}",
                by=None,
                now=now,
            )


def _see_to_vacancies(book: DispositionBook, *, by: User | None, now: dt.datetime) -> None:
    """Note how many slots wait for an admin; where nothing is left to win, apply the leftover policy."""
    draw, standing = book.draw, book.standing
    before = draw.vacant_slots
    is_over = draw.vacancies_closed_at is not None or not standing.can_be_extended
    draw.vacant_slots = 0 if is_over else len(standing.vacant)
    draw.save(update_fields=["vacant_slots"])
    if is_over and standing.vacant:
        _apply_leftover_policy(draw, by=by, now=now)
    elif draw.vacant_slots > before:
        tell_vacant(draw=draw, now=now)


def _apply_leftover_policy(draw: Draw, *, by: User | None, now: dt.datetime) -> None:
    """Free what is still reserved, for no rank will have it, and send it back if the draw says so."""
    step = Disposition.objects.filter(draw=draw).count()
    freed = {}
    for unit, balance in sorted(pools.pool_balances(draw.pool).items()):
        if not balance.reserved:
            continue
        freed[unit] = balance.reserved
        release_reserved(draw=draw, unit=unit, amount=balance.reserved, why=f"not-won:{step}", now=now)
        if draw.leftover_policy == Draw.Leftover.RETURNS:
            pools.return_leftover(
                pool=draw.pool,
                unit=unit,
                by=by,
                reason="not won",
                idem_key=f"draw:{draw.public_id}:not-won-returned:{step}:{unit}",
                now=now,
            )
    if freed:
        record(
            actor=by,
            action="draw.leftover",
            target=draw,
            data={"freed": freed, "policy": draw.leftover_policy},
            now=now,
        )


def extend_ranks(*, draw: Draw, extra: int, by: User, reason: str, now: dt.datetime) -> Draw:
    """Draw `extra` more ranks for vacant slots: the same sequence goes on, and they are appended to the proof.

    Raises `VacancyError` without a reason, without a vacancy, when the vacancies were closed or everybody has
    been drawn, and when somebody else extended meanwhile; `EntriesChangedError` when the entries can't be had.
    """
    reason = _given(reason)
    if extra < 1:
        raise VacancyError(_("Draw at least one more rank."))
    draw = Draw.objects.get(pk=draw.pk)
    _require_vacant(draw)
    start = standing_of(draw).ranks
    # The long part, before any lock: the sequence is a pure function of what was frozen.
    rows = _ranks_until(draw, start + extra)
    with transaction.atomic():
        draw = Draw.objects.select_for_update().get(pk=draw.pk)
        _require_vacant(draw)
        book = DispositionBook(draw, by=by, now=now)
        if book.standing.ranks != start:
            raise VacancyError(_("Somebody else has extended the ranks just now. Look at the draw again."))
        if rows[:start] != rank_rows_of(draw):
            raise VacancyError(
                _("The sequence does not go on where the published ranks end. Nothing was drawn.")
            )
        if len(rows) <= start:
            raise VacancyError(_("Everybody who entered has been drawn."))
        ExtraRank.objects.bulk_create(
            ExtraRank(
                draw=draw,
                rank=row["rank"],
                pid=bytes.fromhex(row["pid"]),
                ticket=row["ticket"],
                remaining=row["remaining"],
                attempts=row["attempts"],
            )
            for row in rows[start:]
        )
        book.write(rank=len(rows), state=State.EXTENDED, reason=reason)
        fresh = {row["rank"]: row["pid"] for row in rows[start:]}
        skipped = {rank: (State.DISQUALIFIED, why) for rank, why in disqualified_ranks(draw, fresh).items()}
        for rank, other in _excluded(draw, rows[start:]).items():
            skipped[rank] = (State.EXCLUDED, exclusion_reason(other))
        for rank, (state, why) in sorted(skipped.items()):
            book.write(rank=rank, state=state, reason=why)
        _fill(book, returns=(), by=by, now=now)
    return draw


def _excluded(draw: Draw, rows: Sequence[dict[str, Any]]) -> dict[int, str]:
    """Of these ranks those who stood as winners of an excluded draw when this one was executed: rank to its id."""
    ranks = {bytes.fromhex(row["pid"]): row["rank"] for row in rows}
    stood = Winner.objects.filter(
        draw__public_id__in=(draw.manifest or {}).get("excludes", []),
        entry__pid__in=ranks,
        created_at__lte=draw.executed_at,
    ).filter(Q(award__ended_at=None) | Q(award__ended_at__gt=draw.executed_at))
    found = stood.order_by("pk").values_list("entry__pid", "draw__public_id")
    return {ranks[bytes(pid)]: str(other) for pid, other in found}


def _ranks_until(draw: Draw, count: int) -> list[dict[str, Any]]:
    """The first `count` ranks of an executed draw (or all there are), as in its proof."""
    seed = bytes.fromhex(draw.report.proof["seed"])
    with frozen_entries(draw) as entries:
        drawn = draw_ranks(seed=seed, firsts=entries.index.firsts, total=entries.index.tickets)
        ranks = list(islice(drawn, count))
        return proof.rank_rows(ranks=ranks, pids=entries.pids_at([rank.index for rank in ranks]))


def close_vacancies(*, draw: Draw, by: User, reason: str, now: dt.datetime) -> Draw:
    """Say that no more ranks will be drawn; what the vacant slots were worth goes where the leftover policy says.

    Closing again does nothing. Raises `VacancyError` without a reason or without a vacancy.
    """
    reason = _given(reason)
    with transaction.atomic():
        draw = Draw.objects.select_for_update().get(pk=draw.pk)
        if draw.vacancies_closed_at is not None:
            return draw
        _require_vacant(draw)
        count = draw.vacant_slots
        draw.vacancies_closed_at = now
        draw.vacant_slots = 0
        draw.save(update_fields=["vacancies_closed_at", "vacant_slots"])
        record(
            actor=by,
            action="draw.vacancies_closed",
            target=draw,
            data={"reason": reason, "slots": count},
            now=now,
        )
        _apply_leftover_policy(draw, by=by, now=now)
    return draw


def _require_vacant(draw: Draw) -> None:
    if draw.vacancies_closed_at is not None:
        raise VacancyError(_("The vacancies of this draw were closed."))
    if not draw.vacant_slots:
        raise VacancyError(_("No slot of this draw waits for a winner."))


def _given(reason: str) -> str:
    reason = reason.strip()
    if not reason:
        raise VacancyError(_("Say why: the reason is published with the draw."))
    if len(reason) > REASON_LENGTH:
        raise VacancyError(_("The reason is published: say it in 300 characters."))
    return reason
