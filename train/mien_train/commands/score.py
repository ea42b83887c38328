"""`mien-train score`: detection and tracking on clips and stills with known faces.

mien-train score bench/dev --detector ssd --detector haar --misses out/misses.png
mien-train score bench/dev --sweep docs/tracker-sweep.csv
"""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Annotated, Any

import typer
from mien.console import progress, table
from mien.detection import DEFAULT_DETECTOR
from mien.errors import UserError

CLIP_COLUMNS = {
    "clips": "clips",
    "frames": "frames",
    "recall": "recall %",
    "false_per_1000_frames": "false / 1,000 frames",
    "mota": "MOTA",
    "idf1": "IDF1",
    "switches": "switches",
    "shared_ids": "shared",
    "faces": "faces",
    "found_within_half_a_second": "<= 0.5 s %",
    "never_found": "never",
}
STILL_COLUMNS = {
    "pictures": "pictures",
    "faces": "faces",
    "recall": "recall %",
    "recall 24-48": "24-48",
    "recall 48-96": "48-96",
    "recall 96+": "96+",
    "recall clear": "clear",
    "misses": "misses",
    "false_per_picture": "false / picture",
    "ms_per_picture": "ms",
}
SHARES = {"recall", "mota", "idf1", "found_within_half_a_second"}


def score(
    data: Annotated[
        Path,
        typer.Argument(
            metavar="DATA",
            help="Folder of clips (NAME.mp4, NAME.gt.txt), of stills (truth.csv, "
            "stills/SET/*.jpg), or with both (clips/ beside truth.csv).",
        ),
    ],
    detector: Annotated[
        list[str] | None,
        typer.Option(
            metavar="NAME[:FILE]",
            help="As of mien run; may be given more than once.",
            show_default=DEFAULT_DETECTOR,
        ),
    ] = None,
    as_json: Annotated[
        bool, typer.Option("--json", help="Print one JSON document instead of tables.")
    ] = False,
    misses: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE.png", help="Write a picture of faces that the first detector missed."
        ),
    ] = None,
    sweep: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE.csv",
            help="Instead, try values of each number of the tracker; write a table.",
        ),
    ] = None,
) -> None:
    """Measure how well faces are found and followed, by the code that the device runs.

    MOTA, IDF1 and id switches by motmetrics, at IoU 0.4.
    """
    from mien_train.evaluation.stills import list_stills
    from mien_train.evaluation.tracking import list_clips

    if not data.is_dir():
        raise UserError(f"There is no folder {data}; give a folder of clips or stills with truth.")
    folder = data / "clips" if (data / "clips").is_dir() else data
    stills = list_stills(data) if (data / "truth.csv").is_file() else []
    clips = list_clips(folder) if any(folder.glob("*.gt.txt")) or not stills else []
    names = detector or [DEFAULT_DETECTOR]
    if sweep is not None:
        _sweep(clips, names[0], sweep)
        return
    document: dict[str, Any] = {"data": data.name, "detectors": {}}
    tiles: list[Any] = []
    for name in names:
        found, missed = _measure(name, clips, stills, misses is not None and not tiles)
        document["detectors"][name] = found
        tiles = tiles or missed
    if misses is not None:
        from mien_train.evaluation.misses import save_sheet

        save_sheet(misses, tiles)
    print(json.dumps(document, indent=1) if as_json else _tables(document["detectors"]))


def _measure(
    name: str, clips: Sequence[Any], stills: Sequence[Any], want_misses: bool
) -> tuple[dict[str, Any], list[Any]]:
    """Return the measures of one detector, and tiles of what it missed."""
    import time

    import cv2
    import numpy as np
    from mien.boxes import clip_box
    from mien.detection import open_detector
    from mien.detection.tiles import detect_still
    from mien.image import load_image
    from mien.pipeline.video import VideoPipeline
    from mien.sources.base import Frame
    from mien.tflite.model_file import load_model

    from mien_train.evaluation import misses as sheets
    from mien_train.evaluation import stills as pictures
    from mien_train.evaluation import tracking

    cv2.setNumThreads(1)
    found: dict[str, Any] = {}
    tiles: list[Any] = []
    detector = open_detector(name)
    if clips:
        model = load_model("mien")

        def build() -> Callable[[Frame], tracking.TrackedFrame]:
            pipeline = VideoPipeline(model, detector=detector)

            def update(frame: Frame) -> tracking.TrackedFrame:
                faces = pipeline.process(frame).faces
                boxes = np.array([face.box for face in faces], np.float64).reshape(-1, 4)
                return tracking.TrackedFrame(frame.time, tuple(f.id or 0 for f in faces), boxes)

            return update

        results = [
            tracking.score_clip(clip, tracking.track_clip(clip, build))
            for clip in progress(clips, len(clips), f"{name}: clips")
        ]
        found["clips"] = tracking.by_kind(results)
        if want_misses:
            tiles += sheets.missed_in_clips(clips, results)
    if stills:
        spent = 0.0

        def detect(path: Path) -> tracking.Boxes:
            nonlocal spent
            gray = load_image(path).gray
            height, width = gray.shape
            start = time.process_time()
            boxes = [clip_box(one.box, width, height) for one in detect_still(detector, gray)]
            spent += time.process_time() - start
            return np.array(boxes, np.float64).reshape(-1, 4)

        shown = progress(stills, len(stills), f"{name}: stills")
        found["stills"], each = pictures.score_stills(shown, detect)
        found["stills"]["all"]["ms_per_picture"] = 1e3 * spent / len(stills)
        if want_misses:
            tiles += sheets.missed_in_stills(each)
    return found, tiles


def _tables(detectors: dict[str, Any]) -> str:
    parts = []
    for key, columns in (("clips", CLIP_COLUMNS), ("stills", STILL_COLUMNS)):
        rows = [["", "detector", *columns.values()]]
        for name, found in detectors.items():
            for group, measures in found.get(key, {}).items():
                rows.append([group, name, *(_cell(k, measures.get(k)) for k in columns)])
        if len(rows) > 1:
            parts.append(table(rows, right=range(2, len(columns) + 2)))
    return "\n\n".join(parts)


def _cell(key: str, value: float | None) -> str:
    if value is None:
        return "-"
    if key in SHARES or key.startswith("recall"):
        return f"{100 * value:.1f}"
    if key == "false_per_picture":
        return f"{value:.3f}"
    return f"{value:.1f}" if isinstance(value, float) else str(value)


def _sweep(clips: Sequence[Any], name: str, target: Path) -> None:
    import csv
    import io

    import cv2
    from mien.atomic import check_target, write_file
    from mien.detection import open_detector
    from mien.tracking.tracker import TrackerConfig

    from mien_train.evaluation.sweep import COLUMNS, sweep

    if not clips:
        raise UserError("--sweep needs clips with truth; give a folder of them.")
    check_target(target)
    cv2.setNumThreads(1)
    rows: list[dict[str, Any]] = []
    steps = sweep(clips, open_detector(name), TrackerConfig())
    for _, found in progress(steps, len(clips) + 1, "clips"):
        rows = found
    text = io.StringIO()
    writer = csv.DictWriter(text, COLUMNS, lineterminator="\n")
    writer.writeheader()
    for row in rows:
        writer.writerow({k: f"{v:.4g}" if isinstance(v, float) else v for k, v in row.items()})
    write_file(target, text.getvalue().encode(), "--sweep")
    print(f"wrote {target}")
