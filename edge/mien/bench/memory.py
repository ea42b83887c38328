"""Memory of a process that runs the pipeline, and the time to the first result.

Started with MODEL FRAMES behind the import of what `mien run` imports, so that nothing that the
bench itself holds is counted. Answers with one line of JSON at its end.
"""

from __future__ import annotations

import json
import os
import statistics
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

from mien.child import code_command

STATUS = Path("/proc/self/status")
SETTLED_FRAMES = 2000  # after which memory must not grow


def main() -> None:
    """Measure this process; see the module."""
    from mien.bench.scenes import Scene
    from mien.bench.timing import one_core
    from mien.detection import open_detector
    from mien.pipeline.video import VideoPipeline
    from mien.tflite.model_file import load_model

    imported = rss_mb()
    with one_core():
        pipeline = VideoPipeline(load_model(sys.argv[1]), detector=open_detector(sys.argv[2]))
        loaded = rss_mb()
        frames, settled = int(sys.argv[3]), None
        scene = Scene(1, 640, 480)
        for index in range(frames):
            pipeline.process(scene.frame(index))
            if index + 1 == min(SETTLED_FRAMES, frames):
                settled = rss_mb()
    first = f"frame_{min(SETTLED_FRAMES, frames)}"
    found = {"imported": imported, "loaded": loaded, first: settled}
    end, peak = rss_mb(), peak_mb()
    grown = round(end - settled, 2) if end and settled and frames > SETTLED_FRAMES else None
    print(json.dumps({**found, "end": end, "peak": peak, "frames": frames, "grown": grown}))


def measure_memory(model: str, detector: str, frames: int) -> dict[str, Any]:
    """Return MB of resident memory (RSS) of a new process after import, load and frames."""
    program = "import mien.commands.run; from mien.bench.memory import main; main()"
    command = code_command(program, model, detector, str(frames))
    done = subprocess.run(command, stdout=subprocess.PIPE, check=True, text=True)
    return dict(json.loads(done.stdout.splitlines()[-1]))


def measure_start(model: str, detector: str, runs: int) -> dict[str, Any]:
    """Return seconds from the start of a `mien run` of the demo's clip to its first line of JSONL.

    "cpu_s" is what the process used in its whole life, which ends after that frame.
    """
    from mien.tflite.model_file import MODELS

    clip = MODELS.parent / "demo" / "clip.mp4"
    program = "from mien.cli import main; main()"
    command = code_command(program, "run", str(clip), "--model", model, "--detector", detector)
    command += ["--jsonl", "-", "--max-frames", "1"]
    wall, cpu = [], []
    for _ in range(runs):
        before, start = os.times(), time.perf_counter()
        with subprocess.Popen(
            command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, stdin=subprocess.DEVNULL
        ) as process:
            assert process.stdout
            line = process.stdout.readline()
            wall.append(time.perf_counter() - start)
            process.communicate()
        after = os.times()
        cpu.append(
            after.children_user
            + after.children_system
            - before.children_user
            - before.children_system
        )
        json.loads(line)
    return {
        "n": runs,
        "wall_s": round(statistics.median(wall), 3),
        "cpu_s": round(statistics.median(cpu), 3),
    }


def rss_mb() -> float | None:
    """Return the resident memory of this process in MB (10^6 bytes); None if unknown."""
    return _status("VmRSS")


def peak_mb() -> float | None:
    """Return the peak resident memory of this process in MB.

    Not `ru_maxrss`, which a process inherits from the one that started it.
    """
    return _status("VmHWM")


def _status(key: str) -> float | None:
    try:
        lines = STATUS.read_text().splitlines()
    except OSError:  # no Linux
        return None
    found = next((line.split() for line in lines if line.startswith(f"{key}:")), None)
    return round(int(found[1]) * 1024 / 1e6, 2) if found else None
