"""The snapshot address of a camera (http://camera/snap.jpg): read once, or at an interval."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator

from mien.errors import UserError
from mien.image import Picture, decode_image
from mien.log import LogEvent
from mien.sources.address import Address
from mien.sources.base import Change, Frame, Say, SourceLost
from mien.sources.http_image import fetch_image

SLICE_S = 0.5  # s between two calls of `trying` while nothing is due


class SnapshotSource:
    """Pictures of one address, each a still: nothing is tracked from one to the next.

    Without `every_s` it is one picture. With it the address is fetched every `every_s` s; a
    picture that does not come is retried, for `give_up` s at most where that is given.
    """

    dropped = 0

    def __init__(
        self,
        address: Address,
        want_color: bool,
        say: Say,
        every_s: float | None = None,
        give_up: float | None = None,
        insecure: bool = False,
    ) -> None:
        self.name = address.name
        self.live = every_s is not None
        self.fps = None if every_s is None else 1 / every_s
        self.total = 1 if every_s is None else None
        # Called while it waits: the watchdog's sign of life, and the end of a run's duration.
        self.trying: Callable[[], object] = lambda: None
        self._address, self._insecure = address, insecure
        self._want_color, self._say = want_color, say
        self._every_s, self._give_up = every_s, give_up

    def frames(self) -> Iterator[Frame | Change]:
        """Yield the pictures; raises UserError if the first one cannot be read."""
        picture = self._fetch()
        start = last = time.monotonic()
        yield self._frame(0, 0.0, picture)
        index, lost = 1, False
        while self._every_s is not None:
            self._wait(start + index * self._every_s)
            now = time.monotonic() - start
            # Pictures that were due meanwhile are left out, not fetched one after the other.
            index = max(index, int(now / self._every_s))
            try:
                picture = self._fetch()
            except UserError as error:
                if self._give_up is not None and time.monotonic() - last >= self._give_up:
                    raise SourceLost(str(error)) from error
                if not lost:
                    self._say(LogEvent(f"{error} It is tried again.", "lost", source=self.name))
                    yield Change("lost", now, str(error))
                lost = True
                index += 1
                continue
            if lost:
                self._say(LogEvent(f"{self.name} is back.", "back", source=self.name))
                yield Change("back", now, f"{self.name} is back.")
            lost, last = False, time.monotonic()
            yield self._frame(index, now, picture)
            index += 1

    def close(self) -> None:
        """Do nothing: each picture has a connection of its own."""

    def _fetch(self) -> Picture:
        data = fetch_image(self._address, self._insecure)
        return decode_image(data, self.name, want_color=self._want_color)

    def _frame(self, index: int, seconds: float, picture: Picture) -> Frame:
        name = self._address.rest.split("?")[0].rpartition("/")[2] or self._address.host
        return Frame(index, seconds, picture.gray, picture.bgr if self._want_color else None, name)

    def _wait(self, due: float) -> None:
        while (left := due - time.monotonic()) > 0:
            time.sleep(min(left, SLICE_S))
            self.trying()
