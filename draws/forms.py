"""The shape of what staff type about draws: a draft with its prizes, and what each action asks for.

Times are typed as clocks in the draw's own zone show them, amounts as people write money. Rules that hold for
every way in stay in the services; what is checked here is what a person can mend while the form is open.
"""

import datetime as dt
import uuid
import zoneinfo
from typing import Any

from django import forms
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _
from unfold.forms import PaginationInlineFormSet
from unfold.widgets import (
    BASE_INPUT_CLASSES,
    UnfoldAdminFileFieldWidget,
    UnfoldAdminSelectWidget,
    UnfoldAdminTextareaWidget,
    UnfoldAdminTextInputWidget,
)

from draws.models import Draw, Prize
from payments.money import CURRENCIES, LARGEST_AMOUNT, AmountError, exponent_of, parse_amount

# Those whose decimals `payments.money` knows.
CREDITS_AND_POINTS = (("CREDIT", _("credits")), ("POINT", _("points")))
_TIMES = ("opens_at", "closes_at", "draw_at")


class WallTimeInput(forms.DateTimeInput):
    """The browser's own picker of a date and a time; needs no script."""

    input_type = "datetime-local"

    def __init__(self) -> None:
        super().__init__({"class": " ".join([*BASE_INPUT_CLASSES, "max-w-2xl"])}, "%Y-%m-%dT%H:%M")

    def format_value(self, value: Any) -> str | None:
        """Seconds only where there are any: pickers leave them out."""
        if isinstance(value, dt.datetime) and value.second:
            return value.isoformat(timespec="seconds")
        return super().format_value(value)


class WallTimeField(forms.Field):
    """A date and time as a clock on the wall shows it, naive; the form knows in which zone the wall stands."""

    widget = WallTimeInput
    default_error_messages = {"invalid": _("Write a date and a time, like 2026-11-21 18:00.")}

    def to_python(self, value: Any) -> dt.datetime | None:
        if value in self.empty_values:
            return None
        if isinstance(value, dt.datetime):
            return value
        try:
            wall = dt.datetime.fromisoformat(str(value).strip())
        except ValueError:
            wall = None
        if wall is None or wall.tzinfo is not None:
            raise forms.ValidationError(self.error_messages["invalid"], code="invalid")
        return wall


def at_zone(wall: dt.datetime, zone: zoneinfo.ZoneInfo) -> dt.datetime:
    """The moment, in UTC, at which clocks in `zone` show `wall`.

    Raises `ValidationError` for a time that they skip or show twice, in the night when clocks change.
    """
    early, late = (wall.replace(tzinfo=zone, fold=fold).utcoffset() for fold in (0, 1))
    if early != late:
        raise forms.ValidationError(
            gettext("Clocks in %(zone)s change at this time: it is skipped or comes twice. Choose another."),
            code="dst",
            params={"zone": zone.key},
        )
    return wall.replace(tzinfo=zone).astimezone(dt.UTC)


def zone_choices() -> list[tuple[str, str]]:
    """Zones named after places, and UTC."""
    names = {name for name in zoneinfo.available_timezones() if "/" in name and not name.startswith("Etc/")}
    return [(name, name.replace("_", " ")) for name in ("UTC", *sorted(names))]


class DrawForm(forms.ModelForm[Draw]):
    """A draft. Its three times are read on the clock of its own time zone."""

    opens_at = WallTimeField(label=_("Entries open"))
    closes_at = WallTimeField(label=_("Entries close"))
    draw_at = WallTimeField(label=_("Draw time"))
    time_zone = forms.ChoiceField(
        label=_("Time zone"),
        choices=zone_choices,
        widget=UnfoldAdminSelectWidget(),
        help_text=_("The three times below are on the clock of this zone, and are announced in it."),
    )
    currency = forms.ChoiceField(
        label=_("Currency of cash prizes"),
        choices=[(code, code) for code in CURRENCIES],
        widget=UnfoldAdminSelectWidget(),
    )

    class Meta:
        model = Draw
        fields = (
            "title",
            "slug",
            "description",
            "rules",
            "audience",
            "currency",
            "alternates",
            "leftover_policy",
            "claim_days",
            "opens_at",
            "closes_at",
            "draw_at",
            "time_zone",
            "min_wait_s",
        )
        widgets = {
            "description": UnfoldAdminTextareaWidget({"rows": 4}),
            "rules": UnfoldAdminTextareaWidget({"rows": 8}),
        }

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        if self.instance.pk:
            for name in _TIMES:
                self.initial[name] = (
                    getattr(self.instance, name).astimezone(self.instance.zone).replace(tzinfo=None)
                )
            # A draft made elsewhere may hold what the lists don't offer; it keeps it.
            for name in ("time_zone", "currency"):
                value = getattr(self.instance, name)
                field = self.fields.get(name)
                if isinstance(field, forms.ChoiceField) and value not in dict(field.choices):  # type: ignore[arg-type]
                    field.choices = [(value, value), *field.choices]  # type: ignore[misc]

    def clean(self) -> dict[str, Any]:
        data = super().clean() or self.cleaned_data
        # Without a zone the form is refused anyway; the times must be moments all the same.
        zone = zoneinfo.ZoneInfo(data.get("time_zone") or self.instance.time_zone)
        for name in _TIMES:
            if name in data:
                try:
                    data[name] = at_zone(data[name], zone)
                except forms.ValidationError as error:
                    self.add_error(name, error)
        self._check_order(data)
        return data

    def _check_order(self, data: dict[str, Any]) -> None:
        opens, closes, draws = (data.get(name) for name in _TIMES)
        if opens and closes and closes <= opens:
            self.add_error("closes_at", gettext("Entries must close after they open."))
        least = data.get("min_wait_s")
        if closes and draws and least is not None and draws < closes + dt.timedelta(seconds=least):
            self.add_error(
                "draw_at",
                gettext(
                    "Draw at least %(seconds)d seconds after entries close: in that time anyone can check "
                    "what was promised."
                )
                % {"seconds": least},
            )


def unit_of(kind: str, currency: str) -> str:
    """Ledger unit of a prize's amount; empty for what the ledger does not hold."""
    return {Prize.Kind.CASH: currency, Prize.Kind.CREDITS: "CREDIT", Prize.Kind.POINTS: "POINT"}.get(
        Prize.Kind(kind), ""
    )


def amount_text(amount: int, unit: str) -> str:
    """`1,250.00`: the amount as `parse_amount` reads it."""
    digits = exponent_of(unit)
    whole, rest = divmod(amount, 10**digits)
    return f"{whole:,}" + (f".{rest:0{digits}d}" if digits else "")


class PrizeForm(forms.ModelForm[Prize]):
    """One kind of prize of a draft."""

    amount = forms.CharField(
        label=_("Amount of one"),
        required=False,
        max_length=32,
        widget=UnfoldAdminTextInputWidget({"inputmode": "decimal", "placeholder": "1,250.00"}),
        help_text=_("Money as you write it; whole credits or points; nothing for vouchers and things."),
    )

    class Meta:
        model = Prize
        fields = ("title", "kind", "amount", "quantity", "pays", "terms", "position")
        widgets = {"terms": UnfoldAdminTextareaWidget({"rows": 2})}

    def __init__(self, *args: Any, currency: str = "KES", **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.currency = currency
        self.fields["pays"].required = False  # left out, it is the model's default
        unit = unit_of(self.instance.kind, currency)
        amount = self.instance.amount
        self.initial["amount"] = amount_text(amount, unit) if unit and amount else ""

    def clean(self) -> dict[str, Any]:
        data = super().clean() or self.cleaned_data
        text = (data.get("amount") or "").strip()
        if "kind" not in data or "amount" not in data:
            return data
        unit = unit_of(data["kind"], self.currency)
        if not unit:
            if text not in ("", "0"):
                self.add_error(
                    "amount",
                    gettext("A voucher or a thing has no amount here: write its value in the title."),
                )
            data["amount"] = 0
            return data
        try:
            data["amount"] = parse_amount(text, unit)
        except AmountError as error:
            self.add_error("amount", str(error))
            return data
        if data["amount"] * (data.get("quantity") or 1) > LARGEST_AMOUNT:
            self.add_error("amount", gettext("This is more than the ledger can hold."))
        return data


class PrizeFormSet(PaginationInlineFormSet):  # type: ignore[misc]
    """The prizes of a draft; their cash is in the currency that the form above it says."""

    def get_form_kwargs(self, index: int | None) -> dict[str, Any]:
        return {**super().get_form_kwargs(index), "currency": self.instance.currency}


class ConfirmForm(forms.Form):
    """Nothing to say, only to press."""


class ReasonForm(forms.Form):
    """Why something is done by hand. Kept in the audit trail."""

    reason = forms.CharField(
        label=_("Reason"),
        max_length=500,
        widget=UnfoldAdminTextareaWidget({"rows": 3}),
        help_text=_("Kept for good in the audit trail."),
    )


class FundForm(ReasonForm):
    """Money into a draw's pool. `token` is made with the form: sent twice, it funds once."""

    unit = forms.ChoiceField(label=_("Unit"), widget=UnfoldAdminSelectWidget())
    amount = forms.CharField(
        label=_("Amount"),
        max_length=32,
        widget=UnfoldAdminTextInputWidget(
            {"inputmode": "decimal", "placeholder": "1,250.00", "autocomplete": "off"}
        ),
        help_text=_("As you write it: 1,250.00. Credits and points are whole."),
    )
    token = forms.UUIDField(widget=forms.HiddenInput)
    field_order = ("unit", "amount", "reason", "token")

    def __init__(self, *args: Any, draw: Draw, short: dict[str, int], **kwargs: Any) -> None:
        """`short` is what the prizes still need, by unit: the first of it is filled in."""
        super().__init__(*args, **kwargs)
        unit = self.fields["unit"]
        assert isinstance(unit, forms.ChoiceField)
        unit.choices = [(draw.currency, draw.currency), *CREDITS_AND_POINTS]
        self.initial.setdefault("token", uuid.uuid4())
        for code, amount in sorted(short.items()):
            if code in dict(unit.choices):
                self.initial.setdefault("unit", code)
                self.initial.setdefault("amount", amount_text(amount, code))

    def clean(self) -> dict[str, Any]:
        data = super().clean() or self.cleaned_data
        if "unit" not in data or "amount" not in data:
            return data
        try:
            data["amount"] = parse_amount(data["amount"], data["unit"])
        except AmountError as error:
            self.add_error("amount", str(error))
        return data


class ImportForm(forms.Form):
    """A CSV file of entrants, known by its content and not by its name."""

    file = forms.FileField(
        label=_("CSV file"),
        widget=UnfoldAdminFileFieldWidget({"accept": ".csv,text/csv,text/plain"}),
        help_text=_(
            "One person a line: e-mail or phone, name, tickets. UTF-8, with or without a first line of names."
        ),
    )

    def clean_file(self) -> Any:
        upload = self.cleaned_data["file"]
        start = upload.file.read(4096)
        upload.file.seek(0)
        if b"\x00" in start or start.startswith(b"PK\x03\x04"):
            raise forms.ValidationError(
                gettext("This is not a CSV file. In a spreadsheet choose “Save as”, then “CSV (UTF-8)”."),
                code="content",
            )
        return upload
