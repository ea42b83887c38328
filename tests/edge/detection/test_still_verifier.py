"""What the judge of photographs says of real faces, and of what lies around them."""

from __future__ import annotations

import cv2
import numpy as np
import pytest
from made import PORTRAITS
from mien.detection.still import PhotoDetector, apart
from mien.detection.still_verifier import Judge
from mien.image import load_image
from mien.pyramid import Pyramid


def gray(name: str) -> np.ndarray:
    return load_image(PORTRAITS / f"{name}.jpg").gray


def test_it_knows_a_face_from_parts_of_it_and_from_what_is_upside_down() -> None:
    picture = gray("hopper")
    judge, place = Judge(), (262.0, 220.0, 225.0)
    pyramid = Pyramid(picture)
    face = judge.at(pyramid, place)
    assert face > 3
    mirrored = Pyramid(np.ascontiguousarray(picture[:, ::-1]))
    assert judge.at(mirrored, (512 - 262.0, 220.0, 225.0)) == pytest.approx(face, abs=0.3)
    upset = Pyramid(np.ascontiguousarray(picture[::-1]))
    assert judge.at(upset, (262.0, 480 - 220.0, 225.0)) < 0
    for away in ((262.0, 320.0, 110.0), (262.0, 120.0, 110.0), (60.0, 60.0, 110.0)):
        assert judge.at(pyramid, away) < 0


@pytest.mark.parametrize("name", ["both", "collins", "hopper"])
def test_nothing_in_a_turned_photograph_is_a_face(name: str) -> None:
    """Badges, flags and collars at every side: photographs of which the face is not upright."""
    for turns in (1, 2, 3):
        assert PhotoDetector().detect(np.ascontiguousarray(np.rot90(gray(name), turns))) == []


def test_a_face_is_found_in_other_light_and_out_of_focus() -> None:
    picture = gray("both")
    dark = (picture * 0.4).astype(np.uint8)
    for changed in (dark, cv2.GaussianBlur(picture, (0, 0), 2.0), cv2.equalizeHist(picture)):
        assert len(PhotoDetector().detect(changed)) == 2


def test_of_places_that_share_much_the_surest_stays() -> None:
    face = (100.0, 100.0, 60.0)
    around, within = (110.0, 105.0, 130.0), (102.0, 108.0, 25.0)
    beside = (148.0, 104.0, 50.0)  # a person behind the other's shoulder
    places = [face, around, within, beside]
    assert apart((place, place) for place in places) == [face, beside]
    # What two places came to be by a vote counts too.
    assert apart([(face, face), (beside, within)]) == [face]
