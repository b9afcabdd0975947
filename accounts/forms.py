"""Forms about oneself."""

import datetime as dt
import zoneinfo
from typing import Any

from django import forms
from django.conf import settings
from django.http import HttpRequest
from django.utils import timezone
from django.utils.translation import get_language_info, gettext
from django.utils.translation import gettext_lazy as _
from phonenumber_field.phonenumber import to_python

from accounts.countries import countries
from accounts.models import User
from accounts.scopes import scopes_for
from accounts.validators import validate_plain_line

OLDEST = dt.timedelta(days=125 * 366)
"""How long ago somebody who is alive may have been born."""


def time_zone_choices() -> list[tuple[str, str]]:
    """Every IANA zone a person may live in, by name."""
    names = sorted(name for name in zoneinfo.available_timezones() if "/" in name or name == "UTC")
    return [(name, name.replace("_", " ")) for name in names if not name.startswith(("Etc/", "SystemV/"))]


class SignUpForm(forms.Form):
    """What we ask beside e-mail and password; allauth calls `signup` with the new user."""

    display_name = forms.CharField(
        label=_("Your name"),
        max_length=80,
        validators=[validate_plain_line],
        widget=forms.TextInput({"autocomplete": "name", "autocapitalize": "words"}),
    )
    time_zone = forms.CharField(widget=forms.HiddenInput, required=False)

    field_order = ("display_name", "email", "password1")

    def clean_time_zone(self) -> str:
        """The browser's zone where it sent one we know; a wrong one is not the person's fault."""
        zone = self.cleaned_data["time_zone"]
        return zone if zone in zoneinfo.available_timezones() else ""

    def signup(self, request: HttpRequest, user: User) -> None:
        """Keep what was asked on the new account."""
        user.display_name = self.cleaned_data["display_name"]
        user.time_zone = self.cleaned_data["time_zone"] or user.time_zone
        user.save(update_fields=["display_name", "time_zone"])


def country_choices() -> list[tuple[str, str]]:
    """Countries to choose from, and none."""
    return [("", gettext("Not said")), *countries()]


class ProfileForm(forms.ModelForm[User]):
    """What one says about oneself, and the consents."""

    country = forms.ChoiceField(label=_("Country"), choices=country_choices, required=False)
    phone = forms.CharField(
        label=_("Phone"),
        max_length=40,
        required=False,
        widget=forms.TextInput({"type": "tel", "autocomplete": "tel"}),
        help_text=_("With the code of the country, as in +254 711 000 001, or as you dial it there."),
    )

    class Meta:
        model = User
        fields = (
            "display_name",
            "country",
            "phone",
            "birth_date",
            "time_zone",
            "language",
            "shows_name",
        )
        widgets = {
            "display_name": forms.TextInput({"autocomplete": "name"}),
            "birth_date": forms.DateInput({"type": "date", "autocomplete": "bday"}, format="%Y-%m-%d"),
        }
        help_texts = {"birth_date": _("Some draws are for people of an age. Nobody else is shown it.")}

    def clean_display_name(self) -> str:
        """Shown among winners and in the subject lines of mails."""
        name: str = self.cleaned_data["display_name"]
        validate_plain_line(name)
        return name

    field_order = ("display_name", "country", "phone", "birth_date", "time_zone", "language")

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["time_zone"].widget = forms.Select(choices=time_zone_choices())
        if len(settings.LANGUAGES) > 1:
            names = [(code, get_language_info(code)["name_local"]) for code, _name in settings.LANGUAGES]
            self.fields["language"].widget = forms.Select(choices=names)
        else:  # nothing to choose between
            del self.fields["language"]

    def clean_phone(self) -> str:
        """The number as it is kept (+254711000001); without the code of a country it is one of the person's own."""
        given = self.cleaned_data["phone"].strip()
        if not given:
            return ""
        number = to_python(given, region=self.cleaned_data.get("country") or None)
        if not number or not number.is_valid():
            raise forms.ValidationError(
                _("This is no phone number. Write it with the code of the country, as in +254 711 000 001.")
            )
        return str(number.as_e164)

    def clean_birth_date(self) -> dt.date | None:
        """A day on which somebody who uses this site can have been born."""
        day: dt.date | None = self.cleaned_data["birth_date"]
        if day and not dt.timedelta(0) <= timezone.localdate() - day <= OLDEST:
            raise forms.ValidationError(_("Nobody who reads this was born on that day."))
        return day


class ApiKeyForm(forms.Form):
    """A new API key: what it is for, what it may do, how long."""

    name = forms.CharField(
        label=_("Name"), max_length=60, help_text=_("What will use it: so that you know it again.")
    )
    scopes = forms.MultipleChoiceField(label=_("What it may do"), widget=forms.CheckboxSelectMultiple)
    days = forms.TypedChoiceField(
        label=_("How long it works"),
        coerce=int,
        initial=90,
        choices=[(30, _("30 days")), (90, _("90 days")), (365, _("A year")), (0, _("Until it is revoked"))],
    )

    def __init__(self, *args: Any, owner: User, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        scopes = self.fields["scopes"]
        assert isinstance(scopes, forms.MultipleChoiceField)
        scopes.choices = [(scope.name, f"{scope.title} ({scope.name})") for scope in scopes_for(owner)]

    def expires_at(self, now: dt.datetime) -> dt.datetime | None:
        """When the key ends; None: it does not."""
        days: int = self.cleaned_data["days"]
        return now + dt.timedelta(days=days) if days else None
