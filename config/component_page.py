"""`/dev/components/`: every component with its states and the call that makes it, on an embedded site only.

Its things are made up in memory: nothing of the database is read or written.
"""

import datetime as dt

from django import forms
from django.conf import settings
from django.contrib.messages import constants
from django.contrib.messages.storage.base import Message
from django.core.paginator import Paginator
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils import timezone
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_safe

from draws.models import Draw

COLOURS = {
    "Paper and ink": ("paper", "surface", "sunken", "ink", "ink-soft", "line", "line-strong"),
    "Accent": ("accent", "accent-deep", "accent-wash", "on-accent"),
    "Bulb": ("bulb", "bulb-deep", "bulb-wash", "on-bulb"),
    "Tones": ("good", "good-wash", "bad", "bad-wash", "sky", "sky-wash"),
    "Night": ("night", "night-deep", "night-ink", "night-soft", "night-line"),
}
TYPE = ("4xl", "3xl", "2xl", "xl", "l", "m", "s", "xs")
SPACES = ("3xs", "2xs", "xs", "s", "m", "l", "xl", "2xl")
PHASES = ("upcoming", "open", "closed", "frozen", "drawing", "waiting", "completed", "void", "cancelled")
ICONS = [
    "bell",
    "wallet",
    "gift",
    "ticket",
    "person",
    "people",
    "menu",
    "check",
    "alert",
    "info",
    "close",
    "copy",
    "download",
    "lock",
    "drum",
    "clock",
    "arrow",
    "shield",
    "mail",
    "key",
    "leave",
    "home",
    "print",
    "devices",
    "share",
]
_PID = "3f9a2c71d0e84b56a1c7e2b90d4f6a8835e1c0b7d2f94a6e8c3b5d7f1a0e9c24"


class SampleForm(forms.Form):
    """One field of each kind; the page sends it to itself, so it can be tried out."""

    name = forms.CharField(label=_("Your name"), max_length=80)
    email = forms.EmailField(label=_("Email"), help_text=_("We write to it when you win."))
    tickets = forms.IntegerField(label=_("Tickets"), min_value=1, max_value=5)
    stall = forms.ChoiceField(
        label=_("Stall"), choices=[("a", _("Coconut shy")), ("b", _("Hoopla"))], required=False
    )
    note = forms.CharField(label=_("Note"), widget=forms.Textarea, required=False)
    pay_by = forms.ChoiceField(
        label=_("Paid by"), choices=[("w", _("Wallet")), ("p", _("Phone"))], widget=forms.RadioSelect
    )
    agrees = forms.BooleanField(label=_("I have read the rules"))


@never_cache
@require_safe
def components(request: HttpRequest) -> HttpResponse:
    """All components. `?sample=` sends the form with what was typed; without it the form shows its errors."""
    if not settings.EMBEDDED:
        raise Http404
    now = timezone.now()
    typed = request.GET if "sample" in request.GET else {"name": "Asha", "email": "asha@", "tickets": "9"}
    draw = Draw(
        slug="a-sample-draw",
        title="A night at the fair",
        opens_at=now - dt.timedelta(days=1),
        closes_at=now + dt.timedelta(days=2, hours=3),
        draw_at=now + dt.timedelta(days=3),
        executed_at=now,
        time_zone="Africa/Nairobi",
    )
    context = {
        "colours": COLOURS,
        "sizes": TYPE,
        "spaces": SPACES,
        "phases": PHASES,
        "icons": ICONS,
        "draw": draw,
        "totals": [("KES", 2_500_000)],
        "soon": now + dt.timedelta(days=2, hours=3, minutes=4),
        "pid": _PID,
        "form": SampleForm(typed),
        "page": Paginator(range(60), 20).get_page(2),
        "told": [
            Message(constants.SUCCESS, gettext("You are in. The receipt is in your inbox.")),
            Message(constants.WARNING, gettext("Entries close in an hour.")),
            Message(constants.ERROR, gettext("That code is not right. Look at the newest letter.")),
            Message(constants.INFO, gettext("The draw starts at eight.")),
        ],
        "days": ["Mon", "Tue", "Wed", "Thu", "Fri"],
        "one": [("Entries", [12, 30, 22, 41, 18])],
        "two": [("Members", [12, 30, 22, 41, 18]), ("Guests", [4, 9, 16, 12, 20])],
        "stalls": ["Coconut shy", "Hoopla", "Lucky dip"],
        "shares": [("Tickets", [420, 260, 110])],
        "nothing": [("Entries", [0, 0, 0, 0, 0])],
    }
    return render(request, "dev/components.html", context)
