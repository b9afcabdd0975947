"""The forms of what one may be told, and of the code for a telephone."""

from collections.abc import Collection
from typing import Any

from django import forms
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from notifications.channels.registry import sending_channels
from notifications.kinds import BY_PHONE, Category, Channel, Kind, all_kinds
from notifications.quiet_hours import QuietHours
from notifications.recipients import Recipient
from notifications.services.consent import is_offered
from notifications.services.preferences import Cell, Standing


def _value(cell: Cell) -> str:
    return "/".join(cell)


def _cell(value: str) -> Cell:
    name, _slash, channel = value.rpartition("/")
    return name, channel


ALL = frozenset(Channel)


def kinds_for(*, category: Category, has_account: bool, roads: Collection[Channel] = ALL) -> list[Kind]:
    """The kinds of a category that reach such a person by one of `roads`, by title; not those for staff."""
    reaching = (
        kind
        for kind in all_kinds()
        if kind.category == category
        and not kind.for_staff
        and any(
            channel in roads and is_offered(kind, channel, has_account=has_account)
            for channel in kind.channels
        )
    )
    return sorted(reaching, key=lambda kind: str(kind.title))


class CodeForm(forms.Form):
    """The code that was sent to a telephone."""

    code = forms.RegexField(
        r"^\s*(?:\d\s*){6}$",
        label=gettext_lazy("Code"),
        max_length=20,
        error_messages={"invalid": gettext_lazy("The code has six digits, as in 402913.")},
        widget=forms.TextInput(
            {"inputmode": "numeric", "autocomplete": "one-time-code", "spellcheck": "false"}
        ),
    )


def roads_to(who: Recipient, *, has_device: bool) -> frozenset[Channel]:
    """The channels by which somebody can be reached here: set up on this site, and to an address shown to be theirs, or to
    a device that they switched on."""
    usable = {Channel.IN_APP, *sending_channels()}
    missing = {*(() if who.phone else BY_PHONE), *(() if has_device else (Channel.PUSH,))}
    return frozenset(usable - missing)


class PreferencesForm(forms.Form):
    """Kinds by channels, quiet hours, promotions, and stops to lift."""

    on = forms.MultipleChoiceField(required=False, widget=forms.CheckboxSelectMultiple)
    promotions = forms.BooleanField(
        label=gettext_lazy("Send me news of coming draws and offers"), required=False
    )
    quiet_from = forms.TimeField(
        label=gettext_lazy("Quiet from"),
        required=False,
        widget=forms.TimeInput({"type": "time"}, format="%H:%M"),
    )
    quiet_to = forms.TimeField(
        label=gettext_lazy("Quiet until"),
        required=False,
        widget=forms.TimeInput({"type": "time"}, format="%H:%M"),
    )
    resume = forms.MultipleChoiceField(required=False, widget=forms.CheckboxSelectMultiple)
    was_off = forms.MultipleChoiceField(required=False, widget=forms.MultipleHiddenInput)
    """What was off when the page was shown: only what was changed on it is a decision, so that a page that stood open does
    not undo what was decided elsewhere since."""

    def __init__(
        self,
        data: Any = None,
        *,
        standing: Standing,
        has_account: bool,
        roads: Collection[Channel] = ALL,
    ) -> None:
        self.has_account = has_account
        self.roads = roads
        self.standing = standing
        self.offered: list[Cell] = [
            (kind.name, str(channel))
            for category in (Category.SERVICE, Category.PROMOTIONAL)
            for kind in kinds_for(category=category, has_account=has_account, roads=roads)
            for channel in kind.channels
            if self._reaches(kind, channel)
        ]
        hours = standing.quiet_hours
        initial = {
            "on": [_value(cell) for cell in self.offered if cell not in standing.off],
            "promotions": standing.promotions or standing.is_pending,
            "quiet_from": hours.start if hours else None,
            "quiet_to": hours.end if hours else None,
            "resume": [],
            "was_off": [_value(cell) for cell in self.offered if cell in standing.off],
        }
        super().__init__(data, initial=initial)
        self._choices("on", [(_value(cell), _value(cell)) for cell in self.offered])
        self._choices("was_off", [(_value(cell), _value(cell)) for cell in self.offered])
        self._choices("resume", [(str(stop.public_id), stop.subject) for stop in standing.stops])
        if not kinds_for(category=Category.PROMOTIONAL, has_account=has_account, roads=roads):
            del self.fields["promotions"]

    def _choices(self, name: str, choices: list[tuple[str, str]]) -> None:
        field = self.fields[name]
        assert isinstance(field, forms.MultipleChoiceField)
        field.choices = choices

    def clean(self) -> dict[str, Any]:
        given = super().clean() or self.cleaned_data
        if "quiet_from" in self.errors or "quiet_to" in self.errors:
            return given
        start, end = given.get("quiet_from"), given.get("quiet_to")
        if (start is None) != (end is None):
            name = "quiet_to" if end is None else "quiet_from"
            self.add_error(name, _("Say both when quiet hours begin and when they end, or leave both empty."))
        elif start is not None and start == end:
            self.add_error("quiet_to", _("Quiet hours that end when they begin would be the whole day."))
        return given

    @property
    def decided(self) -> list[Cell]:
        """The cells that were changed on the page."""
        were_off = {_cell(value) for value in self.cleaned_data["was_off"]}
        wanted = set(self.wanted)
        return [cell for cell in self.offered if (cell in wanted) == (cell in were_off)]

    @property
    def wanted(self) -> list[Cell]:
        """The cells that are ticked."""
        return [_cell(value) for value in self.cleaned_data["on"]]

    @property
    def quiet_hours(self) -> QuietHours | None:
        """From when until when it is quiet."""
        start, end = self.cleaned_data["quiet_from"], self.cleaned_data["quiet_to"]
        return QuietHours(start, end) if start is not None and end is not None else None

    def section(self, category: Category) -> list[dict[str, Any]]:
        """The rows of one part of the page: title of a kind, and a cell for each of the part's channels, or None."""
        ticked = set(self["on"].value() or [])
        kinds = kinds_for(category=category, has_account=self.has_account, roads=self.roads)
        channels = self.channels(category)
        return [
            {
                "title": kind.title,
                "cells": [self._cell_of(kind, channel, ticked) for channel in channels],
            }
            for kind in kinds
        ]

    def channels(self, category: Category) -> list[Channel]:
        """The channels by which anything of a category reaches this person."""
        kinds = kinds_for(category=category, has_account=self.has_account, roads=self.roads)
        return [channel for channel in Channel if any(self._reaches(kind, channel) for kind in kinds)]

    def _reaches(self, kind: Kind, channel: Channel) -> bool:
        return channel in self.roads and is_offered(kind, channel, has_account=self.has_account)

    def _cell_of(self, kind: Kind, channel: Channel, ticked: set[str]) -> dict[str, Any]:
        value = _value((kind.name, str(channel)))
        return {
            "channel": channel.label,
            "is_offered": self._reaches(kind, channel),
            "value": value,
            "is_on": value in ticked,
        }

    @property
    def stops(self) -> list[dict[str, Any]]:
        """What was stopped for one thing alone, with whether lifting it is ticked."""
        ticked = set(self["resume"].value() or [])
        return [{"stop": s, "is_ticked": str(s.public_id) in ticked} for s in self.standing.stops]
