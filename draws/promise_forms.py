"""What staff type about a draw's promise once it is published: other terms, announced texts."""

import datetime as dt
from typing import Any

from django import forms
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _
from unfold.widgets import UnfoldAdminSelectWidget, UnfoldAdminTextareaWidget, UnfoldAdminTextInputWidget

from draws.forms import ReasonForm, WallTimeField, amount_text, at_zone, unit_of
from draws.models import Draw, Prize
from draws.models.draw import MOST_SLOTS
from draws.services.changing import MOST_VALID_DAYS, DrawChanges, PrizeTerms
from draws.services.randomness import standing_text, texts_missing
from payments.money import AmountError, parse_amount

_TIMES = ("opens_at", "closes_at", "draw_at")
_NEW = "new"


class ChangeForm(ReasonForm):
    """Other terms for a published draw. Times are on the clock of its zone; a prize of which there are 0 goes."""

    title = forms.CharField(label=_("Title"), max_length=120, widget=UnfoldAdminTextInputWidget())
    description = forms.CharField(
        label=_("Description"), required=False, widget=UnfoldAdminTextareaWidget({"rows": 4})
    )
    rules = forms.CharField(label=_("Rules"), widget=UnfoldAdminTextareaWidget({"rows": 8}), strip=False)
    opens_at = WallTimeField(label=_("Entries open"))
    closes_at = WallTimeField(label=_("Entries close"))
    draw_at = WallTimeField(label=_("Draw time"))
    based_on = forms.IntegerField(widget=forms.HiddenInput)

    def __init__(self, *args: Any, draw: Draw, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.draw = draw
        self.fields["reason"].help_text = _(
            "Published on the draw's page, and told to everybody who has entered."
        )
        self.prizes = list(draw.prizes.all())
        self.initial.update(
            title=draw.title, description=draw.description, rules=draw.rules, based_on=draw.changes.count()
        )
        for name in _TIMES:
            self.initial[name] = getattr(draw, name).astimezone(draw.zone).replace(tzinfo=None)
        if draw.published_at is not None and draw.phase(draw.opens_at) != "upcoming":
            self.fields["opens_at"].help_text = _("Stays as it is once entries have opened.")
        for prize in self.prizes:
            prize.draw = draw
            self._add_prize(str(prize.code), prize.title, prize)
        self._add_prize(_NEW, gettext("Another prize"), None)
        self.order_fields(
            ["title", "description", "rules", *_TIMES, *self._prize_fields(), "reason", "based_on"]
        )

    def _prize_fields(self) -> list[str]:
        return [name for name in self.fields if name.startswith("prize_")]

    def _add_prize(self, code: str, heading: str, prize: Prize | None) -> None:
        def label(word: str) -> str:
            return f"{heading}: {word}"

        self.fields[f"prize_{code}_title"] = forms.CharField(
            label=label(gettext("title")),
            max_length=120,
            required=False,
            initial=prize.title if prize else "",
            widget=UnfoldAdminTextInputWidget(),
        )
        if prize is None:
            self.fields[f"prize_{code}_kind"] = forms.ChoiceField(
                label=label(gettext("kind")),
                choices=Prize.Kind.choices,
                required=False,
                initial=Prize.Kind.CASH,
                widget=UnfoldAdminSelectWidget(),
            )
        if prize is None or prize.unit:
            self.fields[f"prize_{code}_amount"] = forms.CharField(
                label=label(gettext("amount of one")),
                max_length=32,
                required=False,
                initial=amount_text(prize.amount, prize.unit) if prize else "",
                widget=UnfoldAdminTextInputWidget({"inputmode": "decimal", "autocomplete": "off"}),
            )
        self.fields[f"prize_{code}_quantity"] = forms.IntegerField(
            label=label(gettext("how many")),
            min_value=0,
            max_value=MOST_SLOTS,
            initial=prize.quantity if prize else 0,
            widget=UnfoldAdminTextInputWidget({"inputmode": "numeric"}),
            help_text=gettext("0 takes it out.") if prize else gettext("0: no other prize."),
        )
        if prize is None or prize.unit:
            self.fields[f"prize_{code}_pays"] = forms.ChoiceField(
                label=label(gettext("is paid")),
                choices=Prize.Pays.choices,
                required=False,
                initial=prize.pays if prize else Prize.Pays.AT_ONCE,
                widget=UnfoldAdminSelectWidget(),
            )
        if prize is None or prize.kind == Prize.Kind.VOUCHER:
            self.fields[f"prize_{code}_valid_days"] = forms.IntegerField(
                label=label(gettext("days the voucher is valid")),
                min_value=1,
                max_value=MOST_VALID_DAYS,
                required=False,
                initial=prize.valid_days if prize else 365,
                widget=UnfoldAdminTextInputWidget({"inputmode": "numeric"}),
            )
        self.fields[f"prize_{code}_terms"] = forms.CharField(
            label=label(gettext("terms")),
            required=False,
            initial=prize.terms if prize else "",
            widget=UnfoldAdminTextareaWidget({"rows": 2}),
        )

    def clean(self) -> dict[str, Any]:
        data = super().clean() or self.cleaned_data
        for name in _TIMES:
            if name in data:
                try:
                    data[name] = self._moment(name, data[name])
                except forms.ValidationError as error:
                    self.add_error(name, error)
        terms = [self._terms(str(prize.code), prize, data) for prize in self.prizes]
        terms.append(self._terms(_NEW, None, data))
        data["changes"] = DrawChanges(
            title=data.get("title"),
            description=self._sent("description", data),
            rules=data.get("rules", "").replace("\r\n", "\n") or None,
            opens_at=data.get("opens_at"),
            closes_at=data.get("closes_at"),
            draw_at=data.get("draw_at"),
            prizes=[item for item in terms if item is not None],
        )
        return data

    def _sent(self, name: str, data: dict[str, Any]) -> str | None:
        """A text that may be emptied; None, for it to stay as it is, where the form that was sent did not have it."""
        if self.add_prefix(name) not in self.data:
            return None
        return str(data.get(name) or "").replace("\r\n", "\n")

    def _moment(self, name: str, wall: dt.datetime) -> dt.datetime:
        """The time typed; the present one where the clock shows what it shows now, in a DST night too."""
        now: dt.datetime = getattr(self.draw, name)
        shown = now.astimezone(self.draw.zone).replace(tzinfo=None)
        return now if wall in (shown, shown.replace(second=0)) else at_zone(wall, self.draw.zone)

    def _terms(self, code: str, prize: Prize | None, data: dict[str, Any]) -> PrizeTerms | None:
        quantity = data.get(f"prize_{code}_quantity")
        if not quantity:
            return None
        kind = prize.kind if prize else data.get(f"prize_{code}_kind") or Prize.Kind.CASH
        unit = unit_of(kind, self.draw.currency)
        amount = 0
        if unit:
            try:
                amount = parse_amount((data.get(f"prize_{code}_amount") or "").strip(), unit)
            except AmountError as error:
                self.add_error(f"prize_{code}_amount", str(error))
        title = (data.get(f"prize_{code}_title") or "").strip()
        if not title:
            self.add_error(f"prize_{code}_title", gettext("A prize needs a title."))
        return PrizeTerms(
            code="" if prize is None else code,
            title=title,
            kind=kind,
            amount=amount,
            quantity=quantity,
            terms=self._sent(f"prize_{code}_terms", data),
            pays=data.get(f"prize_{code}_pays") or None,
            valid_days=data.get(f"prize_{code}_valid_days") or None,
        )


class EnterTextForm(forms.Form):
    """What was announced, as the first of two admins reads it."""

    position = forms.TypedChoiceField(label=_("Which text"), coerce=int, widget=UnfoldAdminSelectWidget())
    text = forms.CharField(
        label=_("Text"),
        max_length=500,
        widget=UnfoldAdminTextInputWidget({"autocomplete": "off"}),
        help_text=_("Exactly as announced: each character counts. White space around it is left out."),
    )

    def __init__(self, *args: Any, draw: Draw, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        position = self.fields["position"]
        assert isinstance(position, forms.ChoiceField)
        position.choices = [(str(at), label) for at, label in texts_missing(draw)]


class ConfirmTextForm(forms.Form):
    """The same, as the second reads it; or why the first was wrong."""

    text = forms.CharField(
        label=_("Text"),
        max_length=500,
        required=False,
        widget=UnfoldAdminTextInputWidget({"autocomplete": "off"}),
        help_text=_("Look it up where it was announced and type it here. It must be what was entered."),
    )
    rejection = forms.CharField(
        label=_("Or reject what was entered, because"),
        max_length=500,
        required=False,
        widget=UnfoldAdminTextInputWidget(),
    )

    def __init__(self, *args: Any, draw: Draw, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        entered = standing_text(draw)
        if entered is not None:
            self.fields["text"].label = str(draw.sources[entered.position]["label"])

    def clean(self) -> dict[str, Any]:
        data = super().clean() or self.cleaned_data
        if bool(data.get("text")) == bool(data.get("rejection")):
            raise forms.ValidationError(gettext("Type the text to confirm it, or say why you reject it."))
        return data
