"""The loop of `mien run`: frames in, results out, until the source ends or somebody stops it."""

from __future__ import annotations

import math
import sys
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import typer

from mien.log import Said
from mien.outputs.jsonl import abandon_stdout, is_stdout
from mien.outputs.status_line import Status
from mien.pipeline.video import Engine
from mien.runtime.governor import Cap, Pace
from mien.runtime.output_set import Output, Outputs, Wanted
from mien.runtime.statistics import Summary
from mien.signals import Stop, Stopped
from mien.sources import Change, Frame, Source, SourceLost
from mien.sources.live import LiveSource
from mien.sources.pausable import PausableSource
from mien.systemd.journal import note
from mien.systemd.notify import Heartbeat

LOST = 4  # exit code where a camera or stream ended by itself


class Over(Exception):
    """The time that was asked for has gone by while the source was looked for."""


@dataclass(frozen=True)
class Tempo:
    """How fast frames are taken, and how much may be spent on one."""

    cap: Cap | None = None  # None: as fast as they come
    pace: Pace | None = None  # None: full effort at every frame


def watch(
    source: Source,
    engine: Engine,
    wanted: Wanted,
    stop: Stop,
    status: Status,
    tempo: Tempo,
    others: Sequence[Output] = (),
) -> None:
    """Read a source to its end, write what is wanted and print the summary.

    `others` are outputs that were opened before; they are closed with the rest. Raises UserError
    where the source has no frame or an output fails, typer.Exit(4) where a live source is lost.
    """
    summary = Summary(engine.metadata.labels)
    lost: SourceLost | None = None
    outputs: Outputs | None = None
    status.total = expected_frames(source, wanted)
    heartbeat = Heartbeat.from_environment()
    first: float | None = None  # s of time.monotonic(), of the first frame
    paused = False

    def trying() -> None:
        heartbeat.beat()
        limit = math.inf if wanted.duration is None else wanted.duration
        if first is not None and time.monotonic() - first >= limit:
            raise Over

    if isinstance(source, (LiveSource, PausableSource)):
        source.trying = trying
    try:
        for item in until(source, wanted, stop, tempo.cap):
            if isinstance(item, Change):
                heartbeat.beat()
                heartbeat.status(item.why, now=True)
                # That it was lost, or came back after that, the source has said itself.
                if item.state == "paused" or paused:
                    note(item.why, "paused" if item.state == "paused" else "resumed")
                paused = item.state == "paused"
                if outputs is not None:
                    outputs.changed(item)
                continue
            started = time.monotonic()
            if first is None:
                first = started
                about = engine.metadata
                reads = f"{source.name} is read with {about.name} {about.version}"
                note(reads, "started", source=source.name, model=about.name, version=about.version)
            result = engine.process(item)
            outputs = outputs or Outputs(wanted, source, engine.metadata.labels, stop, others)
            outputs.write(item, result)
            if tempo.pace is not None and source.live:
                interval = 1 / source.fps if source.fps else result.time - summary.time
                engine.effort = tempo.pace.spent(time.monotonic() - started, interval)
            summary.add(result)
            status.update(summary.frames, result)
            heartbeat.beat()
            heartbeat.status(f"{source.name}: {summary.frames} frames, {len(result.faces)} faces")
            if outputs.closed_by_user:
                break
    except SourceLost as error:
        lost = error
    except BrokenPipeError:  # `mien run --jsonl - | head` has seen enough
        if is_stdout(wanted.jsonl):
            abandon_stdout()
    except (Stopped, Over):
        pass
    finally:
        heartbeat.stopping()
        status.clear()
        summary.end(source.fps, source.dropped)
        ended = f"{source.name} is read no more, after {summary.frames} frames"
        note(ended, "stopped", source=source.name, frames=summary.frames)
        if outputs is not None:
            outputs.close()
        else:
            for other in others:
                other.close()
    if not summary.frames:
        status.say(Said(str(lost), "error") if lost else "stopped before the first frame")
    else:
        print(summary.text(), file=sys.stderr if is_stdout(wanted.jsonl) else sys.stdout)
        if lost:
            status.say(Said(str(lost), "error"))
    if lost:
        raise typer.Exit(LOST)


def until(
    source: Source, wanted: Wanted, stop: Stop, cap: Cap | None = None
) -> Iterator[Frame | Change]:
    """Yield what a source gives up to the limits, at `cap`'s rate at most.

    Raises Stopped where a signal ends a wait.
    """
    items = source.frames()
    count = 0
    while not stop.requested:
        try:
            with stop.waiting():
                if cap is not None:
                    cap.wait()
                item = next(items)
        except StopIteration:
            return
        if wanted.duration is not None and item.time >= wanted.duration:
            return
        yield item
        if isinstance(item, Frame):
            count += 1
            if count == wanted.max_frames:
                return


def expected_frames(source: Source, wanted: Wanted) -> int | None:
    """Return about how many frames there will be, None where nothing bounds them."""
    bounds = [source.total, wanted.max_frames]
    if wanted.duration is not None and source.fps:
        bounds.append(max(1, round(wanted.duration * source.fps)))
    return min((bound for bound in bounds if bound is not None), default=None)
