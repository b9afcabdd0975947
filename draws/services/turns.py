"""What became of a drawn draw's ranks, in sentences for everybody: who was passed by, who lost a prize, who followed."""

import datetime as dt
from dataclasses import dataclass

from django.utils.translation import gettext as _

from draws.models import Disposition, Draw
from draws.services.excluding import excluded_draws
from draws.services.proving import rank_rows_of
from draws.slots import State, exclusion_reason


@dataclass(frozen=True, slots=True)
class Turn:
    """Something that became of a rank since the draw: whose (the public id), in a sentence, when."""

    rank: int
    pid: str
    text: str
    at: dt.datetime


def turns_of(draw: Draw) -> list[Turn]:
    """What became of the ranks of a drawn draw, in order: passed by, lost, taken over. Empty for most."""
    steps = list(Disposition.objects.filter(draw=draw))
    if not steps:
        return []
    pids = [str(row["pid"]) for row in rank_rows_of(draw)]
    won_in = {exclusion_reason(str(other.public_id)): other.title for other in excluded_draws(draw)}
    return [
        Turn(
            step.rank,
            "" if step.state == State.EXTENDED else pids[step.rank],
            _turn_text(step, won_in),
            step.at,
        )
        for step in steps
    ]


def _turn_text(step: Disposition, won_in: dict[str, str]) -> str:
    match State(step.state):
        case State.EXCLUDED:
            return _("Passed by: has won in “%(draw)s”.") % {"draw": won_in.get(step.reason, step.reason)}
        case State.DISQUALIFIED:
            return _("Taken back by the organiser: %(reason)s") % {"reason": step.reason}
        case State.DECLINED:
            return _("Declined the prize.")
        case State.FORFEITED:
            return _("Did not claim in time.")
        case State.PROMOTED:
            return _("Was next in line, and has taken over.")
        case State.EXTENDED:
            return _("More ranks were drawn, %(ranks)d in all now: %(reason)s") % {
                "ranks": step.rank,
                "reason": step.reason,
            }
