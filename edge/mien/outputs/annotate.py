"""Draws what was read into a picture: a box and a label for every face.

Each line is a bright tone between two black ones, and each label stands in black on a bright plate
with a black edge, so that one of the tones differs from whatever is behind.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np
import numpy.typing as npt

from mien.boxes import Box
from mien.classification.prediction import UNCERTAIN
from mien.outputs.colors import person_color
from mien.pipeline.results import Face

Pixels = npt.NDArray[np.uint8]

BLACK = (0, 0, 0)
CONFIDENT_COLOR = (60, 210, 255)  # blue, green, red: amber
UNCERTAIN_COLOR = (215, 215, 215)
FONT = cv2.FONT_HERSHEY_DUPLEX
FONT_CAPITAL_PX = 21  # px, the height of this font's capitals at scale 1
MIN_CAPITAL_PX = 8  # px, the smallest such height that can be read
MAX_ENLARGED_PX = 8_000_000  # of a small picture that is enlarged
MIN_SIDE_PX = 320  # px, the shorter side from which a label stands beside a face instead of over it


@dataclass(frozen=True)
class _Label:
    text: str
    scale: float
    thickness: int
    size: tuple[int, int]  # px, of the whole plate
    origin: tuple[int, int]  # px, from the plate's corner to the text's baseline


def annotate(bgr: Pixels, faces: Sequence[Face], in_place: bool = False) -> Pixels:
    """Return a copy of a picture, uint8 [H, W, 3], with every face's box, emotion and confidence.

    Lines and letters grow with the picture. A label that would not be legible is left out.
    `in_place` draws into the picture itself: a copy of 100 megapixels takes 300 MB.
    """
    canvas = bgr if in_place else bgr.copy()
    height, width = canvas.shape[:2]
    line = max(1, round(min(height, width) / 240))
    plates: list[Box] = []
    for face in faces:
        _draw_box(canvas, face.box, line, _color(face))
    boxes = [face.box for face in faces]
    for face in faces:
        label = _fit(face, width, height)
        if label is None:
            continue
        others = [box for box in boxes if box is not face.box]
        plate = _label_position(face.box, label.size, (width, height), 2 * line, plates, others)
        plates.append(plate)
        _draw_label(canvas, plate, label, _color(face))
    return canvas


def annotate_photo(bgr: Pixels, faces: Sequence[Face]) -> Pixels:
    """Return as `annotate` does, but a small picture enlarged by a whole factor, to be legible.

    A picture that is large enough is drawn into in place.
    """
    shorter, longer = sorted(bgr.shape[:2])
    # A picture 1 px wide and 20,000 high would take gigabytes.
    factor = min(-(-MIN_SIDE_PX // shorter), math.isqrt(MAX_ENLARGED_PX // (shorter * longer)))
    if factor <= 1:
        return annotate(bgr, faces, in_place=True)
    large = cv2.resize(bgr, None, fx=factor, fy=factor, interpolation=cv2.INTER_CUBIC)
    scaled = [
        Face((x * factor, y * factor, w * factor, h * factor), face.prediction)
        for face in faces
        for x, y, w, h in [face.box]
    ]
    return annotate(np.asarray(large, np.uint8), scaled, in_place=True)


def _color(face: Face) -> tuple[int, int, int]:
    """Return blue, green, red: of the person where faces are tracked."""
    if face.id is not None:
        red, green, blue = bytes.fromhex(person_color(face.id)[1:])
        return blue, green, red
    return UNCERTAIN_COLOR if face.prediction.emotion == UNCERTAIN else CONFIDENT_COLOR


def _draw_box(canvas: Pixels, box: Box, line: int, color: tuple[int, int, int]) -> None:
    height, width = canvas.shape[:2]
    x, y, w, h = box
    inset = line  # so that all of the line is in the picture
    left, top = max(x, inset), max(y, inset)
    right, bottom = min(x + w, width - inset) - 1, min(y + h, height - inset) - 1
    for thickness, tone in ((line + 2 * max(1, line // 2), BLACK), (line, color)):
        cv2.rectangle(canvas, (left, top), (right, bottom), tone, thickness)


def _fit(face: Face, width: int, height: int) -> _Label | None:
    """Return the label at the size that suits the picture, smaller where it would not fit."""
    person = "" if face.id is None else f"{face.id} "
    text = f"{person}{face.prediction.emotion} {100 * face.prediction.confidence:.0f}%"
    # A label follows its face's size within bounds that the picture sets.
    shorter = min(width, height)
    capital = min(
        max(face.box[2] / 10, shorter / 40, MIN_CAPITAL_PX + 2),
        max(shorter / 22, MIN_CAPITAL_PX + 2),
    )
    while capital >= MIN_CAPITAL_PX:
        scale, thickness = capital / FONT_CAPITAL_PX, max(1, int(capital / 12))
        (text_width, text_height), below = cv2.getTextSize(text, FONT, scale, thickness)
        pad = max(2, round(capital * 0.45))
        size = (text_width + 2 * pad, text_height + below // 2 + 2 * pad)
        if size[0] <= width and size[1] <= height // 2:
            return _Label(text, scale, thickness, size, (pad, pad + text_height))
        capital -= 1
    return None


def _label_position(
    box: Box,
    size: tuple[int, int],
    limits: tuple[int, int],
    gap: int,
    plates: Sequence[Box],
    others: Sequence[Box],
) -> Box:
    """Return where a plate goes: above its face, else below, else inside; on no other if possible.

    `plates` are those already placed, `others` the boxes of the other faces.
    """
    x, y, w, h = box
    width, height = size
    places = [
        (x, y - height - gap),
        (x, y + h + gap),
        (x + w - width, y - height - gap),
        (x + w - width, y + h + gap),
        (x + gap, y + gap),
        (x + gap, y + h - height - gap),
    ]
    best, least = (0, 0, width, height), np.inf
    for order, (left, top) in enumerate(places):
        inside = (
            min(max(left, 0), limits[0] - width),
            min(max(top, 0), limits[1] - height),
        )
        plate = (*inside, width, height)
        # Letters over letters are worst, then another's face, then one's own.
        cost = (
            100.0 * sum(_overlap(plate, other) for other in plates)
            + 10.0 * sum(_overlap(plate, other) for other in others)
            + _overlap(plate, box)
            + order
        )
        if cost < least:
            best, least = plate, cost
    return best


def _overlap(a: Box, b: Box) -> int:
    """Return how many px two boxes share."""
    across = min(a[0] + a[2], b[0] + b[2]) - max(a[0], b[0])
    down = min(a[1] + a[3], b[1] + b[3]) - max(a[1], b[1])
    return max(0, across) * max(0, down)


def _draw_label(canvas: Pixels, plate: Box, label: _Label, color: tuple[int, int, int]) -> None:
    x, y, w, h = plate
    cv2.rectangle(canvas, (x, y), (x + w - 1, y + h - 1), color, cv2.FILLED)
    cv2.rectangle(canvas, (x, y), (x + w - 1, y + h - 1), BLACK, 1)
    place = (x + label.origin[0], y + label.origin[1])
    cv2.putText(canvas, label.text, place, FONT, label.scale, BLACK, label.thickness, cv2.LINE_AA)
