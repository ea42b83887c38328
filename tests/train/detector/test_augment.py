"""Views keep their boxes on their faces, whatever is done to the photographs."""

from __future__ import annotations

from dataclasses import replace

import cv2
import numpy as np
import pytest
from drawn_faces import draw_face
from mien_train.detector.augment import (
    Augmentation,
    Augmenter,
    clip_boxes,
    degrade,
    turn_boxes,
)
from mien_train.detector.dataset import Photograph

CLEAN = Augmentation(
    mosaic=0, background=0, occlusion=0, light=0, dark=0, soft=0, blur=0, noise=0, jpeg=0, degrees=0
)
NOTHING = np.zeros((0, 4), "float32")


def photograph(count: int = 1) -> Photograph:
    """Bright drawn faces on black: the bright part of a view is where a face is."""
    image = np.zeros((120, 160), np.uint8)
    boxes = [(20 + 70 * i, 30, 40, 50) for i in range(count)]
    marks = [draw_face(image, *box) for box in boxes]
    return Photograph(
        "drawn", image, np.array(boxes, "float32"), np.array(marks, "float32"), NOTHING
    )


def bright_box(image: np.ndarray) -> np.ndarray:
    return np.array(cv2.boundingRect((image > 150).astype(np.uint8)), float)


@pytest.mark.parametrize("degrees", [0.0, 30.0])
def test_the_box_follows_the_face(degrees: float) -> None:
    augmentation = replace(CLEAN, degrees=degrees, turn=1.0)
    augmenter = Augmenter([photograph()], 120, 160, augmentation)
    rng = np.random.default_rng(0)
    seen = 0
    for _ in range(100):
        view = augmenter.view(rng)
        if len(view.faces) != 1 or len(view.ignored):
            continue
        x, y, w, h = view.faces[0]
        if x < 2 or y < 2 or x + w > 158 or y + h > 118:
            continue  # cut: the bright part is smaller than the face
        if max(view.image[0, 0], view.image[-1, -1], view.image[0, -1], view.image[-1, 0]) > 150:
            continue  # beyond the photograph it is as bright as the face
        seen += 1
        assert np.abs(bright_box(view.image) - view.faces[0]).max() <= 2 + 0.02 * max(w, h)
        # The eyes are the dark spots, the left one in the picture first.
        eyes = view.landmarks[0, :2].round().astype(int)
        assert (view.image[eyes[:, 1], eyes[:, 0]] < 180).all()
        assert view.landmarks[0, 0, 0] < view.landmarks[0, 1, 0]
    assert seen > 15


def test_a_mosaic_has_the_faces_of_several_photographs() -> None:
    augmenter = Augmenter([photograph(2)], 240, 320, replace(CLEAN, mosaic=1.0))
    rng = np.random.default_rng(1)
    counts = [len(augmenter.view(rng).faces) for _ in range(20)]
    assert max(counts) > 2


def test_cut_and_tiny_faces_are_ignored() -> None:
    inside, share = clip_boxes(np.array([[-30.0, 0, 40, 40], [5, 5, 10, 10]]), 100, 100)
    assert inside.tolist() == [[0, 0, 10, 40], [5, 5, 10, 10]]
    assert share.tolist() == [0.25, 1.0]
    augmenter = Augmenter([photograph(2)], 48, 64, CLEAN)  # the faces become 10 px and less
    rng = np.random.default_rng(0)
    views = [augmenter.view(rng) for _ in range(40)]
    assert all(np.sqrt(f[2] * f[3]) >= 10 for view in views for f in view.faces)
    assert any(len(view.ignored) for view in views)


def test_a_turned_box_is_the_ellipse_s() -> None:
    matrix = np.array([[0.0, -1.0], [1.0, 0.0]])
    box = turn_boxes(np.array([[10.0, 20, 30, 50]]), matrix, np.zeros(2), 1.0, np.pi / 2)
    assert np.allclose(box, [[-70, 10, 50, 30]], atol=1e-4)


def test_views_are_drawn_by_the_generator_alone() -> None:
    augmenter = Augmenter([photograph(2)], 120, 160)
    first, again, other = (augmenter.view(np.random.default_rng(s)) for s in (5, 5, 6))
    assert np.array_equal(first.image, again.image)
    assert np.array_equal(first.faces, again.faces)
    assert not np.array_equal(first.image, other.image)


@pytest.mark.parametrize("change", ["light", "dark", "blur", "noise", "jpeg"])
def test_every_degradation_changes_the_picture(change: str) -> None:
    image = photograph().image
    augmentation = replace(CLEAN, **{change: 1.0})
    changed = degrade(np.random.default_rng(0), image, augmentation)
    assert changed.shape == image.shape
    assert changed.dtype == np.uint8
    assert not np.array_equal(changed, image)
    assert np.array_equal(degrade(np.random.default_rng(0), image, CLEAN), image)
