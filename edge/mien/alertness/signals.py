"""Signals and events of alertness: what one reading measures and what is reported of a face."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from mien.alertness.head import HeadPose

# Reasons for a signal that is null.
SMALL = "face too small"
TURNED = "head turned or bent"
DARK = "too dark"
HIDDEN = "eyes hidden"  # sunglasses, glare, a hand
SLOW = "too few readings"
STARTING = "not observed long enough"
NO_LANDMARKS = "no landmarks"

SIGNALS = ("eyes", "blinks", "perclos", "yawn", "head", "looking")
# Events in the order of their weight, the gravest last.
YAWNING, HEAD_DROP = "yawning", "head_drop"
LONG_BLINK, PERCLOS, MICROSLEEP = "long_blink", "perclos", "microsleep"
SLEEP, UNRESPONSIVE = "sleep", "unresponsive"
EVENTS = (YAWNING, LONG_BLINK, PERCLOS, HEAD_DROP, MICROSLEEP, SLEEP, UNRESPONSIVE)


@dataclass(frozen=True)
class EyeReading:
    """What the eye network says of one eye."""

    open: float  # probability
    seen: float  # probability that neither lens nor glare nor hand hides it


@dataclass(frozen=True)
class Observation:
    """One reading of one face."""

    time: float  # s
    side: float  # px, of the face's box
    pose: HeadPose | None  # None where the detector gives no landmarks
    eyes: tuple[EyeReading, EyeReading] | None = None  # left and right in the picture
    light: float = 128.0  # gray levels, mean of the eyes' crops
    contrast: float = 40.0  # gray levels, their standard deviation
    mouth: float | None = None  # probability that it is as wide open as in a yawn


@dataclass(frozen=True)
class AlertnessEvent:
    """The beginning of an event."""

    kind: str  # of EVENTS
    time: float  # s, when it was recognized
    since: float  # s, when what it is about began


@dataclass(frozen=True)
class Alertness:
    """Signals of one face; None where a signal cannot be told, with the reason in `reasons`."""

    left_eye: float | None = None  # in the picture; 0 closed to 1 as open as is usual
    right_eye: float | None = None
    blinks: float | None = None  # a minute
    perclos: float | None = None  # share of the last minute with the eyes 80 % closed
    yawn: bool | None = None
    head: str | None = None  # "ahead", "down" or "turned"
    looking: bool | None = None  # head towards the camera and eyes not closed
    active: tuple[str, ...] = ()  # events that go on, of EVENTS
    events: tuple[AlertnessEvent, ...] = ()  # those that begin in this frame
    reasons: dict[str, str] = field(default_factory=dict)  # by name of SIGNALS

    def to_json(self) -> dict[str, Any]:
        """Return plain JSON values; `why` has the reason of every signal that is null."""
        return {
            "eyes": None
            if self.left_eye is None or self.right_eye is None
            else {"left": round(self.left_eye, 3), "right": round(self.right_eye, 3)},
            "blinks": None if self.blinks is None else round(self.blinks, 1),
            "perclos": None if self.perclos is None else round(self.perclos, 4),
            "yawn": self.yawn,
            "head": self.head,
            "looking": self.looking,
            "active": list(self.active),
            "events": [
                {"kind": event.kind, "since": round(event.since, 3)} for event in self.events
            ],
            "why": dict(self.reasons),
        }
