"""Says how much a place looks like a face: a small network behind the cascades.

A cascade asks whether a window passes some hundred comparisons of brightness, and a lamp, a cheek
or a face with its hair may pass them. The network has seen a hundred thousand such places
(`mien-convert faceness` makes it; edge/mien/detection/weights/face_verifier.md is its card).
"""

from __future__ import annotations

import cv2
import numpy as np

from mien.boxes import Square
from mien.pyramid import Gray, Pyramid
from mien.tflite.interpreter import TfliteModel, load_weights

NAME = "face_verifier.tflite"
SIZE = 32  # px, side of the network's input: just the box
SPREAD = 63.75  # gray levels, the standard deviation that every input is given
# In sides, across and down, and times the size.
NEIGHBOURS = ((0.1, 0, 1), (-0.1, 0, 1), (0, 0.1, 1), (0, -0.1, 1), (0, 0, 1.14), (0, 0, 0.88))
# Steps from neighbour to neighbour at most; log odds under which there is no face near, and from
# which the place is good enough.
CLIMBS, HOPELESS, ENOUGH = 3, -5.0, 4.5
FLAT = 4.0  # gray levels, the least that is taken for contrast: less is the camera's noise


def standardised(view: Gray) -> Gray:
    """Return a picture, uint8 [h, w], with mean 127.5 and standard deviation SPREAD.

    Light and contrast say nothing about whether something is a face.
    """
    mean, deviation = (float(value[0, 0]) for value in cv2.meanStdDev(view))
    gain = SPREAD / max(deviation, FLAT)
    return np.asarray(np.clip((view - mean) * gain + 128.0, 0, 255), np.uint8)


def neighbours(place: Square) -> list[Square]:
    """Return the places beside a place, and around its centre a larger and a smaller one."""
    x, y, side = place
    return [
        (x + across * side, y + down * side, times * side) for across, down, times in NEIGHBOURS
    ]


class Faceness:
    """The network, loaded once. Not for use from several threads at once."""

    def __init__(self) -> None:
        self._network = TfliteModel(load_weights(NAME))

    def at(self, pyramid: Pyramid, x: float, y: float, side: float) -> float:
        """Return the log odds that a face fills the square around a centre (px of the frame)."""
        view = standardised(pyramid.view(x, y, side, SIZE))
        return self._network.run_scalar(view)

    def near(
        self, pyramid: Pyramid, place: Square, known: float | None = None
    ) -> tuple[Square, float]:
        """Return the likeliest of a place and its neighbours, and its odds; `known` are its own."""
        best, most = place, self.at(pyramid, *place) if known is None else known
        for other in neighbours(place):
            odds = self.at(pyramid, *other)
            if odds > most:
                best, most = other, odds
        return best, most

    def climb(self, pyramid: Pyramid, place: Square) -> tuple[Square, float]:
        """Return where the way from neighbour to neighbour leads, and the odds there."""
        odds = self.at(pyramid, *place)
        for _ in range(CLIMBS):
            if odds < HOPELESS or odds > ENOUGH:
                break
            better, most = self.near(pyramid, place, odds)
            if better == place:
                break
            place, odds = better, most
        return place, odds
