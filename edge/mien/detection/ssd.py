"""Finds faces in a whole frame at once: a small network that proposes places.

A single-shot detector (Liu et al., "SSD", 2016) of some 18 million multiplications: half a
millisecond for what takes a cascade ten. Its places are proposals: the network behind the cascades
and the cascades themselves say whether they are faces. `mien-convert scan` makes it;
edge/mien/detection/weights/face_ssd.md is its card.
"""

from __future__ import annotations

from collections.abc import Iterable

import cv2
import numpy as np
import numpy.typing as npt

from mien.boxes import Square, square_iou
from mien.pyramid import Gray, Pyramid
from mien.tflite.interpreter import TfliteModel, load_weights

NAME = "face_ssd.tflite"
ACROSS, DOWN = 320, 240  # px, the network's input
STRIDES = (8, 16, 32)  # px between two cells of each grid
SIDES = (24.0, 54.0, 120.0)  # px, the faces that each grid is for; sides are told in these
FINE = 4.0  # what places and sides are multiplied by, so that int8 holds them finely
AROUND = 127  # gray level of what is beyond the frame
SAME = 0.4  # intersection over union from which two cells tell the same face
MOST = 16  # places of a frame

Floats = npt.NDArray[np.float32]


class Scan:
    """The network, loaded once. Not for use from several threads at once."""

    def __init__(self, content: bytes | None = None) -> None:
        """Load the shipped network, or another of its kind: a TFLite file's bytes."""
        self._network = TfliteModel(content or load_weights(NAME))
        self._cells, self._sides = cells()

    def places(self, pyramid: Pyramid, least: float) -> list[tuple[Square, float]]:
        """Return where there may be faces and the log odds of each, the likeliest first.

        `least` are the log odds from which a place counts.
        """
        view, scale = fitted(pyramid)
        return [
            ((x / scale, y / scale, side / scale), odds)
            for (x, y, side), odds in self.view(view, least)
        ]

    def view(self, view: Gray, least: float) -> list[tuple[Square, float]]:
        """Return the same for a picture of just the network's size, uint8 [DOWN, ACROSS]."""
        told = self._network.invoke(view)
        chosen = np.flatnonzero(told[:, 0] >= least / self._network.step + self._network.zero)
        if not len(chosen):
            return []
        values = (told[chosen].astype(np.float32) - self._network.zero) * np.float32(
            self._network.step
        )
        chosen = chosen[order := np.argsort(-values[:, 0], kind="stable")]
        values = values[order]
        side = self._sides[chosen]
        x, y = (self._cells[chosen] + values[:, 1:3] * side[:, np.newaxis] / FINE).T
        side = side * np.exp(values[:, 3] / FINE)
        rows = zip(x.tolist(), y.tolist(), side.tolist(), values[:, 0].tolist(), strict=True)
        return distinct(((x, y, side), odds) for x, y, side, odds in rows)


def cells() -> tuple[Floats, Floats]:
    """Return of every cell its centre (px of the input), [n, 2], and its grid's side, [n]."""
    places, sides = [], []
    for stride, side in zip(STRIDES, SIDES, strict=True):
        y, x = np.mgrid[: -(-DOWN // stride), : -(-ACROSS // stride)].reshape(2, -1)
        places.append(np.stack([(x + 0.5) * stride, (y + 0.5) * stride], 1))
        sides.append(np.full(len(x), side))
    return np.concatenate(places).astype(np.float32), np.concatenate(sides).astype(np.float32)


def fitted(pyramid: Pyramid) -> tuple[Gray, float]:
    """Return the frame as the network is shown it, uint8 [DOWN, ACROSS], and its scale."""
    scale = min(ACROSS / pyramid.width, DOWN / pyramid.height)
    size = round(pyramid.width * scale), round(pyramid.height * scale)
    view = next(
        (
            level
            for level in reversed(pyramid.levels)
            if level.shape[1] >= size[0] and level.shape[0] >= size[1]
        ),
        pyramid.levels[0],
    )
    if view.shape != size[::-1]:
        view = np.asarray(cv2.resize(view, size, interpolation=cv2.INTER_LINEAR), np.uint8)
    if view.shape != (DOWN, ACROSS):
        right, below = ACROSS - view.shape[1], DOWN - view.shape[0]
        view = np.pad(view, ((0, below), (0, right)), constant_values=AROUND)
    return view, scale


def distinct(found: Iterable[tuple[Square, float]], most: int = MOST) -> list[tuple[Square, float]]:
    """Return the likeliest of the places that are the same, at most `most`."""
    kept: list[tuple[Square, float]] = []
    for place, odds in found:
        if all(square_iou(place, other) < SAME for other, _ in kept):
            kept.append((place, odds))
            if len(kept) == most:
                break
    return kept
