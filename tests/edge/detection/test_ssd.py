"""The shipped face detector, by the real interpreter, on small pictures of the demo's portraits."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest
from made import FACES, PORTRAITS
from mien.boxes import iou
from mien.detection import WEIGHTS, open_detector
from mien.detection.base import Detection
from mien.detection.ssd import SsdDetector, cells, letterbox
from mien.detection.tiles import detect_still, detect_window, windows
from mien.errors import UserError
from mien.image import load_image


@pytest.fixture(scope="module")
def detector() -> SsdDetector:
    found = open_detector("ssd")
    assert isinstance(found, SsdDetector)
    return found


def portrait(name: str) -> np.ndarray:
    return load_image(PORTRAITS / f"{name}.jpg").gray


@pytest.mark.parametrize("name", FACES)
@pytest.mark.parametrize("factor", [0.3, 1.0, 3.0])
def test_every_face_once_in_the_pictures_own_pixels(
    detector: SsdDetector, name: str, factor: float
) -> None:
    scaled = cv2.resize(portrait(name), None, fx=factor, fy=factor, interpolation=cv2.INTER_AREA)
    found = sorted(detect_still(detector, scaled), key=lambda one: one.box)
    faces = [tuple(factor * value for value in face) for face in FACES[name]]
    assert len(found) == len(faces)
    for one, face in zip(found, faces, strict=True):
        assert iou(one.box, face) > 0.6
        assert one.landmarks is not None
        left, top, width, height = one.box
        (right_eye, left_eye, nose, *mouth) = [
            ((x - left) / width, (y - top) / height) for x, y in one.landmarks
        ]
        assert right_eye[0] < nose[0] < left_eye[0]
        assert max(right_eye[1], left_eye[1]) < nose[1] < min(y for _, y in mouth)
        assert all(-0.1 < value < 1.1 for point in (right_eye, *mouth) for value in point)


@pytest.mark.parametrize("alter", ["dark", "bright", "blurred", "noisy", "turned"])
def test_a_face_is_found_in_other_light_and_a_little_turned(
    detector: SsdDetector, alter: str
) -> None:
    gray = portrait("both").astype(np.float32)
    turn = cv2.getRotationMatrix2D((320, 240), 12, 1.0)
    altered = {
        "dark": gray * 0.3,
        "bright": gray * 0.6 + 100,
        "blurred": cv2.GaussianBlur(gray, (0, 0), 3),
        "noisy": gray + np.random.default_rng(1).normal(0, 15, gray.shape),
        "turned": cv2.warpAffine(gray, turn, (640, 480), borderMode=cv2.BORDER_REPLICATE),
    }[alter]
    found = detector.detect(np.clip(altered, 0, 255).astype(np.uint8))
    assert sum(one.score > 0.6 for one in found) == 2


def test_a_window_shows_smaller_faces(detector: SsdDetector) -> None:
    wall = np.full((480, 640), 120, np.uint8)
    small = cv2.resize(portrait("both"), (128, 96), interpolation=cv2.INTER_AREA)
    wall[300:396, 250:378] = small  # faces 20 px wide

    def best(found: list[Detection]) -> list[float]:
        return sorted((one.score for one in found), reverse=True)[:2]

    area = next(area for area in windows(480, 640) if area[:2] != (0, 0) and area[1] > 0)
    close = best(detect_window(detector.detect, wall, area))
    assert len(close) == 2
    assert min(close) > sum(best(detector.detect(wall))) / 2


@pytest.mark.parametrize("shape", [(1, 1), (3, 500), (500, 3), (20, 20), (481, 641)])
def test_pictures_of_any_shape_and_flat_ones(detector: SsdDetector, shape: tuple[int, int]) -> None:
    assert detector.detect(np.full(shape, 90, np.uint8)) == []
    assert detect_still(detector, np.full(shape, 90, np.uint8), 0.3) == []


def test_a_letterbox_keeps_the_picture_at_the_top_left() -> None:
    picture, scale = letterbox(np.full((100, 400), 200, np.uint8), 320, 240)
    assert (picture.shape, scale) == ((240, 320), 0.8)
    assert (picture[:80] == 200).all()
    assert (picture[80:] == 0).all()


def test_cells_are_in_the_networks_order() -> None:
    centers, strides = cells(240, 320)
    assert len(centers) == 30 * 40 + 15 * 20 + 8 * 10
    assert centers[1].tolist() == [12, 4]
    assert (strides[0], strides[-1]) == (8, 32)
    assert centers[-1].tolist() == [304, 240]


def test_what_is_no_face_detector_is_refused(tmp_path: Path, model_path: Path) -> None:
    with pytest.raises(UserError, match=r"bands\.tflite"):
        open_detector(f"ssd:{model_path}")  # a classifier
    data = bytearray(WEIGHTS.read_bytes())
    data[20000] ^= 0xFF
    damaged = tmp_path / "damaged.tflite"
    damaged.write_bytes(data)
    with pytest.raises(UserError, match="SHA-256"):
        open_detector(f"ssd:{damaged}")
    whole = tmp_path / "whole.tflite"
    whole.write_bytes(WEIGHTS.read_bytes())
    assert open_detector(f"ssd:{whole}").detect(portrait("both"))
