"""State that is published to the broker: as JSON, and when it changes."""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import datetime, timezone
from typing import Any

from mien.alertness.signals import EVENTS
from mien.debounce import Debounced
from mien.frame_rate import FrameRate
from mien.pipeline.results import FrameResult
from mien.sources.base import Change

NO_FACE = "no face"
MAX_PEOPLE = 4  # told apart; more are counted
DEBOUNCE_S = 0.5  # s that something must last to be said: a broker is no place for flicker
FPS_WINDOW_S = 5.0  # s over which the frame rate is taken


@dataclass(frozen=True)
class PersonState:
    """One face, as long as it is tracked."""

    id: int | None
    emotion: str


@dataclass(frozen=True)
class PublishedState:
    """The state; each change of it is published."""

    people: tuple[PersonState, ...]  # in the order in which they came
    count: int
    emotion: str  # of the largest face, or "no face"
    camera: str  # "running", "lost", "paused", "starting"
    alerts: tuple[str, ...] = ()  # events of alertness that go on, of any face


INITIAL_STATE = PublishedState((), 0, NO_FACE, "starting")


class StateTracker:
    """Tracks the debounced state of a run. Times are s of one clock."""

    def __init__(self, debounce_s: float = DEBOUNCE_S) -> None:
        self._debounce_s = debounce_s
        self.number = 0  # of the last message: a gap is a loss
        self.published = INITIAL_STATE
        self._there: Debounced[tuple[tuple[int, ...], int]] = Debounced(((), 0))  # who, how many
        self._main = Debounced(NO_FACE)
        self._emotions: dict[int, Debounced[str]] = {}  # by who
        self._confidence: dict[int, float] = {}
        self._first = 0.0  # confidence of the largest face
        self._perclos: float | None = None  # of the largest face
        self._frame_rate = FrameRate(FPS_WINDOW_S)

    def update(self, result: FrameResult, now: float) -> bool:
        """Take a frame in; return whether there is something new to say."""
        self._frame_rate.add(now)
        # Where faces are not followed their place in the list stands for who they are.
        seen = {-1 - i if f.id is None else f.id: f.prediction for i, f in enumerate(result.faces)}
        main = result.faces[0].prediction.emotion if result.faces else NO_FACE
        named = tuple(sorted(seen, key=abs)[:MAX_PEOPLE])
        who, count = self._there.update((named, len(seen)), now, self._debounce_s)
        self._emotions = {
            key: self._emotions.get(key) or Debounced(seen[key].emotion)
            for key in {*named, *(key for key in who if key in self._emotions)}
        }
        for key in named:
            self._emotions[key].update(seen[key].emotion, now, self._debounce_s)
            self._confidence[key] = float(seen[key].confidence)
        self._confidence = {key: self._confidence[key] for key in self._emotions}
        emotion = self._main.update(main, now, self._debounce_s)
        if count == 0:
            emotion = NO_FACE
        elif emotion == NO_FACE:  # a face there is, though its emotion has not settled
            emotion = self._emotions[who[0]].value if main == NO_FACE else main
        if result.faces:
            self._first = float(result.faces[0].prediction.confidence)
        people = tuple(
            PersonState(None if key < 0 else key, self._emotions[key].value)
            for key in who
            if key in self._emotions
        )
        active = {kind for face in result.faces if face.alertness for kind in face.alertness.active}
        alerts = tuple(kind for kind in EVENTS if kind in active)
        told = result.faces[0].alertness if result.faces else None
        self._perclos = None if told is None else told.perclos
        return self._publish_if_new(PublishedState(people, count, emotion, "running", alerts))

    def camera(self, state: str) -> bool:
        """Take in that the camera is lost or paused; that is said at once."""
        self._there, self._main = Debounced(((), 0)), Debounced(NO_FACE)
        self._emotions, self._confidence, self._first = {}, {}, 0.0
        return self._publish_if_new(PublishedState((), 0, NO_FACE, state))

    def fps(self, now: float) -> float:
        """Frames per second of late."""
        return self._frame_rate.at(now) if self.published.camera == "running" else 0.0

    def message(self, now: float, temperature: float | None, repeated: bool) -> bytes:
        """Return the state as JSON; docs/home-assistant.md describes it."""
        published = self.published
        self.number += 1
        content: dict[str, Any] = {
            "number": self.number,
            "time": datetime.now(timezone.utc).isoformat(timespec="milliseconds"),
            "emotion": published.emotion,
            "confidence": round(self._first, 3) if published.count else None,
            "count": published.count,
            "people": [
                {
                    "id": person.id,
                    "emotion": person.emotion,
                    "confidence": round(self._confidence.get(key, 0.0), 3),
                }
                for key, person in zip(self._there.value[0], published.people, strict=False)
            ],
            "alerts": list(published.alerts),
            "perclos": None if self._perclos is None else round(self._perclos, 4),
            "camera": published.camera,
            "switch": "OFF" if published.camera == "paused" else "ON",
            "fps": round(self.fps(now), 1),
            "temperature": None if temperature is None else round(temperature, 1),
            "repeated": repeated,
        }
        return json.dumps(content, allow_nan=False).encode()

    def _publish_if_new(self, situation: PublishedState) -> bool:
        new = situation != self.published
        self.published = situation
        return new


def camera_state(change: Change) -> str:
    """Return what a source's change makes of the camera."""
    return change.state if change.state in ("lost", "paused") else "running"
