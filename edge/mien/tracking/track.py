"""Track: one followed face, its state and its constant-velocity filter."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum

from mien.boxes import FloatBox, Landmarks, side
from mien.detection.base import Detection
from mien.pyramid import Gray, Pyramid
from mien.tracking.template import appearance, template

STOP_S = 0.5  # s in which the velocity of a face that is not seen fades


class TrackState(Enum):
    """Life of a track: tentative until confirmed, lost while unseen, removed at its end."""

    TENTATIVE = "tentative"  # detected too weakly to be reported
    CONFIRMED = "confirmed"
    LOST = "lost"  # may come back under its id
    REMOVED = "removed"  # is followed no more; its appearance is remembered for a while


@dataclass(eq=False)
class Track:
    """One followed face. Lengths are px of the frame, times are seconds."""

    x: float  # middle of the box
    y: float
    width: float
    height: float
    score: float  # of the last detection, 0 to 1
    template: Gray  # at the last detection, for matching from frame to frame
    appearance: Gray  # when last detected with nobody near, for giving an id back
    detected: float  # time of the last detection
    seen: float  # time of the last detection or template match
    id: int = 0  # from 1, never given twice; 0 while tentative
    state: TrackState = TrackState.TENTATIVE
    vx: float = 0.0  # px/s
    vy: float = 0.0
    hits: int = 1  # detections so far
    ncc: float = 1.0  # normalized cross-correlation of the template in this frame
    still: bool = False  # whether nothing has changed inside the box since the last frame
    offsets: Landmarks | None = None  # landmarks in boxes off the middle

    @property
    def box(self) -> FloatBox:
        """Left, top, width and height."""
        return self.x - self.width / 2, self.y - self.height / 2, self.width, self.height

    @property
    def side(self) -> float:
        """Side of the square of the box's area."""
        return side(self.box)

    @property
    def landmarks(self) -> Landmarks | None:
        """The five points of the last detection, moved with the box."""
        if self.offsets is None:
            return None
        return tuple(
            (self.x + dx * self.width, self.y + dy * self.height) for dx, dy in self.offsets
        )

    @classmethod
    def of(cls, found: Detection, pyramid: Pyramid, time: float) -> Track:
        """Return a tentative track of a detection."""
        left, top, width, height = found.box
        x, y = left + width / 2, top + height / 2
        pictures = template(pyramid, found.box), appearance(pyramid, found.box)
        track = cls(x, y, width, height, found.score, *pictures, detected=time, seen=time)
        track.set_landmarks(found)
        return track

    def set_landmarks(self, found: Detection) -> None:
        """Take over a detection's landmarks; they then move with the box."""
        if found.landmarks is None:
            self.offsets = None
            return
        left, top, width, height = found.box
        self.offsets = tuple(
            ((x - left) / width - 0.5, (y - top) / height - 0.5) for x, y in found.landmarks
        )

    def predict(self, step: float) -> None:
        """Move on by `step` seconds at constant velocity."""
        self.x += self.vx * step
        self.y += self.vy * step

    def correct(self, x: float, y: float, gain: float, velocity_gain: float, step: float) -> None:
        """Correct the middle by a measurement: an alpha-beta filter, the steady Kalman filter."""
        dx, dy = x - self.x, y - self.y
        self.x += gain * dx
        self.y += gain * dy
        if step > 0:
            self.vx += velocity_gain * dx / step
            self.vy += velocity_gain * dy / step

    def slow_down(self, step: float) -> None:
        """Believe less in the velocity of a face that is not seen."""
        share = max(0.0, 1 - step / STOP_S)
        self.vx *= share
        self.vy *= share
