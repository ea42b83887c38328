"""Cost of a viewer of the page: no viewer, a viewer that reads, one that has stopped reading.

    python scripts/figures/bench_viewers.py [SECONDS]

Three processes run the same pipeline with the
page on the same frames, one frame each in turns, 25 a second, so that what else the machine does
falls on all of them alike. Nobody looks at the first page; somebody reads the second all the time;
the third's viewer reads as well, and then no more for SECONDS (60), in which all is counted. "fps"
is what one core does that has nothing else to do: pipeline and page, by CPU time; "wall_fps" what
the pipeline did by the clock, which holds the machine's other work too. The last line is JSON.
"""

from __future__ import annotations

import contextlib
import json
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from typing import IO, Any

from mien.console import progress

NAMES = ("no viewer", "one who reads", "one who stopped")
SECONDS = 60.0
FPS = 25.0
WARM_UP_S = 3.0  # s before the counting, in which the third viewer still reads
GO, COUNT, END = b"g", b"c", b"e"  # what a pipeline is told: a frame, count from here, the end


def main() -> None:
    """Measure, or be one of the measured; see the module."""
    if sys.argv[1:] == ["pipeline"]:
        pipeline(sys.stdin.buffer, sys.stdout.buffer)
        return
    found = measure_viewers(float(sys.argv[1]) if len(sys.argv) > 1 else SECONDS)
    print(table(found))
    print(json.dumps(found))


def measure_viewers(seconds: float) -> dict[str, Any]:
    """Return what a frame costs each of the pipelines, and how much more the stall costs, in %."""
    with contextlib.ExitStack() as stack:
        parts = [stack.enter_context(_started()) for _ in NAMES]
        _, reads, stops = parts
        stack.enter_context(Viewer(reads.port))
        stopping = stack.enter_context(Viewer(stops.port))
        _turns(parts, WARM_UP_S)
        stopping.stop()
        for part in parts:
            part.tell(COUNT)
        _turns(parts, seconds)
        figures = {name: part.tell(END) for name, part in zip(NAMES, parts, strict=True)}
    without, stalled = figures[NAMES[0]], figures[NAMES[2]]
    more = {
        key: round(100 * (stalled[key] / without[key] - 1), 2)
        for key in ("cpu_ms", "loop_cpu_ms", "fps")
    }
    return {"seconds": seconds, **figures, "stalled_percent": more}


def table(found: dict[str, Any]) -> str:
    """Return the figures as a person reads them."""
    heads = ("CPU ms/frame", "of that, loop", "fps of a core", "pictures")
    lines = [
        "".join(f"{head:>{width}}" for head, width in zip(heads, (34, 15, 15, 10), strict=True))
    ]
    lines += [
        f"{name:20}{part['cpu_ms']:14.3f}{part['loop_cpu_ms']:15.3f}{part['fps']:15.1f}"
        f"{part['pictures']:10d}"
        for name, part in ((name, found[name]) for name in NAMES)
    ]
    more = found["stalled_percent"]
    lines.append(
        f"a viewer who has stopped: {more['cpu_ms']:+.2f} % CPU a frame, {more['fps']:+.2f} % fps"
    )
    return "\n".join(lines)


class Part:
    """A running pipeline with its page."""

    def __init__(self, process: subprocess.Popen[bytes]) -> None:
        self._process = process
        self.port = int(self.read()["port"])

    def tell(self, what: bytes) -> dict[str, Any]:
        """Give an order, wait until it is done and return the answer."""
        assert self._process.stdin
        self._process.stdin.write(what)
        self._process.stdin.flush()
        return self.read()

    def read(self) -> dict[str, Any]:
        """Return the next line; raises EOFError where the process has ended."""
        assert self._process.stdout
        line = self._process.stdout.readline()
        if not line:
            raise EOFError("a pipeline ended before it was done")
        return dict(json.loads(line))


@contextlib.contextmanager
def _started() -> Iterator[Part]:
    command = [sys.executable, __file__, "pipeline"]
    with subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL
    ) as process:
        try:
            yield Part(process)
        finally:
            process.kill()


def _turns(parts: list[Part], seconds: float) -> None:
    """Let each pipeline do one frame in turns, FPS times a second or as often as they can."""
    start = time.monotonic()
    for index in progress(range(round(seconds * FPS)), round(seconds * FPS), "frames"):
        time.sleep(max(0.0, start + index / FPS - time.monotonic()))
        first = index % len(parts)  # each is the first in its turn
        for part in (*parts[first:], *parts[:first]):
            part.tell(GO)


class Viewer:
    """Somebody who looks at the live picture, in a thread of this process."""

    def __init__(self, port: int) -> None:
        self._reading = True
        self._socket = socket.create_connection(("127.0.0.1", port), 10)
        self._socket.sendall(b"GET /live.mjpg HTTP/1.1\r\nHost: localhost\r\n\r\n")
        self._thread = threading.Thread(target=self._read, daemon=True)
        self._thread.start()

    def __enter__(self) -> Viewer:
        return self

    def __exit__(self, *_error: object) -> None:
        self.stop()
        self._socket.close()

    def stop(self) -> None:
        """Read no more, and leave the connection as it is."""
        self._reading = False
        self._thread.join()

    def _read(self) -> None:
        self._socket.settimeout(0.2)
        while self._reading:
            with contextlib.suppress(TimeoutError, socket.timeout):
                if not self._socket.recv(1 << 20):
                    return


def pipeline(orders: IO[bytes], answers: IO[bytes]) -> None:
    """Run the pipeline and its page, a frame for each order, and answer with what it cost."""
    import cv2
    import numpy as np
    from mien.bench.scenes import Scene
    from mien.pipeline.video import VideoPipeline
    from mien.sources.base import Frame
    from mien.tflite.model_file import load_model
    from mien.web.binding import BindAddress, PageOptions
    from mien.web.server import WebOutput

    def answer(**what: object) -> None:
        answers.write(json.dumps(what).encode() + b"\n")
        answers.flush()

    cv2.setNumThreads(1)
    engine, scene = VideoPipeline(load_model("mien")), Scene(1, 640, 480)
    page = WebOutput(PageOptions(BindAddress("127.0.0.1", 0)), "scene", engine.metadata.labels)
    # s: of CPU for making frames and for the pipeline's thread; the pipeline's by the clock
    made = loop = wall = 0.0
    frames = index = pictures = 0
    process = time.process_time()
    answer(port=page.port)
    while (order := orders.read(1)) in (GO, COUNT):
        if order == COUNT:
            made = loop = wall = 0.0
            frames, pictures, process = 0, page.broadcaster.encoded, time.process_time()
            answer()
            continue
        start = time.thread_time()
        gray = scene.frame(index).gray
        colour = np.asarray(cv2.cvtColor(gray, cv2.COLOR_GRAY2BGR), np.uint8)
        frame = Frame(index, index / FPS, gray, colour)
        begun, clock = time.thread_time(), time.perf_counter()
        page.write(frame, engine.process(frame))
        made += begun - start
        loop += time.thread_time() - begun
        wall += time.perf_counter() - clock
        frames, index = frames + 1, index + 1
        answer()
    whole = time.process_time() - process - made
    answer(
        frames=frames,
        cpu_ms=round(1e3 * whole / frames, 4),
        loop_cpu_ms=round(1e3 * loop / frames, 4),
        fps=round(frames / whole, 1),
        wall_fps=round(frames / wall, 1),
        pictures=page.broadcaster.encoded - pictures,
    )
    page.close()


if __name__ == "__main__":
    main()
