"""Covers: a picture for whatever has none, made from its slug and always the same for the same slug.

The SVG stands inline in the page and carries presentation attributes only: our content security policy refuses
`style`. It has no ids, so any number of covers can stand on one page.
"""

import hashlib
import math
from collections.abc import Callable, Iterator
from functools import lru_cache
from typing import NamedTuple

from django import template
from django.utils.html import format_html
from django.utils.safestring import SafeString, mark_safe

register = template.Library()

WIDTH, HEIGHT = 640, 360


class Palette(NamedTuple):
    """The colours of one cover: sky, ground, two of paint and one of light."""

    sky: str
    ground: str
    paint: str
    second: str
    light: str


PALETTES = (
    Palette("#17133a", "#2b2462", "#c81d5b", "#fbf4e2", "#ffce54"),
    Palette("#ffc233", "#f29d13", "#c81d5b", "#fff6df", "#17133a"),
    Palette("#0b6b66", "#084b52", "#ffc233", "#f7f1e3", "#ff8a5c"),
    Palette("#c81d5b", "#8c0c3d", "#ffc233", "#fde7ec", "#17133a"),
    Palette("#2d5fae", "#1b3c7c", "#ff8a5c", "#f7f1e3", "#ffce54"),
    Palette("#f7e6c4", "#e9c98e", "#17133a", "#c81d5b", "#0b8f78"),
)


class Dice:
    """Numbers out of a slug's SHA-256, byte by byte and over again when they run out."""

    def __init__(self, slug: str) -> None:
        self._bytes = self._stream(hashlib.sha256(slug.encode()).digest())

    @staticmethod
    def _stream(digest: bytes) -> Iterator[int]:
        while True:
            yield from digest
            digest = hashlib.sha256(digest).digest()

    def below(self, limit: int) -> int:
        """A whole number from 0 to `limit` - 1; `limit` at most 256."""
        return next(self._bytes) % limit

    def between(self, low: float, high: float) -> float:
        """A number from `low` to `high`, in 256 steps."""
        return low + (high - low) * next(self._bytes) / 255


def _polygon(points: list[tuple[float, float]], fill: str) -> str:
    text = " ".join(f"{x:.1f},{y:.1f}" for x, y in points)
    return f'<polygon points="{text}" fill="{fill}"/>'


def _circle(x: float, y: float, radius: float, fill: str, opacity: float = 1.0) -> str:
    faint = f' fill-opacity="{opacity:.2f}"' if opacity < 1 else ""
    return f'<circle cx="{x:.1f}" cy="{y:.1f}" r="{radius:.1f}" fill="{fill}"{faint}/>'


def _ticket(x: float, y: float, width: float, turn: float, fill: str, ink: str) -> str:
    """A raffle ticket about its middle, turned by degrees, with its perforation and two printed lines."""
    w, h, n = width, width * 0.5, width * 0.075
    paper = (
        f"M{-w / 2:.1f} {-h / 2:.1f}H{w / 2:.1f}V{-n:.1f}a{n:.1f} {n:.1f} 0 0 0 0 {2 * n:.1f}V{h / 2:.1f}"
        f"H{-w / 2:.1f}V{n:.1f}a{n:.1f} {n:.1f} 0 0 0 0 {-2 * n:.1f}Z"
    )
    return (
        f'<g transform="translate({x:.1f} {y:.1f}) rotate({turn:.1f})"><path d="{paper}" fill="{fill}"/>'
        f'<path d="M{w * 0.22:.1f} {-h * 0.42:.1f}V{h * 0.42:.1f}" stroke="{ink}" stroke-width="{w / 60:.1f}" '
        f'stroke-dasharray="{w / 26:.1f}" fill="none"/>'
        f'<path d="M{-w * 0.36:.1f} {-h * 0.14:.1f}H{w * 0.1:.1f}M{-w * 0.36:.1f} {h * 0.14:.1f}H{-w * 0.06:.1f}" '
        f'stroke="{ink}" stroke-width="{w / 14:.1f}" fill="none"/></g>'
    )


def _garland(dice: Dice, colours: Palette, top: float) -> str:
    """Two swags of bulbs across the picture."""
    sag = dice.between(56, 96)
    parts = [
        f'<path d="M-10 {top:.1f}q165 {sag:.1f} 330 0q165 {sag:.1f} 330 0" fill="none" '
        f'stroke="{colours.second}" stroke-opacity=".6" stroke-width="2"/>'
    ]
    for number in range(12):
        along = (
            number % 6 + 0.5
        ) / 6  # a quadratic curve with level ends: x runs evenly, y is 2t(1-t) of the sag
        x = -10 + 330 * (number // 6) + 330 * along
        y = top + 2 * along * (1 - along) * sag + 7
        fill = (colours.light, colours.second, colours.paint)[number % 3]
        parts += [_circle(x, y, 15, fill, 0.22), _circle(x, y, 6, fill)]
    return "".join(parts)


def _sunburst(dice: Dice, colours: Palette) -> str:
    """Rays behind one big ticket."""
    rays = 18 + 2 * dice.below(5)
    x, y, turn = 320.0, 360 * dice.between(0.5, 0.75), dice.between(0, 0.3)
    parts = []
    for ray in range(0, rays, 2):
        a, b = (2 * math.pi * (ray + step) / rays + turn for step in (0, 1))
        parts.append(
            _polygon(
                [
                    (x, y),
                    (x + 700 * math.cos(a), y + 700 * math.sin(a)),
                    (x + 700 * math.cos(b), y + 700 * math.sin(b)),
                ],
                colours.ground,
            )
        )
    parts.append(_circle(x, y, 148, colours.light, 0.25))
    parts.append(_ticket(x, y - 20, 270, dice.between(-16, 16), colours.second, colours.paint))
    return "".join(parts)


def _big_top(dice: Dice, colours: Palette) -> str:
    """A striped tent with a scalloped awning and a flag."""
    peak, foot, stripes = dice.between(52, 84), 232.0, 10
    left, right = 110.0, 530.0
    step = (right - left) / stripes
    parts = [f'<rect x="0" y="320" width="640" height="40" fill="{colours.ground}"/>']
    paints = [colours.paint if number % 2 else colours.second for number in range(stripes)]
    for number, fill in enumerate(paints):
        wall = left + 34 + number * (step - 6.8)
        parts.append(
            f'<rect x="{wall:.1f}" y="{foot:.1f}" width="{step - 6.5:.1f}" height="90" fill="{fill}"/>'
        )
    for number, fill in enumerate(paints):
        a, b = left + number * step, left + (number + 1) * step
        parts.append(_polygon([(320, peak), (a, foot), (b, foot)], fill))
        parts.append(
            f'<path d="M{a:.1f} {foot - 1:.1f}h{step:.1f}a{step / 2:.1f} 20 0 0 1 {-step:.1f} 0Z" fill="{fill}"/>'
        )
    parts.append(_polygon([(320, 222), (282, 322), (358, 322)], colours.sky))
    parts.append(f'<path d="M320 {peak:.1f}v-34" stroke="{colours.second}" stroke-width="5"/>')
    parts.append(_polygon([(320, peak - 36), (366, peak - 26), (320, peak - 14)], colours.light))
    parts += [_circle(dice.between(20, 620), dice.between(16, 130), 2.5, colours.light) for _ in range(14)]
    return "".join(parts)


def _wheel(dice: Dice, colours: Palette) -> str:
    """A big wheel with bulbs and cabins."""
    x, y, radius, turn = 320 + dice.between(-90, 90), 172.0, 128.0, dice.between(0, 0.5)
    parts = [
        f'<path d="M{x:.1f} {y:.1f}L{x - 92:.1f} 350M{x:.1f} {y:.1f}L{x + 92:.1f} 350" stroke="{colours.second}" stroke-width="9"/>',
        f'<rect x="0" y="330" width="640" height="30" fill="{colours.ground}"/>',
        f'<circle cx="{x:.1f}" cy="{y:.1f}" r="{radius}" fill="none" stroke="{colours.second}" stroke-width="6"/>',
        f'<circle cx="{x:.1f}" cy="{y:.1f}" r="{radius * 0.84:.1f}" fill="none" stroke="{colours.ground}" stroke-width="4"/>',
    ]
    for spoke in range(12):
        angle = turn + spoke * math.pi / 6
        dx, dy = math.cos(angle), math.sin(angle)
        parts.append(
            f'<path d="M{x:.1f} {y:.1f}l{radius * dx:.1f} {radius * dy:.1f}" stroke="{colours.second}" stroke-width="2"/>'
        )
        fill = colours.paint if spoke % 2 else colours.light
        cabin_x, cabin_y = x + radius * dx, y + radius * dy + 10
        parts.append(f'<path d="M{cabin_x - 15:.1f} {cabin_y:.1f}h30a15 17 0 0 1 -30 0Z" fill="{fill}"/>')
        parts.append(_circle(x + radius * 0.84 * dx, y + radius * 0.84 * dy, 5, colours.light))
    parts.append(_circle(x, y, 17, colours.paint))
    return "".join(parts)


def _drum(dice: Dice, colours: Palette) -> str:
    """The drum on its stand, with the tickets in it."""
    x, y, radius = 320.0, 176.0, 122.0
    parts = [
        _polygon([(x - 96, 350), (x - 54, 230), (x - 32, 230), (x - 62, 350)], colours.second),
        _polygon([(x + 96, 350), (x + 54, 230), (x + 32, 230), (x + 62, 350)], colours.second),
        _circle(x, y, radius + 10, colours.ground),
        _circle(x, y, radius, colours.sky),
        _circle(x, y, radius, colours.light, 0.16),
    ]
    fills = (colours.paint, colours.second, colours.light)
    for number in range(16):
        angle, out = dice.between(0, 2 * math.pi), dice.between(10, 84)
        parts.append(
            _ticket(
                x + out * math.cos(angle),
                y + 14 + out * math.sin(angle),
                54,
                dice.between(0, 180),
                fills[number % 3],
                colours.sky if number % 3 else colours.second,
            )
        )
    parts.append(
        f'<circle cx="{x}" cy="{y}" r="{radius + 4}" fill="none" stroke="{colours.second}" stroke-width="7" '
        f'stroke-dasharray="14 9"/><path d="M{x + radius + 6} {y}h46v-40" fill="none" stroke="{colours.second}" '
        f'stroke-width="9" stroke-linejoin="round"/>'
    )
    parts.append(_circle(x + radius + 52, y - 46, 13, colours.paint))
    return "".join(parts)


def _confetti(dice: Dice, colours: Palette) -> str:
    """Tickets thrown into the air."""
    parts = []
    fills = (colours.paint, colours.second, colours.light, colours.ground)
    for number in range(22):
        column, row = number % 6, number // 6
        x = 40 + column * 112 + dice.between(-34, 34) + (56 if row % 2 else 0)
        y = 44 + row * 92 + dice.between(-24, 24)
        fill = fills[dice.below(4)]
        ink = colours.sky if fill != colours.ground else colours.second
        parts.append(_ticket(x, y, dice.between(62, 118), dice.between(-70, 70), fill, ink))
    return "".join(parts)


MOTIFS: tuple[Callable[[Dice, Palette], str], ...] = (_sunburst, _big_top, _wheel, _drum, _confetti)
WITH_LIGHTS = (_wheel, _drum)


@lru_cache(maxsize=512)
def cover_svg(slug: str) -> str:
    """The inside of the cover's SVG for this slug, in a 640 × 360 frame. Kept: it is always the same."""
    dice = Dice(slug)
    palette = PALETTES[dice.below(len(PALETTES))]
    motif = MOTIFS[dice.below(len(MOTIFS))]
    picture = f'<rect width="{WIDTH}" height="{HEIGHT}" fill="{palette.sky}"/>' + motif(dice, palette)
    return picture + (_garland(dice, palette, dice.between(4, 18)) if motif in WITH_LIGHTS else "")


@register.simple_tag
def draw_cover(slug: str, title: str = "") -> SafeString:
    """An inline SVG for `slug`; with a title it is a picture to a screen reader, without one decoration."""
    inside = mark_safe(cover_svg(slug))  # numbers and our own colours only: nothing of the slug is in it
    frame = f"0 0 {WIDTH} {HEIGHT}"
    if title:
        return format_html(
            '<svg viewBox="{}" preserveAspectRatio="xMidYMid slice" role="img" focusable="false"><title>{}</title>{}</svg>',
            frame,
            title,
            inside,
        )
    return format_html(
        '<svg viewBox="{}" preserveAspectRatio="xMidYMid slice" aria-hidden="true" focusable="false">{}</svg>',
        frame,
        inside,
    )


@register.simple_tag
def fair_scene() -> SafeString:
    """The fair by night, wheel and tent, for dark stages that would stand empty."""
    colours = Palette("none", "#3a3280", "#c81d5b", "#fbf4e2", "#ffce54")
    wheel, tent = _wheel(Dice("wheel"), colours), _big_top(Dice("tent"), colours)
    picture = (
        f'<g transform="translate(-70 0)">{wheel}</g><g transform="translate(268 110) scale(.69)">{tent}</g>'
    )
    return format_html(
        '<svg viewBox="60 0 580 350" aria-hidden="true" focusable="false">{}</svg>', mark_safe(picture)
    )
