"""Places cut out of made scenes: faces, and what is none."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest
from mien.detection.verifier import SIZE
from mien_convert.face_networks.cast import Person
from mien_convert.face_networks.places import Places, gather
from mien_convert.face_networks.scenes import SceneFrame, stills

PORTRAITS = Path(__file__).parents[3] / "edge" / "mien" / "demo" / "portraits"


@pytest.fixture(scope="module")
def frames() -> list[SceneFrame]:
    """Twelve frames of two scenes; everybody's face is black on the left and white on the right."""
    face = np.repeat(np.array([[0, 255]], np.uint8), 24, axis=1).repeat(48, axis=0)
    return list(stills([Person(face)] * 20, 12, 3))


def steps(places: Places, face: bool) -> np.ndarray:
    """How much brighter the right half of each view is, in gray levels."""
    return np.array(
        [
            view[:, SIZE // 2 :].mean() - view[:, : SIZE // 2].mean()
            for view, is_face in zip(places.views, places.faces, strict=True)
            if is_face == face
        ]
    )


def test_faces_fill_their_views_and_other_places_do_not(frames: list[SceneFrame]) -> None:
    places = gather(frames, 0)
    assert {view.shape for view in places.views} == {(SIZE, SIZE)}
    whole = sum(truth.visible >= 0.75 for frame in frames for truth in frame.truths)
    assert whole > 12
    assert sum(places.faces) > 2 * whole
    assert np.median(steps(places, True)) > 100
    assert np.median(steps(places, False)) < 30
    assert (steps(places, False) > 100).mean() < 0.05


def test_the_errors_of_a_network_are_added(frames: list[SceneFrame]) -> None:
    def dark(views: np.ndarray) -> np.ndarray:
        return np.where(views.mean(axis=(1, 2)) < 90, 5.0, -5.0).astype(np.float32)

    def none(views: np.ndarray) -> np.ndarray:
        return np.full(len(views), -5.0, np.float32)

    found = {name: gather(frames, 0, network) for name, network in (("dark", dark), ("none", none))}
    more = len(found["dark"].views) - len(found["none"].views)
    assert more > 20
    count = {
        name: sum(
            view.mean() < 90 and not face
            for view, face in zip(places.views, places.faces, strict=True)
        )
        for name, places in found.items()
    }
    assert count["dark"] - count["none"] > 0.8 * more


def test_most_scenes_are_parts_of_the_pictures() -> None:
    people = [Person(np.full((48, 48), 128, np.uint8))] * 100
    frames = list(stills(people, 90, 1, [np.full((300, 400), 3, np.uint8)]))
    black = [np.mean(frame.gray < 20) > 0.3 for frame in frames]
    assert 0.5 < np.mean(black) < 1
    assert len({frame.gray.shape for frame in frames}) == 1


def test_the_same_seed_gives_the_same_places() -> None:
    picture = cv2.imread(str(PORTRAITS / "hopper.jpg"), cv2.IMREAD_GRAYSCALE)
    people = [Person(cv2.resize(picture, (48, 48)))] * 20
    first, second = (gather(stills(people, 6, 4), 4) for _ in range(2))
    assert first.faces == second.faces
    assert all((a == b).all() for a, b in zip(first.views, second.views, strict=True))
