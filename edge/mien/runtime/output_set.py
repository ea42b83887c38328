"""Outputs of a run: their options, validation, and all of them as one."""

from __future__ import annotations

import contextlib
import math
import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from mien.atomic import check_target
from mien.errors import UserError
from mien.outputs.annotate import annotate
from mien.outputs.anonymize import FaceAnonymizer, hide
from mien.outputs.csv import CsvOutput
from mien.outputs.display import DisplayWindow, check_screen
from mien.outputs.jsonl import JsonlOutput, is_stdout
from mien.outputs.recording import DATE, EMPTIED, Rotation, today_path
from mien.outputs.video import VideoOutput, check_suffix
from mien.pipeline.results import FrameResult
from mien.signals import ShutdownSignal
from mien.sources import Change, Frame, Source

DEFAULT_VIDEO_FPS = 25.0  # of --video where the source does not say its rate


@dataclass(frozen=True)
class OutputOptions:
    """Files and windows of a run, and when it ends."""

    jsonl: str | None
    csv: Path | None
    video: Path | None
    window: bool
    duration: float | None  # s of the source's time
    max_frames: int | None
    blur: bool = False  # faces are hidden in every picture
    rotation: Rotation = EMPTIED  # of the JSONL; `append` also of the CSV
    every: float | None = None  # s of the source's time between two frames in JSONL and CSV
    landmarks: bool = False  # in JSONL
    alertness: bool = False  # columns of the CSV


class Output(Protocol):
    """Consumer of every frame and result; must not block the run."""

    def write(self, frame: Frame, result: FrameResult) -> None:
        """Take a frame and what is shown of it."""
        ...

    def changed(self, change: Change) -> None:
        """Take that the source was lost or is back."""
        ...

    def close(self) -> None:
        """Complete what is being written."""
        ...


class OutputSet:
    """Everything that a run writes, opened with its first frame; `others` are open already."""

    def __init__(
        self,
        options: OutputOptions,
        source: Source,
        labels: tuple[str, ...],
        shutdown: ShutdownSignal,
        integrations: Sequence[Output] = (),
    ) -> None:
        self._integrations = integrations
        self._records: list[Output] = []  # JSONL and CSV
        self._every = options.every
        self._due = -math.inf  # s of the source's time, of the next frame to record
        self._screens: list[VideoOutput | DisplayWindow] = []
        self._window: DisplayWindow | None = None
        self._blur = FaceAnonymizer() if options.blur else None
        if options.jsonl is not None:
            with shutdown.waiting():  # a named pipe opens when somebody reads it
                self._records.append(
                    JsonlOutput(options.jsonl, options.rotation, options.landmarks)
                )
        if options.csv is not None:
            self._records.append(
                CsvOutput(options.csv, labels, options.rotation.append, options.alertness)
            )
        if options.video is not None:
            fps = source.fps or DEFAULT_VIDEO_FPS
            self._screens.append(VideoOutput(options.video, fps, follow_time=source.live))
        if options.window:
            self._window = DisplayWindow(paced=not source.live, fps=source.fps or DEFAULT_VIDEO_FPS)
            self._screens.append(self._window)

    @property
    def closed_by_user(self) -> bool:
        """Whether the window was closed."""
        return self._window is not None and self._window.closed

    def write(self, frame: Frame, result: FrameResult) -> None:
        """Write a frame everywhere."""
        if self._screens and frame.bgr is not None:
            picture = frame.bgr
            if self._blur is not None:
                picture = hide(picture, self._blur.boxes(result))
            picture = annotate(picture, result.faces)
            for screen in self._screens:
                screen.write(picture, frame.time)
        for output in self._integrations:
            output.write(frame, result)
        if self._is_due(frame.time):
            for output in self._records:
                output.write(frame, result)

    def changed(self, change: Change) -> None:
        """Pass on that the source was lost or is back."""
        for output in (*self._integrations, *self._records):
            output.changed(change)

    def close(self) -> None:
        """Complete every file, also where one of them fails."""
        with contextlib.ExitStack() as stack:
            for output in (*self._integrations, *self._records, *self._screens):
                stack.callback(output.close)

    def _is_due(self, time: float) -> bool:
        """Return whether a frame is to be recorded, for --every."""
        if self._every is None:
            return True
        if time < self._due and self._due - time <= self._every:  # beyond: the time began anew
            return False
        self._due = (
            time + self._every if time - self._due > self._every else self._due + self._every
        )
        return True


def check_outputs(options: OutputOptions, source: str) -> list[Path]:
    """Return the files that will be written; raises UserError for one that could not be."""
    if options.duration is not None and not options.duration > 0:
        raise UserError(f"--duration must be above 0 seconds, got {options.duration:g}.")
    if options.every is not None and not options.every > 0:
        raise UserError(f"--every must be above 0 seconds, got {options.every:g}.")
    if options.every is not None and options.jsonl is None and options.csv is None:
        raise UserError("--every thins --jsonl and --csv; give one of them too, or leave it out.")
    rotated = DATE in (options.jsonl or "") or options.rotation.max_bytes is not None
    if options.rotation.keep.days is not None and not rotated:
        raise UserError(
            "--jsonl-keep needs several files: put {date} into the name of --jsonl, as in "
            "faces-{date}.jsonl, or give --jsonl-size."
        )
    if options.rotation not in (EMPTIED, Rotation(append=True)) and is_stdout(options.jsonl):
        raise UserError("--jsonl-size and --jsonl-keep need a file for --jsonl, not stdout.")
    files = [path for path in (options.csv, options.video) if path is not None]
    for path in files:
        if str(path) == "-":
            raise UserError("Only --jsonl writes to stdout; give --csv and --video a file name.")
        check_target(path)
    if options.video is not None:
        check_suffix(options.video)
    if options.jsonl is not None and not is_stdout(options.jsonl):
        target = today_path(options.jsonl)
        if target.is_file() or not target.exists() or target.is_dir():
            check_target(target)
            files.append(target)
    places = [os.path.realpath(path) for path in files]
    if os.path.exists(source) and os.path.realpath(source) in places:  # noqa: PTH110
        raise UserError(f"{source} is the source itself; give the output another name.")
    if len(set(places)) < len(places):
        raise UserError("Two outputs have the same file name; give each its own.")
    if options.window:
        check_screen()
    return files
