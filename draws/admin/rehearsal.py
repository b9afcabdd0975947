"""The page of a rehearsal: it asks (GET) and rehearses (POST), and says that what it shows is no result."""

from typing import Any

from django.contrib import admin
from django.core.exceptions import PermissionDenied
from django.http import Http404, HttpRequest, HttpResponse
from django.template.response import TemplateResponse
from django.urls import reverse
from django.utils.translation import gettext as _

from accounts.models import User
from draws.models import Draw
from draws.services.rehearsing import RUNS, Rehearsal, RehearsalError, dummy_text, rehearse_draw


def rehearsal_page(request: HttpRequest, draw_id: int) -> HttpResponse:
    """For everybody who may see draws: it names no person, changes nothing, and tells nothing of the result."""
    if not isinstance(request.user, User) or not request.user.has_perm("draws.view_draw"):
        raise PermissionDenied
    draw = Draw.objects.filter(pk=draw_id, published_at__isnull=False).first()
    if draw is None:
        raise Http404
    context: dict[str, Any] = {
        **admin.site.each_context(request),
        "opts": Draw._meta,
        "title": _("Rehearsal"),
        "draw": draw,
        "runs": RUNS,
        "text": dummy_text(draw, 1),
        "back": reverse("admin:draws_draw_change", args=[draw.pk]),
    }
    if request.method == "POST":
        try:
            context["rehearsal"] = rehearsal = rehearse_draw(draw=draw)
        except RehearsalError as error:
            context["why_not"] = str(error)
        else:
            context["plot"] = _plot(rehearsal)
    return TemplateResponse(request, "admin/draws/draw/rehearsal.html", context)


def _plot(rehearsal: Rehearsal) -> dict[str, Any]:
    return {
        "labels": [
            f"{group.low:,}" if group.low == group.high else f"{group.low:,}–{group.high:,}"
            for group in rehearsal.groups
        ],
        "series": [
            (_("Odds"), [group.expected for group in rehearsal.groups]),
            (_("Observed"), [group.observed for group in rehearsal.groups]),
        ],
    }
