"""The shape of what people type about money."""

from collections.abc import Sequence
from typing import Any

from django import forms
from django.utils.translation import gettext_lazy as _

from payments.models import Account
from payments.money import unit_label


class StatementForm(forms.Form):
    """What a statement shall show. A unit that the person has no wallet in is refused."""

    unit = forms.ChoiceField(label=_("Unit"))
    first = forms.DateField(
        label=_("From"), required=False, widget=forms.DateInput({"type": "date"}, "%Y-%m-%d")
    )
    last = forms.DateField(
        label=_("To"), required=False, widget=forms.DateInput({"type": "date"}, "%Y-%m-%d")
    )

    kind = forms.ChoiceField(label=_("What"), required=False)

    def __init__(
        self, *args: Any, wallets: Sequence[Account], kinds: Sequence[tuple[str, str]] = (), **kwargs: Any
    ) -> None:
        """`kinds` are the kinds of entry in the wallet that is shown: its code and what it is called."""
        super().__init__(*args, **kwargs)
        kind = self.fields["kind"]
        assert isinstance(kind, forms.ChoiceField)
        kind.choices = [("", _("Everything")), *kinds]
        choices = [(wallet.unit, unit_label(wallet.unit)) for wallet in wallets]
        unit = self.fields["unit"]
        assert isinstance(unit, forms.ChoiceField)
        unit.choices = choices

    def clean(self) -> dict[str, Any]:
        values = super().clean() or {}
        first, last = values.get("first"), values.get("last")
        if first and last and last < first:
            self.add_error("last", _("This day is before the first one."))
        return values


class BuyForm(forms.Form):
    """A package as the buyer saw it, and the key of this checkout. All of it is hidden: it is chosen by a button."""

    package = forms.UUIDField()
    price = forms.IntegerField(min_value=1)
    currency = forms.CharField(max_length=3)
    checkout_key = forms.UUIDField()
