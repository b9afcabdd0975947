"""Lines of the admin's home: what is late, failed, due, or waiting for a person.

Each panel asks first whether the person may see what it is about. Every line leads to the thing it speaks of
where the admin has a page for it.
"""

import datetime as dt
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from django.contrib.humanize.templatetags.humanize import naturaltime
from django.db.models import Count, Min, Q
from django.urls import NoReverseMatch, reverse
from django.utils.text import Truncator
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext

from accounts.models import Erasure, User
from config.models import Alarm
from draws.admin.clocks import in_zone, late_by
from draws.admin.overview import shortfalls
from draws.models import AnnouncedText, Award, Draw
from notifications.models import DEAD_LETTERS, WAITING, Delivery, Message
from notifications.models import State as DeliveryState
from payments.approvals import amounts_text, waiting, waiting_for, words_of_act
from payments.money import format_amount

SOON = dt.timedelta(hours=24)
DELIVERY_LATE_AFTER = dt.timedelta(minutes=5)
_ROWS = 8
_UNDER_WAY = (Draw.Status.ACTIVE, Draw.Status.EXECUTING)
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


def link(name: str, *args: Any, query: str = "") -> str:
    """Address of an admin page; empty where no such page is registered."""
    try:
        return reverse(f"admin:{name}", args=args) + (f"?{query}" if query else "")
    except NoReverseMatch:
        return ""


def panels_for(user: User, *, now: dt.datetime) -> list[Panel]:
    """The panels this person may see, the most urgent first."""
    found = (_alarms(user, now), _late(user, now), _failed(user, now), _due(user, now), _waiting(user, now))
    return [panel for panel in found if panel is not None]


def _alarms(user: User, now: dt.datetime) -> Panel | None:
    """What the watcher has found and is not over. Shown only while there is something."""
    if not user.has_perm("config.view_alarm"):
        return None
    rows = [
        Row(
            title=alarm.title,
            note=alarm.detail[:160] or alarm.mend[:160],
            side=str(naturaltime(alarm.raised_at)),
            href=link("config_alarm_change", alarm.pk),
            tone="bad",
        )
        for alarm in Alarm.objects.open()[:_ROWS]
    ]
    return Panel(_("Alarms"), rows, "") if rows else None


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
            note=_("Who receives it has not been worked out yet; the sweep does it."),
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
                note=Truncator(draw.execution_error).words(30),
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
    sees_approvals = user.has_perm("payments.view_approval")
    erases = user.has_perm("accounts.erase_person")
    if not (sees_draws or sees_awards or sees_approvals or erases):
        return None
    if erases:
        held = Erasure.objects.waiting().exclude(problem="").order_by("due_at")
        rows += [
            Row(
                title=_("An erasure is held up"),
                note=erasure.problem,
                side=str(naturaltime(erasure.due_at)),
                href=link("accounts_erasure_change", erasure.pk),
                tone="bad",
            )
            for erasure in held[:_ROWS]
        ]
    if sees_approvals:
        rows += _approval_rows(user, now)
    if sees_draws:
        drafts = Draw.objects.filter(status=Draw.Status.DRAFT, closes_at__gt=now).prefetch_related("prizes")
        first = list(drafts.order_by("opens_at")[:_ROWS])
        lacks = shortfalls(first)
        rows += [_draft_row(draw, lacks[draw.pk], now) for draw in first]
        texts = AnnouncedText.objects.filter(confirmed_at=None, rejected_at=None, draw__status__in=_UNDER_WAY)
        rows += [_text_row(text, user) for text in texts.select_related("draw", "entered_by")[:_ROWS]]
        vacant = Draw.objects.filter(vacant_slots__gt=0).order_by("draw_at")
        rows += [_vacant_row(draw) for draw in vacant[:_ROWS]]
    if sees_awards:
        if count := Award.objects.to_send().count():
            rows.append(
                Row(
                    title=ngettext("%(n)s prize to send", "%(n)s prizes to send", count)
                    % {"n": f"{count:,}"},
                    note=_("Their winners have said where to."),
                    href=link("draws_award_changelist", query="state__exact=claimed&kind=physical"),
                )
            )
        owed = Award.objects.filter(state=Award.State.CLAIMABLE)
        if count := owed.count():
            first = owed.aggregate(first=Min("claim_until"))["first"]
            rows.append(
                Row(
                    title=ngettext(
                        "%(n)s prize waits to be claimed", "%(n)s prizes wait to be claimed", count
                    )
                    % {"n": f"{count:,}"},
                    note=_("The first claim ends %(when)s; then the next in line has it.")
                    % {"when": naturaltime(first)}
                    if first
                    else "",
                    href=link("draws_award_changelist", query="state__exact=claimable"),
                )
            )
    return Panel(_("Waiting for a person"), rows, _("Nobody has to do anything."))


def _text_row(text: AnnouncedText, user: User) -> Row:
    note = _("%(who)s has entered the announced text: another admin looks it up and confirms it.")
    side = _("another confirms") if text.entered_by_id == user.pk else _("for you to confirm")
    return _draw_row(text.draw, note=note % {"who": text.entered_by}, side=side, tone="wait")


def _vacant_row(draw: Draw) -> Row:
    slots = ngettext("%(n)d prize", "%(n)d prizes", draw.vacant_slots) % {"n": draw.vacant_slots}
    note = _("%(slots)s without a winner, and no alternate left: extend the ranks, or close the vacancies.")
    return _draw_row(draw, note=note % {"slots": slots}, side="", tone="wait")


def _approval_rows(user: User, now: dt.datetime) -> Iterable[Row]:
    """What waits for this person's word, and what they asked for and others have to decide about."""
    mine = waiting(now=now).filter(requested_by=user)
    for asked, side in ((waiting_for(user, now=now), _("for you to decide")), (mine, _("another decides"))):
        for approval in asked.select_related("requested_by")[:_ROWS]:
            yield Row(
                title=f"{words_of_act(approval.kind)}: {amounts_text(approval)}",
                note=_("%(who)s asks: “%(reason)s” It expires %(when)s.")
                % {
                    "who": approval.requested_by,
                    "reason": approval.reason[:120],
                    "when": naturaltime(approval.expires_at),
                },
                side=side,
                href=link("payments_approval_change", approval.pk),
            )


def _draft_row(draw: Draw, lacks: dict[str, int], now: dt.datetime) -> Row:
    missing = [format_amount(amount, unit) for unit, amount in sorted(lacks.items())]
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
