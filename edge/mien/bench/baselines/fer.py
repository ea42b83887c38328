"""The pipeline of the package `fer` as a process that is handed frames, as
edge/mien/bench/baselines/tutorial.py.

Started by edge/mien/bench/baselines/compare.py as `PYTHON -m mien.bench.baselines.fer`, where
PYTHON is of an environment
that has `fer`: what that package asks for would not go together with Mien's own. It imports
nothing of Mien that needs more than NumPy and OpenCV.
"""

from __future__ import annotations

import importlib
import importlib.metadata
import os
from typing import Any

import cv2

from mien.bench.baselines.tutorial import Pixels, serve


def main() -> None:
    """Answer frames until there are no more."""
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    os.environ["CUDA_VISIBLE_DEVICES"] = "-1"

    def start() -> tuple[str, Any]:
        reader: Any = importlib.import_module("fer.fer").FER()
        cv2.setNumThreads(1)

        def process(frame: Pixels) -> list[list[int]]:
            return [[int(v) for v in face["box"]] for face in reader.detect_emotions(frame)]

        return f"fer {importlib.metadata.version('fer')}, its own defaults", process

    serve(start)


if __name__ == "__main__":
    main()
