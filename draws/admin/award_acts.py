"""What staff do to one award by hand: words, form, when it is offered, and the service it calls."""

import datetime as dt
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from django import forms
from django.utils.functional import Promise
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from unfold.widgets import UnfoldAdminTextInputWidget, UnfoldBooleanSwitchWidget

from accounts.models import User
from draws import services
from draws.admin.acts import Done, waits
from draws.admin.vacancy_acts import PublishedReasonForm
from draws.forms import ConfirmForm, ReasonForm
from draws.models import Award, PrizeAddress

_ENDED = (Award.State.EXPIRED, Award.State.REVERSED)


class ReplaceForm(PublishedReasonForm):
    """Why a winner loses the prize, and whether it is taken out of the wallet."""

    take_back = forms.BooleanField(
        label=gettext_lazy("Take a prize that was paid back out of the winner's wallet"),
        required=False,
        widget=UnfoldBooleanSwitchWidget(),
        help_text=gettext_lazy(
            "Only where the wallet still holds it. The winner sees it in the wallet and is told."
        ),
    )


class SentForm(forms.Form):
    """What the winner needs to follow the parcel."""

    note = forms.CharField(
        label=gettext_lazy("Note to the winner"),
        max_length=300,
        required=False,
        widget=UnfoldAdminTextInputWidget({"autocomplete": "off"}),
        help_text=gettext_lazy("Courier and tracking number, or a link. Shown on the winner's page."),
    )


@dataclass(frozen=True)
class AwardAct:
    """One thing that may be done to an award by hand. `why_not` is empty where the act makes sense now.

    `followed_by` is the act that is offered next. Of one that `shows_secret`, what `run` returns is shown in the answer
    and kept nowhere.
    """

    title: str | Promise
    intro: str | Promise
    submit: str | Promise
    run: Callable[[Award, dict[str, Any], User, dt.datetime], Done]
    why_not: Callable[[Award], str]
    form_class: type[forms.Form] = ConfirmForm
    is_danger: bool = False
    followed_by: str = ""
    shows_secret: bool = False


def _replace(award: Award, data: dict[str, Any], by: User, now: dt.datetime) -> Done:
    outcome = services.replace_winner(
        award=award, by=by, reason=data["reason"], take_back=data["take_back"], now=now
    )
    if outcome is not None and outcome.entry is None:
        return waits(outcome)
    return Done(_("The winner has lost the prize; the next rank, if there is one, has it now."))


def _sent(award: Award, data: dict[str, Any], by: User, now: dt.datetime) -> Done:
    services.mark_sent(award=award, note=data["note"], by=by, now=now)
    return Done(_("Marked as sent."))


def _revoke(award: Award, data: dict[str, Any], by: User, now: dt.datetime) -> Done:
    services.revoke_claim_links(award=award, by=by, reason=data["reason"], now=now)
    return Done(_("Every link to this prize given out so far is worthless now."))


def _resend(award: Award, data: dict[str, Any], by: User, now: dt.datetime) -> Done:
    services.resend_claim(award=award, by=by, now=now)
    return Done(_("The link is on its way to the winner."))


def _show(award: Award, data: dict[str, Any], by: User, now: dt.datetime) -> Done:
    return Done(services.show_claim_link(award=award, by=by, reason=data["reason"], now=now))


def _erase(award: Award, data: dict[str, Any], by: User, now: dt.datetime) -> Done:
    services.erase_address(award=award, by=by, now=now)
    return Done(_("The address is erased."))


def _why_not_erase(award: Award) -> str:
    if award.state == Award.State.CLAIMED:
        return _("It has not been sent yet, and without the address it can't be.")
    return "" if PrizeAddress.objects.filter(award=award).exists() else _("There is no address to erase.")


AWARD_ACTS = {
    "replace": AwardAct(
        title=gettext_lazy("Replace this winner"),
        intro=gettext_lazy(
            "The winner loses the prize, and the next unused rank takes it over: nobody chooses who. The reason is "
            "published with the draw's proof, and the winner is told. What is taken out of a wallet counts as money that you "
            "move: above the limit it waits for a second person."
        ),
        submit=gettext_lazy("Replace the winner"),
        run=_replace,
        why_not=lambda award: _("This prize has been lost already.") if award.state in _ENDED else "",
        form_class=ReplaceForm,
        is_danger=True,
    ),
    "sent": AwardAct(
        title=gettext_lazy("Mark as sent"),
        intro=gettext_lazy("The thing is on its way to the address that the winner gave."),
        submit=gettext_lazy("It is sent"),
        run=_sent,
        why_not=lambda award: (
            ""
            if award.kind == Award.PHYSICAL and award.state == Award.State.CLAIMED
            else _("Only a thing whose winner has given an address can be sent.")
        ),
        form_class=SentForm,
    ),
    "revoke": AwardAct(
        title=gettext_lazy("Revoke claim links"),
        intro=gettext_lazy(
            "Every secret link to this prize that was given out so far stops working. The next page offers to send the "
            "winner a new one."
        ),
        submit=gettext_lazy("Revoke the links"),
        run=_revoke,
        why_not=lambda award: (
            _("The winner has an account, and needs no link.") if award.member_id is not None else ""
        ),
        form_class=ReasonForm,
        is_danger=True,
        followed_by="resend",
    ),
    "resend": AwardAct(
        title=gettext_lazy("Send the link again"),
        intro=gettext_lazy(
            "Mails the winner, and nobody else, a link to this prize that works now: to claim it, or to see a voucher "
            "that was claimed."
        ),
        submit=gettext_lazy("Send the link"),
        run=_resend,
        why_not=services.why_not_mailed,
    ),
    "show_link": AwardAct(
        title=gettext_lazy("Show the claim link"),
        intro=gettext_lazy(
            "The site can't write to this winner. Whoever has the link can take the prize: give it to the winner alone. "
            "That you saw it is kept in the audit trail."
        ),
        submit=gettext_lazy("Show the link"),
        run=_show,
        why_not=services.why_not_shown,
        form_class=ReasonForm,
        is_danger=True,
        shows_secret=True,
    ),
    "erase_address": AwardAct(
        title=gettext_lazy("Erase address"),
        intro=gettext_lazy("The parcel has arrived: where it went is nobody's business any more."),
        submit=gettext_lazy("Erase the address"),
        run=_erase,
        why_not=_why_not_erase,
        is_danger=True,
    ),
}
