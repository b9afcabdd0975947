"""Draws that another part of the site orders: opened, filled and published in one call. See docs/ordering-draws.md."""

import datetime as dt
import uuid
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from django.db import transaction
from django.utils.translation import gettext as _

from accounts.models import User
from audit.services import record
from draws import vwd1
from draws.models import Draw, Entry, Prize
from draws.owners import get_owner
from draws.services.publishing import PublishError, publish_draw
from draws.services.staging import (
    EntryRefusedError,
    NewEntry,
    copy_into_stage,
    create_stage,
    insert_staged,
)

RAFFLE_WAIT_S = 30
"""From the freeze to the draw: long enough to hand the hash round, short enough for people who sit and wait."""
_SPACE = uuid.UUID("6c0c9d53-51c6-4f5b-9d2e-0d1c7b2f1a77")


@dataclass(frozen=True, slots=True, kw_only=True)
class NewPrize:
    """A prize of an ordered draw; `amount` in minor units, 0 for vouchers and things."""

    title: str
    kind: str
    amount: int = 0
    quantity: int = 1


def draw_id_of(*, owner: str, key: str) -> uuid.UUID:
    """The public id of the draw that `owner` calls `key`: known before there is one, the same for ever."""
    return uuid.uuid5(_SPACE, f"{owner}\n{key}")


def pool_of(*, owner: str, key: str) -> str:
    """The pool that the prizes of this draw come from: fund it (`payments.pools.fund_pool`) before the call."""
    return f"draw:{draw_id_of(owner=owner, key=key)}"


def open_draw_for(
    *,
    owner: str,
    key: str,
    title: str,
    rules: str,
    prizes: Sequence[NewPrize],
    entrants: Iterable[NewEntry],
    by: User | None,
    now: dt.datetime,
    draw_at: dt.datetime | None = None,
    description: str = "",
    currency: str = "KES",
    time_zone: str = "UTC",
    series: uuid.UUID | None = None,
    excludes: Sequence[uuid.UUID] = (),
    randomness: Sequence[dict[str, str]] = (),
    alternates: int | None = None,
    claim_days: int = 14,
    min_wait_s: int = RAFFLE_WAIT_S,
) -> Draw:
    """Open, fill and publish a draw for another part of the site, all or nothing; returns it.

    `owner` is registered with `draws.owners.register_owner`; `key` is its own name for the draw: a second call
    returns the first draw and changes nothing. `entrants` are people with normalised identities and tickets, read
    once and copied, however many; the first line of a person counts. Nobody else can enter. Entries close a second
    after `now`, the freeze job seals them, and the draw is made at `draw_at`, by default as soon as the least wait
    is over. `series` is the scope whose draws know a person by the same public id, `excludes` the draws of it whose
    winners are skipped, `randomness` as in `Draw.randomness` (empty: the site's default).

    Raises `PublishError` when something is missing (the pool is short: fund `pool_of(...)`), `EntryRefusedError` for
    an identity that is not normalised or a list without anybody, `OwnerError` for an unknown owner.
    """
    get_owner(owner)
    public_id = draw_id_of(owner=owner, key=key)
    if (known := Draw.objects.filter(public_id=public_id).first()) is not None:
        return known
    opens_at = now.replace(microsecond=0)
    closes_at = opens_at + dt.timedelta(seconds=1)
    with transaction.atomic():
        draw, is_new = Draw.objects.get_or_create(
            public_id=public_id,
            defaults={
                "slug": f"{owner.replace('.', '-').replace('_', '-')[:40]}-{public_id.hex[:12]}",
                "title": title,
                "description": description,
                "rules": rules,
                "audience": Draw.Audience.APP,
                "owner": owner,
                "currency": currency,
                "time_zone": time_zone,
                "opens_at": opens_at,
                "closes_at": closes_at,
                "draw_at": draw_at or closes_at + dt.timedelta(seconds=min_wait_s),
                "min_wait_s": min_wait_s,
                "scope": series,
                "excludes": [str(other) for other in excludes],
                "randomness": [dict(source) for source in randomness],
                "alternates": alternates,
                "claim_days": claim_days,
            },
        )
        if not is_new:  # somebody else was faster by a hair
            return draw
        Prize.objects.bulk_create(
            Prize(
                draw=draw,
                title=prize.title,
                kind=prize.kind,
                amount=prize.amount,
                quantity=prize.quantity,
                position=position,
            )
            for position, prize in enumerate(prizes, start=1)
        )
        draw = publish_draw(draw=draw, by=by, now=now)
        create_stage()
        copy_into_stage(scope=str(draw.scope), rows=enumerate(_normalised(entrants), start=1))
        count = insert_staged(draw=draw, source=Entry.Source.APP, now=now)
        if not count:
            raise EntryRefusedError(_("There is nobody to draw from."))
        record(
            actor=by,
            action="draw.filled",
            target=draw,
            data={"owner": owner, "key": key, "entries": count},
            now=now,
        )
    return draw


def _normalised(entrants: Iterable[NewEntry]) -> Iterator[NewEntry]:
    for entrant in entrants:
        try:
            is_good = vwd1.normalise_identity(entrant.identity) == entrant.identity
        except vwd1.IdentityError as error:
            raise EntryRefusedError(str(error)) from error
        if not is_good or not 1 <= entrant.weight <= vwd1.MAX_TICKETS:
            raise EntryRefusedError(
                _("“%(identity)s” is not normalised, or holds no whole number of tickets.")
                % {"identity": entrant.identity}
            )
        yield entrant


__all__ = ["NewPrize", "PublishError", "draw_id_of", "open_draw_for", "pool_of"]
