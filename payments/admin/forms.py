"""The shape of what staff type about money."""

import uuid
from typing import Any

from django import forms
from django.core.exceptions import ValidationError
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _
from unfold.widgets import (
    UnfoldAdminEmailInputWidget,
    UnfoldAdminRadioSelectWidget,
    UnfoldAdminSelectWidget,
    UnfoldAdminTextareaWidget,
    UnfoldAdminTextInputWidget,
)

from accounts.models import User, normalise_email
from payments.money import CURRENCIES, AmountError, parse_amount

UNITS = (*((code, code) for code in CURRENCIES), ("CREDIT", _("credits")), ("POINT", _("points")))


class NoteForm(forms.Form):
    """What the second person says to it; may stay empty."""

    note = forms.CharField(
        label=_("Note"),
        max_length=500,
        required=False,
        widget=UnfoldAdminTextareaWidget({"rows": 3}),
        help_text=_("Kept for good in the audit trail, and told to whoever asked."),
    )


class RejectForm(NoteForm):
    """Why it is refused: that must be said."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["note"].required = True
        self.fields["note"].label = _("Why not")


class AdjustForm(forms.Form):
    """An amount into or out of a member's wallet. `token` is made with the form: sent twice, it is done once."""

    IN, OUT = "in", "out"

    member = forms.EmailField(
        label=_("Member"),
        widget=UnfoldAdminEmailInputWidget({"autocomplete": "off"}),
        help_text=_("The address that they sign in with."),
    )
    direction = forms.ChoiceField(
        label=_("Direction"),
        choices=((IN, _("Into the wallet")), (OUT, _("Out of the wallet"))),
        widget=UnfoldAdminRadioSelectWidget(),
        initial=IN,
    )
    unit = forms.ChoiceField(label=_("Unit"), choices=UNITS, widget=UnfoldAdminSelectWidget())
    amount = forms.CharField(
        label=_("Amount"),
        max_length=32,
        widget=UnfoldAdminTextInputWidget(
            {"inputmode": "decimal", "placeholder": "1,250.00", "autocomplete": "off"}
        ),
        help_text=_("As you write it: 1,250.00. Credits and points are whole."),
    )
    reason = forms.CharField(
        label=_("Reason"),
        max_length=500,
        widget=UnfoldAdminTextareaWidget({"rows": 3}),
        help_text=_("The member reads it on their statement, and it is kept for good in the audit trail."),
    )
    token = forms.UUIDField(widget=forms.HiddenInput)

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.initial.setdefault("token", uuid.uuid4())

    def clean_member(self) -> User:
        person = User.objects.filter(email=normalise_email(self.cleaned_data["member"])).first()
        if person is None:
            raise ValidationError(gettext("Nobody signs in with this address."), code="unknown")
        return person

    def clean(self) -> dict[str, Any]:
        """`amount` becomes minor units, below zero where it goes out."""
        data = super().clean() or self.cleaned_data
        if "unit" not in data or "amount" not in data:
            return data
        try:
            amount = parse_amount(data["amount"], data["unit"])
        except AmountError as error:
            self.add_error("amount", str(error))
            return data
        data["amount"] = -amount if data.get("direction") == self.OUT else amount
        return data


class RefundForm(forms.Form):
    """How many unused credits go back. `token` is made with the form: sent twice, it is done once."""

    credits = forms.IntegerField(
        label=_("Credits to take back"),
        min_value=0,
        widget=UnfoldAdminTextInputWidget({"inputmode": "numeric"}),
    )
    amount = forms.CharField(
        label=_("Amount"),
        required=False,
        widget=UnfoldAdminTextInputWidget({"inputmode": "decimal"}),
        help_text=_("Empty: what these credits are worth. Less is possible, more is not."),
    )
    reason = forms.CharField(
        label=_("Reason"),
        max_length=300,
        widget=UnfoldAdminTextInputWidget(),
        help_text=_("The member reads it on the payment's page."),
    )
    notes = forms.CharField(
        label=_("Notes for staff"), required=False, widget=UnfoldAdminTextareaWidget({"rows": 3})
    )
    token = forms.UUIDField(widget=forms.HiddenInput, initial=uuid.uuid4)

    def __init__(self, *args: Any, currency: str, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._currency = currency

    def clean_amount(self) -> int | None:
        """Minor units; None where nothing was typed."""
        typed = self.cleaned_data["amount"].strip()
        if not typed:
            return None
        try:
            return parse_amount(typed, self._currency)
        except AmountError as error:
            raise ValidationError(str(error)) from error


class ReviewNoteForm(forms.Form):
    """What somebody found out about a review item."""

    text = forms.CharField(
        label=_("Note"),
        max_length=2_000,
        widget=UnfoldAdminTextareaWidget({"rows": 4}),
        help_text=_("Kept for good, with your name."),
    )
