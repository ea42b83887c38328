"""Draws the README's chart of speed from what `mien bench` printed.

    mien bench --baseline --fer fer/bin/python --json > docs/speed.json
    python scripts/figures/chart_speed.py docs/speed.json docs/images/speed.png

Left: milliseconds for one 640x480 frame with one face on one core, of Mien, the tutorial and the
package fer from the same run, of other projects as measured earlier. Right: the whole pipeline by
number of faces.
Needs matplotlib (`pip install 'mien[train]'`).
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import Any

import matplotlib as mpl

mpl.use("Agg")
import matplotlib.pyplot as plt

# Wall milliseconds of others for such a frame on one x86 core, each with its own pipeline and its
# default settings; see docs/speed.md.
OTHERS = {"deepface": 191.0, "oarriaga/face_classification": 95.0}
OURS, THEIRS = "#1b6ca8", "#b8bec4"


def compared(axes: Any, document: dict[str, Any]) -> None:
    """Draw the bars of one frame's time."""
    found = document["baseline"]
    rows = {f"{name} ¹": value for name, value in OTHERS.items()}
    rows["the tutorial"] = found["tutorial"]["cpu_ms"]["mean"]
    rows["fer"] = found["fer"]["cpu_ms"]["mean"]
    rows["Mien"] = found["mien"]["cpu_ms"]["mean"]
    names = sorted(rows, key=lambda name: -rows[name])
    bars = axes.barh(
        names,
        [rows[name] for name in names],
        color=[OURS if n == "Mien" else THEIRS for n in names],
    )
    axes.bar_label(bars, [f"{rows[name]:.3g} ms" for name in names], padding=4)
    axes.set_xscale("log")
    axes.set_xlim(min(1.0, min(rows.values()) / 2), max(rows.values()) * 4)
    axes.xaxis.set_major_formatter("{x:g}")
    axes.invert_yaxis()
    axes.set_title("one frame of 640x480, one face, one core", loc="left", fontsize=11)
    axes.set_xlabel("ms of CPU, mean over frames (logarithmic)    ¹ wall time, measured earlier")


def by_faces(axes: Any, document: dict[str, Any]) -> None:
    """Draw the whole pipeline's time over the number of faces, a line per size."""
    sizes = sorted({(entry["width"], entry["height"]) for entry in document["pipeline"]})
    for size, shade in zip(sizes, ("#7fb3d5", OURS, "#0b3954"), strict=False):
        entries = sorted(
            (e for e in document["pipeline"] if (e["width"], e["height"]) == size),
            key=lambda entry: entry["faces"],
        )
        axes.plot(
            [entry["faces"] for entry in entries],
            [entry["cpu_ms"]["mean"] for entry in entries],
            "o-",
            color=shade,
            label=f"{size[0]}x{size[1]}",
        )
    axes.set_ylim(bottom=0)
    axes.set_xticks(sorted({entry["faces"] for entry in document["pipeline"]}))
    axes.set_xlabel("faces in the picture")
    axes.set_title("Mien: ms of CPU a frame, one core", loc="left", fontsize=11)
    axes.legend(frameon=False)


def main() -> None:
    """Draw."""
    parser = argparse.ArgumentParser(description="Draws the chart of speed.")
    parser.add_argument("document", type=Path, help="last line of `mien bench --baseline`")
    parser.add_argument("out", type=Path, help="a .png")
    arguments = parser.parse_args()
    document = json.loads(arguments.document.read_text().splitlines()[-1])
    figure, (left, right) = plt.subplots(
        1, 2, figsize=(11, 3.6), width_ratios=(3, 2), layout="constrained"
    )
    compared(left, document)
    by_faces(right, document)
    for axes in (left, right):
        axes.spines[["top", "right"]].set_visible(False)
    arguments.out.parent.mkdir(parents=True, exist_ok=True)
    # Without the version in it the same figures give the same bytes.
    figure.savefig(arguments.out, dpi=100, metadata={"Software": None})


if __name__ == "__main__":
    main()
