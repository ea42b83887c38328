"""The comparison that mien-convert prints: one column a variant, one row a measure."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from mien.console import table

from mien_convert.accuracy_gate import SIGNIFICANCE, Loss
from mien_convert.layer_errors import LayerError


@dataclass(frozen=True)
class Column:
    """What was measured of one variant."""

    name: str  # "float32", "float16", "dynamic", "int8"
    score: dict[str, Any]  # of mien.evaluation.metrics.score
    agreement: float  # share of faces read as the float model reads them
    mean_kl: float  # nats, KL(float model || this)
    size: int  # bytes
    milliseconds: float  # median per face, one thread


def comparison(columns: list[Column], losses: list[Loss], labels: tuple[str, ...]) -> str:
    """Return the table as text; the last column is int8 minus float32, in points.

    A recall's `p` is that of McNemar's exact test and stands where it is under 0.05.
    """
    first, last = columns[0], columns[-1]
    rows = [["", *(column.name for column in columns), f"{last.name} - {first.name}"]]
    for title, key in (
        ("accuracy", "accuracy"),
        ("balanced accuracy", "balanced_accuracy"),
        ("macro F1", "macro_f1"),
    ):
        values = [100 * column.score[key] for column in columns]
        rows.append([title, *(f"{v:.1f} %" for v in values), f"{values[-1] - values[0]:+.1f}"])
    lost = {loss.label: loss for loss in losses}
    for label in labels:
        if label not in lost:
            continue
        loss = lost[label]
        note = f" (p {loss.p:.2g})" if loss.p < SIGNIFICANCE else ""
        cells = [f"{100 * column.score['recall'][label]:.1f} %" for column in columns]
        rows.append([f"  {label} ({loss.count})", *cells, f"{0 - loss.points:+.1f}{note}"])
    rows.append(["agreement", *(f"{100 * column.agreement:.1f} %" for column in columns), ""])
    rows.append(["mean KL, nats", *(f"{column.mean_kl:.4f}" for column in columns), ""])
    rows.append(["size, kB", *(f"{column.size / 1000:.0f}" for column in columns), ""])
    rows.append(["ms per face", *(f"{column.milliseconds:.2f}" for column in columns), ""])
    return table(rows, right=range(1, len(rows[0])))


def layer_table(layers: list[LayerError], most: int = 12) -> str:
    """Return the layers that lose most in int8 as text, the costliest first."""
    rows = [["costliest layers in int8", "KL gained if float", "noise", "largest shift"]]
    rows += [
        [
            layer.name,
            f"{layer.gain:+.5f}",
            f"{100 * layer.noise:.1f} %",
            f"{100 * layer.shift:.1f} %",
        ]
        for layer in layers[:most]
    ]
    return (
        table(rows, right=range(1, len(rows[0])))
        + "\nnoise: RMS error of the layer's output over its RMS; largest shift: the mean error of "
        "its worst channel over the same"
    )
