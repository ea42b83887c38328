"""Sweep of the tracker's numbers: each field of TrackerConfig at values around the chosen one.

All configurations share what the detector has seen: it looks at no picture twice.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from hashlib import sha256
from typing import Any

import numpy as np
from mien.boxes import clip_box
from mien.detection.base import Detection, Detector, Gray
from mien.tracking.tracker import Tracker, TrackerConfig

from mien_train.evaluation.tracking import Clip, ClipResult, TrackedFrame, score_clip, summarize

VALUES: dict[str, tuple[float, ...]] = {
    "detect_interval_s": (0.05, 0.1, 0.15, 0.2, 0.3),
    "fine_interval_s": (0.2, 0.3, 0.5, 1.0, 2.0, 1e9),
    "recheck": (1, 2, 3, 5, 100),
    "keep_score": (0.3, 0.35, 0.4, 0.45, 0.5, 0.55, 0.6),
    "start_score": (0.45, 0.5, 0.55, 0.6, 0.65, 0.7, 0.75),
    "confirm_score": (0.5, 0.55, 0.6, 0.65, 0.7, 0.75, 0.8, 0.85),
    "confirm_hits": (1, 2, 3, 4, 6),
    "min_iou": (0.1, 0.2, 0.3, 0.4),
    "min_ncc": (0.6, 0.7, 0.75, 0.8, 0.9),
    "hold_s": (0.1, 0.3, 0.5, 1.0, 2.0),
    "coast_s": (0.0, 0.1, 0.2, 0.4),
    "max_lost_s": (1.0, 3.0, 5.0),
    "memory_s": (0.0, 5.0, 10.0, 30.0),
    "same_similarity": (0.0, 0.3, 0.4, 0.5, 0.6, 0.7),
    "reid_similarity": (0.5, 0.6, 0.65, 0.7, 0.8),
    "reid_hits": (1, 2, 4, 6),
    "position_gain": (0.3, 0.6, 0.8, 1.0),
    "velocity_gain": (0.0, 0.2, 0.4, 0.8),
    "cut_difference": (8.0, 15.0, 25.0, 50.0),
}
COLUMNS = (
    *("field", "value", "chosen", "recall", "people_recall", "false_per_1000_frames", "mota"),
    *("switches", "shared_ids", "found_within_half_a_second"),
)


class RememberingDetector:
    """A detector that knows the pictures it has seen."""

    def __init__(self, detector: Detector) -> None:
        self._detector = detector
        self._seen: dict[bytes, list[Detection]] = {}  # by the picture's hash
        self.still_score = detector.still_score

    def detect(self, gray: Gray) -> list[Detection]:
        """Return the detections of a picture, of a second look from memory."""
        key = sha256(gray.tobytes()).digest() + repr(gray.shape).encode()
        if key not in self._seen:
            self._seen[key] = self._detector.detect(gray)
        return self._seen[key]


def sweep(
    clips: Sequence[Clip], detector: Detector, config: TrackerConfig
) -> Iterator[tuple[int, list[dict[str, Any]]]]:
    """Yield clips done and, at the end, a row for each value of each field."""
    tries = [(name, value) for name, values in VALUES.items() for value in values]
    configs = []
    for name, value in tries:
        configs.append(replace(config, **{name: value}))  # type: ignore[arg-type]
    results: list[list[ClipResult]] = [[] for _ in configs]
    for done, clip in enumerate(clips):
        frames = [(frame.gray, frame.time) for frame in clip.frames()]
        seen = RememberingDetector(detector)
        for index, one in enumerate(configs):
            results[index].append(score_clip(clip, _track(frames, seen, one)))
        yield done + 1, []
    rows = []
    for (name, value), found in zip(tries, results, strict=True):
        people = [result for result in found if result.kind == "people"]
        measures = summarize(found)
        rows.append(
            {
                "field": name,
                "value": value,
                "chosen": value == getattr(config, name),
                "people_recall": summarize(people)["recall"] if people else None,
                **{key: measures[key] for key in COLUMNS if key in measures},
            }
        )
    yield len(clips), rows


def _track(
    frames: Sequence[tuple[Gray, float]], detector: Detector, config: TrackerConfig
) -> Iterator[TrackedFrame]:
    tracker = Tracker(detector, config)
    for gray, time in frames:
        tracks = tracker.update(gray, time)
        height, width = gray.shape
        boxes = [clip_box(track.box, width, height) for track in tracks]
        ids = tuple(track.id for track in tracks)
        yield TrackedFrame(time, ids, np.array(boxes, np.float64).reshape(-1, 4))
