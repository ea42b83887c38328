"""The Pi camera: what is asked of picamera2, its gray, its errors as sentences."""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import pytest
from fake_picamera2 import CSI, USB, Bench, install, uninstall

from edge.errors import UserError
from edge.sources import CameraMode, SourceLost, open_source, v4l2


def test_gray_is_the_cameras_own(monkeypatch: pytest.MonkeyPatch) -> None:
    bench = Bench([CSI])
    install(monkeypatch, bench)
    source = open_source("picamera", mode=CameraMode(650, 480, 15, asked=True))
    frames = source.frames()
    frame = next(frames)
    assert frame.gray.shape == (480, 650)  # rows are 704 bytes long
    assert frame.gray[:, 325:].max() == frame.index
    assert frame.gray[:, :325].max() == 0
    assert frame.bgr is None
    later = next(frames)
    assert later.time == pytest.approx((later.index - frame.index) * 0.033333)
    camera = bench.opened[0]
    assert camera.config["lores"]["format"] == "YUV420"
    assert camera.config["controls"] == {"FrameDurationLimits": (66667, 66667)}
    assert 2 <= camera.config["buffer_count"] <= 4
    source.close()
    assert camera.closed
    assert bench.held == 0


def test_colour_is_blue_first(monkeypatch: pytest.MonkeyPatch) -> None:
    install(monkeypatch, Bench([CSI]))
    source = open_source("picamera:0", want_colour=True)
    frame = next(source.frames())
    assert frame.bgr is not None
    assert frame.bgr.shape == (480, 640, 3)
    assert frame.bgr[0, 0].tolist() == [200, 0, 0]
    assert np.array_equal(frame.bgr[:, :, 1], frame.gray)
    source.close()


def test_a_size_that_the_camera_changes_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    install(monkeypatch, Bench([CSI]))
    said: list[str] = []
    source = open_source("picamera", mode=CameraMode(641, 481, asked=True), say=said.append)
    assert next(source.frames()).gray.shape == (480, 640)
    assert said == ["picamera:0 gives 640x480, not 641x481"]
    source.close()


def test_autofocus_where_there_is_one(monkeypatch: pytest.MonkeyPatch) -> None:
    bench = Bench([CSI], controls=("FrameDurationLimits", "AfMode"))
    install(monkeypatch, bench)
    open_source("picamera").close()
    assert bench.opened[0].config["controls"] == {
        "FrameDurationLimits": (33333, 83333),
        "AfMode": 2,
    }


def test_frames_that_stop(monkeypatch: pytest.MonkeyPatch) -> None:
    bench = Bench([CSI], frames=5)
    install(monkeypatch, bench)
    source = open_source("picamera")
    with pytest.raises(SourceLost, match="picamera:0 gave no frame for 6 s; check its ribbon"):
        list(source.frames())
    assert bench.opened[0].closed


def test_busy(monkeypatch: pytest.MonkeyPatch) -> None:
    install(monkeypatch, Bench([CSI], busy=True))
    with pytest.raises(UserError, match="in use by another program"):
        open_source("picamera")


@pytest.mark.parametrize("version", ["0.3.36", "0.3.38"])
def test_no_such_camera(monkeypatch: pytest.MonkeyPatch, version: str) -> None:
    bench = Bench([CSI], version=version)
    install(monkeypatch, bench)
    with pytest.raises(UserError, match=r"no Pi camera number 1; there is 0 \(imx708\)"):
        open_source("picamera:1")
    bench.cameras = []
    with pytest.raises(UserError, match="none is connected: check its ribbon"):
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
        open_source("picamera", mode=CameraMode(9000, 9000))
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
