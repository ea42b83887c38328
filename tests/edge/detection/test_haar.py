from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest
from made import FACES, PORTRAITS
from mien.boxes import iou
from mien.detection import haar as detect
from mien.detection import open_detector
from mien.detection.base import Detection
from mien.detection.haar import HaarDetector
from mien.detection.tiles import detect_still
from mien.errors import UserError
from mien.image import load_image


def gray(name: str) -> np.ndarray:
    return load_image(PORTRAITS / f"{name}.jpg").gray


def sorted_boxes(found: list[Detection]) -> list[tuple[float, ...]]:
    return sorted(one.box for one in found)


@pytest.mark.parametrize("name", FACES)
def test_every_face_of_real_portraits_once_and_nothing_else(name: str) -> None:
    boxes = sorted_boxes(HaarDetector().detect(gray(name)))
    assert len(boxes) == len(FACES[name])
    assert all(iou(box, face) > 0.6 for box, face in zip(boxes, FACES[name], strict=True))


@pytest.mark.parametrize("factor", [0.5, 5])
def test_small_and_large_pictures_give_boxes_in_their_own_pixels(factor: float) -> None:
    scaled = cv2.resize(gray("both"), None, fx=factor, fy=factor, interpolation=cv2.INTER_AREA)
    boxes = sorted_boxes(detect_still(HaarDetector(), scaled))
    faces = [tuple(factor * value for value in face) for face in FACES["both"]]
    assert len(boxes) == 2
    assert all(iou(box, face) > 0.6 for box, face in zip(boxes, faces, strict=True))


@pytest.mark.parametrize("shape", [(1, 1), (3, 500), (2000, 2), (20, 20), (127, 128)])
def test_pictures_of_any_shape_are_searched(shape: tuple[int, int]) -> None:
    assert HaarDetector().detect(np.full(shape, 90, np.uint8)) == []


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


@pytest.mark.parametrize(
    ("spec", "words"),
    [
        ("dlib", "haar or yunet:FILE"),
        ("yunet", "yunet:FILE"),
        ("yunet:none.onnx", "none.onnx"),
        ("ssd:none.tflite", "none.tflite"),
    ],
)
def test_what_is_no_detector_is_one_sentence(spec: str, words: str) -> None:
    with pytest.raises(UserError, match=words):
        open_detector(spec)


def test_a_file_that_is_no_network_is_one_sentence(tmp_path: Path) -> None:
    for name in ("yunet:x.onnx", "ssd:x.tflite"):
        kind, _, file = name.partition(":")
        path = tmp_path / file
        path.write_bytes(b"no network at all" * 99)
        with pytest.raises(UserError, match=file):
            open_detector(f"{kind}:{path}")
