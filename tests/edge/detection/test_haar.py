from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest
from made import PORTRAITS
from mien.boxes import Box
from mien.detection import haar as detect
from mien.detection.haar import HaarDetector, without_nested
from mien.detection.still import PhotoDetector
from mien.errors import UserError
from mien.image import load_image

# The middle of each face, px, and about its width, as a person sees them.
FACES = {
    "collins": [(183, 114, 98)],
    "hopper": [(265, 218, 225)],
    "both": [(170, 235, 148), (471, 198, 100)],
    "noface": [],
}
EITHER = pytest.mark.parametrize("make", [HaarDetector, PhotoDetector])


def gray(name: str) -> np.ndarray:
    return load_image(PORTRAITS / f"{name}.jpg").gray


def is_at(box: Box, face: tuple[float, float, float]) -> bool:
    x, y, w, h = box
    across, down, width = face
    near = abs(x + w / 2 - across) < width / 6 and abs(y + h / 2 - down) < width / 6
    return near and 0.75 < w / width < 1.33


@EITHER
@pytest.mark.parametrize("name", FACES)
def test_every_face_of_real_portraits_once_and_nothing_else(name: str, make: object) -> None:
    boxes = sorted(make().detect(gray(name)))
    assert len(boxes) == len(FACES[name])
    assert all(is_at(box, face) for box, face in zip(boxes, FACES[name], strict=True))
    assert all(type(value) is int for box in boxes for value in box)


@EITHER
@pytest.mark.parametrize("factor", [0.5, 5])
def test_small_and_large_pictures_give_boxes_in_their_own_pixels(
    factor: float, make: object
) -> None:
    scaled = cv2.resize(gray("both"), None, fx=factor, fy=factor, interpolation=cv2.INTER_AREA)
    boxes = sorted(make().detect(scaled))
    faces = [tuple(factor * value for value in face) for face in FACES["both"]]
    assert len(boxes) == 2
    assert all(is_at(box, face) for box, face in zip(boxes, faces, strict=True))


@EITHER
def test_a_picture_that_is_hardly_more_than_a_face(make: object) -> None:
    crop = gray("collins")[60:168, 129:237]
    tight = cv2.resize(crop, (48, 48), interpolation=cv2.INTER_AREA)
    (box,) = make().detect(tight)
    x, y, w, h = box
    assert min(x, y) >= 0
    assert x + w <= 48
    assert y + h <= 48
    assert w > 36


@pytest.mark.parametrize("shape", [(1, 1), (3, 500), (2000, 2), (20, 20), (127, 128)])
def test_pictures_of_any_shape_are_searched(shape: tuple[int, int]) -> None:
    assert HaarDetector().detect(np.full(shape, 90, np.uint8)) == []


def test_the_largest_face_comes_first() -> None:
    boxes = HaarDetector().detect(gray("both"))
    assert [box[2] for box in boxes] == sorted((box[2] for box in boxes), reverse=True)


def test_a_box_inside_another_is_dropped() -> None:
    whole, inside, beside = (10, 10, 100, 100), (30, 50, 40, 40), (100, 10, 50, 50)
    assert without_nested([inside, beside, whole]) == [whole, beside]


def test_without_cascades_the_sentence_says_what_to_install(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(cv2.data, "haarcascades", str(tmp_path))
    monkeypatch.setattr(detect, "DEBIAN_CASCADES", tmp_path)
    with pytest.raises(UserError, match=r"opencv-python>=4\.10,<5"):
        HaarDetector()


def test_debians_place_of_the_cascades_is_known(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(detect, "DEBIAN_CASCADES", Path(cv2.data.haarcascades))
    monkeypatch.setattr(cv2.data, "haarcascades", str(tmp_path))
    assert HaarDetector().detect(gray("collins"))
