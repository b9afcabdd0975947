"""Figures of the admin's home: members, entries, awards, pools, and whether the clockwork runs."""

import datetime as dt
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

from django.conf import settings
from django.contrib.humanize.templatetags.humanize import naturaltime
from django.core.cache import cache
from django.db.models import Q, Sum
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from accounts.models import User
from audit.services import newest_seal
from config.home_panels import Row, link
from config.models import Sign
from config.operations import books, signs, vitals
from draws.models import Award, Draw, Entry
from draws.services.monitoring import beat_late_after, last_beat
from payments.models import Account
from payments.money import format_amount

LEDGER_OLD_AFTER = dt.timedelta(hours=3)
SEAL_LATE_AFTER = dt.timedelta(minutes=10)
_FACTS_KEPT_S = 60


@dataclass(frozen=True)
class Fact:
    """A figure and what it is of."""

    label: str
    value: str
    sub: str = ""
    href: str = ""


def facts_for(user: User, *, now: dt.datetime) -> list[Fact]:
    """The figures this person may see."""
    facts = []
    if user.has_perm("accounts.view_user"):
        facts.append(
            Fact(
                _("Members"),
                f"{_kept('members', lambda: User.objects.filter(is_active=True).count()):,}",
                href=link("accounts_user_changelist"),
            )
        )
    if user.has_perm("draws.view_draw"):
        open_draws = Draw.objects.open(now).count()
        facts.append(
            Fact(_("Open draws"), f"{open_draws:,}", href=link("draws_draw_changelist", query="phase=open"))
        )
        facts.append(
            Fact(
                _("Entries today"),
                f"{_kept('entries', lambda: _entries_since(_midnight(now))):,}",
                href=link("draws_entry_changelist") if user.has_perm("draws.view_entry") else "",
            )
        )
    if user.has_perm("draws.view_award"):
        since = _midnight(now).replace(day=1)
        awarded = Award.objects.filter(created_at__gte=since, ended_at=None).exclude(unit="")
        sums = awarded.order_by().values("unit").annotate(total=Sum("amount"))
        # Money first, then credits and points.
        ranked = sorted(sums, key=lambda item: (item["unit"] in ("CREDIT", "POINT"), item["unit"]))
        values = [format_amount(item["total"], item["unit"]) for item in ranked]
        facts.append(
            Fact(
                _("Awarded this month"),
                values[0] if values else "—",
                sub=" · ".join(values[1:]),
                href=link("draws_award_changelist"),
            )
        )
    return facts


def _midnight(now: dt.datetime) -> dt.datetime:
    """The day began, where the person who looks is."""
    return timezone.localtime(now).replace(hour=0, minute=0, second=0, microsecond=0)


def _entries_since(since: dt.datetime) -> int:
    """Only draws that took entries since then are looked at: there is no index on the time of an entry."""
    taking = Draw.objects.filter(
        published_at__isnull=False, opens_at__lte=timezone.now(), closes_at__gte=since
    )
    return Entry.objects.filter(
        draw__in=list(taking.values_list("pk", flat=True)), entered_at__gte=since
    ).count()


def _kept(name: str, count: Callable[[], int]) -> int:
    """A count that may be a minute old; counted anew when Redis is gone."""
    key = f"admin-home:{name}:{timezone.get_current_timezone_name()}"
    return int(cache.get_or_set(key, count, _FACTS_KEPT_S) or 0)


def pools_in_draws() -> list[dict[str, Any]]:
    """What all draws' pools hold by unit: free, reserved, owed, with each part's share in percent."""
    parts = {"free": "pool:draw:", "reserved": "prizes:draw:", "owed": "owed:draw:"}
    sums: dict[str, Any] = {
        part: Sum("balance", filter=Q(code__startswith=prefix), default=0) for part, prefix in parts.items()
    }
    in_draws = Account.objects.filter(code__regex=r"^(pool|prizes|owed):draw:").order_by("unit")
    held: Iterable[dict[str, Any]] = in_draws.values("unit").annotate(**sums)  # type: ignore[assignment]
    rows = []
    for item in held:
        total = sum(item[part] for part in parts)
        if total:
            amounts = {part: format_amount(item[part], item["unit"]) for part in parts}
            shares = {part: item[part] * 100 // total for part in parts}
            rows.append(
                {
                    "unit": item["unit"],
                    "total": format_amount(total, item["unit"]),
                    "amounts": amounts,
                    "shares": shares,
                }
            )
    return rows


def machinery_for(user: User, *, now: dt.datetime) -> list[Row]:
    """Is the site's own clockwork alive: the seals of the audit trail, and beat."""
    rows = []
    if user.has_perm("audit.view_record") or user.has_perm("audit.view_seal"):
        seal = newest_seal()
        is_old = seal is None or seal.sealed_at < now - SEAL_LATE_AFTER
        rows.append(
            Row(
                title=_("Newest audit seal"),
                note=f"{seal.digest[:16]}…" if seal else _("None yet: the sealing job has not run."),
                side=str(naturaltime(seal.sealed_at)) if seal else "",
                href=link("audit_seal_changelist") if user.has_perm("audit.view_seal") else "",
                tone="wait" if is_old else "good",
            )
        )
    clockwork, seen = None, None
    if user.has_perm("config.view_alarm"):
        seen = signs.last_seen()
        clockwork = vitals.clockwork(seen=seen)
    if user.has_perm("draws.view_draw") or user.has_perm("notifications.view_delivery"):
        last = clockwork.beat_at if clockwork else last_beat()
        is_silent = last is None or last < now - beat_late_after()
        rows.append(
            Row(
                title=_("Scheduled jobs"),
                note=_("Beat is silent: draws and messages wait for it. Start it, or look at its log.")
                if is_silent
                else _("Beat is running."),
                side=str(naturaltime(last)) if last else _("never"),
                href=link("django_celery_beat_periodictask_changelist")
                if user.has_perm("django_celery_beat.view_periodictask")
                else "",
                tone="bad" if is_silent else "good",
            )
        )
    if clockwork and seen is not None:
        rows += [*_workers(clockwork, now), _ledger(user, seen, now)]
    return rows


def _workers(clockwork: vitals.Clockwork, now: dt.datetime) -> Iterable[Row]:
    """The workers of each queue, by the last job that arrived there."""
    late = dt.timedelta(seconds=settings.WORKER_LATE_SECONDS)
    has_beat = clockwork.beat_at is not None and clockwork.beat_at >= now - beat_late_after()
    for queue, seen_at in clockwork.workers.items():
        tone, note = "good", _("They take jobs.")
        if seen_at is None or seen_at < now - late:
            tone, note = "bad", _("Silent: start one, or look at its log.")
            if not has_beat:  # who gets no jobs can't be heard of
                tone, note = "wait", _("Not known: beat sends them no jobs.")
        yield Row(
            title=_("Workers of “%(queue)s”") % {"queue": queue},
            note=note,
            side=str(naturaltime(seen_at)) if seen_at else _("never"),
            tone=tone,
        )


def _ledger(user: User, seen: dict[str, Sign], now: dt.datetime) -> Row:
    """What the last check of the ledger found."""
    sign = seen.get(books.LEDGER)
    is_old = sign is None or sign.at < now - LEDGER_OLD_AFTER
    note = _("It has not been checked yet.") if sign is None else _("It adds up.")
    if sign is not None and sign.faults:
        note = ngettext(
            "%(n)d difference: stop paying out.", "%(n)d differences: stop paying out.", sign.faults
        )
        note %= {"n": sign.faults}
    return Row(
        title=_("Ledger"),
        note=note,
        side=str(naturaltime(sign.at)) if sign else "",
        href=link("payments_ledgerentry_changelist") if user.has_perm("payments.view_ledgerentry") else "",
        tone="bad" if sign is not None and sign.faults else "wait" if is_old else "good",
    )
