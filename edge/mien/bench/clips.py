"""Times the whole pipeline on video files, frame by frame, without decoding them."""

from __future__ import annotations

import statistics
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from mien.bench.timing import Stopwatch
from mien.errors import UserError
from mien.pipeline.video import VideoPipeline
from mien.sources.base import Frame
from mien.sources.video import open_video

SUFFIXES = (".mp4", ".mkv", ".avi", ".mov", ".webm")


def clips_in(path: Path) -> list[Path]:
    """Return a video file, or those of a folder by name; raises UserError where there is none."""
    if not path.exists():
        raise UserError(f"There is no {path}; give --clip a video file or a folder of them.")
    if path.is_file():
        return [path]
    found = sorted(file for file in path.iterdir() if file.suffix.lower() in SUFFIXES)
    if not found:
        raise UserError(f"{path} has no video files ({', '.join(SUFFIXES)}); give another --clip.")
    return found


def time_clip(build: Callable[[], VideoPipeline], path: Path) -> dict[str, Any]:
    """Run a new pipeline over a video file, gray frame in to result out."""
    pipeline, watch, faces, size = build(), Stopwatch(), 0, (0, 0)
    source = open_video(path, False, lambda sentence: None)
    try:
        for frame in source.frames():
            assert isinstance(frame, Frame)
            with watch.running():
                result = pipeline.process(frame)
            faces += len(result.faces)
            size = frame.gray.shape
    finally:
        source.close()
    times = watch.times().summary()
    entry = {"clip": path.name, "width": size[1], "height": size[0]}
    return {**entry, "faces": round(faces / max(1, len(watch.times().wall)), 2), **times}


def clips_mean(entries: Sequence[dict[str, Any]]) -> dict[str, Any]:
    """Return the mean over clips of each clip's mean times: the headline figure."""
    return {
        "clips": len(entries),
        **{
            clock: round(statistics.fmean(entry[clock]["mean"] for entry in entries), 4)
            for clock in ("wall_ms", "cpu_ms")
        },
    }
