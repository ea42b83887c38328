"""Frame rate of a raw H.264 stream (Annex B), from its sequence parameter set.

ITU-T H.264, 7.3.2.1.1 (sequence parameter set) and E.1.1 (VUI, whose timing is the rate).
"""

from __future__ import annotations

import re
from pathlib import Path

from mien.sources.base import usable_fps

HEAD_BYTES = 1 << 16  # of a file; the parameter set comes first
START = re.compile(rb"\0\0\0?\x01")
SPS, ASPECT_EXTENDED = 7, 255
HIGH_PROFILES = (100, 110, 122, 244, 44, 83, 86, 118, 128, 138, 139, 134, 135)
NAL_TYPES = (1, 5, 6, 7, 8, 9)  # slices, SEI, parameter sets, delimiter: what a stream begins with


class _Bits:
    """Bits of a parameter set, most significant first; raises IndexError behind its end."""

    def __init__(self, data: bytes) -> None:
        self._data = data
        self._at = 0

    def read(self, count: int = 1) -> int:
        value = 0
        for _ in range(count):
            value = value << 1 | (self._data[self._at >> 3] >> (7 - (self._at & 7)) & 1)
            self._at += 1
        return value

    def unsigned(self) -> int:
        """Read an Exp-Golomb code, ue(v)."""
        zeros = 0
        while not self.read():
            zeros += 1
            if zeros > 32:
                raise IndexError("no code")
        return (1 << zeros) - 1 + self.read(zeros)


def is_annex_b(path: Path) -> bool:
    """Return whether a file is a raw H.264 stream without a container."""
    head = _head(path)
    start = START.match(head)
    if start is None or len(head) <= start.end():
        return False
    units = [head[match.end()] & 31 for match in START.finditer(head) if match.end() < len(head)]
    return head[start.end()] >> 7 == 0 and units[0] in NAL_TYPES and SPS in units


def stream_rate(path: Path) -> float | None:
    """Return the frames per second that the parameter set states; None where it does not."""
    head = _head(path)
    starts = list(START.finditer(head))
    for index, start in enumerate(starts):
        end = starts[index + 1].start() if index + 1 < len(starts) else len(head)
        unit = head[start.end() : end]
        if unit and unit[0] & 31 == SPS:
            try:
                # 00 00 03 stands for 00 00 within a unit.
                return _rate(_Bits(unit[1:].replace(b"\0\0\x03", b"\0\0")))
            except IndexError:
                return None
    return None


def _head(path: Path) -> bytes:
    try:
        with path.open("rb") as file:
            return file.read(HEAD_BYTES) if path.is_file() else b""
    except OSError:
        return b""


def _rate(bits: _Bits) -> float | None:
    profile = bits.read(8)
    bits.read(16)  # constraints, level
    bits.unsigned()
    if profile in HIGH_PROFILES:
        _skip_high_profile(bits)
    bits.unsigned()  # log2_max_frame_num_minus4
    order = bits.unsigned()
    if order == 0:
        bits.unsigned()
    elif order == 1:
        bits.read()
        bits.unsigned()
        bits.unsigned()
        for _ in range(min(bits.unsigned(), 255)):
            bits.unsigned()
    bits.unsigned()  # max_num_ref_frames
    bits.read()
    bits.unsigned()  # width
    bits.unsigned()  # height
    if not bits.read():
        bits.read()
    bits.read()
    if bits.read():  # cropping
        for _ in range(4):
            bits.unsigned()
    if not bits.read():  # no VUI
        return None
    return _vui_rate(bits)


def _vui_rate(bits: _Bits) -> float | None:
    if bits.read() and bits.read(8) == ASPECT_EXTENDED:
        bits.read(32)
    if bits.read():  # overscan
        bits.read()
    if bits.read():  # video signal
        bits.read(4)
        if bits.read():
            bits.read(24)
    if bits.read():  # chroma location
        bits.unsigned()
        bits.unsigned()
    if not bits.read():  # timing
        return None
    ticks, scale = bits.read(32), bits.read(32)
    return usable_fps(scale / (2 * ticks)) if ticks else None


def _skip_high_profile(bits: _Bits) -> None:
    chroma = bits.unsigned()
    if chroma == 3:
        bits.read()
    bits.unsigned()
    bits.unsigned()
    bits.read()
    if not bits.read():
        return
    for index in range(8 if chroma != 3 else 12):
        if bits.read():
            last = following = 8
            for _ in range(16 if index < 6 else 64):
                if following:
                    code = bits.unsigned()
                    signed = (code + 1) // 2 if code % 2 else -(code // 2)
                    following = (last + signed) % 256
                last = following or last
