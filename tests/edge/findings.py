"""What the doctor's tests share: files of a pretended machine, and checks by their name."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from mien.doctor.check import Check


def put(root: Path, files: dict[str, str]) -> Path:
    """Write files under a root and return it."""
    for name, content in files.items():
        file = root / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(content)
    return root


def by_name(checks: Iterable[Check]) -> dict[str, Check]:
    """Return checks by their names."""
    return {found.name: found for found in checks}
