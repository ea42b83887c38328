"""What is said to the broker: the state as JSON, and when it has changed."""

from __future__ import annotations

import json
from collections import deque
from dataclasses import dataclass
from datetime import datetime, timezone
from typing import Any, Generic, TypeVar

from mien.pipeline.results import FrameResult
from mien.sources.base import Change

Value = TypeVar("Value")
NO_FACE = "no face"
PEOPLE = 4  # told apart; more are counted
SETTLED_S = 0.5  # s that something must last to be said: a broker is no place for flicker
RATE_S = 5.0  # s over which the frame rate is taken


@dataclass(frozen=True)
class Person:
    """One face, as long as it is followed."""

    id: int | None
    emotion: str


@dataclass(frozen=True)
class Situation:
    """All of which a change is worth a message."""

    people: tuple[Person, ...]  # in the order in which they came
    count: int
    emotion: str  # of the largest face, or "no face"
    camera: str  # "running", "lost", "paused", "starting"


STARTING = Situation((), 0, NO_FACE, "starting")


class Debounced(Generic[Value]):
    """A value that changes only once another has lasted."""

    def __init__(self, value: Value) -> None:
        self.value = value
        self._coming = value
        self._since = 0.0

    def update(self, value: Value, now: float, patience: float) -> Value:
        """Take in what is seen now, and return what holds."""
        if value != self._coming:
            self._coming, self._since = value, now
        if now - self._since >= patience:
            self.value = self._coming
        return self.value


class StateTracker:
    """Finds out when the situation has changed for good. Times are s of one clock."""

    def __init__(self, settled: float = SETTLED_S) -> None:
        self._patience = settled
        self.number = 0  # of the last message: a gap is a loss
        self.said = STARTING
        self._there: Debounced[tuple[tuple[int, ...], int]] = Debounced(((), 0))  # who, how many
        self._main = Debounced(NO_FACE)
        self._emotions: dict[int, Debounced[str]] = {}  # by who
        self._confidence: dict[int, float] = {}
        self._first = 0.0  # confidence of the largest face
        self._frames: deque[float] = deque(maxlen=300)

    def look(self, result: FrameResult, now: float) -> bool:
        """Take a frame in; return whether there is something new to say."""
        self._frames.append(now)
        # Where faces are not followed their place in the list stands for who they are.
        seen = {-1 - i if f.id is None else f.id: f.prediction for i, f in enumerate(result.faces)}
        main = result.faces[0].prediction.emotion if result.faces else NO_FACE
        named = tuple(sorted(seen, key=abs)[:PEOPLE])
        who, count = self._there.update((named, len(seen)), now, self._patience)
        self._emotions = {
            key: self._emotions.get(key) or Debounced(seen[key].emotion)
            for key in {*named, *(key for key in who if key in self._emotions)}
        }
        for key in named:
            self._emotions[key].update(seen[key].emotion, now, self._patience)
            self._confidence[key] = float(seen[key].confidence)
        self._confidence = {key: self._confidence[key] for key in self._emotions}
        settled = self._main.update(main, now, self._patience)
        if count == 0:
            settled = NO_FACE
        elif settled == NO_FACE:  # a face there is, though its emotion has not settled
            settled = self._emotions[who[0]].value if main == NO_FACE else main
        if result.faces:
            self._first = float(result.faces[0].prediction.confidence)
        people = tuple(
            Person(None if key < 0 else key, self._emotions[key].value)
            for key in who
            if key in self._emotions
        )
        return self._say(Situation(people, count, settled, "running"))

    def camera(self, state: str) -> bool:
        """Take in that the camera is lost or paused; that is said at once."""
        self._there, self._main = Debounced(((), 0)), Debounced(NO_FACE)
        self._emotions, self._confidence, self._first = {}, {}, 0.0
        return self._say(Situation((), 0, NO_FACE, state))

    def fps(self, now: float) -> float:
        """Frames per second of late."""
        recent = [moment for moment in self._frames if now - moment <= RATE_S]
        if len(recent) < 2 or self.said.camera != "running":
            return 0.0
        return (len(recent) - 1) / max(recent[-1] - recent[0], now - recent[0] - 1.0, 1e-3)

    def message(self, now: float, temperature: float | None, repeated: bool) -> bytes:
        """Return the state as JSON; docs/home-assistant.md describes it."""
        said = self.said
        self.number += 1
        content: dict[str, Any] = {
            "number": self.number,
            "time": datetime.now(timezone.utc).isoformat(timespec="milliseconds"),
            "emotion": said.emotion,
            "confidence": round(self._first, 3) if said.count else None,
            "count": said.count,
            "people": [
                {
                    "id": person.id,
                    "emotion": person.emotion,
                    "confidence": round(self._confidence.get(key, 0.0), 3),
                }
                for key, person in zip(self._there.value[0], said.people, strict=False)
            ],
            "camera": said.camera,
            "switch": "OFF" if said.camera == "paused" else "ON",
            "fps": round(self.fps(now), 1),
            "temperature": None if temperature is None else round(temperature, 1),
            "repeated": repeated,
        }
        return json.dumps(content, allow_nan=False).encode()

    def _say(self, situation: Situation) -> bool:
        new = situation != self.said
        self.said = situation
        return new


def camera_state(change: Change) -> str:
    """Return what a source's change makes of the camera."""
    return change.state if change.state in ("lost", "paused") else "running"
