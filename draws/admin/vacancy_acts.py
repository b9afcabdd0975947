"""What staff do to a drawn draw by hand: extend its ranks, close its vacancies."""

import datetime as dt
from typing import Any

from django import forms
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext
from unfold.widgets import UnfoldAdminTextInputWidget

from accounts.models import User
from draws import services
from draws.admin.acts import Act, Done
from draws.forms import ReasonForm
from draws.models import Draw

MOST_RANKS = 10_000


class PublishedReasonForm(ReasonForm):
    """A reason that stands in the proof of the draw, for everybody."""

    reason = forms.CharField(
        label=gettext_lazy("Reason"),
        max_length=300,
        widget=ReasonForm.base_fields["reason"].widget,
        help_text=gettext_lazy("Published in the proof of the draw: name no person."),
    )


class ExtendForm(PublishedReasonForm):
    """How many more ranks to draw, and why."""

    extra = forms.IntegerField(
        label=gettext_lazy("How many more ranks"),
        min_value=1,
        max_value=MOST_RANKS,
        initial=3,
        widget=UnfoldAdminTextInputWidget({"inputmode": "numeric", "autocomplete": "off"}),
        help_text=gettext_lazy("What vacant slots do not need stays as alternates."),
    )
    field_order = ("extra", "reason")


def _extend(draw: Draw, data: dict[str, Any], by: User, now: dt.datetime) -> Done:
    draw = services.extend_ranks(draw=draw, extra=data["extra"], by=by, reason=data["reason"], now=now)
    if draw.vacant_slots:
        return Done(
            ngettext(
                "The ranks are extended; %(n)d slot is still vacant.",
                "The ranks are extended; %(n)d slots are still vacant.",
                draw.vacant_slots,
            )
            % {"n": draw.vacant_slots},
            is_good=False,
        )
    return Done(_("The ranks are extended, and every slot that could be filled is filled."))


def _close(draw: Draw, data: dict[str, Any], by: User, now: dt.datetime) -> Done:
    services.close_vacancies(draw=draw, by=by, reason=data["reason"], now=now)
    return Done(_("The vacancies are closed; what was not won went where the leftover policy says."))


def _why_not(draw: Draw, now: dt.datetime) -> str:
    return "" if draw.vacant_slots else _("No slot of this draw waits for a winner.")


VACANCY_ACTS = {
    "extend": Act(
        title=gettext_lazy("Extend ranks"),
        intro=gettext_lazy(
            "Slots are vacant and no alternate is left. Drawing more ranks goes on with the same published sequence: "
            "nobody chooses who comes next, and anyone can check it."
        ),
        submit=gettext_lazy("Draw more ranks"),
        run=_extend,
        why_not=_why_not,
        form_class=ExtendForm,
        shows="pool",
    ),
    "close": Act(
        title=gettext_lazy("Close vacancies"),
        intro=gettext_lazy(
            "No more ranks will be drawn, for good: the vacant prizes go to nobody. What they were worth goes where "
            "the draw's leftover policy says."
        ),
        submit=gettext_lazy("Close the vacancies"),
        run=_close,
        why_not=_why_not,
        form_class=ReasonForm,
        is_danger=True,
        shows="pool",
    ),
}
