"""What `mien doctor` says of cameras: names, modes, permissions."""

from __future__ import annotations

import struct
from pathlib import Path
from typing import Any

import fake_picamera2
import pytest
from fake_v4l2 import CAPTURE, METADATA, answer, plug, querycap
from mien.doctor import cameras
from mien.doctor.check import Check
from mien.sources import v4l2

YUYV = int.from_bytes(b"YUYV", "little")
MJPG = int.from_bytes(b"MJPG", "little")
SIZES = {
    YUYV: {(640, 480): [(1, 30), (1, 15)], (1280, 720): [(1, 10)]},
    MJPG: {(1920, 1080): [(1, 30)]},
}


def ioctl(descriptor: int, request: int, buffer: bytearray) -> int:
    """Answer as uvcvideo does, by the structures of linux/videodev2.h."""
    index = struct.unpack_from("I", buffer)[0]
    assert len(buffer) == request >> 16 & 0x3FFF  # the size is part of the request's number
    if request == v4l2.ENUM_FMT:
        formats = list(SIZES)
        assert struct.unpack_from("I", buffer, 4)[0] == 1
        if index < len(formats):
            struct.pack_into("32sI", buffer, 12, b"a format", formats[index])
            return 0
    elif request == v4l2.ENUM_FRAMESIZES:
        sizes = list(SIZES[struct.unpack_from("I", buffer, 4)[0]])
        if index < len(sizes):
            struct.pack_into("3I", buffer, 8, 1, *sizes[index])
            return 0
    elif request == v4l2.ENUM_FRAMEINTERVALS:
        pixels, width, height = struct.unpack_from("3I", buffer, 4)
        rates = SIZES[pixels][(width, height)]
        if index < len(rates):
            struct.pack_into("3I", buffer, 16, 1, *rates[index])
            return 0
    raise OSError(22, "Invalid argument")


def stepwise(descriptor: int, request: int, buffer: bytearray) -> int:
    """Answer as a driver with one format and any size from 32x32 to 1920x1200."""
    if struct.unpack_from("I", buffer)[0] > 0:
        raise OSError(22, "Invalid argument")
    if request == v4l2.ENUM_FMT:
        struct.pack_into("32sI", buffer, 12, b"a format", YUYV)
    elif request == v4l2.ENUM_FRAMESIZES:
        struct.pack_into("7I", buffer, 8, 3, 32, 1920, 2, 32, 1200, 2)
    else:
        raise OSError(25, "Inappropriate ioctl for device")
    return 0


@pytest.fixture
def dev(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(v4l2, "DEV", tmp_path)
    monkeypatch.setattr(v4l2, "query_capabilities", answer)
    fake_picamera2.uninstall(monkeypatch)
    return tmp_path


def found(query: Any = ioctl) -> dict[str, Check]:
    return {check.name: check for check in cameras.cameras(query)}


def test_modes_are_read_from_the_driver(dev: Path) -> None:
    plug(dev, {"video0": querycap("usb-1", CAPTURE)})
    assert v4l2.video_modes(dev / "video0", ioctl) == [
        v4l2.VideoMode("YUYV", 640, 480, 30),
        v4l2.VideoMode("YUYV", 1280, 720, 10),
        v4l2.VideoMode("MJPG", 1920, 1080, 30),
    ]
    assert v4l2.video_modes(dev / "video0", stepwise) == [v4l2.VideoMode("YUYV", 1920, 1200, None)]


def test_a_webcam_is_named_with_its_modes(dev: Path) -> None:
    nodes = {
        "video0": querycap("usb-1", CAPTURE, "Logi C270"),
        "video1": querycap("usb-1", METADATA),
    }
    plug(dev, nodes)
    checks = found()
    assert checks["camera usb:0"].found == (
        f"{dev / 'video0'} (Logi C270): YUYV up to 1280x720 at 10/s, MJPG up to 1920x1080 at 30/s"
    )
    assert "camera usb:1" not in checks
    assert checks["permissions"].state == "ok"


def test_a_webcam_that_offers_nothing_is_told(dev: Path) -> None:
    def silent(descriptor: int, request: int, buffer: bytearray) -> int:
        raise OSError(22, "Invalid argument")

    plug(dev, {"video0": querycap("usb-1", CAPTURE)})
    assert found(silent)["camera usb:0"].state == "warn"


def test_no_camera_is_told_and_no_failure(dev: Path) -> None:
    checks = found()
    assert checks["cameras"].state == "warn"
    assert "plug" in checks["cameras"].remedy


def test_a_camera_that_may_not_be_used_fails(dev: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    plug(dev, {"video0": querycap("usb-1", CAPTURE)})
    monkeypatch.setattr("os.access", lambda path, mode: False)  # the tests may run as root
    assert found()["permissions"].state == "fail"
    assert "usermod -aG video" in found()["permissions"].remedy


def test_a_pi_camera_is_named_with_its_sensors_modes(
    dev: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    bench = fake_picamera2.Bench([fake_picamera2.CSI, fake_picamera2.USB])
    fake_picamera2.install(monkeypatch, bench)
    import picamera2

    sensor = [{"size": (1536, 864), "fps": 120.13}, {"size": (4608, 2592), "fps": 14.35}]
    monkeypatch.setattr(picamera2.Picamera2, "sensor_modes", sensor, raising=False)
    monkeypatch.setattr(picamera2.Picamera2, "close", lambda self: closed.append(self))
    closed: list[object] = []
    checks = found()
    assert checks["camera picamera:0"].found == "imx708: 1536x864 at 120/s, 4608x2592 at 14.3/s"
    assert "camera picamera:1" not in checks  # libcamera lists USB cameras too
    assert len(closed) == 1
    bench.busy = True
    checks = found()
    assert checks["camera picamera:0"].state == "warn"
    assert "in use" in checks["camera picamera:0"].found
