"""Small charts as SVG text for a page whose style sheet gives the colours.

Every line, bar and dot carries a class ("s1", "s2", ...), so that one page is right in the dark and
in the light; nothing is fetched from anywhere.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from html import escape

from mien.evaluation.metrics import Reliability

WIDTH, HEIGHT = 460, 260  # units of the view box
LEFT, RIGHT, TOP, BOTTOM = 46, 20, 12, 40
Scale = Callable[[float], float]


@dataclass(frozen=True)
class Line:
    """One line of a chart; values that are NaN are left out."""

    name: str
    style: str  # "s1" to "s4", or "dim"
    x: Sequence[float]
    y: Sequence[float]
    dots: bool = False


def percent(value: float) -> str:
    """0.25 as "25 %"."""
    return f"{100 * value:.0f} %"


def plain(value: float) -> str:
    """A number as short as may be."""
    return f"{value:g}"


def ticks(low: float, high: float, most: int = 6) -> list[float]:
    """Round numbers from `low` to `high`, at most so many."""
    if not high > low:
        return [low]
    step = 10 ** math.floor(math.log10((high - low) / most))
    step *= next(f for f in (1, 2, 2.5, 5, 10) if (high - low) / (step * f) <= most)
    first = math.ceil(low / step - 1e-9)
    return [round(k * step, 10) for k in range(first, math.floor(high / step + 1e-9) + 1)]


def lines(
    series: Sequence[Line],
    across: str,
    x_text: Callable[[float], str] = plain,
    y_text: Callable[[float], str] = percent,
    y_range: tuple[float, float] | None = None,
    names: Sequence[str] | None = None,
    width: int = WIDTH,
    height: int = HEIGHT,
) -> str:
    """A line chart. With `names` the x are 0, 1, ... and bear these; else they are numbers."""
    points = [
        (x, y) for s in series for x, y in zip(s.x, s.y, strict=True) if not math.isnan(x + y)
    ]
    if not points:
        return ""
    xs, ys = [p[0] for p in points], [p[1] for p in points]
    low, high = y_range or _padded(min(ys), max(ys))
    margin = 0.5 if names else 0.0
    right = _scale(min(xs) - margin, max(xs) + margin, LEFT, width - RIGHT)
    up = _scale(low, high, height - BOTTOM, TOP)
    parts = _grid(up, ticks(low, high), y_text, width)
    if names:
        for place, name in enumerate(names):
            parts.append(_text(right(place), height - BOTTOM + 16, name, "middle"))
    else:
        for value in ticks(min(xs), max(xs), 8):
            parts.append(_text(right(value), height - BOTTOM + 16, x_text(value), "middle"))
    if across:
        parts.append(_text((LEFT + width - RIGHT) / 2, height - 4, across, "middle"))
    for s in series:
        there = [(right(x), up(y)) for x, y in zip(s.x, s.y, strict=True) if not math.isnan(x + y)]
        path = " ".join(f"{x:.1f},{y:.1f}" for x, y in there)
        if len(there) > 1:
            parts.append(f'<polyline class="line {s.style}" points="{path}"/>')
        if s.dots or len(there) == 1:
            parts += [
                f'<circle class="dot {s.style}" cx="{x:.1f}" cy="{y:.1f}" r="3"/>' for x, y in there
            ]
    return _svg(parts, width, height) + _legend(series)


def reliability(bins: Reliability, threshold: float | None = None) -> str:
    """Accuracy against confidence, a bar per bin, as wide as the bin and as strong as its share."""
    side = 300
    right = _scale(0, 1, LEFT, LEFT + side - 60)
    up = _scale(0, 1, side - BOTTOM, TOP)
    parts = _grid(up, ticks(0, 1, 5), percent, LEFT + side - 60 + RIGHT)
    most = max(1, int(bins.count.max()))
    for k, count in enumerate(bins.count):
        if not count:
            continue
        x, y = right(float(bins.edges[k])), up(float(bins.accuracy[k]))
        wide = right(float(bins.edges[k + 1])) - x - 1.5
        share = 0.25 + 0.75 * int(count) / most
        parts.append(
            f'<rect class="bar s1" x="{x:.1f}" y="{y:.1f}" width="{wide:.1f}" '
            f'height="{up(0) - y:.1f}" opacity="{share:.2f}"><title>{int(count)} faces: confidence '
            f"{bins.confidence[k]:.1%}, right {bins.accuracy[k]:.1%}</title></rect>"
        )
        centre = right(float(bins.confidence[k]))
        parts.append(f'<circle class="dot s2" cx="{centre:.1f}" cy="{y:.1f}" r="3.5"/>')
    parts.append(
        f'<line class="line dim" x1="{right(0)}" y1="{up(0)}" x2="{right(1)}" y2="{up(1)}"/>'
    )
    if threshold is not None:
        x = right(threshold)
        parts.append(f'<line class="line s4" x1="{x:.1f}" y1="{TOP}" x2="{x:.1f}" y2="{up(0)}"/>')
    for value in (0, 0.25, 0.5, 0.75, 1):
        parts.append(_text(right(value), side - BOTTOM + 16, percent(value), "middle"))
    parts.append(_text(right(0.5), side - 4, "confidence", "middle"))
    return _svg(parts, LEFT + side - 60 + RIGHT, side)


def _grid(
    up: Scale, values: Sequence[float], text: Callable[[float], str], width: int
) -> list[str]:
    parts = []
    for value in values:
        y = up(value)
        parts.append(
            f'<line class="grid" x1="{LEFT}" y1="{y:.1f}" x2="{width - RIGHT}" y2="{y:.1f}"/>'
        )
        parts.append(_text(LEFT - 6, y + 4, text(value), "end"))
    return parts


def _text(x: float, y: float, text: str, anchor: str) -> str:
    return f'<text x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}">{escape(text)}</text>'


def _svg(parts: list[str], width: int, height: int) -> str:
    return f'<svg viewBox="0 0 {width} {height}" role="img">{"".join(parts)}</svg>'


def _legend(series: Sequence[Line]) -> str:
    named = [s for s in series if s.name]
    if len(named) < 2:
        return ""
    keys = "".join(f'<span><i class="{s.style}"></i>{escape(s.name)}</span>' for s in named)
    return f'<div class="legend">{keys}</div>'


def _scale(low: float, high: float, start: float, end: float) -> Scale:
    span = (high - low) or 1.0
    return lambda value: start + (value - low) / span * (end - start)


def _padded(low: float, high: float) -> tuple[float, float]:
    space = 0.06 * (high - low) or 0.05
    return low - space, high + space
