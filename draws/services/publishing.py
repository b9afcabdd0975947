"""Before a draw: publishing it, calling it off."""

import datetime as dt
from collections import defaultdict
from collections.abc import Sequence

from django.db import transaction
from django.utils.translation import gettext as _

from accounts.models import User
from audit.services import record
from draws import vwd1
from draws.drand import QUICKNET
from draws.models import Draw, DrawChange
from draws.models.draw import MOST_ALTERNATES
from draws.owners import owner_of
from draws.services.checks import publishing_checks
from draws.services.errors import DrawError
from draws.services.excluding import excluded_draws, slots_of
from draws.services.history import note_change
from draws.services.randomness import promise_sources
from draws.services.reminding import cancel_reminders, plan_reminders
from draws.services.revealing import tell_phase
from draws.services.scopes import open_scope
from draws.services.telling import tell
from payments import pools

_LEAST_ALTERNATES = 3


class PublishError(DrawError):
    """The draw can't be published or cancelled as it stands. The message says what to do.

    `missing` are the keys of the checks that don't hold, where that is why.
    """

    def __init__(self, sentence: str, *, missing: Sequence[str] = ()) -> None:
        super().__init__(sentence)
        self.missing = list(missing)


def prize_totals(draw: Draw) -> dict[str, int]:
    """What the prizes cost in the ledger: unit to minor units. Vouchers and things cost nothing there."""
    totals: dict[str, int] = defaultdict(int)
    for prize in draw.prizes.all():
        if prize.unit:
            totals[prize.unit] += prize.amount * prize.quantity
    return dict(totals)


def publish_draw(*, draw: Draw, by: User | None, now: dt.datetime) -> Draw:
    """Open a draft to the world: reserve its prizes, fix its rules, commit to a secret (`draft → active`).

    Raises `PublishError` with everything that is missing, which is then on record; publishing again does nothing.
    """
    try:
        return _publish(draw=draw, by=by, now=now)
    except PublishError as error:
        if error.missing:
            record(
                actor=by, action="draw.publish_refused", target=draw, data={"missing": error.missing}, now=now
            )
        raise


def _publish(*, draw: Draw, by: User | None, now: dt.datetime) -> Draw:
    with transaction.atomic():
        draw = Draw.objects.select_for_update().get(pk=draw.pk)
        if draw.status == Draw.Status.ACTIVE:
            return draw
        if draw.status != Draw.Status.DRAFT:
            raise PublishError(_("Only a draft can be published."))
        draw.scope = draw.scope or draw.public_id
        _settle_details(draw)
        if missing := [check for check in publishing_checks(draw, now=now) if not check.ok]:
            raise PublishError(
                " ".join(f"{check.label}: {check.mend}" for check in missing),
                missing=[check.key for check in missing],
            )
        open_scope(draw.scope)
        promise_sources(draw)
        draw.published_at = now
        draw.status = Draw.Status.ACTIVE
        draw.save()
        totals = prize_totals(draw)
        for unit, amount in sorted(totals.items()):
            pools.reserve_prizes(
                pool=draw.pool,
                unit=unit,
                amount=amount,
                idem_key=f"draw:{draw.public_id}:reserve:{unit}",
                by=by,
                now=now,
            )
        record(
            actor=by,
            action="draw.published",
            target=draw,
            data={
                "rules_sha256": draw.rules_sha256,
                "commitment": draw.commitment,
                "sources": draw.source_types,
                "reserved": totals,
                "closes_at": vwd1.format_time(draw.closes_at),
                "draw_at": vwd1.format_time(draw.draw_at),
            },
            now=now,
        )
        plan_reminders(draw, now=now)
    return draw


def _settle_details(draw: Draw) -> None:
    """Fill in what a draft may leave open: whole seconds, prize ids, extra ranks."""
    for name in ("opens_at", "closes_at", "draw_at"):
        setattr(draw, name, getattr(draw, name).replace(microsecond=0))
    prizes = list(draw.prizes.all())
    for number, prize in enumerate(prizes, start=1):
        prize.code = f"p{number}"
        prize.save(update_fields=["code"])
    if draw.alternates is None:
        # Winners of other draws may come first in the order of drawing, all of them.
        wanted = max(sum(prize.quantity for prize in prizes), _LEAST_ALTERNATES) + slots_of(
            excluded_draws(draw)
        )
        draw.alternates = min(wanted, MOST_ALTERNATES)


def number_may_be_known(draw: Draw, *, now: dt.datetime) -> bool:
    """Whether somebody may know by now who wins: the entries are frozen, and no drand round is still to come.

    A number that the site committed to is known to whoever runs it, and an announced text to all the world from some
    moment on that the site can't see. Only a round that is not out yet is known to nobody, whatever it is mixed with.
    """
    if draw.manifest is None:
        return False
    return not any(
        source["type"] == "drand" and QUICKNET.time_of(source["round"]) > now.timestamp()
        for source in draw.manifest["randomness"]
    )


def why_not_cancelled(draw: Draw, *, now: dt.datetime) -> str:
    """Why one person can't cancel this draw; empty where one can."""
    if draw.status not in (Draw.Status.DRAFT, Draw.Status.ACTIVE):
        return _("A draw that is being drawn or is over can't be cancelled.")
    if number_may_be_known(draw, now=now):
        return _(
            "The entries are frozen and the number of this draw may be known: nobody drops it alone and draws anew. A "
            "Super Admin calls it off together with a second person, and what it would have drawn is published."
        )
    return ""


def cancel_draw(*, draw: Draw, by: User, reason: str, now: dt.datetime) -> Draw:
    """Call a draw off before anybody can know its number; what was reserved goes back, entrants are told.

    Raises `PublishError` without a reason, when the draw is being drawn or is over, and when its number may be known:
    then it takes two (`calling_off.call_off_draw`).
    """
    if not reason.strip():
        raise PublishError(_("Say why the draw is cancelled: its entrants are told."))
    with transaction.atomic():
        draw = Draw.objects.select_for_update().get(pk=draw.pk)
        if draw.status == Draw.Status.CANCELLED:
            return draw
        if why_not := why_not_cancelled(draw, now=now):
            raise PublishError(why_not)
        cancel_locked(draw=draw, by=by, reason=reason.strip(), now=now)
    return draw


def cancel_locked(
    *, draw: Draw, by: User, reason: str, now: dt.datetime, is_called_off: bool = False
) -> None:
    """Cancel a draw whose row the caller has locked and found cancellable."""
    was_published = draw.published_at is not None
    draw.status = Draw.Status.CANCELLED
    draw.save(update_fields=["status"])
    tell_phase(draw)
    returned = return_everything(draw=draw, by=by, reason=reason, now=now)
    record(
        actor=by,
        action="draw.called_off" if is_called_off else "draw.cancelled",
        target=draw,
        data={"reason": reason, "returned": returned},
        now=now,
    )
    if not was_published:
        return
    note_change(draw=draw, kind=DrawChange.Kind.CANCELLED, by=by, reason=reason, now=now)
    cancel_reminders(draw, by=by, now=now, sent_too=True)
    tell(
        draw=draw,
        kind="draws.draw_called_off" if is_called_off else "draws.draw_cancelled",
        context={"reason": reason},
        idem_key=f"draw:{draw.public_id}:cancelled",
        now=now,
    )
    if (owner := owner_of(draw)) is not None and owner.on_ended is not None:
        owner.on_ended(draw, now)


def return_everything(*, draw: Draw, by: User | None, reason: str, now: dt.datetime) -> dict[str, int]:
    """Release what was reserved and send the whole pool back to where it came from; returns unit to amount."""
    returned = {}
    for unit, balance in sorted(pools.pool_balances(draw.pool).items()):
        release_reserved(draw=draw, unit=unit, amount=balance.reserved, why="release", now=now)
        if total := balance.free + balance.reserved:
            pools.return_leftover(
                pool=draw.pool,
                unit=unit,
                by=by,
                reason=reason,
                idem_key=f"draw:{draw.public_id}:return:{unit}",
                now=now,
            )
            returned[unit] = total
    return returned


def release_reserved(*, draw: Draw, unit: str, amount: int, why: str, now: dt.datetime) -> None:
    """Move what is reserved and not needed back to the free part of the pool."""
    if amount:
        pools.release_prizes(
            pool=draw.pool,
            unit=unit,
            amount=amount,
            idem_key=f"draw:{draw.public_id}:{why}:{unit}",
            by=None,
            now=now,
        )
