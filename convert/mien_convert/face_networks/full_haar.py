"""The search that Mien is scored against: full-frame Haar, OpenCV's default arguments."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

import cv2
from mien.atomic import write_file
from mien.detection.haar import load_cascade
from mien.errors import UserError

from mien_convert.face_networks.backdrop import Gray
from mien_convert.face_networks.tally import Box

CASCADE = "haarcascade_frontalface_default.xml"
SCALE, NEIGHBOURS = 1.1, 3  # OpenCV's defaults
SAVE_EVERY = 100  # frames


class FullHaar:
    """Searches whole frames, and remembers in a file what it has seen in which picture.

    A frame costs a tenth of a second, so a file of boxes by the pictures' digests saves minutes
    from the second run on. Raises UserError for a file that is something else.
    """

    def __init__(self, file: Path | None = None) -> None:
        self._cascade = load_cascade(CASCADE)
        self._file = file
        self._key = f"{CASCADE} {SCALE} {NEIGHBOURS} OpenCV {cv2.__version__}"
        self._boxes: dict[str, list[list[int]]] = _read(file, self._key)
        self._unsaved = 0

    def boxes(self, gray: Gray) -> list[Box]:
        """Return the boxes in a frame, uint8 [H, W]."""
        digest = hashlib.sha256(gray.tobytes()).hexdigest()[:24]
        if digest not in self._boxes:
            found = self._cascade.detectMultiScale(gray, SCALE, NEIGHBOURS)
            self._boxes[digest] = [[int(v) for v in box] for box in found]
            self._unsaved += 1
            if self._unsaved >= SAVE_EVERY:
                self.save()
        return [(x, y, w, h) for x, y, w, h in self._boxes[digest]]

    def save(self) -> None:
        """Write the file, if there is to be one and something is new."""
        if self._file is None or not self._unsaved:
            return
        content = json.dumps({"search": self._key, "boxes": self._boxes})
        write_file(self._file, content.encode(), "--cache")
        self._unsaved = 0


def _read(file: Path | None, key: str) -> dict[str, list[list[int]]]:
    if file is None or not file.exists():
        return {}
    try:
        known = json.loads(file.read_text())
        boxes: dict[str, list[list[int]]] = known["boxes"]
        same = known["search"] == key
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise UserError(
            f"{file} is no file of boxes that this command wrote; give --cache another path."
        ) from error
    return boxes if same else {}
