from __future__ import annotations

from dataclasses import replace

import cv2
import numpy as np
import pytest
from mien.boxes import Box
from mien.classification.preprocess import TTA_SHIFTS, preprocess_face, tta_crops
from mien.tflite.metadata import Crop, Metadata

PLAIN = np.random.default_rng(0).integers(0, 256, (200, 300), dtype=np.uint8)


def with_margin(metadata: Metadata, margin: float, size: int = 48) -> Metadata:
    return replace(metadata, crop=Crop(margin), input_size=size)


def test_a_picture_of_the_models_size_comes_back_byte_for_byte(metadata: Metadata) -> None:
    face = PLAIN[:48, :48]
    assert np.array_equal(preprocess_face(face, None, metadata), face)


def test_the_result_is_a_copy(metadata: Metadata) -> None:
    face = PLAIN[:48, :48].copy()
    preprocess_face(face, None, metadata)[:] = 0
    assert face.any()


def test_a_box_grows_by_the_margin_on_each_side(metadata: Metadata) -> None:
    """A box of 40 px with a tenth on each side is 48 px: nothing is resized."""
    crop = preprocess_face(PLAIN, (100, 80, 40, 40), with_margin(metadata, 0.1))
    assert np.array_equal(crop, PLAIN[76:124, 96:144])


def test_a_negative_margin_cuts_in(metadata: Metadata) -> None:
    crop = preprocess_face(PLAIN, (100, 80, 60, 60), with_margin(metadata, -0.1))
    assert np.array_equal(crop, PLAIN[86:134, 106:154])


def test_a_box_that_is_not_square_becomes_so_by_its_longer_side(metadata: Metadata) -> None:
    crop = preprocess_face(PLAIN, (100, 80, 20, 48), with_margin(metadata, 0))
    assert np.array_equal(crop, PLAIN[80:128, 86:134])


@pytest.mark.parametrize(
    ("box", "left", "top"),
    [
        ((-10, -20, 48, 48), 0, 0),
        ((0, 0, 48, 48), 0, 0),
        ((290, 190, 48, 48), 252, 152),
        ((270, 10, 48, 48), 252, 10),
    ],
)
def test_at_the_border_the_square_is_shifted_into_the_picture(
    metadata: Metadata, box: Box, left: int, top: int
) -> None:
    crop = preprocess_face(PLAIN, box, with_margin(metadata, 0))
    assert np.array_equal(crop, PLAIN[top : top + 48, left : left + 48])


def test_a_square_larger_than_the_picture_repeats_its_border(metadata: Metadata) -> None:
    flat = PLAIN[:20, :100]
    crop = preprocess_face(flat, (30, -14, 48, 48), with_margin(metadata, 0))
    expected = np.vstack([flat[:1].repeat(14, 0), flat, flat[-1:].repeat(14, 0)])[:, 30:78]
    assert np.array_equal(crop, expected)


def test_large_faces_are_averaged_and_small_ones_interpolated(metadata: Metadata) -> None:
    large = preprocess_face(PLAIN, (50, 50, 144, 144), with_margin(metadata, 0))
    region = PLAIN[50:194, 50:194].astype(float).reshape(48, 3, 48, 3).mean(axis=(1, 3))
    assert np.abs(large - region).max() <= 0.5
    small = preprocess_face(PLAIN, (50, 50, 24, 24), with_margin(metadata, 0))
    linear = cv2.resize(PLAIN[50:74, 50:74], (48, 48), interpolation=cv2.INTER_LINEAR)
    assert np.array_equal(small, linear)


def test_a_whole_picture_that_is_not_square_is_cut_to_its_middle(metadata: Metadata) -> None:
    wide = PLAIN[:48, :100]
    assert np.array_equal(preprocess_face(wide, None, metadata), wide[:, 26:74])
    assert np.array_equal(preprocess_face(wide.T, None, metadata), wide.T[26:74])


def test_the_size_is_the_models(metadata: Metadata) -> None:
    assert preprocess_face(PLAIN, (5, 5, 90, 90), with_margin(metadata, 0.1, 96)).shape == (96, 96)


def test_every_box_that_touches_the_picture_can_be_cut(metadata: Metadata) -> None:
    generator = np.random.default_rng(4)
    for _ in range(300):
        height, width = generator.integers(1, 60, 2)
        picture = PLAIN[:height, :width]
        x, y = generator.integers(-50, 60, 2)
        w, h = generator.integers(1, 90, 2)
        touches = x < width and y < height and x + w > 0 and y + h > 0
        box = (int(x), int(y), int(w), int(h))
        if touches:
            assert preprocess_face(picture, box, metadata).shape == (48, 48)
        else:
            with pytest.raises(ValueError, match="does not touch"):
                preprocess_face(picture, box, metadata)


@pytest.mark.parametrize(
    "picture", [np.zeros((9, 9, 3), np.uint8), np.zeros((9, 9)), np.zeros((0, 9), np.uint8)]
)
def test_what_is_no_gray_picture_is_refused(metadata: Metadata, picture: np.ndarray) -> None:
    with pytest.raises(ValueError, match="gray picture"):
        preprocess_face(picture, None, metadata)


def test_a_still_is_seen_a_little_off_its_box_too_and_mirrored(metadata: Metadata) -> None:
    box, asked = (100, 80, 100, 100), with_margin(metadata, 0.0)
    views = tta_crops(PLAIN, box, asked)
    assert views.shape == (2 * len(TTA_SHIFTS), 48, 48)
    seen, mirrored = np.split(views, 2)
    for view, (right, down) in zip(seen, TTA_SHIFTS, strict=True):
        shifted = (100 + round(100 * right), 80 + round(100 * down), 100, 100)
        np.testing.assert_array_equal(view, preprocess_face(PLAIN, shifted, asked))
    np.testing.assert_array_equal(mirrored, seen[:, :, ::-1])
    np.testing.assert_allclose(np.mean(TTA_SHIFTS, axis=0), 0)
    assert len({view.tobytes() for view in seen}) == len(TTA_SHIFTS)


def test_what_a_still_is_seen_in_stays_inside_the_picture(metadata: Metadata) -> None:
    corner, asked = (0, 0, 100, 100), with_margin(metadata, 0.0)
    seen = tta_crops(PLAIN, corner, asked)[: len(TTA_SHIFTS)]
    for view, (right, down) in zip(seen, TTA_SHIFTS, strict=True):
        shifted = (max(0, round(100 * right)), max(0, round(100 * down)), 100, 100)
        np.testing.assert_array_equal(view, preprocess_face(PLAIN, shifted, asked))


def test_a_picture_that_is_a_face_is_seen_once(metadata: Metadata) -> None:
    (view,) = tta_crops(PLAIN[:48, :48], None, metadata)
    assert np.array_equal(view, PLAIN[:48, :48])
