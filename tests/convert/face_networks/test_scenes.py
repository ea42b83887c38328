"""Faces pasted into scenes: they are where they are said to be, and every miss is counted."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
import pytest
from made import LABELS, band_face, write_faces
from mien.boxes import Box
from mien.classification.classifier import Classifier
from mien.detection.still import PhotoDetector
from mien.tflite.model_file import Model
from mien_convert.evaluation.end_to_end import measure, run
from mien_convert.face_networks.backdrop import HEIGHT, WIDTH
from mien_convert.face_networks.cast import LARGEST, SMALLEST
from mien_convert.face_networks.pasted import find, offsets, scenes
from PIL import Image

PORTRAIT = Path(__file__).parents[3] / "edge" / "mien" / "demo" / "portraits" / "hopper.jpg"
Run = Callable[..., tuple[int, str, str]]


class Told:
    """A detector that is told where the faces are, off by `right` sides, and misses some."""

    def __init__(self, pictures: np.ndarray, seed: int, right: float = 0.0, miss: int = 0) -> None:
        self._scenes, self._right, self._miss = scenes(pictures, seed), right, miss

    def detect(self, gray: np.ndarray) -> list[Box]:
        scene = next(self._scenes)
        assert (scene.gray == gray).all()
        boxes = [
            (round(p.left + self._right * p.side), p.top, p.side, p.side)
            for p in scene.placed
            if p.face >= self._miss
        ]
        return [*boxes, (0, 0, 20, 20)]


@pytest.fixture(scope="module")
def bands() -> np.ndarray:
    """Seven faces of each class."""
    return np.stack([band_face(k % 7, k) for k in range(49)])


def test_every_face_is_pasted_once_where_it_is_said(bands: np.ndarray) -> None:
    seen = []
    sides = []
    for scene in scenes(bands, 1):
        assert scene.gray.shape == (HEIGHT, WIDTH)
        taken = np.zeros((HEIGHT, WIDTH), int)
        for place in scene.placed:
            rows = slice(place.top, place.top + place.side)
            columns = slice(place.left, place.left + place.side)
            taken[rows, columns] += 1
            part = cv2.resize(scene.gray[rows, columns], (48, 48), interpolation=cv2.INTER_AREA)
            smooth = [cv2.blur(face, (9, 3)).astype(float) for face in (part, bands[place.face])]
            assert np.abs(smooth[0] - smooth[1])[6:-6, 6:-6].mean() < 10
            seen.append(place.face)
            sides.append(place.side)
        assert taken.max() <= 1
    assert sorted(seen) == list(range(49))
    assert SMALLEST <= min(sides) < 60
    assert 180 < max(sides) <= LARGEST
    again = next(scenes(bands, 1))
    assert (again.gray == next(scenes(bands, 1)).gray).all()


def test_misses_are_errors_and_told_apart(bands: np.ndarray, model: Model) -> None:
    """The first ten faces are missed; of the others all are read right."""
    truth = np.arange(49) % 7
    people = np.where(np.arange(49) < 20, truth, -1)
    answers = run(bands, Classifier(model), Told(bands, 3, miss=10), (0.0, 0.4), 3)
    found = measure(answers, 0.0, {"benchmark": truth, "people": people})
    assert found["missed"] == pytest.approx(10 / 49)
    assert found["benchmark"]["cropped"] == 1.0
    assert found["benchmark"]["of_found"] > 0.9  # small ones are blurred
    hits = found["benchmark"]["of_found"] * 39 / 49
    assert found["benchmark"]["end_to_end"] == pytest.approx(hits)
    assert found["people"]["n"] == 20
    assert found["people"]["end_to_end"] <= 0.5
    assert answers.false == answers.scenes
    assert sum(band["n"] for band in found["by_side"]) == 49
    # A margin that shows nearly twice the picture leaves the bands elsewhere.
    assert measure(answers, 0.4, {"benchmark": truth})["benchmark"]["of_found"] < 0.7


def test_offsets_are_those_of_the_boxes(bands: np.ndarray) -> None:
    rows = [
        row
        for found in find(bands, 5, Told(bands, 5, right=0.2))
        for row in offsets(found)
    ]
    assert len(rows) == 49
    np.testing.assert_allclose(rows, np.tile([0.2, 0.0, 1.0], (49, 1)), atol=0.011)
    far = [
        row
        for found in find(bands, 5, Told(bands, 5, right=0.5))
        for row in offsets(found)
    ]
    assert far == []  # that is another face's place


def test_the_detector_finds_a_real_face_in_a_scene() -> None:
    gray = np.asarray(Image.open(PORTRAIT).convert("L"))
    (box, *_) = PhotoDetector().detect(gray)
    x, y, w, h = box
    face = cv2.resize(gray[y : y + h, x : x + w], (48, 48), interpolation=cv2.INTER_AREA)
    pictures = np.stack([face] * 12)
    found = list(find(pictures, 2, PhotoDetector()))
    hits = [box for one in found for box in one.boxes if box is not None]
    assert len(hits) >= 9
    table = np.array([row for one in found for row in offsets(one)])
    assert np.abs(table[:, :2]).max() < 0.2
    assert table[:, 2].mean() == pytest.approx(1.0, abs=0.2)


def test_the_command(model_path: Path, tmp_path: Path, mien_convert: Run) -> None:
    data = tmp_path / "fer"
    for split, prefix in (("train", "Training_"), ("test", "PublicTest_")):
        write_faces(data / split, 2, prefix)
        for label in LABELS:
            for file in (data / split / label).iterdir():
                file.rename(file.with_name(file.stem + f"{LABELS.index(label)}.png"))
    out = tmp_path / "scenes.json"
    code, text, err = mien_convert("scenes", model_path, data, "--limit", 9, "--out", out)
    assert code == 0, err
    assert "bands: 9 faces (validation)" in text
    assert "end to end counts a missed face as an error" in text
    document = json.loads(out.read_text())
    assert (document["faces"], document["split"], document["detector"]) == (
        *(9, "validation"),
        "photos",
    )
    words = ("scenes", model_path, data, "--detector", "video", "--limit", 4)
    code, text, err = mien_convert(*words, "--choose-margin", "--json")
    assert code == 0, err
    found = json.loads(text)
    assert found["split"] == "train"
    assert [row["margin"] for row in found["margins"]] == [-0.1, -0.05, 0.0, 0.05, 0.1, 0.15, 0.2]
    assert "best_margin" in found
    for more, reason in (
        (("--choose-margin", "--split", "test"), "training faces only"),
        (("--split", "dev"), "no split dev"),
        (("--split", "test"), "no pictures PrivateTest"),
    ):
        code, _, err = mien_convert(*words, *more)
        assert code == 2
        assert reason in err
