"""Public pages of the draws."""

import datetime as dt
import json
from collections.abc import Iterable
from itertools import groupby
from operator import attrgetter
from pathlib import Path
from typing import Any

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.core.cache import cache
from django.core.paginator import Paginator
from django.http import FileResponse, Http404, HttpRequest, HttpResponse, HttpResponseBase, JsonResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils import timezone
from django.utils.text import get_text_list
from django.utils.translation import gettext as _
from django.views.decorators.http import require_GET, require_POST, require_safe

from accounts.countries import countries
from accounts.models import User
from audit.services import newest_seal
from draws import services
from draws.check_views import receipt_evidence
from draws.models import Draw, Entry, Prize, Winner
from draws.services.eligibility import why_not_eligible
from draws.services.entering import why_closed
from draws.services.excluding import excluded_draws
from draws.services.history import shown_phase, story_of
from draws.services.publishing import prize_totals
from draws.services.revealing import reveal_of
from draws.services.turns import turns_of
from draws.topics import token_of
from draws.verifier import verify_draw
from notifications.live import number_at

_PAGE = 12
_WINNERS_PAGE = 50
_COUNT_LIFE_S = 5
_WINNER_SHOWN = (
    *("slot", "ticket", "draw_id", "entry__pid", "entry__member__display_name", "entry__member__shows_name"),
    *("prize__draw_id", "prize__title", "prize__kind", "prize__amount"),
)
"""What the page of results shows of a winner."""


def _public_draw(slug: str) -> Draw:
    return get_object_or_404(Draw.objects.public(), slug=slug)


def _with_prizes(draws: list[Draw], now: dt.datetime) -> list[Draw]:
    """Give each draw what its card shows, in one query for all."""
    for draw in draws:
        draw.shown_phase = shown_phase(draw, now=now)  # type: ignore[attr-defined]
        draw.totals = sorted(prize_totals(draw).items())  # type: ignore[attr-defined]
    return draws


@require_safe
def draw_list(request: HttpRequest) -> HttpResponse:
    """What is open, what comes, what was."""
    now = timezone.now()
    public = Draw.objects.public().prefetch_related("prizes")
    past = Paginator(public.past().order_by("-draw_at"), _PAGE).get_page(request.GET.get("page"))
    past.object_list = _with_prizes(list(past.object_list), now)
    return render(
        request,
        "draws/list.html",
        {
            "open_draws": _with_prizes(list(public.open(now).order_by("closes_at")[:_PAGE]), now),
            "waiting_draws": _with_prizes(list(public.awaiting_draw(now).order_by("draw_at")[:_PAGE]), now),
            "upcoming_draws": _with_prizes(list(public.upcoming(now).order_by("opens_at")[:_PAGE]), now),
            "past_draws": past,
            "now": now,
        },
    )


@require_safe
def fairness(request: HttpRequest) -> HttpResponse:
    """How a draw is made and how anyone can check one."""
    return render(request, "draws/fairness.html", {"seal": newest_seal()})


@require_safe
def detail(request: HttpRequest, slug: str) -> HttpResponse:
    """A draw's own page: prizes, times, where it stands, my entry."""
    return render(request, "draws/detail.html", _detail_context(request, _public_draw(slug)))


@require_GET
def live(request: HttpRequest, slug: str) -> HttpResponse:
    """How the draw stands, for its open page: the phase, what is shown now, and what to listen with."""
    answer = JsonResponse(_live_state(_public_draw(slug), timezone.now()))
    answer.headers["Cache-Control"] = "no-store"
    return answer


def _live_state(draw: Draw, now: dt.datetime) -> dict[str, Any]:
    """Without a token there is nothing more to come. `now` is this clock's time in milliseconds."""
    reveal = reveal_of(draw, now=now)
    return {
        "phase": shown_phase(draw, now=now),
        "token": None if draw.is_finished else token_of(draw, now=now),
        "last": str(number_at(now)),
        "now": int(now.timestamp() * 1000),
        "reveal": reveal,
    }


def _detail_context(request: HttpRequest, draw: Draw) -> dict[str, Any]:
    now = timezone.now()
    phase = draw.phase(now)
    entry = None
    if isinstance(request.user, User):
        entry = services.entry_of(draw=draw, member=request.user)
    why_not = _why_not(draw, phase, request.user, now)
    prizes = list(draw.prizes.all())
    state = _live_state(draw, now)
    return {
        "draw": draw,
        "phase": state["phase"],
        "live_state": state if state["token"] or state["reveal"] else None,
        "prizes": prizes,
        "prize_count": sum(prize.quantity for prize in prizes),
        "prize_total": sorted(prize_totals(draw).items()),
        "entry": entry,
        "entries_count": draw.entries_count if draw.entries_count is not None else _count_entries(draw),
        "odds": services.odds_of(draw=draw, weight=entry.weight if entry else 1),
        "can_enter": phase == "open" and entry is None and not why_not,
        "why_not": why_not,
        "conditions": _conditions(draw),
        "notes": story_of(draw, now=now),
        "called_off": services.called_off_of(draw),
        "next_time": _next_time(draw, phase),
        "now": now,
    }


def _why_not(draw: Draw, phase: str, user: Any, now: dt.datetime) -> str:
    """Why this visitor can't enter now; of a stranger only what holds for everybody."""
    if phase != "open":
        return why_closed(draw, now)
    if isinstance(user, User):
        return why_not_eligible(draw=draw, member=user)
    if draw.audience in (Draw.Audience.LIST, Draw.Audience.APP):
        return why_not_eligible(draw=draw, member=User())
    return ""


def _conditions(draw: Draw) -> list[str]:
    """Who may enter, beyond having an account; in sentences."""
    conditions = []
    if draw.audience == Draw.Audience.GROUP:
        conditions.append(_("For the group “%(group)s”.") % {"group": draw.audience_group})
    if draw.min_age:
        conditions.append(
            _("For people of %(age)d or older on the day entries close.") % {"age": draw.min_age}
        )
    if draw.countries:
        names = dict(countries())
        listed = get_text_list([names.get(code, code) for code in draw.countries], _("or"))
        conditions.append(_("For people in %(countries)s.") % {"countries": listed})
    for other in excluded_draws(draw):
        conditions.append(_("Winners of “%(draw)s” can't win again here.") % {"draw": other})
    return conditions


def _count_entries(draw: Draw) -> int:
    """Entries so far. Counting a million rows takes a tenth of a second, so the answer may be some seconds old."""
    count = cache.get_or_set(f"draw:{draw.pk}:entries", Entry.objects.filter(draw=draw).count, _COUNT_LIFE_S)
    return int(count or 0)


def _next_time(draw: Draw, phase: str) -> dt.datetime | None:
    """What the countdown counts to."""
    return {
        "upcoming": draw.opens_at,
        "open": draw.closes_at,
        "closed": draw.draw_at,
        "frozen": draw.draw_at,
    }.get(phase)


@login_required
@require_POST
def enter(request: HttpRequest, slug: str) -> HttpResponse:
    """The button: one ticket for the member who presses it."""
    draw = _public_draw(slug)
    assert isinstance(request.user, User)
    try:
        services.enter_draw(draw=draw, member=request.user, now=timezone.now())
    except services.EntryRefusedError as error:
        messages.error(request, str(error))
        return redirect(draw)
    messages.success(request, _("You are in. Here is your receipt; it is in your inbox as well."))
    return redirect("draws:receipt", slug=draw.slug)


@login_required
@require_POST
def leave(request: HttpRequest, slug: str) -> HttpResponse:
    """Out again, while entries are open."""
    draw = _public_draw(slug)
    assert isinstance(request.user, User)
    try:
        was_in = services.leave_draw(draw=draw, member=request.user, now=timezone.now())
    except services.DrawError as error:
        messages.error(request, str(error))
    else:
        if was_in:
            messages.success(request, _("You are out of this draw."))
    return redirect(draw)


@login_required
@require_safe
def receipt(request: HttpRequest, slug: str) -> HttpResponse:
    """My entry: the pid that will be published, and the salt that proves it is mine."""
    draw = _public_draw(slug)
    assert isinstance(request.user, User)
    entry = services.entry_of(draw=draw, member=request.user)
    if entry is None:
        raise Http404
    return render(
        request,
        "draws/receipt.html",
        {
            "draw": draw,
            "entry": entry,
            "phase": draw.phase(timezone.now()),
            **receipt_evidence(draw, entry),
        },
    )


@require_safe
def results(request: HttpRequest, slug: str) -> HttpResponse:
    """Who won, and how to check it. Before the draw it is the draw's page."""
    # The proof holds a row for each rank, and is read only where something happened since.
    public = Draw.objects.public().select_related("report").defer("report__proof", "description", "rules")
    draw = get_object_or_404(public, slug=slug)
    if draw.status != Draw.Status.COMPLETED:
        return redirect(draw)
    standing = (
        Winner.objects.filter(draw=draw, state__in=Winner.STANDING)
        .select_related("entry__member", "prize")
        .only(*_WINNER_SHOWN)
        .order_by("slot")
    )
    page = Paginator(standing, _WINNERS_PAGE).get_page(request.GET.get("page"))
    # Also of somebody who was entered before they had an account.
    mine = services.entry_of(draw=draw, member=request.user) if isinstance(request.user, User) else None
    return render(
        request,
        "draws/results.html",
        {
            "draw": draw,
            "winners": page,
            "groups": _by_prize(draw, page.object_list, mine),
            "report": draw.report,
            "notes": story_of(draw, now=timezone.now()),
            "turns": turns_of(draw),
            "announced": draw.announced_texts.filter(confirmed_at__isnull=False).order_by("position"),
            "awarded": sorted(draw.report.awarded.items()),
            "verify_command": "python verify_draw.py proof.json entries.csv",
        },
    )


def _by_prize(draw: Draw, winners: Iterable[Winner], mine: Entry | None) -> list[tuple[Any, ...]]:
    """What `parts/winners.html` shows: (pk, title, unit, amount, rows) of each prize, in the order of the slots.

    A row is (name, start of the public id, ticket, whether it is the first slot, whether it is the reader).
    """
    groups = []
    for _pk, of_prize in groupby(winners, key=attrgetter("prize_id")):
        batch = list(of_prize)
        prize = batch[0].prize
        prize.draw = draw  # its unit is the draw's, which is at hand
        rows = [
            (win.display_name, win.entry.pid_hex[:12], win.ticket, win.slot == 0, win.entry == mine)
            for win in batch
        ]
        groups.append((prize.pk, prize.title, prize.unit, prize.amount, rows))
    return groups


@require_GET
def proof_json(request: HttpRequest, slug: str) -> HttpResponse:
    """The proof of an executed draw, or of what a called-off one would have drawn."""
    draw = _public_draw(slug)
    proof = services.published_proof(draw)
    if proof is None:
        raise Http404
    return _json(proof, f"{draw.slug}-proof.json")


@require_GET
def manifest_json(request: HttpRequest, slug: str) -> HttpResponse:
    """The promise made at the freeze, byte for byte what M is the hash of."""
    draw = _public_draw(slug)
    if draw.manifest is None:
        raise Http404
    response = HttpResponse(services.canonical_manifest(draw), content_type="application/json")
    response.headers["Content-Disposition"] = f'inline; filename="{draw.slug}-manifest.json"'
    return response


def _json(value: Any, file_name: str) -> HttpResponse:
    text = json.dumps(value, indent=1, ensure_ascii=False)
    response = HttpResponse(text, content_type="application/json")
    response.headers["Content-Disposition"] = f'inline; filename="{file_name}"'
    return response


@require_GET
def entries_csv(request: HttpRequest, slug: str) -> HttpResponseBase:
    """The entries file: public ids and tickets, nothing about people."""
    draw = _public_draw(slug)
    if draw.manifest is None:
        raise Http404
    try:
        file = services.entries_file(draw)
    except services.EntriesChangedError:
        return HttpResponse(
            _("The entries file is missing, and what the site holds is not what was frozen. Keep your copy."),
            status=503,
            content_type="text/plain; charset=utf-8",
        )
    return FileResponse(
        file,
        as_attachment=True,
        filename=f"{draw.slug}-entries.csv",
        content_type="text/csv; charset=us-ascii",
    )


@require_safe
def prize_image(request: HttpRequest, slug: str, code: str, version: str) -> HttpResponseBase:
    """The picture of a published draw's prize. Its content is in its address, which another one never has."""
    prize = get_object_or_404(
        Prize, draw__in=Draw.objects.public(), draw__slug=slug, code=code, image__endswith=f"-{version}.webp"
    )
    headers = {
        "Cache-Control": "public, max-age=31536000, immutable",
        "ETag": f'"{version}"',
        "Content-Security-Policy": "default-src 'none'",
        "X-Content-Type-Options": "nosniff",
    }
    if f'"{version}"' in request.headers.get("If-None-Match", ""):
        return HttpResponse(status=304, headers=headers)
    try:
        file = prize.image.open("rb")
    except FileNotFoundError:
        raise Http404 from None
    return FileResponse(file, content_type="image/webp", headers=headers)


@require_GET
def verifier(request: HttpRequest) -> HttpResponseBase:
    """The stand-alone verifier, as it lies in the source."""
    return FileResponse(
        Path(verify_draw.__file__).open("rb"),
        as_attachment=True,
        filename="verify_draw.py",
        content_type="text/x-python; charset=utf-8",
    )
