"""`mien run`: reads the faces of a camera, video, stream or folder until it ends or is stopped."""

from __future__ import annotations

import contextlib
import re
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Annotated

import cv2
import typer

from mien.alertness.reader import AlertnessReader
from mien.classification.profile import load_profile
from mien.classification.smoothing import TIME_CONSTANT_S
from mien.commands.options import DetectorOption, LandmarksOption
from mien.detection import DEFAULT_DETECTOR, open_detector
from mien.errors import UserError
from mien.file_lock import locked
from mien.outputs.recording import Retention, Rotation, parse_retention, parse_size
from mien.outputs.status_line import StatusLine
from mien.pipeline.video import MAX_FACES, VideoPipeline
from mien.runtime.governor import FrameRateLimiter, LoadGovernor, allowed_load
from mien.runtime.integrations import check_integrations, open_integrations
from mien.runtime.loop import RateLimits, run_loop
from mien.runtime.output_set import OutputOptions, check_outputs
from mien.signals import ShutdownRequested, ShutdownSignal
from mien.sources import CameraConfig, is_camera, open_source
from mien.sources.pausable import PausableSource
from mien.tflite.model_file import load_model


def run(
    source: Annotated[
        str,
        typer.Argument(
            metavar="SOURCE",
            help="auto (a Pi camera, else the first USB camera), picamera[:N|:NAME], "
            "usb[:N|:NAME], /dev/videoN, a video file, an http://, https:// or rtsp:// address, "
            "or a folder of pictures.",
        ),
    ] = "auto",
    model: Annotated[
        str, typer.Option(help="A .tflite file of mien's, or a shipped name.")
    ] = "mien",
    profile: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE", help="Correct the predictions by a profile of mien calibrate."
        ),
    ] = None,
    detector: DetectorOption = DEFAULT_DETECTOR,
    threads: Annotated[
        int, typer.Option(min=1, help="Threads of OpenCV and of the classifier.")
    ] = 1,
    jsonl: Annotated[
        str | None,
        typer.Option(
            metavar="FILE|-",
            help="Write one JSON object per frame; - is stdout. {date} in the name: a file a day.",
        ),
    ] = None,
    jsonl_size: Annotated[
        str | None,
        typer.Option(
            metavar="SIZE", help="Begin another JSONL file before one exceeds this, as '100 MB'."
        ),
    ] = None,
    jsonl_keep: Annotated[
        str | None,
        typer.Option(
            metavar="BOUND",
            help="Delete the oldest JSONL files of this name, as '30 days', '2 GB' or both with "
            "a comma.",
        ),
    ] = None,
    landmarks: LandmarksOption = False,
    alertness: Annotated[
        bool,
        typer.Option(
            "--alertness",
            help="Read eyes, yawns and head too: blinks, PERCLOS, microsleeps (docs/alertness.md).",
        ),
    ] = False,
    csv: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="Write one row per face and frame."),
    ] = None,
    append: Annotated[
        bool,
        typer.Option(
            "--append/--no-append",
            help="Continue existing JSONL and CSV files; otherwise they are emptied.",
        ),
    ] = False,
    every: Annotated[
        float | None,
        typer.Option(
            metavar="S", help="Write a frame to JSONL and CSV every S seconds; else every frame."
        ),
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
        typer.Option(
            metavar="N", help="Frames per second at most; of a camera also asked for (else 30)."
        ),
    ] = None,
    exposure: Annotated[
        int | None,
        typer.Option(
            metavar="US", min=1, help="Exposure of a Pi camera, microseconds; else automatic."
        ),
    ] = None,
    gain: Annotated[
        float | None,
        typer.Option(metavar="G", min=1.0, help="Gain of a Pi camera, 1 is none; else automatic."),
    ] = None,
    focus: Annotated[
        float | None,
        typer.Option(
            metavar="M",
            help="Distance in metres, or inf, that a Pi camera with a motor is focused at; else "
            "autofocus.",
        ),
    ] = None,
    stall: Annotated[
        float,
        typer.Option(
            metavar="S", help="Seconds without a frame after which a camera or stream is lost."
        ),
    ] = CameraConfig.stall_s,
    max_faces: Annotated[
        int, typer.Option(metavar="N", min=1, help="Faces followed at once.")
    ] = MAX_FACES,
    smooth: Annotated[
        float,
        typer.Option(metavar="S", min=0.0, help="Time constant of the readings, seconds."),
    ] = TIME_CONSTANT_S,
    raw: Annotated[
        bool, typer.Option("--raw", help="Show each reading as it is: no smoothing.")
    ] = False,
    budget: Annotated[
        str,
        typer.Option(
            metavar="auto|full|PERCENT",
            help="Of a live source: search less often before frames are dropped or the board gets "
            "hot (auto), never (full), or to stay under so much of one core.",
        ),
    ] = "auto",
    web: Annotated[
        str | None,
        typer.Option(
            metavar="[HOST:]PORT",
            help="Serve a page with the live picture and what is read; for this machine alone, "
            "unless HOST says otherwise, as 0.0.0.0.",
        ),
    ] = None,
    token: Annotated[
        str | None,
        typer.Option(
            help="What visitors of the page need; other networks always need one. Where it is not "
            "given one is made up, shown on a terminal, else kept in a file. MIEN_TOKEN keeps it "
            "off the command line."
        ),
    ] = None,
    web_root: Annotated[
        str | None,
        typer.Option(
            metavar="PATH", help="Path of the page behind a reverse proxy, as /mien; else /."
        ),
    ] = None,
    allow_host: Annotated[
        list[str] | None,
        typer.Option(
            metavar="NAME",
            help="Also answer to this host name, as of a reverse proxy; may be given more than "
            "once.",
        ),
    ] = None,
    mqtt: Annotated[
        str | None,
        typer.Option(
            metavar="mqtt[s]://[USER@]HOST[/TOPIC]",
            help="Tell an MQTT broker and Home Assistant; the password comes from "
            "MIEN_MQTT_PASSWORD or a file.",
        ),
    ] = None,
    mqtt_password_file: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="Read the broker's password from a file."),
    ] = None,
    on: Annotated[
        list[str] | None,
        typer.Option(
            metavar="'CONDITION [for TIME]: COMMAND|URL'",
            help="Run a command or post to a URL once something has lasted, as in 'sad>0.7 for "
            "5s: play alarm.wav'; may be given more than once.",
        ),
    ] = None,
    blur: Annotated[
        bool, typer.Option("--blur", help="Hide the faces in every picture that goes out.")
    ] = False,
    give_up: Annotated[
        float | None,
        typer.Option(
            metavar="S",
            help="End with exit code 4 after so long without a frame of a camera or stream; "
            "without it the run goes on trying.",
        ),
    ] = None,
) -> None:
    """Read the expression of every face in every frame.

    Ends with the source, with --duration or --max-frames, or on Ctrl-C or SIGTERM, with every
    file complete, and prints a summary. Exit code 0; 2 where something named cannot be used; 4
    where a camera or stream ended by itself.
    """
    rotation = Rotation(
        append,
        None if jsonl_size is None else parse_size(jsonl_size, "--jsonl-size"),
        Retention() if jsonl_keep is None else parse_retention(jsonl_keep, "--jsonl-keep"),
    )
    if jsonl is None and rotation not in (Rotation(), Rotation(append=True)):
        raise UserError("--jsonl-size and --jsonl-keep are for --jsonl; give that too.")
    outputs = OutputOptions(
        *(jsonl, csv, video, window, duration, max_frames, blur), rotation, every, landmarks, alertness
    )
    written = check_outputs(outputs, source)
    for option, value in (("--give-up", give_up), ("--stall", stall)):
        if value is not None and not value > 0:
            raise UserError(f"{option} {value:g} is no time; give seconds above 0.")
    if focus is not None and not focus > 0:
        raise UserError(f"--focus {focus:g} is no distance; give metres above 0, or inf.")
    mode = replace(
        camera_mode(source, size, fps),
        stall_s=stall,
        exposure_us=exposure,
        gain=gain,
        focus_m=focus,
    )
    if mode.controls and not is_camera(source):
        raise UserError(
            f"--exposure, --gain and --focus are for a Pi camera, and {source} is none; "
            "leave them out."
        )
    limits = rate_limits(fps, budget)
    loaded = load_model(model)
    labels = loaded.metadata.labels
    loaded_profile = None if profile is None else load_profile(profile, loaded.metadata)
    integrations = check_integrations(
        *(web, token, mqtt, mqtt_password_file, on or (), blur, labels),
        *(web_root, allow_host or (), alertness),
    )
    cv2.setNumThreads(threads)  # OpenCV's own default is all cores, which small pictures only slow
    engine = VideoPipeline(
        loaded,
        threads,
        0.0 if raw else smooth,
        max_faces,
        loaded_profile,
        open_detector(detector),
        AlertnessReader() if alertness else None,
    )
    status_line = StatusLine()
    shutdown = ShutdownSignal()
    with contextlib.ExitStack() as locks, shutdown.listening():
        for path in written:
            locks.enter_context(locked(path))
        try:
            with shutdown.waiting():
                colour = window or video is not None or web is not None
                frames = open_source(source, colour, mode, status_line.say, give_up)
        except ShutdownRequested:
            status_line.say("stopped before the first frame")
            return
        pause = integrations.pause_switch()
        if pause is not None:
            reopen = partial(open_source, source, colour, mode, status_line.say, give_up)
            frames = PausableSource(frames, reopen, pause)
        with contextlib.closing(frames):
            opened = open_integrations(integrations, frames.name, labels, pause, status_line.say)
            run_loop(frames, engine, outputs, shutdown, status_line, limits, opened)


def rate_limits(fps: float | None, budget: str) -> RateLimits:
    """Return the rate and the effort that were asked for."""
    if fps is not None and not 0 < fps <= 1000:
        raise UserError(f"--fps {fps:g} is no frame rate; give one above 0, as 30.")
    allowed = allowed_load(budget)
    return RateLimits(
        None if fps is None else FrameRateLimiter(fps),
        None if allowed is None else LoadGovernor(allowed),
    )


def camera_mode(source: str, size: str | None, fps: float | None) -> CameraConfig:
    """Return what to ask of a camera; raises UserError for what no camera could give."""
    if size is not None and not is_camera(source):
        raise UserError(f"--size is for cameras, and {source} is none; leave it out.")
    default = CameraConfig()
    width, height = default.width, default.height
    if size is not None:
        match = re.fullmatch(r"([0-9]{2,5})[xX*]([0-9]{2,5})", size.strip())
        if not match:
            raise UserError(f"--size {size} is no size; write width x height in px, as 1280x720.")
        width, height = int(match[1]), int(match[2])
    return CameraConfig(width, height, fps or default.fps, size is not None or fps is not None)
