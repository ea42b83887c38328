"""What judges places of photographs: where its places come from, and how they are changed.

Training, quantising and measuring are those of the network behind the cascades.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
import pytest
from mien.boxes import square_iou
from mien.detection.ssd import Scan
from mien.detection.still import proposed
from mien.detection.still_verifier import SIZE
from mien.errors import UserError
from mien.image import load_image
from mien_convert.face_networks import judge as making
from mien_convert.face_networks.judge import build
from mien_convert.face_networks.judged import (
    ERROR,
    OFF,
    Shown,
    alone,
    doubtful,
    faces_of,
    gather,
    living,
    pasted,
    photographs,
)
from mien_convert.face_networks.places import Places

Run = Callable[..., tuple[int, str, str]]
PORTRAITS = Path(__file__).parents[3] / "edge" / "mien" / "demo" / "portraits"


def test_it_takes_what_the_device_cuts_out_and_weights_that_fit(tmp_path: Path) -> None:
    network = build(None)
    assert network.input_shape == (None, SIZE, SIZE, 1)
    assert network.output_shape == (None, 1)
    with pytest.raises(UserError, match="no weights at"):
        build(tmp_path / "none.h5")


def test_some_views_are_learnt_from_softer_or_sharper_than_they_are() -> None:
    edge = np.zeros((SIZE, SIZE), np.uint8)
    edge[SIZE // 2 :] = 60
    edge += 90
    views = np.repeat(edge[None], 300, 0)
    changed = making.changed(views, np.random.default_rng(2)).astype(int)
    assert changed.shape == views.shape
    steps = np.median(
        np.abs(np.diff(changed[:, SIZE // 2 - 1 : SIZE // 2 + 1], axis=1)), axis=(1, 2)
    )
    assert 0.1 < (steps < 50).mean() < 0.4
    assert 0.1 < (steps > 64).mean() < 0.5


def test_what_the_scan_proposes_is_cut_out_as_what_it_is() -> None:
    portrait = load_image(PORTRAITS / "hopper.jpg").gray
    face = (262.0, 220.0, 225.0)
    shown = Shown(portrait, ((face, 1.0),))
    places = gather([shown], 1, 5)
    assert sum(places.faces) == 4
    assert 0 < len(places.faces) - 4 <= 5
    offered = [place for place, _ in proposed(Scan(), portrait)]
    assert any(square_iou(place, face) > 0.7 for place in offered)
    hidden = gather([Shown(portrait, ((face, 0.5),))], 1, 5)
    assert not any(hidden.faces)
    nothing = gather([Shown(portrait, ())], 1, 100)
    assert any(square_iou(place, face) > OFF for place in offered)
    assert len(nothing.faces) > len(places.faces) - 4
    # A network that takes everything for a face errs everywhere, one that takes nothing nowhere.
    for value, errs in ((9.0, 5), (-9.0, 0)):
        errors = gather([Shown(portrait, ())], 1, 5, lambda v, value=value: np.full(len(v), value))
        assert len(errors.faces) == errs


def test_of_what_is_surely_no_face_a_share_is_kept() -> None:
    views = [np.full((SIZE, SIZE), value, np.uint8) for value in range(200)]
    places = Places(views, [value < 50 for value in range(200)])
    kept = doubtful(places, lambda v: np.where(v[:, 0, 0] < 100, 0.0, ERROR - 1), 3)
    left = [int(view[0, 0]) for view in kept.views]
    assert left[:100] == list(range(100))
    assert 10 < len(left) - 100 < 45
    assert sum(kept.faces) == 50


def test_scenes_say_where_their_faces_are_and_photographs_have_none() -> None:
    rng = np.random.default_rng(0)
    faces = rng.integers(0, 255, (30, 48, 48)).astype(np.uint8)
    scenery = [rng.integers(0, 255, (300, 400)).astype(np.uint8)]
    made = list(pasted(faces, 2, scenery))
    assert sum(len(one.faces) for one in made) == 30  # each once, and no decoy
    assert all(visible == 1 for one in made for _, visible in one.faces)
    assert any(one.faces for one in living(faces, 6, 2, scenery))
    (photograph,) = photographs(scenery, 2)
    assert photograph.faces == ()
    assert sorted(photograph.gray.shape)[1] <= 800


def test_each_face_is_shown_by_itself_too_and_cut_out_twice_as_what_it_is() -> None:
    rng = np.random.default_rng(0)
    faces = np.repeat(rng.integers(0, 2, (12, 6, 6)) * 255, 8, 1).repeat(8, 2).astype(np.uint8)
    made = list(alone(faces, 2))
    assert len(made) == len(faces)
    for one, face in zip(made, faces, strict=True):
        (((x, y, side), visible),) = one.faces
        assert visible == 1
        left, top = round(x - side / 2), round(y - side / 2)
        there = one.gray[top : top + round(side), left : left + round(side)]
        there = cv2.resize(there, (48, 48), interpolation=cv2.INTER_AREA).astype(float)
        assert np.corrcoef(there.ravel(), face.ravel())[0, 1] > 0.8
    places = faces_of(made, 2)
    assert places.faces == [True] * 24
    first, second = places.views[:2]
    assert not np.array_equal(first, second)


def test_a_folder_without_pictures_is_one_sentence(
    mien_convert: Run, small_data: Path, tmp_path: Path
) -> None:
    words = ("judge", small_data, "--out", tmp_path / "judge.tflite", "--pictures", tmp_path)
    code, _, stderr = mien_convert(*words)
    assert code == 2
    assert f"{tmp_path} holds no pictures; give a folder with --pictures." in stderr
