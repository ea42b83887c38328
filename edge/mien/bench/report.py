"""Text tables of a `mien bench` document."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from mien.console import table

OTHERS = {"tutorial": "the tutorial", "fer": "the package fer"}
XNNPACK = {True: "on", False: "off", None: "unknown"}


def text(document: dict[str, Any]) -> str:
    """Return the tables."""
    machine, model = document["machine"], document["model"]
    versions = ", ".join(f"{name} {value}" for name, value in machine["versions"].items())
    xnnpack = XNNPACK[document["classifier"][0]["xnnpack"]]
    parts = [
        f"{machine['processor'] or machine['architecture']}, "
        f"{machine['usable_cores']} cores, load {machine['load_average']}\n{versions}\n"
        f"model {model['name']} {model['version']}, XNNPACK {xnnpack}\n"
        "One core unless threads are named. Wall time is what a clock says, CPU time what this "
        "process used of it.",
        _times(
            ["classifier, one face"],
            [([f"{e['threads']} threads"], e) for e in document["classifier"]],
        ),
        _times(
            ["whole pipeline", "faces", "recall", "false"],
            [([_size(e), str(e["faces"]), *_found(e)], e) for e in document["pipeline"]],
        ),
    ]
    if document["clips"]:
        rows = [([e["clip"], _size(e), f"{e['faces']:.1f}"], e) for e in document["clips"]]
        mean = _ms(document["clips_mean"]["cpu_ms"])
        parts.append(
            f"{_times(['whole pipeline, your clips', 'size', 'faces'], rows)}\n"
            f"mean over {len(rows)} clips: {mean} ms of CPU a frame"
        )
    if "baseline" in document:
        parts.append(_baseline(document["baseline"]))
    memory = dict(document["memory_mb"])
    frames, grown = memory.pop("frames"), memory.pop("grown")
    values = ", ".join(f"{value:.1f} {key}" for key, value in memory.items() if value is not None)
    growth = "" if grown is None else f"; grown by {grown:.2f} since the first 2,000"
    parts.append(f"memory, MB: {values} after {frames} frames{growth}")
    return "\n\n".join(parts) + "\n"


def _times(head: list[str], rows: Sequence[tuple[list[str], dict[str, Any]]]) -> str:
    cells = [[*head, "min", "median", "p95", "CPU median", "CPU mean", "ms"]]
    for first, entry in rows:
        wall, cpu = entry["wall_ms"], entry["cpu_ms"]
        values = (wall["min"], wall["median"], wall["p95"], cpu["median"], cpu["mean"])
        cells.append([*first, *map(_ms, values), ""])
    return table(cells, right=range(1, len(head) + 5))


def _baseline(found: dict[str, Any]) -> str:
    others = [name for name in OTHERS if name in found]
    rows = []
    for name in ("mien", *others):
        entry = found[name]
        label = f"{name} ({entry['classifier']})" if "classifier" in entry else name
        rows.append(([label, *_found(entry)], entry))
    lines = [_times(["the same frames, 640x480, one face", "recall", "false"], rows)]
    for name in others:
        ratio = found[name]["ratio"]
        times = f"{ratio['cpu']:.0f} times the CPU's and {ratio['wall']:.0f} times the wall's time"
        lines.append(f"{OTHERS[name]} takes {times}")
    return "\n".join(lines)


def _found(entry: dict[str, Any]) -> list[str]:
    return [f"{entry['recall']:.3f}", str(entry["false_boxes"])]


def _size(entry: dict[str, Any]) -> str:
    return f"{entry['width']}x{entry['height']}"


def _ms(value: float) -> str:
    return f"{value:.3f}" if value < 10 else f"{value:.1f}"
