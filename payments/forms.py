"""The shape of what people type about money."""

import re
import uuid
from collections.abc import Sequence
from typing import Any

from django import forms
from django.core.exceptions import ValidationError
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from payments.models import Account
from payments.money import AmountError, parse_amount, unit_label
from payments.paystack import Bank


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


class WithdrawForm(forms.Form):
    """How much of one wallet goes where. `token` is made with the form: sent twice, it is asked for once."""

    unit = forms.CharField(max_length=20, widget=forms.HiddenInput)
    token = forms.UUIDField(widget=forms.HiddenInput)
    amount = forms.CharField(
        label=_("Amount"),
        max_length=32,
        widget=forms.TextInput({"inputmode": "decimal", "autocomplete": "off", "placeholder": "1,250.00"}),
    )
    bank = forms.ChoiceField(label=_("Bank or mobile money"))
    account_number = forms.CharField(
        label=_("Account or phone number"),
        max_length=40,
        widget=forms.TextInput({"inputmode": "tel", "autocomplete": "off"}),
        help_text=_("Digits alone. For mobile money the number of the phone."),
    )
    account_name = forms.CharField(
        label=_("Name on the account"), max_length=120, widget=forms.TextInput({"autocomplete": "name"})
    )

    def __init__(self, *args: Any, wallet: Account, banks: Sequence[Bank], **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._wallet = wallet
        self.initial.setdefault("unit", wallet.unit)
        self.initial.setdefault("token", uuid.uuid4())
        bank = self.fields["bank"]
        assert isinstance(bank, forms.ChoiceField)
        bank.choices = [("", _("Choose")), *((bank.code, bank.name) for bank in banks)]

    def clean_amount(self) -> int:
        """Minor units. What the wallet holds is the ledger's to say."""
        try:
            return parse_amount(self.cleaned_data["amount"], self._wallet.unit)
        except AmountError as error:
            raise ValidationError(str(error)) from error

    def clean_account_number(self) -> str:
        """Without what people put between digits."""
        number = re.sub(r"[\s.-]", "", self.cleaned_data["account_number"])
        if not re.fullmatch(r"\+?[0-9]{5,34}", number):
            raise ValidationError(gettext("Write the number in digits, like 0711000001."))
        return number
