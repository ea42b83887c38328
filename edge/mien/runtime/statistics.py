"""Statistics of a run: frames, people, readings, and the share of time of each emotion."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Sequence

import numpy as np

from mien.classification.prediction import UNCERTAIN
from mien.console import format_duration
from mien.pipeline.results import FrameResult

LATENCY_WINDOW = 3000  # frames, the last ones, of which the latency is shown
MAX_PREDICTION_S = 2.0  # s that one reading may stand for: not for a pause of the source
MAX_IDS = 1000  # track ids remembered; older ones than these do not come back


class RunStatistics:
    """Counts of a run.

    A reading stands for the time until the next frame, so that an uneven frame rate does not
    weigh; with several faces each counts for itself.
    """

    def __init__(self, labels: Sequence[str]) -> None:
        self.frames = 0
        self.frames_with_face = 0
        self.readings = 0  # faces in frames: one face in ten frames is ten
        self._ids: set[int] = set()
        self._older_ids = 0  # number of those no longer in `_ids`
        self.media_s = 0.0  # s from the first frame to the end of the last, in the source's time
        self.dropped = 0
        self._readings = dict.fromkeys((*labels, UNCERTAIN), 0)
        self._seconds = dict.fromkeys((*labels, UNCERTAIN), 0.0)
        self._last: FrameResult | None = None
        self._interval = 0.0  # s, the last one seen
        self._started = time.monotonic()
        self._elapsed = 0.0
        self._latencies: deque[float] = deque(maxlen=LATENCY_WINDOW)

    def add(self, result: FrameResult) -> None:
        """Count a frame."""
        if self._last is not None:
            self._interval = max(0.0, result.time - self._last.time)
            self._spend(self._last, self._interval)
        self._last = result
        if result.latency is not None:
            self._latencies.append(result.latency)
        self.frames += 1
        self.frames_with_face += bool(result.faces)
        self.readings += len(result.faces)
        for face in result.faces:
            self._readings[face.emotion] += 1
            if face.id is not None:
                self._ids.add(face.id)
        if len(self._ids) > 2 * MAX_IDS:
            recent = set(sorted(self._ids)[-MAX_IDS:])
            self._older_ids += len(self._ids) - len(recent)
            self._ids = recent
        self._elapsed = time.monotonic() - self._started

    def end(self, fps: float | None, dropped: int) -> None:
        """Count the last frame's own time: as long as the one before, else one at `fps`."""
        if self._last is not None:
            self._interval = self._interval or 1 / (fps or 25.0)
            self._spend(self._last, self._interval)
        self._last = None
        self.dropped = dropped

    @property
    def people(self) -> int:
        """Tracked faces; 0 for pictures, in which nobody is tracked."""
        return self._older_ids + len(self._ids)

    @property
    def time(self) -> float:
        """The last frame's time, s; 0 before the first."""
        return self._last.time if self._last is not None else 0.0

    @property
    def fps(self) -> float:
        """Frames per second of the clock on the wall."""
        return self.frames / self._elapsed if self._elapsed else 0.0

    def shares(self) -> dict[str, float]:
        """Return the share of the faces' time per emotion, 0 to 1; their sum is 1 or 0."""
        whole = sum(self._seconds.values())
        return {name: s / whole if whole else 0.0 for name, s in self._seconds.items()}

    def text(self) -> str:
        """Return the summary as a table."""
        share = self.frames_with_face / self.frames if self.frames else 0.0
        media, elapsed = format_duration(self.media_s), format_duration(self._elapsed)
        lines = [
            f"frames            {self.frames:8d}  ({media} of the source in {elapsed}: "
            f"{self.fps:.1f} frames/s)",
            f"frames with face  {self.frames_with_face:8d}  ({share:.1%})",
        ]
        if self.people:
            lines.append(f"people            {self.people:8d}")
        lines.append(f"readings          {self.readings:8d}")
        if self.dropped:
            lines.append(f"dropped           {self.dropped:8d}  (replaced by newer frames)")
        if self._latencies:
            often, seldom = (1e3 * v for v in np.percentile(self._latencies, (50, 95)))
            lines.append(f"latency        {often:8.0f} ms  (95 % under {seldom:.0f} ms)")
        if self.readings:
            lines += ["", f"{'emotion':<12}{'share of time':>14}{'seconds':>10}{'readings':>10}"]
            shares = self.shares()
            occurred = [name for name, count in self._readings.items() if count]
            for name in sorted(occurred, key=lambda name: -shares[name]):
                lines.append(
                    f"{name:<12}{shares[name]:>13.1%} {self._seconds[name]:>10.1f}"
                    f"{self._readings[name]:>10d}"
                )
        return "\n".join(lines)

    def _spend(self, result: FrameResult, seconds: float) -> None:
        self.media_s += seconds
        for face in result.faces:
            self._seconds[face.emotion] += min(seconds, MAX_PREDICTION_S)
