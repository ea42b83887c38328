"""USB cameras: the search for nodes, what is asked of a camera, its gray, its loss."""

from __future__ import annotations

import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
import pytest
from fake_v4l2 import CAPTURE, CODEC, METADATA, FakeCapture, Webcam, answer, plug, querycap
from mien.errors import UserError
from mien.sources import CameraConfig, Change, Frame, SourceLost, live, open_source, v4l2
from mien.sources.live import LiveSource
from mien.sources.usb import find_usb, open_usb

VGA = (640, 480)
HD = (1280, 720)
# What a common webcam says of itself.
COMMON = {"YUYV": {VGA: 30.0, HD: 10.0}, "MJPG": {VGA: 30.0, HD: 30.0}}


@pytest.fixture
def dev(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A /dev with two webcams, each with its metadata node, and a Pi's codec and raw camera."""
    plug(
        tmp_path,
        {
            "video0": querycap("platform:unicam", CAPTURE, "unicam", "unicam"),
            "video2": querycap("usb-xhci-1.3", METADATA),
            "video4": querycap("usb-xhci-1.3", CAPTURE, "Desk Cam"),
            "video5": querycap("usb-xhci-1.3", CAPTURE, "Desk Cam infrared"),
            "video10": querycap("usb-xhci-1.1", CAPTURE, "Door Cam"),
            "video11": querycap("platform:codec", CODEC, "bcm2835-codec", "bcm2835-codec"),
            "video12": b"",
        },
    )
    monkeypatch.setattr(v4l2, "DEV", tmp_path)
    monkeypatch.setattr(v4l2, "query_capabilities", answer)
    monkeypatch.setattr(cv2, "VideoCapture", FakeCapture)
    FakeCapture.opened = []
    FakeCapture.cameras = {str(tmp_path / f"video{n}"): Webcam(COMMON) for n in (0, 4, 10)}
    return tmp_path


def open_at(path: Path, mode: CameraConfig, colour: bool = False) -> tuple[LiveSource, list[str]]:
    """Open a camera as one that ends when it is lost."""
    said: list[str] = []
    source = open_usb(path, mode, colour, said.append, give_up=0)
    return source, said


def next_frame(source: LiveSource) -> Frame:
    frame = next(source.frames())
    assert isinstance(frame, Frame)
    return frame


def test_the_search_skips_metadata_codecs_and_the_pi_cameras_raw_side(dev: Path) -> None:
    assert [(camera.path.name, camera.card) for camera in v4l2.usb_cameras()] == [
        ("video4", "Desk Cam"),
        ("video10", "Door Cam"),
    ]


@pytest.mark.parametrize(
    ("spec", "node"),
    [
        ("auto", 4),
        ("usb", 4),
        ("usb:0", 4),
        ("usb:1", 10),
        ("usb:desk", 4),
        ("usb:Door Cam", 10),
        ("usb:046D_0825", 10),  # as udev names it
    ],
)
def test_a_camera_by_number_or_name(dev: Path, spec: str, node: int) -> None:
    link(dev, "usb-046d_0825_5E2A11-video-index0", "video10")
    source = open_source(spec)
    assert source.name == str(dev / f"video{node}")
    frame = next(source.frames())
    assert frame.gray.shape == (480, 640)
    source.close()
    assert FakeCapture.opened[0].released


def test_wrong_numbers_and_nodes(dev: Path) -> None:
    with pytest.raises(UserError, match=r"no USB camera number 2; there is .*video4 \(Desk Cam\)"):
        open_source("usb:2")
    for name, part in {
        "video0": "raw side of a Pi camera",
        "video2": "gives no pictures",
        "video11": "gives no pictures",
        "video12": "is not a camera; there is",
        "video99": "does not exist; there is",
    }.items():
        with pytest.raises(UserError, match=part):
            open_usb(dev / name, CameraConfig(), False, print)
    with pytest.raises(UserError, match=r"no USB camera named C920; there is .*\(Desk Cam\)"):
        open_source("usb:C920")
    with pytest.raises(UserError, match=r"several USB cameras: .*video4, .*by-id"):
        open_source("usb:cam")
    with pytest.raises(UserError, match=r"on a Pi camera only.*v4l2-ctl -d"):
        open_source("usb", mode=CameraConfig(gain=2.0))
    assert not FakeCapture.opened


def test_busy_says_by_whom(dev: Path) -> None:
    FakeCapture.cameras[str(dev / "video4")].busy = True
    script = dev / "motion.py"
    script.write_text("import sys; file = open(sys.argv[1]); print('open', flush=True); input()")
    words = [sys.executable, str(script), str(dev / "video4")]
    with subprocess.Popen(words, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as other:
        assert other.stdout is not None
        other.stdout.readline()
        with pytest.raises(UserError) as caught:
            open_source("usb")
        assert other.stdin is not None
        other.stdin.close()
    expected = f"video4 is in use by motion.py (process {other.pid}); end that program."
    assert str(caught.value).endswith(expected)


def test_busy_and_forbidden(dev: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    FakeCapture.cameras[str(dev / "video4")].busy = True
    with pytest.raises(UserError, match="another program has it"):
        open_source("usb")
    assert FakeCapture.opened[0].released
    monkeypatch.setattr("os.access", lambda path, mode: False)  # the tests may run as root
    with pytest.raises(UserError, match="usermod -aG video"):
        open_source("usb")


def test_no_usb_camera(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(v4l2, "DEV", tmp_path)
    with pytest.raises(UserError, match="no USB camera is connected"):
        open_source("usb")


def test_small_pictures_stay_raw_and_large_ones_are_mjpg(dev: Path) -> None:
    for mode, fourcc in (
        (CameraConfig(640, 480, 30), "YUYV"),
        (CameraConfig(1280, 720, 10), "YUYV"),
        (CameraConfig(1280, 720, 30), "MJPG"),
    ):
        _, said = open_at(dev / "video4", mode)
        capture = FakeCapture.opened[-1]
        assert capture.fourcc == fourcc
        assert capture.size == (mode.width, mode.height)
        assert capture.order[:5] == [
            cv2.CAP_PROP_FOURCC,
            cv2.CAP_PROP_FRAME_WIDTH,
            cv2.CAP_PROP_FRAME_HEIGHT,
            cv2.CAP_PROP_FPS,
            cv2.CAP_PROP_BUFFERSIZE,
        ]
        assert said == []


def test_what_the_camera_cannot_is_read_back_and_said(dev: Path) -> None:
    source, said = open_at(dev / "video4", CameraConfig(1920, 1080, 60, asked=True))
    assert source.fps == 30
    assert len(said) == 1
    assert "gives 640x480 at 30 frames/s, not 1920x1080 at 60" in said[0]
    source, said = open_at(dev / "video4", CameraConfig(1920, 1080, 60))
    assert said == []  # nobody asked


@pytest.mark.parametrize("fourcc", ["YUYV", "UYVY", "MJPG", "NV12", "YU12", "GREY", "BGR3"])
@pytest.mark.parametrize("colour", [False, True])
def test_gray_of_every_format(dev: Path, fourcc: str, colour: bool) -> None:
    FakeCapture.cameras[str(dev / "video4")] = Webcam({fourcc: {VGA: 30.0}})
    source, _ = open_at(dev / "video4", CameraConfig(), colour)
    capture = FakeCapture.opened[-1]
    assert capture.convert == (1 if colour or fourcc == "BGR3" else 0)
    frames = source.frames()
    for _ in range(4):
        frame = next(frames)
        assert isinstance(frame, Frame)
        assert frame.gray.shape == (480, 640)
        assert frame.gray.dtype == np.uint8
        assert frame.gray[:, :300].max() <= 3
        # The same with colour and without, or a face would read otherwise with --video.
        assert abs(int(frame.gray[:, 340:].mean()) - 40 * frame.index % 256) <= 2
        assert (frame.bgr is not None) == colour
    source.close()


def test_an_opencv_that_always_converts(dev: Path) -> None:
    FakeCapture.cameras[str(dev / "video4")].raw_allowed = False
    source, _ = open_at(dev / "video4", CameraConfig())
    assert next_frame(source).gray.shape == (480, 640)
    source.close()


def test_broken_pictures_are_skipped_until_there_are_too_many(dev: Path) -> None:
    camera = Webcam({"MJPG": {VGA: 30.0}}, frames=6, broken={0, 1, 4})
    FakeCapture.cameras[str(dev / "video4")] = camera
    source, _ = open_at(dev / "video4", CameraConfig())
    with pytest.raises(SourceLost, match="gives no more pictures"):
        list(source.frames())
    FakeCapture.cameras[str(dev / "video4")] = Webcam(
        {"MJPG": {VGA: 30.0}}, broken=set(range(1000))
    )
    source, _ = open_at(dev / "video4", CameraConfig())
    with pytest.raises(SourceLost, match="cannot be decoded"):
        next(source.frames())


def test_an_unplug_is_seen_and_the_camera_given_back(dev: Path) -> None:
    FakeCapture.cameras[str(dev / "video4")].frames = 3
    source, _ = open_at(dev / "video4", CameraConfig())
    with pytest.raises(SourceLost, match="check its plug"):
        list(source.frames())
    assert FakeCapture.opened[-1].isOpened()
    assert FakeCapture.opened[-1].released


def link(dev: Path, name: str, node: str) -> Path:
    """Name a node as udev does."""
    place = dev / "v4l" / "by-id" / name
    place.parent.mkdir(parents=True, exist_ok=True)
    place.unlink(missing_ok=True)
    place.symlink_to(dev / node)
    return place


@pytest.mark.parametrize("named", ["by its link", "by udev", "by its plug"])
def test_unplugged_and_plugged_again_under_another_number(
    dev: Path, monkeypatch: pytest.MonkeyPatch, named: str
) -> None:
    monkeypatch.setattr(live, "RETRY_FIRST_S", 0.02)
    monkeypatch.setattr(live, "RETRY_MAX_S", 0.05)
    FakeCapture.cameras[str(dev / "video4")] = Webcam(COMMON, frames=20, interval=0.002)
    path = find_usb("desk")
    if named != "by its plug":
        place = link(dev, "usb-Maker_Desk_Cam-video-index0", "video4")
        path = place if named == "by its link" else path
    said: list[str] = []
    source = open_usb(path, CameraConfig(1280, 720, 30, asked=True), False, said.append, give_up=9)
    items = source.frames()
    indices = []
    while isinstance(item := next(items), Frame):
        indices.append(item.index)
    assert item.state == "lost"
    (dev / "video4").unlink()

    def plug_again() -> None:
        FakeCapture.cameras[str(dev / "video6")] = Webcam(COMMON, interval=0.002)
        # The same camera at another plug, if it has a name; and at its place comes another one.
        bus = "usb-xhci-1.3" if named == "by its plug" else "usb-xhci-1.2"
        plug(dev, {"video6": querycap(bus, CAPTURE, "Desk Cam")})
        if named != "by its plug":
            link(dev, "usb-Maker_Desk_Cam-video-index0", "video6")
        plug(dev, {"video4": querycap("usb-xhci-1.4", CAPTURE, "Desk Cam")})

    threading.Timer(0.2, plug_again).start()
    back = next(items)
    assert isinstance(back, Change)
    assert back.state == "back"
    frame = next(items)
    assert isinstance(frame, Frame)
    assert frame.index > indices[-1]
    assert frame.gray.shape == (720, 1280)
    assert FakeCapture.opened[-1].camera is FakeCapture.cameras[str(dev / "video6")]
    source.close()
    assert all(capture.released for capture in FakeCapture.opened)
    assert len(said) == 2
    assert "gives no more pictures; check its plug. Looking for it" in said[0]


def test_the_drivers_time_stamp_where_it_is_of_our_clock(dev: Path) -> None:
    for clock, ours in {
        lambda: time.monotonic() - 0.04: True,
        time.time: False,  # the time of day: then the moment of arrival is taken
        lambda: 0.0: False,
        lambda: time.monotonic() + 5: False,
    }.items():
        stamps = []

        def stamp(clock: Callable[[], float] = clock, stamps: list[float] = stamps) -> float:
            stamps.append(clock())
            return stamps[-1]

        FakeCapture.cameras[str(dev / "video4")] = Webcam(COMMON, stamp=stamp, interval=0.05)
        start = time.monotonic()
        source, _ = open_at(dev / "video4", CameraConfig())
        capture_time = next_frame(source).capture_time
        assert capture_time is not None
        assert any(capture_time == pytest.approx(value, abs=1e-6) for value in stamps) == ours
        assert start < capture_time < time.monotonic()
        source.close()


def test_the_real_kernel_is_asked(tmp_path: Path) -> None:
    (tmp_path / "video0").touch()
    with pytest.raises(OSError, match="ioctl"):
        v4l2.node(tmp_path / "video0")
    assert v4l2.CAPABILITY.size == 104  # as in QUERYCAP's own number
    assert v4l2.QUERYCAP >> 16 & 0x3FFF == 104
