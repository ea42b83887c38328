"""A stand-in for picamera2 that behaves as versions 0.3.36 and 0.3.38 do.

After their source and what the real package did on libcamera's virtual camera: names and
parameters, sizes made even, rows padded to the stride in YUV420 but not in RGB888, requests that
must be released, a timed-out job that stays queued, errors and their causes.
"""

from __future__ import annotations

import concurrent.futures
import sys
import threading
import time
import types
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pytest


@dataclass
class Bench:
    """The cameras that are connected and what they do."""

    cameras: list[dict[str, Any]]
    version: str = "0.3.38"
    busy: bool = False
    frames: int = 10**9  # until they stop
    controls: tuple[str, ...] = ("FrameDurationLimits", "ExposureTime")
    lores_format: str = "YUV420"
    largest: tuple[int, int] = (4608, 2592)
    opened: list[Any] = field(default_factory=list)
    held: int = 0  # requests not released
    wakes: float = 0.0  # s from start to the first frame
    hangs: threading.Event | None = None  # stop() waits for it, as after a lost CSI link
    stamp: Callable[[], int] = lambda: time.clock_gettime_ns(time.CLOCK_BOOTTIME)


CSI = {
    "Model": "imx708",
    "Location": 2,
    "Rotation": 180,
    "Id": "/base/soc/i2c0mux/i2c@1/imx708@1a",
    "Num": 0,
}
USB = {
    "Model": "A Webcam",
    "Id": "/base/scb/pcie@7d500000/pci@0,0/usb@0,0-1.3:1.0-046d:0825",
    "Num": 1,
}


# As an imx708 on a Pi 5 has them.
RANGES = {
    "FrameDurationLimits": (8333, 220417, None),
    "ExposureTime": (26, 220416, None),
    "AnalogueGain": (1.12, 16.0, None),
    "AfMode": (0, 2, 0),
    "LensPosition": (0.0, 32.0, 1.0),
}


class Request:
    """picamera2.request.CompletedRequest."""

    def __init__(self, camera: Any, number: int) -> None:
        self._camera = camera
        self._number = number
        self._released = False
        self._stamp = camera.bench.stamp()
        camera.bench.held += 1

    def make_array(self, name: str) -> np.ndarray:
        assert not self._released
        config = self._camera.config[name]
        width, height = config["size"]
        gray = np.full((height, width), self._number, np.uint8)
        gray[:, : width // 2] = 0
        if config["format"] == "RGB888":
            bgr = np.dstack([np.full_like(gray, 200), gray, np.zeros_like(gray)])
            return bgr  # B, G, R; the padding is cut off
        padded = np.full((height * 3 // 2, config["stride"]), 99, np.uint8)
        padded[:height, :width] = gray
        return padded

    def get_metadata(self) -> dict[str, Any]:
        return {"SensorTimestamp": self._stamp}

    def release(self) -> None:
        assert not self._released
        self._released = True
        self._camera.bench.held -= 1


def make_class(bench: Bench) -> type:
    """Return a Picamera2 class for a bench."""

    class Picamera2:
        def __init__(
            self,
            camera_num: int = 0,
            verbose_console: Any = None,
            tuning: Any = None,
            allocator: Any = None,
        ) -> None:
            if camera_num >= len(bench.cameras):
                if bench.version == "0.3.36":
                    raise IndexError("list index out of range")
                raise RuntimeError(f"No camera number {camera_num} found")
            # The process that has a camera is refused a second time like any other.
            if bench.busy or any(c.number == camera_num and not c.closed for c in bench.opened):
                cause = RuntimeError("Failed to acquire camera: Device or resource busy")
                raise RuntimeError("Camera __init__ sequence did not complete.") from cause
            self.bench = bench
            self.number = camera_num
            self.camera_controls = {name: RANGES[name] for name in bench.controls}
            self.config: dict[str, Any] = {}
            self.running = False
            self.closed = False
            self.jobs = 0
            self.count = 0
            bench.opened.append(self)

        @staticmethod
        def global_camera_info() -> list[dict[str, Any]]:
            return bench.cameras

        def create_preview_configuration(
            self,
            main: Any = {},  # noqa: B006 - as in picamera2
            lores: Any = None,
            raw: Any = {},  # noqa: B006
            transform: Any = None,
            colour_space: Any = None,
            buffer_count: int = 4,
            controls: Any = {},  # noqa: B006
            display: str = "main",
            encode: str = "main",
            queue: bool = True,
            sensor: Any = {},  # noqa: B006
            use_case: str = "preview",
        ) -> dict[str, Any]:
            return {
                "main": dict(main),
                "lores": dict(lores) if lores else None,
                "buffer_count": buffer_count,
                "queue": queue,
                "controls": {"FrameDurationLimits": (100, 83333)} | controls,
            }

        def configure(self, camera_config: dict[str, Any]) -> None:
            for name in camera_config["controls"]:
                if name not in self.camera_controls:
                    raise RuntimeError(f"Control {name} is not advertised by libcamera")
            if max(camera_config["main"]["size"]) > max(bench.largest):
                raise RuntimeError("lores stream dimensions may not exceed main stream")
            for name in ("main", "lores"):
                stream = camera_config[name]
                width, height = (value - value % 2 for value in stream["size"])
                stream["size"] = (width, height)
                stream["stride"] = -(-width // 64) * 64 * (3 if stream["format"] == "RGB888" else 1)
            camera_config["lores"]["format"] = bench.lores_format
            self.config = camera_config

        def camera_configuration(self) -> dict[str, Any]:
            return self.config

        def start(self, config: Any = None, show_preview: Any = False) -> None:
            assert self.config
            self.running = True
            self.awake = time.monotonic() + bench.wakes

        def capture_request(
            self, wait: Any = None, signal_function: Any = None, flush: Any = None
        ) -> Request:
            assert self.running
            assert isinstance(wait, float), "waits for ever when frames stop"
            starved = bench.held >= self.config["buffer_count"] or self.count >= bench.frames
            if starved or time.monotonic() < self.awake:
                self.jobs += 1
                time.sleep(min(wait, 0.05))
                raise concurrent.futures.TimeoutError
            time.sleep(0.002)
            self.count += 1
            return Request(self, self.count - 1)

        def cancel_all_and_flush(self) -> None:
            self.jobs = 0

        def stop(self) -> None:
            assert self.jobs == 0, "would wait for ever behind a job that never ends"
            if self.bench.hangs is not None and self.running:
                self.bench.hangs.wait(10)
            self.running = False

        def close(self) -> None:
            self.stop()
            self.closed = True

    return Picamera2


def install(monkeypatch: pytest.MonkeyPatch, bench: Bench) -> None:
    """Let `from picamera2 import Picamera2` find the stand-in."""
    module = types.ModuleType("picamera2")
    module.Picamera2 = make_class(bench)  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "picamera2", module)


def uninstall(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let `import picamera2` fail as where it is not installed, whatever this machine has."""
    monkeypatch.setitem(sys.modules, "picamera2", None)
