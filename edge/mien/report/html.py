"""The report as one HTML file: no script, nothing fetched, its charts are SVG within."""

from __future__ import annotations

from datetime import timedelta
from html import escape

import numpy as np
import numpy.typing as npt

from mien.console import format_duration
from mien.report.view import FaceTimeline, View, runs, stretches, ticks

WIDTH = 1000  # units of the drawings, which the page scales
HEIGHT = 220
STRIP = 26
LONG_FACT = 12  # characters above which a fact gets the place of two

STYLE = """
:root { --ground:#f3f5f7; --card:#fff; --line:#dde2e7; --ink:#17212b; --soft:#5d6b78; --track:#e8ecf0; }
@media (prefers-color-scheme: dark) {
  :root { --ground:#10161c; --card:#19222b; --line:#2a3540; --ink:#e9eef2; --soft:#94a3b1; --track:#26313b; }
}
* { box-sizing: border-box; }
body { margin: 0 auto; max-width: 1080px; padding: 24px 20px 40px; background: var(--ground); color: var(--ink);
  font: 15px/1.45 system-ui, -apple-system, "Segoe UI", Roboto, "DejaVu Sans", sans-serif; }
h1 { font-size: 24px; margin: 0 0 2px; overflow-wrap: anywhere; }
h2 { font-size: 15px; margin: 0 0 12px; }
p { margin: 4px 0; } section + p { margin-top: 14px; } .soft, figcaption { color: var(--soft); }
section { background: var(--card); border: 1px solid var(--line); border-radius: 12px; padding: 16px 18px; margin-top: 14px; break-inside: avoid; }
dl { display: grid; grid-template-columns: repeat(auto-fit, minmax(130px, 1fr)); gap: 14px; margin: 16px 0 0; }
dl div.wide { grid-column: span 2; }
dl div { background: var(--card); border: 1px solid var(--line); border-radius: 12px; padding: 10px 14px; }
dt { color: var(--soft); font-size: 13px; } dd { margin: 0; font-size: 19px; font-weight: 600; font-variant-numeric: tabular-nums; }
svg { display: block; width: 100%; height: auto; overflow: visible; }
svg text { fill: var(--soft); font-size: 13px; } .track { fill: var(--track); } .grid { stroke: var(--ground); stroke-width: 1; }
rect.lost { fill: url(#hatch); } .hatch { stroke: var(--soft); stroke-width: 2; }
i.lost { border: 1px solid var(--soft); background: repeating-linear-gradient(45deg, var(--soft) 0 1.5px, transparent 1.5px 4px); }
ul.legend { list-style: none; margin: 10px 0 0; padding: 0; display: flex; flex-wrap: wrap; gap: 4px 18px; font-size: 13px; color: var(--soft); }
ul.legend i, td i { display: inline-block; width: 11px; height: 11px; border-radius: 3px; margin-right: 6px; vertical-align: -1px; }
.lane { display: grid; grid-template-columns: 180px 1fr; gap: 4px 14px; align-items: center; margin: 0 0 12px; }
.lane b { display: block; } .lane span { font-size: 13px; color: var(--soft); }
table { border-collapse: collapse; width: 100%; font-size: 14px; font-variant-numeric: tabular-nums; }
th { text-align: left; color: var(--soft); font-weight: 500; font-size: 13px; } th, td { padding: 4px 12px 4px 0; border-top: 1px solid var(--line); vertical-align: top; }
td:last-child { overflow-wrap: anywhere; }
tr:first-child > * { border-top: 0; } .share { display: grid; grid-template-columns: 96px 1fr 60px; gap: 10px; align-items: center; font-size: 14px; line-height: 1.8; }
.share i { background: var(--track); height: 12px; border-radius: 6px; overflow: hidden; } .share b { display: block; height: 100%; } .share span:last-child { text-align: right; font-variant-numeric: tabular-nums; }
@media (max-width: 620px) { body { padding: 14px 10px; } .lane { grid-template-columns: 1fr; } svg text { font-size: 24px; } }
"""  # noqa: E501


def html(view: View) -> str:
    """Return the page."""
    policy = "default-src 'none'; style-src 'unsafe-inline'"
    title = escape(view.title)
    facts = "".join(
        f"<div{' class=wide' if len(value) > LONG_FACT else ''}><dt>{escape(name)}</dt>"
        f"<dd>{escape(value)}</dd></div>"
        for name, value in view.facts
    )
    legend = "".join(
        f'<li><i style="background:{view.colors[label]}"></i>{escape(label)}</li>'
        for label in view.labels
    )
    if view.gaps:
        legend += '<li><i class="lost"></i>camera lost or paused</li>'
    lanes = "".join(_lane(lane, view) for lane in view.lanes)
    parts = [
        "<!doctype html>",
        '<html lang="en"><head><meta charset="utf-8">',
        f'<meta http-equiv="Content-Security-Policy" content="{policy}">',
        '<meta name="viewport" content="width=device-width, initial-scale=1">',
        '<meta name="color-scheme" content="light dark">',
        f"<title>{title} - Mien</title><style>{STYLE}</style></head><body>",
        f'<h1>{title}</h1><p class="soft">Expressions read by Mien: what faces showed, not what '
        "people felt.</p>",
        f"<dl>{facts}</dl>",
        f'<section><h2>All faces over time</h2>{_chart(view)}<ul class="legend">{legend}</ul>'
        "</section>",
        f"<section><h2>Share of the time</h2>{_shares(view)}</section>",
        f"<section><h2>Face by face</h2>{lanes}{_scale(view)}</section>" if lanes else "",
        f"<section><h2>Moments of change</h2>{_moments(view)}</section>",
        "".join(f'<p class="soft">{escape(note)}</p>' for note in view.notes),
        "</body></html>\n",
    ]
    return "\n".join(part for part in parts if part)


def _x(seconds: float, view: View) -> float:
    return WIDTH * min(1.0, seconds / view.length) if view.length else 0.0


def _chart(view: View) -> str:
    """Return the areas, one on the other; what stands on top is first in the labels."""
    shapes = [f'<rect class="track" width="{WIDTH}" height="{HEIGHT}"/>']
    tops = np.zeros(len(view.mean))
    for column, label in enumerate(view.labels):
        bottoms = tops + view.mean[:, column]
        shapes.append(_area(view, tops, bottoms, view.colors[label], label))
        tops = bottoms
    shapes += _gaps(view, HEIGHT)
    hatch = (
        '<defs><pattern id="hatch" width="8" height="8" patternUnits="userSpaceOnUse" '
        'patternTransform="rotate(45)"><line class="hatch" y2="8"/></pattern></defs>'
    )
    return (
        f'<svg viewBox="0 0 {WIDTH} {HEIGHT + 24}" role="img" '
        f'aria-label="Probability of each emotion over time">{hatch}{"".join(shapes)}'
        f"{_ticks(view, HEIGHT)}</svg>"
    )


def _gaps(view: View, height: int) -> list[str]:
    """Return the hatched stretches in which there was no camera."""
    shapes = []
    for start, end in view.gaps:
        left, right = _x(start, view), _x(end, view)
        shapes.append(
            f'<rect class="lost" x="{left:.1f}" width="{max(2.0, right - left):.1f}" '
            f'height="{height}"><title>camera lost or paused</title></rect>'
        )
    return shapes


def _area(
    view: View,
    tops: npt.NDArray[np.float64],
    bottoms: npt.NDArray[np.float64],
    color: str,
    label: str,
) -> str:
    path = []
    for start, end in runs(view.mean):
        xs = [_x(index * view.step, view) for index in range(start, end + 1)]
        upper = [
            f"{x:.1f},{HEIGHT * y:.1f}"
            for i in range(start, end)
            for x, y in ((xs[i - start], tops[i]), (xs[i - start + 1], tops[i]))
        ]
        lower = [
            f"{x:.1f},{HEIGHT * y:.1f}"
            for i in reversed(range(start, end))
            for x, y in ((xs[i - start + 1], bottoms[i]), (xs[i - start], bottoms[i]))
        ]
        path.append(f"M{' '.join(upper + lower)}Z")
    return f'<path fill="{color}" d="{"".join(path)}"><title>{escape(label)}</title></path>'


def _ticks(view: View, top: int) -> str:
    marks = []
    for seconds, label in ticks(view.length, view.start):
        x = _x(seconds, view)
        anchor = "start" if x < 20 else "end" if x > WIDTH - 20 else "middle"
        marks.append(f'<text x="{x:.1f}" y="{top + 18}" text-anchor="{anchor}">{label}</text>')
    return "".join(marks)


def _lane(lane: FaceTimeline, view: View) -> str:
    cells = []
    for start, end, label in stretches(lane.mean, view.labels):
        left, right = _x(start * view.step, view), _x(end * view.step, view)
        sure = float(lane.mean[start:end, view.labels.index(label)].mean())
        cells.append(
            f'<rect x="{left:.1f}" width="{max(0.8, right - left):.1f}" height="{STRIP}" '
            f'fill="{view.colors[label]}"><title>{format_duration(start * view.step)} '
            f"{escape(label)} {100 * sure:.0f} %</title></rect>"
        )
    lost = "".join(_gaps(view, STRIP))
    first = next(iter(lane.shares), None)
    words = f"seen {format_duration(lane.seconds)}" + (
        f", {escape(first)} {100 * lane.shares[first]:.0f} %" if first else ""
    )
    return (
        f'<div class="lane"><div><b>{escape(lane.name)}</b><span>{words}</span></div>'
        f'<svg viewBox="0 0 {WIDTH} {STRIP}" preserveAspectRatio="none" style="height:26px" '
        f'role="img" aria-label="{escape(lane.name)}">'
        f'<rect class="track" width="{WIDTH}" height="{STRIP}"/>{"".join(cells)}{lost}</svg></div>'
    )


def _scale(view: View) -> str:
    return (
        f'<div class="lane"><div></div><svg viewBox="0 0 {WIDTH} 22">{_ticks(view, -2)}</svg></div>'
    )


def _shares(view: View) -> str:
    if not view.shares:
        return '<p class="soft">No face was seen.</p>'
    return "".join(
        f'<div class="share"><span>{escape(emotion)}</span><i><b style="width:{100 * share:.1f}%;'
        f'background:{view.colors.get(emotion, "#999")}"></b></i>'
        f"<span>{100 * share:.1f} %</span></div>"
        for emotion, share in view.shares.items()
    )


def _moments(view: View) -> str:
    if not view.lines:
        return '<p class="soft">No expression changed for longer than a second.</p>'
    dated = any(line.at for line in view.lines)
    begun = view.start  # the facts have the date
    same_day = begun and begun.date() == (begun + timedelta(seconds=view.length)).date()
    rows = "".join(
        f"<tr><td>{format_duration(line.time)}</td>"
        + (f"<td>{line.at[11:] if same_day else line.at}</td>" if dated else "")
        + f"<td>{escape(line.face)}</td><td>{escape(line.words)}</td></tr>"
        for line in view.lines
    )
    clock = "<th>Clock</th>" if dated else ""
    head = f"<tr><th>Time</th>{clock}<th>Face</th><th>Change</th></tr>"
    return f"<table>{head}{rows}</table>"
