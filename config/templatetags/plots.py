"""`{% plot %}`: plots as SVG that the server draws, for any page. No script, and nothing that a strict policy refuses.

Each is a figure with a title, a sentence of what it shows for those who don't see it, and its numbers as a table.
"""

from collections.abc import Sequence
from typing import Any

from django import template
from django.template.loader import render_to_string
from django.utils.safestring import SafeString
from django.utils.translation import gettext as _

from config import plotting
from payments.money import exponent_of, format_amount

register = template.Library()

KINDS = ("columns", "histogram", "lines", "area", "rows")
_COLOURS = 6


@register.filter
def percent(share: float) -> str:
    """A share of 1 as `12.34 %`."""
    return _written(share, "percent")


@register.simple_tag
def plot(
    kind: str,
    *,
    name: str,
    title: Any,
    labels: Sequence[Any],
    series: Sequence[tuple[Any, Sequence[float | None]]],
    form: str = "count",
    label_title: Any = "",
    note: Any = "",
    heading: bool = True,
    hrefs: Sequence[str] = (),
) -> SafeString:
    """A plot of one or more series over the same labels.

    `kind`: `columns` (stacked where there are several series), `histogram` (columns without gaps), `lines`, `area`, `rows`
    (across, for names). `name` is its id on the page. `series` are (name, values), as many values as labels, from 0;
    a None parts a line. `form` says how values are written: `count`, `percent` (a share of 1), `seconds`, or a unit
    of money. `heading=False` where a heading with the same words stands above it. `hrefs`: for each label the address where
    its numbers can be looked into, or an empty text; they stand in the table.
    """
    if kind not in KINDS:
        raise template.TemplateSyntaxError(f"{kind!r} is no kind of plot: {', '.join(KINDS)}")
    if any(len(values) != len(labels) for _name, values in series):
        raise template.TemplateSyntaxError("every series of a plot needs a value for every label")
    if hrefs and len(hrefs) != len(labels):
        raise template.TemplateSyntaxError(
            "a plot with addresses needs one for every label, if only an empty one"
        )
    rows = [[value or 0.0 for value in values] for _name, values in series]
    stacked = [sum(column) for column in zip(*rows, strict=True)]
    whole = form == "count"
    context: dict[str, Any] = {
        "kind": kind,
        "name": name,
        "title": title,
        "heading": heading,
        "note": note,
        "label_title": label_title or _("Label"),
        "legend": [
            {"name": each, "colour": number % _COLOURS + 1} for number, (each, _v) in enumerate(series)
        ],
        "is_empty": not labels if kind == "rows" else not any(map(any, rows)),
        "description": _description(labels, stacked if kind != "lines" else rows[0] if rows else [], form),
        "table": [
            {
                "label": label,
                "href": hrefs[at] if hrefs else "",
                "values": [_written(values[at], form) for _name, values in series],
            }
            for at, label in enumerate(labels)
        ],
        "height": plotting.HEIGHT,
    }
    if kind == "rows":
        context |= _across(labels, rows, stacked, form)
    else:
        tops = (
            stacked
            if kind in ("columns", "histogram")
            else [max(column) for column in zip(*rows, strict=True)]
        )
        scale = plotting.scale_for(max(tops, default=0), whole=whole)
        context |= _upright(kind, labels, series, rows, scale, form)
    return render_to_string("components/plot.html", context)


def _upright(
    kind: str,
    labels: Sequence[Any],
    series: Sequence[tuple[Any, Sequence[float | None]]],
    rows: list[list[float]],
    scale: plotting.Scale,
    form: str,
) -> dict[str, Any]:
    places = len(labels)
    if not places:
        return {}
    found: dict[str, Any] = {
        "ticks": [{"y": scale.y(tick), "text": _short(tick, form)} for tick in scale.ticks],
        "labels": [
            {"x": plotting.middle(at, places), "text": labels[at]}
            for at in plotting.labelled(places, longest=max(len(str(label)) for label in labels))
        ],
    }
    if kind in ("columns", "histogram"):
        found["blocks"] = [
            {
                "block": block,
                "colour": block.series % _COLOURS + 1,
                "text": f"{labels[block.at]}: {_written(rows[block.series][block.at], form)}",
            }
            for block in plotting.columns(rows, scale, gap=0.25 if kind == "columns" else 0.04)
        ]
        return found
    lines = []
    for number, (_name, values) in enumerate(series):
        for part in plotting.line(values, scale):
            points = " ".join(f"{x:g},{y:g}" for x, y in part)
            base = f"{part[-1][0]:g},{plotting.HEIGHT} {part[0][0]:g},{plotting.HEIGHT}"
            lines.append(
                {
                    "points": points,
                    "area": f"{points} {base}" if kind == "area" else "",
                    "dots": part if len(values) <= 31 else part[:1] if len(part) == 1 else [],
                    "colour": number % _COLOURS + 1,
                }
            )
    found["lines"] = lines
    return found


def _across(
    labels: Sequence[Any], rows: list[list[float]], stacked: list[float], form: str
) -> dict[str, Any]:
    most = max(stacked, default=0)
    return {
        "rows": [
            {
                "label": label,
                "value": _written(stacked[at], form),
                "parts": [
                    {"x": start, "width": width, "colour": number % _COLOURS + 1}
                    for number, (start, width) in enumerate(
                        plotting.shares([values[at] for values in rows], most)
                    )
                    if width
                ],
            }
            for at, label in enumerate(labels)
        ]
    }


def _description(labels: Sequence[Any], values: Sequence[float], form: str) -> str:
    """What one sees at a glance, in words."""
    if not labels or not any(values):
        return _("Nothing to show in this time.")
    most = max(range(len(values)), key=lambda at: values[at])
    if len(labels) == 1:
        return f"{labels[0]}: {_written(values[0], form)}"
    return _("From %(first)s to %(last)s; the most is %(value)s at %(label)s.") % {
        "first": labels[0],
        "last": labels[-1],
        "value": _written(values[most], form),
        "label": labels[most],
    }


def _written(value: float | None, form: str) -> str:
    if value is None:
        return "–"
    match form:
        case "count":
            return f"{value:,.0f}"
        case "percent":
            return f"{100 * value:,.2f} %"
        case "seconds":
            return f"{value:,.1f} s" if value < 60 else f"{value / 60:,.1f} min"
    return format_amount(round(value), form)


def _short(value: float, form: str) -> str:
    """A mark on the axis: `2.5k`, `20 %`."""
    if form == "percent":
        return f"{100 * value:g} %"
    if form == "seconds":
        return f"{value:g} s"
    if form != "count":
        value = _major(value, form)
    for size, letter in ((1e9, "G"), (1e6, "M"), (1e3, "k")):
        if value >= size:
            return f"{value / size:g}{letter}"
    return f"{value:g}"


def _major(value: float, unit: str) -> float:
    return float(value / 10 ** exponent_of(unit))
