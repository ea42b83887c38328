"""One JSON object per frame and line, written live; docs/output.md is its contract."""

from __future__ import annotations

import json
import sys
from typing import Any

from mien.errors import UserError
from mien.outputs.recording import EMPTIED, Recording, Rotation, wall_clock
from mien.pipeline.results import Face, FrameResult
from mien.sources.base import Change, Frame


def record(frame: Frame, result: FrameResult, landmarks: bool = False) -> dict[str, Any]:
    """Return the JSONL object of a frame; plain numbers, rounded to what they are worth.

    `landmarks` adds the points of each face, px, with roll and yaw in degrees, where there are any.
    """
    line: dict[str, Any] = {
        "frame": int(result.frame),
        "time": round(float(result.time), 4),
        "at": wall_clock(result.latency),
    }
    if frame.picture is not None:
        line["picture"] = frame.picture
    line["faces"] = [_face(face, landmarks) for face in result.faces]
    if result.latency is not None:
        line["latency_ms"] = round(1e3 * float(result.latency), 1)
    line["ms"] = {stage: round(float(ms), 3) for stage, ms in result.ms.items()}
    return line


def _face(face: Face, landmarks: bool) -> dict[str, Any]:
    content = face.to_json()
    if landmarks and face.landmarks is not None:
        content["landmarks"] = [[round(x, 1), round(y, 1)] for x, y in face.landmarks]
        content["roll"], content["yaw"] = round(face.roll or 0.0, 1), round(face.yaw or 0.0, 1)
    number = content.pop("id")
    followed = {} if number is None else {"id": number, "age": round(float(face.age), 3)}
    return {**followed, **content}


class JsonlOutput:
    """JSON lines to a file or, for `-`, to stdout.

    Each line goes out in one piece as its frame is done. Raises UserError where nothing can be
    written, BrokenPipeError where the reader has gone.
    """

    def __init__(self, target: str, rotation: Rotation = EMPTIED, landmarks: bool = False) -> None:
        self._landmarks = landmarks
        self._recording: Recording | None = None
        if not is_stdout(target):
            self._recording = Recording(target, rotation)
        elif sys.stdout is None:
            raise UserError("stdout is closed; give --jsonl a file name.")

    def write(self, frame: Frame, result: FrameResult) -> None:
        """Write the line of a frame."""
        self._put(record(frame, result, self._landmarks))

    def changed(self, change: Change) -> None:
        """Write the line of a source that was lost or is back."""
        time = round(float(change.time), 4)
        self._put({"event": change.state, "time": time, "at": wall_clock(), "why": change.why})

    def _put(self, entry: dict[str, Any]) -> None:
        line = (json.dumps(entry, allow_nan=False) + "\n").encode()
        if self._recording is not None:
            self._recording.write(line)
            return
        try:
            sys.stdout.buffer.write(line)
            sys.stdout.buffer.flush()
        except BrokenPipeError:
            raise
        except OSError as error:
            raise UserError(f"stdout cannot be written: {error.strerror}.") from error

    def close(self) -> None:
        """Close the file; stdout stays open."""
        if self._recording is not None:
            self._recording.close()


def is_stdout(target: str | None) -> bool:
    """Whether a target is the standard output."""
    return target in ("-", "/dev/stdout")
