"""The analytics of the draws in the admin: plots over a span of days, and each of their tables as CSV."""

import csv
import datetime as dt
import zoneinfo
from collections.abc import Iterator
from typing import Any

from django import forms
from django.contrib import admin
from django.core.cache import cache
from django.core.exceptions import PermissionDenied
from django.http import Http404, HttpRequest, HttpResponse, StreamingHttpResponse
from django.template.response import TemplateResponse
from django.urls import path
from django.utils import timezone
from django.utils.translation import get_language, gettext_lazy
from django.utils.translation import gettext as _

from accounts.models import User
from draws.analytics import REPORTS, Period, Report, Table, day_label
from draws.models import Prize
from notifications.csv_cells import defused
from payments.money import plain_amount

PERMISSION = "draws.view_drawreport"
DAYS = 90
_MOST_DAYS = 3 * 366
_SPANS = (7, 30, 90, 365)
_KEPT_S = 60


class PeriodForm(forms.Form):
    """From which day to which, both whole days of the reader's zone."""

    first = forms.DateField(
        label=gettext_lazy("From"), widget=forms.DateInput(attrs={"type": "date"}, format="%Y-%m-%d")
    )
    last = forms.DateField(
        label=gettext_lazy("to"), widget=forms.DateInput(attrs={"type": "date"}, format="%Y-%m-%d")
    )

    def clean(self) -> dict[str, Any]:
        data = super().clean() or {}
        first, last = data.get("first"), data.get("last")
        if first and last:
            if first > last:
                raise forms.ValidationError(_("The first day is after the last."))
            if (last - first).days >= _MOST_DAYS:
                raise forms.ValidationError(_("Choose at most three years."))
            if first.year < 2000 or last.year > 2200:
                raise forms.ValidationError(_("Choose days of this century."))
        return data


def chosen_period(request: HttpRequest, now: dt.datetime) -> tuple[Period, PeriodForm]:
    """The period asked for, or the last 90 days where none, or none that makes sense, was given."""
    zone = timezone.get_current_timezone()
    assert isinstance(zone, zoneinfo.ZoneInfo)
    today = timezone.localtime(now, zone).date()
    usual = {"first": today - dt.timedelta(days=DAYS - 1), "last": today}
    form = PeriodForm(request.GET) if {"first", "last"} & set(request.GET) else PeriodForm(initial=usual)
    days = form.cleaned_data if form.is_bound and form.is_valid() else usual
    return Period(days["first"], days["last"], zone), form


def analytics_page(request: HttpRequest) -> HttpResponse:
    """Every table as a plot."""
    _require_permission(request)
    now = timezone.now()
    period, form = chosen_period(request, now)
    tables = {report.name: _kept(report, period) for report in REPORTS}
    query = f"first={period.first.isoformat()}&last={period.last.isoformat()}"
    today = timezone.localtime(now).date()
    spans = [{"days": days, "first": today - dt.timedelta(days=days - 1), "last": today} for days in _SPANS]
    return TemplateResponse(
        request,
        "admin/draws/analytics.html",
        {
            **admin.site.each_context(request),
            "title": _("Analytics"),
            "period": period,
            "form": form,
            "query": query,
            "spans": [
                {**span, "is_chosen": (span["first"], span["last"]) == (period.first, period.last)}
                for span in spans
            ],
            "facts": _facts(tables),
            "figures": [
                {"report": report, "plots": PLOTS[report.name](tables[report.name])} for report in REPORTS
            ],
        },
    )


def analytics_csv(request: HttpRequest, name: str) -> StreamingHttpResponse:
    """One table, streamed; amounts as decimals of their unit."""
    _require_permission(request)
    report = next((each for each in REPORTS if each.name == name), None)
    if report is None:
        raise Http404
    period, form = chosen_period(request, timezone.now())
    if form.is_bound and not form.is_valid():
        raise Http404
    lines = _csv(report.table(period), _AMOUNTS.get(name))
    response = StreamingHttpResponse(lines, content_type="text/csv; charset=utf-8")
    file_name = f"{name}-{period.first.isoformat()}-{period.last.isoformat()}.csv"
    response["Content-Disposition"] = f'attachment; filename="{file_name}"'
    return response


def _kept(report: Report, period: Period) -> Table:
    """The table, at most a minute old: counting a million entries takes a second."""
    key = f"draws:analytics:{report.name}:{period.first}:{period.last}:{period.zone.key}:{get_language()}"
    table = cache.get_or_set(key, lambda: report.table(period), _KEPT_S)
    assert isinstance(table, Table)
    return table


def _require_permission(request: HttpRequest) -> None:
    if not isinstance(request.user, User) or not request.user.has_perm(PERMISSION):
        raise PermissionDenied


# Where a table holds minor units: the column with the unit, and the columns with amounts.
_AMOUNTS = {"awarded-by-month": (1, (3, 4, 5)), "pool-use": (0, (1, 2, 3, 4, 5, 6, 7))}


class _Echo:
    """What `csv.writer` writes to when the line itself is wanted."""

    def write(self, line: str) -> str:
        return line


def _csv(table: Table, amounts: tuple[int, tuple[int, ...]] | None) -> Iterator[str]:
    writer = csv.writer(_Echo())
    yield writer.writerow([defused(str(column)) for column in table.columns])
    for row in table.rows:
        cells = [_cell(value) for value in row]
        if amounts:
            unit, places = amounts
            for place in places:
                cells[place] = plain_amount(row[place], row[unit])
        yield writer.writerow(cells)


def _cell(value: Any) -> Any:
    """Numbers stay numbers; what a person may have typed is defused."""
    if value is None:
        return ""
    if isinstance(value, float):
        return f"{value:.6g}"
    return value if isinstance(value, int | dt.date) else defused(str(value))


def _facts(tables: dict[str, Table]) -> list[dict[str, str]]:
    """The sums at the head of the page."""
    weeks, days, late = tables["draws-by-week"], tables["entries-per-day"], tables["lateness"].rows[0]
    failed = sum(weeks.column(3))
    return [
        {"label": _("Draws executed"), "value": f"{sum(weeks.column(2)):,}", "sub": ""},
        {"label": _("Failed at least once"), "value": f"{failed:,}", "sub": ""},
        {
            "label": _("Entries"),
            "value": f"{sum(days.column(1)):,}",
            "sub": _("%(n)s tickets") % {"n": f"{sum(days.column(2)):,}"},
        },
        {
            "label": _("Worst lateness"),
            "value": "–" if late[3] is None else _("%(n)s s") % {"n": f"{late[3]:,.1f}"},
            "sub": "" if late[1] is None else _("median %(n)s s") % {"n": f"{late[1]:,.1f}"},
        },
    ]


# What is plotted of each table: keyword arguments of `{% plot %}`, one plot or several.


def _plot(
    kind: str, name: str, labels: list[Any], *series: tuple[Any, list[Any]], **more: Any
) -> dict[str, Any]:
    return {
        "kind": kind,
        "name": name,
        "labels": labels,
        "series": series,
        "form": more.pop("form", "count"),
        "heading": more.pop("heading", False),
        "title": more.pop("title", ""),
        "label_title": more.pop("label_title", ""),
    }


def _draws_by_week(table: Table) -> list[dict[str, Any]]:
    series = [(table.columns[place], table.column(place)) for place in (1, 2, 3)]
    labels = [day_label(day) for day in table.column(0)]
    return [_plot("lines", "draws-by-week", labels, *series, label_title=table.columns[0])]


def _entries_per_day(table: Table) -> list[dict[str, Any]]:
    labels = [day_label(day) for day in table.column(0)]
    return [
        _plot(
            "area", "entries-per-day", labels, (_("Entries"), table.column(1)), label_title=table.columns[0]
        )
    ]


def _names(name: str) -> Any:
    """A table of names and one number each."""

    def plots(table: Table) -> list[dict[str, Any]]:
        series = (table.columns[-1], table.column(len(table.columns) - 1))
        return [_plot("rows", name, table.column(0), series, label_title=table.columns[0])]

    return plots


def _awarded(table: Table) -> list[dict[str, Any]]:
    """One plot for each unit: units can't be added up."""
    plots = []
    for unit in sorted({row[1] for row in table.rows}, key=lambda unit: (unit in ("CREDIT", "POINT"), unit)):
        rows = [row for row in table.rows if row[1] == unit]
        labels = [row[0].strftime("%Y-%m") for row in rows]
        if not unit:
            series = [(_("Prizes"), [row[2] for row in rows])]
            form, title = "count", _("Vouchers and things")
        else:
            series = [
                (_("Paid"), [row[4] for row in rows]),
                (_("Waiting to be claimed"), [row[3] - row[4] for row in rows]),
                (_("Fell back"), [row[5] for row in rows]),
            ]
            form, title = unit, unit
        plots.append(
            _plot(
                "columns",
                f"awarded-{unit.lower() or 'things'}",
                labels,
                *series,
                form=form,
                title=title,
                heading=True,
                label_title=table.columns[0],
            )
        )
    return plots


def _pool_use(table: Table) -> list[dict[str, Any]]:
    return [
        _plot(
            "rows",
            f"pool-{row[0].lower()}",
            list(table.columns[1:]),
            (row[0], list(row[1:])),
            form=row[0],
            title=row[0],
            heading=True,
        )
        for row in table.rows
    ]


def _claims(table: Table) -> list[dict[str, Any]]:
    kinds = dict(Prize.Kind.choices)
    labels = [str(kinds.get(kind, kind)) for kind in table.column(0)]
    series = [(table.columns[place], table.column(place)) for place in (2, 3, 4, 5, 6)]
    plots = [_plot("rows", "claims", labels, *series, label_title=table.columns[0])]
    if any(rate is not None for rate in table.column(7)):
        rates = [(labels[at], rate) for at, rate in enumerate(table.column(7)) if rate is not None]
        plots.append(
            _plot(
                "rows",
                "claim-rate",
                [label for label, _rate in rates],
                (table.columns[7], [rate for _label, rate in rates]),
                form="percent",
                title=table.columns[7],
                heading=True,
            )
        )
    if any(time is not None for time in table.column(8)):
        times = [
            row for row in zip(labels, table.column(8), table.column(9), strict=True) if row[1] is not None
        ]
        plots.append(
            _plot(
                "rows",
                "claim-time",
                [label for label, *_times in times],
                (table.columns[8], [median for _label, median, _most in times]),
                form="seconds",
                title=_("Median time to claim"),
                heading=True,
            )
        )
    return plots


def _lateness(table: Table) -> list[dict[str, Any]]:
    row = table.rows[0]
    labels = [str(column).removesuffix(" (s)") for column in table.columns[1:]]
    return [
        _plot("rows", "lateness", labels, (_("Seconds"), [value or 0 for value in row[1:]]), form="seconds")
    ]


def _lateness_spread(table: Table) -> list[dict[str, Any]]:
    series = (table.columns[1], table.column(1))
    return [_plot("histogram", "lateness-spread", table.column(0), series, label_title=table.columns[0])]


PLOTS = {
    "draws-by-week": _draws_by_week,
    "entries-per-day": _entries_per_day,
    "entries-per-draw": _names("entries-per-draw"),
    "awarded-by-month": _awarded,
    "pool-use": _pool_use,
    "winners-by-country": _names("winners-by-country"),
    "winners-by-age": _names("winners-by-age"),
    "claims": _claims,
    "lateness": _lateness,
    "lateness-spread": _lateness_spread,
}

urlpatterns = [
    path("", admin.site.admin_view(analytics_page), name="draws_analytics"),
    path("<slug:name>.csv", admin.site.admin_view(analytics_csv), name="draws_analytics_csv"),
]
