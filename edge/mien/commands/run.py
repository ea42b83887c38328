"""`mien run`: detects, tracks and classifies the faces of a source until it ends."""

from __future__ import annotations

import contextlib
import re
from dataclasses import replace
from functools import partial

import cv2

from mien.alertness.reader import AlertnessReader
from mien.classification.profile import load_profile
from mien.classification.smoothing import TIME_CONSTANT_S
from mien.commands import run_options as options
from mien.commands.options import DetectorOption, LandmarksOption
from mien.detection import DEFAULT_DETECTOR, open_detector
from mien.errors import UserError
from mien.file_lock import locked
from mien.image import MAX_PIXELS
from mien.outputs.jsonl import is_stdout
from mien.outputs.recording import Retention, Rotation, parse_retention, parse_size
from mien.outputs.status_line import StatusLine
from mien.pipeline.video import MAX_FACES, VideoPipeline
from mien.runtime.governor import FrameRateLimiter, LoadGovernor, allowed_load
from mien.runtime.integrations import check_integrations, open_integrations
from mien.runtime.loop import RateLimits, run_loop
from mien.runtime.output_set import OutputOptions, check_outputs
from mien.signals import ShutdownRequested, ShutdownSignal
from mien.sources import CameraConfig, ReadOptions, is_camera, open_source
from mien.sources.address import public
from mien.sources.pausable import PausableSource
from mien.tflite.minisign import PublicKey
from mien.tflite.model_file import DEFAULT_MODEL, load_model


def run(
    source: options.Source = "auto",
    size: options.Size = None,
    fps: options.Fps = None,
    exposure: options.Exposure = None,
    gain: options.Gain = None,
    focus: options.Focus = None,
    stall: options.Stall = CameraConfig.stall_s,
    give_up: options.GiveUp = None,
    input_fps: options.InputFps = None,
    insecure: options.Insecure = False,
    max_megapixels: options.MaxMegapixels = MAX_PIXELS / 1e6,
    duration: options.Duration = None,
    max_frames: options.MaxFrames = None,
    model: options.Model = DEFAULT_MODEL,
    model_key: options.ModelKey = None,
    profile: options.Profile = None,
    detector: DetectorOption = DEFAULT_DETECTOR,
    threads: options.Threads = 1,
    jsonl: options.Jsonl = None,
    jsonl_size: options.JsonlSize = None,
    jsonl_keep: options.JsonlKeep = None,
    landmarks: LandmarksOption = False,
    alertness: options.Alertness = False,
    csv: options.Csv = None,
    append: options.Append = False,
    every: options.Every = None,
    video: options.Video = None,
    window: options.Window = False,
    max_faces: options.MaxFaces = MAX_FACES,
    smooth: options.Smooth = TIME_CONSTANT_S,
    raw: options.Raw = False,
    budget: options.Budget = "auto",
    web: options.Web = None,
    token: options.Token = None,
    web_root: options.WebRoot = None,
    allow_host: options.AllowHost = None,
    trusted_proxy: options.TrustedProxy = None,
    mqtt: options.Mqtt = None,
    mqtt_password_file: options.MqttPasswordFile = None,
    on: options.On = None,
    blur: options.Blur = False,
) -> None:
    """Read facial expressions from a camera, a video, a stream or a folder of pictures.

    Ends with the source, with --duration or --max-frames, or on Ctrl-C or SIGTERM: every file is
    complete, and a summary is printed. Exit code 0; 2 if an option cannot be used; 4 if a camera or
    stream is lost for good.
    """
    rotation = Rotation(
        append,
        None if jsonl_size is None else parse_size(jsonl_size, "--jsonl-size"),
        Retention() if jsonl_keep is None else parse_retention(jsonl_keep, "--jsonl-keep"),
    )
    if jsonl is None and rotation not in (Rotation(), Rotation(append=True)):
        raise UserError("--jsonl-size and --jsonl-keep are for --jsonl; give that too.")
    outputs = OutputOptions(
        *(jsonl, csv, video, window, duration, max_frames, blur),
        rotation,
        every,
        landmarks,
        alertness,
    )
    written = check_outputs(outputs, source)
    for option, value in (("--give-up", give_up), ("--stall", stall)):
        if value is not None and not value > 0:
            raise UserError(f"{option} must be a number of seconds above 0, got {value:g}.")
    if focus is not None and not focus > 0:
        raise UserError(f"--focus must be a distance in meters above 0, or inf, got {focus:g}.")
    if input_fps is not None and not 0 < input_fps <= 1000:
        raise UserError(f"--input-fps must be above 0 and at most 1000, got {input_fps:g}.")
    mode = replace(
        camera_mode(source, size, fps),
        stall_s=stall,
        exposure_us=exposure,
        gain=gain,
        focus_m=focus,
    )
    if mode.controls and not is_camera(source):
        raise UserError(
            "--exposure, --gain and --focus are for a Pi camera; leave them out for "
            f"{public(source)}."
        )
    if alertness and detector == "haar":
        raise UserError(
            "--alertness needs the landmarks of a face, which --detector haar does not give; "
            "use --detector ssd."
        )
    limits = rate_limits(fps, budget)
    loaded = load_model(model, PublicKey.from_text(model_key) if model_key else None)
    labels = loaded.metadata.labels
    loaded_profile = None if profile is None else load_profile(profile, loaded.metadata)
    integrations = check_integrations(
        *(web, token, mqtt, mqtt_password_file, on or (), blur, labels),
        *(web_root, allow_host or (), None if is_stdout(jsonl) else jsonl, trusted_proxy),
        alertness=alertness,
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
                want_color = window or video is not None or web is not None
                reading = ReadOptions(round(1e6 * max_megapixels), input_fps, insecure, every)
                reopen = partial(
                    open_source, source, want_color, mode, status_line.say, give_up, reading
                )
                frames = reopen()
        except ShutdownRequested:
            status_line.say("stopped before the first frame")
            return
        pause = integrations.pause_switch()
        if pause is not None:
            frames = PausableSource(frames, reopen, pause)
        with contextlib.closing(frames):
            opened = open_integrations(
                integrations,
                frames.name,
                labels,
                pause,
                status_line.say,
                engine,
                loaded,
                profile=None if loaded_profile is None else loaded_profile.name,
            )
            run_loop(frames, engine, outputs, shutdown, status_line, limits, opened)


def rate_limits(fps: float | None, budget: str) -> RateLimits:
    """Return the limits of frame rate and load; raises UserError for invalid values."""
    if fps is not None and not 0 < fps <= 1000:
        raise UserError(f"--fps must be above 0 and at most 1000, got {fps:g}.")
    allowed = allowed_load(budget)
    return RateLimits(
        None if fps is None else FrameRateLimiter(fps),
        None if allowed is None else LoadGovernor(allowed),
    )


def camera_mode(source: str, size: str | None, fps: float | None) -> CameraConfig:
    """Return the settings of a camera; raises UserError for invalid values."""
    if size is not None and not is_camera(source):
        raise UserError(f"--size is for cameras; leave it out for {public(source)}.")
    default = CameraConfig()
    width, height = default.width, default.height
    if size is not None:
        match = re.fullmatch(r"([0-9]{2,5})[xX*]([0-9]{2,5})", size.strip())
        if not match:
            raise UserError(f"--size must be WIDTHxHEIGHT in pixels, as 1280x720, got {size}.")
        width, height = int(match[1]), int(match[2])
    return CameraConfig(width, height, fps or default.fps, size is not None or fps is not None)
