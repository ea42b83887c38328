"""Page state: faces, rates, history, and the camera's state, for the API and metrics."""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timezone
from typing import Any

from mien.classification.prediction import UNCERTAIN
from mien.debounce import Debounced
from mien.frame_rate import FrameRate
from mien.outputs.colors import colors, person_color
from mien.pipeline.results import FrameResult
from mien.sources.base import Change
from mien.sources.pausable import PauseSwitch
from mien.web.history import SPANS, History

FPS_WINDOW_S = 3.0  # s over which the frame rate is taken
TEMPERATURE_INTERVAL_S = 5.0  # s between two looks at the board's temperature
MAX_MOMENTS = 50  # changes kept for the page
DEBOUNCE_S = 0.7  # s that another emotion must last to be a change
# s, upper bounds of the frame times' histogram
FRAME_TIME_BUCKETS_S = (0.005, 0.01, 0.02, 0.03, 0.05, 0.1, 0.2, 0.5, 1.0)


@dataclass
class RunTotals:
    """Counters since the start, for /metrics."""

    frames: int = 0
    faces: dict[str, int] = field(default_factory=dict)  # readings by emotion
    losses: int = 0  # times the camera was lost
    seconds: float = 0.0  # in work, all frames together
    buckets: list[int] = field(default_factory=lambda: [0] * len(FRAME_TIME_BUCKETS_S))


class PageState:
    """Written by the pipeline once per frame, read by the server; safe between threads."""

    def __init__(
        self,
        name: str,
        labels: Sequence[str],
        pause: PauseSwitch | None = None,
        temperature: Callable[[], float | None] = lambda: None,
        clock: Callable[[], float] = time.monotonic,
        recorded: bool = False,
        can_calibrate: bool = False,
    ) -> None:
        self._name = name
        self._recorded = recorded
        self._can_calibrate = can_calibrate
        self.profile: str | None = None  # name of the one that corrects the predictions
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
        self._frame_rate = FrameRate(FPS_WINDOW_S)
        self._histories = {minutes: History(minutes, step) for minutes, step in SPANS.items()}
        self._since = self._start  # s of the clock, since when the camera is in its state
        self._camera_before = "starting"
        self._lost: Change | None = None
        self._moments: deque[dict[str, Any]] = deque(maxlen=MAX_MOMENTS)
        self._number = 0  # of the last moment
        self._main: Debounced[str | None] = Debounced(None)  # emotion of the largest face
        self._hot: tuple[float, float | None] = (-TEMPERATURE_INTERVAL_S, None)
        self.totals = RunTotals(faces=dict.fromkeys((*self._labels, UNCERTAIN), 0))

    def add(self, result: FrameResult, size: tuple[int, int]) -> None:
        """Take a frame's result in; `size` is the picture's width and height in px."""
        now = self._clock()
        with self._lock:
            self._result, self._arrived, self._size = result, now, size
            self._frame_rate.add(now)
            self._lost = None
            self._count(result)
            for history in self._histories.values():
                history.add(result.faces, now - self._start)
            for face in result.faces:
                for event in face.alertness.events if face.alertness else ():
                    self._note(event.kind.replace("_", " "), None)
            self._debounce(result.faces[0].prediction.emotion if result.faces else "no face", now)

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
        """Return the content of /api/state; docs/page.md describes it."""
        temperature = self.temperature()
        with self._lock:
            result, now = self._result, self._clock()
            faces = result.faces if result is not None and self._live(now) else ()
            return {
                "name": self._name + (f", profile {self.profile}" if self.profile else ""),
                "camera": self._camera(),
                "since": round(now - self._camera_since(now), 1),
                "can_pause": self._pause is not None,
                "can_calibrate": self._can_calibrate,
                "recorded": self._recorded,
                "why": self._lost.why if self._lost else None,
                "uptime": round(now - self._start, 1),
                "frame": result.frame if result else None,
                "time": round(result.time, 3) if result else None,
                "size": list(self._size),
                "fps": round(self._frame_rate.at(now), 1),
                "latency_ms": _ms(result.latency) if result else None,
                "ms": {k: round(v, 2) for k, v in result.ms.items()} if result else {},
                "temperature": temperature,
                "faces": [{**face.to_json(), "color": person_color(face.id)} for face in faces],
                "labels": [{"name": n, "colour": c} for n, c in self._colours.items()],
            }

    def timeline(self, minutes: int = 5) -> dict[str, Any]:
        """Return the last minutes, one of `SPANS`, and the changes; raises KeyError for others."""
        history = self._histories[minutes]
        with self._lock:
            now = self._clock() - self._start
            return {
                "now": round(now, 1),
                "minutes": history.minutes,
                "step": history.step,
                "labels": list(self._labels),
                "seconds": history.to_json(self._labels, now),
                "moments": list(self._moments),
            }

    def moments(self, after: int) -> list[dict[str, Any]]:
        """Return the changes with a higher number than `after`."""
        with self._lock:
            return [moment for moment in self._moments if moment["number"] > after]

    def temperature(self) -> float | None:
        """Return the board's, deg C; asked for every few seconds at most."""
        now = self._clock()
        if now - self._hot[0] >= TEMPERATURE_INTERVAL_S:
            self._hot = (now, self._temperature())
        return self._hot[1]

    def gauges(self) -> dict[str, float]:
        """Return what /metrics gives as it is now."""
        temperature = self.temperature()
        with self._lock:
            now = self._clock()
            values = {
                "fps": self._frame_rate.at(now),
                "faces": float(len(self._result.faces)) if self._result and self._live(now) else 0,
                "camera_up": float(self._camera() == "running"),
                "uptime": now - self._start,
            }
            if self._result is not None and self._result.latency is not None:
                values["latency"] = self._result.latency
        if temperature is not None:
            values["temperature"] = temperature
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

    def _camera_since(self, now: float) -> float:
        """Return since when the camera is in its state, s of the clock."""
        state = self._camera()
        if state != self._camera_before:
            self._camera_before, self._since = state, now
        return self._since

    def _live(self, now: float) -> bool:
        """Return whether the last result is current."""
        return (
            self._result is not None
            and self._lost is None
            and not self._is_paused()
            and now - self._arrived < FPS_WINDOW_S
        )

    def _count(self, result: FrameResult) -> None:
        totals = self.totals
        totals.frames += 1
        seconds = result.ms.get("total", 0.0) / 1e3
        totals.seconds += seconds
        for index, bound in enumerate(FRAME_TIME_BUCKETS_S):
            totals.buckets[index] += seconds <= bound
        for face in result.faces:
            emotion = face.prediction.emotion
            totals.faces[emotion] = totals.faces.get(emotion, 0) + 1

    def _debounce(self, emotion: str, now: float) -> None:
        """Note a change of the largest face once it has lasted."""
        before = self._main.value
        if self._main.update(emotion, now, DEBOUNCE_S) != before:
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
