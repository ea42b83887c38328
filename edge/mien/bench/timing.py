"""Wall and CPU times of repeated work on one core."""

from __future__ import annotations

import os
import statistics
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

import cv2


class Stopwatch:
    """Wall times of single runs and CPU times of all threads of this process, in ms.

    On a machine that does other work too the wall's times hold that work; the CPU's do not.
    """

    def __init__(self) -> None:
        self.wall: list[float] = []
        self.cpu: list[float] = []

    @contextmanager
    def running(self) -> Iterator[None]:
        """Time the block."""
        cpu, wall = time.process_time_ns(), time.perf_counter_ns()
        yield
        wall, cpu = time.perf_counter_ns() - wall, time.process_time_ns() - cpu
        self.wall.append(wall / 1e6)
        self.cpu.append(cpu / 1e6)

    def summary(self) -> dict[str, object]:
        """Return the JSON fields: n, and min, median, mean and p95 of both, in ms."""
        return {"n": len(self.wall), "wall_ms": spread(self.wall), "cpu_ms": spread(self.cpu)}


def spread(values: Sequence[float]) -> dict[str, float]:
    """Return min, median, mean and the 95th percentile (nearest rank)."""
    ordered = sorted(values)
    return {
        "min": round(ordered[0], 4),
        "median": round(statistics.median(ordered), 4),
        "mean": round(statistics.fmean(ordered), 4),
        "p95": round(ordered[max(0, -(-95 * len(ordered) // 100) - 1)], 4),
    }


@contextmanager
def one_core() -> Iterator[int | None]:
    """Keep this process on one core, its last, and OpenCV on one thread, for the block.

    Gives the core's number, None where the system cannot pin (macOS, Windows). Threads and
    processes started in the block stay on the core.
    """
    threads = cv2.getNumThreads()
    cores = affinity()
    cv2.setNumThreads(1)
    try:
        if cores:
            os.sched_setaffinity(0, {max(cores)})
        yield max(cores) if cores else None
    finally:
        if cores:
            os.sched_setaffinity(0, cores)
        cv2.setNumThreads(threads)


def affinity() -> set[int]:
    """Return the cores that this process may use; empty if the system does not report them."""
    return set(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else set()
