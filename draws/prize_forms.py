"""What winners type: where a thing should be sent."""

from typing import Any

from django import forms
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from accounts.countries import countries
from draws.services.claiming import Address
from draws.vwd1 import normalise_identity

# Countries without postcodes, or where hardly anybody has one.
_NO_POSTCODES = frozenset(
    [
        "AE",
        "AG",
        "AO",
        "AW",
        "BF",
        "BI",
        "BJ",
        "BO",
        "BS",
        "BW",
        "BZ",
        "CD",
        "CF",
        "CG",
        "CI",
        "CM",
        "DJ",
        "DM",
        "ER",
        "FJ",
        "GA",
        "GD",
        "GH",
        "GM",
        "GN",
        "GQ",
        "GY",
        "HK",
        "JM",
        "KE",
        "KI",
        "KM",
        "KN",
        "KP",
        "LY",
        "ML",
        "MO",
        "MR",
        "MW",
        "NR",
        "NU",
        "PA",
        "QA",
        "RW",
        "SB",
        "SC",
        "SL",
        "SR",
        "SS",
        "ST",
        "SY",
        "TD",
        "TF",
        "TG",
        "TL",
        "TO",
        "TT",
        "TV",
        "TZ",
        "UG",
        "VU",
        "YE",
        "ZW",
    ]
)


def _country_choices_with_none() -> list[tuple[str, str]]:
    return [("", gettext("Choose a country")), *countries()]


def _text(label: Any, length: int, autocomplete: str, **options: Any) -> forms.CharField:
    widget = forms.TextInput({"autocomplete": autocomplete})
    return forms.CharField(label=label, max_length=length, widget=widget, **options)


class AddressForm(forms.Form):
    """Where a prize is to be sent."""

    name = _text(_("Name on the parcel"), 100, "name")
    street = _text(_("Street and number, or P.O. box"), 200, "street-address")
    city = _text(_("Town or city"), 100, "address-level2")
    postcode = _text(_("Postcode"), 16, "postal-code", required=False)
    country = forms.ChoiceField(
        label=_("Country"),
        choices=_country_choices_with_none,
        widget=forms.Select({"autocomplete": "country"}),
        error_messages={"invalid_choice": _("Choose a country.")},
    )
    phone = forms.CharField(
        label=_("Phone"),
        max_length=32,
        help_text=_("With the country's code, like +254 711 000 001: the courier calls it."),
        widget=forms.TextInput({"type": "tel", "autocomplete": "tel", "inputmode": "tel"}),
    )

    def clean_phone(self) -> str:
        text = str(self.cleaned_data["phone"]).strip()
        try:
            phone = normalise_identity(text)
        except ValueError:
            phone = ""
        if not phone.startswith("+"):
            raise forms.ValidationError(
                gettext("Write the phone number with its country's code, like +254 711 000 001."),
                code="phone",
            )
        return phone

    def clean(self) -> dict[str, Any]:
        data = super().clean() or self.cleaned_data
        if "country" in data and not data.get("postcode") and data["country"] not in _NO_POSTCODES:
            self.add_error("postcode", gettext("Write the postcode: parcels to this country need one."))
        return data

    @property
    def address(self) -> Address:
        """What was typed, once it is valid."""
        return Address(**{name: self.cleaned_data[name] for name in Address.__slots__})
