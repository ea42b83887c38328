"""The networks of eyes and mouths that come with mien."""

from __future__ import annotations

import math
from importlib.resources import files

from mien.alertness.crop import Gray, Point, mouth_crop
from mien.alertness.signals import EyeReading
from mien.errors import UserError
from mien.tflite.interpreter import TfliteNetwork

EYES, MOUTH = "eyes.tflite", "mouth.tflite"


class FacePartNetwork:
    """One of the networks: a crop to two probabilities. Not for several threads at once."""

    def __init__(self, content: bytes, name: str) -> None:
        self._network = TfliteNetwork(content, name)

    def read(self, crop: Gray) -> tuple[float, float]:
        """Return the probability of the state, and that it can be seen, for a crop uint8 [h, w]."""
        state, seen = self._network.run(crop)[0]
        return _sigmoid(float(state)), _sigmoid(float(seen))


class EyesAndMouth:
    """Reads eyes and mouth of a face by its landmarks."""

    def __init__(self) -> None:
        self._eyes = FacePartNetwork(_weights(EYES), EYES)
        self._mouth = FacePartNetwork(_weights(MOUTH), MOUTH)

    def eyes(self, crops: Gray) -> tuple[EyeReading, EyeReading]:
        """Return what is read in the crops of `eye_crops`."""
        left, right = (EyeReading(*self._eyes.read(crop)) for crop in crops)
        return left, right

    def mouth(self, gray: Gray, landmarks: tuple[Point, ...]) -> float:
        """Return the probability that the mouth is as wide open as in a yawn, and not hidden."""
        state, seen = self._mouth.read(mouth_crop(gray, landmarks))
        return state * seen


def _weights(name: str) -> bytes:
    try:
        return (files("mien.alertness") / "weights" / name).read_bytes()
    except OSError as error:
        raise UserError(
            f"alertness/weights/{name} is missing from the installation ({error.strerror}); "
            "install Mien anew."
        ) from error


def _sigmoid(logit: float) -> float:
    return 1 / (1 + math.exp(-logit))
