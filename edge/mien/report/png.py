"""The report as a PNG, drawn with OpenCV."""

from __future__ import annotations

import cv2
import numpy as np
import numpy.typing as npt

from mien.console import format_duration
from mien.outputs.colors import bgr
from mien.report.view import FaceTimeline, View, runs, stretches, ticks

Pixels = npt.NDArray[np.uint8]
FINE = 2  # drawn so much larger, then made smaller: OpenCV's letters gain by it
WIDTH = 1200
EDGE = 40
CHART = 260
LANE = 44
SIDE = 190  # of a lane's name
MOST_LINES = 14
FONT = cv2.FONT_HERSHEY_SIMPLEX
INK, SOFT, TRACK, WHITE = (43, 33, 23), (120, 107, 93), (240, 236, 232), (255, 255, 255)


class _Sheet:
    """A white sheet; coordinates are px of the finished picture."""

    def __init__(self, height: int) -> None:
        self.pixels: Pixels = np.full((height * FINE, WIDTH * FINE, 3), 255, np.uint8)

    def box(self, x: float, y: float, w: float, h: float, colour: tuple[int, ...]) -> None:
        left, top = round(x * FINE), round(y * FINE)
        right, bottom = max(left + 1, round((x + w) * FINE)), round((y + h) * FINE)
        self.pixels[top:bottom, left:right] = colour

    def text(
        self,
        words: str,
        x: float,
        y: float,
        size: float = 15,
        colour: tuple[int, int, int] = INK,
        align: float = 0.0,
        bold: bool = False,
    ) -> float:
        """Write in one line, `align` of its width to the left of x; return the width."""
        plain = words.encode("ascii", "replace").decode()  # all that these letters have
        scale = size * FINE / 30
        thick = max(1, round(scale * (2.8 if bold else 1.8)))
        (width, _), _ = cv2.getTextSize(plain, FONT, scale, thick)
        place = (round(x * FINE - align * width), round(y * FINE))
        cv2.putText(self.pixels, plain, place, FONT, scale, colour, thick, cv2.LINE_AA)
        return width / FINE

    def png(self) -> bytes:
        size = (WIDTH, self.pixels.shape[0] // FINE)
        done, data = cv2.imencode(
            ".png", cv2.resize(self.pixels, size, interpolation=cv2.INTER_AREA)
        )
        assert done
        return data.tobytes()


def png(view: View) -> bytes:
    """Return the picture's file."""
    lines = view.lines[:MOST_LINES]
    lanes_height = (LANE * len(view.lanes) + 74) if view.lanes else 0
    below = 46 + 26 * max(len(view.shares), len(lines), 1) + 20
    sheet = _Sheet(150 + CHART + 90 + lanes_height + below + 20 * len(view.notes) + 20)
    sheet.text(view.title, EDGE, 52, 26, bold=True)
    x = float(EDGE)
    for name, value in view.facts:
        width = sheet.text(name, x, 84, 13, SOFT)
        x += max(width, sheet.text(value, x, 108, 18, bold=True)) + 34
    y = 150.0
    sheet.text("All faces over time", EDGE, y - 12, 15, bold=True)
    _chart(sheet, view, y)
    _legend(sheet, view, y + CHART + 50)
    y += CHART + 90
    if view.lanes:
        sheet.text("Face by face", EDGE, y, 15, bold=True)
        y += 16
        for lane in view.lanes:
            _lane(sheet, lane, view, y)
            y += LANE
        _ticks(sheet, view, EDGE + SIDE, y + 8)
        y += 58
    _shares(sheet, view, y)
    sheet.text("Moments of change", WIDTH / 2, y, 15, bold=True)
    for number, line in enumerate(lines or ()):
        row = y + 28 + 26 * number
        sheet.text(format_duration(line.time), WIDTH / 2, row, 14, SOFT)
        words = f"{line.face}: {line.words}"
        sheet.text(words if len(words) <= 62 else f"{words[:59]}...", WIDTH / 2 + 80, row, 14)
    if not lines:
        sheet.text("none that lasted", WIDTH / 2, y + 28, 14, SOFT)
    y += below - 18
    for note in view.notes:
        sheet.text(note, EDGE, y, 13, SOFT)
        y += 20
    return sheet.png()


def _chart(sheet: _Sheet, view: View, top: float) -> None:
    width = WIDTH - 2 * EDGE
    sheet.box(EDGE, top, width, CHART, TRACK)
    scale = width / view.length if view.length else 0.0
    for start, end in runs(view.mean):
        for index in range(start, end):
            x = EDGE + index * view.step * scale
            wide = min(view.step * scale, EDGE + width - x)
            y = top
            for column, label in enumerate(view.labels):
                high = CHART * float(view.mean[index, column])
                sheet.box(x, y, wide, high, bgr(view.colours[label]))
                y += high
    for a, b in view.gaps:
        sheet.box(EDGE + a * scale, top, max(2.0, (b - a) * scale), CHART, WHITE)
        sheet.box(EDGE + a * scale, top + CHART / 2 - 1, max(2.0, (b - a) * scale), 2, SOFT)
    _ticks(sheet, view, EDGE, top + CHART + 20)


def _ticks(sheet: _Sheet, view: View, left: float, y: float) -> None:
    width = WIDTH - EDGE - left
    for seconds in ticks(view.length):
        x = left + width * (seconds / view.length if view.length else 0.0)
        align = 0.0 if seconds == 0 else 1.0 if x > WIDTH - EDGE - 20 else 0.5
        sheet.text(format_duration(seconds), x, y, 13, SOFT, align)


def _legend(sheet: _Sheet, view: View, y: float) -> None:
    x = float(EDGE)
    for label in view.labels:
        sheet.box(x, y - 11, 12, 12, bgr(view.colours[label]))
        x += 18 + sheet.text(label, x + 18, y, 14, SOFT) + 22


def _lane(sheet: _Sheet, lane: FaceTimeline, view: View, y: float) -> None:
    left, width = EDGE + SIDE, WIDTH - 2 * EDGE - SIDE
    scale = width / view.length if view.length else 0.0
    sheet.text(lane.name, EDGE, y + 16, 14)
    first = next(iter(lane.shares), None)
    words = f"{format_duration(lane.seconds)}" + (
        f", {first} {lane.shares[first]:.0%}" if first else ""
    )
    sheet.text(words, EDGE, y + 32, 12, SOFT)
    sheet.box(left, y + 4, width, LANE - 14, TRACK)
    for a, b, label in stretches(lane.mean, view.labels):
        x = left + a * view.step * scale
        wide = min((b - a) * view.step * scale, left + width - x)
        sheet.box(x, y + 4, wide, LANE - 14, bgr(view.colours[label]))


def _shares(sheet: _Sheet, view: View, y: float) -> None:
    sheet.text("Share of the time", EDGE, y, 15, bold=True)
    long = WIDTH / 2 - EDGE - 240
    for number, (emotion, share) in enumerate(view.shares.items()):
        row = y + 28 + 26 * number
        sheet.text(emotion, EDGE, row, 14)
        sheet.box(EDGE + 100, row - 11, long, 13, TRACK)
        colour = bgr(view.colours.get(emotion, "#999999"))
        sheet.box(EDGE + 100, row - 11, long * share, 13, colour)
        sheet.text(f"{100 * share:.1f} %", EDGE + 100 + long + 70, row, 14, align=1.0)
    if not view.shares:
        sheet.text("no face was seen", EDGE, y + 28, 14, SOFT)
