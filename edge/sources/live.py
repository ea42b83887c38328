"""A camera or a stream as a source: a thread reads it and keeps only the newest frame."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from typing import TypeVar

from edge.sources.frame import Device, Frame, Shot, SourceLost

Result = TypeVar("Result")


class LiveSource:
    """The newest frame of a device, whatever the reader's pace.

    OpenCV and drivers queue frames: who reads slower than the camera would see the past. The
    thread started by `frames` owns the device from then on, and closes it. `patience` is how
    many seconds without a frame count as lost.
    """

    live = True
    total = None

    def __init__(self, device: Device, patience: float = 10.0) -> None:
        self.name = device.name
        self.fps = device.fps
        self.dropped = 0
        self._device = device
        self._patience = patience
        self._news = threading.Condition()
        self._newest: tuple[int, Shot] | None = None
        self._ended: BaseException | None = None
        self._closing = False
        self._thread: threading.Thread | None = None

    def frames(self) -> Iterator[Frame]:
        """Yield the newest frame each time, never one twice; raises SourceLost when it ends."""
        self._thread = threading.Thread(target=self._read, name=f"read {self.name}", daemon=True)
        self._thread.start()
        start: float | None = None
        expected = 0
        while True:
            index, shot = self._take()
            start = shot.taken if start is None else start
            self.dropped += index - expected
            expected = index + 1
            yield Frame(index, max(0.0, shot.taken - start), shot.gray, shot.bgr)

    def close(self) -> None:
        """Stop reading; a read that hangs in the driver is left behind after three seconds."""
        self._closing = True
        if self._thread is None:
            self._device.close()
        else:
            self._thread.join(3.0)

    def _take(self) -> tuple[int, Shot]:
        with self._news:
            self._news.wait_for(lambda: self._newest or self._ended, self._patience)
            if self._newest:
                newest, self._newest = self._newest, None
                return newest
            if self._ended:
                raise self._ended
        raise SourceLost(
            f"{self.name} gave no frame for {self._patience:g} s; check that it is connected and on"
        )

    def _read(self) -> None:
        """Keep the newest frame until the device is lost or the source closed.

        A device that is lost ends the source. Opening it again belongs here: nothing outside
        this method would notice.
        """
        index = 0
        try:
            while not self._closing:
                shot = self._device.read()
                with self._news:
                    self._newest = (index, shot)
                    self._news.notify()
                index += 1
        except BaseException as error:
            with self._news:
                self._ended = error
                self._news.notify()
        finally:
            self._device.close()


def patiently(work: Callable[[], Result]) -> Result:
    """Do something that may hang for seconds in foreign code, so that Ctrl-C ends the wait.

    Python's signal handlers run between two bytecodes of the main thread: never while it waits
    inside OpenCV.
    """
    results: list[Result] = []
    errors: list[BaseException] = []

    def run() -> None:
        try:
            results.append(work())
        except BaseException as error:
            errors.append(error)

    thread = threading.Thread(target=run, name="open", daemon=True)
    thread.start()
    while thread.is_alive():
        thread.join(0.2)
    if errors:
        raise errors[0]
    return results[0]
