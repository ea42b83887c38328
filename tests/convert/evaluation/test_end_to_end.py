"""End-to-end accuracy on whole photographs."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import cv2
import mien
import numpy as np
from made import LABELS

Run = Callable[..., tuple[int, str, str]]


def test_end_to_end_counts_a_missed_face_as_an_error(tmp_path: Path, mien_convert: Run) -> None:
    portrait = Path(mien.__file__).parent / "demo" / "portraits" / "collins.jpg"
    for label in LABELS:
        folder = tmp_path / "people" / label
        folder.mkdir(parents=True)
        cv2.imwrite(str(folder / "1.png"), np.full((120, 160), 90, np.uint8))
    (tmp_path / "people" / "happy" / "2.jpg").write_bytes(portrait.read_bytes())
    code, text, err = mien_convert("end-to-end", "mien", tmp_path / "people", "--json")
    assert code == 0, err
    found = json.loads(text)
    assert found["n"] == 8
    assert found["missed"] == 7 / 8
    assert (found["accuracy_of_found"], found["accuracy"]) == (1.0, 1 / 8)
