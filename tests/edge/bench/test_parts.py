"""What `mien bench` measures with: scenes, times, counts of faces, the tutorial's pipeline."""

from __future__ import annotations

import io
import json
import os
import sys
import time
from pathlib import Path

import cv2
import numpy as np
import pytest
from made import PORTRAITS
from mien.bench import baseline
from mien.bench import baseline_process as tutorial
from mien.bench.memory import measure_memory, rss_mb
from mien.bench.runner import FACES, SIZES, machine, time_classifier, time_scene
from mien.bench.scenes import DetectionCounts, Scene
from mien.bench.timing import Stopwatch, affinity, one_core, spread
from mien.boxes import iou
from mien.detection import DEFAULT_DETECTOR
from mien.detection.haar import HaarDetector
from mien.errors import UserError
from mien.pipeline.video import VideoPipeline
from mien.tflite.model_file import Model

NEEDS_AFFINITY = pytest.mark.skipif(not affinity(), reason="this system cannot pin to a core")


@pytest.mark.parametrize(("width", "height"), SIZES)
@pytest.mark.parametrize("faces", FACES)
def test_every_face_of_a_scene_is_inside_and_moves(faces: int, width: int, height: int) -> None:
    scene = Scene(faces, width, height)
    frame = scene.frame(31)
    assert (frame.gray.dtype, frame.gray.shape) == (np.uint8, (height, width))
    assert frame.bgr is None
    assert frame.time == pytest.approx(31 / 30)
    places = [scene.boxes(index) for index in range(0, 240, 5)]
    for boxes in places:
        assert len(boxes) == faces
        for x, y, w, h in boxes:
            assert x >= 0 <= y
            assert x + w <= width
            assert y + h <= height
        for number, box in enumerate(boxes):
            assert all(iou(box, other) == 0 for other in boxes[:number])
    for number in range(faces):
        assert len({boxes[number] for boxes in places}) > 10


def test_haar_finds_the_faces_where_the_scene_says_they_are() -> None:
    scene, found = Scene(5, 640, 480), DetectionCounts()
    for index in (0, 60, 120):
        detections = HaarDetector().detect(scene.frame(index).gray)
        found.add(scene.boxes(index), [one.box for one in detections])
    assert found.faces == 15
    assert found.hits >= 14


def test_the_same_scene_has_the_same_frames_and_a_camera_s_noise() -> None:
    one, other = Scene(2, 320, 240), Scene(2, 320, 240)
    assert np.array_equal(one.frame(9).gray, other.frame(9).gray)
    assert not np.array_equal(one.frame(9).gray, Scene(2, 320, 240, seed=8).frame(9).gray)
    empty = Scene(0, 320, 240)
    difference = empty.frame(0).gray.astype(int) - empty.frame(1).gray
    assert 2 < difference.std() < 4  # two noises of 2 steps


def test_a_crowd_that_does_not_fit_is_refused() -> None:
    with pytest.raises(UserError, match="40 faces do not fit"):
        Scene(40, 320, 240)


def test_spread_is_what_its_keys_say() -> None:
    values = [float(value) for value in range(100, 0, -1)]
    assert spread(values) == {"min": 1.0, "median": 50.5, "mean": 50.5, "p95": 95.0}
    assert spread([4.0]) == {"min": 4.0, "median": 4.0, "mean": 4.0, "p95": 4.0}


def test_the_wall_goes_on_where_the_cpu_waits() -> None:
    watch = Stopwatch()
    with watch.running():
        time.sleep(0.02)
    assert watch.wall[0] >= 20
    assert watch.cpu[0] < watch.wall[0]
    assert watch.summary()["n"] == 1


@NEEDS_AFFINITY
def test_one_core_is_one_core_and_is_given_back() -> None:
    before, threads = affinity(), cv2.getNumThreads()
    with pytest.raises(RuntimeError), one_core() as core:  # noqa: PT012  given back also then
        assert affinity() == {core}
        assert cv2.getNumThreads() == 1
        raise RuntimeError
    assert affinity() == before
    assert cv2.getNumThreads() == threads


def test_a_box_counts_once_and_on_a_face_only() -> None:
    found = DetectionCounts()
    face = (10, 10, 100, 100)
    found.add([face, (300, 10, 100, 100)], [(12, 8, 100, 100), (20, 20, 90, 90), (500, 5, 50, 50)])
    found.add([face], [face])
    found.add([face], [])
    assert found.summary() == {"recall": 0.5, "false_boxes": 2}
    assert iou(face, (60, 10, 100, 100)) == pytest.approx(1 / 3)
    assert iou(face, (110, 10, 5, 5)) == 0


def test_the_classifier_is_timed_with_its_threads(model: Model) -> None:
    found = time_classifier(model, threads=2)
    assert found["threads"] == 2
    assert found["wall_ms"]["p95"] >= found["wall_ms"]["min"] > 0


def test_a_pipeline_is_timed_frame_by_frame(model: Model) -> None:
    entry = time_scene(lambda: VideoPipeline(model), faces=2, width=320, height=240, frames=3)
    assert (entry["faces"], entry["width"], entry["height"], entry["n"]) == (2, 320, 240, 3)
    assert entry["recall"] > 0.5
    assert entry["wall_ms"]["p95"] >= entry["wall_ms"]["min"] > 0


def test_the_tutorial_reads_the_last_box_only_and_none_where_nothing_is() -> None:
    read: list[np.ndarray] = []
    picture = cv2.imread(str(PORTRAITS / "both.jpg"))
    boxes = tutorial.process_frame(picture, read.append)
    assert len(boxes) >= 2
    x, y, w, h = boxes[-1]
    (face,) = read
    assert np.array_equal(face, picture[y : y + h, x : x + w])
    assert tutorial.process_frame(np.zeros((240, 320, 3), np.uint8), read.append) == []
    assert len(read) == 1


def test_frames_come_to_the_tutorial_s_process_as_they_are() -> None:
    gray = np.random.default_rng(0).integers(0, 256, (6, 8), np.uint8)
    stream = io.BytesIO(json.dumps({"width": 8, "height": 6}).encode() + b"\n" + gray.tobytes())
    frame = tutorial.read_frame(stream)
    assert frame is not None
    assert np.array_equal(frame, np.dstack([gray] * 3))
    assert tutorial.read_frame(stream) is None


@pytest.fixture
def no_tensorflow(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(baseline.importlib.util, "find_spec", lambda name: None)


@pytest.mark.usefixtures("no_tensorflow")
def test_both_pipelines_get_the_same_frames(model: Model) -> None:
    with one_core(), baseline.start_baseline(model.path) as other:
        found = baseline.compare(lambda: VideoPipeline(model), {"tutorial": other}, 3)
    assert found["tutorial"]["classifier"] == "bands, 48 px, int8"
    assert found["mien"]["n"] == found["tutorial"]["n"] == 3
    assert found["tutorial"]["recall"] == 1
    for clock in ("cpu", "wall"):
        mean = {name: found[name][f"{clock}_ms"]["mean"] for name in found}
        ratio = found["tutorial"]["ratio"][clock]
        assert ratio == pytest.approx(mean["tutorial"] / mean["mien"], rel=0.01)


def test_fer_is_run_by_a_python_of_its_own(
    model: Model, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # In place of the real one, which wants TensorFlow and an old setuptools: its call and answer.
    (tmp_path / "fer").mkdir()
    (tmp_path / "fer" / "fer.py").write_text(
        "class FER:\n"
        "    def detect_emotions(self, img):\n"
        "        assert img.shape == (480, 640, 3)\n"
        "        return [{'box': [1, 2, 30, 40], 'emotions': {'happy': 1.0}}]\n"
    )
    (tmp_path / "fer-1.2.dist-info").mkdir()
    (tmp_path / "fer-1.2.dist-info" / "METADATA").write_text("Name: fer\nVersion: 1.2\n")
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    python = Path(sys.executable)
    with one_core(), baseline.start_baseline(model.path, python) as other:
        found = baseline.compare(lambda: VideoPipeline(model), {"fer": other}, 2)
    assert found["fer"]["classifier"] == "fer 1.2, its own defaults"
    assert found["fer"]["n"] == 2
    assert found["fer"]["false_boxes"] == 2
    monkeypatch.delenv("PYTHONPATH")
    with pytest.raises(UserError, match="ended before it was done"):  # noqa: SIM117
        with baseline.start_baseline(model.path, python):
            pass
    with pytest.raises(UserError, match="--fer"), baseline.start_baseline(model.path, tmp_path):
        pass


@pytest.mark.usefixtures("no_tensorflow")
def test_a_baseline_that_ends_is_one_sentence(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="ended before it was done"):  # noqa: SIM117
        with baseline.start_baseline(tmp_path / "no.tflite"):
            pass


def test_memory_is_that_of_a_process_of_its_own(model: Model) -> None:
    held = np.ones(100_000_000, np.uint8)  # 100 MB of this process
    found = measure_memory(str(model.path), DEFAULT_DETECTOR, frames=3)
    assert held[-1] == 1
    assert found["frames"] == 3
    assert found["grown"] is None  # too short to tell
    if rss_mb() is None:
        pytest.skip("this system has no /proc")
    assert 20 < found["imported"] <= found["loaded"] <= found["end"] + 1
    assert found["end"] - 1 <= found["peak"] < 200


def test_the_machine_is_described() -> None:
    found = machine()
    assert 1 <= found["usable_cores"] <= (os.cpu_count() or 1)
    assert found["versions"]["python"] == ".".join(map(str, sys.version_info[:3]))
    assert found["versions"]["opencv"] == cv2.__version__
    assert "mien" in found["versions"]
