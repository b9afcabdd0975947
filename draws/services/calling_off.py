"""Calling a draw off after its number may have become known, which one person alone must not be able to do.

Whoever knows the number knows the winners. If they could drop the draw then and announce it anew, they would have
rolled again until they liked the result. So after the freeze only two people together call a draw off, as long as its
number is not still unknown to everybody; with a reason that is published, and with what the draw would have drawn, so
that everybody sees whom it was taken from.
"""

import datetime as dt

import structlog
from django.db import transaction
from django.db.models import Q
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from accounts.models import User
from audit.services import record
from draws.models import CalledOff, Draw
from draws.services.errors import DrawError
from draws.services.executing import proof_as_if_executed
from draws.services.funding import names_of_draws
from draws.services.publishing import PublishError, cancel_locked, number_may_be_known
from draws.services.randomness import collect_randomness, round_needed, texts_missing
from payments.approvable import ApprovableKind, MoneyAct, Signatures
from payments.approvals import Outcome, request_or_do, requests_under

log = structlog.get_logger(__name__)

CALL_OFF_DRAW = "draws.call_off_draw"
_TRY_AGAIN = dt.timedelta(minutes=5)
_REASON_LENGTH = 500


def call_off_draw(*, draw: Draw, by: User, reason: str, now: dt.datetime) -> Outcome:
    """Ask a second person to agree that a frozen draw whose number may be known does not take place.

    Raises `PublishError` without a reason, for a draw that one person may cancel or that is over, and where it is asked
    for already.
    """
    reason = reason.strip()
    if not reason:
        raise PublishError(_("Say why the draw is called off: it is published, and its entrants are told."))
    if len(reason) > _REASON_LENGTH:
        raise PublishError(_("The reason is published: say it in 500 characters."))
    draw = Draw.objects.get(pk=draw.pk)
    if why_not := why_not_called_off(draw, now=now):
        raise PublishError(why_not)
    key = f"draw:{draw.public_id}:call-off"
    asked = requests_under(key)
    if asked.waiting is not None:
        raise PublishError(
            _("%(who)s has asked for this already, and it waits for a second person.")
            % {"who": asked.waiting.requested_by}
        )
    act = MoneyAct(
        kind=CALL_OFF_DRAW,
        amounts={},
        params={"draw": str(draw.public_id), "manifest_sha256": draw.manifest_sha256},
        about=draw.about,
        reason=reason,
        idem_key=f"{key}:{asked.closed + 1}",
    )
    return request_or_do(act=act, by=by, now=now)


def why_not_called_off(draw: Draw, *, now: dt.datetime) -> str:
    """Why two people can't, or needn't, call this draw off together; empty where they can."""
    if draw.status not in (Draw.Status.DRAFT, Draw.Status.ACTIVE):
        return _("A draw that is being drawn or is over can't be called off.")
    if not number_may_be_known(draw, now=now):
        return _("Nobody can know the number of this draw yet: cancel it, which takes one person.")
    return ""


def _why_not(act: MoneyAct) -> str:
    draw = Draw.objects.get(public_id=act.params["draw"])
    return "" if draw.status == Draw.Status.ACTIVE else why_not_called_off(draw, now=draw.draw_at)


def _call_off(act: MoneyAct, signatures: Signatures, now: dt.datetime) -> None:
    assert signatures.approved_by is not None  # the kind always takes two
    # Waits for an execution under way, and then finds the draw drawn.
    draw = Draw.objects.select_for_update().get(public_id=act.params["draw"])
    if why_not := _why_not(act):
        raise PublishError(why_not)
    CalledOff.objects.create(
        draw=draw,
        reason=act.reason,
        called_off_at=now,
        asked_by=signatures.by,
        agreed_by=signatures.approved_by,
    )
    cancel_locked(draw=draw, by=signatures.by, reason=act.reason, now=now, is_called_off=True)


def draw_up_called_off(*, now: dt.datetime) -> int:
    """Draw up what called-off draws would have drawn, where every value is there by now; how many it were.

    Safe to run many times at once. Talks to drand's relays, so never call it in a transaction.
    """
    due = CalledOff.objects.filter(proof__isnull=True).filter(
        Q(next_attempt_at=None) | Q(next_attempt_at__lte=now)
    )
    return sum(_draw_up(row, now=now) for row in due.select_related("draw").order_by("pk"))


def _draw_up(row: CalledOff, *, now: dt.datetime) -> bool:
    draw = row.draw
    try:
        if not collect_randomness(draw=draw, now=now):
            return False  # its round is still to come, and the job comes again
        proof = proof_as_if_executed(draw, now=now)
    except Exception as error:
        if not isinstance(error, DrawError):
            log.exception("called_off_not_drawn_up", draw=str(draw.public_id))
        text = (str(error) or type(error).__name__).replace("\0", "\\0")
        CalledOff.objects.filter(pk=row.pk, proof__isnull=True).update(
            waits_for=text[:1000], next_attempt_at=now + _TRY_AGAIN
        )
        return False
    with transaction.atomic():
        # A conditional update: of two workers the first one's proof stands.
        changed = CalledOff.objects.filter(pk=row.pk, proof__isnull=True).update(
            proof=proof, drawn_up_at=now, waits_for="", next_attempt_at=None
        )
        if changed:
            record(
                actor=None,
                action="draw.called_off_drawn_up",
                target=draw,
                data={
                    "report_sha256": proof["report_sha256"],
                    "would_have_won": [slot["pid"] for slot in proof["slots"] if slot["pid"]],
                },
                now=now,
            )
    return bool(changed)


def called_off_of(draw: Draw) -> CalledOff | None:
    """The record of a draw that two people called off; None for all others."""
    return CalledOff.objects.filter(draw=draw).first() if draw.status == Draw.Status.CANCELLED else None


def values_missing(draw: Draw, *, now: dt.datetime) -> list[str]:
    """Of a called-off draw that is not drawn up: which values are still to come, in sentences for everybody."""
    missing = [
        _("“%(label)s”, which the organiser has not entered. Whoever knows it can draw with it.")
        % {"label": label}
        for _position, label in texts_missing(draw)
    ]
    if (number := round_needed(draw)) is not None:
        missing.append(
            _("Round %(round)d of drand, which the site asks for again by itself.") % {"round": number}
        )
    return missing


APPROVABLE_KIND = ApprovableKind(
    name=CALL_OFF_DRAW,
    words=gettext_lazy("Call a draw off after its number may be known"),
    permission="draws.call_off_draw",
    names=names_of_draws,
    moves=lambda act: {},
    do=_call_off,
    why_not=_why_not,
    refusals=(DrawError,),
    always_two=True,
)
