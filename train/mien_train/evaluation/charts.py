"""Charts of a training and its result: Matplotlib figures, written as PNG."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

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
DPI = 150
LOG_COLUMNS = (
    *("loss", "val_loss", "accuracy"),
    *("val_accuracy", "val_balanced_accuracy", "val_macro_f1"),
)
STYLE = {"font.size": 10, "axes.spines.top": False, "axes.spines.right": False}


def confusion(counts: Sequence[Sequence[int]], title: str) -> Figure:
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


def reliability(bins: Reliability, title: str) -> Figure:
    """Reliability diagram, faces per bin below."""
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


def save_png(figure: Figure, path: Path) -> None:
    """Write a figure as PNG, atomically. Agg needs no display."""
    FigureCanvasAgg(figure)
    with replacing(path, "--out") as part:
        figure.savefig(part, dpi=DPI, format="png")
