"""Recording file: whole lines, emptied or continued, rotated by day and size, bounded in total."""

from __future__ import annotations

import contextlib
import os
import re
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from io import FileIO
from pathlib import Path

from mien.errors import UserError

DATE = "{date}"  # in a file's name: the local date, as 2026-11-30
PARTS_PER_BOUND = 10  # parts into which a bounded total is divided where no size is given
MAX_LINE_BYTES = 1 << 20  # of an unfinished last line that is cut off before going on
CLOCK_JUMP_S = 3600.0  # s by which the wall clock must leave the monotonic one to count as a jump
CLOCK_SETTLE_S = 600.0  # s after a jump during which no file is deleted for its age
SIZE_UNITS = {"kb": 10**3, "mb": 10**6, "gb": 10**9}


@dataclass(frozen=True)
class Retention:
    """Bound on a recording's files; the one that is being written is never deleted."""

    days: int | None = None  # delete files of earlier days
    total_bytes: int | None = None  # delete the oldest files beyond this total


@dataclass(frozen=True)
class Rotation:
    """How a recording is written.

    `append` continues an existing file; so does whatever rotates. `max_bytes` begins a new file,
    with a number in its name, before one grows beyond it.
    """

    append: bool = False
    max_bytes: int | None = None
    keep: Retention = Retention()


EMPTIED = Rotation()


def wall_clock(ago_s: float | None = None) -> str:
    """Return the local time `ago_s` seconds ago, ISO 8601 with milliseconds and offset."""
    moment = datetime.now().astimezone() - timedelta(seconds=ago_s or 0.0)
    return moment.isoformat(timespec="milliseconds")


def parse_size(text: str, option: str) -> int:
    """Return the bytes in a text such as "100 MB"; raises UserError."""
    match = re.fullmatch(r"([0-9]+(?:\.[0-9]+)?)\s*(kb|mb|gb)", text.strip().lower())
    size = float(match[1]) * SIZE_UNITS[match[2]] if match else 0.0
    if not 1000 <= size < 1e15:
        raise UserError(f"Invalid {option} '{text[:50]}': give a size from 1 kB, as '100 MB'.")
    return int(size)


def parse_retention(text: str, option: str) -> Retention:
    """Return the bound in a text such as "30 days" or "30 days, 2 GB"; raises UserError."""
    days = total = None
    for part in text.split(","):
        match = re.fullmatch(r"([0-9]{1,5})\s*(days?|d)", part.strip().lower())
        if match and int(match[1]):
            days = int(match[1])
        elif re.search(r"[kmg]b\s*$", part.lower()):
            total = parse_size(part, option)
        else:
            raise UserError(
                f"Invalid {option} '{text[:50]}': give days or a total size, as '30 days', '2 GB' "
                "or '30 days, 2 GB'."
            )
    return Retention(days, total)


def today_path(target: str, day: date | None = None) -> Path:
    """Return the path of the file that a recording writes on a day, today by default."""
    return Path(target.replace(DATE, (day or date.today()).isoformat()))


def recorded_files(target: str) -> list[tuple[date, int, Path]]:
    """Return the files of a recording that exist, with day and number, oldest first."""
    path = Path(target)
    dated = DATE in target
    stem = re.escape(path.stem).replace(re.escape(DATE), r"(?P<day>\d{4}-\d\d-\d\d)", 1)
    stem = stem.replace(re.escape(DATE), r"\d{4}-\d\d-\d\d")
    name = re.compile(rf"{stem}(?:\.(?P<number>[0-9]{{1,9}}))?{re.escape(path.suffix)}")
    found = []
    with contextlib.suppress(OSError):
        for file in path.parent.iterdir():
            match = name.fullmatch(file.name)
            if match is None or not file.is_file():
                continue
            with contextlib.suppress(ValueError, OSError):  # no such day; deleted meanwhile
                day = (
                    date.fromisoformat(match["day"])
                    if dated
                    else date.fromtimestamp(file.stat().st_mtime)
                )
                found.append((day, int(match["number"] or 1), file))
    return sorted(found, key=lambda one: one if dated else (date.min, one[1], one[2]))


def newest_file(target: str) -> Path | None:
    """Return the file that a recording writes now or wrote last; None where there is none."""
    files = recorded_files(target)
    return files[-1][2] if files else None


class Recording:
    """Lines in a file, or in one file after the other.

    A reader sees whole lines only, and a killed process leaves whole lines: each goes out in one
    piece. Files are only ever begun, continued and deleted, never renamed. Methods raise UserError
    where the file cannot be written, BrokenPipeError where the reader of a pipe has gone.
    """

    def __init__(
        self,
        target: str,
        rotation: Rotation = EMPTIED,
        header: bytes = b"",
        now: Callable[[], datetime] = datetime.now,
    ) -> None:
        """Open the file; `header` is written at the beginning of each."""
        self._target = target
        self._dated = DATE in target
        self._keep = rotation.keep
        self._max_bytes = rotation.max_bytes
        if self._keep.total_bytes is not None:
            part = self._keep.total_bytes // PARTS_PER_BOUND
            self._max_bytes = min(self._max_bytes or part, part)
        self._append = rotation.append or self._dated or self._max_bytes is not None
        self._header = header
        self._now = now
        self._written: dict[Path, float] = {}  # s of time.monotonic(), when each was opened
        self._clock_offset = self._wall_minus_monotonic()
        self._jumped = float("-inf")  # s of time.monotonic()
        self._day = now().date()
        self._number = self._newest_number() if self._append else 1
        self._open()

    @property
    def path(self) -> Path:
        """The file that is being written."""
        return self._numbered(self._number)

    def write(self, line: bytes) -> None:
        """Write a line, which ends with a line feed; begin another file where it is due."""
        self._rotate(len(line))
        rest = memoryview(line)
        try:
            while rest:
                rest = rest[self._file.write(rest) :]
        except BrokenPipeError:
            raise
        except OSError as error:
            with contextlib.suppress(OSError):  # a full disk took a part of the line
                self._file.truncate(self._size)
            raise UserError(f"{self.path} cannot be written: {error.strerror}.") from error
        self._size += len(line)

    def close(self) -> None:
        """Close the file."""
        self._file.close()

    def _rotate(self, coming: int) -> None:
        day = self._now().date() if self._dated else self._day
        full = self._max_bytes is not None and self._size + coming > self._max_bytes
        if not self._regular or (day == self._day and not (full and self._size)):
            return
        self._file.close()
        if day != self._day:
            self._day = day
            self._number = self._newest_number()
        else:
            self._number += 1
        self._open()

    def _open(self) -> None:
        path = self.path
        try:
            self._regular = path.is_file() or not path.exists()
            if self._regular:
                self._delete_old()
            self._file = FileIO(path, "a" if self._append and self._regular else "w")
            self._size = os.fstat(self._file.fileno()).st_size if self._regular else 0
            if self._size:
                self._end_last_line(path)
            elif self._header:
                self._size += self._file.write(self._header)
        except OSError as error:
            raise UserError(f"{path} cannot be written: {error.strerror}.") from error
        self._written[path] = time.monotonic()

    def _end_last_line(self, path: Path) -> None:
        """Cut off what a killed process or a full disk left behind the last whole line."""
        with path.open("rb") as file:
            start = file.seek(max(0, self._size - MAX_LINE_BYTES))
            end = file.read()
        if end.endswith(b"\n"):
            return
        whole = end.rfind(b"\n") + 1
        if whole:
            self._size = start + whole
            os.ftruncate(self._file.fileno(), self._size)
        else:  # not a line of ours: leave it, and begin behind it
            self._size += self._file.write(b"\n")

    def _numbered(self, number: int) -> Path:
        path = today_path(self._target, self._day)
        return path if number == 1 else path.with_name(f"{path.stem}.{number}{path.suffix}")

    def _newest_number(self) -> int:
        numbers = {path: number for _, number, path in recorded_files(self._target)}
        return max((n for path, n in numbers.items() if path == self._numbered(n)), default=1)

    def _delete_old(self) -> None:
        """Delete what is beyond the bounds, so that another file fits in."""
        if self._keep == Retention():
            return
        others = [(day, file) for day, _, file in recorded_files(self._target) if file != self.path]
        if self._keep.days is not None and self._clock_holds():
            first = self._now().date() - timedelta(days=self._keep.days - 1)
            since = time.monotonic() - 86400 * (self._keep.days - 1)
            for day, file in others:
                # What was written within that time is not old, whatever date it got.
                if day < first and self._written.get(file, float("-inf")) <= since:
                    _delete(file)
        if self._keep.total_bytes is not None:
            total = sum(_size(file) for _, file in others)
            for _, file in others:
                if total <= self._keep.total_bytes - (self._max_bytes or 0):
                    break
                total -= _size(file)
                _delete(file)

    def _wall_minus_monotonic(self) -> float:
        return self._now().timestamp() - time.monotonic()

    def _clock_holds(self) -> bool:
        """Return whether the wall clock has not jumped of late: its date could then be wrong."""
        offset = self._wall_minus_monotonic()
        if abs(offset - self._clock_offset) > CLOCK_JUMP_S:
            self._clock_offset, self._jumped = offset, time.monotonic()
        return time.monotonic() - self._jumped >= CLOCK_SETTLE_S


def _size(file: Path) -> int:
    try:
        return file.stat().st_size
    except OSError:  # deleted meanwhile
        return 0


def _delete(file: Path) -> None:
    with contextlib.suppress(OSError):  # the folder may be another user's
        file.unlink()
