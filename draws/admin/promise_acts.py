"""What staff do about a draw's promise by hand: change it, bring in an announced text, check that it was kept."""

import datetime as dt
from typing import Any

from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext

from accounts.models import User
from draws import services
from draws.admin.acts import Act, Done
from draws.forms import ReasonForm
from draws.models import CalledOff, Draw
from draws.promise_forms import ChangeForm, ConfirmTextForm, EnterTextForm
from draws.services.randomness import standing_text, waits_for_text


def _change(draw: Draw, data: dict[str, Any], by: User, now: dt.datetime) -> Done:
    change = services.change_draw(
        draw=draw,
        changes=data["changes"],
        by=by,
        reason=data["reason"],
        based_on=data["based_on"],
        now=now,
    )
    if change is None:
        return Done(_("Nothing was changed: all is as it was."), is_good=False)
    return Done(_("The draw is changed; whoever has entered is told what and why."))


def _why_no_change(draw: Draw, now: dt.datetime) -> str:
    if draw.phase(now) in ("upcoming", "open"):
        return ""
    if draw.status == Draw.Status.DRAFT:
        return _("A draft is changed in its form.")
    return _("Entries are closed: what was promised can't be changed any more.")


def _enter_text(draw: Draw, data: dict[str, Any], by: User, now: dt.datetime) -> Done:
    services.enter_text(draw=draw, position=data["position"], text=data["text"], by=by, now=now)
    return Done(_("The text is entered. Another admin has to confirm it before it counts."))


def _why_no_text(draw: Draw, now: dt.datetime) -> str:
    if not waits_for_text(draw):
        return _("This draw waits for no announced text now.")
    if standing_text(draw) is not None:
        return _("A text is entered already and waits for another admin to confirm it.")
    return ""


def _confirm_text(draw: Draw, data: dict[str, Any], by: User, now: dt.datetime) -> Done:
    entered = standing_text(draw)
    if entered is None:
        raise services.RandomnessError(_("This text was confirmed or rejected already."))
    if data["rejection"]:
        services.reject_text(entered=entered, by=by, reason=data["rejection"], now=now)
        return Done(_("The text is rejected; another one can be entered."))
    services.confirm_text(entered=entered, text=data["text"], by=by, now=now)
    return Done(_("The text is confirmed: the draw is made at its time."))


def _why_no_confirmation(draw: Draw, now: dt.datetime) -> str:
    if not waits_for_text(draw) or standing_text(draw) is None:
        return _("No text waits to be confirmed.")
    return ""


def _check(draw: Draw, data: dict[str, Any], by: User, now: dt.datetime) -> Done:
    wrong = services.check_draw(draw=draw, by=by, now=now)
    if not wrong:
        return Done(_("All holds: entries, file, seed, ranks, winners, awards and what the ledger paid."))
    count = ngettext("%(n)d difference", "%(n)d differences", len(wrong)) % {"n": len(wrong)}
    return Done(
        _("%(count)s, and unpaid prizes are stopped: %(what)s")
        % {"count": count, "what": " ".join(wrong)[:800]},
        is_good=False,
    )


def _draw_up(draw: Draw, data: dict[str, Any], by: User, now: dt.datetime) -> Done:
    CalledOff.objects.filter(draw=draw, proof__isnull=True).update(next_attempt_at=None)
    services.draw_up_called_off(now=now)
    called_off = services.called_off_of(draw)
    if called_off is None or called_off.proof is None:
        missing = called_off.waits_for if called_off is not None else ""
        return Done(_("Something is still missing: %(what)s") % {"what": missing or "—"}, is_good=False)
    return Done(_("It is published what this draw would have drawn."))


def _why_not_draw_up(draw: Draw, now: dt.datetime) -> str:
    called_off = services.called_off_of(draw)
    if called_off is None:
        return _("Only a draw that was called off after its freeze is drawn up like this.")
    return "" if called_off.proof is None else _("It is published already what this draw would have drawn.")


def _resume(draw: Draw, data: dict[str, Any], by: User, now: dt.datetime) -> Done:
    services.resume_payouts(draw=draw, by=by, reason=data["reason"], now=now)
    return Done(_("Payouts of this draw go on."))


PROMISE_ACTS = {
    "change": Act(
        title=gettext_lazy("Change"),
        intro=gettext_lazy(
            "Title, rules, times and prizes can be other than announced until entries are frozen. What was before, "
            "what is now and your reason are published, and everybody who has entered is told."
        ),
        submit=gettext_lazy("Change this draw and tell its entrants"),
        run=_change,
        why_not=_why_no_change,
        form_class=ChangeForm,
        is_danger=True,
        shows="pool",
    ),
    "enter_text": Act(
        title=gettext_lazy("Enter the announced text"),
        intro=gettext_lazy(
            "Look the text up where it was announced. It counts once another admin has looked it up as well and "
            "typed the same."
        ),
        submit=gettext_lazy("Enter this text"),
        run=_enter_text,
        why_not=_why_no_text,
        form_class=EnterTextForm,
        shows="figures",
    ),
    "confirm_text": Act(
        title=gettext_lazy("Confirm the announced text"),
        intro=gettext_lazy(
            "Another admin has entered a text. Look it up yourself, and type it; it isn't shown here, so that two "
            "people read it."
        ),
        submit=gettext_lazy("Go on"),
        run=_confirm_text,
        why_not=_why_no_confirmation,
        form_class=ConfirmTextForm,
        shows="figures",
    ),
    "check": Act(
        title=gettext_lazy("Check"),
        intro=gettext_lazy(
            "Compute the draw again from its entries and revealed values, and follow every payout into the ledger. "
            "It is done daily by itself. A difference stops what is not paid yet."
        ),
        submit=gettext_lazy("Check this draw now"),
        run=_check,
        why_not=lambda draw, now: (
            "" if draw.status == Draw.Status.COMPLETED else _("Only a completed draw can be checked.")
        ),
        shows="figures",
    ),
    "draw_up": Act(
        title=gettext_lazy("Draw up what it would have drawn"),
        intro=gettext_lazy(
            "The site does this by itself every minute, once every value that the draw was to be made from is there."
        ),
        submit=gettext_lazy("Draw it up now"),
        run=_draw_up,
        why_not=_why_not_draw_up,
        shows="figures",
    ),
    "resume": Act(
        title=gettext_lazy("Let payouts go on"),
        intro=gettext_lazy(
            "A check found that what is stored is not what was drawn, and stopped this draw's unpaid prizes. Let them "
            "go on once you know what happened."
        ),
        submit=gettext_lazy("Let payouts go on"),
        run=_resume,
        why_not=lambda draw, now: (
            "" if draw.payouts_stopped_at is not None else _("The payouts of this draw are not stopped.")
        ),
        form_class=ReasonForm,
        is_danger=True,
        shows="figures",
    ),
}
