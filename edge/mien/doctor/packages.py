"""Check: Python packages, their versions and conflicts."""

from __future__ import annotations

import importlib
import sys
from collections.abc import Callable, Iterator
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from mien import board
from mien.doctor.check import Check, joined

OPENCVS = (
    "opencv-python",
    "opencv-python-headless",
    "opencv-contrib-python",
    "opencv-contrib-python-headless",
)
OPENCV = 'pip install "opencv-python>=4.10,<5"'
DIST_PACKAGES = "usr/lib/python3/dist-packages"  # where apt puts Python packages
Versions = Callable[[str], "str | None"]


def installed(name: str) -> str | None:
    """Return a distribution's version as this Python sees it."""
    try:
        return version(name)
    except PackageNotFoundError:
        return None


def packages(root: Path = board.SYSTEM_ROOT, versions: Versions = installed) -> Iterator[Check]:
    """Check the packages that a run imports."""
    yield Check("mien", "ok", f"{versions('mien') or 'not installed'} in {sys.prefix}")
    yield _numpy(versions)
    yield _opencv(versions)
    yield _interpreter(versions)
    yield _picamera2(root)


def imported(name: str) -> tuple[Any, str]:
    """Return a module, and the reason why it cannot be imported (empty if it can)."""
    try:
        return importlib.import_module(name), ""
    except Exception as error:  # a clash of NumPys is an ImportError, a ValueError or others
        lines = str(error).strip().splitlines()
        return None, lines[0] if lines else type(error).__name__


def _numpy(versions: Versions) -> Check:
    found = versions("numpy")
    if not found:
        return Check("numpy", "fail", "not installed", 'pip install "numpy>=1.24"')
    if not _older(found, 2) and versions("tflite-runtime") and not versions("ai-edge-litert"):
        return Check(
            "numpy",
            "fail",
            f"{found}, with which tflite-runtime does not run",
            'pip install "numpy<2", or pip install ai-edge-litert',
        )
    _, why = imported("numpy")
    if why:
        return Check("numpy", "fail", f"{found} does not import ({why})", "pip install numpy anew")
    return Check("numpy", "ok", found)


def _opencv(versions: Versions) -> Check:
    there = [f"{name} {versions(name)}" for name in OPENCVS if versions(name)]
    found = joined(there, "from the system")
    if len(there) > 1:
        names = " ".join(word.split()[0] for word in there)
        remedy = f"one package overwrites the other: pip uninstall {names}, then {OPENCV}"
        return Check("opencv", "fail", found, remedy)
    module, why = imported("cv2")
    if why:
        remedy = OPENCV
        if "numpy" in why.lower() or "_ARRAY_API" in why:
            remedy = 'it was built for another NumPy: pip install "opencv-python<4.12" "numpy<2"'
        elif ".so" in why:
            remedy = "sudo apt install libgl1 libglib2.0-0"
        return Check("opencv", "fail", f"{found}: does not import ({why})", remedy)
    if not _older(str(module.__version__), 5):
        found = f"{module.__version__}, which has no Haar cascades"
        return Check("opencv", "fail", found, OPENCV)
    from mien.detection.haar import CASCADE, load_cascade

    load_cascade(CASCADE)  # says itself what is missing
    return Check("opencv", "ok", found if there else f"{module.__version__} {found}")


def _interpreter(versions: Versions) -> Check:
    there = [name for name in ("ai-edge-litert", "tflite-runtime") if versions(name)]
    if not there:
        remedy = "pip install ai-edge-litert (64-bit systems only)"
        return Check("interpreter", "fail", "none installed", remedy)
    found = f"{there[0]} {versions(there[0])}"
    _, why = imported(f"{there[0].replace('-', '_')}.interpreter")
    if why:
        return Check(
            "interpreter", "fail", f"{found} does not import ({why})", f"pip install -U {there[0]}"
        )
    return Check("interpreter", "ok", found)


def _picamera2(root: Path) -> Check:
    """Check whether this Python finds picamera2, which only apt provides."""
    from_apt = (root / DIST_PACKAGES / "picamera2").is_dir()
    module, why = imported("picamera2")
    if module is not None:
        return Check("picamera2", "ok", installed("picamera2") or "there")
    if not from_apt:
        if not board.is_pi(root):
            return Check("picamera2", "skip", "not installed; only a Raspberry Pi has it")
        remedy = "for a Pi camera: sudo apt install python3-picamera2"
        return Check("picamera2", "skip", "not installed; USB cameras do without", remedy)
    if not _sees_system():
        return Check(
            "picamera2",
            "fail",
            "installed by apt, and not visible in this virtual environment",
            "make it with the system's python3 and --system-site-packages, "
            "or run scripts/install-pi.sh",
        )
    return Check(
        "picamera2",
        "fail",
        f"does not import ({why})",
        'on Raspberry Pi OS bookworm: pip install "numpy<2" "opencv-python<4.12"',
    )


def _sees_system() -> bool:
    """Whether this Python sees the packages of the system."""
    if sys.prefix == sys.base_prefix:
        return True
    try:
        text = (Path(sys.prefix) / "pyvenv.cfg").read_text()
    except OSError:
        return True
    return "include-system-site-packages = true" in text.lower()


def _older(found: str, major: int) -> bool:
    first = found.partition(".")[0]
    return not first.isdigit() or int(first) < major
