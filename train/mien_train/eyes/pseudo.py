"""Pseudo-labels of a face mesh: how open eyes and mouths are in pictures of faces.

The mesh is MediaPipe's (Apache-2.0; Grishchenko et al., "Attention Mesh", 2020), the crops are cut
by a face detector's landmarks, as on the device. Both see the faces enlarged twice.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt
from mien.alertness.crop import CropShape, cut
from mien.errors import UserError

Gray = npt.NDArray[np.uint8]
Points = npt.NDArray[np.float64]  # [n, 2], px

# Patches are wider than the networks' crops, for augmentation to move in.
EYE_PATCH = CropShape(64, 38, 1.12)
MOUTH_PATCH = CropShape(48, 48, 1.8, 0.15)
PADDING = 1 / 3  # of the face's side, repeated edge: detector and mesh want room around a face
ENLARGED = 2
MAX_YAW = 35.0  # degrees
MAX_APART = 0.25  # eye distances between the mesh's and the detector's eye: else one is wrong
DETECTOR_SCORE = 0.6
# The mesh's vertices: corners of each eye, then upper and lower lid in pairs.
EYES = (
    ((33, 133), ((160, 144), (159, 145), (158, 153))),
    ((263, 362), ((387, 373), (386, 374), (385, 380))),
)
LIPS, FACE_ENDS, TEMPLES = (13, 14), (10, 152), (234, 454)
# Ratio of lid gap to eye width: closed, and open, by eye on 600 faces of FER-2013. Between them
# the label rises linearly.
CLOSED_RATIO, OPEN_RATIO = 0.10, 0.22
# Gap of the lips as a share of the face's height: of speech, and of yawns.
SPOKEN, YAWNED = 0.08, 0.16


@dataclass(frozen=True)
class Labels:
    """Patches with pseudo-labels; all arrays are [n]."""

    eyes: list[Gray]
    opened: list[float]  # 0 closed to 1 open
    mouths: list[Gray]
    wide: list[float]  # 0 to 1: as wide open as in a yawn


def label(
    faces: Iterable[Gray], detector: Any, done: Callable[[], object] = lambda: None
) -> list[Labels]:
    """Return the labels of each face, a square gray picture; empty where it cannot be read.

    Args:
        faces: pictures uint8 [s, s].
        detector: of `landmark_detector`.
        done: called after every face.

    Raises:
        UserError: MediaPipe is not installed.
    """
    mesh = _mesh()
    found = []
    for face in faces:
        found.append(_label(face, mesh, detector))
        done()
    return found


def _label(face: Gray, mesh: Any, detector: Any) -> Labels:
    padding = round(PADDING * len(face))
    picture = _enlarged(face, padding)
    labels = Labels([], [], [], [])
    landmarks = _detected(picture, detector)
    if landmarks is None:
        return labels
    landmarks = landmarks / ENLARGED - padding
    vertices = _vertices(mesh, picture)
    if vertices is None:
        return labels
    vertices = vertices / ENLARGED - padding
    if abs(_yaw(vertices)) > MAX_YAW:
        return labels
    distance = float(np.linalg.norm(landmarks[1] - landmarks[0]))
    for eye, (corners, lids) in zip(landmarks[:2], EYES, strict=True):
        center = vertices[list(corners), :2].mean(axis=0)
        if np.linalg.norm(center - eye) > MAX_APART * distance:
            continue
        labels.eyes.append(patch(face, eye, landmarks, EYE_PATCH))
        labels.opened.append(_share(_ratio(vertices, corners, lids), CLOSED_RATIO, OPEN_RATIO))
    labels.mouths.append(patch(face, landmarks[3:].mean(axis=0), landmarks, MOUTH_PATCH))
    labels.wide.append(_share(_ratio(vertices, FACE_ENDS, (LIPS,)), SPOKEN, YAWNED))
    return labels


def mouth_patch(face: Gray, detector: Any) -> Gray | None:
    """Return the mouth of a face, or None where the detector does not see it."""
    padding = round(PADDING * len(face))
    landmarks = _detected(_enlarged(face, padding), detector)
    if landmarks is None:
        return None
    landmarks = landmarks / ENLARGED - padding
    return patch(face, landmarks[3:].mean(axis=0), landmarks, MOUTH_PATCH)


def _enlarged(face: Gray, padding: int) -> Gray:
    """Return a BGR picture of a face with room around it, enlarged."""
    wide = cv2.copyMakeBorder(face, padding, padding, padding, padding, cv2.BORDER_REPLICATE)
    side = len(wide) * ENLARGED
    enlarged = cv2.resize(wide, (side, side), interpolation=cv2.INTER_CUBIC)
    return np.asarray(cv2.cvtColor(enlarged, cv2.COLOR_GRAY2BGR), np.uint8)


def patch(face: Gray, point: Points, landmarks: Points, shape: CropShape) -> Gray:
    """Return the part of a face around a point, turned level by the eyes' roll."""
    across = landmarks[1] - landmarks[0]
    distance = max(1.0, float(np.linalg.norm(across)))
    down = np.array([-across[1], across[0]]) / distance
    x, y = point + shape.below * distance * down
    angle = float(np.arctan2(across[1], across[0]))
    return cut(face, (float(x), float(y)), shape.span * distance / shape.width, angle, shape)


def landmark_detector(path: Path) -> Any:
    """Return OpenCV's YuNet of an ONNX file; raises UserError where it cannot be read."""
    try:
        return cv2.FaceDetectorYN.create(str(path), "", (320, 320), DETECTOR_SCORE, 0.3, 10)
    except cv2.error as error:
        raise UserError(
            f"{path} cannot be read as YuNet's ONNX file; give face_detection_yunet of the "
            "OpenCV Zoo."
        ) from error


def _detected(picture: Gray, detector: Any) -> Points | None:
    """Return the five landmarks [5, 2] of the surest face in a BGR picture, or None."""
    detector.setInputSize(picture.shape[1::-1])
    _, faces = detector.detect(picture)
    if faces is None:
        return None
    best = max(faces, key=lambda row: float(row[-1]))
    return np.asarray(best[4:14], float).reshape(5, 2)


def _mesh() -> Any:
    try:
        from mediapipe.python.solutions.face_mesh import FaceMesh
    except ImportError:
        raise UserError(
            "the face mesh is not installed; run `pip install 'mediapipe<0.10.30'`."
        ) from None
    return FaceMesh(
        static_image_mode=True,
        max_num_faces=1,
        refine_landmarks=True,
        min_detection_confidence=0.2,
    )


def _vertices(mesh: Any, picture: Gray) -> Points | None:
    """Return the mesh's vertices [478, 3] in px, or None where it sees no face."""
    faces = mesh.process(cv2.cvtColor(picture, cv2.COLOR_BGR2RGB)).multi_face_landmarks
    if not faces:
        return None
    side = len(picture)
    return np.array([(v.x * side, v.y * side, v.z * side) for v in faces[0].landmark])


def _ratio(vertices: Points, ends: tuple[int, int], pairs: tuple[tuple[int, int], ...]) -> float:
    """Return the mean distance of pairs over that of the ends, as in the eye aspect ratio.

    Soukupova and Cech, "Real-time eye blink detection using facial landmarks", 2016.
    """
    flat = vertices[:, :2]
    gap = np.mean([np.linalg.norm(flat[upper] - flat[lower]) for upper, lower in pairs])
    return float(gap / max(1e-6, float(np.linalg.norm(flat[ends[0]] - flat[ends[1]]))))


def _yaw(vertices: Points) -> float:
    across = vertices[TEMPLES[1]] - vertices[TEMPLES[0]]
    return float(np.degrees(np.arctan2(across[2], across[0])))


def _share(value: float, low: float, high: float) -> float:
    return float(np.clip((value - low) / (high - low), 0, 1))
