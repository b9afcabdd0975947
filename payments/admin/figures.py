"""Money in figures, a page of the admin for who may manage payments: each number leads to the list it is counted from."""

import datetime as dt
import zoneinfo
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlencode

from django.contrib import admin
from django.contrib.humanize.templatetags.humanize import naturaltime
from django.core.cache import cache
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse
from django.template.response import TemplateResponse
from django.urls import path, reverse
from django.utils import dateformat, timezone
from django.utils.translation import gettext as _

from accounts.models import User
from payments.analytics import DAYS, EventDay, MoneyFigures, Span, Spent, money_figures, most_spent
from payments.models import Payment, ReviewItem, Withdrawal
from payments.money import format_amount

PERMISSION = "payments.manage_payments"
_KEPT_S, _SPENT_KEPT_S = 60, 600
_PLACES = {  # what the lists of the admin show, and who may see it
    "payment": "payments.view_payment",
    "refund": "payments.view_refund",
    "reviewitem": "payments.view_reviewitem",
    "webhookevent": "payments.view_webhookevent",
    "withdrawal": "payments.view_withdrawal",
    "package": "payments.view_package",
}


@dataclass(frozen=True, slots=True)
class Fact:
    """A figure at the head of the page, and where it leads."""

    label: str
    value: str
    sub: str = ""
    href: str = ""


@dataclass(frozen=True, slots=True)
class Bar:
    """A named number with its share of the largest, in hundredths, and where it leads."""

    label: str
    value: str
    share: float
    note: str = ""
    href: str = ""


class Links:
    """Addresses of lists for one person: empty where they may not see them."""

    def __init__(self, user: User) -> None:
        self._user = user

    def to(self, place: str, **query: object) -> str:
        """The list of `place`, filtered."""
        if not self._user.has_perm(_PLACES[place]):
            return ""
        words = f"?{urlencode(query)}" if query else ""
        return reverse(f"admin:payments_{place}_changelist") + words

    def member(self, member_id: int) -> str:
        """The page of a member."""
        if not self._user.has_perm("accounts.view_user"):
            return ""
        return reverse("admin:accounts_user_change", args=[member_id])


def between(field: str, first: dt.date, last: dt.date) -> dict[str, str]:
    """The query that a list's filter of times has for these days."""
    return {
        f"{field}_from_0": first.isoformat(),
        f"{field}_from_1": "00:00:00",
        f"{field}_to_0": last.isoformat(),
        f"{field}_to_1": "23:59:59",
    }


def figures_page(request: HttpRequest) -> HttpResponse:
    """All of it, for the last 30 days; what is open is of now."""
    user = request.user
    if not isinstance(user, User) or not user.has_perm(PERMISSION):
        raise PermissionDenied
    now, zone = timezone.now(), timezone.get_current_timezone()
    assert isinstance(zone, zoneinfo.ZoneInfo)
    span = Span(timezone.localtime(now, zone).date(), zone)
    figures, spent, links = _kept(span), _kept_spent(), Links(user)
    return TemplateResponse(
        request,
        "admin/payments/figures.html",
        {
            **admin.site.each_context(request),
            "title": _("Money in figures"),
            "span": span,
            "day": _("Day"),
            "figures": figures,
            "is_empty": figures.is_empty and not spent,
            "packages": links.to("package"),
            "facts": _facts(figures, span, links, now),
            "lost": _lost_plot(figures, span, links),
            "reasons": _reason_bars(figures, span, links),
            "money": _money_plots(figures, span),
            "taken_href": links.to("payment", **_moments("settled_at", span)),
            "returned_href": links.to("refund", state__exact="processed", **_moments("finished_at", span)),
            "reviews": _review_bars(figures, links),
            "webhook": _webhook_plots(figures, span, links),
            "withdrawals": _withdrawal_bars(figures, links),
            "spenders": _spender_bars(spent, links),
        },
    )


def _kept(span: Span) -> MoneyFigures:
    """At most a minute old. Names of people are not in it."""
    key = f"payments:figures:{span.last}:{span.zone.key}"
    found = cache.get_or_set(key, lambda: money_figures(span=span), _KEPT_S)
    assert isinstance(found, MoneyFigures)
    return found


def _kept_spent() -> list[Spent]:
    """At most ten minutes old: it is over all sales there ever were."""
    found = cache.get_or_set("payments:most-spent", most_spent, _SPENT_KEPT_S)
    assert isinstance(found, list)
    return found


def _moments(field: str, span: Span) -> dict[str, str]:
    return {f"{field}__gte": span.since.isoformat(), f"{field}__lt": span.until.isoformat()}


def _since(moment: dt.datetime | None) -> str:
    return _("the oldest %(ago)s") % {"ago": naturaltime(moment)} if moment else ""


def _facts(figures: MoneyFigures, span: Span, links: Links, now: dt.datetime) -> list[Fact]:
    reviews = sum(one.count for one in figures.reviews.values())
    oldest = min((one.oldest_at for one in figures.reviews.values() if one.oldest_at), default=None)
    lost = sum(sum(day.values()) for day in figures.lost.values())
    rate, days = figures.success_rate, figures.events.values()
    waiting, failed = figures.events_waiting, figures.events_failed
    withdrawals = sum(one.count for one in figures.withdrawals)
    first = min((one.oldest_at for one in figures.withdrawals), default=None)
    in_time = between("created_at", span.first, span.last)
    events_in_time = between("first_at", span.first, span.last)
    return [
        Fact(_("For review"), f"{reviews:,}", _since(oldest), links.to("reviewitem")),
        Fact(
            _("Events waiting"),
            f"{waiting.count:,}",
            _since(waiting.oldest_at),
            links.to("webhookevent", which="waiting"),
        ),
        Fact(
            _("Events failed"),
            f"{failed.count:,}",
            _since(failed.oldest_at),
            links.to("webhookevent", state__exact="failed"),
        ),
        Fact(
            _("Withdrawals waiting"), f"{withdrawals:,}", _since(first), links.to("withdrawal", waits="yes")
        ),
        Fact(
            _("Refunds in doubt"),
            f"{figures.refunds_in_doubt.count:,}",
            _since(figures.refunds_in_doubt.oldest_at),
            links.to("refund", state__exact="requested"),
        ),
        Fact(
            _("Payments not paid"),
            f"{lost:,}",
            _("in %(n)d days") % {"n": DAYS},
            links.to("payment", status__in=",".join(Payment.LOST), **in_time),
        ),
        Fact(
            _("Webhook success"),
            "–" if rate is None else f"{100 * rate:.1f} %",
            _("of events worked on in %(n)d days") % {"n": DAYS},
            links.to("webhookevent", **events_in_time),
        ),
        Fact(
            _("Events repeated"),
            f"{sum(day.repeated for day in days):,}",
            _("%(n)s deliveries too many") % {"n": f"{sum(day.repeats for day in days):,}"},
            links.to("webhookevent", which="repeated", **events_in_time),
        ),
    ]


def _day_labels(span: Span) -> list[str]:
    return [dateformat.format(day, "j M") for day in span.days]


def _plot(
    kind: str, name: str, title: str, span: Span, *series: tuple[Any, list[Any]], **more: Any
) -> dict[str, Any]:
    """Keyword arguments of `{% plot %}` for something by day."""
    return {
        "kind": kind,
        "name": name,
        "title": title,
        "labels": _day_labels(span),
        "series": series,
        "form": more.get("form", "count"),
        "hrefs": more.get("hrefs", ()),
        "heading": more.get("heading", True),
        "note": more.get("note", ""),
    }


def _lost_plot(figures: MoneyFigures, span: Span, links: Links) -> dict[str, Any]:
    series = [
        (Payment.Status(status).label, [figures.lost.get(day, {}).get(status, 0) for day in span.days])
        for status in Payment.LOST
    ]
    hrefs = [
        links.to("payment", status__in=",".join(Payment.LOST), **between("created_at", day, day))
        if day in figures.lost
        else ""
        for day in span.days
    ]
    return _plot("columns", "lost", _("Payments not paid"), span, *series, hrefs=hrefs, heading=False)


def _bars(rows: Iterable[tuple[str, int, str, str, str]]) -> list[Bar]:
    """From (label, number, how it is written, note, address)."""
    found = list(rows)
    most = max((number for _label, number, *_rest in found), default=0)
    return [
        Bar(label, value, round(100 * number / most, 2) if most else 0, note, href)
        for label, number, value, note, href in found
    ]


def _reason_bars(figures: MoneyFigures, span: Span, links: Links) -> list[Bar]:
    rows = []
    for reason in figures.reasons:
        label = str(Payment.Status(reason.status).label)
        query = {"status__exact": reason.status, **between("created_at", span.first, span.last)}
        if reason.status == Payment.Status.FAILED:
            label = f"{label}: {reason.text or _('no reason was told')}"
            query["failure__exact"] = reason.text
        rows.append((label, reason.count, f"{reason.count:,}", "", links.to("payment", **query)))
    others = sum(sum(day.values()) for day in figures.lost.values()) - sum(
        one.count for one in figures.reasons
    )
    if others > 0:
        rows.append((_("Others"), others, f"{others:,}", "", ""))
    return _bars(rows)


def _money_plots(figures: MoneyFigures, span: Span) -> list[dict[str, Any]]:
    """One for each currency: they can't be added up."""
    plots = []
    for currency in figures.currencies:
        taken, returned = figures.taken.get(currency, {}), figures.returned.get(currency, {})
        note = _("%(taken)s taken, %(returned)s refunded or lost in disputes.") % {
            "taken": format_amount(sum(taken.values()), currency),
            "returned": format_amount(sum(returned.values()), currency),
        }
        series = [
            (_("Taken"), [taken.get(day, 0) for day in span.days]),
            (_("Refunded"), [returned.get(day, 0) for day in span.days]),
        ]
        plots.append(
            _plot("lines", f"money-{currency.lower()}", currency, span, *series, form=currency, note=note)
        )
    return plots


def _review_bars(figures: MoneyFigures, links: Links) -> list[Bar]:
    return _bars(
        (
            str(ReviewItem.Kind(kind).label),
            one.count,
            f"{one.count:,}",
            _since(one.oldest_at),
            links.to("reviewitem", kind__exact=kind),
        )
        for kind, one in figures.reviews.items()
    )


def _webhook_plots(figures: MoneyFigures, span: Span, links: Links) -> list[dict[str, Any]]:
    days = [figures.events.get(day, EventDay()) for day in span.days]
    hrefs = [
        links.to("webhookevent", **between("first_at", day, day)) if day in figures.events else ""
        for day in span.days
    ]
    plots = []
    if figures.events:
        rate = (_("Went through"), [day.rate for day in days])
        plots.append(
            _plot("lines", "rate", _("Share that went through"), span, rate, form="percent", hrefs=hrefs)
        )
        plots.append(
            _plot(
                "columns",
                "events",
                _("Events by day"),
                span,
                (_("Went through"), [day.good for day in days]),
                (_("Failed, or no event"), [day.bad for day in days]),
                (_("Not worked on yet"), [day.waiting for day in days]),
                hrefs=hrefs,
            )
        )
    if any(day.repeats for day in days):
        repeated = [
            links.to("webhookevent", which="repeated", **between("first_at", day, day))
            if figures.events.get(day, EventDay()).repeated
            else ""
            for day in span.days
        ]
        title, series = _("Deliveries too many"), (_("Repeats"), [day.repeats for day in days])
        plots.append(_plot("columns", "repeats", title, span, series, hrefs=repeated))
    if figures.refused:
        series = (_("Refused"), [figures.refused.get(day, 0) for day in span.days])
        plots.append(_plot("columns", "refused", _("Signatures refused"), span, series))
    return plots


def _withdrawal_bars(figures: MoneyFigures, links: Links) -> list[Bar]:
    return _bars(
        (
            f"{Withdrawal.State(one.state).label}, {one.unit}",
            one.count,
            f"{one.count:,} · {format_amount(one.amount, one.unit)}",
            _since(one.oldest_at),
            links.to("withdrawal", state__exact=one.state, unit__exact=one.unit),
        )
        for one in figures.withdrawals
    )


def _spender_bars(spent: list[Spent], links: Links) -> list[dict[str, Any]]:
    """For each currency those who paid most."""
    people = User.objects.in_bulk({one.member_id for one in spent})
    return [
        {
            "unit": unit,
            "bars": _bars(
                (
                    str(people[one.member_id]),
                    one.total,
                    format_amount(one.total, unit),
                    "",
                    links.member(one.member_id),
                )
                for one in spent
                if one.unit == unit and one.member_id in people
            ),
        }
        for unit in dict.fromkeys(one.unit for one in spent)
    ]


urlpatterns = [path("", admin.site.admin_view(figures_page), name="payments_figures")]
