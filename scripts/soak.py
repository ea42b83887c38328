"""Soak test: page, MQTT, rotated JSONL, a camera that is lost and viewers that misbehave.

    python scripts/soak.py --frames 200000

Prints resident memory, open descriptors and threads as it goes, and ends with exit code 1 where
memory grew by more than 2 MB after the first 5,000 frames, descriptors grew, or threads were left.
Needs mosquitto and the packages of the page and MQTT. The camera is a synthetic scene.
"""

from __future__ import annotations

import argparse
import contextlib
import random
import shutil
import socket
import subprocess
import tempfile
import threading
import time
from pathlib import Path

from mien.bench.memory import rss_mb
from mien.bench.scenes import Scene
from mien.mqtt.broker import parse_broker
from mien.mqtt.output import MqttOutput
from mien.outputs.recording import Retention, Rotation
from mien.outputs.status_line import StatusLine
from mien.pipeline.video import VideoPipeline
from mien.runtime.loop import RateLimits, run_loop
from mien.runtime.output_set import OutputOptions
from mien.signals import ShutdownSignal
from mien.sources import live
from mien.sources.base import CapturedFrame, Frame, SourceLost
from mien.sources.live import LiveSource
from mien.tflite.model_file import load_model
from mien.web.binding import BindAddress, PageOptions
from mien.web.server import WebOutput

SETTLED_FRAMES = 5000
REPORT_FRAMES = 1000
FRAMES_PER_LOSS = 2000
MAX_GROWTH_MB = 2.0
MAX_FPS = 400.0
TOKEN = "a-token-of-the-soak"


class SyntheticCamera:
    """A camera that gives a scene's frames and is lost after `FRAMES_PER_LOSS` of them."""

    name = "soak"
    fps: float | None = None

    def __init__(self, frames: list[Frame]) -> None:
        self._frames = frames
        self._count = 0

    def read(self) -> CapturedFrame:
        """Return the next frame; raises SourceLost after the last."""
        time.sleep(1 / MAX_FPS)
        self._count += 1
        if self._count > FRAMES_PER_LOSS:
            raise SourceLost("soak gives no more pictures.")
        frame = self._frames[self._count % len(self._frames)]
        return CapturedFrame(time.monotonic(), frame.gray, None)

    def close(self) -> None:
        """Nothing is held."""


class Monitor:
    """An output that counts frames and prints what the process holds."""

    def __init__(self) -> None:
        self.frames = 0
        self.settled: tuple[float, int] | None = None
        self.last: tuple[float, int] = (0.0, 0)

    def write(self, frame: object, result: object) -> None:
        """Count a frame."""
        self.frames += 1
        if self.frames == SETTLED_FRAMES or self.frames % REPORT_FRAMES == 0:
            self.last = (rss_mb() or 0.0, descriptors())
            if self.frames == SETTLED_FRAMES:
                self.settled = self.last
            memory, opened = self.last
            print(
                f"{self.frames:8d} frames  {memory:7.2f} MB  {opened:3d} descriptors  "
                f"{threading.active_count():2d} threads",
                flush=True,
            )

    def changed(self, change: object) -> None:
        """Losses are expected."""

    def close(self) -> None:
        """Nothing is held."""


def descriptors() -> int:
    """Return the number of open descriptors other than sockets, which viewers open and close."""
    count = 0
    for entry in Path("/proc/self/fd").iterdir():
        with contextlib.suppress(OSError):
            count += not str(entry.readlink()).startswith("socket:")
    return count


def misbehave(port: int, ending: threading.Event) -> None:
    """Watch, stall, send nothing, send half a request, a wrong token or garbage; one at a time."""
    head = f"Host: localhost\r\nAuthorization: Bearer {TOKEN}\r\n"
    kinds = [
        f"GET /live.mjpg HTTP/1.1\r\n{head}\r\n",
        f"GET /api/events HTTP/1.1\r\n{head}\r\n",
        f"GET /api/state HTTP/1.1\r\n{head}\r\n",
        f"GET /snapshot.jpg HTTP/1.1\r\n{head}\r\n",
        "GET /api/state HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer wrong\r\n\r\n",
        "GET / HTTP/1.1\r\nX: ",
        "\x16\x03\x01garbage\r\n\r\n",
        "",
    ]
    while not ending.is_set():
        with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), 2) as one:
            one.settimeout(0.5)
            one.sendall(random.choice(kinds).encode("latin-1"))
            end = time.monotonic() + random.uniform(0.1, 3.0)
            reads = random.random() < 0.7
            while reads and time.monotonic() < end and not ending.is_set():
                one.recv(65536)
            ending.wait(max(0.0, end - time.monotonic()))


def main() -> int:
    """Run the soak; return the exit code."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--frames", type=int, default=200_000)
    frames = parser.parse_args().frames
    mosquitto = shutil.which("mosquitto") or "/usr/sbin/mosquitto"
    with socket.create_server(("127.0.0.1", 0)) as unused:
        broker_port = unused.getsockname()[1]
    live.FIRST_S = live.MOST_S = 0.05
    scene = Scene(1, 320, 240)
    pictures = [scene.frame(index) for index in range(240)]
    with tempfile.TemporaryDirectory() as folder:
        config = Path(folder) / "mosquitto.conf"
        config.write_text(f"listener {broker_port} 127.0.0.1\nallow_anonymous true\n")
        broker = subprocess.Popen(
            [mosquitto, "-c", config], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        )
        before = threading.active_count()
        ending = threading.Event()
        source = LiveSource(
            SyntheticCamera(pictures),
            lambda: SyntheticCamera(pictures),
            lambda sentence: None,
            5.0,
            None,
        )
        model = load_model("mien")
        labels = model.metadata.labels
        page = WebOutput(
            PageOptions(BindAddress("127.0.0.1", 0), TOKEN), "soak", labels, say=lambda text: None
        )
        address = parse_broker(f"mqtt://127.0.0.1:{broker_port}/mien/soak")
        monitor = Monitor()
        integrations = [page, MqttOutput(address, None, labels, say=print), monitor]
        viewers = [threading.Thread(target=misbehave, args=(page.port, ending)) for _ in range(4)]
        for viewer in viewers:
            viewer.start()
        recording = Path(folder) / "faces.jsonl"
        rotation = Rotation(True, 1_000_000, Retention(total_bytes=10_000_000))
        options = OutputOptions(str(recording), None, None, False, None, frames, rotation=rotation)
        run_loop(
            *(source, VideoPipeline(model), options, ShutdownSignal(), StatusLine()),
            *(RateLimits(), integrations),
        )
        source.close()
        ending.set()
        for viewer in viewers:
            viewer.join()
        broker.terminate()
        broker.wait()
        recorded = sum(file.stat().st_size for file in recording.parent.glob("faces*.jsonl"))
    time.sleep(1.0)
    left = threading.active_count() - before
    settled, last = monitor.settled or monitor.last, monitor.last
    grown, opened = last[0] - settled[0], last[1] - settled[1]
    print(
        f"memory {grown:+.2f} MB after {SETTLED_FRAMES} frames, descriptors {opened:+d}, threads "
        f"left {left}, recordings {recorded / 1e6:.1f} MB"
    )
    return int(grown > MAX_GROWTH_MB or opened > 0 or left > 0 or recorded > 10_000_000)


if __name__ == "__main__":
    raise SystemExit(main())
