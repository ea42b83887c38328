"""Faces hidden: nobody to make out, also just after the detector lost them."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
from made import PORTRAITS
from mien.boxes import clip_box
from mien.detection.haar import HaarDetector
from mien.outputs.anonymize import FaceAnonymizer, hide
from mien.pipeline.results import FrameResult
from running import CLIP, run
from visiting import face


def result(time: float, *boxes: tuple[int, int, int, int]) -> FrameResult:
    return FrameResult(0, time, tuple(face(box=box) for box in boxes), {})


def test_no_face_is_found_where_it_was_hidden_and_the_rest_stays() -> None:
    picture = cv2.imread(str(PORTRAITS / "both.jpg"))
    detector = HaarDetector()
    found = detector.detect(cv2.cvtColor(picture, cv2.COLOR_BGR2GRAY))
    boxes = [clip_box(one.box, picture.shape[1], picture.shape[0]) for one in found]
    assert len(boxes) == 2
    hidden = hide(picture, boxes)
    assert detector.detect(cv2.cvtColor(hidden, cv2.COLOR_BGR2GRAY)) == []
    assert not np.array_equal(hidden, picture)
    changed = (hidden != picture).any(axis=2)
    for x, y, w, h in boxes:
        changed[max(0, y - h // 2) : y + 2 * h, max(0, x - w // 2) : x + 2 * w] = False
    assert not changed.any()


def test_what_is_left_of_a_face_is_a_few_tones() -> None:
    noise = np.random.default_rng(0).integers(0, 255, (200, 200, 3), np.uint8)
    for side in (8, 30, 120):
        box = (40, 40, side, side)
        part = hide(noise, [box])[40 : 40 + side, 40 : 40 + side].astype(int)
        assert part.std() < 40  # of the noise it is 73
    other = noise.copy()
    other[40:160, 40:160] = np.roll(other[40:160, 40:160], 1, axis=1)
    assert np.abs(hide(noise, [box]).astype(int) - hide(other, [box])).max() <= 12
    gray = hide(noise[..., 0], [(190, 190, 60, 60), (300, 300, 10, 10)])  # beyond the border
    assert gray.shape == (200, 200)
    assert np.array_equal(hide(noise, []), noise)


def test_a_place_stays_hidden_for_a_while() -> None:
    blur = FaceAnonymizer()
    still, moved = (40, 40, 50, 50), (140, 40, 50, 50)
    assert blur.boxes(result(0.0, still)) == (still,)
    assert blur.boxes(result(0.1, (41, 40, 50, 50))) == ((41, 40, 50, 50),)  # once, not twice
    assert blur.boxes(result(0.5)) == ((41, 40, 50, 50),)  # the detector lost it
    assert blur.boxes(result(1.0, moved)) == ((41, 40, 50, 50), moved)
    assert blur.boxes(result(2.5)) == (moved,)
    assert blur.boxes(result(9.0)) == ()
    assert blur.boxes(result(0.0, still)) == (still,)  # the source began anew
    for number in range(900):
        places = blur.boxes(result(0.0, (number * 100, 0, 10, 10)))
    assert len(places) <= 400


def test_a_run_hides_them_in_its_video(model_path: Path, tmp_path: Path) -> None:
    video = tmp_path / "out.mp4"
    done = run(CLIP, "--model", model_path, "--video", video, "--blur", "--max-frames", 4)
    assert done.returncode == 0
    capture = cv2.VideoCapture(str(video))
    detector = HaarDetector()
    count = 0
    while (shot := capture.read())[0]:
        count += 1
        assert detector.detect(cv2.cvtColor(shot[1], cv2.COLOR_BGR2GRAY)) == []
    assert count == 4
