"""Tracking accuracy on clips with known faces: CLEAR MOT, identity F1, recall, time to detection.

Clips are NAME.mp4 with NAME.gt.txt beside it, MOTChallenge text: frame (from 1), id, left, top,
width, height, conf (1: counts; 0: neither a miss nor an error) and class; an id under 1 is a region
to ignore. `clips.csv` (clip, kind) may name kinds. MOTA, IDF1 and switches come from motmetrics
(Bernardin & Stiefelhagen 2008; Ristani et al. 2016).
"""

from __future__ import annotations

import csv
import math
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from mien.boxes import iou_matrix
from mien.errors import UserError
from mien.sources.base import Frame
from mien.sources.video import open_video

MATCH_IOU = 0.4  # from which a box meets a face
TOUCH_IOU = 0.2  # from which a box is at least not false
MIN_SIDE = 20.0  # px, root of the area: smaller boxes are never false
MIN_SEEN_S = 0.6  # a face must be there so long to count in the time to detection
SOON_S = 0.5
KINDS = ("webcam", "portrait", "people", "noface")  # in this order, then others, then all

Boxes = npt.NDArray[np.float64]  # [n, 4]


@dataclass(frozen=True)
class Truth:
    """The faces of one frame."""

    ids: tuple[int, ...]
    boxes: Boxes
    counts: npt.NDArray[np.bool_]  # [n]
    ignored: Boxes  # regions


@dataclass(frozen=True)
class Clip:
    """One clip with its truth."""

    path: Path
    kind: str
    truth: dict[int, Truth]  # by the frame, from 0

    def frames(self) -> Iterator[Frame]:
        """Yield the frames as the device has them, gray."""
        source = open_video(self.path, False, lambda sentence: None)
        try:
            for frame in source.frames():
                assert isinstance(frame, Frame)
                yield frame
        finally:
            source.close()


@dataclass(frozen=True)
class TrackedFrame:
    """What a tracker reports of one frame."""

    time: float  # s
    ids: tuple[int, ...]
    boxes: Boxes


@dataclass
class ClipResult:
    """Counts of one clip."""

    kind: str
    frames: int = 0
    faces: int = 0  # face-frames that count
    hits: int = 0
    false_boxes: int = 0
    shared_ids: int = 0
    delays: list[float] = field(default_factory=list)  # s; infinite where never found
    mot: dict[str, int] = field(default_factory=dict)  # motmetrics' counts
    misses: list[tuple[int, int]] = field(default_factory=list)  # frame, index of the face


def list_clips(folder: Path) -> list[Clip]:
    """Return the clips with truth in a folder; raises UserError where there is none."""
    kinds = {}
    table = folder / "clips.csv"
    if table.is_file():
        with table.open(newline="") as file:
            kinds = {row["clip"]: row.get("kind", "") for row in csv.DictReader(file)}
    clips = []
    for truth in sorted(folder.glob("*.gt.txt")):
        path = truth.with_name(truth.name.removesuffix(".gt.txt") + ".mp4")
        if not path.is_file():
            raise UserError(f"{truth} has no {path.name} beside it; copy the clip there.")
        clips.append(Clip(path, kinds.get(path.name, ""), read_truth(truth)))
    if not clips:
        raise UserError(
            f"{folder} has no clips with truth; put NAME.gt.txt (MOTChallenge text) beside each "
            "NAME.mp4."
        )
    return clips


def read_truth(path: Path) -> dict[int, Truth]:
    """Read MOTChallenge text; raises UserError for a line that is none."""
    rows: dict[int, list[tuple[float, ...]]] = {}
    for number, line in enumerate(path.read_text().splitlines(), 1):
        if not line.strip():
            continue
        try:
            values = tuple(float(value) for value in line.split(",")[:7])
            frame, _, _, _, _, _, _ = values
        except ValueError as error:
            raise UserError(
                f"{path}, line {number}, is no line of MOTChallenge text: "
                "frame,id,left,top,width,height,conf."
            ) from error
        rows.setdefault(int(frame) - 1, []).append(values[1:])
    return {frame: _truth(found) for frame, found in rows.items()}


def _truth(rows: Sequence[tuple[float, ...]]) -> Truth:
    faces = [row for row in rows if row[0] > 0]
    regions = [row[1:5] for row in rows if row[0] <= 0]
    return Truth(
        tuple(int(row[0]) for row in faces),
        np.array([row[1:5] for row in faces], np.float64).reshape(-1, 4),
        np.array([row[5] > 0 for row in faces], bool),
        np.array(regions, np.float64).reshape(-1, 4),
    )


NOBODY = _truth([])


def match(overlap: npt.NDArray[np.float64], least: float = MATCH_IOU) -> list[tuple[int, int]]:
    """Return pairs (row, column) greedily by overlap, each row and column once."""
    pairs: list[tuple[int, int]] = []
    rows, columns = set(), set()
    for flat in np.argsort(-overlap, axis=None, kind="stable"):
        row, column = divmod(int(flat), overlap.shape[1])
        if overlap[row, column] < least:
            break
        if row not in rows and column not in columns:
            pairs.append((row, column))
            rows.add(row)
            columns.add(column)
    return pairs


def score_clip(clip: Clip, frames: Iterable[TrackedFrame]) -> ClipResult:
    """Count a tracker's result, frame by frame in order, against a clip's truth."""
    try:
        import motmetrics
    except ImportError as error:
        raise UserError('motmetrics is missing; run `pip install "mien[train]"`.') from error
    accumulator = motmetrics.MOTAccumulator(auto_id=True)
    result = ClipResult(clip.kind)
    first: dict[int, float] = {}
    found: dict[int, float] = {}
    seen: dict[int, int] = {}
    owners: dict[int, set[int]] = {}
    times: list[float] = []
    for index, frame in enumerate(frames):
        truth = clip.truth.get(index, NOBODY)
        times.append(frame.time)
        result.frames += 1
        result.faces += int(truth.counts.sum())
        overlap = iou_matrix(truth.boxes, frame.boxes)
        pairs = match(overlap)
        for row, name in enumerate(truth.ids):
            seen[name] = seen.get(name, 0) + 1
            if truth.counts[row]:
                first.setdefault(name, frame.time)
        for row, column in pairs:
            if truth.counts[row]:
                result.hits += 1
                found.setdefault(truth.ids[row], frame.time)
                owners.setdefault(frame.ids[column], set()).add(truth.ids[row])
        hit = {row for row, _ in pairs}
        result.misses += [
            (index, row) for row in range(len(truth.ids)) if truth.counts[row] and row not in hit
        ]
        on_face, ignored = _roles(truth, frame, overlap, pairs)
        result.false_boxes += int((~on_face).sum())
        rows, columns = np.flatnonzero(truth.counts), np.flatnonzero(~ignored)
        table = overlap[np.ix_(rows, columns)]
        accumulator.update(
            [truth.ids[row] for row in rows],
            [frame.ids[column] for column in columns],
            np.where(table >= MATCH_IOU, 1 - table, np.nan),
        )
    rate = (len(times) - 1) / (times[-1] - times[0]) if len(times) > 1 else 25.0
    result.shared_ids = sum(len(names) > 1 for names in owners.values())
    result.delays = [
        found.get(name, math.inf) - first[name]
        for name in first
        if seen[name] / rate >= MIN_SEEN_S - 1e-9
    ]
    result.mot = _motmetrics(motmetrics, accumulator)
    return result


def _roles(
    truth: Truth,
    frame: TrackedFrame,
    overlap: npt.NDArray[np.float64],
    pairs: Sequence[tuple[int, int]],
) -> tuple[npt.NDArray[np.bool_], npt.NDArray[np.bool_]]:
    """Return which boxes [n] are on no false place, and which CLEAR MOT leaves out."""
    boxes = frame.boxes
    regions = iou_matrix(truth.ignored, boxes)
    small = np.sqrt(boxes[:, 2] * boxes[:, 3]) < MIN_SIDE
    in_region = (regions >= TOUCH_IOU).any(axis=0)
    touching = overlap >= TOUCH_IOU
    middles = boxes[:, :2] + boxes[:, 2:] / 2
    corner = truth.boxes[:, None, :2]
    inside = ((middles >= corner) & (middles <= corner + truth.boxes[:, None, 2:])).all(axis=2)
    taken = np.zeros(len(boxes), bool)
    uncounted = np.zeros(len(boxes), bool)
    for row, column in pairs:
        taken[column] = True
        uncounted[column] = not truth.counts[row]
    on_face = taken | small | touching.any(axis=0) | in_region | inside.any(axis=0)
    left_out = in_region | small | touching[~truth.counts].any(axis=0)
    return on_face, uncounted | (~taken & left_out)


def _motmetrics(motmetrics: Any, accumulator: Any) -> dict[str, int]:
    names = ["num_misses", "num_false_positives", "num_switches", "idtp", "num_objects"]
    names.append("num_predictions")
    found = motmetrics.metrics.create().compute(accumulator, metrics=names, name="clip")
    return {name: int(found[name].iloc[0]) for name in names}


def summarize(results: Sequence[ClipResult]) -> dict[str, Any]:
    """Return the measures over some clips; shares are 0 to 1, None where nothing counts."""
    mot = {key: sum(result.mot[key] for result in results) for key in results[0].mot}
    frames, faces = sum(r.frames for r in results), sum(r.faces for r in results)
    errors = mot["num_misses"] + mot["num_false_positives"] + mot["num_switches"]
    delays = [delay for result in results for delay in result.delays]
    finite = [delay for delay in delays if math.isfinite(delay)]
    objects, predictions = mot["num_objects"], mot["num_predictions"]
    false_boxes = sum(result.false_boxes for result in results)
    return {
        "clips": len(results),
        "frames": frames,
        "face_frames": faces,
        "recall": sum(r.hits for r in results) / faces if faces else None,
        "false_boxes": false_boxes,
        "false_per_1000_frames": 1000 * false_boxes / frames if frames else None,
        "mota": 1 - errors / objects if objects else None,
        "idf1": 2 * mot["idtp"] / (objects + predictions) if objects else None,
        "switches": mot["num_switches"],
        "shared_ids": sum(result.shared_ids for result in results),
        "faces": len(delays),
        "found_within_half_a_second": float(np.mean([d <= SOON_S for d in delays]))
        if delays
        else None,
        "median_delay_s": float(np.median(finite)) if finite else None,
        "never_found": sum(math.isinf(delay) for delay in delays),
    }


def by_kind(results: Sequence[ClipResult]) -> dict[str, dict[str, Any]]:
    """Return the measures of each kind of clip and of all."""
    kinds = {result.kind for result in results if result.kind}
    order = [kind for kind in KINDS if kind in kinds] + sorted(kinds - set(KINDS))
    groups = {kind: [r for r in results if r.kind == kind] for kind in order}
    return {name: summarize(group) for name, group in {**groups, "all": list(results)}.items()}


def track_clip(
    clip: Clip, build: Callable[[], Callable[[Frame], TrackedFrame]]
) -> Iterator[TrackedFrame]:
    """Yield what a new tracker reports of each frame of a clip."""
    update = build()
    for frame in clip.frames():
        yield update(frame)
