"""Alertness of the faces in a video: reads eyes, mouth and head of every track.

reader = AlertnessReader()
by_id = reader.update(frame.gray, frame.time, tracks)
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Protocol

import cv2

from mien.alertness.baseline import Baseline
from mien.alertness.config import AlertnessConfig
from mien.alertness.crop import Gray, eye_crops
from mien.alertness.head import head_pose
from mien.alertness.monitor import TrackMonitor
from mien.alertness.network import EyesAndMouth
from mien.alertness.signals import Alertness, Observation
from mien.boxes import Landmarks

MAX_FACES = 4  # read at the full rate, the largest first
INTERVAL_S = 0.06  # s between two readings of a face: sixteen a second at most
MOUTH_INTERVAL_S = 0.2  # s; a yawn lasts seconds
FORGET_S = 5.0  # s after which a face that is away begins anew


class TrackedFace(Protocol):
    """What the reader needs of a track."""

    @property
    def id(self) -> int:
        """Number of the track."""

    @property
    def side(self) -> float:
        """Side of the face's box, px."""

    @property
    def landmarks(self) -> Landmarks | None:
        """Eyes, nose and corners of the mouth, px; the one left in the picture first."""


@dataclass
class _Face:
    monitor: TrackMonitor
    read: float = float("-inf")  # s, of the last reading
    mouth_read: float = float("-inf")
    mouth: float | None = None
    last: Alertness | None = None


class AlertnessReader:
    """Networks and monitors of one video.

    Not for use from several threads at once. Raises UserError where a network cannot be run.

    Args:
        config: thresholds.
        baseline: of the person in front of the camera, where it is known.
    """

    def __init__(
        self, config: AlertnessConfig | None = None, baseline: Baseline | None = None
    ) -> None:
        self._config = config or AlertnessConfig()
        self._baseline = baseline
        self._networks = EyesAndMouth()
        self._faces: dict[int, _Face] = {}
        self._time = float("-inf")

    def update(
        self, gray: Gray, time: float, tracks: Iterable[TrackedFace]
    ) -> Mapping[int, Alertness]:
        """Return what can be told of the largest faces of a frame, by the id of the track.

        Args:
            gray: the frame, uint8 [h, w].
            time: of the frame, s; a time that goes back begins anew.
            tracks: the faces in the frame.
        """
        if time < self._time:
            self._faces = {}
        self._time = time
        self._faces = {
            number: face for number, face in self._faces.items() if time - face.read <= FORGET_S
        }
        largest = sorted(tracks, key=lambda track: -track.side)[:MAX_FACES]
        return {track.id: self._read(gray, time, track) for track in largest}

    def baseline(self, number: int) -> Baseline | None:
        """Return the baseline of a track, None where it has not been read."""
        face = self._faces.get(number)
        return None if face is None else face.monitor.baseline

    def _read(self, gray: Gray, time: float, track: TrackedFace) -> Alertness:
        face = self._faces.get(track.id)
        if face is None:
            face = self._faces[track.id] = _Face(TrackMonitor(self._config, self._baseline))
        if face.last is not None and time - face.read < INTERVAL_S - 1e-3:
            return replace(face.last, events=())
        face.read = time
        face.last = face.monitor.update(self._observe(gray, time, track, face))
        return face.last

    def _observe(self, gray: Gray, time: float, track: TrackedFace, face: _Face) -> Observation:
        points = track.landmarks
        if points is None:
            return Observation(time, track.side, None)
        pose = head_pose(points)
        if track.side < self._config.readable_side:
            return Observation(time, track.side, pose)
        crops = eye_crops(gray, points)
        if time - face.mouth_read >= MOUTH_INTERVAL_S - 1e-3:
            face.mouth_read = time
            face.mouth = self._networks.mouth(gray, points)
        eyes = None
        if abs(pose.yaw) <= self._config.readable_yaw:
            eyes = self._networks.eyes(crops)
        light, contrast = zip(*(_levels(crop) for crop in crops), strict=True)
        return Observation(
            time,
            track.side,
            pose,
            eyes,
            sum(light) / 2,
            sum(contrast) / 2,
            face.mouth,
        )


def _levels(crop: Gray) -> tuple[float, float]:
    """Return mean and standard deviation of a crop, gray levels."""
    mean, deviation = cv2.meanStdDev(crop)
    return float(mean[0, 0]), float(deviation[0, 0])
