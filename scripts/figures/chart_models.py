"""Draws the README's chart of accuracy against size and time, of the shipped models and others.

    mien bench --json --frames 120 --model mien-nano > nano.json    # and so for each shipped model
    python scripts/figures/chart_models.py docs/speed.json nano.json ... --out
    docs/images/models.png

Accuracy is what each model file carries (PublicTest, int8, one crop). Time is the whole pipeline's
for one 640x480 frame with one moving face, from those documents of `mien bench`. Needs matplotlib
(`pip install 'mien[train]'`).
"""

from __future__ import annotations

import argparse
import json
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import matplotlib as mpl

mpl.use("Agg")
import matplotlib.pyplot as plt

sys.path.insert(0, str(Path(__file__).parents[2]))

from mien.tflite.model_file import load_model

PEOPLE, BENCHMARK = "#1b6ca8", "#d95f02"
SIZE = (640, 480)


@dataclass(frozen=True)
class System:
    """What is drawn of one model."""

    name: str
    people: float | None  # %
    benchmark: float  # %
    megabytes: float | None
    ms: float | None  # CPU milliseconds for a frame with one face
    ours: bool = False


# fer: `python scripts/figures/evaluate_fer.py` for its accuracy, docs/speed.json for its time.
# The others
# as this project measured them once on PrivateTest; the last as published (docs/model.md).
OTHERS = [
    System("mini XCEPTION ¹", 63.6, 65.9, 0.87, 95.0),
    System("MobileNetV2, published ²", None, 67.9, None, None),
]
FER = {"people": 65.9, "benchmark": 65.3, "megabytes": 0.093}


def shipped(document: dict[str, Any]) -> System:
    """Return a shipped model that `mien bench` has timed."""
    model = load_model(document["model"]["name"])
    if model.metadata.sha256 != document["model"]["sha256"]:
        raise SystemExit(f"the times of {model.metadata.name} are of another file: bench it anew")
    metrics = model.metadata.metrics
    return System(
        model.metadata.name,
        100 * metrics["people"]["int8"]["accuracy"],
        100 * metrics["int8"]["accuracy"],
        model.path.stat().st_size / 1e6,
        one_face(document["pipeline"]),
        ours=True,
    )


def one_face(pipeline: list[dict[str, Any]]) -> float:
    """Return the mean CPU milliseconds of the scene with one face."""
    return next(
        float(entry["cpu_ms"]["mean"])
        for entry in pipeline
        if entry["faces"] == 1 and (entry["width"], entry["height"]) == SIZE
    )


def panel(axes: Any, systems: list[System], attribute: str, label: str) -> None:
    """Draw both accuracies of every system over one of its costs."""
    costs = {s.name: getattr(s, attribute) for s in systems if getattr(s, attribute) is not None}
    for system in systems:
        if system.name not in costs:
            continue
        cost = costs[system.name]
        values = [v for v in (system.people, system.benchmark) if v is not None]
        axes.plot([cost] * len(values), values, "-", color="#c5cad0", linewidth=1, zorder=1)
        for value, colour in ((system.people, PEOPLE), (system.benchmark, BENCHMARK)):
            if value is not None:
                face = colour if system.ours else "white"
                axes.plot(cost, value, "o", color=colour, markerfacecolor=face, markersize=8)
        weight = "bold" if system.ours else "normal"
        axes.annotate(
            system.name,
            (cost, max(values) if system.ours else min(values)),
            xytext=(0, 9 if system.ours else -9),
            textcoords="offset points",
            ha="center",
            va="bottom" if system.ours else "top",
            fontsize=9,
            fontweight=weight,
            # Over another one's line, under its points.
            bbox={"facecolor": "white", "edgecolor": "none", "pad": 1},
            zorder=1.5,
        )
    axes.set_xscale("log")
    axes.set_xlim(min(costs.values()) / 2, max(costs.values()) * 2)
    low, high = axes.get_xlim()
    ticks = [step * 10.0**power for power in range(-3, 4) for step in (1, 2, 5)]
    axes.set_xticks([tick for tick in ticks if low <= tick <= high])
    axes.xaxis.set_major_formatter("{x:g}")
    axes.xaxis.set_minor_locator(mpl.ticker.NullLocator())
    axes.set_xlabel(label)


def main() -> None:
    """Draw."""
    parser = argparse.ArgumentParser(description="Draws the chart of accuracy, size and time.")
    parser.add_argument("documents", type=Path, nargs="+", help="last lines of `mien bench`")
    parser.add_argument("--out", type=Path, required=True, help="a .png")
    arguments = parser.parse_args()
    documents = [json.loads(file.read_text().splitlines()[-1]) for file in arguments.documents]
    systems = [shipped(document) for document in documents] + OTHERS
    for document in documents:
        if "fer" in document.get("baseline", {}):
            theirs = document["baseline"]["fer"]["cpu_ms"]["mean"]
            systems.append(System("fer", ms=theirs, **FER))
    figure, (left, right) = plt.subplots(1, 2, figsize=(11, 4.2), sharey=True, layout="constrained")
    panel(left, systems, "megabytes", "file, MB (logarithmic)")
    panel(right, systems, "ms", "ms of CPU for a 640x480 frame with one face (logarithmic)")
    published = next(s for s in systems if s.megabytes is None)
    for axes in (left, right):
        axes.axhline(published.benchmark, color=BENCHMARK, linewidth=1, linestyle=":")
        axes.spines[["top", "right"]].set_visible(False)
        axes.grid(axis="y", color="#eceff1")
    right.annotate(
        published.name,
        (right.get_xlim()[1], published.benchmark),
        xytext=(0, 3),
        textcoords="offset points",
        ha="right",
        fontsize=9,
        color=BENCHMARK,
    )
    left.set_ylabel("accuracy, %")
    for colour, name in ((PEOPLE, "people: what ten people saw"), (BENCHMARK, "FER-2013's label")):
        left.plot([], [], "o", color=colour, label=name)
    left.legend(frameon=False, loc="lower left", fontsize=9)
    left.set_ylim(50, 91)
    arguments.out.parent.mkdir(parents=True, exist_ok=True)
    # Without the version in it the same figures give the same bytes.
    figure.savefig(arguments.out, dpi=100, metadata={"Software": None})


if __name__ == "__main__":
    main()
