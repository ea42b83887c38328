"""A face that was found and read."""

from __future__ import annotations

from dataclasses import dataclass

from mien.classification.prediction import Reading
from mien.classification.preprocess import Box


@dataclass(frozen=True)
class Face:
    """Where a face stands in its picture and what was read in it."""

    box: Box  # x, y, width, height in px of the picture
    reading: Reading
    id: int | None = None  # who it is, from 1; None where faces are not followed
    age: float = 0.0  # s, since the network last read it
