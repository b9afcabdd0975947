"""Taking a prize that was paid back out of its winner's wallet, by hand.

It moves money against its owner's will, so it is an act with money like the others: it counts against what one person
moves alone, and above the limit it waits for a second.
"""

import datetime as dt
from collections.abc import Collection, Mapping

from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from accounts.models import User
from draws.models import Award
from draws.services.errors import DrawError
from draws.services.losing import (
    DisqualifyError,
    disqualify_winner,
    published_reason,
    take_prize,
    why_not_takeable,
)
from draws.sources import source_of
from payments.accounts import member_code, prizes_code
from payments.approvable import ApprovableKind, MoneyAct, Signatures
from payments.approvals import Outcome, request_or_do, requests_under
from payments.ledger import InsufficientFundsError
from payments.models import LedgerEntry

TAKE_BACK_PRIZE = "draws.take_back_prize"
_ABOUT = "draws.award:"


def replace_winner(
    *, award: Award, by: User, reason: str, now: dt.datetime, take_back: bool = False
) -> Outcome | None:
    """Take a prize away from its winner; the next rank follows.

    What is not in a wallet yet comes back by itself, and None is returned. A prize that was paid is taken back only
    where `take_back` says so and the wallet holds it, and is an act with money: the outcome says whether it waits for a
    second person. Raises `DisqualifyError`, `payments.approvals.ApprovalError`.
    """
    award = Award.objects.get(pk=award.pk)
    if award.state == Award.State.PAID and take_back:
        return take_back_prize(award=award, by=by, reason=reason, now=now)
    disqualify_winner(award=award, by=by, reason=reason, now=now)
    return None


def take_back_prize(*, award: Award, by: User, reason: str, now: dt.datetime) -> Outcome:
    """Take a paid prize out of the winner's wallet for the next rank, or ask a second person to agree.

    Raises like `replace_winner`.
    """
    reason = published_reason(reason)
    if why_not := why_not_takeable(award, from_wallet=True):
        raise DisqualifyError(why_not)
    act = MoneyAct(
        kind=TAKE_BACK_PRIZE,
        amounts={award.unit: award.amount},
        params={"award": str(award.public_id)},
        about=f"{_ABOUT}{award.public_id}",
        reason=reason,
        idem_key=_key(award),
    )
    try:
        return request_or_do(act=act, by=by, now=now)
    except InsufficientFundsError as error:
        raise DisqualifyError(
            _("The winner's wallet does not hold the prize any more, so it can't be taken back.")
        ) from error


def _key(award: Award) -> str:
    """A new key once what was asked before is refused: it was about that request. The award can be lost but once."""
    first = f"{award.key}:taken-back"
    asked = requests_under(first)
    if asked.waiting is not None:
        raise DisqualifyError(
            _("%(who)s has asked for this already, and it waits for a second person.")
            % {"who": asked.waiting.requested_by}
        )
    return f"{first}:{asked.closed + 1}"


def _award_of(act: MoneyAct) -> Award:
    return Award.objects.get(public_id=act.params["award"])


def _names(abouts: Collection[str]) -> Mapping[str, str]:
    awards = Award.objects.filter(public_id__in=[about.removeprefix(_ABOUT) for about in abouts])
    return {
        f"{_ABOUT}{award.public_id}": f"{award.title}, {source_of(award).origin(award)}" for award in awards
    }


def _moves(act: MoneyAct) -> Mapping[str, int]:
    award = _award_of(act)
    assert award.member_id is not None  # only who has an account has a wallet
    return {
        member_code(award.member_id, award.unit): -award.amount,
        prizes_code(award.pool, award.unit): award.amount,
    }


def _why_not(act: MoneyAct) -> str:
    return why_not_takeable(_award_of(act), from_wallet=True)


def _take(act: MoneyAct, signatures: Signatures, now: dt.datetime) -> LedgerEntry:
    award = take_prize(
        award=_award_of(act), by=signatures.by, reason=act.reason, now=now, asked_as=act.idem_key
    )
    assert award.reversal is not None
    return award.reversal


APPROVABLE_KIND = ApprovableKind(
    name=TAKE_BACK_PRIZE,
    words=gettext_lazy("Take a prize back out of a wallet"),
    permission="draws.replace_winner",
    names=_names,
    moves=_moves,
    do=_take,
    why_not=_why_not,
    refusals=(DrawError,),
)
