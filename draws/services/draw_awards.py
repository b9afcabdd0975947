"""The source of the awards of this app's own draws: how they are settled, where they are shown."""

import datetime as dt

from django.urls import reverse

from draws.models import Award, Draw, Winner
from draws.services.award_notices import tell_lost, tell_won
from draws.services.vacancies import hand_on, lock_draw
from draws.sources import AwardSource


def _settle(award: Award, now: dt.datetime) -> None:
    """The winner's row follows the award."""
    state = Winner.State.PAID if award.state == Award.State.PAID else Winner.State.CLAIMED
    Winner.objects.filter(award=award, state__in=Winner.STANDING).update(state=state)


def _draw(award: Award) -> Draw:
    return Draw.objects.only("title", "slug").get(public_id=award.about.rpartition(":")[2])


def _result_path(award: Award) -> str:
    return reverse("draws:results", args=[_draw(award).slug])


def _claim_path(award: Award) -> str:
    return reverse("draws:prize", args=[award.public_id])


def _link_path(award: Award, token: str) -> str:
    return reverse("draws:linked_prize", args=[token])


def _is_passed_on(award: Award) -> bool:
    lost = Winner.objects.filter(award=award).first()
    return (
        lost is not None and Winner.objects.filter(draw=lost.draw_id, slot=lost.slot, pk__gt=lost.pk).exists()
    )


DRAW_AWARDS = AwardSource(
    name="draws.draw",
    lock=lock_draw,
    lose=hand_on,
    settle=_settle,
    tell_won=tell_won,
    tell_lost=tell_lost,
    origin=lambda award: _draw(award).title,
    result_path=_result_path,
    claim_path=_claim_path,
    link_path=_link_path,
    is_passed_on=_is_passed_on,
)
