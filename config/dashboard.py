"""The admin's home: what is due, late, failed, or waiting for a person, and a few facts.

Each part asks first whether the person may see it: Finance finds money, a Support lead deliveries. Every line
leads to the thing it speaks of where the admin has a page for it.
"""

import datetime as dt
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

from django.conf import settings
from django.contrib.humanize.templatetags.humanize import naturaltime
from django.core.cache import cache
from django.db.models import Count, Max, Min, Q, Sum
from django.http import HttpRequest
from django.urls import NoReverseMatch, reverse
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext
from django_celery_beat.models import PeriodicTask

from accounts.models import User
from audit.services import newest_seal
from draws.admin.overview import in_zone, late_by, shortfall
from draws.models import Award, Draw, Entry, Prize
from notifications.models import DEAD_LETTERS, WAITING, Delivery, Message
from notifications.models import State as DeliveryState
from payments.models import Account
from payments.money import format_amount

SOON = dt.timedelta(hours=24)
DELIVERY_LATE_AFTER = dt.timedelta(minutes=5)
BEAT_LATE_AFTER = dt.timedelta(minutes=10)
"""Beat writes its last runs down every few minutes; only then does silence mean something."""
SEAL_LATE_AFTER = dt.timedelta(minutes=10)
_ROWS = 8
_FACTS_KEPT_S = 60
_ICONS = {
    "bad": ("error", gettext_lazy("Needs attention")),
    "wait": ("schedule", gettext_lazy("Waiting")),
    "good": ("check_circle", gettext_lazy("In order")),
}


@dataclass(frozen=True)
class Row:
    """One line: what, how it stands, and where it leads (empty where the admin has no page for it)."""

    title: str
    note: str = ""
    side: str = ""
    href: str = ""
    tone: str = "wait"

    @property
    def icon(self) -> str:
        return _ICONS[self.tone][0]

    @property
    def word(self) -> str:
        """What the icon says, for those who don't see it."""
        return str(_ICONS[self.tone][1])


@dataclass(frozen=True)
class Panel:
    """A titled list of lines, with a sentence for when there are none."""

    title: str
    rows: list[Row]
    empty: str

    @property
    def bad(self) -> int:
        """How many lines are faults."""
        return sum(row.tone == "bad" for row in self.rows)


@dataclass(frozen=True)
class Fact:
    """A figure and what it is of."""

    label: str
    value: str
    sub: str = ""
    href: str = ""


def environment(request: HttpRequest) -> list[str] | None:
    """The badge in the head: an embedded site is a demo and says so."""
    return [_("Demo"), "warning"] if settings.EMBEDDED else None


def admin_home(request: HttpRequest, context: dict[str, Any]) -> dict[str, Any]:
    """django-unfold's DASHBOARD_CALLBACK: the context of `admin/index.html`."""
    user = request.user
    assert isinstance(user, User)
    now = timezone.now()
    panels = [
        panel
        for panel in (_late(user, now), _failed(user, now), _due(user, now), _waiting(user, now))
        if panel is not None
    ]
    machinery = _machinery(user, now)
    context.update(
        {
            "now": now,
            "greeting_name": user.get_short_name(),
            "panels": panels,
            "faults": sum(panel.bad for panel in panels) + sum(row.tone == "bad" for row in machinery),
            "facts": _facts(user, now),
            "pools": _pools()
            if user.has_perm("payments.view_account") or user.has_perm("draws.fund_draw")
            else [],
            "machinery": machinery,
        }
    )
    return context


def link(name: str, *args: Any, query: str = "") -> str:
    """Address of an admin page; empty where no such page is registered."""
    try:
        return reverse(f"admin:{name}", args=args) + (f"?{query}" if query else "")
    except NoReverseMatch:
        return ""


def _draw_row(draw: Draw, *, note: str, side: str, tone: str) -> Row:
    return Row(title=draw.title, note=note, side=side, href=link("draws_draw_change", draw.pk), tone=tone)


def _due(user: User, now: dt.datetime) -> Panel | None:
    """What happens by itself in the next 24 hours."""
    if not user.has_perm("draws.view_draw"):
        return None
    soon = Draw.objects.filter(status__in=(Draw.Status.ACTIVE, Draw.Status.EXECUTING)).filter(
        Q(draw_at__gt=now, draw_at__lte=now + SOON)
        | Q(closes_at__gt=now, closes_at__lte=now + SOON)
        | Q(opens_at__gt=now, opens_at__lte=now + SOON)
    )
    moments: list[tuple[dt.datetime, str, Draw]] = []
    for draw in soon.order_by("draw_at")[:_ROWS]:
        words = (
            (draw.opens_at, _("Entries open")),
            (draw.closes_at, _("Entries close")),
            (draw.draw_at, _("Draw")),
        )
        moments += [(at, word, draw) for at, word in words if now < at <= now + SOON]
    rows = [
        _draw_row(draw, note=f"{word}: {in_zone(at, draw.zone)}", side=str(naturaltime(at)), tone="wait")
        for at, word, draw in sorted(moments, key=lambda moment: moment[0])[:_ROWS]
    ]
    return Panel(
        _("Due in the next 24 hours"), rows, _("No draw opens, closes or is drawn in the next 24 hours.")
    )


def _late(user: User, now: dt.datetime) -> Panel | None:
    """What should have happened by now."""
    rows: list[Row] = []
    sees_draws, sees_deliveries = (
        user.has_perm("draws.view_draw"),
        user.has_perm("notifications.view_delivery"),
    )
    if not (sees_draws or sees_deliveries):
        return None
    if sees_draws:
        rows += [
            _draw_row(
                draw,
                note=_("Not drawn. Its time was %(at)s.") % {"at": in_zone(draw.draw_at, draw.zone)},
                side=late_by(draw, now),
                tone="bad",
            )
            for draw in Draw.objects.overdue(now).order_by("draw_at")[:_ROWS]
        ]
    if sees_deliveries:
        rows += _late_deliveries(now)
    return Panel(_("Late"), rows, _("Nothing is late."))


def _late_deliveries(now: dt.datetime) -> Iterable[Row]:
    late = Delivery.objects.filter(state__in=WAITING, next_attempt_at__lte=now - DELIVERY_LATE_AFTER)
    found = late.aggregate(oldest=Min("next_attempt_at"))
    if found["oldest"] is not None:
        count = late.order_by()[:10_001].count()
        yield Row(
            title=ngettext("%(n)s delivery is overdue", "%(n)s deliveries are overdue", count)
            % {"n": f"{count:,}" if count <= 10_000 else _("More than 10,000")},
            note=_("The oldest was due %(ago)s.") % {"ago": naturaltime(found["oldest"])},
            href=link("notifications_delivery_changelist"),
            tone="bad",
        )
    stuck = Message.objects.to_expand(now - DELIVERY_LATE_AFTER)
    if (count := stuck.count()) > 0:
        yield Row(
            title=ngettext("%(n)s message is not expanded", "%(n)s messages are not expanded", count)
            % {"n": f"{count:,}"},
            note=_("Its recipients have not been worked out yet; the sweep does it."),
            href=link("notifications_message_changelist"),
            tone="bad",
        )


def _failed(user: User, now: dt.datetime) -> Panel | None:
    """What went wrong and is not mended yet."""
    rows: list[Row] = []
    sees_draws, sees_deliveries = (
        user.has_perm("draws.view_draw"),
        user.has_perm("notifications.view_delivery"),
    )
    if not (sees_draws or sees_deliveries):
        return None
    if sees_draws:
        broken = Draw.objects.filter(status__in=(Draw.Status.ACTIVE, Draw.Status.EXECUTING)).exclude(
            execution_error=""
        )
        rows += [
            _draw_row(
                draw,
                note=draw.execution_error[:160],
                side=_("tries again %(when)s") % {"when": naturaltime(draw.next_attempt_at)}
                if draw.next_attempt_at
                else "",
                tone="bad",
            )
            for draw in broken.order_by("draw_at")[:_ROWS]
        ]
    if sees_deliveries:
        dead = (
            Delivery.objects.filter(state__in=DEAD_LETTERS).order_by().values("state").annotate(n=Count("pk"))
        )
        for item in sorted(dead, key=lambda each: str(each["state"])):
            state = DeliveryState(item["state"])
            rows.append(
                Row(
                    title=_("Deliveries: %(state)s") % {"state": state.label},
                    note=_("They are not tried again by themselves."),
                    side=f"{item['n']:,}",
                    href=link("notifications_delivery_changelist", query=f"state__exact={state}"),
                    tone="bad" if state in (DeliveryState.FAILED, DeliveryState.UNKNOWN) else "wait",
                )
            )
    return Panel(_("Failed"), rows, _("Nothing has failed."))


def _waiting(user: User, now: dt.datetime) -> Panel | None:
    """What goes on only when a person does something."""
    rows: list[Row] = []
    sees_draws, sees_awards = user.has_perm("draws.view_draw"), user.has_perm("draws.view_award")
    if not (sees_draws or sees_awards):
        return None
    if sees_draws:
        drafts = Draw.objects.filter(status=Draw.Status.DRAFT, closes_at__gt=now).prefetch_related("prizes")
        rows += [_draft_row(draw, now) for draw in drafts.order_by("opens_at")[:_ROWS]]
    if sees_awards:
        by_hand = Award.objects.filter(
            state=Award.State.CLAIMABLE, kind__in=(Prize.Kind.VOUCHER, Prize.Kind.PHYSICAL)
        )
        if count := by_hand.count():
            rows.append(
                Row(
                    title=ngettext("%(n)s prize to hand over", "%(n)s prizes to hand over", count)
                    % {"n": f"{count:,}"},
                    note=_("Vouchers and things that winners have not had yet."),
                    href=link("draws_award_changelist", query="state__exact=claimable"),
                )
            )
        owed = Award.objects.filter(state=Award.State.CLAIMABLE).exclude(unit="")
        if count := owed.count():
            first = owed.aggregate(first=Min("claim_until"))["first"]
            rows.append(
                Row(
                    title=ngettext(
                        "%(n)s prize waits to be claimed", "%(n)s prizes wait to be claimed", count
                    )
                    % {"n": f"{count:,}"},
                    note=_("Their winners have no account yet. The first claim ends %(when)s.")
                    % {"when": naturaltime(first)}
                    if first
                    else "",
                    href=link("draws_award_changelist", query="state__exact=claimable"),
                )
            )
    return Panel(_("Waiting for a person"), rows, _("Nobody has to do anything."))


def _draft_row(draw: Draw, now: dt.datetime) -> Row:
    missing = [format_amount(amount, unit) for unit, amount in sorted(shortfall(draw).items())]
    should_be_open = draw.opens_at <= now
    note = (
        _("Draft: not published though its entries should be open.")
        if should_be_open
        else _("Draft: to be published.")
    )
    if missing:
        note += " " + _("Its pool lacks %(amount)s.") % {"amount": ", ".join(missing)}
    return _draw_row(
        draw, note=note, side=str(naturaltime(draw.opens_at)), tone="bad" if should_be_open else "wait"
    )


def _facts(user: User, now: dt.datetime) -> list[Fact]:
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
        awarded = (
            Award.objects.filter(created_at__gte=since).exclude(state=Award.State.REVERSED).exclude(unit="")
        )
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


def _pools() -> list[dict[str, Any]]:
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


def _machinery(user: User, now: dt.datetime) -> list[Row]:
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
    if user.has_perm("draws.view_draw") or user.has_perm("notifications.view_delivery"):
        last = PeriodicTask.objects.aggregate(last=Max("last_run_at"))["last"]
        is_silent = last is None or last < now - BEAT_LATE_AFTER
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
    return rows
