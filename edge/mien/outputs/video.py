"""Annotated video file: its frames at a constant rate, complete or an error, and never half."""

from __future__ import annotations

import contextlib
import os
import shutil
import threading
from pathlib import Path

import cv2
import numpy as np

from mien.atomic import TEMP_PREFIX, commit, temp_path
from mien.errors import UserError
from mien.log import warn_user
from mien.outputs.video_writer import (
    SUFFIXES,
    VideoWriter,
    count_frames,
    open_writer,
    part_suffix,
    remux,
)
from mien.sources.base import Pixels

MAX_STILL_S = 2.0  # s that one picture may stand still for frames that a live source dropped
MIN_SIDE_PX = 16  # of a frame: FFmpeg writes Motion JPEG 2 px wide beyond its memory
SYNC_INTERVAL_S = 1.0  # s between two times at which the file is brought to the disk
MIN_FREE_BYTES = 1 << 18  # of the disk, below which a run ends: the encoder's buffer


class VideoOutput:
    """A video at a constant rate, in the size of its first picture.

    It appears under its name when it is closed and all of its frames are in it; until then it is a
    hidden Matroska or AVI file beside it, which plays up to the last second after a power cut. For
    a live source (`follow_time`) pictures are repeated or left out so that it plays at the speed at
    which things happened. Raises UserError where the disk is full or frames are missing.
    """

    def __init__(self, path: Path, fps: float, follow_time: bool) -> None:
        check_suffix(path)
        self._path = path.resolve()  # a link stays one
        self._part = temp_path(self._path).with_suffix(part_suffix(self._path))
        self._fps = fps
        self._follow_time = follow_time
        self._writer: VideoWriter | None = None
        self._size = (0, 0)
        self._last: Pixels | None = None
        self._written = 0  # pictures
        self._left_out = 0  # pictures, of longer gaps
        self._disk = _DiskSync(self._part)

    def write(self, picture: Pixels, time: float) -> None:
        """Add a picture, uint8 [H, W, 3] blue first, that was taken at a time in seconds."""
        if self._writer is None:
            self._writer = self._open(picture)
        if self._disk.is_full:
            raise UserError(
                f"The disk of {self._path} is full; the first {self._written} frames are kept."
            )
        fitted = letterbox(picture, self._size)
        still = 0
        if self._follow_time and self._last is not None:
            due = round(time * self._fps) + 1 - self._left_out - self._written
            if due < 1:
                return  # the camera is faster than the video
            still = min(due, max(1, round(MAX_STILL_S * self._fps))) - 1
            self._left_out += due - 1 - still
        for shown in [*[self._last] * still, fitted]:
            self._encode(fitted if shown is None else shown)
        self._last = fitted

    def close(self) -> None:
        """Complete the file, check that all frames are in it and put it in its place."""
        self._disk.stop()
        if self._writer is None:
            return
        writer, self._writer = self._writer, None
        with contextlib.suppress(OSError):  # what is missing is counted
            writer.close()
        # OpenCV never reports an error: a full disk only shows in the file.
        found = count_frames(self._part)
        if found == 0:
            self._part.unlink(missing_ok=True)
            raise UserError(f"{self._path} could not be completed; is the disk full?")
        if found < self._written:
            raise UserError(
                f"{self._path} could not be completed (is the disk full?); {found} of its "
                f"{self._written} frames are in {self._part}."
            )
        if self._part.suffix == self._path.suffix.lower():
            commit(self._part, self._path)
            return
        whole = temp_path(self._path)
        try:
            remux(self._part, whole, self._fps, self._written)
            complete = count_frames(whole) >= self._written
        except OSError:
            complete = False
        if not complete:
            whole.unlink(missing_ok=True)
            raise UserError(
                f"{self._path} could not be completed (is the disk full?); its frames are in "
                f"{self._part}."
            )
        commit(whole, self._path)
        self._part.unlink(missing_ok=True)

    def _encode(self, picture: Pixels) -> None:
        assert self._writer is not None
        try:
            self._writer.write(picture)
        except OSError as error:
            raise UserError(f"{self._path} cannot be written ({error.strerror}).") from error
        self._written += 1

    def _open(self, picture: Pixels) -> VideoWriter:
        height, width = picture.shape[:2]
        # The codec halves the color's resolution: even sides only.
        self._size = (max(MIN_SIDE_PX, width - width % 2), max(MIN_SIDE_PX, height - height % 2))
        _keep_interrupted(self._part)
        writer = open_writer(self._part, self._fps, self._size)
        if writer is None:
            raise UserError(
                f"{self._path} cannot be written as a video of {width}x{height}; "
                "name another place, or a name that ends in .avi."
            )
        self._disk.start()
        return writer


class _DiskSync:
    """Brings a growing file to the disk once a second, and watches the room that is left."""

    def __init__(self, path: Path) -> None:
        self.is_full = False
        self._path = path
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._run, name="mien video sync", daemon=True)

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        self._ended.set()
        if self._thread.is_alive():
            self._thread.join()

    def _run(self) -> None:
        while not self._ended.wait(SYNC_INTERVAL_S):
            try:
                with self._path.open("rb") as file:
                    os.fsync(file.fileno())
                self.is_full = shutil.disk_usage(self._path.parent).free < MIN_FREE_BYTES
            except OSError:
                continue


def _keep_interrupted(part: Path) -> None:
    """Keep what a run that was killed has left, under a name that is seen."""
    try:
        if not part.exists() or part.stat().st_size == 0:
            return
        stem = part.stem.removeprefix(TEMP_PREFIX)
        number = 1
        while (kept := part.with_name(f"{stem}-interrupted-{number}{part.suffix}")).exists():
            number += 1
        part.rename(kept)
        warn_user(f"{kept} is what a run that was cut off has left.")
    except OSError:
        return


def check_suffix(path: Path) -> None:
    """Raise UserError where the name of a video does not say a kind that can be written."""
    if path.suffix.lower() not in SUFFIXES:
        raise UserError(f"{path} does not say which kind of video; let it end in .mp4.")


def letterbox(picture: Pixels, size: tuple[int, int]) -> Pixels:
    """Fit a picture, uint8 [H, W, 3], into a width and height (px), its shape kept, on black."""
    width, height = size
    if picture.shape[:2] == (height, width):
        return picture
    scale = min(width / picture.shape[1], height / picture.shape[0])
    w = min(width, max(1, round(picture.shape[1] * scale)))
    h = min(height, max(1, round(picture.shape[0] * scale)))
    method = cv2.INTER_AREA if scale < 1 else cv2.INTER_LINEAR
    canvas = np.zeros((height, width, 3), np.uint8)
    top, left = (height - h) // 2, (width - w) // 2
    canvas[top : top + h, left : left + w] = cv2.resize(picture, (w, h), interpolation=method)
    return canvas
