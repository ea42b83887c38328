from __future__ import annotations

import numpy as np
import pytest
from mien.classification.prediction import Prediction
from mien.outputs.annotate import annotate, annotate_photo
from mien.pipeline.results import Face

WHITE = np.full((480, 640, 3), 255, np.uint8)
BLACK = np.zeros((480, 640, 3), np.uint8)
BUSY = np.random.default_rng(0).integers(0, 256, (480, 640, 3), dtype=np.uint8)


def face(*box: int, emotion: str = "surprise") -> Face:
    return Face(box, Prediction(emotion, 0.87, {}))


def changed(before: np.ndarray, after: np.ndarray) -> tuple[int, int, int, int]:
    """Return left, top, right and bottom of what was drawn."""
    rows, columns = np.nonzero((before != after).any(axis=2))
    return columns.min(), rows.min(), columns.max() + 1, rows.max() + 1


@pytest.mark.parametrize("background", [WHITE, BLACK, BUSY], ids=["white", "black", "busy"])
def test_box_and_label_stand_out_from_any_background(background: np.ndarray) -> None:
    drawn = annotate(background, [face(200, 200, 120, 120)])
    left, top, _, bottom = changed(background, drawn)
    assert 195 <= left <= 201
    assert 318 <= bottom <= 325
    assert top < 195  # the label, above
    plate = drawn[top:196, 200:320].reshape(-1, 3).astype(int).sum(axis=1)
    assert (plate < 60).mean() > 0.08  # letters, black
    assert (plate > 450).mean() > 0.4  # on a bright plate


def test_the_original_is_not_touched_and_nobody_means_nothing_drawn() -> None:
    before = BUSY.copy()
    drawn = annotate(BUSY, [face(9, 9, 99, 99)])
    assert np.array_equal(BUSY, before)
    assert not np.array_equal(drawn, before)
    assert np.array_equal(annotate(BUSY, []), BUSY)
    assert not np.shares_memory(annotate(BUSY, []), BUSY)


@pytest.mark.parametrize(
    "box",
    [(0, 0, 90, 90), (550, 0, 90, 90), (0, 390, 90, 90), (550, 390, 90, 90), (0, 0, 640, 480)],
)
def test_a_label_at_the_border_is_whole(box: tuple[int, int, int, int]) -> None:
    """As much of its bright plate is seen as in the middle of the picture."""
    size = box[2:] if box[2] < 200 else (90, 90)
    middle = (250, 200, *size)
    drawn = [annotate(WHITE, [face(*place)]) for place in (middle, box)]
    bright = [int((np.abs(d.astype(int) - (60, 210, 255)).sum(axis=2) == 0).sum()) for d in drawn]
    plates = [changed(WHITE, d) for d in drawn]
    assert all(p[0] >= 0 and p[1] >= 0 and p[2] <= 640 and p[3] <= 480 for p in plates)
    if box[2] < 200:
        assert abs(bright[0] - bright[1]) < 0.06 * bright[0]
    else:
        assert bright[1] > bright[0] / 2


def test_labels_of_neighbours_do_not_cover_each_other() -> None:
    """Two labels drawn together show as many pixels as each drawn alone."""
    both = [face(200, 200, 60, 60), face(262, 200, 60, 60)]
    together = (annotate(WHITE, both) != WHITE).any(axis=2).sum()
    alone = sum((annotate(WHITE, [f]) != WHITE).any(axis=2).sum() for f in both)
    assert together > 0.97 * alone


def test_lines_and_letters_grow_with_the_picture() -> None:
    large = np.full((2400, 3200, 3), 255, np.uint8)
    small = (annotate(WHITE, [face(200, 200, 120, 120)]) != WHITE).any(axis=2).sum()
    grown = (annotate(large, [face(1000, 1000, 600, 600)]) != large).any(axis=2).sum()
    assert 15 < grown / small < 35  # 25, were all of it in proportion


def test_a_label_that_could_not_be_read_is_left_out() -> None:
    tiny = np.full((48, 48, 3), 255, np.uint8)
    drawn = annotate(tiny, [face(4, 4, 40, 40)])
    assert drawn.shape == tiny.shape
    assert (drawn[12:36, 12:36] == 255).all()


def test_a_small_photo_is_enlarged_until_its_label_can_be_read() -> None:
    tiny = np.full((48, 60, 3), 255, np.uint8)
    drawn = annotate_photo(tiny, [face(4, 4, 40, 40)])
    assert drawn.shape == (336, 420, 3)
    left, _, _, bottom = changed(np.full_like(drawn, 255), drawn)
    assert abs(left - 28) <= 3
    assert abs(bottom - 308) <= 4
    assert annotate_photo(WHITE, []).shape == WHITE.shape


def test_a_very_thin_picture_is_not_enlarged_beyond_bounds() -> None:
    """To 320 px on the shorter side it would take 6 GB."""
    thin = np.zeros((20_000, 1, 3), np.uint8)
    drawn = annotate_photo(thin, [face(0, 5, 1, 40)])
    assert drawn.shape[0] * drawn.shape[1] <= 8_000_000


def test_uncertain_looks_different() -> None:
    sure = annotate(WHITE, [face(200, 200, 120, 120)])
    unsure = annotate(WHITE, [face(200, 200, 120, 120, emotion="uncertain")])
    assert not np.array_equal(sure[260], unsure[260])
