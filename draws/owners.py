"""Who else makes draws: the parts of the site that order one, what they want said of it, and what they are handed.

An app above registers itself in `AppConfig.ready()`, gives its name to `draws.services.open_draw_for`, and is called
back inside the transaction that ends the draw, once. A callback that raises undoes that transaction, so it must not
fail for want of something it could do later; it talks to no network.
"""

import datetime as dt
from collections.abc import Callable
from dataclasses import dataclass

from draws.models import Draw, DrawReport

# What the engine says of a draw to people who are in it. What admins are told is said in any case.
NOTICES = frozenset(
    {
        "draws.entry_receipt",
        "draws.entries_frozen",
        "draws.draw_changed",
        "draws.draw_soon",
        "draws.entries_close_soon",
        "draws.winner_announcement",
        "draws.claim_reminder",
        "draws.prize_forfeited",
        "draws.non_winner",
        "draws.results_published",
        "draws.next_draw_teaser",
        "draws.draw_cancelled",
    }
)


class OwnerError(Exception):
    """An owner is registered twice, wrongly, or not at all."""


@dataclass(frozen=True, kw_only=True)
class Owner:
    """A part of the site that orders draws. `notices` are the kinds that the engine still says itself; the rest is
    the owner's to say. Without `draws.entries_frozen` no copy of the manifest's hash reaches the entrants: then the
    owner should show it to them before the draw.
    """

    name: str
    notices: frozenset[str] = frozenset()
    on_completed: Callable[[Draw, DrawReport, dt.datetime], None] | None = None
    on_ended: Callable[[Draw, dt.datetime], None] | None = None
    """Called when the draw is cancelled or void."""


_owners: dict[str, Owner] = {}


def register_owner(owner: Owner) -> Owner:
    """Make `owner` known; returns it. Raises `OwnerError` for a name that is taken and notices that don't exist."""
    if unknown := owner.notices - NOTICES:
        raise OwnerError(f"{owner.name}: the engine doesn't say {', '.join(sorted(unknown))}")
    if not owner.name or _owners.setdefault(owner.name, owner) is not owner:
        raise OwnerError(f"the owner {owner.name!r} is registered twice, or has no name")
    return owner


def get_owner(name: str) -> Owner:
    """The owner called `name`. Raises `OwnerError`."""
    try:
        return _owners[name]
    except KeyError:
        raise OwnerError(f"no part of the site is registered as {name!r}") from None


def owner_of(draw: Draw) -> Owner | None:
    """Who ordered this draw; None for one that admins made, or whose owner is gone from the site."""
    return _owners.get(draw.owner) if draw.owner else None


def is_said(draw: Draw, kind: str) -> bool:
    """Whether the engine itself says `kind` of this draw."""
    owner = owner_of(draw)
    return owner is None or kind not in NOTICES or kind in owner.notices
