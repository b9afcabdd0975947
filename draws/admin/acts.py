"""What staff do to a draw by hand: for each act its words, its form, when it is offered, and the service it calls."""

import datetime as dt
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from django import forms
from django.utils.functional import Promise
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext

from accounts.models import User
from draws import services
from draws.admin.clocks import in_zone
from draws.admin.overview import shortfall
from draws.forms import ConfirmForm, FundForm, ImportForm, PublicReasonForm, ReasonForm, ReturnForm
from draws.models import Draw, EntryUpload
from draws.promise_forms import ChangeForm, ConfirmTextForm, EnterTextForm
from payments.approvals import ApprovalError, Outcome
from payments.ledger import IdempotencyConflictError, InsufficientFundsError, LedgerError
from payments.money import AmountError, format_amount
from payments.pools import ReasonRequiredError, pool_balances

REFUSALS = (services.DrawError, ApprovalError, LedgerError, ReasonRequiredError, AmountError)
"""What a service says no with. Everything else is a fault of ours."""


class ActFailedError(services.DrawError):
    """Something broke on our side; it was written down and undone. The message says so."""


@dataclass(frozen=True)
class Done:
    """What came of an act: a sentence, and the uploaded file to show where there is one."""

    sentence: str
    is_good: bool = True
    upload: EntryUpload | None = None


@dataclass(frozen=True)
class Act:
    """One thing that may be done to a draw by hand. `why_not` is empty where the act makes sense now."""

    title: str | Promise
    intro: str | Promise
    submit: str | Promise
    run: Callable[[Draw, dict[str, Any], User, dt.datetime], Done]
    why_not: Callable[[Draw, dt.datetime], str]
    form_class: type[forms.Form] = ConfirmForm
    is_danger: bool = False
    shows: str = ""

    def form(self, draw: Draw, *args: Any) -> forms.Form:
        """The form of this act; `args` is what was sent."""
        if self.form_class is FundForm:
            coming = services.waiting_funds(draw)
            short = {unit: lack - coming.get(unit, 0) for unit, lack in shortfall(draw).items()}
            return FundForm(*args, draw=draw, short={unit: lack for unit, lack in short.items() if lack > 0})
        if self.form_class is ReturnForm:
            return ReturnForm(*args, draw=draw, free=_free(draw))
        if self.form_class in (ChangeForm, EnterTextForm, ConfirmTextForm):
            return self.form_class(*args, draw=draw)
        return self.form_class(*args)


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
    sources = " ".join(_source_sentence(draw, source) for source in draw.sources)
    return Done(_("“%(draw)s” is published.") % {"draw": draw} + f" {sources}")


def _source_sentence(draw: Draw, source: dict[str, Any]) -> str:
    """Where the number of a published draw comes from."""
    match source["type"]:
        case "commit":
            return _("Its commitment is %(hash)s.") % {"hash": source["sha256"]}
        case "drand":
            return _("Its number comes from round %(round)d of drand.") % {"round": draw.drand_round}
    return _("Its number comes from “%(label)s”.") % {"label": source["label"]}


def _fund(draw: Draw, data: dict[str, Any], by: User, now: dt.datetime) -> Done:
    unit = data["unit"]
    outcome = services.fund_draw(
        draw=draw,
        unit=unit,
        amount=data["amount"],
        by=by,
        reason=data["reason"],
        idem_key=f"draw:{draw.public_id}:fund:{data['token']}",
        now=now,
    )
    if outcome.entry is None:
        return waits(outcome)
    return Done(
        _("%(amount)s went into the pool. %(free)s of it is free.")
        % {
            "amount": format_amount(data["amount"], unit),
            "free": format_amount(pool_balances(draw.pool)[unit].free, unit),
        }
    )


def _return(draw: Draw, data: dict[str, Any], by: User, now: dt.datetime) -> Done:
    unit = data["unit"]
    outcome = services.return_leftover(
        draw=draw,
        unit=unit,
        amount=data["amount"],
        by=by,
        reason=data["reason"],
        idem_key=f"draw:{draw.public_id}:return-by-hand:{data['token']}",
        now=now,
    )
    if outcome.entry is None:
        return waits(outcome)
    return Done(_("%(amount)s went back to the funder.") % {"amount": format_amount(data["amount"], unit)})


def waits(outcome: Outcome) -> Done:
    """What to say of an act that was not done, or not yet."""
    if outcome.waits:
        return Done(
            _(
                "Nothing has moved yet: with what you moved alone in the last 24 hours this is above the limit, and waits "
                "for a second person."
            ),
            is_good=False,
        )
    return Done(_("This was asked for before, and is decided: see the approvals."), is_good=False)


def _free(draw: Draw) -> dict[str, int]:
    """What is free in the draw's pool, by unit."""
    return {unit: held.free for unit, held in pool_balances(draw.pool).items() if held.free}


def _import(draw: Draw, data: dict[str, Any], by: User, now: dt.datetime) -> Done:
    sent = data["file"]
    received = services.receive_upload(draw=draw, file=sent.file, file_name=sent.name or "", by=by, now=now)
    if received.is_new:
        return Done(_("The file is received and waits to be imported."), upload=received.upload)
    return Done(
        _("The same file was uploaded before: it is imported once."), is_good=False, upload=received.upload
    )


def _freeze(draw: Draw, data: dict[str, Any], by: User, now: dt.datetime) -> Done:
    try:
        frozen = services.freeze_draw(draw_id=draw.pk, now=now, by=by, reason=data["reason"])
    except services.DrawError:
        raise
    except Exception as error:  # the service has logged it, written it down and told the admins
        raise ActFailedError(
            _(
                "The freeze failed and is on record; once entries are closed it is tried again by itself: %(error)s"
            )
            % {"error": str(error) or type(error).__name__}
        ) from error
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
    words = ngettext(
        "The draw is made: %(count)s winner.", "The draw is made: %(count)s winners.", report.winners_count
    )
    return Done(words % {"count": f"{report.winners_count:,}"})


def _cancel(draw: Draw, data: dict[str, Any], by: User, now: dt.datetime) -> Done:
    services.cancel_draw(draw=draw, by=by, reason=data["reason"], now=now)
    return Done(_("The draw is cancelled; what was in its pool went back."))


def _call_off(draw: Draw, data: dict[str, Any], by: User, now: dt.datetime) -> Done:
    services.call_off_draw(draw=draw, by=by, reason=data["reason"], now=now)
    return Done(
        _("Nothing is called off yet: it waits for a second person, and the draw goes on until then."),
        is_good=False,
    )


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
            "Bring money, credits or points into this draw's pool from outside. It is posted in the ledger at once, or "
            "waits for a second person where it is, with what you moved alone in the last 24 hours, above the limit."
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
    "return": Act(
        title=gettext_lazy("Return money"),
        intro=gettext_lazy(
            "Send what is free in this draw's pool back to where it came from. What is reserved for prizes or owed to winners "
            "stays. Where it is, with what you moved alone in the last 24 hours, above the limit, it waits for a second "
            "person."
        ),
        submit=gettext_lazy("Return the money"),
        run=_return,
        why_not=lambda draw, now: "" if _free(draw) else _("Nothing is free in this draw's pool."),
        form_class=ReturnForm,
        shows="pool",
    ),
    "import": Act(
        title=gettext_lazy("Import entries"),
        intro=gettext_lazy(
            "The file is received now and imported by a worker; you see how far it is. Good lines are entered all "
            "together; every line that can't be used is listed with its reason. Someone who is in the draw already "
            "keeps the first entry."
        ),
        submit=gettext_lazy("Upload this file"),
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
        why_not=lambda draw, now: services.why_not_cancelled(draw, now=now),
        form_class=ReasonForm,
        is_danger=True,
        shows="pool",
    ),
    "call_off": Act(
        title=gettext_lazy("Call off"),
        intro=gettext_lazy(
            "The entries are frozen, and somebody may know who wins. Call the draw off only if it can't be held, for a reason "
            "that everybody may read. A second person has to agree. Then the pool goes back, whoever entered is told, "
            "and the site publishes what the draw would have drawn, so that everybody sees who would have won."
        ),
        submit=gettext_lazy("Ask a second person"),
        run=_call_off,
        why_not=lambda draw, now: services.why_not_called_off(draw, now=now),
        form_class=PublicReasonForm,
        is_danger=True,
        shows="pool",
    ),
}
