"""What staff do to a draw by hand: for each act its words, its form, when it is offered, and the service it calls."""

import datetime as dt
from collections.abc import Callable
from typing import Any

from django.utils.functional import Promise
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from accounts.models import User
from draws import services
from draws.admin.act import Act, Done
from draws.admin.overview import in_zone
from draws.admin.vacancy_acts import VACANCY_ACTS
from draws.forms import FundForm, ImportForm, ReasonForm
from draws.models import Draw
from payments.ledger import IdempotencyConflictError, InsufficientFundsError, LedgerError
from payments.money import AmountError, format_amount
from payments.pools import ReasonRequiredError, pool_balances

REFUSALS = (services.DrawError, LedgerError, ReasonRequiredError, AmountError)
"""What a service says no with. Everything else is a fault of ours."""


class ActFailedError(services.DrawError):
    """Something broke on our side; it was written down and undone. The message says so."""


def sentence_of(error: Exception) -> str:
    """A refusal as the person who asked can act on it."""
    match error:
        case IdempotencyConflictError():
            return _(
                "This form has funded the pool once already, with another amount, unit or reason. Look at the "
                "pool's balance; to fund it again, open the form anew."
            )
        case InsufficientFundsError():
            return _("The pool does not hold enough for this: fund it first.")
    return str(error)


def _publish(draw: Draw, data: dict[str, Any], by: User, now: dt.datetime) -> Done:
    draw = services.publish_draw(draw=draw, by=by, now=now)
    return Done(
        _("“%(draw)s” is published. Its commitment is %(hash)s.") % {"draw": draw, "hash": draw.commitment}
    )


def _fund(draw: Draw, data: dict[str, Any], by: User, now: dt.datetime) -> Done:
    unit = data["unit"]
    services.fund_draw(
        draw=draw,
        unit=unit,
        amount=data["amount"],
        by=by,
        reason=data["reason"],
        idem_key=f"draw:{draw.public_id}:fund:{data['token']}",
        now=now,
    )
    return Done(
        _("%(amount)s went into the pool. %(free)s of it is free.")
        % {
            "amount": format_amount(data["amount"], unit),
            "free": format_amount(pool_balances(draw.pool)[unit].free, unit),
        }
    )


def _import(draw: Draw, data: dict[str, Any], by: User, now: dt.datetime) -> Done:
    upload = data["file"]
    # The file beneath the upload: it gives lines as they are, from the disk where it is large.
    report = services.import_entries(draw=draw, file=upload.file, file_name=upload.name or "", by=by, now=now)
    return Done(
        _("%(accepted)s people entered; %(rejected)s lines were refused.")
        % {"accepted": f"{report.accepted:,}", "rejected": f"{report.rejected:,}"},
        is_good=not report.rejected,
        report=report,
    )


def _freeze(draw: Draw, data: dict[str, Any], by: User, now: dt.datetime) -> Done:
    frozen = services.freeze_draw(draw_id=draw.pk, now=now, by=by, reason=data["reason"])
    if frozen is None:
        return Done(
            _("Nothing was done: this draw is frozen already, or is being frozen right now."), is_good=False
        )
    if frozen.status == Draw.Status.VOID:
        return Done(_("Nobody had entered: the draw is void, and its pool went back."), is_good=False)
    return Done(
        _("Entries are frozen: %(count)s in all. The draw is on %(at)s.")
        % {"count": f"{frozen.entries_count or 0:,}", "at": in_zone(frozen.draw_at, frozen.zone)}
    )


def _execute(draw: Draw, data: dict[str, Any], by: User, now: dt.datetime) -> Done:
    try:
        report = services.execute_draw(draw_id=draw.pk, now=now, by=by, reason=data["reason"])
    except services.DrawError:
        raise
    except Exception as error:  # the service has logged it, written it down and told the admins
        raise ActFailedError(
            _(
                "The execution failed and changed nothing; it is on record, and is tried again by itself: %(error)s"
            )
            % {"error": str(error) or type(error).__name__}
        ) from error
    if report is None:
        return Done(
            _("Nothing was done: this draw has been drawn already, or is being drawn right now."),
            is_good=False,
        )
    return Done(_("The draw is made: %(count)s winners.") % {"count": f"{report.winners_count:,}"})


def _cancel(draw: Draw, data: dict[str, Any], by: User, now: dt.datetime) -> Done:
    services.cancel_draw(draw=draw, by=by, reason=data["reason"], now=now)
    return Done(_("The draw is cancelled; what was in its pool went back."))


def _unless(phases: tuple[str, ...], sentence: str | Promise) -> Callable[[Draw, dt.datetime], str]:
    """Offered in these phases (`Draw.phase`), else refused with the sentence."""
    return lambda draw, now: "" if draw.phase(now) in phases else str(sentence)


ACTS = {
    "publish": Act(
        title=gettext_lazy("Publish"),
        intro=gettext_lazy(
            "From now on title, rules, prizes and times stand as they are: they are what is promised. The prizes "
            "are reserved in the pool, and the site commits to a secret that nobody can change."
        ),
        submit=gettext_lazy("Publish this draw"),
        run=_publish,
        why_not=_unless(("draft",), gettext_lazy("Only a draft can be published.")),
        shows="checklist",
    ),
    "fund": Act(
        title=gettext_lazy("Fund pool"),
        intro=gettext_lazy(
            "Bring money, credits or points into this draw's pool from outside. It is posted in the ledger at once."
        ),
        submit=gettext_lazy("Fund the pool"),
        run=_fund,
        why_not=_unless(
            ("draft", "upcoming", "open", "closed", "frozen", "drawing"),
            gettext_lazy("This draw is over: there is nothing left to fund."),
        ),
        form_class=FundForm,
        shows="pool",
    ),
    "import": Act(
        title=gettext_lazy("Import entries"),
        intro=gettext_lazy(
            "Good lines are entered all together; every line that can't be used is listed with its reason. Someone "
            "who is in the draw already keeps the first entry."
        ),
        submit=gettext_lazy("Import this file"),
        run=_import,
        why_not=_unless(("open",), gettext_lazy("Entries can be imported while the draw is open.")),
        form_class=ImportForm,
        shows="format",
    ),
    "freeze": Act(
        title=gettext_lazy("Freeze now"),
        intro=gettext_lazy(
            "Entries close at once and never change again; the list of entries is hashed and published. If it leaves too "
            "little time before the draw, the draw moves to keep the least wait."
        ),
        submit=gettext_lazy("Close entries and freeze"),
        run=_freeze,
        why_not=_unless(
            ("open", "closed"),
            gettext_lazy("Only a draw that has opened and is not frozen yet can be frozen."),
        ),
        form_class=ReasonForm,
        is_danger=True,
        shows="figures",
    ),
    "execute": Act(
        title=gettext_lazy("Execute now"),
        intro=gettext_lazy(
            "Draw the winners now. They follow from what was frozen and committed to: who presses the button, and when, "
            "changes nothing about who wins."
        ),
        submit=gettext_lazy("Draw the winners"),
        run=_execute,
        why_not=_unless(("frozen", "drawing"), gettext_lazy("Only a frozen draw can be executed.")),
        form_class=ReasonForm,
        is_danger=True,
        shows="checklist",
    ),
    "cancel": Act(
        title=gettext_lazy("Cancel"),
        intro=gettext_lazy(
            "The draw will not take place, for good. Everything in its pool goes back to the funder, and whoever entered is "
            "told the reason."
        ),
        submit=gettext_lazy("Cancel this draw"),
        run=_cancel,
        why_not=lambda draw, now: (
            ""
            if draw.status in (Draw.Status.DRAFT, Draw.Status.ACTIVE)
            else _("A draw that is being drawn or is over can't be cancelled.")
        ),
        form_class=ReasonForm,
        is_danger=True,
        shows="pool",
    ),
    **VACANCY_ACTS,
}
