"""What the page of a draw shows its staff beside the form: checklist, figures, pool, timeline, trail, outcome."""

import datetime as dt
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from django.db.models import Count, QuerySet, Sum
from django.urls import reverse
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, pgettext_lazy

from accounts.models import User
from audit.models import Record
from draws.admin.clocks import in_utc, in_zone, late_by
from draws.admin.entry_times import entries_plot
from draws.admin.reach import reach_checks
from draws.admin.situation import situation_of
from draws.models import Draw, EntryUpload
from draws.services import prize_totals
from draws.services.checks import Check, execution_checks, publishing_checks
from draws.services.history import story_of
from payments.approvals import amounts_text, words_of_act
from payments.models import Approval
from payments.money import format_amount
from payments.pools import free_in_pools, pool_balances

PHASES = {
    "draft": ("", pgettext_lazy("state of a draw", "Draft")),
    "upcoming": ("info", pgettext_lazy("state of a draw", "Upcoming")),
    "open": ("success", pgettext_lazy("state of a draw", "Open")),
    "closed": ("warning", pgettext_lazy("state of a draw", "Entries closed")),
    "frozen": ("info", pgettext_lazy("state of a draw", "Frozen")),
    "drawing": ("warning", pgettext_lazy("state of a draw", "Drawing")),
    "completed": ("success", pgettext_lazy("state of a draw", "Drawn")),
    "void": ("", pgettext_lazy("state of a draw", "Void")),
    "cancelled": ("danger", pgettext_lazy("state of a draw", "Cancelled")),
}
"""Phase (`Draw.phase`) to the colour of its badge and its word."""

CHECK_STATES = {
    "ok": ("check_circle", gettext_lazy("Holds")),
    "wait": ("schedule", gettext_lazy("Not yet")),
    "missing": ("error", gettext_lazy("Missing")),
}
# What time alone brings: not a fault before its time has come.
_BROUGHT_BY_TIME = {"cutoff", "lock", "time", "excludes", "randomness:outside"}
_WINNERS_SHOWN = 50
_TRAIL_SHOWN = 30


@dataclass(frozen=True)
class Item:
    """A line of the checklist as it is shown: never by its colour alone."""

    check: Check
    state: str

    @property
    def icon(self) -> str:
        return CHECK_STATES[self.state][0]

    @property
    def word(self) -> str:
        return str(CHECK_STATES[self.state][1])


@dataclass(frozen=True)
class Step:
    """A moment in a draw's life, in its own zone and in UTC."""

    label: str
    local: str
    utc: str
    is_done: bool
    note: str = ""


def checklist(draw: Draw, *, now: dt.datetime, by_hand: bool = False) -> list[Item]:
    """What must hold next: before publishing, or before executing; nothing once the draw is over."""
    if draw.is_finished:
        return []
    if draw.status == Draw.Status.DRAFT:
        return [_item(check, draw, now) for check in publishing_checks(draw, now=now)]
    checks = [*execution_checks(draw, now=now, by_hand=by_hand), *reach_checks(draw)]
    return [_item(check, draw, now) for check in checks]


def _item(check: Check, draw: Draw, now: dt.datetime) -> Item:
    if check.ok:
        return Item(check, "ok")
    waits = check.waits_for_second or (
        check.key in _BROUGHT_BY_TIME and draw.status != Draw.Status.DRAFT and not draw.is_overdue(now)
    )
    return Item(check, "wait" if waits else "missing")


def shortfall(draw: Draw) -> dict[str, int]:
    """What a draft's prizes cost beyond what its pool holds, by unit; a published draw has it reserved."""
    return shortfalls([draw])[draw.pk]


def shortfalls(draws: Sequence[Draw]) -> dict[int, dict[str, int]]:
    """`shortfall` of each, by primary key. One query, and one for their prizes where they weren't fetched."""
    costs = {draw.pk: prize_totals(draw) if draw.status == Draw.Status.DRAFT else {} for draw in draws}
    free = free_in_pools((draw.pool, unit) for draw in draws for unit in costs[draw.pk])
    return {
        draw.pk: {
            unit: cost - free[draw.pool, unit]
            for unit, cost in costs[draw.pk].items()
            if cost > free[draw.pool, unit]
        }
        for draw in draws
    }


def amounts(draw_totals: dict[str, int]) -> list[str]:
    """Each unit's amount as people read it."""
    return [format_amount(amount, unit) for unit, amount in sorted(draw_totals.items())]


def pool_rows(draw: Draw) -> list[dict[str, str]]:
    """What the draw's pool holds, by unit: free, reserved for its prizes, owed to winners without account."""
    return [
        {
            "unit": unit,
            "free": format_amount(balance.free, unit),
            "reserved": format_amount(balance.reserved, unit),
            "owed": format_amount(balance.owed, unit),
        }
        for unit, balance in sorted(pool_balances(draw.pool).items())
    ]


def entries_and_tickets(draw: Draw) -> tuple[int, int]:
    """How many people are in, and with how many tickets: from the manifest where there is one."""
    if draw.manifest is not None:
        return int(draw.manifest["entries"]["count"]), int(draw.manifest["entries"]["tickets"])
    found = draw.entries.aggregate(count=Count("pk"), tickets=Sum("weight"))
    return found["count"], int(found["tickets"] or 0)


def odds(*, entries: int, tickets: int, slots: int) -> str:
    """What one ticket is worth, in words."""
    if not slots or not entries:
        return _("No odds yet: it takes prizes and entries.")
    if slots >= entries:
        return _("Everyone who is in wins.")
    return _("About 1 ticket in %(n)s wins.") % {"n": f"{max(round(tickets / slots), 1):,}"}


def timeline(draw: Draw, *, now: dt.datetime) -> list[Step]:
    """From the opening to the draw, in order."""
    ended = draw.status in (Draw.Status.CANCELLED, Draw.Status.VOID)
    moments: list[tuple[str, dt.datetime | None, bool]] = [
        (_("Published"), draw.published_at, draw.published_at is not None),
        (_("Entries open"), draw.opens_at, draw.opens_at <= now),
        (_("Entries close"), draw.closes_at, draw.closes_at <= now),
        (_("Fairness lock"), draw.frozen_at, draw.frozen_at is not None),
        (_("Draw time"), draw.draw_at, draw.draw_at <= now),
        (_("Drawn"), draw.executed_at, draw.executed_at is not None),
    ]
    steps = []
    for label, at, is_done in moments:
        if at is None:
            if not ended and draw.status != Draw.Status.DRAFT:
                steps.append(Step(label, _("still to come"), "", False))
            continue
        steps.append(
            Step(label, in_zone(at, draw.zone), in_utc(at), is_done and draw.status != Draw.Status.DRAFT)
        )
    return steps


def overview_of(draw: Draw, *, user: User, now: dt.datetime) -> dict[str, Any]:
    """Context of `admin/draws/draw/overview.html`, with nothing that `user` may not see."""
    entries, tickets = entries_and_tickets(draw)
    prizes = list(draw.prizes.all())
    slots = sum(prize.quantity for prize in prizes)
    items = checklist(draw, now=now)
    phase = draw.phase(now)
    tone, word = PHASES[phase]
    context: dict[str, Any] = {
        "draw": draw,
        "phase": phase,
        "phase_tone": tone,
        "phase_word": word,
        "late": late_by(draw, now),
        "situation": situation_of(draw, items=items, entries=entries, tickets=tickets, slots=slots, now=now),
        "checklist": items,
        "checks_missing": sum(item.state == "missing" for item in items),
        "entries_count": f"{entries:,}",
        "tickets": f"{tickets:,}",
        "tickets_count": tickets,
        "odds": odds(entries=entries, tickets=tickets, slots=slots),
        "slots": slots,
        "prizes": [
            {
                "title": prize.title,
                "kind": prize.get_kind_display(),
                "amount": format_amount(prize.amount, prize.unit) if prize.unit else "",
                "quantity": f"{prize.quantity:,}",
            }
            for prize in prizes
        ],
        "prize_total": amounts(prize_totals(draw)),
        "pool": pool_rows(draw),
        "steps": timeline(draw, now=now),
        "next_attempt": in_zone(draw.next_attempt_at, draw.zone) if draw.next_attempt_at else "",
        "imports": list(draw.imports.select_related("by")[:10]) if may_see_entries(user) else [],
        "uploads": list(_not_imported(draw)[:10]) if may_see_entries(user) else [],
        "links": _links(draw, user),
        "entries_plot": entries_plot(draw, now=now),
        "approvals": _approvals(draw, user),
        "notes": [(note, in_zone(note.at, draw.zone) if note.at else "") for note in story_of(draw, now=now)],
    }
    if user.has_perm("audit.view_record"):
        # Funding is on record under the name of the pool, and what waited for a second person under its own.
        asked = [approval.name for approval in Approval.objects.filter(about=draw.about).only("public_id")]
        trail = Record.objects.filter(target__in=[draw.about, f"pool:{draw.pool}", *asked])
        trail = trail.select_related("actor")
        context["trail"] = list(trail.order_by("-pk")[:_TRAIL_SHOWN])
        context["trail_kept_back"] = max(trail.count() - _TRAIL_SHOWN, 0)
    if draw.executed_at is not None:
        context["report"] = draw.report
        context["awarded"] = amounts(draw.report.awarded)
        context["leftover"] = amounts(draw.report.leftover)
        if user.has_perm("draws.view_winner"):
            context["winners"] = _winners(draw)
            context["winners_kept_back"] = max(draw.winners.count() - _WINNERS_SHOWN, 0)
    return context


def may_see_entries(user: User) -> bool:
    """Who may read entrants' addresses may read those of refused lines too, and so may who imports them."""
    return user.has_perm("draws.view_entry") or user.has_perm("draws.import_entries")


def _not_imported(draw: Draw) -> QuerySet[EntryUpload]:
    """Uploaded files that wait, or of which nobody was entered, the newest first."""
    return draw.uploads.exclude(state=EntryUpload.State.DONE).select_related("by")


def _approvals(draw: Draw, user: User) -> list[dict[str, Any]]:
    """What waits for a second person before it is done to this draw's pool."""
    asked = Approval.objects.filter(about=draw.about, state=Approval.State.REQUESTED)
    sees = user.has_perm("payments.view_approval")
    return [
        {
            "what": words_of_act(approval.kind),
            "amounts": amounts_text(approval),
            "by": approval.requested_by,
            "until": in_zone(approval.expires_at, draw.zone),
            "url": reverse("admin:payments_approval_change", args=[approval.pk]) if sees else "",
        }
        for approval in asked.select_related("requested_by").order_by("pk")
    ]


def _winners(draw: Draw) -> list[dict[str, Any]]:
    winners = draw.winners.select_related("entry__member", "prize", "award").order_by("slot", "rank")
    return [
        {
            "slot": winner.slot + 1,
            "rank": winner.rank + 1,
            "who": winner.entry.identity or winner.entry.pid_hex[:12],
            "name": winner.entry.name,
            "pid": winner.entry.pid_hex,
            "prize": winner.prize.title,
            "amount": format_amount(winner.award.amount, winner.award.unit) if winner.award.unit else "",
            "state": winner.get_state_display(),
            "award_state": winner.award.state_word,
            "award_paid": winner.award.state == winner.award.State.PAID,
            "claim_until": in_zone(winner.award.claim_until, draw.zone)
            if winner.award.claim_until and winner.award.state == winner.award.State.CLAIMABLE
            else "",
            "url": reverse("admin:draws_award_change", args=[winner.award_id]),
        }
        for winner in winners[:_WINNERS_SHOWN]
    ]


def _links(draw: Draw, user: User) -> list[dict[str, str]]:
    """Where else this draw is to be seen."""
    links = []
    if draw.published_at is not None:
        links.append({"title": _("Public page"), "href": draw.get_absolute_url(), "icon": "open_in_new"})
    if draw.manifest is not None:
        links.append(
            {
                "title": _("Manifest"),
                "href": reverse("draws:manifest", args=[draw.slug]),
                "icon": "data_object",
            }
        )
        links.append(
            {"title": _("Entries file"), "href": reverse("draws:entries", args=[draw.slug]), "icon": "csv"}
        )
    if draw.published_at is not None:
        links.append(
            {
                "title": _("Rehearsal"),
                "href": reverse("admin:draws_draw_rehearsal", args=[draw.pk]),
                "icon": "experiment",
            }
        )
    if draw.executed_at is not None:
        links.append(
            {"title": _("Results"), "href": reverse("draws:results", args=[draw.slug]), "icon": "trophy"}
        )
        links.append(
            {"title": _("Proof"), "href": reverse("draws:proof", args=[draw.slug]), "icon": "verified"}
        )
    if draw.published_at is not None and user.has_perm("draws.view_entry"):
        entries = reverse("admin:draws_entry_changelist") + f"?draw__id__exact={draw.pk}"
        links.append({"title": _("Entries"), "href": entries, "icon": "group"})
    return links
