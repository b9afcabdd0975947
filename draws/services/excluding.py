"""Draws of one scope whose winners can't win again: checked at publishing, looked up at execution."""

import uuid
from collections.abc import Mapping

from django.utils.translation import gettext as _

from draws.models import Draw, Winner


def excluded_draws(draw: Draw) -> list[Draw]:
    """The draws whose standing winners this one skips, in the order in which it names them."""
    found = {str(other.public_id): other for other in Draw.objects.filter(public_id__in=draw.excludes)}
    return [found[name] for name in draw.excludes if name in found]


def why_not_excludable(draw: Draw) -> str:
    """Why a draft can't skip the winners it names, as a sentence that says what to do; empty when it can.

    They must be published draws of the same scope (else one person has two public ids, and nobody could check it)
    that are drawn earlier.
    """
    if not draw.excludes:
        return ""
    others = excluded_draws(draw)
    if len(others) < len(draw.excludes) or len(set(draw.excludes)) < len(draw.excludes):
        return _("A draw whose winners are skipped is named twice, or isn't there.")
    for other in others:
        if other.pk == draw.pk:
            return _("A draw can't skip its own winners.")
        if other.published_at is None:
            return _("Publish “%(other)s” first.") % {"other": other}
        if other.scope != draw.scope:
            return _("“%(other)s” is not of the same series: its public ids are others.") % {"other": other}
        if other.draw_at >= draw.draw_at:
            return _("“%(other)s” must be drawn before this one.") % {"other": other}
    return ""


def unfinished_excluded(draw: Draw) -> list[Draw]:
    """Draws whose winners are to be skipped and are not known yet."""
    return [other for other in excluded_draws(draw) if not other.is_finished]


def slots_of(draws: list[Draw]) -> int:
    """How many people can stand as winners of these draws."""
    return sum(prize.quantity for draw in draws for prize in draw.prizes.all())


def excluded_ranks(draw: Draw, pid_of_rank: Mapping[int, str]) -> dict[int, str]:
    """Rank to the id of the draw whose standing winner it is, by the manifest's `excludes`.

    Holds those draws' rows until the caller's transaction ends: a winner replaced there is either seen here as
    replaced, or comes after this draw and doesn't change it.
    """
    excludes = list((draw.manifest or {}).get("excludes", []))
    if not excludes:
        return {}
    held = Draw.objects.filter(public_id__in=excludes).order_by("pk").select_for_update(no_key=True)
    by_key = {other.pk: other.public_id for other in held}
    standing = Winner.objects.filter(draw__in=by_key, state__in=Winner.STANDING)
    won: dict[str, uuid.UUID] = {}
    for pid, key in standing.order_by("-draw__draw_at").values_list("entry__pid", "draw"):
        won[bytes(pid).hex()] = by_key[key]
    return {rank: str(won[pid]) for rank, pid in pid_of_rank.items() if pid in won}
