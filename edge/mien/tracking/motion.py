"""Motion: which parts of a frame have changed, and whether the scene has (a cut)."""

from __future__ import annotations

import cv2
import numpy as np

from mien.boxes import FloatBox
from mien.pyramid import Gray, Pyramid

MIN_DIFFERENCE = 3.0  # gray levels by which a cell of the thumbnail must differ, noise aside
NOISE_FACTOR = 5.0  # and times the noise
NOISE_EVERY = 30  # frames between two measurements of the noise


class MotionDetector:
    """Compares thumbnails, uint8 [h, w], at the cost of some microseconds.

    A cell's reference changes only when the cell counts as changed, so that what moves too slowly
    to differ from one frame to the next adds up until it does.
    """

    def __init__(self, cut_difference: float) -> None:
        """`cut_difference` is the mean difference, gray levels, from which a frame is a cut."""
        self.cut = True  # whether the scene is new in this frame
        self._cut_difference = cut_difference
        self._reference: Gray | None = None
        self._previous: Gray | None = None
        self._changed: Gray | None = None
        self._threshold = MIN_DIFFERENCE
        self._frames = 0

    def update(self, thumbnail: Gray) -> None:
        """Take in the thumbnail of the next frame; a first one or another size is a cut."""
        if self._reference is None or self._reference.shape != thumbnail.shape:
            self._reference, self._previous, self._changed = thumbnail.copy(), None, None
            self.cut = True
            return
        self._measure_noise(thumbnail)
        difference = cv2.absdiff(thumbnail, self._reference)
        self.cut = cv2.mean(difference)[0] > self._cut_difference
        changed = cv2.threshold(difference, self._threshold, 255, cv2.THRESH_BINARY)[1]
        self._changed = np.asarray(changed, np.uint8)
        cv2.copyTo(thumbnail, changed, self._reference)

    def still(self, box: FloatBox, pyramid: Pyramid) -> bool:
        """Return whether nothing has changed inside a box of a frame."""
        if self._changed is None:
            return False
        cell = 1 << (len(pyramid.levels) - 1)  # px of the frame
        left, top = max(0, int(box[0] / cell)), max(0, int(box[1] / cell))
        right, bottom = int((box[0] + box[2]) / cell) + 1, int((box[1] + box[3]) / cell) + 1
        inside = self._changed[top:bottom, left:right]
        return inside.size > 0 and not cv2.countNonZero(inside)

    def _measure_noise(self, thumbnail: Gray) -> None:
        """Measure the noise between two successive frames now and then, by the median.

        What moves fills less than half of a frame, and where it fills more there is motion anyway.
        """
        self._frames += 1
        if self._previous is not None:
            noise = float(np.median(cv2.absdiff(thumbnail, self._previous)))
            self._threshold = MIN_DIFFERENCE + min(NOISE_FACTOR * noise, 20.0)
            self._previous = None
        elif self._frames % NOISE_EVERY == 1:
            self._previous = thumbnail
