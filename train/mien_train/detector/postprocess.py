"""From the network's outputs to boxes: decoding, scores, non-maximum suppression."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import numpy as np
from mien.boxes import nms

from mien_train.detector.cells import cell_centers
from mien_train.detector.evaluate import Detect, letterbox
from mien_train.detector.targets import decode

NMS_IOU = 0.4
MIN_SCORE = 0.02  # lower ones add nothing to the average precision but time


def detector_of(
    forward: Callable[[np.ndarray], Mapping[str, np.ndarray]],
    height: int,
    width: int,
    min_score: float = MIN_SCORE,
) -> Detect:
    """A function from a gray picture to boxes and scores.

    ``forward`` takes a letterboxed picture, uint8 [height, width], and returns the network's three
    outputs by name, without the batch.
    """
    centers, strides = cell_centers(height, width)

    def detect(image: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        canvas, scale = letterbox(image, height, width)
        output = forward(canvas)
        scores = 1 / (1 + np.exp(-np.asarray(output["scores"])[:, 0]))
        some = np.flatnonzero(scores >= min_score)
        boxes, _ = decode(
            np.asarray(output["boxes"])[some],
            np.asarray(output["landmarks"])[some],
            centers[some],
            strides[some],
        )
        kept = nms(boxes, scores[some], NMS_IOU)
        return boxes[kept] / scale, scores[some][kept]

    return detect
