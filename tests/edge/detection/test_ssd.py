"""The network that searches a whole frame, with the real file, on the bundled portraits."""

from __future__ import annotations

import cv2
import numpy as np
import pytest
from made import PORTRAITS
from mien.detection import ssd as scan
from mien.detection.ssd import ACROSS, DOWN, Scan, distinct, fitted
from mien.errors import UserError
from mien.image import load_image
from mien.pyramid import Pyramid

# Centre and side of the faces as a cascade boxes them, px of both.jpg (640x480).
FACES = ((171, 239, 169), (473, 200, 106))


@pytest.fixture(scope="module")
def network() -> Scan:
    """The shipped network."""
    return Scan()


def both() -> np.ndarray:
    """Two people, uint8 [480, 640]."""
    return load_image(PORTRAITS / "both.jpg").gray


@pytest.mark.parametrize("factor", [0.25, 0.5, 1.0, 2.0, 3.1])
def test_its_places_are_px_of_the_frame_whatever_its_size(network: Scan, factor: float) -> None:
    frame = cv2.resize(both(), None, fx=factor, fy=factor, interpolation=cv2.INTER_AREA)
    places = [place for place, _ in network.places(Pyramid(frame), 0.0)]
    for x, y, side in FACES:
        assert any(
            max(abs(a / factor - x), abs(b / factor - y)) < side / 4
            and 0.6 < s / factor / side < 1.5
            for a, b, s in places
        )


@pytest.mark.parametrize("shape", [(360, 640), (480, 400), (480, 640), (100, 90), (1080, 1920)])
def test_a_frame_of_any_shape_is_fitted_whole(shape: tuple[int, int]) -> None:
    frame = np.full(shape, 200, np.uint8)
    view, scale = fitted(Pyramid(frame))
    assert view.shape == (DOWN, ACROSS)
    height, width = (round(side * scale) for side in shape)
    assert (view[: height - 1, : width - 1] == 200).all()
    assert (view[height + 1 :] == scan.AROUND).all()
    assert (view[:, width + 1 :] == scan.AROUND).all()


def test_a_wall_has_no_places(network: Scan) -> None:
    assert network.places(Pyramid(np.full((480, 640), 90, np.uint8)), -1.0) == []


def test_the_likeliest_come_first_and_each_face_once(network: Scan) -> None:
    told = network.places(Pyramid(both()), -3.0)
    assert [odds for _, odds in told] == sorted((odds for _, odds in told), reverse=True)
    assert distinct(told) == told


def test_of_places_on_one_face_the_first_is_kept() -> None:
    places = [((50.0, 50.0, 40.0), 2.0), ((54.0, 50.0, 40.0), 1.0), ((150.0, 50.0, 40.0), 0.5)]
    assert distinct(places) == [places[0], places[2]]
    assert distinct(places, 1) == places[:1]


def test_an_installation_without_it_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(scan, "NAME", "none.tflite")
    with pytest.raises(UserError, match=r"none\.tflite is missing .*install Mien anew"):
        Scan()
