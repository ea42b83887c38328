"""Calibration faces: balanced training faces, or a folder or array of the user's own."""

from __future__ import annotations

import contextlib
from pathlib import Path

import numpy as np
import numpy.typing as npt
from mien.errors import UserError
from mien.image import load_image
from mien_train.data.fer2013 import Dataset
from mien_train.data.labels import LABELS
from mien_train.data.subset import balanced

MIN_FACES = 500  # fewer give unstable ranges

Images = npt.NDArray[np.uint8]  # [n, h, w]


def balanced_faces(data: Dataset, count: int, seed: int) -> Images:
    """Draw at least `count` training faces, equally many of each class; uint8 [n, 48, 48].

    The draw is `mien_train.data.subset.balanced`: distinct faces, none of another split or with two
    labels. A class that is short of its share gives all that it has. The same seed draws the same
    faces. Raises UserError where the training split has too few.
    """
    per_class = -(-count // len(LABELS))
    chosen = balanced(data, seed, per_class)
    if len(chosen) < MIN_FACES:
        raise UserError(
            f"calibration needs {MIN_FACES} training faces and the data give {len(chosen)} "
            f"(distinct, in no other split, {per_class} of each class at most); give the whole of "
            "FER-2013."
        )
    return np.asarray(data.images[chosen], np.uint8)


def read_faces(path: Path) -> Images:
    """Read calibration faces of the user's own: a .npy of uint8 [n, h, w] or a folder of pictures.

    Raises UserError where there are too few or they are no gray faces of one size.
    """
    if path.is_dir():
        found = []
        for file in sorted(path.iterdir()):
            with contextlib.suppress(UserError):  # not a picture
                found.append(load_image(file).gray)
        if len({picture.shape for picture in found}) > 1:
            raise UserError(f"the pictures in {path} differ in size; cut all faces to one size.")
        faces = np.asarray(found)
    else:
        try:
            faces = np.load(path, mmap_mode="r", allow_pickle=False)  # a header may claim anything
        except (OSError, ValueError, EOFError) as error:
            raise UserError(
                f"{path} is neither a folder of pictures nor a .npy file; give calibration faces "
                "as one of these."
            ) from error
    if len(faces) < MIN_FACES:
        raise UserError(f"{path} holds {len(faces)} faces; calibration needs {MIN_FACES} or more.")
    if faces.dtype != np.uint8 or faces.ndim != 3:
        raise UserError(
            f"{path} holds {faces.dtype} {list(faces.shape)}; calibration needs gray bytes, "
            "uint8 [n, h, w]."
        )
    return np.asarray(faces, np.uint8)
