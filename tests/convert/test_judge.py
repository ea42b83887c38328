"""Cutting, training, quantising and measuring what judges places of photographs."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np

from convert.faceness import odds, quantised
from convert.judge import build, train
from convert.judged import ERROR, OFF, Shown, doubtful, gather, living, pasted, photographs
from convert.places import Places
from edge.boxes import overlap
from edge.judge import AROUND, SIZE, SIZES, Judge, surroundings
from edge.photo import proposed
from edge.picture import read_picture
from edge.pyramid import Pyramid
from edge.scan import Scan

Run = Callable[..., tuple[int, str, str]]
PORTRAITS = Path(__file__).parents[2] / "edge" / "demo" / "portraits"


def discs(count: int, seed: int) -> Places:
    """Views of which every other one shows a disc in the middle, in noise."""
    rng = np.random.default_rng(seed)
    y, x = np.mgrid[:SIZE, :SIZE] - SIZE / 2
    disc = np.where(x**2 + y**2 < 169, 90.0, 0.0)
    faces = [index % 2 == 0 for index in range(count)]
    views = [
        np.clip(rng.normal(100, 20, (SIZE, SIZE)) + face * disc, 0, 255).astype(np.uint8)
        for face in faces
    ]
    return Places(views, faces)


def test_one_step_of_it_and_the_device_reads_it_in_int8_as_it_is_in_float() -> None:
    import keras

    keras.utils.set_random_seed(0)
    network = build(None)
    train(network, discs(256, 0), 1, 0, "discs")
    last = network.layers[-1]
    last.set_weights([40 * last.get_weights()[0], last.get_weights()[1]])
    views = discs(40, 1)
    told = odds(network)
    judge = Judge(quantised(network, views))
    exact, found = [], []
    for view in views.views[:12]:
        pyramid, place = Pyramid(view), (SIZE / 2, SIZE / 2, SIZE / AROUND)
        x, y, side = place
        shown = [surroundings(pyramid, (x, y, times * side)) for times in SIZES]
        exact.append(told(np.stack([*shown, *(one[:, ::-1] for one in shown)])).mean())
        found.append(judge.at(pyramid, place))
    spread = np.std(exact)
    assert spread > 0
    assert np.abs(np.array(found) - exact).mean() < spread


def test_what_the_scan_proposes_is_cut_out_as_what_it_is() -> None:
    portrait = read_picture(PORTRAITS / "hopper.jpg").gray
    face = (262.0, 220.0, 225.0)
    shown = Shown(portrait, ((face, 1.0),))
    places = gather([shown], 1, 5)
    assert sum(places.faces) == 4
    assert 0 < len(places.faces) - 4 <= 5
    offered = [place for place, _ in proposed(Scan(), portrait)]
    assert any(overlap(place, face) > 0.7 for place in offered)
    hidden = gather([Shown(portrait, ((face, 0.5),))], 1, 5)
    assert not any(hidden.faces)
    nothing = gather([Shown(portrait, ())], 1, 100)
    assert any(overlap(place, face) > OFF for place in offered)
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


def test_a_folder_without_pictures_is_one_sentence(
    mien_convert: Run, small_data: Path, tmp_path: Path
) -> None:
    words = ("judge", small_data, "--out", tmp_path / "judge.tflite", "--pictures", tmp_path)
    code, _, stderr = mien_convert(*words)
    assert code == 2
    assert f"{tmp_path} holds no pictures; give a folder with --pictures." in stderr
