"""Charts of a training and its result: Matplotlib figures, as PNG or as SVG for a web page."""

from __future__ import annotations

import io
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import matplotlib
import numpy as np
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator, PercentFormatter
from mien.atomic import replacing
from mien.evaluation.metrics import Reliability

from mien_train.data.labels import LABELS

# Okabe and Ito's palette, distinguishable with any color vision.
BLUE, ORANGE, GREEN, GRAY = "#0072B2", "#D55E00", "#009E73", "#777777"
COLORS = {"people": ORANGE, "benchmark": BLUE}
INK = "#1d2329"  # text and axes; in a page the page's own text color
DPI = 150
LOG_COLUMNS = (
    *("loss", "val_loss", "accuracy"),
    *("val_accuracy", "val_balanced_accuracy", "val_macro_f1"),
)
STYLE = {
    "font.size": 10,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "svg.fonttype": "none",
    "svg.hashsalt": "mien",
    **dict.fromkeys(
        ("text.color", "axes.edgecolor", "axes.labelcolor", "xtick.color", "ytick.color"), INK
    ),
}


def confusion(counts: Sequence[Sequence[int]], title: str = "") -> Figure:
    """Confusion matrix [7][7], row true, column predicted; cells are shares of their row."""
    matrix = np.asarray(counts, np.int64)
    totals = matrix.sum(axis=1)
    share = matrix / np.maximum(totals, 1)[:, None]
    with matplotlib.rc_context(STYLE):
        figure = Figure(figsize=(7.0, 5.6), layout="constrained")
        axes = figure.add_subplot()
        axes.pcolormesh(share, cmap="Blues", vmin=0, vmax=1, edgecolors="none")
        axes.invert_yaxis()
        for (row, column), value in np.ndenumerate(share):
            if totals[row]:
                axes.text(
                    column + 0.5,
                    row + 0.5,
                    f"{value:.0%}",
                    ha="center",
                    va="center",
                    color="white" if value > 0.5 else "black",
                    weight="bold" if row == column else "normal",
                )
        ticks = np.arange(len(LABELS)) + 0.5
        axes.set_xticks(ticks, LABELS, rotation=30, ha="right", rotation_mode="anchor")
        axes.set_yticks(ticks, [f"{name} ({n:,})" for name, n in zip(LABELS, totals, strict=True)])
        axes.set_xlabel("predicted")
        axes.set_ylabel("label (faces)")
        axes.set_title(title, loc="left", fontsize=11)
        axes.spines[:].set_visible(False)
        axes.tick_params(length=0)
    return figure


def reliability(bins: Reliability, title: str = "", threshold: float | None = None) -> Figure:
    """Reliability diagram, faces per bin below; `threshold` is the confidence of "uncertain"."""
    with matplotlib.rc_context(STYLE):
        figure = Figure(figsize=(5.2, 5.2), layout="constrained")
        top, bottom = figure.subplots(2, 1, sharex=True, height_ratios=[4, 1])
        width = 1 / len(bins.count)
        middle = (bins.edges[:-1] + bins.edges[1:]) / 2
        full = bins.count > 0
        top.bar(middle[full], bins.accuracy[full], width * 0.92, color=BLUE, label="accuracy")
        top.plot([0, 1], [0, 1], color=GRAY, linestyle="--", linewidth=1, label="perfect")
        top.plot(
            bins.confidence[full],
            bins.accuracy[full],
            "o",
            color="white",
            markeredgecolor="black",
            markersize=5,
            label="mean confidence of the bin",
        )
        if threshold is not None:
            top.axvline(threshold, color=ORANGE, linewidth=1.2, label='"uncertain" below')
        top.set_ylim(0, 1)
        top.set_ylabel("accuracy")
        top.yaxis.set_major_formatter(PercentFormatter(1))
        figure.legend(frameon=False, loc="outside lower center", ncols=2, fontsize=9)
        top.set_title(title, loc="left", fontsize=11)
        bottom.bar(middle, bins.count, width * 0.92, color=GRAY)
        bottom.set_ylabel("faces")
        bottom.set_xlim(0, 1)
        bottom.set_xlabel("confidence (largest probability)")
        bottom.xaxis.set_major_formatter(PercentFormatter(1))
        bottom.yaxis.set_major_locator(MaxNLocator(3, integer=True))
    return figure


def risk_coverage(curve: Sequence[dict[str, float]]) -> Figure:
    """Accuracy on the most confident share of the faces; see `calibration.risk_coverage`."""
    with matplotlib.rc_context(STYLE):
        figure = Figure(figsize=(5.2, 3.4), layout="constrained")
        axes = figure.add_subplot()
        coverage, accuracy = ([row[key] for row in curve] for key in ("coverage", "accuracy"))
        axes.plot(coverage, accuracy, color=BLUE)
        axes.set_xlabel("share of the faces answered")
        axes.set_ylabel("accuracy")
        for axis in (axes.xaxis, axes.yaxis):
            axis.set_major_formatter(PercentFormatter(1, decimals=0))
        axes.grid(axis="y", color=GRAY, alpha=0.3, linewidth=0.6)
    return figure


def curves(log: Sequence[dict[str, str]]) -> Figure:
    """Loss and accuracy over the epochs of a log of `mien-train fit`.

    Raises ValueError or KeyError where `log` is no such log.
    """
    values = {name: np.array([float(row[name] or "nan") for row in log]) for name in LOG_COLUMNS}
    stages = [row["stage"] for row in log]
    with matplotlib.rc_context(STYLE):
        figure = Figure(figsize=(10, 4.0), layout="constrained")
        left, right = figure.subplots(1, 2)
        _line(left, values["loss"], GRAY, "training")
        _line(left, values["val_loss"], BLUE, "validation")
        left.set_title("loss", loc="left", fontsize=11)
        _line(right, values["accuracy"], GRAY, "training accuracy")
        _line(right, values["val_accuracy"], BLUE, "validation accuracy")
        _line(right, values["val_balanced_accuracy"], ORANGE, "validation balanced")
        _line(right, values["val_macro_f1"], GREEN, "validation macro F1")
        right.set_title("accuracy", loc="left", fontsize=11)
        right.yaxis.set_major_formatter(PercentFormatter(1, decimals=0))
        for axes in (left, right):
            axes.set_xlabel("epoch")
            axes.xaxis.set_major_locator(MaxNLocator(integer=True))
            axes.grid(axis="y", color=GRAY, alpha=0.3, linewidth=0.6)
            for i in range(1, len(stages)):
                if stages[i] != stages[i - 1]:
                    axes.axvline(i + 0.5, color=GRAY, linewidth=0.8, linestyle=":")
            if axes.get_legend_handles_labels()[0]:
                axes.legend(frameon=False)
    return figure


def _line(axes: Axes, values: np.ndarray, color: str, name: str) -> None:
    there = np.flatnonzero(~np.isnan(values))  # some epochs have no validation
    if len(there):
        marker = "o" if len(there) < 40 else ""
        axes.plot(there + 1, values[there], f"{marker}-", ms=3, color=color, label=name)


def robustness(document: dict[str, Any]) -> Figure:
    """Accuracy by condition, a panel for each family, of a `mien-convert robustness` document."""
    first, *rest = document["conditions"]
    truths = [truth for truth in COLORS if truth in first]
    families: dict[str, list[dict[str, Any]]] = {}
    for row in rest:
        families.setdefault(row["family"], []).append(row)
    columns = 4
    lines = max(1, -(-len(families) // columns))
    with matplotlib.rc_context(STYLE):
        figure = Figure(figsize=(2.7 * columns, 2.5 * lines), layout="constrained")
        panels = figure.subplots(lines, columns, sharey=True, squeeze=False).ravel()
        for panel, (family, rows) in zip(panels, families.items(), strict=False):
            x = range(len(rows))
            for truth in truths:
                panel.axhline(first[truth]["accuracy"], color=COLORS[truth], ls=":", lw=1)
                y = [row[truth]["accuracy"] for row in rows]
                line = "o-" if len(rows) < 8 else "o"  # so many are not one scale
                panel.plot(x, y, line, ms=4, color=COLORS[truth], label=truth)
            panel.set_title(family, loc="left", fontsize=10)
            panel.set_xticks(x, [row["level"] for row in rows], fontsize=7, rotation=40, ha="right")
            panel.set_ylim(0, 1)
            panel.set_xlim(-0.5, max(len(rows) - 0.5, 0.5))
            panel.yaxis.set_major_formatter(PercentFormatter(1, decimals=0))
            panel.grid(axis="y", color=GRAY, alpha=0.3, linewidth=0.6)
        for panel in panels[len(families) :]:
            panel.set_axis_off()
        if families:
            panels[0].legend(frameon=False, fontsize=8, loc="lower left")
    return figure


def save_png(figure: Figure, path: Path) -> None:
    """Write a figure as PNG, atomically. Agg needs no display."""
    FigureCanvasAgg(figure)
    with replacing(path, "--out") as part:
        figure.savefig(part, dpi=DPI, format="png")


def to_svg(figure: Figure) -> str:
    """Return a figure as an SVG element; text and axes take the color of the page's text."""
    buffer = io.StringIO()
    with matplotlib.rc_context(STYLE):
        figure.savefig(buffer, format="svg", transparent=True, metadata={"Date": None})
    text = buffer.getvalue()
    text = re.sub(r"<metadata>.*?</metadata>", "", text[text.index("<svg") :], flags=re.DOTALL)
    return text.replace(INK, "currentColor")
