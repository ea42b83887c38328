"""A function that is called when a tracked face changes its expression.

python examples/camera_callback.py usb
"""

import sys
from collections.abc import Callable

import mien


def watch(source: str, on_change: Callable[[mien.Face, str], None]) -> None:
    """Call `on_change(face, previous emotion)` at every change, until the source ends."""
    last: dict[int | None, str] = {}
    for result in mien.Reader().stream(source):
        for face in result.faces:
            before = last.get(face.id, "unknown")
            if face.emotion != before:
                on_change(face, before)
            last[face.id] = face.emotion


watch(sys.argv[1], lambda face, before: print(f"face {face.id}: {before} -> {face.emotion}"))
