"""`mien run --alertness` on a clip of a real portrait whose eyes are closed for a while."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import cv2
import numpy as np
import pytest
from mien.detection import open_detector
from running import DEMO, lines, run

FPS = 15.0
CLOSED_FROM, CLOSED_TO, END = 7.0, 8.8, 10.0  # s


def close_eyes(picture: np.ndarray) -> np.ndarray:
    """Paint lids: the skin below each eye, with a dark line of lashes."""
    gray = np.asarray(cv2.cvtColor(picture, cv2.COLOR_BGR2GRAY), np.uint8)
    landmarks = open_detector("ssd").detect(gray)[0].landmarks
    assert landmarks is not None
    eyes = [(round(x), round(y)) for x, y in landmarks[:2]]
    distance = eyes[1][0] - eyes[0][0]
    lid = np.zeros(picture.shape[:2], np.uint8)
    for eye in eyes:
        axes = round(0.26 * distance), round(0.13 * distance)
        cv2.ellipse(lid, eye, axes, 0, 0, 360, 255, -1)
    below = np.roll(picture, -round(0.27 * distance), axis=0)
    skin = cv2.GaussianBlur(below, (0, 0), 0.04 * distance)
    share = cv2.GaussianBlur(lid, (0, 0), 0.03 * distance)[..., np.newaxis] / 255
    painted = (picture * (1 - share) + skin * share).astype(np.uint8)
    for x, y in eyes:
        axes = round(0.2 * distance), round(0.1 * distance)
        cv2.ellipse(painted, (x, y), axes, 0, 25, 155, (30, 30, 35), 1, cv2.LINE_AA)
    return painted


@pytest.fixture(scope="module")
def clip(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("clip") / "asleep.avi"
    awake = cv2.imread(str(DEMO / "portraits" / "collins.jpg"))
    asleep = close_eyes(awake)
    writer = cv2.VideoWriter(
        str(path), cv2.VideoWriter_fourcc(*"MJPG"), FPS, (awake.shape[1], awake.shape[0])
    )
    noise = np.random.default_rng(1)
    for frame in range(round(END * FPS)):
        picture = asleep if CLOSED_FROM <= frame / FPS < CLOSED_TO else awake
        grain = noise.normal(0, 3, picture.shape)  # no camera gives the same frame twice
        writer.write(np.clip(picture + grain, 0, 255).astype(np.uint8))
    writer.release()
    return path


def test_a_microsleep_is_told_in_time_and_starts_the_command(clip: Path, tmp_path: Path) -> None:
    record, alarm = tmp_path / "session.jsonl", tmp_path / "alarm.json"
    save = f"import sys, pathlib; pathlib.Path({str(alarm)!r}).write_text(sys.stdin.read())"
    rule = f'microsleep: {sys.executable} -c "{save}"'
    done = run(clip, "--alertness", "--detector", "ssd", "--jsonl", record, "--on", rule)
    assert done.returncode == 0, done.stderr
    events = {
        event["kind"]: line["time"]
        for line in lines(record)
        for face in line["faces"]
        for event in face["alertness"]["events"]
    }
    assert set(events) == {"long_blink", "microsleep"}
    assert CLOSED_FROM + 0.5 - 1e-6 <= events["long_blink"] <= CLOSED_FROM + 0.65
    assert CLOSED_FROM + 1.0 - 1e-6 <= events["microsleep"] <= CLOSED_FROM + 1.15
    told = json.loads(alarm.read_text())
    assert told["rule"] == "microsleep"
    assert "microsleep" in told["face"]["alertness"]["active"]


def test_open_eyes_are_told_open_and_start_nothing(clip: Path, tmp_path: Path) -> None:
    record = tmp_path / "session.jsonl"
    done = run(*(clip, "--alertness", "--detector", "ssd", "--jsonl", record, "--duration", "6.5"))
    assert done.returncode == 0, done.stderr
    faces = [line["faces"][0]["alertness"] for line in lines(record)[5:]]
    assert all(min(face["eyes"].values()) > 0.6 for face in faces)
    assert all(face["active"] == [] for face in faces)


def test_a_detector_without_landmarks_is_refused(clip: Path) -> None:
    done = run(clip, "--alertness", "--detector", "haar")
    assert done.returncode == 2
    assert "--detector ssd" in done.stderr
