"""Preprocessing: from a gray picture and a face's box to the classifier's input.

Every path to the model goes through `preprocess_face`: the camera, `mien image`, `mien eval` and
the converter's check. So the same crop gives the same bytes everywhere.
"""

from __future__ import annotations

import cv2
import numpy as np
import numpy.typing as npt

from mien.boxes import Box
from mien.tflite.metadata import Metadata

# Where a still is looked at, right and down in sides of what is cut out: detectors err so far.
# Chosen on training faces in scenes, of which the mean of these and of them mirrored reads 0.8 %
# more than one view does; wider ones, or several margins, bring less.
TTA_SHIFTS = ((0.0, 0.0), (-0.04, 0.0), (0.04, 0.0), (0.0, -0.04), (0.0, 0.04))


def preprocess_face(
    gray: npt.NDArray[np.uint8], box: Box | None, metadata: Metadata
) -> npt.NDArray[np.uint8]:
    """Return the network's input, uint8 [S, S], for one face of a picture, uint8 [H, W].

    The box is grown by the model's margin and made square; at the border the square is shifted
    into the picture, and where it is larger than the picture the border is repeated. `None` takes
    the whole picture as one face: no margin, and a picture that is not square is cut to its middle.
    A picture of S x S px with `None` comes back byte for byte. Raises ValueError for a picture of
    another type and for a box that does not touch the picture.
    """
    _require_gray(gray)
    height, width = gray.shape
    if box is None:
        side = min(height, width)
        left, top = (width - side) // 2, (height - side) // 2
    else:
        left, top, side = _square(box, metadata.crop.margin, width, height)
    return _resize(_cut(gray, left, top, side), metadata.input_size)


def tta_crops(
    gray: npt.NDArray[np.uint8], box: Box | None, metadata: Metadata
) -> npt.NDArray[np.uint8]:
    """Return crops for test-time augmentation, uint8 [n, S, S], whose logits are to be averaged.

    A video shows a face in many frames, a still picture only once. So the crop is also shifted a
    little, and each crop mirrored. `None` for the box as in `preprocess_face`: one crop.
    """
    if box is None:
        return preprocess_face(gray, None, metadata)[np.newaxis]
    _require_gray(gray)
    height, width = gray.shape
    left, top, side = _square(box, metadata.crop.margin, width, height)
    views = [
        _cut(
            gray,
            _place(left + round(right * side), side, side, width),
            _place(top + round(down * side), side, side, height),
            side,
        )
        for right, down in TTA_SHIFTS
    ]
    seen = np.stack([_resize(view, metadata.input_size) for view in views])
    return np.concatenate([seen, seen[:, :, ::-1]])


def normalize(faces: npt.NDArray[np.uint8]) -> npt.NDArray[np.float32]:
    """Scale gray bytes uint8 [n, S, S] to the float network's float32 [n, S, S, 1] in [-1, 1].

    Training and conversion use this. The int8 network takes the bytes themselves: quantized on
    [-1, 1], a pixel's byte is its quantized value.
    """
    return np.asarray(faces[..., np.newaxis], np.float32) / np.float32(127.5) - np.float32(1)


def _require_gray(gray: npt.NDArray[np.uint8]) -> None:
    if gray.dtype != np.uint8 or gray.ndim != 2 or gray.size == 0:
        raise ValueError(f"a gray picture is uint8 [H, W], not {gray.dtype} {list(gray.shape)}")


def _square(box: Box, margin: float, width: int, height: int) -> tuple[int, int, int]:
    """Return left, top and side, px, of the grown square, shifted into the picture if it fits."""
    x, y, w, h = box
    if w < 1 or h < 1 or x >= width or y >= height or x + w <= 0 or y + h <= 0:
        raise ValueError(f"box {box} does not touch the picture of {width}x{height} px")
    side = max(1, round(max(w, h) * (1 + 2 * margin)))
    return _place(x, w, side, width), _place(y, h, side, height), side


def _place(start: int, length: int, side: int, limit: int) -> int:
    """Return where the square starts along one axis of `limit` px."""
    begin = (2 * start + length - side) // 2
    if side > limit:
        # Too large to fit: the picture lies wholly inside, as near to the face's centre as may be.
        return min(0, max(begin, limit - side))
    return min(max(begin, 0), limit - side)


def _cut(gray: npt.NDArray[np.uint8], left: int, top: int, side: int) -> npt.NDArray[np.uint8]:
    height, width = gray.shape
    right, bottom = left + side, top + side
    inside = gray[max(top, 0) : min(bottom, height), max(left, 0) : min(right, width)]
    if inside.shape == (side, side):
        return inside
    before = (max(0, -top), max(0, -left))
    after = (max(0, bottom - height), max(0, right - width))
    return np.pad(inside, ((before[0], after[0]), (before[1], after[1])), mode="edge")


def _resize(square: npt.NDArray[np.uint8], size: int) -> npt.NDArray[np.uint8]:
    side = square.shape[0]
    if side == size:
        return square.copy()
    # Averaging is what keeps a large face from aliasing; enlarging has nothing to average.
    method = cv2.INTER_AREA if side > size else cv2.INTER_LINEAR
    resized = cv2.resize(square, (size, size), interpolation=method)
    return np.asarray(resized, np.uint8)
