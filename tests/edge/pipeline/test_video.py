"""The engine on the demo's clip and on made scenes, with the real cascades and interpreter."""

from __future__ import annotations

import time
from collections import Counter, defaultdict

import numpy as np
import pytest
from made import LABELS, PORTRAITS
from mien.bench.scenes import FPS, Scene
from mien.boxes import iou
from mien.image import load_image
from mien.pipeline.results import FrameResult
from mien.pipeline.video import CLASSIFY_INTERVAL_S, MAX_REPEAT_CLASSIFICATIONS, VideoPipeline
from mien.sources.base import Frame
from mien.sources.video import open_video
from mien.tflite.model_file import Model
from running import CLIP, PATIENCE


def clip(engine: VideoPipeline, frames: int) -> list[FrameResult]:
    source = open_video(CLIP, False, print)
    found = []
    for frame in source.frames():
        found.append(engine.process(frame))
        if len(found) == frames:
            break
    source.close()
    return found


class Counting:
    """A classifier that counts, and says of each face what it is told."""

    def __init__(self, engine: VideoPipeline) -> None:
        self.calls = 0
        self._inner = engine._classifier
        engine._classifier = self  # type: ignore[assignment]

    def logits(self, faces: np.ndarray) -> np.ndarray:
        self.calls += len(faces)
        return self._inner.logits(faces)


def test_two_people_keep_their_ids_and_are_read_again_and_again(model: Model) -> None:
    results = clip(VideoPipeline(model), 60)
    assert sum(len(result.faces) == 2 for result in results) >= 57
    seen = Counter(face.id for result in results for face in result.faces)
    assert set(seen) == {1, 2}
    ages = [face.age for result in results for face in result.faces]
    assert min(ages) == 0
    assert max(ages) <= 0.5 + 1e-6
    for result in results:
        assert set(result.ms) == {"detect", "classify", "total"}
        assert result.latency is None  # a file has none


def test_readings_are_rationed_however_many_faces_there_are(model: Model) -> None:
    engine = VideoPipeline(model)
    counting = Counting(engine)
    scene = Scene(5, 640, 480)
    per_frame, ages = [], defaultdict(list)
    for index in range(60):
        before = counting.calls
        result = engine.process(scene.frame(index))
        per_frame.append(counting.calls - before)
        for face in result.faces:
            ages[face.id].append(face.age)
    assert len(ages) >= 5
    assert max(per_frame[30:]) <= MAX_REPEAT_CLASSIFICATIONS
    # All get their turn: five faces, one reading a frame.
    assert max(max(values[20:]) for values in ages.values() if len(values) > 30) <= 0.7


def test_one_face_is_read_at_most_ten_times_a_second_at_any_rate(model: Model) -> None:
    for every in (1, 2):  # 30 and 15 frames a second
        engine = VideoPipeline(model)
        counting = Counting(engine)
        scene = Scene(1, 640, 480)
        for index in range(0, 90, every):
            engine.process(scene.frame(index))
        assert 0.5 * 3.0 / CLASSIFY_INTERVAL_S <= counting.calls <= 3.0 / CLASSIFY_INTERVAL_S + 1


def test_little_effort_reads_less(model: Model) -> None:
    calls = []
    for effort in (1.0, 0.25):
        engine = VideoPipeline(model)
        engine.compute_budget = effort
        counting = Counting(engine)
        scene = Scene(1, 640, 480)
        for index in range(60):
            engine.process(scene.frame(index))
        calls.append(counting.calls)
    assert calls[1] < 0.5 * calls[0]


def test_no_smoothing_shows_what_the_network_said(model: Model) -> None:
    smooth, raw = clip(VideoPipeline(model), 40), clip(VideoPipeline(model, smooth=0.0), 40)
    swing = [
        max(
            np.ptp([face.probabilities[name] for r in run for face in r.faces if face.id == 1])
            for name in LABELS
        )
        for run in (smooth, raw)
    ]
    assert swing[1] > swing[0]


def test_most_bounds_the_faces(model: Model) -> None:
    results = clip(VideoPipeline(model, max_faces=1), 20)
    assert max(len(result.faces) for result in results) == 1


def test_boxes_lie_in_the_picture(model: Model) -> None:
    engine = VideoPipeline(model)
    scene = Scene(1, 640, 480)
    x, _, side, _ = scene.boxes(0)[0]
    for index in range(40):
        # The camera pans until half of the face is cut off.
        left = min(x + side // 2, index * 12)
        frame = scene.frame(0)
        gray = np.ascontiguousarray(frame.gray[:, left:])
        gray = np.pad(gray, ((0, 0), (0, left)), mode="edge")
        for face in engine.process(Frame(index, index / FPS, gray)).faces:
            bx, by, bw, bh = face.box
            assert 0 <= bx < bx + bw <= 640
            assert 0 <= by < by + bh <= 480


def test_pictures_of_a_folder_are_searched_each_for_itself(model: Model) -> None:
    engine = VideoPipeline(model)
    gray = load_image(PORTRAITS / "both.jpg").gray
    for index, picture in enumerate((gray, np.zeros_like(gray), gray)):
        result = engine.process(Frame(index, float(index), picture, picture=f"{index}.jpg"))
        assert [face.id for face in result.faces] == [None] * (0 if index == 1 else 2)


def test_latency_is_from_the_exposure_to_the_result(model: Model) -> None:
    frame = Frame(0, 0.0, np.zeros((48, 64), np.uint8), capture_time=time.monotonic() - 0.5)
    latency = VideoPipeline(model).process(frame).latency
    assert latency is not None
    assert 0.5 <= latency < 5 * PATIENCE


def test_a_video_that_jumps_back_goes_on_with_its_face(model: Model) -> None:
    engine = VideoPipeline(model)
    scene = Scene(1, 320, 240)
    for index in (0, 1, 2, 3, 200, 201, 1, 2, 3, 4, 5, 6):
        result = engine.process(Frame(index, index / FPS, scene.frame(index % 7).gray))
    (face,) = result.faces
    assert iou(face.box, scene.boxes(6)[0]) > 0.5
    assert 0 <= face.age <= 5 / FPS  # classified again after the jump, at frame 1 or later


@pytest.mark.parametrize("shape", [(1, 1), (3, 500), (20, 20), (121, 97)])
def test_pictures_of_odd_shapes(model: Model, shape: tuple[int, int]) -> None:
    engine = VideoPipeline(model)
    for index in range(3):
        assert engine.process(Frame(index, index / FPS, np.full(shape, 99, np.uint8))).faces == ()
