"""A window with the annotated frames; q, x, Esc or its close button end the run."""

from __future__ import annotations

import contextlib
import os
import subprocess
import sys
import time

import cv2

from mien.child import code_command
from mien.errors import UserError
from mien.sources.base import Pixels

TITLE = "mien"
KEYS = (ord("q"), ord("x"), 27)
SLICE_MS = 20  # between two looks at keys and signals


class DisplayWindow:
    """Shows pictures. `paced` holds each until the next one's time, as a player does."""

    def __init__(self, paced: bool, fps: float) -> None:
        self.closed = False
        self._paced = paced
        self._fps = fps
        self._start: float | None = None

    def write(self, picture: Pixels, moment: float) -> None:
        """Show a picture, uint8 [H, W, 3] blue first, whose time is `moment` seconds."""
        if self._start is None:
            # Qt's window can be resized; the flag also keeps its tool bar away.
            cv2.namedWindow(TITLE, cv2.WINDOW_NORMAL | cv2.WINDOW_KEEPRATIO | cv2.WINDOW_GUI_NORMAL)
            cv2.resizeWindow(TITLE, picture.shape[1], picture.shape[0])
            self._start = time.monotonic() - moment
        elif self._paced:
            self.hold(self._start + moment - time.monotonic())
        if not self.closed:
            cv2.imshow(TITLE, picture)
            self._look(1)

    def hold(self, seconds: float) -> None:
        """Leave the picture standing while keys and the close button work."""
        end = time.monotonic() + seconds
        while not self.closed and (left := end - time.monotonic()) > 0:
            self._look(max(1, min(SLICE_MS, round(left * 1e3))))

    def close(self) -> None:
        """Take the window away."""
        if self._start is not None:
            if self._paced:
                self.hold(1 / self._fps)  # the last picture has its time too
            with contextlib.suppress(cv2.error):
                cv2.destroyAllWindows()
                cv2.waitKey(1)

    def _look(self, ms: int) -> None:
        key = cv2.waitKey(ms)
        try:
            gone = cv2.getWindowProperty(TITLE, cv2.WND_PROP_VISIBLE) < 1
        except cv2.error:  # so says Qt once its last window is closed
            gone = True
        self.closed = self.closed or gone or (key >= 0 and key & 0xFF in KEYS)


def check_screen() -> None:
    """Raise UserError where no window can be opened.

    OpenCV's Qt does not raise where there is no screen: it ends the process. So another process
    tries first.
    """
    advice = "leave --window out and use --video or --jsonl"
    if sys.platform == "linux" and not (
        os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY")
    ):
        raise UserError(
            "There is no screen for --window (neither DISPLAY nor WAYLAND_DISPLAY is set); "
            f"{advice}."
        )
    trial = "import cv2; cv2.namedWindow('mien'); cv2.destroyAllWindows()"
    try:
        done = subprocess.run(
            code_command(trial), capture_output=True, text=True, timeout=30, check=False
        )
    except subprocess.TimeoutExpired:
        raise UserError(f"The screen for --window does not answer; {advice}.") from None
    if "not implemented" in done.stderr:
        raise UserError(
            "This OpenCV is the headless one and has no windows; run "
            "`pip uninstall opencv-python-headless` and `pip install --force-reinstall "
            f"'opencv-python>=4.10,<5'`, or {advice}."
        )
    if done.returncode != 0:
        raise UserError(f"The screen for --window cannot be reached; {advice}.")
