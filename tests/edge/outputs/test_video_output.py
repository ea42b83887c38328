"""Video files: all frames or an error, readable after a kill, H.264 where PyAV is there."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import cv2
import numpy as np
import pytest
from clips import read_clip
from mien.errors import UserError
from mien.outputs import video, video_writer
from mien.outputs.video import VideoOutput
from mien.outputs.video_writer import count_frames

SIZE = (160, 120)


def picture(number: int) -> np.ndarray:
    noise = np.random.default_rng(number).integers(0, 40, (SIZE[1], SIZE[0], 3), np.uint8)
    return np.asarray(noise + 10 * (number % 20), np.uint8)


@pytest.fixture(params=["PyAV", "OpenCV"])
def encoder(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    if request.param == "OpenCV":
        monkeypatch.setitem(sys.modules, "av", None)
    else:
        pytest.importorskip("av")
    return str(request.param)


def codec_of(path: Path) -> str:
    capture = cv2.VideoCapture(str(path), cv2.CAP_FFMPEG)
    code = int(capture.get(cv2.CAP_PROP_FOURCC))
    return code.to_bytes(4, "little").decode()


@pytest.mark.parametrize("name", ["out.mp4", "out.mkv", "out.avi", "OUT.MOV"])
def test_all_frames_are_in_the_file_in_order(encoder: str, name: str, tmp_path: Path) -> None:
    output = VideoOutput(tmp_path / name, 30, follow_time=False)
    for number in range(40):
        output.write(picture(number), number / 30)
    output.close()
    assert [path.name for path in tmp_path.iterdir()] == [name]
    frames, fps = read_clip(tmp_path / name)
    assert fps == pytest.approx(30, rel=1e-3)
    means = [round(float(frame.mean())) for frame in frames]
    assert means == pytest.approx([19.5 + 10 * (n % 20) for n in range(40)], abs=6)
    if name != "out.avi":
        assert (codec_of(tmp_path / name) in ("h264", "avc1")) == (encoder == "PyAV")


@pytest.mark.parametrize("name", ["out.mp4", "out.avi"])
def test_what_a_killed_run_wrote_plays_and_is_kept(
    encoder: str, name: str, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    script = (
        "import sys, time\n"
        f"sys.path.insert(0, {str(Path(__file__).parent)!r})\n"
        f"{'' if encoder == 'PyAV' else 'sys.modules[chr(97) + chr(118)] = None'}\n"
        "from pathlib import Path\n"
        "from test_video_output import picture, VideoOutput\n"
        f"output = VideoOutput(Path({str(tmp_path / name)!r}), 30, follow_time=False)\n"
        "for number in range(120):\n    output.write(picture(number), number / 30)\n"
        "print('written', flush=True)\ntime.sleep(60)\n"
    )
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    with subprocess.Popen(
        [sys.executable, "-c", script], stdout=subprocess.PIPE, env=environment
    ) as child:
        assert child.stdout is not None
        assert child.stdout.readline() == b"written\n"
        child.send_signal(signal.SIGKILL)
    (part,) = tmp_path.iterdir()
    frames, _ = read_clip(part)
    assert 90 <= len(frames) <= 120  # all but the last second
    output = VideoOutput(tmp_path / name, 30, follow_time=False)
    output.write(picture(0), 0)
    output.close()
    kept = tmp_path / f"out-interrupted-1{part.suffix}"
    assert {path.name for path in tmp_path.iterdir()} == {name, kept.name}
    assert len(read_clip(kept)[0]) == len(frames)
    assert "out-interrupted-1" in capfd.readouterr().err


@pytest.mark.parametrize("name", ["out.mp4", "out.avi", "out.mkv"])
def test_frames_that_are_missing_are_an_error_and_the_rest_is_kept(
    encoder: str, name: str, tmp_path: Path
) -> None:
    output = VideoOutput(tmp_path / name, 30, follow_time=False)
    for number in range(30):
        output.write(picture(number), number / 30)
    output._written += 60  # OpenCV takes frames that a full disk does not
    with pytest.raises(UserError, match=r"could not be completed.*30 of its 90 frames are in"):
        output.close()
    (part,) = tmp_path.iterdir()
    assert part.name != name
    assert count_frames(part) == 30


def test_a_disk_that_fills_up_ends_the_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(video, "SYNC_INTERVAL_S", 0.01)
    output = VideoOutput(tmp_path / "out.mkv", 30, follow_time=False)
    output.write(picture(0), 0)
    free = shutil.disk_usage(tmp_path)._replace(free=1000)
    monkeypatch.setattr(shutil, "disk_usage", lambda path: free)
    deadline = time.monotonic() + 5
    while not output._disk.is_full and time.monotonic() < deadline:
        time.sleep(0.01)
    with pytest.raises(UserError, match=r"disk of .*out\.mkv is full; the first 1 frames are kept"):
        output.write(picture(1), 1)
    output.close()
    assert len(read_clip(tmp_path / "out.mkv")[0]) == 1


def test_a_name_that_is_not_utf_8_can_be_written(encoder: str, tmp_path: Path) -> None:
    folder = tmp_path / os.fsdecode(b"d\xff")
    folder.mkdir()
    output = VideoOutput(folder / "out.mp4", 30, follow_time=False)
    for number in range(3):
        output.write(picture(number), number / 30)
    output.close()
    assert count_frames(folder / "out.mp4") == 3


def test_a_relative_name_with_a_colon_can_be_written(
    encoder: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    output = VideoOutput(Path("12:30.mp4"), 30, follow_time=False)
    output.write(picture(0), 0)
    output.close()
    assert count_frames(tmp_path / "12:30.mp4") == 1


@pytest.mark.parametrize("name", ["out.mp4", "out.avi", "out.mkv"])
@pytest.mark.parametrize("size", [(2, 3000), (3000, 2), (1, 1)])
def test_thin_pictures_are_written(
    encoder: str, name: str, size: tuple[int, int], tmp_path: Path
) -> None:
    """In Motion JPEG 2 px wide, FFmpeg writes beyond its memory, which ends the process."""
    output = VideoOutput(tmp_path / name, 30, follow_time=False)
    for _ in range(3):
        output.write(np.full((size[1], size[0], 3), 200, np.uint8), 0)
    output.close()
    frames, _ = read_clip(tmp_path / name)
    assert len(frames) == 3
    assert min(frames[0].shape[:2]) >= 16
    assert frames[0].max() > 150


def test_a_size_that_no_encoder_takes_is_refused(encoder: str, tmp_path: Path) -> None:
    output = VideoOutput(tmp_path / "out.mp4", 30, follow_time=False)
    with pytest.raises(UserError, match="cannot be written as a video of 1x70000"):
        output.write(np.zeros((70_000, 1, 3), np.uint8), 0)
    output.close()


def test_an_encoder_that_does_not_open_gives_way_to_the_next(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(video_writer, "ENCODERS", ("nosuch", "h264_v4l2m2m"))
    output = VideoOutput(tmp_path / "out.mp4", 30, follow_time=False)
    output.write(picture(0), 0)
    output.close()
    assert codec_of(tmp_path / "out.mp4") in ("mp4v", "FMP4")
