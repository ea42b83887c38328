"""What every source gives: frames, and the two protocols that sources are built from."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Protocol

import numpy as np
import numpy.typing as npt

from mien.errors import UserError
from mien.image import MAX_PIXELS

Pixels = npt.NDArray[np.uint8]
Say = Callable[[str], None]  # takes one sentence for the person who watches


@dataclass(frozen=True)
class Frame:
    """One picture of a source."""

    index: int  # from 0; of a live source a gap is frames that were replaced by newer ones
    time: float  # s: media time of a file, time since the first frame of a live source
    gray: Pixels  # [H, W]
    bgr: Pixels | None = None  # [H, W, 3], blue first; None unless colour was asked for
    picture: str | None = None  # file name, from a folder of pictures
    capture_time: float | None = None  # s of time.monotonic(), of the exposure; None from a file


@dataclass(frozen=True)
class Change:
    """A live source was lost, or is back; it stands between frames."""

    state: str  # "lost" or "back"
    time: float  # s since the first frame
    why: str  # a sentence


class SourceLost(UserError):
    """A live source that ran and then gave no more frames; exit code 4."""


class Source(Protocol):
    """Where frames come from."""

    @property
    def name(self) -> str:
        """What a person calls it, without passwords."""
        ...

    @property
    def fps(self) -> float | None:
        """Frames per second that it promises; None where it does not say."""
        ...

    @property
    def total(self) -> int | None:
        """How many frames it has, about; None where that is unknown or it is live."""
        ...

    @property
    def live(self) -> bool:
        """Whether it goes on while nobody looks, so that only its newest frame counts."""
        ...

    @property
    def dropped(self) -> int:
        """Frames so far that were replaced by newer ones before anybody took them."""
        ...

    def frames(self) -> Iterator[Frame | Change]:
        """Yield every frame of a file, or the newest of a live source; call it once.

        A live source that is lost is opened again and again; it says so by a Change in between.
        Raises UserError where there is nothing to read, SourceLost where a live source is given up.
        """
        ...

    def close(self) -> None:
        """Give the camera, file or connection back; harmless the second time."""
        ...


@dataclass(frozen=True)
class CameraConfig:
    """What is asked of a camera; it may give something else, which is read back and said."""

    width: int = 640  # px
    height: int = 480  # px
    fps: float = 30.0
    asked: bool = False  # whether the user asked for it, so that a difference is worth a sentence
    stall_s: float = 5.0  # s without a frame after which a camera or stream counts as lost
    exposure_us: int | None = None  # microseconds; None: automatic. This and the next two: Pi only
    gain: float | None = None  # of the sensor's amplifier, 1 is none; None: automatic
    focus_m: float | None = None  # m, may be infinite; None: continuous autofocus where there is

    @property
    def controls(self) -> bool:
        """Whether it asks for something that only a Pi camera lets Mien set."""
        return (self.exposure_us, self.gain, self.focus_m) != (None, None, None)


@dataclass(frozen=True)
class ReadOptions:
    """How files and streams are read."""

    max_pixels: int = MAX_PIXELS  # of a picture; one with more is refused before it is decoded
    input_fps: float | None = None  # frames per second of a video file, instead of its own times
    insecure: bool = False  # take https and rtsps from servers whose certificate is not trusted
    every_s: float | None = None  # s between two pictures of a snapshot address; None: one picture


@dataclass(frozen=True)
class CapturedFrame:
    """One picture as a device gives it."""

    capture_time: float  # s of time.monotonic(): of the exposure, else of arrival
    gray: Pixels  # [H, W]
    bgr: Pixels | None  # [H, W, 3], blue first


class Device(Protocol):
    """An opened camera or stream: what `LiveSource` reads in a thread of its own."""

    name: str
    fps: float | None

    def read(self) -> CapturedFrame:
        """Wait for the next picture, for `CameraConfig.stall_s` at most; raises SourceLost."""
        ...

    def close(self) -> None:
        """Give the device back; called by the thread that reads, so it may take its time."""
        ...


def usable_fps(value: float) -> float | None:
    """Return a frame rate as OpenCV reports it, or None where it is 0, NaN or no frame rate.

    Streams and files with a variable rate report their clock instead (1000, 90000).
    """
    return float(value) if 0 < value <= 300 else None
