"""`mien bench`: time and memory of the classifier and the whole pipeline."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Annotated

import typer

from mien.commands.options import DetectorOption, ModelOption
from mien.detection import DEFAULT_DETECTOR
from mien.errors import UserError
from mien.tflite.model_file import DEFAULT_MODEL, load_model


def bench(
    as_json: Annotated[
        bool, typer.Option("--json", help="Print one JSON document instead of tables.")
    ] = False,
    baseline: Annotated[
        bool,
        typer.Option(
            "--baseline",
            help="Also run the tutorial's pipeline on the same frames: OpenCV's default search "
            "with the cascade loaded anew, and Keras where TensorFlow is installed.",
        ),
    ] = False,
    fer: Annotated[
        Path | None,
        typer.Option(
            metavar="PYTHON",
            help="With --baseline: also run the package fer, with the Python of an environment "
            "that has it.",
        ),
    ] = None,
    model: ModelOption = DEFAULT_MODEL,
    detector: DetectorOption = DEFAULT_DETECTOR,
    clip: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE|FOLDER",
            help="Also time the pipeline on your video files; their mean is then the headline.",
        ),
    ] = None,
    threads: Annotated[
        int, typer.Option(metavar="N", min=1, help="Threads of the classifier in the pipeline.")
    ] = 1,
    frames: Annotated[
        int, typer.Option(metavar="N", min=1, help="Frames of each scene, at 30 frames/s.")
    ] = 240,
    soak: Annotated[
        int, typer.Option(metavar="N", min=0, help="Frames over which memory is measured.")
    ] = 0,
) -> None:
    """Measure speed and memory, on one core unless stated otherwise.

    The scenes are synthetic, from the demo's portraits; --clip measures real videos. Off a terminal
    the last line is the JSON document as well.
    """
    loaded = load_model(model)
    # Late: every other command would start later for it.
    from mien.bench.report import text
    from mien.bench.runner import BenchOptions, clips_in, measure_all

    if fer is not None and not baseline:
        raise UserError("--fer is for another pipeline; add --baseline.")
    clips = tuple(clips_in(clip)) if clip else ()
    options = BenchOptions(frames, threads, baseline, fer, soak, detector, clips)
    document = measure_all(loaded, options)
    if not as_json:
        print(text(document))
    if as_json or not sys.stdout.isatty():
        print(json.dumps(document, allow_nan=False))
