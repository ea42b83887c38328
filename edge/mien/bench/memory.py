"""Memory of a process that runs the pipeline.

Started with MODEL DETECTOR FRAMES behind the import of what `mien run` imports, so that nothing
that the bench itself holds is counted. Answers with one line of JSON at its end.
"""

from __future__ import annotations

import json
import subprocess
import sys
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

    found: dict[str, float | None] = {"imported": rss_mb()}
    with one_core():
        pipeline = VideoPipeline(load_model(sys.argv[1]), detector=open_detector(sys.argv[2]))
        found["loaded"] = rss_mb()
        frames, scene = int(sys.argv[3]), Scene(1, 640, 480)
        settled = None
        for index in range(frames):
            pipeline.process(scene.frame(index))
            if index + 1 == SETTLED_FRAMES:
                settled = rss_mb()
    # Not `ru_maxrss`, which a process inherits from the one that started it.
    found |= {"end": rss_mb(), "peak": _status_mb("VmHWM"), "frames": frames}
    grown = round(found["end"] - settled, 2) if found["end"] and settled else None
    print(json.dumps({**found, "grown": grown}))


def measure_memory(model: str, detector: str, frames: int) -> dict[str, Any]:
    """Return MB of resident memory (RSS) of a new process after import, load and frames."""
    program = "import mien.commands.run; from mien.bench.memory import main; main()"
    command = code_command(program, model, detector, str(frames))
    done = subprocess.run(command, stdout=subprocess.PIPE, check=True, text=True)
    return dict(json.loads(done.stdout.splitlines()[-1]))


def rss_mb() -> float | None:
    """Return the resident memory of this process in MB (10^6 bytes); None if unknown."""
    return _status_mb("VmRSS")


def _status_mb(key: str) -> float | None:
    try:
        lines = STATUS.read_text().splitlines()
    except OSError:  # no Linux
        return None
    found = next((line.split() for line in lines if line.startswith(f"{key}:")), None)
    return round(int(found[1]) * 1024 / 1e6, 2) if found else None
