"""Text tables of a `mien bench` document."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from mien.console import table

OTHERS = {"tutorial": "the tutorial", "fer": "the package fer"}


def text(document: dict[str, Any]) -> str:
    """Return the tables."""
    machine, model = document["machine"], document["model"]
    versions = ", ".join(f"{name} {value}" for name, value in machine["versions"].items())
    parts = [
        f"{machine['board'] or machine['processor'] or machine['architecture']}, "
        f"{machine['usable_cores']} cores, load {machine['load_average']}\n{versions}\n"
        f"model {model['name']} {model['version']}, XNNPACK {_state(document['xnnpack'])}\n"
        "One core unless threads are named. Wall time is what a clock says, CPU time what this "
        "process used of it.",
        _times(
            "the model alone",
            [
                (f"{e['threads']} threads, XNNPACK {_state(e['xnnpack'])}", e)
                for e in document["model_alone"]
            ],
        ),
        _litert(document["litert_benchmark"]),
        _times(
            "stages, one face at 640x480",
            [(f"{e['stage']}: {e['what']}", e) for e in document["stages"]],
        ),
        _pipeline(document["pipeline"]),
    ]
    if "clips" in document:
        parts.append(_clips(document["clips"], document["clips_mean"]))
    if "baseline" in document:
        parts.append(_baseline(document["baseline"]))
    parts.append(_memory(document["memory_mb"], document["start"]))
    return "\n\n".join(parts) + "\n"


def _state(xnnpack: bool | None) -> str:
    return {True: "on", False: "off", None: "unknown"}[xnnpack]


def _ms(value: float) -> str:
    return f"{value:.3f}" if value < 10 else f"{value:.1f}"


def _times(title: str, rows: Sequence[tuple[str, dict[str, Any]]]) -> str:
    cells = [[title, "min", "median", "p95", "CPU median", "CPU mean", "ms"]]
    for name, entry in rows:
        wall, cpu = entry["wall_ms"], entry["cpu_ms"]
        values = (wall["min"], wall["median"], wall["p95"], cpu["median"], cpu["mean"])
        cells.append([name, *map(_ms, values), ""])
    return table(cells, right=range(1, 6))


def _litert(found: dict[str, Any] | None) -> str:
    if found is None:
        return "litert-benchmark is not installed (ai-edge-litert 2.2 and later have it)."
    if "error" in found:
        return f"litert-benchmark: {found['error']}."
    wall = found["wall_ms"]
    return (
        f"litert-benchmark, {found['threads']} thread: min {_ms(wall['min'])}, "
        f"median {_ms(wall['median'])}, p95 {_ms(wall['p95'])} ms"
    )


def _pipeline(entries: Sequence[dict[str, Any]]) -> str:
    cells = [
        ["whole pipeline", "faces", "median", "mean", "p95", "CPU mean", "recall", "false", "ms"]
    ]
    for entry in entries:
        wall = entry["wall_ms"]
        values = (wall["median"], wall["mean"], wall["p95"], entry["cpu_ms"]["mean"])
        found = [f"{entry['recall']:.3f}", str(entry["false_boxes"])]
        size = f"{entry['width']}x{entry['height']}"
        cells.append([size, str(entry["faces"]), *map(_ms, values), *found, ""])
    return table(cells, right=range(1, 8))


def _clips(entries: Sequence[dict[str, Any]], mean: dict[str, Any]) -> str:
    cells = [["whole pipeline, your clips", "size", "faces", "median", "CPU mean", "p95", "ms"]]
    for entry in entries:
        times = (entry["wall_ms"]["median"], entry["cpu_ms"]["mean"], entry["cpu_ms"]["p95"])
        size = f"{entry['width']}x{entry['height']}"
        cells.append([entry["clip"], size, f"{entry['faces']:.1f}", *map(_ms, times), ""])
    headline = f"mean over {mean['clips']} clips: {_ms(mean['cpu_ms'])} ms of CPU a frame"
    return f"{table(cells, right=range(2, 6))}\n{headline}"


def _baseline(found: dict[str, Any]) -> str:
    cells = [["the same frames, 640x480, one face", "median", "CPU mean", "recall", "false", "ms"]]
    others = [name for name in OTHERS if name in found]
    for name in ("mien", *others):
        entry = found[name]
        values = (entry["wall_ms"]["median"], entry["cpu_ms"]["mean"])
        counts = [f"{entry['recall']:.3f}", str(entry["false_boxes"])]
        said = f"{name} ({entry['classifier']})" if "classifier" in entry else name
        cells.append([said, *map(_ms, values), *counts, ""])
    lines = [table(cells, right=range(1, 5))]
    for name in others:
        ratio = found[name]["ratio"]
        times = f"{ratio['cpu']:.0f} times the CPU's and {ratio['wall']:.0f} times the wall's time"
        lines.append(f"{OTHERS[name]} takes {times}")
    return "\n".join(lines)


def _memory(memory: dict[str, Any], start: dict[str, Any]) -> str:
    stages = ", ".join(
        f"{value:.1f} {key.replace('_', ' ')}"
        for key, value in memory.items()
        if key not in ("frames", "grown") and value is not None
    )
    grown = "" if memory["grown"] is None else f"; grown by {memory['grown']:.2f} since"
    return (
        f"memory, MB: {stages} after {memory['frames']} frames{grown}\n"
        f"start: {start['wall_s']:.2f} s from the process's start to the first result "
        f"(CPU {start['cpu_s']:.2f} s)"
    )
