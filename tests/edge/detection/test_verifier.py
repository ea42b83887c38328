"""The network behind the cascades, with the real file, on the bundled portraits."""

from __future__ import annotations

from pathlib import Path

import cv2
import mien
import numpy as np
import pytest
from mien.detection import verifier as faceness
from mien.detection.verifier import SIZE, Faceness, standardised
from mien.errors import UserError
from mien.image import load_image
from mien.pyramid import Pyramid
from mien.tracking.track import CLEARLY, NO, YES

PORTRAITS = Path(mien.__file__).parent / "demo" / "portraits"
# Centre and side of the faces as a cascade boxes them, px of both.jpg.
FACES = {"hopper": (171, 239, 169), "collins": (473, 200, 106)}


@pytest.fixture(scope="module")
def network() -> Faceness:
    """The shipped network."""
    return Faceness()


def gray(name: str) -> np.ndarray:
    """A portrait in gray."""
    return cv2.cvtColor(load_image(PORTRAITS / f"{name}.jpg"), cv2.COLOR_RGB2GRAY)


@pytest.fixture(scope="module")
def first_frame() -> np.ndarray:
    """The first frame of the demo's clip, in gray, 640x480 px."""
    capture = cv2.VideoCapture(str(PORTRAITS.parent / "clip.mp4"))
    return cv2.cvtColor(capture.read()[1], cv2.COLOR_BGR2GRAY)


@pytest.mark.parametrize("who", FACES)
def test_a_face_is_one_in_any_light(network: Faceness, first_frame: np.ndarray, who: str) -> None:
    for gain, offset in ((1.0, 0), (0.3, 0), (0.5, 120)):
        pyramid = Pyramid(np.clip(first_frame * gain + offset, 0, 255).astype(np.uint8))
        assert network.at(pyramid, *FACES[who]) >= CLEARLY


def test_clothes_and_wall_are_none(network: Faceness, first_frame: np.ndarray) -> None:
    pyramid = Pyramid(first_frame)
    odds = [
        network.at(pyramid, x, y, side)
        for side in (48, 96)
        for x in range(side, 640 - side, side // 2)
        for y in (side // 2, 400)
        if not any(abs(x - a) < c and abs(y - b) < c for a, b, c in FACES.values())
    ]
    assert len(odds) > 40
    assert np.mean(np.array(odds) < NO) > 0.95
    assert max(odds) < CLEARLY


def test_it_climbs_from_beside_a_face_onto_it(network: Faceness, first_frame: np.ndarray) -> None:
    x, y, side = FACES["collins"]
    (found_x, found_y, found_side), odds = network.climb(
        Pyramid(first_frame), (x + 0.25 * side, y - 0.2 * side, 1.3 * side)
    )
    assert odds >= YES
    assert max(abs(found_x - x), abs(found_y - y)) < 0.18 * side
    assert 0.8 < found_side / side < 1.2


def test_it_does_not_climb_from_where_nothing_is(
    network: Faceness, first_frame: np.ndarray
) -> None:
    place = (320.0, 30.0, 50.0)
    assert network.climb(Pyramid(first_frame), place)[0] == place


def test_every_view_is_given_one_mean_and_contrast() -> None:
    view = np.random.default_rng(0).integers(90, 110, (SIZE, SIZE)).astype(np.uint8)
    found = standardised(view)
    assert abs(found.mean() - 127.5) < 2
    assert abs(found.std() - faceness.SPREAD) < 3
    flat = np.full((SIZE, SIZE), 17, np.uint8)
    flat[0, 0] = 18  # the camera's noise is not made into a picture
    assert standardised(flat).std() < 2


def test_an_installation_without_it_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(faceness, "NAME", "none.tflite")
    with pytest.raises(UserError, match=r"none\.tflite is missing .*install Mien anew"):
        Faceness()
