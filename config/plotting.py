"""The geometry of plots: from numbers to places, without a pixel of their width.

A plot is as wide as its place and keeps its height, so across everything is a share of the width (0 to 100) and
upwards a number of units of `HEIGHT`, with 0 at the top as SVG has it. Pure: no Django, no colours, no words.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import floor, log10

_LINE_CHARACTERS = 36  # small ones, beside the axis on a screen of 360 px
HEIGHT = 160
"""Units from the base line to the top of a plot."""


@dataclass(frozen=True, slots=True)
class Scale:
    """An axis from 0 to `top`, marked at `ticks` (round numbers, the first 0, the last `top`)."""

    top: float
    ticks: tuple[float, ...]

    def y(self, value: float) -> float:
        """Where a value stands; values beyond the axis stand at its end."""
        share = min(max(value / self.top, 0.0), 1.0) if self.top else 0.0
        return round(HEIGHT * (1 - share), 2)


@dataclass(frozen=True, slots=True)
class Block:
    """A rectangle for one value: of category `at`, in series `series`."""

    at: int
    series: int
    x: float
    y: float
    width: float
    height: float


def scale_for(most: float, *, ticks: int = 4, whole: bool = False) -> Scale:
    """An axis that reaches `most`, in at most `ticks` steps of 1, 2, 2.5 or 5 times a power of ten.

    `whole`: only whole numbers are marked, for what is counted. Nothing above 0 gives an axis to 1.
    """
    if not most > 0:
        return Scale(1.0, (0.0, 1.0))
    if whole:
        most = max(most, 1.0)
    decade = 10.0 ** floor(log10(most / ticks))
    steps = [factor * power for power in (decade, 10 * decade) for factor in (1, 2, 2.5, 5)]
    if whole:
        steps = [step for step in steps if step >= 1 and step == int(step)]
    step = min(step for step in steps if step * ticks >= most * (1 - 1e-9))
    count = next(number for number in range(1, ticks + 1) if number * step >= most * (1 - 1e-9))
    return Scale(count * step, tuple(number * step for number in range(count + 1)))


def columns(series: Sequence[Sequence[float]], scale: Scale, *, gap: float = 0.25) -> list[Block]:
    """Stacked columns, one for each place in the series; `gap` is the share of each place that stays empty.

    `series[s][i]` is the value of series s at place i, from 0. The first series stands at the bottom. Values of 0
    have no block.
    """
    places = len(series[0]) if series else 0
    pitch = 100 / places if places else 0.0
    blocks = []
    for at in range(places):
        below = 0.0
        for number, values in enumerate(series):
            if values[at] <= 0:
                continue
            bottom, top = scale.y(below), scale.y(below + values[at])
            blocks.append(
                Block(
                    at,
                    number,
                    x=round((at + gap / 2) * pitch, 4),
                    y=top,
                    width=round((1 - gap) * pitch, 4),
                    height=round(bottom - top, 2),
                )
            )
            below += values[at]
    return blocks


def line(values: Sequence[float | None], scale: Scale) -> list[list[tuple[float, float]]]:
    """The points of a line, (x, y) with x at the middle of each place; a None parts the line in two."""
    pitch = 100 / len(values) if values else 0.0
    parts: list[list[tuple[float, float]]] = [[]]
    for at, value in enumerate(values):
        if value is None:
            parts.append([])
        else:
            parts[-1].append((round((at + 0.5) * pitch, 4), scale.y(value)))
    return [part for part in parts if part]


def shares(values: Sequence[float], most: float) -> list[tuple[float, float]]:
    """(start, width) of parts laid end to end along a row that is `most` long, in hundredths of its length."""
    parts, start = [], 0.0
    for value in values:
        width = 100 * max(value, 0.0) / most if most > 0 else 0.0
        parts.append((round(start, 4), round(width, 4)))
        start += width
    return parts


def labelled(places: int, *, longest: int = 5) -> list[int]:
    """Which places have a label beneath them: evenly apart, the first among them, from 2 to 6.

    `longest` is the number of characters of the longest label: they fit side by side on a phone.
    """
    most = min(max(_LINE_CHARACTERS // (longest + 1), 2), 6)
    step = -(-places // most) if places else 1
    return list(range(0, places, step))


def middle(at: int, places: int) -> float:
    """The middle of a place, as a share of the width."""
    return round((at + 0.5) * 100 / places, 4)
