"""Single-shot face detector: Mien's own int8 network, by default for gray 320x240.

Anchor-free cells at strides 8, 16 and 32 as in YuNet (Wu et al., "YuNet: A Tiny Millisecond-level
Face Detector", 2023): each gives the logit of a score, a box (offset of its middle in strides, log
of its size in strides) and five landmarks (offsets in strides). `mien-train detector` trains it.
"""

from __future__ import annotations

import cv2
import numpy as np
import numpy.typing as npt

from mien.detection.base import Detection, Gray
from mien.detection.tiles import suppress
from mien.errors import UserError
from mien.tflite.interpreter import TfliteNetwork

STRIDES = (8, 16, 32)  # px of the input between two cells
PAD_VALUE = 0  # gray level of what a letterbox adds
MIN_LOGIT = -1.0  # a score of 0.27: lower ones are never used
MAX_LOG_SIZE = 5.0  # log strides; 32 px times e^5 is more than any input

Floats = npt.NDArray[np.float32]


class SsdDetector:
    """The network, loaded once; raises UserError for a file that is no such network."""

    still_score = 0.59

    def __init__(self, flatbuffer: bytes, name: str) -> None:
        """Load a TFLite flatbuffer; `name` is what a sentence about it calls it."""
        self._network = TfliteNetwork(flatbuffer, name)
        self._height, self._width = self._network.input_shape
        self._centers, self._strides = cells(self._height, self._width)
        by_size = {shape[-1]: index for index, shape in enumerate(self._network.output_shapes)}
        if {(len(self._strides), size) for size in (1, 4, 10)} != set(self._network.output_shapes):
            raise UserError(f"{name} is not a face detector of `mien-convert detector`.")
        self._order = [by_size[size] for size in (1, 4, 10)]

    def detect(self, gray: Gray) -> list[Detection]:
        """Return the faces of a gray picture, uint8 [H, W], the best score first."""
        picture, scale = letterbox(gray, self._width, self._height)
        outputs = self._network.run(picture)
        logits, boxes, points = (outputs[index] for index in self._order)
        chosen = np.flatnonzero(logits[:, 0] >= MIN_LOGIT)
        logits, boxes, points = logits[chosen, 0], boxes[chosen], points[chosen]
        stride, centers = self._strides[chosen, None] / scale, self._centers[chosen] / scale
        sizes = np.exp(np.minimum(boxes[:, 2:], MAX_LOG_SIZE)) * stride
        corners = centers + boxes[:, :2] * stride - sizes / 2
        marks = centers[:, None] + points.reshape(-1, 5, 2) * stride[:, None]
        scores = 1 / (1 + np.exp(-logits))
        rows = zip(corners.tolist(), sizes.tolist(), scores.tolist(), marks.tolist(), strict=True)
        return suppress(
            Detection((x, y, w, h), score, tuple((px, py) for px, py in marked))
            for (x, y), (w, h), score, marked in rows
        )


def cells(height: int, width: int) -> tuple[Floats, Floats]:
    """Return the centers (x, y, px) of an input's cells, float32 [n, 2], and their strides, [n]."""
    centers, strides = [], []
    for stride in STRIDES:
        y, x = np.mgrid[: -(-height // stride), : -(-width // stride)].reshape(2, -1)
        centers.append(np.stack([(x + 0.5) * stride, (y + 0.5) * stride], 1))
        strides.append(np.full(len(x), stride))
    return np.concatenate(centers).astype(np.float32), np.concatenate(strides).astype(np.float32)


def letterbox(gray: Gray, width: int, height: int) -> tuple[Gray, float]:
    """Return a picture resized and padded to uint8 [height, width], and the scale it was given."""
    scale = min(width / gray.shape[1], height / gray.shape[0])
    size = max(1, round(gray.shape[1] * scale)), max(1, round(gray.shape[0] * scale))
    if gray.shape != size[::-1]:
        method = cv2.INTER_AREA if scale < 1 else cv2.INTER_LINEAR
        gray = np.asarray(cv2.resize(gray, size, interpolation=method), np.uint8)
    below, right = height - gray.shape[0], width - gray.shape[1]
    if below or right:
        gray = np.pad(gray, ((0, below), (0, right)), constant_values=PAD_VALUE)
    return gray, scale
