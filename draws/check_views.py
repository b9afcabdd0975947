"""Pages on which people check a draw for themselves: the verifier in the browser, and what a receipt proves."""

from typing import Any

from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils import timezone
from django.utils.translation import gettext_lazy as _
from django.views.decorators.http import require_safe

from draws import services
from draws.models import CalledOff, Draw, Entry

_SLOTS_SHOWN = 200

# The checks of static/js/verify/verify.js, in its order, each in a sentence for people.
CHECKS = (
    (
        "entries-form",
        _("The list of entries is in order"),
        _("Every line is well-formed, sorted, there once, and the tickets add up."),
    ),
    (
        "proof-form",
        _("The proof can be read"),
        _("It is complete, and nothing in it can be read in two ways."),
    ),
    (
        "manifest-rules",
        _("The promise keeps the rules"),
        _("Entries closed before the list was sealed, and the least wait before the draw was kept."),
    ),
    ("manifest-hash", _("The promise has its fingerprint"), _("The manifest gives the published M.")),
    (
        "manifest-notice",
        _("It is the promise in your mail"),
        _("M is the one that entrants were sent before the number was known. Paste yours above."),
    ),
    (
        "entries-hash",
        _("It is the sealed list"),
        _("The list's fingerprint, Merkle root and counts are those of the promise."),
    ),
    ("report-hash", _("The report was not changed"), _("It has the fingerprint it was published with.")),
    (
        "randomness",
        _("The number is the one that was bound"),
        _("It fits what was locked in before the draw, and there is no other number in it."),
    ),
    ("seed", _("The seed comes from promise and number"), _("Nothing else has gone into it.")),
    (
        "dispositions-form",
        _("What happened since is written properly"),
        _("Every rank that was skipped or lost its prize has a reason and a time."),
    ),
    ("ranks", _("Every rank is drawn right"), _("Drawn again here, ticket by ticket: the same order.")),
    ("slots", _("Every prize went to the right rank"), _("In the order of drawing, as the rules say.")),
    (
        "dispositions",
        _("Every vacancy went to the next in turn"),
        _("Nobody was passed over, and nobody else moved."),
    ),
)


@require_safe
def verify(request: HttpRequest, slug: str) -> HttpResponse:
    """Draw it again in the reader's own browser. Before the draw it is the draw's page.

    Of a draw that was called off after its freeze it shows what that would have drawn.
    """
    draw = get_object_or_404(Draw.objects.public(), slug=slug)
    called_off = services.called_off_of(draw)
    if draw.status != Draw.Status.COMPLETED and called_off is None:
        return redirect(draw)
    if draw.manifest is None:
        raise Http404
    sources = draw.manifest["randomness"]
    return render(
        request,
        "draws/verify.html",
        {
            "draw": draw,
            "entries": draw.manifest["entries"],
            "called_off": called_off,
            "would_have_won": _would_have_won(draw, called_off),
            "missing": services.values_missing(draw, now=timezone.now()) if called_off is not None else [],
            "checks": CHECKS,
            "labels": [source["label"] for source in sources if source["type"] == "public_text"],
            "has_drand": any(source["type"] == "drand" for source in sources),
            "verify_command": "python verify_draw.py proof.json entries.csv",
        },
    )


def _would_have_won(draw: Draw, called_off: CalledOff | None) -> list[dict[str, Any]]:
    """Prize, public id and rank of each slot of a called-off draw; as many as fit on the page, the proof has all."""
    if called_off is None or called_off.proof is None:
        return []
    titles = dict(draw.prizes.values_list("code", "title"))
    return [
        {"prize": titles.get(slot["prize"], slot["prize"]), "pid": slot["pid"], "rank": slot["rank"]}
        for slot in called_off.proof["slots"][:_SLOTS_SHOWN]
        if slot["pid"] is not None
    ]


def receipt_evidence(draw: Draw, entry: Entry) -> dict[str, Any]:
    """What a receipt shows once the list is sealed: the way from the entrant's line to its root, and the odds."""
    if draw.manifest is None:
        return {}
    return {
        "inclusion": services.inclusion_of(draw=draw, entry=entry),
        "odds": services.odds_of(draw=draw, weight=entry.weight),
        "is_sealed": True,
    }
