"""Says where a picture has changed, on a thumbnail, at the cost of a few microseconds."""

from __future__ import annotations

import cv2
import numpy as np
import numpy.typing as npt

Gray = npt.NDArray[np.uint8]

LEAST = 3.0  # gray levels by which a cell of an averaged thumbnail must differ
NOISES = 5.0  # times the noise by which it must
CUT = 15.0  # gray levels, mean difference from which another scene is shown
CUT_FRAMES = 3  # frames for which that is remembered
EVERY = 30  # frames between two measurements of the noise


class Motion:
    """Compares each thumbnail with what was last seen in every cell.

    A cell's reference changes only when the cell counts as changed: what moves too slowly to
    differ from one frame to the next adds up until it does.
    """

    def __init__(self) -> None:
        self._cut = CUT_FRAMES
        self._seen: Gray | None = None
        self._last: Gray | None = None
        self._threshold = LEAST
        self._frames = 0

    @property
    def cut(self) -> bool:
        """Whether the scene is new, since this frame or the two before it."""
        return self._cut > 0

    @property
    def cut_now(self) -> bool:
        """Whether the scene is new since this frame."""
        return self._cut == CUT_FRAMES

    def update(self, thumbnail: Gray) -> Gray:
        """Return which cells have changed, uint8 [h, w] of 0 and 255; at first all have."""
        if self._seen is None or self._seen.shape != thumbnail.shape:
            self._seen = thumbnail.copy()
            self._last = None
            return np.full(thumbnail.shape, 255, np.uint8)
        self._measure(thumbnail)
        differences = cv2.absdiff(thumbnail, self._seen)
        self._cut = CUT_FRAMES if cv2.mean(differences)[0] > CUT else self._cut - 1
        changed = cv2.threshold(differences, self._threshold, 255, cv2.THRESH_BINARY)[1]
        cv2.copyTo(thumbnail, changed, self._seen)
        return np.asarray(changed, np.uint8)

    def _measure(self, thumbnail: Gray) -> None:
        """Measure the noise between two successive frames now and then.

        The median: what moves fills less than half of a picture, and where it fills more there
        is motion all the same.
        """
        self._frames += 1
        if self._last is not None:
            noise = float(np.median(cv2.absdiff(thumbnail, self._last)))
            self._threshold = LEAST + min(NOISES * noise, 20.0)
            self._last = None
        elif self._frames % EVERY == 1:
            self._last = thumbnail
