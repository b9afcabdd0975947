"""Pages of the site as a whole: home, dashboard, errors."""

import datetime as dt
from collections.abc import Iterable
from dataclasses import dataclass

from django.contrib.auth import REDIRECT_FIELD_NAME
from django.contrib.auth.decorators import login_required
from django.contrib.auth.views import redirect_to_login
from django.core.paginator import Paginator
from django.db.models import prefetch_related_objects
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseServerError
from django.shortcuts import render
from django.template import loader
from django.urls import reverse
from django.utils import timezone
from django.utils.http import url_has_allowed_host_and_scheme
from django.views.decorators.http import require_safe

from accounts.models import User
from audit.context import origin
from draws.models import Draw, Entry, Winner
from draws.services.awarding import claimable_awards
from draws.services.history import shown_phase
from draws.services.publishing import prize_totals
from payments.accounts import wallet_balances

_ON_HOME = 6
_RESULTS = 5
_TASTE = 3
"""How many cards of a part a phone shows on the home page (`grid--taste`); a button leads to the others."""
_ENTRIES_PAGE = 10
_TIME_TO_JOIN = dt.timedelta(minutes=10)
"""What a newcomer may take to sign up and confirm the address before entries close."""


@dataclass(frozen=True, slots=True)
class Stall:
    """A draw as a page shows it at one moment; `totals` are (unit, minor units)."""

    draw: Draw
    phase: str
    totals: list[tuple[str, int]]


@dataclass(frozen=True, slots=True)
class MyEntry:
    """One of my entries, where its draw stands, and what I won with it."""

    entry: Entry
    phase: str
    win: Winner | None


def _stalls(draws: Iterable[Draw], now: dt.datetime) -> list[Stall]:
    return [Stall(draw, shown_phase(draw, now=now), sorted(prize_totals(draw).items())) for draw in draws]


def _featured(stalls: list[Stall], now: dt.datetime) -> Stall | None:
    """The draw on the stage: the first to close that a newcomer can enter and has the time to; else the first."""
    enough = now + _TIME_TO_JOIN
    for stall in stalls:
        draw = stall.draw
        is_for_all = draw.audience == Draw.Audience.MEMBERS and not (draw.min_age or draw.countries)
        if is_for_all and draw.closes_at >= enough:
            return stall
    return stalls[0] if stalls else None


@require_safe
def home(request: HttpRequest) -> HttpResponse:
    """What is on now, what is drawn next, who won last; and how fairness is checked."""
    now = timezone.now()
    draws = Draw.objects.for_cards()  # what is open, to come or waiting is public
    open_draws = list(draws.open(now).order_by("closes_at")[: _ON_HOME + 1])
    upcoming = list(draws.upcoming(now).order_by("opens_at")[:3])
    waiting = list(draws.awaiting_draw(now).order_by("draw_at")[:_ON_HOME])
    prefetch_related_objects([*open_draws, *upcoming, *waiting], "prizes")
    open_stalls, upcoming_stalls = _stalls(open_draws, now), _stalls(upcoming, now)
    featured = _featured(open_stalls, now)
    others = [stall for stall in open_stalls if stall is not featured]
    cards = len(others) + len(upcoming_stalls)
    finished = (
        Draw.objects.filter(status=Draw.Status.COMPLETED)
        .select_related("report")
        .only("slug", "title", "executed_at", "report__awarded", "report__winners_count")
    )
    return render(
        request,
        "site/home.html",
        {
            "featured": featured,
            "open_stalls": others,
            "waiting_stalls": _stalls(waiting, now),
            "upcoming_stalls": upcoming_stalls,
            "more_on_now": max(0, cards - _TASTE),
            "results": [(draw, sorted(draw.report.awarded.items())) for draw in finished[:_RESULTS]],
        },
    )


@login_required
@require_safe
def dashboard(request: HttpRequest) -> HttpResponse:
    """A member's own ground: entries with a countdown, wins, prizes to claim, balance."""
    assert isinstance(request.user, User)
    now = timezone.now()
    mine = Entry.objects.filter(member=request.user).select_related("draw")
    in_play = mine.filter(draw__status__in=(Draw.Status.ACTIVE, Draw.Status.EXECUTING))
    page = Paginator(mine.order_by("-id"), _ENTRIES_PAGE).get_page(request.GET.get("page"))
    next_entry = in_play.order_by("draw__draw_at").first()
    return render(
        request,
        "site/dashboard.html",
        {
            "next_entry": next_entry,
            "next_phase": next_entry.draw.phase(now) if next_entry else "",
            "in_play": in_play.count(),
            "entries": _with_wins(list(page.object_list), now),
            "page": page,
            "claimable": claimable_awards(request.user),
            "balances": wallet_balances(request.user),
            "suggestions": _stalls(
                Draw.objects.open(now)
                .filter(audience=Draw.Audience.MEMBERS)
                .exclude(pk__in=in_play.values("draw_id"))
                .prefetch_related("prizes")
                .order_by("closes_at")[:3],
                now,
            ),
        },
    )


def _with_wins(entries: list[Entry], now: dt.datetime) -> list[MyEntry]:
    """The entries with what they won, in one query for all."""
    standing = Winner.objects.filter(entry__in=entries, state__in=Winner.STANDING).select_related(
        "prize__draw"
    )
    wins = {win.entry_id: win for win in standing}
    return [MyEntry(entry, entry.draw.phase(now), wins.get(entry.pk)) for entry in entries]


def server_error(request: HttpRequest) -> HttpResponse:
    """The page for what broke on our side. Asks nothing of the database: that may be what broke."""
    came_from = origin.get()
    context = {"request_id": came_from.request_id if came_from else ""}
    return HttpResponseServerError(loader.render_to_string("500.html", context))


def admin_login(request: HttpRequest) -> HttpResponse:
    """Staff sign in where everybody does, with the second factor; for others there is no admin here."""
    if request.user.is_authenticated:
        raise Http404
    target = request.GET.get(REDIRECT_FIELD_NAME, "")
    if not url_has_allowed_host_and_scheme(target, {request.get_host()}, require_https=request.is_secure()):
        target = reverse("admin:index")
    return redirect_to_login(target)
