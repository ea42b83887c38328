"""`mien info`: metadata and metrics of a model."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Annotated, Any

import typer

from mien.console import printable
from mien.tflite.model_file import DEFAULT_MODEL, Model, load_model

FRACTIONS = {"accuracy", "balanced_accuracy", "macro_f1", "ece", "recall", "agreement"}
LONG = 6  # entries from which a list is counted instead of shown


def info(
    model: Annotated[
        str,
        typer.Argument(
            metavar="[NAME|FILE]",
            help="Name of a bundled model, or a .tflite file from mien-convert.",
        ),
    ] = DEFAULT_MODEL,
    as_json: Annotated[
        bool, typer.Option("--json", help="Print the file's metadata.json.")
    ] = False,
    everything: Annotated[
        bool, typer.Option("--all", help="Also show all metrics, the training and the licences.")
    ] = False,
) -> None:
    """Show a model's metadata and metrics."""
    loaded = load_model(model)
    if as_json:  # in ASCII, where the file may have what drives a terminal
        print(json.dumps(json.loads(loaded.metadata.to_json()), indent=1))
    else:
        print(card(loaded, everything))


def card(model: Model, everything: bool = True) -> str:
    """Return a model's metadata as text; without `everything` the most important lines."""
    metadata = model.metadata
    size = metadata.input_size
    lines = [
        f"{metadata.name} {metadata.version}",
        "",
        f"file         {model.path} ({len(model.flatbuffer) / 1e6:.2f} MB, format "
        f"{metadata.format})",
        f"created      {metadata.created}",
        f"labels       {', '.join(metadata.labels)}",
        f"input        {size}x{size} px, {metadata.colour}, resized by {metadata.resize}",
        f"crop         {metadata.crop.shape}, {metadata.crop.margin:+.0%} of the face's box on "
        "each side",
        f"confidence   temperature {metadata.temperature:.3f}; below {metadata.threshold:.2f} the "
        'prediction is "uncertain"',
        f"sha256       {metadata.sha256} (checked)",
        *_accuracies(metadata.metrics),
    ]
    if not everything:
        return "\n".join([*lines, "", "mien info --all shows metrics, training and licences."])
    for title, content in (
        ("metrics", metadata.metrics),
        ("training", metadata.training),
        ("licences", metadata.licences),
    ):
        lines += ["", title, *(_tree(content, 1) if content else ["  none stated"])]
    return "\n".join(lines)


def _accuracies(metrics: dict[str, Any]) -> Iterator[str]:
    """Yield the accuracy of the int8 model by each ground truth that was measured."""
    for truth, measured in (("FER-2013", metrics), ("people", metrics.get("people"))):
        scores = measured.get("int8") if isinstance(measured, dict) else None
        if not isinstance(scores, dict):
            continue
        shares = [scores.get("accuracy"), scores.get("balanced_accuracy")]
        if all(isinstance(share, float) for share in shares):
            accuracy, balanced = (_text(share, True) for share in shares)
            split = _text(metrics.get("split", "an unnamed split"), False)
            yield f"accuracy     {accuracy} by {truth}'s labels on {split}, balanced {balanced}"


def _tree(content: dict[str, Any], depth: int, fractions: bool = False) -> Iterator[str]:
    """Yield a dict as indented lines; values whose names mean fractions are in percent."""
    pad = "  " * depth
    width = max(len(printable(str(key))) for key in content)
    for key, value in content.items():
        name = printable(str(key)).replace("_", " ").ljust(width)
        share = fractions or key in FRACTIONS
        if isinstance(value, dict) and value:
            yield f"{pad}{name.rstrip()}"
            yield from _tree(value, depth + 1, share)
        else:
            yield f"{pad}{name}  {_text(value, share)}"


def _text(value: Any, share: bool) -> str:
    if isinstance(value, float):
        return f"{100 * value:.1f} %" if share else f"{value:.6g}"
    if isinstance(value, list):
        plain = all(isinstance(entry, (str, int, float)) for entry in value)
        if len(value) > LONG or not plain:
            return f"{len(value)} entries (see --json)"
        return ", ".join(_text(entry, share) for entry in value) or "-"
    return "-" if value in (None, {}) else printable(str(value))
