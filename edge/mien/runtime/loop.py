"""Main loop of `mien run`: frames in, results out, until the source ends or is stopped."""

from __future__ import annotations

import math
import sys
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import typer

from mien import log
from mien.entry_point import abandon_stdout
from mien.log import LogEvent
from mien.outputs.jsonl import is_stdout
from mien.outputs.status_line import StatusLine
from mien.pipeline.video import VideoPipeline
from mien.runtime.governor import FrameRateLimiter, LoadGovernor
from mien.runtime.output_set import Output, OutputOptions, OutputSet
from mien.runtime.statistics import RunStatistics
from mien.signals import ShutdownRequested, ShutdownSignal
from mien.sources import Change, Frame, Source, SourceLost
from mien.sources.live import LiveSource
from mien.sources.pausable import PausableSource
from mien.sources.snapshot import SnapshotSource
from mien.systemd.notify import Heartbeat

EXIT_SOURCE_LOST = 4  # exit code where a camera or stream ended by itself


class TimeLimitReached(Exception):
    """The duration of the run has passed while a lost source was reopened."""


@dataclass(frozen=True)
class RateLimits:
    """Limits of the frame rate and of the load."""

    limiter: FrameRateLimiter | None = None  # None: as fast as they come
    governor: LoadGovernor | None = None  # None: full effort at every frame


def run_loop(
    source: Source,
    engine: VideoPipeline,
    options: OutputOptions,
    shutdown: ShutdownSignal,
    status_line: StatusLine,
    limits: RateLimits,
    integrations: Sequence[Output] = (),
) -> None:
    """Read a source to its end, write what is wanted and print the summary.

    `integrations` were opened before; they are closed with the rest. Raises UserError
    where the source has no frame or an output fails, typer.Exit(4) where a live source is lost.
    """
    statistics = RunStatistics(engine.metadata.labels)
    lost: SourceLost | None = None
    outputs: OutputSet | None = None
    status_line.total = expected_frames(source, options)
    heartbeat = Heartbeat.from_environment()
    first: float | None = None  # s of time.monotonic(), of the first frame
    paused = False

    def keep_alive() -> None:
        heartbeat.beat()
        limit = math.inf if options.duration is None else options.duration
        if first is not None and time.monotonic() - first >= limit:
            raise TimeLimitReached

    if isinstance(source, (LiveSource, PausableSource, SnapshotSource)):
        source.trying = keep_alive
    try:
        for item in limited_frames(source, options, shutdown, limits.limiter):
            if isinstance(item, Change):
                heartbeat.beat()
                heartbeat.status(item.why, now=True)
                # That it was lost, or came back after that, the source has said itself.
                if item.state == "paused" or paused:
                    log.event(item.why, "paused" if item.state == "paused" else "resumed")
                paused = item.state == "paused"
                if outputs is not None:
                    outputs.changed(item)
                continue
            started = time.monotonic()
            if first is None:
                first = started
                about = engine.metadata
                reads = f"{source.name} is read with {about.name} {about.version}"
                log.event(
                    reads, "started", source=source.name, model=about.name, version=about.version
                )
            result = engine.process(item)
            outputs = outputs or OutputSet(
                options, source, engine.metadata.labels, shutdown, integrations
            )
            outputs.write(item, result)
            if limits.governor is not None and source.live:
                interval = 1 / source.fps if source.fps else result.time - statistics.time
                engine.compute_budget = limits.governor.update(time.monotonic() - started, interval)
            statistics.add(result)
            status_line.update(statistics.frames, result)
            heartbeat.beat()
            heartbeat.status(
                f"{source.name}: {statistics.frames} frames, {len(result.faces)} faces"
            )
            if outputs.closed_by_user:
                break
    except SourceLost as error:
        lost = error
    except BrokenPipeError:  # `mien run --jsonl - | head` has seen enough
        if is_stdout(options.jsonl):
            abandon_stdout()
    except (ShutdownRequested, TimeLimitReached):
        pass
    finally:
        heartbeat.stopping()
        status_line.clear()
        statistics.end(source.fps, source.dropped)
        ended = f"{source.name} is read no more, after {statistics.frames} frames"
        log.event(ended, "stopped", source=source.name, frames=statistics.frames)
        if outputs is not None:
            outputs.close()
        else:
            for other in integrations:
                other.close()
    if not statistics.frames:
        status_line.say(LogEvent(str(lost), "error") if lost else "stopped before the first frame")
    else:
        print(statistics.text(), file=sys.stderr if is_stdout(options.jsonl) else sys.stdout)
        if lost:
            status_line.say(LogEvent(str(lost), "error"))
    if lost:
        raise typer.Exit(EXIT_SOURCE_LOST)


def limited_frames(
    source: Source,
    options: OutputOptions,
    shutdown: ShutdownSignal,
    limiter: FrameRateLimiter | None = None,
) -> Iterator[Frame | Change]:
    """Yield what a source gives up to the limits, at `cap`'s rate at most.

    Raises ShutdownRequested where a signal ends a wait.
    """
    items = source.frames()
    count = 0
    while not shutdown.requested:
        try:
            with shutdown.waiting():
                if limiter is not None:
                    limiter.wait()
                item = next(items)
        except StopIteration:
            return
        if options.duration is not None and item.time >= options.duration:
            return
        yield item
        if isinstance(item, Frame):
            count += 1
            if count == options.max_frames:
                return


def expected_frames(source: Source, options: OutputOptions) -> int | None:
    """Return about how many frames there will be, None where nothing bounds them."""
    bounds = [source.total, options.max_frames]
    if options.duration is not None and source.fps:
        bounds.append(max(1, round(options.duration * source.fps)))
    return min((bound for bound in bounds if bound is not None), default=None)
