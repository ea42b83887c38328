"""Streams from a real server on loopback: never behind, cut, refused, mute, and found again."""

from __future__ import annotations

import json
import os
import signal
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from clips import write_clip
from mien.errors import UserError
from mien.signals import ShutdownRequested, ShutdownSignal
from mien.sources import CameraConfig, Change, Frame, Source, SourceLost, http, live, open_source
from mjpeg_server import FPS, Camera, network_camera, number_of, serving
from running import sentences, start


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    clip = write_clip(tmp_path_factory.mktemp("served") / "clip.mp4")
    with serving({"clip.mp4": clip.read_bytes()}) as address:
        yield address


@pytest.fixture
def camera() -> Iterator[Camera]:
    with network_camera() as found:
        yield found


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(live, "RETRY_FIRST_S", 0.02)
    monkeypatch.setattr(live, "RETRY_MAX_S", 0.1)


def next_frame(items: Iterator[Frame | Change]) -> Frame:
    item = next(items)
    assert isinstance(item, Frame)
    return item


def until(items: Iterator[Frame | Change], state: str) -> Change:
    """Take frames until the source says that it is lost or back."""
    for _ in range(300):
        item = next(items)
        if isinstance(item, Change):
            assert item.state == state
            return item
    raise AssertionError(f"it is never {state}")


def test_mjpeg_over_http_is_live(server: str) -> None:
    source = open_source(f"{server}/ok", want_color=True)
    assert source.live
    assert source.total is None
    frames = source.frames()
    seen = [next_frame(frames)]
    for _ in range(3):
        time.sleep(0.25)
        seen.append(next_frame(frames))
    source.close()
    assert seen[0].gray.shape == (120, 160)
    assert seen[0].bgr is not None
    assert seen[0].bgr.shape == (120, 160, 3)
    # 0.25 s later means 7 frames later, not the next one from a queue.
    steps = np.diff([number_of(frame.gray) for frame in seen])
    assert steps.min() >= 4
    assert source.dropped == seen[-1].index - 3
    assert seen[-1].time > 0.6


def test_a_slow_consumer_never_sees_the_past(camera: Camera) -> None:
    source = open_source(camera.address)
    frames = source.frames()
    next_frame(frames)
    since_arrival, behind = [], []
    for _ in range(12):
        time.sleep(0.2)
        frame = next_frame(frames)
        now, sent = time.monotonic(), len(camera.sent)
        assert frame.capture_time is not None
        since_arrival.append(now - frame.capture_time)
        behind.append((sent - 1 - number_of(frame.gray)) % 60)  # frames sent after this one
    source.close()
    # One interval, and what a loaded machine takes to wake a thread. Read one by one, the last
    # frame would be 2 s old.
    assert np.median(since_arrival) <= 1 / FPS + 0.005
    assert max(since_arrival) <= 1 / FPS + 0.06
    assert np.median(behind) <= 1  # the one that is on its way
    assert max(behind) <= 3


def test_cut_refused_and_restored(camera: Camera) -> None:
    said: list[str] = []
    source = open_source(camera.address, say=said.append)
    items = source.frames()
    before = [next_frame(items) for _ in range(3)]
    camera.unplug()
    lost = until(items, "lost")
    assert "/stream ended" in lost.why
    assert said == [f"{lost.why} Looking for it."]
    threading.Timer(0.6, camera.plug).start()
    back = next(items)
    assert isinstance(back, Change)
    assert back.state == "back"
    after = [next_frame(items) for _ in range(3)]
    source.close()
    assert len(said) == 2  # a sentence for each change, none for the attempts between
    assert said[1] == f"{camera.address} is back after 1 s."
    assert back.time - lost.time > 0.5
    times = [*(frame.time for frame in before), lost.time, back.time, *(f.time for f in after)]
    assert times == sorted(times)
    indices = [frame.index for frame in (*before, *after)]
    assert indices == sorted(set(indices))


def resources() -> tuple[int, int]:
    """Return how many threads and file descriptors this process has, FFmpeg's included."""
    return len(os.listdir("/proc/self/task")), len(os.listdir("/proc/self/fd"))  # noqa: PTH208


@pytest.mark.skipif(not Path("/proc/self/task").exists(), reason="no /proc")
def test_ten_cuts_leave_nothing_behind(camera: Camera) -> None:
    source = open_source(camera.address, say=lambda sentence: None)
    items = source.frames()
    indices, counts = [], []
    for number in range(12):
        indices.append(next_frame(items).index)
        time.sleep(0.05)
        counts.append(resources())
        if number % 2:
            camera.cut()
        else:
            camera.unplug()
            camera.plug()
        until(items, "lost")
        assert next(items).state == "back"  # type: ignore[union-attr]
    source.close()
    assert indices == sorted(set(indices))
    assert np.median(np.array(counts[-3:]), axis=0).tolist() == pytest.approx(
        np.median(np.array(counts[1:4]), axis=0).tolist(), abs=1
    )


def test_a_stream_that_stalls_is_given_up(camera: Camera) -> None:
    said: list[str] = []
    mode = CameraConfig(stall_s=0.4)
    source = open_source(camera.address, mode=mode, say=said.append, give_up=1.2)
    items = source.frames()
    next_frame(items)
    camera.silent = True
    start = time.monotonic()
    lost = until(items, "lost")
    assert 0.3 < time.monotonic() - start < 1.1  # FFmpeg alone would wait for 30 s
    assert "gave nothing for 0.4 s" in lost.why
    assert said == [f"{lost.why} Looking for it for 1.2 s at most."]
    with pytest.raises(SourceLost, match=r"no frame for 1\.2 s and is given up"):
        list(items)
    assert 1.0 < time.monotonic() - start < 2.5
    source.close()


def test_a_server_that_takes_the_call_and_says_nothing(
    camera: Camera, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(http, "OPEN_S", 0.4)
    source = open_source(camera.address, say=lambda sentence: None, give_up=5)
    items = source.frames()
    next_frame(items)
    camera.mute = True
    asked = camera.asked
    camera.cut()
    until(items, "lost")

    def speak() -> None:
        while camera.asked < asked + 2:
            time.sleep(0.01)
        camera.mute = False

    threading.Thread(target=speak, daemon=True).start()
    assert next(items).state == "back"  # type: ignore[union-attr]
    source.close()
    camera.mute = True
    with pytest.raises(UserError, match=r"does not answer within 0\.4 s"):
        open_source(camera.address)  # the first opening fails at once


def test_given_up_while_an_opening_hangs(camera: Camera) -> None:
    source: Source = open_source(camera.address, say=lambda sentence: None, give_up=0.8)
    items = source.frames()
    next_frame(items)
    camera.mute = True
    camera.cut()
    start = time.monotonic()
    with pytest.raises(SourceLost, match="given up"):
        list(items)
    assert time.monotonic() - start < 2  # an opening may take ten seconds
    source.close()


@pytest.mark.parametrize("during", ["pause", "opening"])
def test_a_signal_ends_a_search_at_once(
    camera: Camera, monkeypatch: pytest.MonkeyPatch, during: str
) -> None:
    source = open_source(camera.address, say=lambda sentence: None)
    items = source.frames()
    next_frame(items)
    if during == "pause":
        monkeypatch.setattr(live, "RETRY_FIRST_S", 30.0)
    else:
        camera.mute = True  # OpenCV waits for its answer
    asked = camera.asked
    camera.cut()
    until(items, "lost")
    sent: list[float] = []

    def send() -> None:
        while during == "opening" and camera.asked == asked:
            time.sleep(0.01)
        time.sleep(0.1)
        sent.append(time.monotonic())
        os.kill(os.getpid(), signal.SIGINT)

    stop = ShutdownSignal()
    threading.Thread(target=send, daemon=True).start()
    with stop.listening(), pytest.raises(ShutdownRequested), stop.waiting():
        next(items)
    source.close()
    assert time.monotonic() - sent[0] < 0.5


def test_a_run_goes_on_and_a_signal_ends_its_search(
    camera: Camera, model_path: Path, tmp_path: Path
) -> None:
    records = tmp_path / "out.jsonl"

    def written(what: str, times: int) -> None:
        deadline = time.monotonic() + 30
        while time.monotonic() < deadline:
            if records.exists() and records.read_text().count(what) >= times:
                return
            time.sleep(0.02)
        raise AssertionError(f"{what} is never written")

    process = start(camera.address, "--model", model_path, "--jsonl", records)
    written('"frame"', 3)
    camera.cut()
    written('"back"', 1)
    camera.unplug()
    written('"lost"', 2)
    process.send_signal(signal.SIGINT)
    out, err = process.communicate(timeout=20)
    assert process.returncode == 0, err
    assert "frames " in out
    assert "Traceback" not in err
    assert len(sentences(err)) == 3  # lost, back, lost
    entries = [json.loads(line) for line in records.read_text().splitlines()]
    assert [entry["event"] for entry in entries if "event" in entry] == ["lost", "back", "lost"]
    numbers = [entry["frame"] for entry in entries if "frame" in entry]
    assert numbers == sorted(set(numbers))
    assert all(0 <= entry["latency_ms"] < 5000 for entry in entries if "frame" in entry)


def test_a_video_file_on_a_server_is_read_whole(server: str) -> None:
    source = open_source(f"{server}/clip.mp4")
    assert not source.live
    frames = list(source.frames())
    assert [getattr(frame, "index", None) for frame in frames] == list(range(12))
    assert [getattr(frame, "capture_time", 0) for frame in frames] == [None] * 12
