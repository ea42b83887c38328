"""Text tables of a conversion: variants against measures, and the costliest layers."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from mien.console import table

from mien_convert.accuracy_gate import SIGNIFICANCE, ClassRecallLoss
from mien_convert.layer_errors import LayerError


@dataclass(frozen=True)
class VariantResult:
    """Measures of one variant of the network."""

    name: str  # "float32", "float16", "dynamic", "int8"
    score: dict[str, Any]  # of mien.evaluation.metrics.score
    agreement: float  # share of faces read as the float model reads them
    mean_kl: float  # nats, KL(float model || this)
    size: int  # bytes
    latency_ms: float  # median per face, one thread


def comparison(
    variants: list[VariantResult], losses: list[ClassRecallLoss], labels: tuple[str, ...]
) -> str:
    """Return the table as text; the last column is int8 minus float32, in points.

    A recall's `p` is that of McNemar's exact test and stands where it is under 0.05.
    """
    first, last = variants[0], variants[-1]
    rows = [["", *(variant.name for variant in variants), f"{last.name} - {first.name}"]]
    for title, key in (
        ("accuracy", "accuracy"),
        ("balanced accuracy", "balanced_accuracy"),
        ("macro F1", "macro_f1"),
    ):
        values = [100 * variant.score[key] for variant in variants]
        rows.append([title, *(f"{v:.1f} %" for v in values), f"{values[-1] - values[0]:+.1f}"])
    lost = {loss.label: loss for loss in losses}
    for label in labels:
        if label not in lost:
            continue
        loss = lost[label]
        note = f" (p {loss.p:.2g})" if loss.p < SIGNIFICANCE else ""
        cells = [f"{100 * variant.score['recall'][label]:.1f} %" for variant in variants]
        rows.append([f"  {label} ({loss.count})", *cells, f"{0 - loss.points:+.1f}{note}"])
    rows.append(["agreement", *(f"{100 * variant.agreement:.1f} %" for variant in variants), ""])
    rows.append(["mean KL, nats", *(f"{variant.mean_kl:.4f}" for variant in variants), ""])
    rows.append(["size, kB", *(f"{variant.size / 1000:.0f}" for variant in variants), ""])
    rows.append(["ms per face", *(f"{variant.latency_ms:.2f}" for variant in variants), ""])
    return table(rows, right=range(1, len(rows[0])))


def layer_table(layers: list[LayerError], count: int = 12) -> str:
    """Return the layers that lose most in int8 as text, the costliest first."""
    rows = [["costliest layers in int8", "KL gained if float", "noise", "largest shift"]]
    rows += [
        [
            layer.name,
            f"{layer.gain:+.5f}",
            f"{100 * layer.noise:.1f} %",
            f"{100 * layer.shift:.1f} %",
        ]
        for layer in layers[:count]
    ]
    return (
        table(rows, right=range(1, len(rows[0])))
        + "\nnoise: RMS error of the layer's output over its RMS; largest shift: the mean error of "
        "its worst channel over the same"
    )
