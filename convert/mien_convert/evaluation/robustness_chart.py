"""Draws what `mien-convert robustness` measured: a panel for each kind of change."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.ticker import PercentFormatter
from mien.atomic import replacing

# Okabe and Ito's colours, told apart with any colour vision.
COLOURS = {"people": "#D55E00", "benchmark": "#0072B2"}
COLUMNS = 5
DPI = 130


def draw(path: Path, document: dict[str, Any]) -> None:
    """Write the chart as PNG; raises UserError where the place cannot be written."""
    first, *rest = document["conditions"]
    families: dict[str, list[dict[str, Any]]] = {}
    for row in rest:
        families.setdefault(row["family"], []).append(row)
    lines = -(-len(families) // COLUMNS)
    figure = Figure(figsize=(2.9 * COLUMNS, 2.7 * lines), layout="constrained")
    panels = figure.subplots(lines, COLUMNS, sharey=True, squeeze=False).ravel()
    for panel, (family, rows) in zip(panels, families.items(), strict=False):
        places = range(len(rows))
        for truth in document["truths"]:
            colour = COLOURS.get(truth, "#009E73")
            values = [row[truth]["accuracy"] for row in rows]
            panel.axhline(first[truth]["accuracy"], color=colour, linestyle=":", linewidth=1)
            panel.plot(places, values, "o-" if len(rows) < 8 else "o", ms=4, color=colour)
        panel.set_title(family, loc="left", fontsize=10)
        panel.set_xticks(list(places), [row["level"] for row in rows], fontsize=7, rotation=35)
        panel.set_ylim(0, None)
        panel.set_xlim(-0.5, max(len(rows) - 0.5, 0.5))
        panel.yaxis.set_major_formatter(PercentFormatter(1, decimals=0))
        panel.grid(axis="y", color="#dddddd", linewidth=0.6)
        panel.spines[["top", "right"]].set_visible(False)
    for panel in panels[len(families) :]:
        panel.set_axis_off()
    for truth in document["truths"]:
        panels[0].plot([], [], "o-", color=COLOURS.get(truth, "#009E73"), label=truth)
    panels[0].legend(frameon=False, fontsize=8, loc="lower left")
    figure.suptitle(
        f"{document['model']['name']}: accuracy of {document['faces']} faces "
        f"({document['split']}); dotted: unchanged",
        fontsize=11,
        x=0.01,
        ha="left",
    )
    FigureCanvasAgg(figure)
    with replacing(path, "--out") as part:
        figure.savefig(part, dpi=DPI, format="png")
