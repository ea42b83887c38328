"""Board sensors: name, temperature, clock, throttling and memory.

A sensor that the machine lacks gives None. `root` is the file system's root, so
that a test can hand over a folder with sysfs files of its own.
"""

from __future__ import annotations

import re
import subprocess
from dataclasses import dataclass
from pathlib import Path

from mien.child import environment_without_secrets

SYSTEM_ROOT = Path("/")
VCGENCMD_TIMEOUT_S = 3.0  # s after which a vcgencmd that hangs is left alone
# The Raspberry Pi documentation of `vcgencmd get_throttled`; the same bits, 16 higher, say that it
# happened at some time since the start.
THROTTLE_BITS = {
    0: "under-voltage",
    1: "clock capped",
    2: "throttled",
    3: "soft temperature limit",
}
SINCE_START_SHIFT = 16


@dataclass(frozen=True)
class Throttling:
    """Throttling state of a Raspberry Pi, the bits of `vcgencmd get_throttled`."""

    raw: int
    now: tuple[str, ...]  # of BITS
    before: tuple[str, ...]  # at some time since the start, and perhaps still

    @classmethod
    def of(cls, raw: int) -> Throttling:
        """Decode the bits."""
        now = tuple(word for bit, word in THROTTLE_BITS.items() if raw >> bit & 1)
        before = tuple(
            word for bit, word in THROTTLE_BITS.items() if raw >> bit + SINCE_START_SHIFT & 1
        )
        return cls(raw, now, before)


@dataclass(frozen=True)
class Memory:
    """Main memory in bytes."""

    total: int
    available: int  # without swapping


def board_name(root: Path = SYSTEM_ROOT) -> str | None:
    """Return the board's name, as "Raspberry Pi 5 Model B Rev 1.0"; None where it has none."""
    return _read_text(root / "proc/device-tree/model") or None


def is_pi(root: Path = SYSTEM_ROOT) -> bool:
    """Whether this is a Raspberry Pi."""
    return "Raspberry Pi" in (board_name(root) or "")


def cpu_temperature(root: Path = SYSTEM_ROOT) -> float | None:
    """Return the processor's temperature in degrees Celsius."""
    zones = _matching(root / "sys/class/thermal", "thermal_zone*")
    # Of several the one that names the processor; a Pi has "cpu-thermal", others "x86_pkg_temp".
    zones.sort(key=lambda zone: not re.search("cpu|pkg", _read_text(zone / "type")))
    for zone in zones:
        value = _read_integer(zone / "temp")
        if value is not None:
            return value / 1e3
    return None


def cpu_clock(root: Path = SYSTEM_ROOT) -> float | None:
    """Return the processor's present clock in MHz.

    A Pi's kernel goes on reporting the clock that it asked for while the firmware throttles
    (raspberrypi/linux#2986), so the firmware is asked first.
    """
    output = re.search(r"=(\d+)", _vcgencmd("measure_clock", "arm")) if is_pi(root) else None
    if output:
        return int(output[1]) / 1e6
    value = _read_integer(root / "sys/devices/system/cpu/cpu0/cpufreq/scaling_cur_freq")
    return None if value is None else value / 1e3


def cpu_clock_limit(root: Path = SYSTEM_ROOT) -> float | None:
    """Return the processor's highest clock in MHz."""
    value = _read_integer(root / "sys/devices/system/cpu/cpu0/cpufreq/cpuinfo_max_freq")
    return None if value is None else value / 1e3


def throttling(root: Path = SYSTEM_ROOT) -> Throttling | None:
    """Return the throttling state of a Pi, from sysfs or vcgencmd; None elsewhere."""
    if not is_pi(root):
        return None
    for file in _matching(root / "sys/devices/platform", "soc*/*firmware/get_throttled"):
        value = _read_text(file)
        if re.fullmatch("(0x)?[0-9a-fA-F]+", value):
            return Throttling.of(int(value, 16))
    output = re.search("throttled=(0x[0-9a-fA-F]+)", _vcgencmd("get_throttled"))
    return Throttling.of(int(output[1], 16)) if output else None


def memory(root: Path = SYSTEM_ROOT) -> Memory | None:
    """Return the total and the available memory."""
    found = re.findall(
        r"^(MemTotal|MemAvailable):\s+(\d+) kB", _read_text(root / "proc/meminfo"), re.MULTILINE
    )
    sizes = {name: int(kib) * 1024 for name, kib in found}
    if len(sizes) < 2:
        return None
    return Memory(sizes["MemTotal"], sizes["MemAvailable"])


def _vcgencmd(*words: str) -> str:
    """Return the output of the Pi's firmware tool; empty if it is missing or fails."""
    try:
        done = subprocess.run(
            ["vcgencmd", *words],
            capture_output=True,
            text=True,
            timeout=VCGENCMD_TIMEOUT_S,
            env=environment_without_secrets(),
        )
    except (OSError, subprocess.TimeoutExpired):
        return ""
    return done.stdout if done.returncode == 0 else ""


def _matching(folder: Path, pattern: str) -> list[Path]:
    """Return the files that match; none where the folder cannot be read at present."""
    try:
        return sorted(folder.glob(pattern))
    except OSError:  # also where this process has no descriptor left
        return []


def _read_text(path: Path) -> str:
    try:
        return path.read_text("utf-8", "replace").strip("\0\n ")
    except OSError:
        return ""


def _read_integer(path: Path) -> int | None:
    text = _read_text(path)
    return int(text) if re.fullmatch("-?[0-9]+", text) else None
