"""What the page shows besides the picture: faces, rates, the last minutes, the camera's state."""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timezone
from typing import Any

from mien.classification.prediction import UNCERTAIN
from mien.outputs.colors import colors
from mien.pipeline.results import Face, FrameResult
from mien.sources.base import Change
from mien.sources.pausable import PauseSwitch

MINUTES = 5  # of the timeline
RATE_S = 3.0  # s over which the frame rate is taken
HOT_EVERY_S = 5.0  # s between two looks at the board's temperature
MOMENTS = 50  # changes kept for the page
SETTLED_S = 0.7  # s that another emotion must last to be a change
BUCKETS = (0.005, 0.01, 0.02, 0.03, 0.05, 0.1, 0.2, 0.5, 1.0)  # s, of the frame times' histogram


@dataclass
class Second:
    """What one second held."""

    at: int  # s since the page's start
    frames: int = 0
    readings: int = 0  # faces read
    sums: dict[str, float] = field(default_factory=dict)  # of the probabilities, by label


@dataclass
class Totals:
    """Counters since the start, for /metrics."""

    frames: int = 0
    faces: dict[str, int] = field(default_factory=dict)  # readings by emotion
    losses: int = 0  # times the camera was lost
    seconds: float = 0.0  # in work, all frames together
    buckets: list[int] = field(default_factory=lambda: [0] * len(BUCKETS))


class State:
    """Written by the pipeline once per frame, read by the server; safe between threads."""

    def __init__(
        self,
        name: str,
        labels: Sequence[str],
        pause: PauseSwitch | None = None,
        temperature: Callable[[], float | None] = lambda: None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._name = name
        self._colours = colors(labels)
        self._labels = tuple(labels)
        self._pause = pause
        self._temperature = temperature
        self._clock = clock
        self._start = clock()
        self._lock = threading.Lock()
        self._result: FrameResult | None = None
        self._arrived = 0.0  # s of the clock, of the last frame
        self._size = (0, 0)
        self._recent: deque[float] = deque(maxlen=400)
        self._seconds: deque[Second] = deque(maxlen=60 * MINUTES)
        self._lost: Change | None = None
        self._moments: deque[dict[str, Any]] = deque(maxlen=MOMENTS)
        self._number = 0  # of the last moment
        self._shown: str | None = None  # the settled emotion of the largest face
        self._next: tuple[str, float] | None = None  # another one, and since when
        self._hot: tuple[float, float | None] = (-HOT_EVERY_S, None)
        self.totals = Totals(faces=dict.fromkeys((*self._labels, UNCERTAIN), 0))

    def add(self, result: FrameResult, size: tuple[int, int]) -> None:
        """Take a frame's result in; `size` is the picture's width and height in px."""
        now = self._clock()
        with self._lock:
            self._result, self._arrived, self._size = result, now, size
            self._recent.append(now)
            self._lost = None
            self._count(result)
            second = self._second(int(now - self._start))
            second.frames += 1
            for face in result.faces:
                second.readings += 1
                for label, p in face.prediction.probabilities.items():
                    second.sums[label] = second.sums.get(label, 0.0) + float(p)
            self._settle(result.faces[0].prediction.emotion if result.faces else "no face", now)

    def changed(self, change: Change) -> None:
        """Take in that the camera was lost, or is back."""
        with self._lock:
            lost = change.state == "lost"
            self.totals.losses += lost
            self._lost = change if lost else None
            self._note(f"camera {change.state}", change.why)

    def version(self) -> tuple[float, int, bool, bool]:
        """Return something that differs whenever the state does."""
        with self._lock:
            return (self._arrived, self._number, self._lost is not None, self._is_paused())

    def snapshot(self) -> dict[str, Any]:
        """Return what /api/state says; docs/page.md describes it."""
        hot = self.temperature()
        with self._lock:
            result, now = self._result, self._clock()
            faces = result.faces if result is not None and self._live(now) else ()
            return {
                "name": self._name,
                "camera": self._camera(),
                "why": self._lost.why if self._lost else None,
                "uptime": round(now - self._start, 1),
                "frame": result.frame if result else None,
                "time": round(result.time, 3) if result else None,
                "size": list(self._size),
                "fps": round(self._fps(now), 1),
                "latency_ms": _ms(result.latency) if result else None,
                "ms": {k: round(v, 2) for k, v in result.ms.items()} if result else {},
                "temperature": hot,
                "faces": [_face(face) for face in faces],
                "labels": [{"name": n, "colour": c} for n, c in self._colours.items()],
            }

    def timeline(self) -> dict[str, Any]:
        """Return the last minutes: per second the mean probabilities over all faces read."""
        with self._lock:
            now = self._clock() - self._start
            return {
                "now": round(now, 1),
                "minutes": MINUTES,
                "labels": list(self._labels),
                "seconds": [
                    {
                        "at": second.at,
                        "faces": round(second.readings / second.frames, 2),
                        "mean": [
                            round(second.sums.get(label, 0.0) / second.readings, 3)
                            for label in self._labels
                        ]
                        if second.readings
                        else None,
                    }
                    for second in self._seconds
                    if second.frames and second.at > now - 60 * MINUTES - 1
                ],
                "moments": list(self._moments),
            }

    def moments(self, after: int) -> list[dict[str, Any]]:
        """Return the changes with a higher number than `after`."""
        with self._lock:
            return [moment for moment in self._moments if moment["number"] > after]

    def temperature(self) -> float | None:
        """Return the board's, deg C; asked for every few seconds at most."""
        now = self._clock()
        if now - self._hot[0] >= HOT_EVERY_S:
            self._hot = (now, self._temperature())
        return self._hot[1]

    def gauges(self) -> dict[str, float]:
        """Return what /metrics gives as it is now."""
        hot = self.temperature()
        with self._lock:
            now = self._clock()
            values = {
                "fps": self._fps(now),
                "faces": float(len(self._result.faces)) if self._result and self._live(now) else 0,
                "camera_up": float(self._camera() == "running"),
                "uptime": now - self._start,
            }
            if self._result is not None and self._result.latency is not None:
                values["latency"] = self._result.latency
        if hot is not None:
            values["temperature"] = hot
        return values

    def healthy(self, patience: float) -> bool:
        """Whether frames come: one within so many seconds, or the camera is paused."""
        with self._lock:
            waited = self._clock() - max(self._arrived, self._start)
            return self._is_paused() or (self._lost is None and waited <= patience)

    def _is_paused(self) -> bool:
        return self._pause is not None and self._pause.paused

    def _camera(self) -> str:
        if self._is_paused():
            return "paused"
        if self._lost is not None:
            return "lost"
        return "running" if self._result is not None else "starting"

    def _live(self, now: float) -> bool:
        """Whether the last result says anything of the present."""
        return self._result is not None and self._lost is None and now - self._arrived < RATE_S

    def _fps(self, now: float) -> float:
        recent = [moment for moment in self._recent if now - moment <= RATE_S]
        if len(recent) < 2:
            return 0.0
        return (len(recent) - 1) / max(recent[-1] - recent[0], now - recent[0] - 0.5, 1e-3)

    def _second(self, at: int) -> Second:
        if not self._seconds or self._seconds[-1].at != at:
            self._seconds.append(Second(at))
        return self._seconds[-1]

    def _count(self, result: FrameResult) -> None:
        totals = self.totals
        totals.frames += 1
        seconds = result.ms.get("total", 0.0) / 1e3
        totals.seconds += seconds
        for index, bound in enumerate(BUCKETS):
            totals.buckets[index] += seconds <= bound
        for face in result.faces:
            emotion = face.prediction.emotion
            totals.faces[emotion] = totals.faces.get(emotion, 0) + 1

    def _settle(self, emotion: str, now: float) -> None:
        """Note a change of the largest face once it has lasted."""
        if emotion == self._shown:
            self._next = None
        elif self._next is None or self._next[0] != emotion:
            self._next = (emotion, now)
        elif now - self._next[1] >= SETTLED_S:
            self._shown, self._next = emotion, None
            self._note(emotion, None)

    def _note(self, what: str, why: str | None) -> None:
        self._number += 1
        self._moments.append(
            {
                "number": self._number,
                "at": round(self._clock() - self._start, 1),
                "clock": datetime.now(timezone.utc).isoformat(timespec="seconds"),
                "what": what,
                "why": why,
            }
        )


def _ms(seconds: float | None) -> float | None:
    return None if seconds is None else round(1e3 * seconds, 1)


def _face(face: Face) -> dict[str, Any]:
    return {
        "id": face.id,
        "box": [int(value) for value in face.box],
        "emotion": face.prediction.emotion,
        "confidence": round(float(face.prediction.confidence), 4),
        "probabilities": {k: round(float(p), 4) for k, p in face.prediction.probabilities.items()},
    }
