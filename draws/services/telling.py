"""What a draw tells people. One message row each; the outbox finds out who is meant."""

import datetime as dt
from collections.abc import Mapping, Sequence
from typing import Any

from django.utils.translation import gettext as _

from draws.models import Draw, DrawReport
from draws.owners import is_said
from draws.services.claim_links import unreachable_winners
from notifications.services import Recipient, notify
from payments.money import format_amount

_TEASER_LIFE = dt.timedelta(days=3)
_LISTED = 50  # winners that a summary names


def amounts_text(amounts: dict[str, int]) -> str:
    """`KES 1,250.00, 30 credits`, or an em dash for nothing."""
    return ", ".join(format_amount(amount, unit) for unit, amount in sorted(amounts.items()) if amount) or "—"


def tell(
    *,
    draw: Draw,
    kind: str,
    context: Mapping[str, Any],
    idem_key: str,
    now: dt.datetime,
    not_before: dt.datetime | None = None,
    expires_at: dt.datetime | None = None,
    recipients: Sequence[Recipient] | None = None,
) -> None:
    """Say `kind` about a draw, unless the part of the site that ordered it says such things itself."""
    if is_said(draw, kind):
        notify(
            kind=kind,
            about=draw.about,
            context={"draw": draw.title, "slug": draw.slug, **context},
            not_before=not_before or now,
            expires_at=expires_at,
            recipients=recipients,
            idem_key=idem_key,
            now=now,
        )


def tell_results(*, draw: Draw, report: DrawReport, now: dt.datetime) -> None:
    """Queue the notices of a draw that has just been made, in the transaction that makes it.

    Those to its winners belong to whoever owns the awards (`draws/sources.py`).
    """
    contexts: dict[str, dict[str, Any]] = {
        "non_winner": {"winners": report.winners_count},
        "results_published": {"winners": report.winners_count},
        "admin_summary": {
            "winners": report.winners_count,
            "entries": report.entries_count,
            "awarded": amounts_text(report.awarded),
            "leftover": amounts_text(report.leftover),
            "unreachable": _unreachable_text(draw),
        },
    }
    for name, context in contexts.items():
        tell(
            draw=draw,
            kind=f"draws.{name}",
            context=context,
            idem_key=f"draw:{draw.public_id}:{name}",
            expires_at=now + _TEASER_LIFE if name == "results_published" else None,
            now=now,
        )
    if not is_said(draw, "draws.next_draw_teaser"):
        return
    if (following := Draw.objects.open(now).order_by("closes_at").first()) is not None:
        notify(
            kind="draws.next_draw_teaser",
            about=following.about,
            context={"draw": following.title, "slug": following.slug, "closes_at": following.closes_at},
            not_before=now,
            expires_at=min(now + _TEASER_LIFE, following.closes_at),
            idem_key=f"draw:{draw.public_id}:teaser",
            now=now,
        )


def _unreachable_text(draw: Draw) -> str:
    """The winners nobody can write to, by public id and prize, a line each; empty where there are none."""
    winners = unreachable_winners(draw).select_related("entry", "prize").order_by("rank")
    lines = [f"{winner.entry.pid_hex[:12]}: {winner.prize.title}" for winner in winners[:_LISTED]]
    if (more := winners.count() - len(lines)) > 0:
        lines.append(_("and %(more)d more") % {"more": more})
    return "\n".join(lines)


def tell_failure(*, draw: Draw, step: str, now: dt.datetime) -> None:
    """Tell the admins that a `step` (freeze, execution) failed, and what the site will do about it."""
    notify(
        kind=f"draws.{step}_failed",
        about=draw.about,
        context={
            "draw": draw.title,
            "slug": draw.slug,
            "error": draw.execution_error[:1000],
            "attempts": draw.attempts,
            "next_attempt_at": draw.next_attempt_at or now,
        },
        not_before=now,
        idem_key=f"draw:{draw.public_id}:{step}-failed:{draw.attempts}:{now.timestamp():.0f}",
        now=now,
    )
