"""`mien run`: reads the faces of a camera, video, stream or folder until it ends or is stopped."""

from __future__ import annotations

import contextlib
import os
import re
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import typer

from edge.classifier import Classifier
from edge.detect import HaarDetector
from edge.draw import annotate
from edge.errors import UserError
from edge.modelfile import load_model
from edge.outputs.beside import check_target
from edge.outputs.csvfile import CsvOutput
from edge.outputs.jsonl import JsonlOutput, abandon_stdout, is_stdout
from edge.outputs.status import Status
from edge.outputs.video import VideoOutput, check_suffix
from edge.outputs.window import Window, check_screen
from edge.pipeline import FrameResult, Pipeline
from edge.sources import CameraMode, Frame, Source, SourceLost, is_camera, open_source
from edge.stop import Stop, Stopped
from edge.summary import Summary

LOST = 4  # exit code where a camera or stream ended by itself
VIDEO_FPS = 25.0  # of --video where the source does not say its rate


@dataclass(frozen=True)
class Wanted:
    """What a run is to write, and when it is to end."""

    jsonl: str | None
    csv: Path | None
    video: Path | None
    window: bool
    duration: float | None  # s of the source's time
    max_frames: int | None


def run(
    source: Annotated[
        str,
        typer.Argument(
            metavar="SOURCE",
            help="auto (a Pi camera, else the first USB camera), picamera[:N], usb[:N], "
            "/dev/videoN, a video file, an http://, https:// or rtsp:// address, or a folder of "
            "pictures.",
        ),
    ] = "auto",
    model: Annotated[
        str, typer.Option(help="A .tflite file of mien's, or a shipped name.")
    ] = "mien",
    threads: Annotated[int, typer.Option(min=1, help="Threads of the classifier.")] = 1,
    jsonl: Annotated[
        str | None,
        typer.Option(metavar="FILE|-", help="Write one JSON object per frame; - is stdout."),
    ] = None,
    csv: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="Write one row per face and frame."),
    ] = None,
    video: Annotated[
        Path | None,
        typer.Option(metavar="OUT.mp4", help="Write the frames with boxes and labels."),
    ] = None,
    window: Annotated[
        bool, typer.Option("--window", help="Show the frames; q, x or Esc closes it.")
    ] = False,
    duration: Annotated[
        float | None,
        typer.Option(metavar="S", help="End after so many seconds of the source."),
    ] = None,
    max_frames: Annotated[
        int | None,
        typer.Option(metavar="N", min=1, help="End after so many frames."),
    ] = None,
    size: Annotated[
        str | None,
        typer.Option(metavar="WxH", help="Picture size of a camera; 640x480 by default."),
    ] = None,
    fps: Annotated[
        float | None,
        typer.Option(metavar="N", help="Frames per second of a camera; 30 by default."),
    ] = None,
) -> None:
    """Read the expression of every face in every frame.

    Ends with the source, with --duration or --max-frames, or on Ctrl-C or SIGTERM, with every
    file complete, and prints a summary. Exit code 0; 2 where something named cannot be used; 4
    where a camera or stream ended by itself.
    """
    wanted = Wanted(jsonl, csv, video, window, duration, max_frames)
    check_outputs(wanted, source)
    mode = camera_mode(source, size, fps)
    loaded = load_model(model)
    pipeline = Pipeline(HaarDetector(), Classifier(loaded, threads), loaded.metadata)
    status = Status()
    stop = Stop()
    with stop.listening():
        try:
            with stop.waiting():
                opened = open_source(source, window or video is not None, mode, status.say)
        except Stopped:
            status.say("stopped before the first frame")
            return
        with contextlib.closing(opened):
            watch(opened, pipeline, wanted, stop, status)


def watch(source: Source, pipeline: Pipeline, wanted: Wanted, stop: Stop, status: Status) -> None:
    """Read a source to its end, write what is wanted and print the summary.

    Raises UserError where the source has no frame or an output fails, typer.Exit(4) where a live
    source is lost.
    """
    summary = Summary(pipeline.metadata.labels)
    lost: SourceLost | None = None
    outputs: Outputs | None = None
    status.total = expected_frames(source, wanted)
    try:
        for frame in until(source, wanted, stop):
            result = pipeline.process(frame)
            outputs = outputs or Outputs(wanted, source, pipeline.metadata.labels, stop)
            outputs.write(frame, result)
            summary.add(result)
            status.update(summary.frames, result)
            if outputs.closed_by_user:
                break
    except SourceLost as error:
        lost = error
    except BrokenPipeError:  # `mien run --jsonl - | head` has seen enough
        if is_stdout(wanted.jsonl):
            abandon_stdout()
    except Stopped:
        pass
    finally:
        status.clear()
        summary.end(source.fps, source.dropped)
        if outputs is not None:
            outputs.close()
    if not summary.frames:
        status.say(str(lost) if lost else "stopped before the first frame")
    else:
        print(summary.text(), file=sys.stderr if is_stdout(wanted.jsonl) else sys.stdout)
        if lost:
            status.say(str(lost))
    if lost:
        raise typer.Exit(LOST)


def until(source: Source, wanted: Wanted, stop: Stop) -> Iterator[Frame]:
    """Yield the frames of a source up to the limits; raises Stopped where a signal ends a wait."""
    frames = source.frames()
    count = 0
    while not stop.requested:
        try:
            with stop.waiting():
                frame = next(frames)
        except StopIteration:
            return
        if wanted.duration is not None and frame.time >= wanted.duration:
            return
        yield frame
        count += 1
        if count == wanted.max_frames:
            return


class Outputs:
    """Everything that a run writes, opened with its first frame."""

    def __init__(self, wanted: Wanted, source: Source, labels: tuple[str, ...], stop: Stop) -> None:
        self._records: list[JsonlOutput | CsvOutput] = []
        self._screens: list[VideoOutput | Window] = []
        self._window: Window | None = None
        if wanted.jsonl is not None:
            with stop.waiting():  # a named pipe opens when somebody reads it
                self._records.append(JsonlOutput(wanted.jsonl))
        if wanted.csv is not None:
            self._records.append(CsvOutput(wanted.csv, labels))
        if wanted.video is not None:
            fps = source.fps or VIDEO_FPS
            self._screens.append(VideoOutput(wanted.video, fps, follow_time=source.live))
        if wanted.window:
            self._window = Window(paced=not source.live, fps=source.fps or VIDEO_FPS)
            self._screens.append(self._window)

    @property
    def closed_by_user(self) -> bool:
        """Whether the window was closed."""
        return self._window is not None and self._window.closed

    def write(self, frame: Frame, result: FrameResult) -> None:
        """Write a frame everywhere."""
        if self._screens and frame.bgr is not None:
            picture = annotate(frame.bgr, result.faces)
            for screen in self._screens:
                screen.write(picture, frame.time)
        for output in self._records:
            output.write(frame, result)

    def close(self) -> None:
        """Complete every file, also where one of them fails."""
        with contextlib.ExitStack() as stack:
            for output in (*self._records, *self._screens):
                stack.callback(output.close)


def check_outputs(wanted: Wanted, source: str) -> None:
    """Raise UserError for what could not be written, before a camera or file is opened."""
    if wanted.duration is not None and not wanted.duration > 0:
        raise UserError(f"--duration {wanted.duration:g} is no time; give seconds above 0.")
    files = [path for path in (wanted.csv, wanted.video) if path is not None]
    for path in files:
        if str(path) == "-":
            raise UserError("Only --jsonl writes to stdout; give --csv and --video a file name.")
        check_target(path)
    if wanted.video is not None:
        check_suffix(wanted.video)
    if wanted.jsonl is not None and not is_stdout(wanted.jsonl):
        target = Path(wanted.jsonl)
        if target.is_file() or not target.exists() or target.is_dir():
            check_target(target)
            files.append(target)
    places = [os.path.realpath(path) for path in files]
    if os.path.exists(source) and os.path.realpath(source) in places:  # noqa: PTH110
        raise UserError(f"{source} is the source itself; give the output another name.")
    if len(set(places)) < len(places):
        raise UserError("Two outputs have the same file name; give each its own.")
    if wanted.window:
        check_screen()


def camera_mode(source: str, size: str | None, fps: float | None) -> CameraMode:
    """Return what to ask of a camera; raises UserError for what no camera could give."""
    if (size is not None or fps is not None) and not is_camera(source):
        raise UserError(f"--size and --fps are for cameras, and {source} is none; leave them out.")
    default = CameraMode()
    width, height = default.width, default.height
    if size is not None:
        match = re.fullmatch(r"([0-9]{2,5})[xX*]([0-9]{2,5})", size.strip())
        if not match:
            raise UserError(f"--size {size} is no size; write width x height in px, as 1280x720.")
        width, height = int(match[1]), int(match[2])
    if fps is not None and not 0 < fps <= 1000:
        raise UserError(f"--fps {fps:g} is no frame rate; give one above 0, as 30.")
    return CameraMode(width, height, fps or default.fps, size is not None or fps is not None)


def expected_frames(source: Source, wanted: Wanted) -> int | None:
    """Return about how many frames there will be, None where nothing bounds them."""
    bounds = [source.total, wanted.max_frames]
    if wanted.duration is not None and source.fps:
        bounds.append(max(1, round(wanted.duration * source.fps)))
    return min((bound for bound in bounds if bound is not None), default=None)
