"""Detection accuracy on still pictures with known faces: recall by size, false boxes a picture.

A folder holds truth.csv (image, kind: face or ignore, x, y, w, h; pose, occlusion and blur where
known) and stills/SET/NAME.jpg.
"""

from __future__ import annotations

import csv
import math
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from mien.boxes import iou_matrix
from mien.errors import UserError

from mien_train.evaluation.tracking import TOUCH_IOU, Boxes, match

MIN_SIZE = 24.0  # px, side of a square of the same area: smaller faces do not count
SIZES = {"24-48": (24.0, 48.0), "48-96": (48.0, 96.0), "96+": (96.0, math.inf)}


@dataclass(frozen=True)
class Still:
    """One picture and its truth."""

    path: Path
    group: str  # the folder's name: wider, photos, noface or others
    boxes: Boxes  # of faces and of regions to ignore
    is_face: npt.NDArray[np.bool_]
    clear: npt.NDArray[np.bool_]  # seen from the front, not hidden, not heavily blurred


@dataclass(frozen=True)
class StillResult:
    """One picture's faces that count, which of them were found, and the false boxes."""

    still: Still
    counts: npt.NDArray[np.bool_]
    hit: npt.NDArray[np.bool_]
    false_boxes: int


def list_stills(folder: Path) -> list[Still]:
    """Return the pictures of a folder with truth.csv; raises UserError where there are none."""
    table = folder / "truth.csv"
    rows: dict[str, list[dict[str, str]]] = {}
    with table.open(newline="") as file:
        for row in csv.DictReader(file):
            rows.setdefault(row["image"], []).append(row)
    files = sorted((folder / "stills").glob("*/*.jpg"))
    if not files:
        raise UserError(f"{folder} has a truth.csv but no stills/SET/NAME.jpg; copy them there.")
    return [_still(path, rows.get(f"{path.parent.name}/{path.name}", [])) for path in files]


def _still(path: Path, rows: Sequence[dict[str, str]]) -> Still:
    boxes = np.array([[float(row[key]) for key in "xywh"] for row in rows], np.float64)
    clear = [
        row.get("pose") == "typical"
        and row.get("occlusion") == "none"
        and row.get("blur") != "heavy"
        for row in rows
    ]
    is_face = np.array([row["kind"] == "face" for row in rows], bool)
    return Still(path, path.parent.name, boxes.reshape(-1, 4), is_face, np.array(clear, bool))


def score_still(still: Still, boxes: Boxes) -> StillResult:
    """Count the boxes that were found in a picture."""
    overlap = iou_matrix(still.boxes, boxes)
    pairs = match(overlap)
    hit = np.zeros(len(still.boxes), bool)
    taken = np.zeros(len(boxes), bool)
    for row, column in pairs:
        hit[row] = taken[column] = True
    middles = boxes[:, :2] + boxes[:, 2:] / 2
    corner = still.boxes[:, None, :2]
    inside = ((middles >= corner) & (middles <= corner + still.boxes[:, None, 2:])).all(axis=2)
    false = ~taken & ~(overlap >= TOUCH_IOU).any(axis=0) & ~inside.any(axis=0)
    counts = still.is_face & (_sizes(still) >= MIN_SIZE)
    return StillResult(still, counts, hit, int(false.sum()))


def _sizes(still: Still) -> npt.NDArray[np.float64]:
    return np.asarray(np.sqrt(still.boxes[:, 2] * still.boxes[:, 3]), np.float64)


def summarize_stills(results: Sequence[StillResult]) -> dict[str, Any]:
    """Return recall of all faces, by size and of clear ones, and false boxes a picture."""
    sizes = np.concatenate([_sizes(result.still) for result in results])
    counts = np.concatenate([result.counts for result in results])
    hit = np.concatenate([result.hit for result in results])
    clear = np.concatenate([result.still.clear for result in results])
    false_boxes = sum(result.false_boxes for result in results)

    def recall(chosen: npt.NDArray[np.bool_]) -> float | None:
        chosen = chosen & counts
        return float(hit[chosen].mean()) if chosen.any() else None

    return {
        "pictures": len(results),
        "faces": int(counts.sum()),
        "recall": recall(counts),
        **{
            f"recall {name}": recall((sizes >= low) & (sizes < high))
            for name, (low, high) in SIZES.items()
        },
        "recall clear": recall(clear),
        "misses": int((counts & ~hit).sum()),
        "false_boxes": false_boxes,
        "false_per_picture": false_boxes / len(results),
    }


def score_stills(
    stills: Iterable[Still], detect: Callable[[Path], Boxes]
) -> tuple[dict[str, dict[str, Any]], list[StillResult]]:
    """Return the measures of each set and of all, and each picture's result."""
    results = [score_still(still, detect(still.path)) for still in stills]
    groups: dict[str, list[StillResult]] = {}
    for result in results:
        groups.setdefault(result.still.group, []).append(result)
    first: tuple[str, ...] = ("wider", "photos", "noface")
    order = [name for name in first if name in groups]
    order += sorted(set(groups) - set(order))
    found = {name: summarize_stills(groups[name]) for name in order}
    return {**found, "all": summarize_stills(results)}, results
