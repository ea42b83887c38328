"""`mien-train score`: counts of cases worked by hand, and clips made on the spot."""

from __future__ import annotations

import csv
import json
from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
import pytest
from mien.bench.scenes import Scene
from mien.errors import UserError
from mien_train.evaluation.stills import list_stills, score_stills
from mien_train.evaluation.tracking import (
    Clip,
    ClipResult,
    TrackedFrame,
    list_clips,
    read_truth,
    score_clip,
    summarize,
)

pytest.importorskip("motmetrics")
Run = Callable[..., tuple[int, str, str]]
FACE, OTHER = (10.0, 10.0, 40.0, 50.0), (100.0, 10.0, 40.0, 50.0)


def truth(tmp_path: Path, lines: list[str]) -> Clip:
    path = tmp_path / "x.gt.txt"
    path.write_text("\n".join(lines) + "\n")
    return Clip(tmp_path / "x.mp4", "people", read_truth(path))


def line(frame: int, name: int, box: tuple[float, ...], conf: int = 1) -> str:
    return ",".join(map(str, (frame, name, *box, conf, 1, 1.0)))


def frames(*rows: list[tuple[int, tuple[float, ...]]], fps: float = 10.0) -> list[TrackedFrame]:
    return [
        TrackedFrame(
            index / fps,
            tuple(name for name, _ in row),
            np.array([box for _, box in row], np.float64).reshape(-1, 4),
        )
        for index, row in enumerate(rows)
    ]


def counted(result: ClipResult) -> dict[str, object]:
    return summarize([result])


def test_a_perfect_result(tmp_path: Path) -> None:
    clip = truth(tmp_path, [line(f, 1, FACE) for f in range(1, 11)])
    found = counted(score_clip(clip, frames(*[[(7, FACE)]] * 10)))
    assert (found["recall"], found["mota"], found["idf1"]) == (1, 1, 1)
    assert (found["false_boxes"], found["switches"], found["shared_ids"]) == (0, 0, 0)
    assert (found["faces"], found["found_within_half_a_second"], found["never_found"]) == (1, 1, 0)


def test_a_switch_a_shared_id_a_miss_and_a_false_box(tmp_path: Path) -> None:
    lines = [line(f, 1, FACE) for f in range(1, 11)] + [line(f, 2, OTHER) for f in range(6, 11)]
    clip = truth(tmp_path, lines)
    rows: list[list[tuple[int, tuple[float, ...]]]] = [[(1, FACE)] for _ in range(5)]
    rows += [[(2, FACE), (1, OTHER)] for _ in range(4)] + [[(2, FACE), (3, (300.0, 9, 40, 50))]]
    found = counted(score_clip(clip, frames(*rows)))
    assert found["recall"] == pytest.approx(14 / 15)
    assert found["false_boxes"] == 1
    assert found["shared_ids"] == 1
    assert found["switches"] == 1
    assert found["mota"] == pytest.approx(1 - 3 / 15)
    # Identities: face 1 is best explained by 1 or 2 (5 frames), face 2 by 1 (4 frames).
    assert found["idf1"] == pytest.approx(2 * 9 / (15 + 15))


def test_what_is_ignored_is_neither_missed_nor_false(tmp_path: Path) -> None:
    lines = [line(f, 1, FACE, 0) for f in range(1, 11)] + [
        line(f, -1, OTHER, 0) for f in range(1, 11)
    ]
    clip = truth(tmp_path, lines)
    nothing = counted(score_clip(clip, frames(*[[] for _ in range(10)])))
    both = counted(score_clip(clip, frames(*[[(1, FACE), (2, OTHER)]] * 10)))
    for found in (nothing, both):
        assert (found["recall"], found["mota"]) == (None, None)
        assert found["false_boxes"] == 0
    tiny = counted(score_clip(clip, frames(*[[(1, (300.0, 200.0, 15.0, 15.0))]] * 10)))
    assert tiny["false_boxes"] == 0


def test_a_face_found_late_or_never(tmp_path: Path) -> None:
    lines = [line(f, 1, FACE) for f in range(1, 21)] + [line(f, 2, OTHER) for f in range(1, 21)]
    clip = truth(tmp_path, lines)
    found = counted(score_clip(clip, frames(*[[] if f < 8 else [(1, FACE)] for f in range(20)])))
    assert (found["found_within_half_a_second"], found["never_found"]) == (0, 1)
    assert found["median_delay_s"] == pytest.approx(0.8)


def test_what_is_no_truth_is_one_sentence(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"NAME\.gt\.txt"):
        list_clips(tmp_path)
    (tmp_path / "a.gt.txt").write_text("1,1,0,0,5\n")
    with pytest.raises(UserError, match=r"a\.mp4"):
        list_clips(tmp_path)
    (tmp_path / "a.mp4").touch()
    with pytest.raises(UserError, match="line 1"):
        list_clips(tmp_path)


@pytest.fixture
def data(tmp_path: Path) -> Path:
    """A clip and two pictures of one face that moves, and a picture without."""
    scene = Scene(1, 320, 240)
    (tmp_path / "clips").mkdir()
    writer = cv2.VideoWriter(
        str(tmp_path / "clips" / "one.mp4"), cv2.VideoWriter_fourcc(*"mp4v"), 30, (320, 240)
    )
    lines = []
    for index in range(24):
        writer.write(cv2.cvtColor(scene.frame(index).gray, cv2.COLOR_GRAY2BGR))
        lines.append(line(index + 1, 1, scene.boxes(index)[0]))
    writer.release()
    (tmp_path / "clips" / "one.gt.txt").write_text("\n".join(lines) + "\n")
    (tmp_path / "clips" / "clips.csv").write_text("clip,kind\none.mp4,portrait\n")
    for name in ("photos", "noface"):
        (tmp_path / "stills" / name).mkdir(parents=True)
    rows = []
    for index in (0, 60):
        cv2.imwrite(str(tmp_path / "stills" / "photos" / f"{index}.jpg"), scene.frame(index).gray)
        rows.append([f"photos/{index}.jpg", "face", *scene.boxes(index)[0]])
    cv2.imwrite(str(tmp_path / "stills" / "noface" / "0.jpg"), Scene(0, 320, 240).frame(0).gray)
    with (tmp_path / "truth.csv").open("w", newline="") as file:
        csv.writer(file).writerows([["image", "kind", "x", "y", "w", "h"], *rows])
    return tmp_path


def test_the_command_scores_clips_and_stills_and_shows_what_was_missed(
    data: Path, mien_train: Run
) -> None:
    sheet = data / "misses.png"
    code, text, err = mien_train("score", data, "--detector", "haar", "--json", "--misses", sheet)
    assert code == 0, err
    found = json.loads(text)["detectors"]["haar"]
    assert list(found["clips"]) == ["portrait", "all"]
    assert found["clips"]["all"]["recall"] > 0.9
    assert found["clips"]["all"]["frames"] == 24
    assert list(found["stills"]) == ["photos", "noface", "all"]
    assert found["stills"]["photos"]["recall"] == 1.0
    assert found["stills"]["noface"]["false_boxes"] == 0
    assert cv2.imread(str(sheet)) is not None
    code, text, err = mien_train("score", data / "clips", "--detector", "haar")
    assert code == 0, err
    assert "portrait" in text
    assert "pictures" not in text


def test_the_sweep_writes_a_row_for_each_value(
    data: Path, mien_train: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    values = {"keep_score": (0.3, 0.99), "hold_s": (0.5,)}
    monkeypatch.setattr("mien_train.evaluation.sweep.VALUES", values)
    target = data / "sweep.csv"
    code, _, err = mien_train("score", data, "--detector", "haar", "--sweep", target)
    assert code == 0, err
    rows = list(csv.DictReader(target.open()))
    assert [row["field"] for row in rows] == ["keep_score", "keep_score", "hold_s"]
    assert float(rows[0]["recall"]) > 0.9
    assert float(rows[1]["recall"]) < 0.5


def test_missed_stills_are_counted_by_size(data: Path) -> None:
    stills = list_stills(data)
    found, results = score_stills(stills, lambda path: np.empty((0, 4)))
    assert found["all"]["misses"] == 2
    assert found["photos"]["recall"] == 0
    assert found["photos"]["recall 48-96"] == 0
    assert found["photos"]["recall 24-48"] is None
    assert sum(int((one.counts & ~one.hit).sum()) for one in results) == 2


def test_nothing_to_score_is_one_sentence(tmp_path: Path, mien_train: Run) -> None:
    for words in ((tmp_path / "none",), (tmp_path,)):
        code, _, err = mien_train("score", *words)
        assert code == 2
        assert err.count("\n") == 1
