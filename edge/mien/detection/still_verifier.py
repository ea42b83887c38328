"""Says whether a proposed place of a still picture is a face: a network for photographs alone.

It is 2.4 million multiplications, three times as many as the one behind the cascades, started from
ImageNet's weights and sees a place with some of its surroundings. `mien-convert judge` makes it;
edge/mien/detection/weights/still_verifier.md is its card.
"""

from __future__ import annotations

from mien.boxes import Square
from mien.detection.verifier import standardised
from mien.pyramid import Gray, Pyramid
from mien.tflite.interpreter import TfliteModel, load_weights

NAME = "still_verifier.tflite"
SIZE = 48  # px, side of the network's input
AROUND = 1.4  # sides of the place that are shown
# Times the place's side: what looks like a face by chance seldom does so in all of them. With one
# size alone 3.5 % of the faces are missed where it is 2.3 % with three, for as few false boxes.
SIZES = (0.88, 1.0, 1.14)


class Judge:
    """The network, loaded once. Not for use from several threads at once."""

    def __init__(self, content: bytes | None = None) -> None:
        """Load the shipped network, or another of its kind: a TFLite file's bytes."""
        self._network = TfliteModel(content or load_weights(NAME))

    def at(self, pyramid: Pyramid, place: Square) -> float:
        """Return the log odds that a place is a face: the mean of it in some sizes and mirrored."""
        x, y, side = place
        told = []
        for times in SIZES:
            shown = standardised(surroundings(pyramid, (x, y, times * side)))
            told += [self._network.run_scalar(shown), self._network.run_scalar(shown[:, ::-1])]
        return sum(told) / len(told)


def surroundings(pyramid: Pyramid, place: Square) -> Gray:
    """Return what the network is shown of a place, uint8 [SIZE, SIZE]."""
    x, y, side = place
    return pyramid.view(x, y, AROUND * side, SIZE)
