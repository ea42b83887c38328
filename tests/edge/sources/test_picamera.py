"""The Pi camera: what is asked of picamera2, its gray, its errors as sentences."""

from __future__ import annotations

import itertools
import math
import re
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from fake_picamera2 import CSI, USB, Bench, install, uninstall
from mien.errors import UserError
from mien.sources import CameraConfig, Change, Frame, SourceLost, live, open_source, picamera, v4l2
from mien.sources.picamera import on_monotonic_clock


def next_frame(items: Iterator[Frame | Change]) -> Frame:
    frame = next(items)
    assert isinstance(frame, Frame)
    return frame


def test_gray_is_the_cameras_own(monkeypatch: pytest.MonkeyPatch) -> None:
    bench = Bench([CSI])
    install(monkeypatch, bench)
    source = open_source("picamera", mode=CameraConfig(650, 480, 15, asked=True))
    frames = source.frames()
    frame = next_frame(frames)
    assert frame.gray.shape == (480, 650)  # rows are 704 bytes long
    assert frame.gray[:, 325:].max() == frame.index
    assert frame.gray[:, :325].max() == 0
    assert frame.bgr is None
    camera = bench.opened[0]
    assert camera.config["lores"]["format"] == "YUV420"
    assert camera.config["controls"] == {"FrameDurationLimits": (66667, 66667)}
    assert 2 <= camera.config["buffer_count"] <= 4
    source.close()
    assert camera.closed
    assert bench.held == 0


def test_colour_is_blue_first(monkeypatch: pytest.MonkeyPatch) -> None:
    install(monkeypatch, Bench([CSI]))
    source = open_source("picamera:0", want_color=True)
    frame = next_frame(source.frames())
    assert frame.bgr is not None
    assert frame.bgr.shape == (480, 640, 3)
    assert frame.bgr[0, 0].tolist() == [200, 0, 0]
    assert np.array_equal(frame.bgr[:, :, 1], frame.gray)
    source.close()


def test_a_size_that_the_camera_changes_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    install(monkeypatch, Bench([CSI]))
    said: list[str] = []
    source = open_source("picamera", mode=CameraConfig(641, 481, asked=True), say=said.append)
    assert next_frame(source.frames()).gray.shape == (480, 640)
    assert said == ["picamera:0 gives 640x480, not 641x481"]
    source.close()


def test_the_sensors_clock_becomes_ours(monkeypatch: pytest.MonkeyPatch) -> None:
    # 100 s asleep: the one clock goes on meanwhile, the other does not.
    monkeypatch.setattr(time, "monotonic_ns", lambda: 7_000_000_000)
    monkeypatch.setattr(time, "clock_gettime_ns", lambda clock: 107_000_000_000)
    assert on_monotonic_clock(106_960_000_000) == pytest.approx(6.96)
    monkeypatch.undo()
    stamps = []

    def stamp() -> int:  # the sensor's time is 25 ms before the frame is complete
        stamps.append(time.monotonic() - 0.025)
        return time.clock_gettime_ns(time.CLOCK_BOOTTIME) - 25_000_000

    install(monkeypatch, Bench([CSI], stamp=stamp))
    source = open_source("picamera")
    items = source.frames()
    frames = [next_frame(items) for _ in range(3)]
    source.close()
    for frame in frames:
        assert frame.capture_time is not None
        assert min(abs(frame.capture_time - taken) for taken in stamps) < 1e-3
        assert frame.time == pytest.approx(
            frame.capture_time - (frames[0].capture_time or 0), abs=1e-6
        )


FULL = ("FrameDurationLimits", "ExposureTime", "AnalogueGain", "AfMode", "LensPosition")
LIMITS = {"FrameDurationLimits": (33333, 83333)}


@pytest.mark.parametrize(
    ("known", "mode", "controls"),
    [
        (FULL[:2], CameraConfig(), LIMITS),
        (FULL, CameraConfig(), LIMITS | {"AfMode": 2}),
        (FULL, CameraConfig(focus_m=0.5), LIMITS | {"AfMode": 0, "LensPosition": 2.0}),
        (FULL, CameraConfig(focus_m=math.inf), LIMITS | {"AfMode": 0, "LensPosition": 0.0}),
        (
            FULL[:3],
            CameraConfig(exposure_us=8000, gain=4.0),
            LIMITS | {"ExposureTime": 8000, "AnalogueGain": 4.0},
        ),
        (
            FULL[:3],
            CameraConfig(fps=30, asked=True, exposure_us=100_000),
            {"FrameDurationLimits": (33333, 100_000), "ExposureTime": 100_000},
        ),
    ],
)
def test_controls_that_the_camera_has(
    monkeypatch: pytest.MonkeyPatch,
    known: tuple[str, ...],
    mode: CameraConfig,
    controls: dict[str, object],
) -> None:
    bench = Bench([CSI], controls=known)
    install(monkeypatch, bench)
    open_source("picamera", mode=mode).close()
    assert bench.opened[0].config["controls"] == controls


def test_controls_that_it_has_not(monkeypatch: pytest.MonkeyPatch) -> None:
    bench = Bench([CSI])
    install(monkeypatch, bench)
    said: list[str] = []
    open_source("picamera", mode=CameraConfig(focus_m=1.0), say=said.append).close()
    assert said == ["picamera:0 has no focus to set; it is left as it is"]
    with pytest.raises(UserError, match="ExposureTime goes from 26 to 220416, and 5 was asked"):
        open_source("picamera", mode=CameraConfig(exposure_us=5))
    assert all(camera.closed for camera in bench.opened)


WIDE = CSI | {"Model": "imx708_wide", "Id": "/base/soc/i2c0mux/i2c@0/imx708@1a", "Num": 1}


@pytest.mark.parametrize(
    ("spec", "number"), [("imx708", 0), ("IMX708", 0), ("wide", 1), ("i2c@0", 1), ("1", 1)]
)
def test_a_camera_by_name(monkeypatch: pytest.MonkeyPatch, spec: str, number: int) -> None:
    bench = Bench([CSI, WIDE])
    install(monkeypatch, bench)
    source = open_source(f"picamera:{spec}")
    assert source.name == f"picamera:{number}"
    assert bench.opened[0].number == number
    source.close()


def test_names_that_do_not_tell(monkeypatch: pytest.MonkeyPatch) -> None:
    install(monkeypatch, Bench([CSI, WIDE]))
    listed = r"there is 0 \(imx708\), 1 \(imx708_wide\)\."
    with pytest.raises(UserError, match=f"no Pi camera named ov5647; {listed}"):
        open_source("picamera:ov5647")
    with pytest.raises(UserError, match=f"imx is the name of several Pi cameras; {listed}"):
        open_source("picamera:imx")


@pytest.fixture
def quick(monkeypatch: pytest.MonkeyPatch) -> CameraConfig:
    monkeypatch.setattr(live, "RETRY_FIRST_S", 0.02)
    monkeypatch.setattr(live, "RETRY_MAX_S", 0.05)
    return CameraConfig(stall_s=0.3)


def test_frames_that_stop(monkeypatch: pytest.MonkeyPatch, quick: CameraConfig) -> None:
    bench = Bench([WIDE, CSI], frames=5)
    install(monkeypatch, bench)
    said: list[str] = []
    source = open_source("picamera:imx708", mode=quick, say=said.append, give_up=9)
    items = source.frames()
    before = [*itertools.takewhile(lambda item: isinstance(item, Frame), items)]
    assert said[0].startswith("picamera:1 gave no frame for 0.3 s; check its ribbon. Looking for")
    assert len(said) == 1
    bench.cameras = [CSI]  # the other one is gone, this one has another number
    assert next(items).state == "back"  # type: ignore[union-attr]
    after = next_frame(items)
    assert after.index > before[-1].index  # type: ignore[union-attr]
    assert after.time > before[-1].time
    assert [camera.number for camera in bench.opened] == [1, 0]
    assert [camera.closed for camera in bench.opened] == [True, False]
    assert re.fullmatch(r"picamera:1 is back after \d+ s\.", said[1])
    source.close()
    assert bench.opened[1].closed
    assert bench.held == 0


def test_a_camera_may_take_longer_to_wake_than_to_stall(monkeypatch: pytest.MonkeyPatch) -> None:
    install(monkeypatch, Bench([CSI], wakes=0.5))
    source = open_source("picamera", mode=CameraConfig(stall_s=0.2))
    assert next_frame(source.frames()).gray.shape == (480, 640)
    source.close()
    monkeypatch.setattr(live, "WARM_UP_S", 0.3)
    source = open_source("picamera", mode=CameraConfig(stall_s=0.2))
    with pytest.raises(SourceLost, match=r"no frame for 0\.3 s; check its ribbon"):
        next(source.frames())
    source.close()


def test_a_close_that_hangs(monkeypatch: pytest.MonkeyPatch, quick: CameraConfig) -> None:
    monkeypatch.setattr(live, "CLOSE_S", 0.1)
    bench = Bench([CSI], frames=3, hangs=threading.Event())
    install(monkeypatch, bench)
    said: list[str] = []
    source = open_source("picamera", mode=quick, say=said.append, give_up=20)
    items = source.frames()
    while isinstance(next(items), Frame):
        pass
    assert bench.hangs is not None
    threading.Timer(0.5, bench.hangs.set).start()
    start = time.monotonic()
    assert next(items).state == "back"  # type: ignore[union-attr]
    assert time.monotonic() - start > 0.3  # it was refused as long as the first one held it
    assert said[1] == "picamera:0 does not let go of its device; start mien again if it stays so."
    assert len(said) == 3
    source.close()


def test_a_close_that_hangs_for_ever_does_not_hold_the_end_up(
    monkeypatch: pytest.MonkeyPatch, quick: CameraConfig
) -> None:
    bench = Bench([CSI], frames=3, hangs=threading.Event())
    install(monkeypatch, bench)
    source = open_source("picamera", mode=quick, say=lambda sentence: None, give_up=0.7)
    start = time.monotonic()
    with pytest.raises(SourceLost, match=r"no frame for 0\.7 s and is given up: .* its ribbon"):
        list(source.frames())
    assert time.monotonic() - start < 2
    assert bench.hangs is not None
    bench.hangs.set()
    source.close()


def test_a_camera_that_fails_is_lost(monkeypatch: pytest.MonkeyPatch, quick: CameraConfig) -> None:
    bench = Bench([CSI])
    install(monkeypatch, bench)
    source = open_source("picamera", mode=quick, say=lambda sentence: None, give_up=0)
    items = source.frames()
    next(items)

    def fail(**keywords: object) -> None:
        raise RuntimeError("Camera is not running")

    bench.opened[0].capture_request = fail
    with pytest.raises(SourceLost, match="picamera:0 failed"):
        list(items)


def test_busy(monkeypatch: pytest.MonkeyPatch) -> None:
    install(monkeypatch, Bench([CSI], busy=True))
    with pytest.raises(UserError, match="in use by another program"):
        open_source("picamera")
    monkeypatch.setattr(picamera, "processes_using", lambda held: "rpicam-hello (process 812)")
    with pytest.raises(UserError, match=r"in use by rpicam-hello \(process 812\); stop that"):
        open_source("picamera")


@pytest.mark.parametrize("version", ["0.3.36", "0.3.38"])
def test_no_such_camera(monkeypatch: pytest.MonkeyPatch, version: str) -> None:
    bench = Bench([CSI], version=version)
    install(monkeypatch, bench)
    with pytest.raises(UserError, match=r"no Pi camera number 1; there is 0 \(imx708\)"):
        open_source("picamera:1")
    bench.cameras = []
    with pytest.raises(UserError, match="libcamera finds none: check its ribbon"):
        open_source("picamera")
    # One that goes between the question and the opening.
    camera_class = sys.modules["picamera2"].Picamera2
    monkeypatch.setattr(camera_class, "global_camera_info", staticmethod(lambda: [CSI]))
    with pytest.raises(UserError, match="does not open"):
        open_source("picamera")


def test_a_camera_that_does_not_start_is_given_back(monkeypatch: pytest.MonkeyPatch) -> None:
    bench = Bench([CSI])
    install(monkeypatch, bench)
    with pytest.raises(UserError, match="does not start"):
        open_source("picamera", mode=CameraConfig(9000, 9000))
    assert bench.opened[0].closed
    bench.lores_format = "RGB888"
    with pytest.raises(UserError, match="instead of YUV420"):
        open_source("picamera")


def test_not_installed(monkeypatch: pytest.MonkeyPatch) -> None:
    uninstall(monkeypatch)
    with pytest.raises(UserError, match="sudo apt install python3-picamera2"):
        open_source("picamera")


def test_built_for_another_numpy(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / "picamera2.py").write_text(
        "raise ValueError('numpy.dtype size changed, may indicate binary incompatibility')\n"
    )
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.delitem(sys.modules, "picamera2", raising=False)
    with pytest.raises(UserError, match=r"does not import .*size changed.*numpy<2"):
        open_source("picamera")


def test_auto_takes_the_pi_camera_and_not_a_webcam_that_libcamera_lists(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(v4l2, "DEV", tmp_path)
    bench = Bench([CSI, USB])
    install(monkeypatch, bench)
    source = open_source("auto")
    assert source.name == "picamera:0"
    source.close()
    bench.cameras = [USB]
    with pytest.raises(UserError) as caught:
        open_source("auto")
    assert "no Pi camera is connected" in str(caught.value)
    assert "no USB camera stands under /dev/video*" in str(caught.value)


def test_auto_without_anything(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(v4l2, "DEV", tmp_path)
    uninstall(monkeypatch)
    with pytest.raises(UserError) as caught:
        open_source("auto")
    for part in ("picamera2 is not installed", "/dev/video*", "mien run clip.mp4"):
        assert part in str(caught.value)
