"""A stronger detector makes faces of the labels that are unsure, and of nothing else."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from drawn_faces import write_archive
from mien.detection.base import Detection
from mien_train.cli import app
from mien_train.detector.dataset import Photograph
from mien_train.detector.teacher import confirm
from typer.testing import CliRunner

MARKS = ((20.0, 20.0), (40.0, 20.0), (30.0, 30.0), (22.0, 40.0), (38.0, 40.0))


class Teacher:
    """Sees two faces in every picture that is as large as the photograph."""

    still_score = 0.6

    def __init__(self, score: float) -> None:
        self.score = score

    def detect(self, gray: np.ndarray) -> list[Detection]:
        # Symmetric, so that the picture's mirror image shows the same.
        faces = [(10.0, 10.0, 40.0, 40.0), (150.0, 10.0, 40.0, 40.0)]
        return [Detection(box, self.score, MARKS) for box in faces]


def photograph() -> Photograph:
    ignored = [[12, 10, 40, 40], [80, 60, 30, 30]]
    return Photograph(
        "one",
        np.zeros((120, 200), np.uint8),
        np.array([[148, 12, 40, 40]], "float32"),
        np.full((1, 5, 2), np.nan, "float32"),
        np.array(ignored, "float32"),
    )


def test_what_the_teacher_confirms_becomes_a_face_with_landmarks() -> None:
    (found,) = confirm([photograph()], Teacher(0.9))
    np.testing.assert_allclose(found.faces, [[148, 12, 40, 40], [10, 10, 40, 40]])
    assert np.isnan(found.landmarks[0]).all()
    assert np.isfinite(found.landmarks[1]).all()
    np.testing.assert_allclose(found.ignored, [[80, 60, 30, 30]])


def test_what_the_teacher_doubts_stays_ignored() -> None:
    (found,) = confirm([photograph()], Teacher(0.4))
    assert len(found.faces) == 1
    assert len(found.ignored) == 2


def test_the_command_takes_a_teacher_and_records_it(
    tmp_path: Path,
) -> None:
    data, run = write_archive(tmp_path / "faces.zip", 12), tmp_path / "run"
    arguments = ["detector", str(data), "--run", str(run), "--teacher", "haar", "--epochs", "1"]
    small = ["--width", "128", "--height", "96", "--batch", "2", "--steps", "2"]
    assert CliRunner().invoke(app, [*arguments, *small]).exit_code == 0
    assert '"teacher": "haar"' in (run / "run.json").read_text()
