"""Live sources: the newest frame of a device, and streams from a real server on loopback."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator

import numpy as np
import pytest
from clips import write_clip
from mjpeg_server import serving

from edge.errors import UserError
from edge.sources import SourceLost, open_source, stream
from edge.sources.frame import Shot
from edge.sources.live import LiveSource, patiently
from edge.sources.stream import public


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    clip = write_clip(tmp_path_factory.mktemp("served") / "clip.mp4")
    with serving({"clip.mp4": clip.read_bytes()}) as address:
        yield address


class Metronome:
    """A device that gives a frame whenever the test says so."""

    name = "metronome"
    fps = 30.0

    def __init__(self) -> None:
        self.go = threading.Semaphore(0)
        self.given = 0
        self.closed = 0
        self.last: int | None = None  # the frame after which it is unplugged

    def read(self) -> Shot:
        if not self.go.acquire(timeout=5):
            raise SourceLost("the test forgot it")
        if self.given == self.last:
            raise SourceLost("metronome was unplugged.")
        self.given += 1
        return Shot(100 + self.given / 30, np.full((2, 2), self.given, np.uint8), None)

    def close(self) -> None:
        self.closed += 1

    def tick(self, times: int = 1) -> None:
        """Let it give frames and wait until they are read."""
        goal = self.given + times
        for _ in range(times):
            self.go.release()
        while self.given < goal:
            time.sleep(0.001)
        time.sleep(0.02)  # for the reader to keep the last of them


def test_a_slow_reader_gets_the_newest_frame() -> None:
    device = Metronome()
    source = LiveSource(device)
    frames = source.frames()
    device.go.release()
    first = next(frames)
    device.tick(5)
    second = next(frames)
    assert (first.index, first.time) == (0, 0.0)
    assert second.index == 5
    assert second.gray[0, 0] == 6
    assert second.time == pytest.approx(5 / 30)
    assert source.dropped == 4
    device.go.release()
    assert next(frames).index == 6
    assert source.dropped == 4
    device.last = device.given
    device.go.release()
    with pytest.raises(SourceLost, match="unplugged"):
        next(frames)
    assert device.closed == 1


def test_the_last_frame_before_an_unplug_is_given() -> None:
    device = Metronome()
    device.last = 1
    frames = LiveSource(device).frames()
    device.go.release(2)
    assert next(frames).index == 0
    with pytest.raises(SourceLost):
        next(frames)


def test_a_device_that_hangs_counts_as_lost() -> None:
    device = Metronome()
    source = LiveSource(device, patience=0.1)
    with pytest.raises(SourceLost, match=r"metronome gave no frame for 0\.1 s"):
        next(source.frames())
    device.go.release()
    source.close()


def test_closing_gives_the_device_back() -> None:
    device = Metronome()
    LiveSource(device).close()
    assert device.closed == 1
    device = Metronome()
    source = LiveSource(device)
    frames = source.frames()
    device.go.release()
    next(frames)
    threading.Timer(0.1, device.go.release).start()  # a camera's next frame
    source.close()
    source.close()
    assert device.closed == 1


def test_opening_in_a_thread_hands_results_and_errors_over() -> None:
    assert patiently(lambda: 7) == 7
    with pytest.raises(UserError, match="no camera"):
        patiently(lambda: (_ for _ in ()).throw(UserError("no camera")))


def test_mjpeg_over_http_is_live(server: str) -> None:
    source = open_source(f"{server}/ok", want_colour=True)
    assert source.live
    assert source.total is None
    frames = source.frames()
    seen = [next(frames)]
    for _ in range(3):
        time.sleep(0.25)
        seen.append(next(frames))
    source.close()
    assert seen[0].gray.shape == (120, 160)
    assert seen[0].bgr is not None
    assert seen[0].bgr.shape == (120, 160, 3)
    # The server paints each frame as bright as its number: 0.25 s later means 7 frames later,
    # not the next one from a queue.
    numbers = [round(float(frame.gray.mean()) / 4) for frame in seen]
    steps = np.diff(numbers)
    assert steps.min() >= 4
    assert source.dropped == seen[-1].index - 3
    assert seen[-1].time > 0.6


def test_a_stream_that_ends(server: str) -> None:
    source = open_source(f"{server}/cut")
    with pytest.raises(SourceLost, match="ended or gave nothing"):
        list(source.frames())
    source.close()


def test_a_stream_that_stalls(server: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(stream, "READ_S", 1)
    source = open_source(f"{server}/stall")
    start = time.monotonic()
    with pytest.raises(SourceLost, match="ended or gave nothing for 1 s"):
        list(source.frames())
    assert time.monotonic() - start < 6  # FFmpeg alone would wait for 30
    source.close()


def test_a_video_file_on_a_server_is_read_whole(server: str) -> None:
    source = open_source(f"{server}/clip.mp4")
    assert not source.live
    assert [frame.index for frame in source.frames()] == list(range(12))


def test_a_server_without_a_stream(server: str) -> None:
    for address in (f"{server}/nothing", "http://127.0.0.1:9/x", "rtsp://127.0.0.1:9/x"):
        with pytest.raises(UserError, match="gives no stream") as caught:
            open_source(address)
        assert not isinstance(caught.value, SourceLost)
        assert address in str(caught.value)


def test_a_password_is_never_shown(server: str) -> None:
    assert public("rtsp://me:secret@camera:554/a?b=c") == "rtsp://camera:554/a?b=c"
    with pytest.raises(UserError) as caught:
        open_source("http://me:secret@127.0.0.1:9/x")
    assert "secret" not in str(caught.value)
    with pytest.raises(UserError) as caught:
        open_source("ftp://me:secret@127.0.0.1:9/x")
    assert "secret" not in str(caught.value)
