"""A folder of pictures, or a single one, as a source."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from pathlib import Path

from mien.errors import UserError
from mien.image import load_image
from mien.sources.base import Frame, Say

SUFFIXES = (".jpg", ".jpeg", ".png", ".bmp", ".webp", ".tif", ".tiff", ".pgm", ".ppm")


class PicturesSource:
    """Pictures one after the other, a second each."""

    live = False
    dropped = 0
    fps = 1.0

    def __init__(self, name: str, paths: Sequence[Path], want_color: bool, say: Say) -> None:
        self.name = name
        self.total = len(paths)
        self._paths = paths
        self._want_color = want_color
        self._say = say

    def frames(self) -> Iterator[Frame]:
        """Yield every picture that can be read; its index is its place among all of them.

        A picture that cannot be read is said and skipped; raises UserError where none can.
        """
        read = 0
        for index, path in enumerate(self._paths):
            try:
                picture = load_image(path)
            except UserError as error:
                self._say(f"skipped: {error}")
                continue
            read += 1
            bgr = picture.bgr if self._want_color else None
            yield Frame(index, float(index), picture.gray, bgr, path.name)
        if read == 0:
            raise UserError(f"None of the pictures of {self.name} can be read.")

    def close(self) -> None:
        """Do nothing: each picture is closed once it is read."""


def open_pictures(path: Path, want_color: bool, say: Say) -> PicturesSource:
    """Take the pictures of a folder (not of those inside it) in natural order, or one picture.

    Raises UserError where a folder has none.
    """
    if path.is_file():
        return PicturesSource(str(path), [path], want_color, say)
    try:
        # A leading dot: macOS leaves "._name.jpg" beside each picture, which is none.
        found = [
            child
            for child in path.iterdir()
            if child.suffix.lower() in SUFFIXES and not child.name.startswith(".")
        ]
    except PermissionError:
        raise UserError(f"{path} may not be read by this user; change its permissions.") from None
    if not found:
        raise UserError(
            f"{path} holds no pictures ({', '.join(SUFFIXES)}); name a folder that does "
            "(folders inside it are not searched)."
        )
    return PicturesSource(str(path), sorted(found, key=natural), want_color, say)


def natural(path: Path) -> tuple[list[tuple[int, int, str]], str]:
    """Return a key that sorts picture2 before picture10."""
    parts = re.split(r"([0-9]+)", path.name.casefold())
    keys = [(0, int(part), "") if part.isdecimal() else (1, 0, part) for part in parts if part]
    return keys, path.name  # the name itself decides where only the case differs
