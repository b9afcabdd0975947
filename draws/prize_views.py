"""Pages of what one has won: a member's prizes, and the page that a secret link opens.

Opening a page never changes anything: programs that look into mail open every link in it. Only a form that was
sent claims or declines.
"""

import uuid
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlencode

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.core.paginator import Paginator
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext as _
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_http_methods, require_safe

from accounts.models import User
from draws import services
from draws.models import Award
from draws.prize_forms import AddressForm
from draws.services.awarding import claimable_awards, theirs
from draws.sources import source_of

_PAGE = 20
_TONES = {"claimable": "warn", "claimed": "info", "paid": "good", "expired": "", "reversed": "bad"}


@dataclass(frozen=True)
class _Visit:
    """Who looks at which award: `member` is the account that may claim it, None for whoever has the link."""

    award: Award
    member: User | None
    page: str
    decline_page: str


@never_cache
@login_required
@require_safe
def prizes(request: HttpRequest) -> HttpResponse:
    """What I have won: waiting for me, claimed, paid, lost."""
    assert isinstance(request.user, User)
    mine = Award.objects.filter(theirs(request.user)).exclude(
        state__in=(Award.State.CLAIMABLE, Award.State.ALLOCATED)
    )
    page = Paginator(mine, _PAGE).get_page(request.GET.get("page"))
    return render(
        request,
        "draws/prizes.html",
        {
            "claimable": [(award, _page_of(award)) for award in claimable_awards(request.user)],
            "awards": page,
            "rows": [(award, _page_of(award), _TONES[award.state]) for award in page.object_list],
            "now": timezone.now(),
        },
    )


def _page_of(award: Award) -> str:
    return source_of(award).claim_path(award)


@never_cache
@login_required
@require_http_methods(["GET", "HEAD", "POST"])
def prize(request: HttpRequest, award_id: uuid.UUID) -> HttpResponse:
    """One prize of mine."""
    return _prize(request, _my_visit(request, award_id))


@never_cache
@login_required
@require_http_methods(["GET", "HEAD", "POST"])
def decline(request: HttpRequest, award_id: uuid.UUID) -> HttpResponse:
    """Give a prize of mine back: asks, then does."""
    return _decline(request, _my_visit(request, award_id))


@never_cache
@require_http_methods(["GET", "HEAD", "POST"])
def linked_prize(request: HttpRequest, token: str) -> HttpResponse:
    """The prize that a secret link opens."""
    visit = _linked_visit(request, token)
    return _prize(request, visit) if isinstance(visit, _Visit) else visit


@never_cache
@require_http_methods(["GET", "HEAD", "POST"])
def decline_linked(request: HttpRequest, token: str) -> HttpResponse:
    """Give back the prize that a secret link opens: asks, then does."""
    visit = _linked_visit(request, token)
    return _decline(request, visit) if isinstance(visit, _Visit) else visit


def _my_visit(request: HttpRequest, award_id: uuid.UUID) -> _Visit:
    """Somebody else's award is as unknown as one that does not exist."""
    assert isinstance(request.user, User)
    award = get_object_or_404(Award.objects.filter(theirs(request.user)), public_id=award_id)
    return _Visit(
        award=award,
        member=request.user,
        page=reverse("draws:prize", args=[award_id]),
        decline_page=reverse("draws:decline_prize", args=[award_id]),
    )


def _linked_visit(request: HttpRequest, token: str) -> _Visit | HttpResponse:
    award = services.award_by_token(token)
    if award is None:
        response = render(request, "draws/prize_link_dead.html", status=404)
        response.headers["X-Robots-Tag"] = "noindex"
        return response
    is_mine = (
        isinstance(request.user, User) and Award.objects.filter(theirs(request.user), pk=award.pk).exists()
    )
    if award.member_id is not None or is_mine:
        return redirect("draws:prize", award_id=award.public_id)
    return _Visit(
        award=award,
        member=None,
        page=reverse("draws:linked_prize", args=[token]),
        decline_page=reverse("draws:decline_linked_prize", args=[token]),
    )


def _prize(request: HttpRequest, visit: _Visit) -> HttpResponse:
    award, now = visit.award, timezone.now()
    typed = request.POST if request.method == "POST" else None
    form = AddressForm(typed, initial=_suggested(visit))
    if request.method == "POST":
        wants_address = award.kind == Award.PHYSICAL and award.can_be_claimed(now)
        if not wants_address or form.is_valid():
            address = form.address if wants_address else None
            try:
                services.claim_award(award=award, member=visit.member, now=now, address=address)
            except services.DrawError as error:
                messages.error(request, str(error))
            else:
                messages.success(request, _said(award))
            return redirect(visit.page)
    response = render(request, "draws/prize.html", _context(request, visit, form))
    response.headers["X-Robots-Tag"] = "noindex"
    return response


def _said(award: Award) -> str:
    if award.unit:
        return _("It is in your wallet.")
    if award.kind == Award.PHYSICAL:
        return _("It is yours, and will be sent to you.")
    return _("It is yours: here is your voucher.")


def _suggested(visit: _Visit) -> dict[str, str]:
    """What the account already says of where somebody lives."""
    member = visit.member
    if member is None:
        return {}
    return {"name": member.display_name, "country": member.country, "phone": member.phone}


def _context(request: HttpRequest, visit: _Visit, form: AddressForm) -> dict[str, Any]:
    award, now = visit.award, timezone.now()
    source = source_of(award)
    voucher = getattr(award, "voucher", None)
    return {
        "award": award,
        "origin": source.origin(award),
        "result_path": source.result_path(award),
        "is_open": award.can_be_claimed(now) and award.is_reachable,
        "is_late": award.state == Award.State.CLAIMABLE and not award.can_be_claimed(now),
        "needs_account": _needs_account(visit),
        "is_passed_on": bool(award.ended_as) and source.is_passed_on(award),
        "form": form,
        "voucher": voucher,
        "voucher_state": voucher.state_at(now) if voucher is not None else "",
        "tone": _TONES.get(award.state, ""),
        "page": visit.page,
        "decline_page": visit.decline_page,
        "sign_up": _entrance("account_signup", award, email=award.identity or ""),
        "sign_in": _entrance("account_login", award),
        "is_signed_in": request.user.is_authenticated,
        "by_link": visit.member is None,
    }


def _entrance(name: str, award: Award, **query: str) -> str:
    """Sign-up or sign-in, and from there to the prize."""
    given = {"next": reverse("draws:prize", args=[award.public_id]), **query}
    return f"{reverse(name)}?{urlencode({key: value for key, value in given.items() if value})}"


def _needs_account(visit: _Visit) -> bool:
    """Whether the prize is neither claimed nor declined by whoever has its link alone: money."""
    return bool(visit.award.unit) and visit.member is None


def _said_of_declined(award: Award) -> str:
    if source_of(award).is_passed_on(award):
        return _("You have declined it, and the next in line has it now.")
    return _("You have declined it. Nobody is next in line now: the organiser sees to it.")


def _decline(request: HttpRequest, visit: _Visit) -> HttpResponse:
    now = timezone.now()
    if request.method == "POST":
        try:
            services.decline_award(award=visit.award, member=visit.member, now=now)
        except services.DrawError as error:
            messages.error(request, str(error))
        else:
            messages.success(request, _said_of_declined(visit.award))
        return redirect(visit.page)
    if not visit.award.can_be_claimed(now) or _needs_account(visit):
        return redirect(visit.page)
    source = source_of(visit.award)
    context = {"award": visit.award, "origin": source.origin(visit.award), "page": visit.page}
    return render(request, "draws/prize_decline.html", context)
