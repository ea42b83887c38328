"""Pictures of a training and of its result: confusion matrix, reliability diagram, curves."""

from __future__ import annotations

import csv
from collections.abc import Sequence
from pathlib import Path

import matplotlib
import numpy as np
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator, PercentFormatter
from mien.atomic import replacing
from mien.errors import UserError
from mien.evaluation.metrics import Reliability
from numpy.typing import NDArray

from mien_train.data.labels import LABELS

# Okabe and Ito's colours, told apart with any colour vision.
BLUE, ORANGE, GREEN, GRAY = "#0072B2", "#D55E00", "#009E73", "#777777"
_DPI = 150
_CURVES = (
    *("loss", "val_loss", "accuracy"),
    *("val_accuracy", "val_balanced_accuracy", "val_macro_f1"),
)
_STYLE = {"font.size": 10, "axes.spines.top": False, "axes.spines.right": False}


def confusion(path: Path, counts: Sequence[Sequence[int]], title: str) -> None:
    """Draw a confusion matrix [7][7], row true, column predicted; cells are shares of their row."""
    matrix = np.asarray(counts, np.int64)
    totals = matrix.sum(axis=1)
    share = matrix / np.maximum(totals, 1)[:, None]
    with matplotlib.rc_context(_STYLE):
        figure = Figure(figsize=(7.4, 6.4), layout="constrained")
        axes = figure.add_subplot()
        axes.imshow(share, cmap="Blues", vmin=0, vmax=1)
        for (row, column), value in np.ndenumerate(share):
            if totals[row]:
                axes.text(
                    column,
                    row,
                    f"{value:.0%}",
                    ha="center",
                    va="center",
                    color="white" if value > 0.55 else "black",
                    weight="bold" if row == column else "normal",
                )
        ticks = range(len(LABELS))
        axes.set_xticks(ticks, LABELS, rotation=30, ha="right", rotation_mode="anchor")
        axes.set_yticks(ticks, [f"{name} ({n:,})" for name, n in zip(LABELS, totals, strict=True)])
        axes.set_xlabel("predicted")
        axes.set_ylabel("label (faces)")
        axes.set_title(title, loc="left", fontsize=11)
        axes.spines[:].set_visible(False)
        axes.tick_params(length=0)
        _save(figure, path)


def reliability(path: Path, bins: Reliability, title: str) -> None:
    """Draw accuracy against confidence per bin, and below how many faces each bin has."""
    with matplotlib.rc_context(_STYLE):
        figure = Figure(figsize=(5.6, 6.4), layout="constrained")
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
        top.legend(frameon=False, loc="upper left")
        top.set_title(title, loc="left", fontsize=11)
        bottom.bar(middle, bins.count, width * 0.92, color=GRAY)
        bottom.set_ylabel("faces")
        bottom.set_xlim(0, 1)
        bottom.set_xlabel("confidence (largest probability)")
        bottom.xaxis.set_major_formatter(PercentFormatter(1))
        bottom.yaxis.set_major_locator(MaxNLocator(3, integer=True))
        _save(figure, path)


def curves(path: Path, log: Path) -> None:
    """Draw loss and accuracy over the epochs of a `log.csv` as `mien-train fit` writes it.

    Raises:
        UserError: the log cannot be read.
    """
    try:
        with log.open(encoding="utf-8", newline="") as file:
            rows = list(csv.DictReader(file))
        values = {name: np.array([float(row[name] or "nan") for row in rows]) for name in _CURVES}
        stages = [row["stage"] for row in rows]
    except (OSError, KeyError, ValueError, TypeError, csv.Error) as error:
        raise UserError(f"{log} is not a log of mien-train fit; remove it.") from error
    epochs = np.arange(1, len(rows) + 1)
    with matplotlib.rc_context(_STYLE):
        figure = Figure(figsize=(10, 4.2), layout="constrained")
        left, right = figure.subplots(1, 2)
        _line(left, epochs, values["loss"], GRAY, "training")
        _line(left, epochs, values["val_loss"], BLUE, "validation")
        left.set_title("loss", loc="left", fontsize=11)
        _line(right, epochs, values["accuracy"], GRAY, "training accuracy")
        _line(right, epochs, values["val_accuracy"], BLUE, "validation accuracy")
        _line(right, epochs, values["val_balanced_accuracy"], ORANGE, "validation balanced")
        _line(right, epochs, values["val_macro_f1"], GREEN, "validation macro F1")
        right.set_title("accuracy", loc="left", fontsize=11)
        right.yaxis.set_major_formatter(PercentFormatter(1, decimals=0))
        for axes in (left, right):
            axes.set_xlabel("epoch")
            axes.xaxis.set_major_locator(MaxNLocator(integer=True))
            axes.grid(axis="y", color="#dddddd", linewidth=0.6)
            for i in range(1, len(stages)):
                if stages[i] != stages[i - 1]:
                    axes.axvline(i + 0.5, color=GRAY, linewidth=0.8, linestyle=":")
            if axes.get_legend_handles_labels()[0]:
                axes.legend(frameon=False)
        _save(figure, path)


def _line(
    axes: Axes, epochs: NDArray[np.int64], values: NDArray[np.float64], colour: str, name: str
) -> None:
    # Not every epoch is validated: join what there is.
    there = ~np.isnan(values)
    if there.any():
        marker = "o" if there.sum() < 40 else ""
        axes.plot(epochs[there], values[there], f"{marker}-", ms=3, color=colour, label=name)


def _save(figure: Figure, path: Path) -> None:
    """Write the figure atomically. Agg needs no display; pyplot would keep every figure."""
    FigureCanvasAgg(figure)
    with replacing(path, "--out") as part:
        figure.savefig(part, dpi=_DPI, format="png")
