"""The shape of what staff do to a draw by hand."""

import datetime as dt
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from django import forms
from django.utils.functional import Promise

from accounts.models import User
from draws.admin.overview import shortfall
from draws.forms import ConfirmForm, FundForm
from draws.models import Draw, EntryImport
from draws.promise_forms import ChangeForm, ConfirmTextForm, EnterTextForm


@dataclass(frozen=True)
class Done:
    """What came of an act: a sentence, and the import to show where there is one."""

    sentence: str
    is_good: bool = True
    report: EntryImport | None = None


@dataclass(frozen=True)
class Act:
    """One thing that may be done to a draw by hand. `why_not` is empty where the act makes sense now."""

    title: str | Promise
    intro: str | Promise
    submit: str | Promise
    run: Callable[[Draw, dict[str, Any], User, dt.datetime], Done]
    why_not: Callable[[Draw, dt.datetime], str]
    form_class: type[forms.Form] = ConfirmForm
    is_danger: bool = False
    shows: str = ""

    def form(self, draw: Draw, *args: Any) -> forms.Form:
        """The form of this act; `args` is what was sent."""
        if self.form_class is FundForm:
            return FundForm(*args, draw=draw, short=shortfall(draw))
        if self.form_class in (ChangeForm, EnterTextForm, ConfirmTextForm):
            return self.form_class(*args, draw=draw)
        return self.form_class(*args)
