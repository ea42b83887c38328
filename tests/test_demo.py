"""The demo: both people found on nearly all frames, Collins read as happy, and files that play."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import cv2
import pytest
from mien.detection.haar import HaarDetector

DEMO = Path(__file__).parent.parent / "edge" / "mien" / "demo"
WIDTH, FRAMES = 640, 200


def test_the_devices_detector_finds_both_people_in_the_clip_and_nobody_on_the_wall() -> None:
    detector = HaarDetector()
    capture = cv2.VideoCapture(str(DEMO / "clip.mp4"))
    assert capture.get(cv2.CAP_PROP_FRAME_COUNT) == FRAMES
    found = []
    for index in range(FRAMES):
        assert capture.grab()
        if index % 8 == 0:
            frame = capture.retrieve()[1]
            faces = detector.detect(cv2.cvtColor(frame, cv2.COLOR_BGR2GRAY))
            boxes = [face.box for face in faces]
            found.append(sorted(x + w / 2 > WIDTH / 2 for x, _, w, _ in boxes))
    assert not capture.grab()
    assert found.count([False, True]) >= len(found) - 1

    wall = cv2.imread(str(DEMO / "portraits" / "noface.jpg"), cv2.IMREAD_GRAYSCALE)
    assert wall is not None
    assert len(detector.detect(wall)) == 0


def test_the_shipped_model_reads_the_clip(tmp_path: Path) -> None:
    if not (DEMO.parent / "models" / "mien.tflite").exists():
        pytest.skip("no model is shipped yet")
    lines, video = tmp_path / "demo.jsonl", tmp_path / "demo.mp4"
    command = [sys.executable, "-c", "from mien.__main__ import main; main()", "run"]
    options = ["--jsonl", str(lines), "--video", str(video), "--max-frames", "50"]
    run = subprocess.run(
        [*command, str(DEMO / "clip.mp4"), *options], capture_output=True, text=True
    )
    assert run.returncode == 0, run.stderr
    assert "happy" in run.stdout  # the summary

    frames = [json.loads(line) for line in lines.read_text().splitlines()]
    assert [frame["frame"] for frame in frames] == list(range(50))
    collins = [
        face["emotion"] for frame in frames for face in frame["faces"] if face["box"][0] > WIDTH / 2
    ]
    assert sum(len(frame["faces"]) == 2 for frame in frames) >= 48
    assert collins.count("happy") >= 45

    capture = cv2.VideoCapture(str(video))
    played = 0
    while capture.grab():
        played += 1
    assert played == 50
