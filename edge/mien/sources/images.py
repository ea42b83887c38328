"""Image files as a source: the pictures of a folder, or a single one."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path

from mien.errors import UserError
from mien.image import MAX_PIXELS, SUFFIXES, load_image
from mien.sources.base import Frame, Say

MAX_SUFFIXES_NAMED = 5


class PicturesSource:
    """Pictures one after the other, a second each."""

    live = False
    dropped = 0
    fps = 1.0

    def __init__(
        self,
        name: str,
        paths: Sequence[Path],
        want_color: bool,
        say: Say,
        max_pixels: int = MAX_PIXELS,
    ) -> None:
        self.name = name
        self.total = len(paths)
        self._paths = paths
        self._want_color = want_color
        self._say = say
        self._max_pixels = max_pixels

    def frames(self) -> Iterator[Frame]:
        """Yield every picture that can be read; its index is its position among all of them.

        A picture that cannot be read is reported and skipped; raises UserError where none can.
        """
        read = 0
        for index, path in enumerate(self._paths):
            try:
                picture = load_image(path, self._max_pixels, self._want_color)
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


def open_pictures(
    path: Path, want_color: bool, say: Say, max_pixels: int = MAX_PIXELS
) -> PicturesSource:
    """Open a picture, or those of a folder; raises UserError as `list_pictures` does."""
    pictures = [path] if path.is_file() else list_pictures(path, say)
    return PicturesSource(str(path), pictures, want_color, say, max_pixels)


def list_pictures(path: Path, say: Say) -> list[Path]:
    """Return the pictures of a folder (not of those inside it) in natural order.

    Files of other kinds are counted in a sentence. Raises UserError where there is no picture.
    """
    try:
        # A leading dot: macOS leaves "._name.jpg" beside each picture, which is none.
        children = [child for child in path.iterdir() if not child.name.startswith(".")]
    except PermissionError:
        raise UserError(f"Permission denied: folder {path}; change its permissions.") from None
    found = [child for child in children if child.suffix.lower() in SUFFIXES]
    if not found:
        raise UserError(
            f"{path} holds no pictures ({', '.join(SUFFIXES)}); name a folder that does "
            "(folders inside it are not searched)."
        )
    others = Counter(
        child.suffix.lower() or "no suffix"
        for child in children
        if child.suffix.lower() not in SUFFIXES and not child.is_dir()
    )
    if others:
        named = ", ".join(f"{kind}: {n}" for kind, n in others.most_common(MAX_SUFFIXES_NAMED))
        many = "s" if sum(others.values()) > 1 else ""
        say(f"{path}: left out {sum(others.values())} file{many} of other kinds ({named})")
    return sorted(found, key=natural)


def natural(path: Path) -> tuple[list[tuple[int, int, str]], str]:
    """Return a key that sorts picture2 before picture10."""
    parts = re.split(r"([0-9]+)", path.name.casefold())
    keys = [(0, int(part), "") if part.isdecimal() else (1, 0, part) for part in parts if part]
    return keys, path.name  # the name itself decides where only the case differs
