"""Hides faces in a picture so that nobody can be made out, nor the picture restored."""

from __future__ import annotations

from collections.abc import Sequence

import cv2
import numpy as np
import numpy.typing as npt

from mien.boxes import Box
from mien.pipeline.results import FrameResult

Pixels = npt.NDArray[np.uint8]

MARGIN = 0.3  # of a box's side, added on each: hair, chin and ears say who somebody is
CELLS = 6  # across a face: what is left of it is 36 to 60 mean tones
HOLD_S = 2.0  # s for which a face's last place stays hidden: the detector misses some frames
MAX_BOXES = 400  # kept at once: boxes of some seconds


class FaceAnonymizer:
    """Hides the faces of a frame, and for two seconds the places where faces just were.

    A face that turns away is lost to the detector before it is lost to the eye.
    """

    def __init__(self) -> None:
        self._boxes: list[tuple[float, Box]] = []  # when last seen there, s of the source

    def boxes(self, result: FrameResult) -> tuple[Box, ...]:
        """Take a frame's faces in and return all that is to be hidden in it; call it per frame."""
        now = result.time
        # Time that runs backwards is another beginning of the source.
        kept = [(seen, box) for seen, box in self._boxes if 0 <= now - seen <= HOLD_S]
        for face in result.faces:
            kept = [(seen, box) for seen, box in kept if not _same(box, face.box)]
            kept.append((now, face.box))
        self._boxes = kept[-MAX_BOXES:]
        return tuple(box for _, box in self._boxes)


def hide(picture: Pixels, boxes: Sequence[Box]) -> Pixels:
    """Return a copy of a picture, uint8 [H, W] or [H, W, 3], with the boxes made unrecognisable.

    Each is grown, averaged to a few cells and smoothed: what the cells have lost is nowhere.
    """
    hidden = picture.copy()
    height, width = picture.shape[:2]
    for x, y, w, h in boxes:
        left, top = max(0, round(x - MARGIN * w)), max(0, round(y - MARGIN * h))
        right = min(width, round(x + w + MARGIN * w))
        bottom = min(height, round(y + h + MARGIN * h))
        if right <= left or bottom <= top:
            continue
        part = hidden[top:bottom, left:right]
        cells = (max(1, min(CELLS, part.shape[1] // 4)), max(1, min(CELLS, part.shape[0] // 4)))
        tones = cv2.resize(part, cells, interpolation=cv2.INTER_AREA)
        hidden[top:bottom, left:right] = cv2.resize(
            tones, (right - left, bottom - top), interpolation=cv2.INTER_LINEAR
        )
    return hidden


def _same(old: Box, new: Box) -> bool:
    """Whether a new box, once grown, covers an old one, so that the old need not be kept."""
    x, y, w, h = new
    reach = 0.5 * MARGIN  # the old one is grown too
    return (
        old[0] >= x - reach * w
        and old[1] >= y - reach * h
        and old[0] + old[2] <= x + w + reach * w
        and old[1] + old[3] <= y + h + reach * h
    )
