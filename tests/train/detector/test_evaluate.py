"""Average precision and recall, on detections made by hand."""

from __future__ import annotations

import numpy as np
import pytest
from mien_train.detector.dataset import Photograph
from mien_train.detector.evaluate import average_precision, evaluate, letterbox

# In a picture of 640 px: a face of 40 px, one of 100, one of 16 (not counted in the total).
FACES = np.array([[100, 100, 40, 40], [300, 200, 100, 100], [500, 50, 16, 16]], "float32")
IGNORED = np.array([[0, 400, 80, 80]], "float32")


def photograph(faces: np.ndarray = FACES) -> Photograph:
    image = np.zeros((480, 640), np.uint8)
    return Photograph("drawn", image, faces, np.zeros((len(faces), 5, 2)), IGNORED)


def measure(boxes: list[list[float]], scores: list[float]) -> dict[str, float]:
    found = np.array(boxes, "float32").reshape(-1, 4), np.array(scores)
    return evaluate(lambda image: found, [photograph()])


def test_all_found() -> None:
    result = measure(FACES.tolist(), [0.9, 0.8, 0.7])
    assert result["ap"] == result["recall"] == 1.0
    assert (result["faces"], result["faces 14-24"], result["faces 96+"]) == (2, 1, 1)
    assert result["recall 14-24"] == result["ap 24-48"] == 1.0
    assert np.isnan(result["ap 48-96"])


def test_nothing_found() -> None:
    result = measure([], [])
    assert result["ap"] == result["recall"] == 0.0


def test_recall_is_read_above_the_false_boxes() -> None:
    # No false box is allowed in one picture: the face below the false one does not count.
    result = measure([FACES[0].tolist(), [200, 300, 40, 40], FACES[1].tolist()], [0.9, 0.8, 0.7])
    assert result["threshold"] == pytest.approx(0.8)
    assert result["recall"] == 0.5
    assert result["ap"] == pytest.approx((1 + 2 / 3) / 2)


def test_ignored_regions_and_second_boxes() -> None:
    twice = [FACES[0].tolist(), FACES[0].tolist(), [10, 410, 40, 40]]
    result = measure(twice, [0.9, 0.85, 0.8])
    assert result["threshold"] == 0.0  # neither is on no face
    assert result["ap"] == 0.5  # the second box costs nothing after the last hit
    assert measure([FACES[0].tolist(), [0, 400, 80, 80], FACES[1].tolist()], [0.9, 0.8, 0.7])[
        "ap"
    ] == pytest.approx(1.0)


def test_a_loose_box_is_no_hit() -> None:
    assert measure([[100, 100, 40, 85]], [0.9])["ap"] == 0.0
    assert measure([[100, 100, 40, 75]], [0.9])["ap"] == 0.5


def test_average_precision() -> None:
    hits = np.array([True, False, True])
    assert average_precision(np.array([3.0, 2, 1]), hits, 2) == pytest.approx((1 + 2 / 3) / 2)
    assert average_precision(np.array([3.0, 2, 1]), hits, 4) == pytest.approx((1 + 2 / 3) / 4)


def test_letterbox() -> None:
    canvas, scale = letterbox(np.full((100, 400), 200, np.uint8), 240, 320)
    assert (canvas.shape, scale) == ((240, 320), 0.8)
    assert (canvas[:80] == 200).all()
    assert not canvas[80:].any()
