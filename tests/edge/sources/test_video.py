"""Video files and folders of pictures as sources."""

from __future__ import annotations

import os
import re
import struct
import subprocess
import sys
from pathlib import Path

import cv2
import numpy as np
import pytest
from clips import turn_clip, write_clip
from mien.errors import UserError
from mien.sources import Frame, ReadOptions, open_source
from mien.sources.base import usable_fps
from mien.sources.h264 import is_annex_b, stream_rate


def silent(sentence: str) -> None:
    raise AssertionError(f"nothing was to be said, but: {sentence}")


@pytest.mark.parametrize("name", ["clip.mp4", "clip.avi", "clip.mkv"])
def test_every_frame_of_a_video_in_order(tmp_path: Path, name: str) -> None:
    source = open_source(str(write_clip(tmp_path / name)), say=silent)
    frames = list(source.frames())
    source.close()
    assert [frame.index for frame in frames] == list(range(12))
    assert [frame.time for frame in frames] == pytest.approx([i / 25 for i in range(12)], abs=2e-3)
    right = [float(frame.gray[:, 120:].mean()) for frame in frames]
    assert right == pytest.approx([16 + 8 * i for i in range(12)], abs=4)
    assert frames[0].gray.shape == (120, 160)
    assert frames[0].gray.dtype == np.uint8
    assert all(frame.bgr is None for frame in frames)
    assert (source.fps, source.total, source.live) == (25.0, 12, False)


def test_colour_only_when_it_is_wanted(tmp_path: Path) -> None:
    source = open_source(str(write_clip(tmp_path / "clip.mp4")), want_color=True)
    frame = next(source.frames())
    assert frame.bgr is not None
    assert frame.bgr.shape == (120, 160, 3)


def test_a_phones_rotation_is_respected(tmp_path: Path) -> None:
    path = write_clip(tmp_path / "clip.mp4")
    turn_clip(path)
    gray = next(open_source(str(path)).frames()).gray
    assert gray.shape == (160, 120)
    top, bottom = gray[:70].mean(), gray[90:].mean()
    assert top < 8 < bottom  # the black left half is on top now


def test_a_video_that_breaks_off_is_read_as_far_as_it_goes(tmp_path: Path) -> None:
    path = write_clip(tmp_path / "clip.avi", frames=60)
    data = path.read_bytes()
    path.write_bytes(data[: len(data) // 2])
    said: list[str] = []
    frames = list(open_source(str(path), say=said.append).frames())
    assert 10 < len(frames) < 50
    assert said == [
        f"{path} breaks off after {frames[-1].time:.1f} of its 2.4 s: {len(frames)} frames could "
        "be read, and they were."
    ]


def test_no_complaint_when_only_the_reader_stops(tmp_path: Path) -> None:
    source = open_source(str(write_clip(tmp_path / "clip.mp4")), say=silent)
    next(source.frames())
    source.close()


def test_what_is_no_video_is_refused_with_a_sentence(tmp_path: Path) -> None:
    whole = write_clip(tmp_path / "whole.mp4").read_bytes()
    write_clip(tmp_path / "none.mp4", frames=0)
    (tmp_path / "cut.mp4").write_bytes(whole[: len(whole) * 2 // 3])
    (tmp_path / "empty.mp4").touch()
    (tmp_path / "text.mp4").write_text("This is no video.\n" * 50)
    (tmp_path / "text.txt").write_text("FFmpeg would show this as a film.\n" * 50)
    for name, part in {
        "none.mp4": "cannot be read as a video",
        "cut.mp4": "incomplete",
        "empty.mp4": "is empty",
        "text.mp4": "cannot be read as a video",
        "text.txt": "cannot be read as a video",
        "missing.mp4": "is not a file, folder or camera",
    }.items():
        with pytest.raises(UserError, match=part) as caught:
            list(open_source(str(tmp_path / name)).frames())
        assert name in str(caught.value)


def test_a_video_without_a_frame(tmp_path: Path) -> None:
    path = write_clip(tmp_path / "clip.avi")
    data = bytearray(path.read_bytes())
    start = data.index(b"movi") + 4
    data[start:] = bytes(len(data) - start)  # the header says twelve frames; there are none
    path.write_bytes(data)
    with pytest.raises(UserError, match=r"clip\.avi (holds no frame|cannot be read)"):
        list(open_source(str(path)).frames())


@pytest.mark.parametrize("fps", [0.0, -1.0, float("nan"), float("inf"), 90000.0])
def test_a_rate_that_is_none(fps: float) -> None:
    assert usable_fps(fps) is None


class Clockless:
    """A capture whose container has neither a rate nor times, as raw streams do."""

    def __init__(self) -> None:
        self.left = 3

    def get(self, what: int) -> float:
        return float("nan") if what == cv2.CAP_PROP_FPS else 0.0

    def read(self) -> tuple[bool, np.ndarray | None]:
        self.left -= 1
        return (True, np.zeros((4, 4, 3), np.uint8)) if self.left >= 0 else (False, None)


def test_time_goes_on_without_rate_and_times() -> None:
    from mien.sources.video import VideoSource

    source = VideoSource("raw", Clockless(), False, silent)  # type: ignore[arg-type]
    assert source.fps is None
    assert source.total is None
    assert [frame.time for frame in source.frames()] == pytest.approx([0, 0.04, 0.08])


def test_damaged_frames_are_passed_over_and_said(tmp_path: Path) -> None:
    """Five pictures in the middle hold nothing that can be decoded."""
    path = write_clip(tmp_path / "clip.avi", 60)
    data = bytearray(path.read_bytes())
    starts = [match.start() for match in re.finditer(b"\xff\xd8\xff", data)]
    for start in starts[20:25]:
        data[start : start + 300] = bytes(300)
    path.write_bytes(data)
    said: list[str] = []
    frames = list(open_source(str(path), say=said.append).frames())
    assert len(frames) == 55
    assert frames[-1].time == pytest.approx(59 / 25, abs=0.05)
    assert said == [f"{path} is damaged: 5 of its 60 frames could not be read and are left out."]


def test_a_count_that_is_an_estimate_makes_no_video_break_off(tmp_path: Path) -> None:
    """A file of a variable rate states a duration per frame that few of its frames have."""
    path = write_clip(tmp_path / "clip.mkv", 30)
    data = bytearray(path.read_bytes())
    at = data.index(bytes.fromhex("23e38384")) + 4
    data[at : at + 4] = (10_000_000).to_bytes(4, "big")  # ns: 100 frames/s, and it has 25
    path.write_bytes(data)
    said: list[str] = []
    source = open_source(str(path), say=said.append)
    assert source.total is not None
    assert source.total > 100
    assert len(list(source.frames())) == 30
    assert said == []


def test_pixels_that_are_not_square_are_made_so(tmp_path: Path) -> None:
    path = write_clip(tmp_path / "clip.mp4", size=(160, 240))
    data = bytearray(path.read_bytes())
    at = data.index(b"tkhd") + 80  # the width at which it is to be shown
    assert struct.unpack_from(">I", data, at)[0] == 160 << 16
    struct.pack_into(">I", data, at, 320 << 16)
    path.write_bytes(data)
    frame = next(open_source(str(path), want_color=True).frames())
    assert frame.gray.shape == (240, 320)
    assert frame.bgr is not None
    assert frame.bgr.shape == (240, 320, 3)
    assert frame.gray[:, :150].max() < 8  # the left half is black
    assert frame.gray[:, 170:].min() > 8


@pytest.mark.parametrize("name", ["12:30:00.mp4", "cam:1/x.mp4", "rtsp:x.mp4"])
def test_a_relative_name_with_a_colon_is_a_file(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "cam:1").mkdir()
    write_clip(tmp_path / "clip.mp4").rename(tmp_path / name)
    monkeypatch.chdir(tmp_path)
    assert len(list(open_source(name).frames())) == 12


def test_a_name_that_is_not_utf_8_is_read(tmp_path: Path) -> None:
    """OpenCV ends the process on it."""
    folder = tmp_path / os.fsdecode(b"d\xff")
    folder.mkdir()
    path = folder / os.fsdecode(b"bad\xfe.mp4")
    write_clip(tmp_path / "clip.mp4").rename(path)
    script = (
        "import sys; from mien.sources import open_source; "
        "print(len(list(open_source(sys.argv[1]).frames())))"
    )
    done = subprocess.run([sys.executable, "-c", script, path], capture_output=True, text=True)
    assert (done.returncode, done.stdout) == (0, "12\n")


# Of a stream by x264: baseline, 640x480; its timing says 50 frames/s.
SPS = bytes.fromhex("000000016742c01fda0280f6c044000003000400000301903c60ca80")


def test_the_rate_of_a_raw_stream_is_that_of_its_parameter_set(tmp_path: Path) -> None:
    path = tmp_path / "raw.h264"
    path.write_bytes(SPS + b"\0\0\0\x01\x68\xce\x0f\xc8" + b"\0\0\x01\x65" + bytes(99))
    assert is_annex_b(path)
    assert stream_rate(path) == 50
    path.write_bytes(SPS[:20])
    assert stream_rate(path) is None
    write_clip(tmp_path / "clip.mp4")
    assert not is_annex_b(tmp_path / "clip.mp4")


def test_the_rate_of_a_video_can_be_given(tmp_path: Path) -> None:
    path = write_clip(tmp_path / "clip.mp4")
    source = open_source(str(path), options=ReadOptions(input_fps=5))
    assert source.fps == 5
    times = [frame.time for frame in source.frames() if isinstance(frame, Frame)]
    assert times == pytest.approx([index / 5 for index in range(12)])


def test_a_file_in_a_folder_that_may_not_be_entered(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(self: Path, **options: object) -> None:
        raise PermissionError(13, "Permission denied", str(self))

    monkeypatch.setattr(Path, "stat", refuse)  # this test may run as root
    for name in ("clip.mp4", "face.jpg", "folder"):
        with pytest.raises(UserError, match="Permission denied"):
            open_source(str(tmp_path / name))


def test_pictures_in_natural_order_and_bad_ones_said(tmp_path: Path) -> None:
    for name, value in {"p10.png": 100, "p2.png": 20, "P1.jpg": 10}.items():
        cv2.imwrite(str(tmp_path / name), np.full((8, 9, 3), value, np.uint8))
    (tmp_path / "p3.jpg").write_text("no picture")
    (tmp_path / "p4.png").touch()
    (tmp_path / "._p2.png").write_text("what macOS leaves")
    (tmp_path / "notes.txt").write_text("not meant")
    said: list[str] = []
    source = open_source(str(tmp_path), want_color=True, say=said.append)
    frames = list(source.frames())
    assert [frame.picture for frame in frames] == ["P1.jpg", "p2.png", "p10.png"]
    assert [frame.index for frame in frames] == [0, 1, 4]
    assert [frame.time for frame in frames] == [0.0, 1.0, 4.0]
    assert [int(frame.gray.mean()) for frame in frames] == [10, 20, 100]
    assert frames[0].bgr is not None
    assert len(said) == 3
    assert said[0].endswith("left out 1 file of other kinds (.txt: 1)")
    assert "p3.jpg" in said[1]
    assert "p4.png" in said[2]
    assert source.total == 5


def test_a_single_picture(tmp_path: Path) -> None:
    cv2.imwrite(str(tmp_path / "one.png"), np.full((8, 9), 7, np.uint8))
    frames = list(open_source(str(tmp_path / "one.png")).frames())
    assert [(frame.picture, frame.gray.shape) for frame in frames] == [("one.png", (8, 9))]


def test_folders_without_a_picture(tmp_path: Path) -> None:
    (tmp_path / "inner").mkdir()
    cv2.imwrite(str(tmp_path / "inner" / "one.png"), np.zeros((8, 8), np.uint8))
    with pytest.raises(UserError, match="holds no pictures"):
        open_source(str(tmp_path))
    (tmp_path / "bad.jpg").write_text("no picture")
    with pytest.raises(UserError, match="None of the pictures"):
        list(open_source(str(tmp_path), say=lambda sentence: None).frames())


@pytest.mark.parametrize(
    ("spec", "part"),
    [
        ("", "An empty name"),
        ("0", "usb:0"),
        ("webcam", "a source is auto"),
        ("usb:x", "no USB camera named x"),
        ("usb:-1", "no USB camera named -1"),
        ("picamera:one", "picamera"),
        ("ftp://host/clip.mp4", "ftp is not read"),
        ("file:///clip.mp4", "file is not read"),
        ("/dev/null", "is not a camera"),
        ("/dev/video977", "does not exist"),
        ("x" * 5000, "is not a file"),
        ("a\0b", "is not a file"),
    ],
)
def test_a_wrong_source_gets_a_sentence(spec: str, part: str) -> None:
    with pytest.raises(UserError, match=part):
        open_source(spec)
