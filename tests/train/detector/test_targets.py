"""Cells learn the faces that they are to find, and nothing from ignored regions."""

from __future__ import annotations

import numpy as np
import pytest
from keras import ops
from mien_train.detector.augment import View
from mien_train.detector.cells import cell_centers
from mien_train.detector.loss import detection_loss
from mien_train.detector.targets import (
    BOX,
    COLUMNS,
    COUNTS,
    LANDMARKS,
    MARKED,
    POSITIVE,
    assign,
    decode,
)

CENTERS, STRIDES = cell_centers(240, 320)
NO_BOXES = np.zeros((0, 4), "float32")


def view(faces: list[tuple[float, ...]], ignored: list[tuple[float, ...]] | None = None) -> View:
    boxes = np.array(faces, "float32").reshape(-1, 4)
    middle = (boxes[:, :2] + boxes[:, 2:] / 2)[:, None]
    marks = middle + np.array([[-3, -2], [3, -2], [0, 0], [-2, 4], [2, 4]], "float32")
    return View(
        np.zeros((240, 320), np.uint8),
        boxes,
        marks.astype("float32"),
        np.array(ignored or [], "float32").reshape(-1, 4),
    )


def test_cells() -> None:
    assert len(CENTERS) == 30 * 40 + 15 * 20 + 8 * 10
    assert CENTERS[0].tolist() == [4, 4]
    assert CENTERS[1].tolist() == [12, 4]
    assert CENTERS[-1].tolist() == [304, 240]  # 7.5 rows of 32 px: the last cell ends below


@pytest.mark.parametrize(
    ("size", "strides"),
    [(10, {8}), (24, {8}), (32, {8, 16}), (50, {16}), (70, {16, 32}), (200, {32})],
)
def test_the_size_of_a_face_says_its_stride(size: float, strides: set[int]) -> None:
    targets = assign(view([(60, 20, size, size)]), CENTERS, STRIDES)
    positive = targets[:, POSITIVE] > 0
    assert set(STRIDES[positive]) == strides
    assert positive.sum() >= 4
    middle = 60 + size / 2, 20 + size / 2
    assert np.all(np.abs(CENTERS[positive] - middle).max(axis=1) < 1.5 * STRIDES[positive])


def test_a_cell_gives_its_face_back() -> None:
    example = view([(60, 20, 24, 30), (150, 90, 120, 140)])
    targets = assign(example, CENTERS, STRIDES)
    positive = targets[:, POSITIVE] > 0
    boxes, marks = decode(targets[:, BOX], targets[:, LANDMARKS], CENTERS, STRIDES)
    for box, points in zip(boxes[positive], marks[positive], strict=True):
        distance = np.abs(example.faces - box).max(axis=1)
        face = int(distance.argmin())
        assert distance[face] < 1e-3
        assert np.allclose(points, example.landmarks[face], atol=1e-3)


def test_the_smaller_of_two_faces_gets_the_cell() -> None:
    small, large = (100, 100, 20, 20), (96, 96, 28, 28)
    targets = assign(view([small, large]), CENTERS, STRIDES)
    at = np.flatnonzero((STRIDES == 8) & (np.abs(CENTERS - 110).max(axis=1) < 5))
    sizes = np.exp(targets[at, 5]) * 8
    assert np.allclose(sizes, 20)


def test_ignored_regions_do_not_count() -> None:
    targets = assign(view([(60, 20, 24, 24)], [(50, 10, 80, 80)]), CENTERS, STRIDES)
    inside = np.all((CENTERS >= (50, 10)) & (CENTERS <= (130, 90)), axis=1)
    positive = targets[:, POSITIVE] > 0
    assert not targets[inside & ~positive, COUNTS].any()
    assert targets[positive, COUNTS].all()  # a face inside the region is learnt
    assert targets[~inside & ~positive, COUNTS].all()
    assert not assign(view([], [(200, 101, 3, 3)]), CENTERS, STRIDES)[:, COUNTS].all()


def outputs(score: float = -6.0) -> np.ndarray:
    values = np.zeros((1, len(CENTERS), 15), "float32")
    values[..., 0] = score
    return values


def loss(targets: np.ndarray, values: np.ndarray) -> float:
    return float(
        detection_loss(ops.convert_to_tensor(targets[None]), ops.convert_to_tensor(values))
    )


def test_the_loss_is_blind_inside_ignored_regions() -> None:
    targets = assign(view([], [(50, 10, 80, 80)]), CENTERS, STRIDES)
    wrong = outputs()
    wrong[0, targets[:, COUNTS] == 0, 0] = 5.0
    assert loss(targets, wrong) == pytest.approx(loss(targets, outputs()))
    wrong[0, np.flatnonzero(targets[:, COUNTS])[0], 0] = 5.0
    assert loss(targets, wrong) > loss(targets, outputs()) + 1


def test_the_loss_is_least_where_all_is_right() -> None:
    targets = assign(view([(60, 20, 24, 30)]), CENTERS, STRIDES)
    positive = targets[:, POSITIVE] > 0
    right = outputs(-12.0)
    right[0, positive, 0] = 12.0
    right[0, :, 1:5], right[0, :, 5:] = targets[:, BOX], targets[:, LANDMARKS]
    assert loss(targets, right) < 1e-3
    for column, least in ((0, 0.5), (1, 0.1), (3, 0.1), (7, 0.01)):
        wrong = right.copy()
        wrong[0, positive, column] -= 24 if column == 0 else 0.7
        assert loss(targets, wrong) > least, column


def test_unknown_landmarks_do_not_count() -> None:
    example = view([(60, 20, 24, 30)])
    example.landmarks[:] = np.nan
    targets = assign(example, CENTERS, STRIDES)
    assert targets.shape == (len(CENTERS), COLUMNS)
    assert np.isfinite(targets).all()
    assert not targets[:, MARKED].any()
    values = outputs()
    moved = values.copy()
    moved[..., 5:] = 3.0
    assert loss(targets, values) == pytest.approx(loss(targets, moved))


def test_a_quality_score_of_the_box_is_learnt() -> None:
    """The best score of a cell with a bad box is low: it is the box's IoU."""
    targets = assign(view([(60, 20, 24, 24)]), CENTERS, STRIDES)
    positive = targets[:, POSITIVE] > 0
    values = outputs(-12.0)
    values[0, :, 1:5], values[0, :, 5:] = targets[:, BOX], targets[:, LANDMARKS]
    values[0, positive, 3] -= np.log(4)  # a quarter of the width: an IoU of .25
    losses = {}
    for quality in (0.05, 0.25, 0.6, 0.95):
        values[0, positive, 0] = np.log(quality / (1 - quality))
        losses[quality] = loss(targets, values)
    assert min(losses, key=lambda q: losses[q]) == 0.25
