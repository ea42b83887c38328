"""Takes faces from FER-2013's training pictures, to set them into made scenes."""

from __future__ import annotations

from functools import cache
from pathlib import Path

import cv2
import numpy as np
import numpy.typing as npt
from mien.detection.haar import load_cascade
from mien_train.data.fer2013 import load

from mien_convert.face_networks.backdrop import Gray
from mien_convert.face_networks.cast import Person

Pictures = npt.NDArray[np.uint8]  # [n, s, s]
CASCADES = tuple(f"haarcascade_frontalface_{name}.xml" for name in ("default", "alt", "alt2"))
BORDER = 0.25  # of the picture's side, repeated on each side: a cascade wants some surroundings
ENLARGED = 120  # px, of the picture's side when its face is looked for
OFF_CENTRE = 0.375  # sides that a face's centre may be off the picture's: farther is no face


def training_faces(data: Path) -> Pictures:
    """Return the training split's pictures, uint8 [n, s, s]; raises UserError where there is none.

    Never those of a split that is kept for tests.
    """
    dataset = load(data)
    return np.asarray(dataset.images[dataset.splits == "train"], np.uint8)


def people(pictures: Pictures, number: int, seed: int) -> list[Person]:
    """Return so many people, drawn from pictures, uint8 [n, s, s]."""
    drawn = np.random.default_rng([seed, 0]).permutation(len(pictures))[:number]
    return [Person(pictures[i], locate(pictures[i])) for i in drawn]


def locate(picture: Gray) -> tuple[float, float, float]:
    """Return where in a picture, uint8 [s, s], the face is: centre x, y and side, in sides.

    The median of what three cascades see in the enlarged picture; the whole picture where none
    sees anything. A box's size is the cascades' convention, so theirs is the truth to compare with.
    """
    side = picture.shape[0]
    border = round(BORDER * side)
    scale = ENLARGED / side
    size = round((side + 2 * border) * scale)
    big = cv2.resize(
        np.pad(picture, border, mode="edge"), (size, size), interpolation=cv2.INTER_CUBIC
    )
    smallest = ENLARGED // 2
    found = []
    for cascade in _cascades():
        boxes = cascade.detectMultiScale(big, 1.05, 3, minSize=(smallest, smallest))
        places = [((x + w / 2) / size, (y + w / 2) / size, w / ENLARGED) for x, y, w, _ in boxes]
        reach = OFF_CENTRE * ENLARGED / size
        near = [p for p in places if max(abs(p[0] - 0.5), abs(p[1] - 0.5)) < reach]
        if near:
            found.append(max(near, key=lambda place: place[2]))
    if not found:
        return 0.5, 0.5, 1.0
    x, y, width = (float(v) for v in np.median(np.array(found), axis=0))
    whole = size / ENLARGED  # sides of the picture
    return (x - 0.5) * whole + 0.5, (y - 0.5) * whole + 0.5, width


@cache
def _cascades() -> tuple[cv2.CascadeClassifier, ...]:
    return tuple(load_cascade(name) for name in CASCADES)
