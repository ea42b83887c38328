"""Description of the machine that the figures were measured on."""

from __future__ import annotations

import os
import platform
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from mien.bench.timing import affinity

PACKAGES = ("mien", "ai-edge-litert", "tflite-runtime")


def machine() -> dict[str, Any]:
    """Return processor, cores, load and versions; None for what the system does not report."""
    return {
        "processor": processor(),
        "board": _text(Path("/proc/device-tree/model")),
        "architecture": platform.machine(),
        "cores": os.cpu_count(),
        "usable_cores": len(affinity()) or os.cpu_count(),
        "load_average": round(os.getloadavg()[0], 2) if hasattr(os, "getloadavg") else None,
        "system": f"{platform.system()} {platform.release()}",
        "versions": {
            "python": platform.python_version(),
            "numpy": np.__version__,
            "opencv": cv2.__version__,
            **{name: found for name in PACKAGES if (found := _version(name))},
        },
    }


def processor() -> str | None:
    """Return the processor's name."""
    for line in (_text(Path("/proc/cpuinfo")) or "").splitlines():
        key, _, value = line.partition(":")
        if key.strip() in ("model name", "Model"):
            return value.strip()
    return platform.processor() or None


def _text(path: Path) -> str | None:
    try:
        return path.read_text("utf-8", "replace").strip("\0\n ")
    except OSError:
        return None


def _version(name: str) -> str | None:
    try:
        return version(name)
    except PackageNotFoundError:
        return None
