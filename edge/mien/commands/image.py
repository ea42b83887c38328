"""`mien image`: reads every face of every picture."""

from __future__ import annotations

import json
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

import cv2
import typer

from mien.atomic import write_file
from mien.classification.classifier import Classifier
from mien.console import progress, table
from mien.commands.options import DetectorOption, LandmarksOption
from mien.detection import DEFAULT_DETECTOR, open_detector
from mien.errors import UserError
from mien.image import MAX_PIXELS, Picture, load_image
from mien.outputs.annotate import annotate_photo
from mien.outputs.jsonl import record
from mien.pipeline.results import FrameResult
from mien.pipeline.still import ImagePipeline
from mien.sources.base import Frame
from mien.tflite.model_file import Metadata, load_model

JPEG_SUFFIXES = (".jpg", ".jpeg")
JPEG_QUALITY = 92


@dataclass(frozen=True)
class Read:
    """A picture that was read."""

    file: Path
    width: int  # px
    height: int  # px
    faces: list[dict[str, Any]]  # as in JSONL
    annotated: Path | None


def image(
    files: Annotated[
        list[Path], typer.Argument(metavar="FILE", help="Pictures: JPEG, PNG and others.")
    ],
    model: Annotated[
        str,
        typer.Option(metavar="NAME|FILE", help="A shipped model, or a .tflite of mien-convert."),
    ] = "mien",
    detector: DetectorOption = DEFAULT_DETECTOR,
    as_json: Annotated[
        bool, typer.Option("--json", help="Print one JSON document instead of a table.")
    ] = False,
    landmarks: LandmarksOption = False,
    annotate: Annotated[
        Path | None,
        typer.Option(
            metavar="DIR",
            help="Write each picture with boxes and labels into this folder, under its own name; "
            "the pictures read are never overwritten.",
        ),
    ] = None,
    cropped: Annotated[
        bool, typer.Option("--cropped", help="Take each picture as one face, already cut out.")
    ] = False,
    threads: Annotated[
        int, typer.Option(metavar="N", min=1, help="Threads of the classifier.")
    ] = 1,
    max_megapixels: Annotated[
        float,
        typer.Option(metavar="N", min=0.001, help="Refuse pictures with more pixels than this."),
    ] = MAX_PIXELS / 1e6,
) -> None:
    """Read the expression of every face in every picture.

    A picture that cannot be read is reported and left out; the exit code is then 2.
    """
    loaded = load_model(model)
    classifier = Classifier(loaded, threads)
    pipeline = ImagePipeline(open_detector(detector), classifier, loaded.metadata)
    names = AnnotatedNames(annotate, files) if annotate is not None else None
    done: list[Read] = []
    errors: list[tuple[Path, str]] = []
    for index, file in enumerate(progress(files, len(files), "pictures")):
        try:
            limit = round(max_megapixels * 1e6)
            done.append(_read(index, file, pipeline, cropped, names, limit, landmarks))
        except UserError as error:
            errors.append((file, str(error)))
            print(f"mien: {error}", file=sys.stderr)
    if as_json:
        print(json.dumps(_document(loaded.metadata, done, errors), indent=1, allow_nan=False))
    elif done:
        print(_table(done))
        if annotate is not None:
            print(f"\nannotated pictures are in {annotate}")
    if errors:
        raise typer.Exit(2)


class AnnotatedNames:
    """Chooses where annotated pictures go, so that no two are one and none is an input."""

    def __init__(self, folder: Path, inputs: Sequence[Path]) -> None:
        if folder.exists() and not folder.is_dir():
            raise UserError(f"{folder} is no folder; give --annotate the name of one.")
        self._folder = folder
        # Names are compared without capitals, for file systems that do.
        self._inputs = {_folded(file) for file in inputs}
        self._taken: set[str] = set()

    def next(self, file: Path) -> Path:
        """Return the path for the annotated form of an input."""
        suffix = file.suffix if file.suffix.lower() in JPEG_SUFFIXES else ".png"
        stem = file.stem
        if _folded(self._folder / f"{stem}{suffix}") in self._inputs:
            stem += "-annotated"
        path, number = self._folder / f"{stem}{suffix}", 2
        while _folded(path) in self._inputs | self._taken:
            path = self._folder / f"{stem}-{number}{suffix}"
            number += 1
        self._taken.add(_folded(path))
        return path


def _folded(path: Path) -> str:
    return str(path.resolve()).casefold()


def _read(
    index: int,
    file: Path,
    pipeline: ImagePipeline,
    cropped: bool,
    names: AnnotatedNames | None,
    max_pixels: int,
    landmarks: bool,
) -> Read:
    picture = load_image(file, max_pixels, want_color=names is not None)
    frame = Frame(index, float(index), picture.gray, picture.bgr, file.name)
    if cropped:
        result = FrameResult(index, frame.time, pipeline.read(picture.gray, [None]), {})
    else:
        result = pipeline.process(frame)
    target = None
    if names:
        target = names.next(file)
        _write(target, picture, result)
    height, width = picture.gray.shape
    return Read(file, width, height, record(frame, result, landmarks)["faces"], target)


def _write(target: Path, picture: Picture, result: FrameResult) -> None:
    quality = (cv2.IMWRITE_JPEG_QUALITY, JPEG_QUALITY)
    encoded, data = cv2.imencode(
        target.suffix.lower(), annotate_photo(picture.bgr, result.faces), quality
    )
    if not encoded:
        raise UserError(f"{target} cannot be encoded; the picture is too large for its format.")
    write_file(target, data.tobytes(), "--annotate")


def _document(
    metadata: Metadata, done: Sequence[Read], errors: Sequence[tuple[Path, str]]
) -> dict[str, Any]:
    return {
        "model": {"name": metadata.name, "version": metadata.version},
        "threshold": metadata.threshold,
        "pictures": [
            {
                "file": str(read.file),
                "width": read.width,
                "height": read.height,
                "faces": read.faces,
                "annotated": str(read.annotated) if read.annotated else None,
            }
            for read in done
        ],
        "errors": [{"file": str(file), "error": error} for file, error in errors],
    }


def _table(done: Sequence[Read]) -> str:
    rows = [["picture", "face", "x", "y", "width", "height", "emotion", "confidence", "likeliest"]]
    for read in done:
        if not read.faces:
            rows.append([str(read.file), "-", "", "", "", "", "no face found", "", ""])
        for number, face in enumerate(read.faces, 1):
            ranked = sorted(face["probabilities"].items(), key=lambda item: -item[1])
            rows.append(
                [
                    str(read.file),
                    str(number),
                    *(str(value) for value in face["box"]),
                    face["emotion"],
                    f"{face['confidence']:.2f}",
                    ", ".join(f"{label} {share:.2f}" for label, share in ranked[:2]),
                ]
            )
    return table(rows, right=(1, 2, 3, 4, 5, 7))
