"""A frame at several sizes, each half of the one before, and square views cut from them."""

from __future__ import annotations

import cv2
import numpy as np
import numpy.typing as npt

Gray = npt.NDArray[np.uint8]

THUMBNAIL = 80  # px, the longer side of the smallest level is at most this


class Pyramid:
    """The levels of a gray frame, uint8 [H, W]; level k has one pixel for 2^k x 2^k.

    Halving averages, so that neither a cascade nor a comparison of frames sees aliasing, and the
    noise of the smallest level is a fraction of the camera's. All levels together take 20
    microseconds for 640x480 px: every view starts from the level nearest above its own size, which
    makes a large face as cheap as a small one.
    """

    def __init__(self, gray: Gray) -> None:
        self.height, self.width = gray.shape
        self.levels = [gray]
        while max(gray.shape) > THUMBNAIL and min(gray.shape) > 1:
            height, width = gray.shape[0] // 2, gray.shape[1] // 2
            even = gray[: 2 * height, : 2 * width]  # an odd row would make the averaging slow
            gray = np.asarray(
                cv2.resize(even, (width, height), interpolation=cv2.INTER_AREA), np.uint8
            )
            self.levels.append(gray)

    def view(self, x: float, y: float, side: float, size: int) -> Gray:
        """Return the square of `side` px around a centre as uint8 [size, size].

        Beyond the frame its border is repeated.
        """
        level, scale = 0, side / size
        while scale >= 2 and level + 1 < len(self.levels):
            level, scale = level + 1, scale / 2
        factor = 1 << level
        # Pixel centres: the middle of pixel i lies at i + 0.5.
        left = (x - side / 2) / factor + scale / 2 - 0.5
        top = (y - side / 2) / factor + scale / 2 - 0.5
        matrix = np.array(((scale, 0.0, left), (0.0, scale, top)))
        return np.asarray(
            cv2.warpAffine(
                self.levels[level],
                matrix,
                (size, size),
                flags=cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP,
                borderMode=cv2.BORDER_REPLICATE,
            ),
            np.uint8,
        )
