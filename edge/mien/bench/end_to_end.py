"""Times the whole pipeline on synthetic scenes, and counts what it finds there."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from mien.bench.scenes import Scene
from mien.bench.timing import Stopwatch
from mien.boxes import Box, iou
from mien.pipeline.video import VideoPipeline

SIZES = ((320, 240), (640, 480), (1280, 720))  # px
FACES = (1, 2, 5, 10)
MATCH_IOU = 0.3  # least IoU of a box and the face that it has found


@dataclass
class DetectionCounts:
    """Counts of true and false detections."""

    frames: int = 0
    faces: int = 0
    hits: int = 0
    false_boxes: int = 0
    frames_with_false_box: int = 0

    def add(self, truth: Sequence[Box], boxes: Sequence[Box]) -> None:
        """Count a frame; a box on no face, and a second box on a face, are false detections."""
        left = list(boxes)
        for face in truth:
            best = max(left, key=lambda box: iou(box, face), default=None)
            if best is not None and iou(best, face) >= MATCH_IOU:
                left.remove(best)
                self.hits += 1
        self.frames += 1
        self.faces += len(truth)
        self.false_boxes += len(left)
        self.frames_with_false_box += bool(left)

    def summary(self) -> dict[str, Any]:
        """Return the JSON fields."""
        return {
            "recall": round(self.hits / self.faces, 4) if self.faces else None,
            "false_boxes": self.false_boxes,
            "frames_with_false_box": self.frames_with_false_box,
        }


def time_pipeline(
    build: Callable[[], VideoPipeline], faces: int, width: int, height: int, frames: int
) -> dict[str, Any]:
    """Run a new pipeline over a scene, gray frame in to result out, the first frame included.

    The mean is what counts: a pipeline may look everywhere in some frames and nearby in most.
    """
    pipeline = build()
    scene = Scene(faces, width, height)
    watch, counts = Stopwatch(), DetectionCounts()
    for index in range(frames):
        frame = scene.frame(index)
        with watch.running():
            result = pipeline.process(frame)
        counts.add(scene.boxes(index), [face.box for face in result.faces])
    size = {"faces": faces, "width": width, "height": height}
    return {**size, **watch.times().summary(), **counts.summary()}
