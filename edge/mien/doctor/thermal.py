"""Temperature, clock, throttling and power supply."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from mien import board
from mien.doctor.check import Check, joined

WARM = 75.0  # deg C; a Pi lowers its clock from 80 on
HOT = 80.0
SUPPLY = "use the power supply made for this Pi and a short, thick cable"
COOLING = "give it a heat sink or fan, or air"


def heat(root: Path = board.SYSTEM_ROOT) -> Iterator[Check]:
    """Check what the board says of its temperature, clock and power."""
    yield _temperature(root)
    yield _clock(root)
    yield _throttling(root)


def _temperature(root: Path) -> Check:
    value = board.cpu_temperature(root)
    if value is None:
        return Check("temperature", "skip", "the system does not say")
    found = f"{value:.1f} degrees C"
    if value >= HOT:
        return Check("temperature", "fail", f"{found}: the Pi slows itself down", COOLING)
    if value >= WARM:
        return Check("temperature", "warn", found, COOLING)
    return Check("temperature", "ok", found)


def _clock(root: Path) -> Check:
    now, limit = board.cpu_clock(root), board.cpu_clock_limit(root)
    if now is None:
        return Check("clock", "skip", "the system does not say")
    # A low clock is no fault: an idle board lowers it.
    return Check("clock", "ok", f"{now:.0f} MHz" + (f" of {limit:.0f}" if limit else ""))


def _throttling(root: Path) -> Check:
    if not board.is_pi(root):
        return Check("throttling", "skip", "only a Raspberry Pi says")
    found = board.throttling(root)
    if found is None:
        remedy = "let this user ask: sudo usermod -aG video $USER"
        return Check("throttling", "warn", "vcgencmd get_throttled gives no answer", remedy)
    words = f"now: {joined(found.now)}; since the start: {joined(found.before)} ({found.raw:#x})"
    if not found.now and not found.before:
        return Check("throttling", "ok", "none, now or since the start")
    remedies = []
    if "under-voltage" in (*found.now, *found.before):
        remedies.append(SUPPLY)
    if {"throttled", "soft temperature limit", "clock capped"} & {*found.now, *found.before}:
        remedies.append(COOLING)
    return Check("throttling", "fail" if found.now else "warn", words, "; ".join(remedies))
