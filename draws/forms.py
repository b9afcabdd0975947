"""The shape of what staff type about draws: a draft with its prizes, and what each action asks for.

Times are typed as clocks in the draw's own zone show them, amounts as people write money. Rules that hold for
every way in stay in the services; what is checked here is what a person can mend while the form is open.
"""

import datetime as dt
import uuid
import zoneinfo
from typing import Any

from django import forms
from django.core.files.uploadedfile import UploadedFile
from django.db import models
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _
from unfold.forms import PaginationInlineFormSet
from unfold.widgets import (
    BASE_INPUT_CLASSES,
    UnfoldAdminCheckboxSelectMultipleWidget,
    UnfoldAdminFileFieldWidget,
    UnfoldAdminSelectWidget,
    UnfoldAdminTextareaWidget,
    UnfoldAdminTextInputWidget,
)

from draws.models import Draw, Prize
from draws.models.draw import MOST_SLOTS, MOST_WAIT_S
from draws.pictures import PictureError, read_picture
from payments.money import CURRENCIES, LARGEST_AMOUNT, AmountError, exponent_of, parse_amount

# Those whose decimals `payments.money` knows.
CREDITS_AND_POINTS = (("CREDIT", _("credits")), ("POINT", _("points")))
# Words that stand where a slug would, on pages and in the API.
RESERVED_SLUGS = frozenset({"due", "entries", "fairness", "health"})
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
    default_error_messages = {
        "invalid": _("Write a date and a time, like 2026-11-21 18:00."),
        "far": _("Write a year from 2000 to 2099."),
    }

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
        # At the ends of the calendar other zones and least waits lie beyond it.
        if not 2000 <= wall.year <= 2099:
            raise forms.ValidationError(self.error_messages["far"], code="far")
        return wall


def at_zone(wall: dt.datetime, zone: zoneinfo.ZoneInfo) -> dt.datetime:
    """The moment, in UTC, at which clocks in `zone` show `wall`.

    Raises `ValidationError` for a time that they skip or show twice, in the night when clocks change.
    """
    before, after = (wall.replace(tzinfo=zone, fold=fold).utcoffset() for fold in (0, 1))
    if before != after:
        assert before is not None
        assert after is not None
        raise forms.ValidationError(
            gettext(
                "Clocks in %(zone)s change at this time: they go forward, and %(wall)s is skipped. Choose another "
                "time, such as an hour later."
            )
            if before < after
            else gettext(
                "Clocks in %(zone)s change at this time: they go back, and %(wall)s comes twice. Choose a time that "
                "comes once, or take UTC as the zone of the draw."
            ),
            code="dst",
            params={"zone": zone.key, "wall": f"{wall:%H:%M}"},
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

    countries = forms.CharField(
        label=_("Countries"),
        required=False,
        widget=UnfoldAdminTextInputWidget({"placeholder": "KE, BD"}),
        help_text=_(
            "Only members in these may enter: ISO codes of two letters, separated by commas. Empty: everywhere."
        ),
    )
    source_types = forms.MultipleChoiceField(
        label=_("Where its number comes from"),
        required=False,
        choices=[
            ("commit", _("A number that the site commits to when the draw is published")),
            ("drand", _("The round of the public drand beacon at the draw's time")),
            ("public_text", _("A text announced elsewhere, after entries are frozen")),
        ],
        widget=UnfoldAdminCheckboxSelectMultipleWidget(),
        help_text=_("None: the site's default. Several are mixed, in this order; all of them must come."),
    )
    public_text_label = forms.CharField(
        label=_("Which announced text"),
        required=False,
        max_length=200,
        widget=UnfoldAdminTextInputWidget(
            {"placeholder": _("National lottery, main draw of 31 December 2026")}
        ),
        help_text=_(
            "So exactly that anyone can find it. It must be announced between the freeze and the draw."
        ),
    )
    skips = forms.ModelMultipleChoiceField(
        label=_("Skips the winners of"),
        queryset=Draw.objects.none(),
        required=False,
        widget=UnfoldAdminCheckboxSelectMultipleWidget(),
        help_text=_(
            "Published draws of one series that are drawn before this one. The draw joins their series: whoever "
            "is in several of them has the same public id in all."
        ),
    )

    class Meta:
        model = Draw
        fields = (
            "title",
            "slug",
            "description",
            "rules",
            "audience",
            "audience_group",
            "min_age",
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
        self._offer_skips()
        self.initial["countries"] = ", ".join(self.instance.countries)
        self.initial["source_types"] = [source["type"] for source in self.instance.randomness]
        self.initial["public_text_label"] = next(
            (source["label"] for source in self.instance.randomness if source["type"] == "public_text"), ""
        )
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

    def clean_slug(self) -> str:
        slug: str = self.cleaned_data["slug"]
        if slug in RESERVED_SLUGS:
            raise forms.ValidationError(
                gettext("Other pages have this address: choose another."), code="reserved"
            )
        return slug

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
        self._check_audience(data)
        self._take_sources(data)
        self._take_skips(data)
        return data

    def _offer_skips(self) -> None:
        """Published draws that are still to come, and those the draft skips already."""
        named = models.Q(public_id__in=self.instance.excludes)
        still = models.Q(status=Draw.Status.ACTIVE) | models.Q(status=Draw.Status.COMPLETED)
        found = Draw.objects.filter(named | still).filter(published_at__isnull=False)
        field = self.fields.get("skips")
        if isinstance(field, forms.ModelMultipleChoiceField):
            field.queryset = found.exclude(pk=self.instance.pk).order_by("-draw_at")
            self.initial["skips"] = list(found.filter(named).values_list("pk", flat=True))

    def clean_countries(self) -> list[str]:
        codes = [code.strip().upper() for code in self.cleaned_data["countries"].split(",") if code.strip()]
        if wrong := [code for code in codes if not (len(code) == 2 and code.isascii() and code.isalpha())]:
            raise forms.ValidationError(
                gettext("Write codes of two letters, like KE, BD; not %(wrong)s.")
                % {"wrong": ", ".join(wrong)}
            )
        return list(dict.fromkeys(codes))

    def _check_audience(self, data: dict[str, Any]) -> None:
        self.instance.countries = data.get("countries") or []
        if data.get("audience") == Draw.Audience.GROUP and not data.get("audience_group"):
            self.add_error("audience_group", gettext("Choose the group whose members may enter."))
        if data.get("audience") == Draw.Audience.APP:
            self.add_error(
                "audience", gettext("Another part of the site makes such draws; choose another audience.")
            )

    def _take_sources(self, data: dict[str, Any]) -> None:
        label = (data.get("public_text_label") or "").strip()
        chosen = data.get("source_types") or []
        if "public_text" in chosen and not label:
            self.add_error("public_text_label", gettext("Say which announced text it is."))
        # Made elsewhere (an order of its own, several texts), it stays as it is until it is changed here.
        if {"source_types", "public_text_label"} & set(self.changed_data):
            self.instance.randomness = [
                {"type": kind, "label": label} if kind == "public_text" else {"type": kind} for kind in chosen
            ]

    def _take_skips(self, data: dict[str, Any]) -> None:
        if "skips" not in self.changed_data:
            return
        skipped = list(data.get("skips") or [])
        if len({draw.scope for draw in skipped}) > 1:
            self.add_error("skips", gettext("These draws are of different series: choose draws of one."))
            return
        self.instance.excludes = [str(draw.public_id) for draw in skipped]
        self.instance.scope = skipped[0].scope if skipped else None

    def _check_order(self, data: dict[str, Any]) -> None:
        opens, closes, draws = (data.get(name) for name in _TIMES)
        if opens and closes and closes <= opens:
            self.add_error("closes_at", gettext("Entries must close after they open."))
        # The model's own bounds are looked at after this, so a wait of ten thousand years may still come by.
        least = min(data.get("min_wait_s") or 0, MOST_WAIT_S)
        if closes and draws and draws < closes + dt.timedelta(seconds=least):
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


class PictureInput(UnfoldAdminFileFieldWidget):  # type: ignore[misc]
    """Takes a picture, and a tick that takes it away. A draft's picture has no address that could be linked."""

    # In the app's own folder, the only one where forms' renderer looks.
    template_name = "draws/widgets/picture_input.html"


_LEFT_OUT = ("pays", "valid_days")  # may be: then the model's default holds


class PrizeForm(forms.ModelForm[Prize]):
    """One kind of prize of a draft."""

    amount = forms.CharField(
        label=_("Amount of one"),
        required=False,
        max_length=32,
        widget=UnfoldAdminTextInputWidget({"inputmode": "decimal", "placeholder": "1,250.00"}),
        help_text=_("Money as you write it; whole credits or points; nothing for vouchers and things."),
    )

    image = forms.FileField(
        label=_("Picture"),
        required=False,
        widget=PictureInput({"accept": "image/jpeg,image/png,image/webp"}),
        help_text=_("JPEG, PNG or WebP, at most 5 MB."),
    )

    class Meta:
        model = Prize
        fields = ("title", "kind", "amount", "quantity", "pays", "terms", "valid_days", "position", "image")
        widgets = {"terms": UnfoldAdminTextareaWidget({"rows": 2})}

    def __init__(self, *args: Any, currency: str = "KES", **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.currency = currency
        for name in _LEFT_OUT:
            self.fields[name].required = False
        unit = unit_of(self.instance.kind, currency)
        amount = self.instance.amount
        self.initial["amount"] = amount_text(amount, unit) if unit and amount else ""

    def clean_image(self) -> Any:
        """A new picture as it is kept; what was there stays as it is, or goes (`False`)."""
        image = self.cleaned_data["image"]
        if not isinstance(image, UploadedFile):
            return image
        try:
            return read_picture(image)
        except PictureError as error:
            raise forms.ValidationError(str(error), code="picture") from error

    def clean(self) -> dict[str, Any]:
        data = super().clean() or self.cleaned_data
        for name in _LEFT_OUT:
            if name not in self.errors and data.get(name) in (None, ""):
                data[name] = getattr(Prize(), name)
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

    def clean(self) -> None:
        super().clean()
        if any(self.errors):
            return
        kept = [form.cleaned_data for form in self.forms if not self._should_delete_form(form)]
        if sum(data.get("quantity") or 0 for data in kept) > MOST_SLOTS:
            raise forms.ValidationError(
                gettext("A draw has at most %(most)s prizes in all.") % {"most": f"{MOST_SLOTS:,}"},
                code="many",
            )


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


class PublicReasonForm(ReasonForm):
    """A reason that stands on the draw's page, for everybody."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["reason"].help_text = gettext(
            "Published on the draw's page and told to everybody who has entered: name no person."
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


class ReturnForm(FundForm):
    """Money out of a draw's pool. `free` is what may go, by unit: all of the first unit is filled in."""

    def __init__(self, *args: Any, draw: Draw, free: dict[str, int], **kwargs: Any) -> None:
        super().__init__(*args, draw=draw, short=free, **kwargs)
        unit = self.fields["unit"]
        assert isinstance(unit, forms.ChoiceField)
        known = dict(unit.choices)  # type: ignore[arg-type]
        unit.choices = [(code, known.get(code, code)) for code in sorted(free)]


class ImportForm(forms.Form):
    """A CSV file of entrants. Whether it is one, the service finds out."""

    file = forms.FileField(
        label=_("CSV file"),
        widget=UnfoldAdminFileFieldWidget({"accept": ".csv,text/csv,text/plain"}),
        help_text=_(
            "One person a line: e-mail or phone, name, tickets. UTF-8, with or without a first line of names."
        ),
    )
