"""`mien image`: detects and classifies every face of every picture."""

from __future__ import annotations

import csv as csv_format
import io
import json
import sys
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any
from urllib.parse import urlsplit

import cv2
import typer

from mien.atomic import check_target, write_file
from mien.classification.classifier import Classifier
from mien.classification.profile import load_profile
from mien.commands.options import (
    DetectorOption,
    JsonOption,
    LandmarksOption,
    ModelOption,
    ThreadsOption,
)
from mien.console import progress, table
from mien.detection import DEFAULT_DETECTOR, open_detector
from mien.errors import UserError
from mien.image import MAX_PIXELS, Picture, decode_image, load_image
from mien.log import warn_user
from mien.outputs.annotate import annotate_photo
from mien.outputs.jsonl import record
from mien.pipeline.results import FrameResult
from mien.pipeline.still import ImagePipeline
from mien.sources.address import parse_address, public
from mien.sources.base import Frame
from mien.sources.images import list_pictures
from mien.tflite.metadata import Metadata
from mien.tflite.model_file import DEFAULT_MODEL, load_model

JPEG_SUFFIXES = (".jpg", ".jpeg")
JPEG_QUALITY = 92


@dataclass(frozen=True)
class Read:
    """Result of one picture."""

    file: str  # as it was named; an address without its password
    width: int  # px
    height: int  # px
    faces: list[dict[str, Any]]  # as in JSONL
    annotated: Path | None


def image(
    pictures: Annotated[
        list[str],
        typer.Argument(
            metavar="FILE|FOLDER|URL",
            help="Pictures (JPEG, PNG and others), folders of pictures, or http(s) addresses of "
            "pictures.",
        ),
    ],
    model: ModelOption = DEFAULT_MODEL,
    detector: DetectorOption = DEFAULT_DETECTOR,
    profile: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE", help="Correct the predictions by a profile of mien calibrate."
        ),
    ] = None,
    as_json: JsonOption = False,
    landmarks: LandmarksOption = False,
    csv: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="Also write a CSV table with one row per face."),
    ] = None,
    annotate: Annotated[
        Path | None,
        typer.Option(
            metavar="FOLDER",
            help="Write each picture with boxes and labels into this folder, under its own name; "
            "an input is never overwritten.",
        ),
    ] = None,
    cropped: Annotated[
        bool,
        typer.Option("--cropped", help="Treat each picture as one cropped face."),
    ] = False,
    threads: ThreadsOption = 1,
    max_megapixels: Annotated[
        float,
        typer.Option(metavar="N", min=0.001, help="Refuse pictures with more pixels than this."),
    ] = MAX_PIXELS / 1e6,
) -> None:
    """Read facial expressions from pictures.

    A picture that cannot be read is reported and skipped; the exit code is then 2.
    """
    loaded = load_model(model)
    if csv is not None:
        check_target(csv)
    loaded_profile = None if profile is None else load_profile(profile, loaded.metadata)
    classifier = Classifier(loaded, threads, loaded_profile)
    pipeline = ImagePipeline(open_detector(detector), classifier, loaded.metadata)
    done: list[Read] = []
    errors: list[tuple[str, str]] = []

    def failed(name: str, error: UserError) -> None:
        errors.append((name, str(error)))
        print(f"mien: {error}", file=sys.stderr)

    inputs = list(_expand(pictures, failed))
    local = [Path(name) for name in inputs if not is_address(name)]
    names = AnnotatedNames(annotate, local) if annotate is not None else None
    for index, name in enumerate(progress(inputs, len(inputs), "pictures")):
        try:
            picture, file = _load(name, round(1e6 * max_megapixels), annotate is not None)
            done.append(_read(index, file, picture, pipeline, cropped, names, landmarks))
        except UserError as error:
            failed(public(name) if is_address(name) else name, error)
    if csv is not None:
        data = _csv(done, loaded.metadata.labels).encode("utf-8", "surrogateescape")
        write_file(csv, data, "--csv")
    if as_json:
        print(json.dumps(_document(loaded.metadata, done, errors), indent=1, allow_nan=False))
    elif done:
        print(_table(done))
        if annotate is not None:
            print(f"\nannotated pictures are in {annotate}")
    if errors:
        raise typer.Exit(2)


def is_address(name: str) -> bool:
    """Return whether a picture is named by an http:// or https:// address."""
    return name.lower().startswith(("http://", "https://"))


def _expand(names: Sequence[str], failed: Callable[[str, UserError], None]) -> Iterator[str]:
    """Yield the names, with folders replaced by their pictures."""
    for name in names:
        if is_address(name) or not Path(name).is_dir():
            yield name
            continue
        try:
            yield from map(str, list_pictures(Path(name), warn_user))
        except UserError as error:
            failed(name, error)


class AnnotatedNames:
    """Names of annotated pictures: all different, and none of them an input."""

    def __init__(self, folder: Path, inputs: Sequence[Path]) -> None:
        if folder.exists() and not folder.is_dir():
            raise UserError(f"--annotate needs a folder, but {folder} is a file.")
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


def _load(name: str, max_pixels: int, want_color: bool) -> tuple[Picture, str]:
    """Return the picture of a path or an address, and its name without a password."""
    if not is_address(name):
        return load_image(name, max_pixels, want_color), name
    from mien.sources.http_image import fetch_image

    data, name = fetch_image(parse_address(name)), public(name)
    return decode_image(data, name, max_pixels, want_color), name


def _read(
    index: int,
    name: str,
    picture: Picture,
    pipeline: ImagePipeline,
    cropped: bool,
    names: AnnotatedNames | None,
    landmarks: bool,
) -> Read:
    file = Path(urlsplit(name).path if is_address(name) else name)
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
    return Read(name, width, height, record(frame, result, landmarks)["faces"], target)


def _write(target: Path, picture: Picture, result: FrameResult) -> None:
    quality = (cv2.IMWRITE_JPEG_QUALITY, JPEG_QUALITY)
    encoded, data = cv2.imencode(
        target.suffix.lower(), annotate_photo(picture.bgr, result.faces), quality
    )
    if not encoded:
        raise UserError(f"{target} cannot be encoded; the picture is too large for its format.")
    write_file(target, data.tobytes(), "--annotate")


def _document(
    metadata: Metadata, done: Sequence[Read], errors: Sequence[tuple[str, str]]
) -> dict[str, Any]:
    return {
        "model": {"name": metadata.name, "version": metadata.version},
        "threshold": metadata.threshold,
        "pictures": [
            {
                "file": read.file,
                "width": read.width,
                "height": read.height,
                "faces": read.faces,
                "annotated": str(read.annotated) if read.annotated else None,
            }
            for read in done
        ],
        "errors": [{"file": file, "error": error} for file, error in errors],
    }


def _table(done: Sequence[Read]) -> str:
    rows = [["picture", "face", "x", "y", "width", "height", "emotion", "confidence", "likeliest"]]
    for read in done:
        if not read.faces:
            rows.append([read.file, "-", "", "", "", "", "no face found", "", ""])
        for number, face in enumerate(read.faces, 1):
            ranked = sorted(face["probabilities"].items(), key=lambda item: -item[1])
            rows.append(
                [
                    read.file,
                    str(number),
                    *(str(value) for value in face["box"]),
                    face["emotion"],
                    f"{face['confidence']:.2f}",
                    ", ".join(f"{label} {share:.2f}" for label, share in ranked[:2]),
                ]
            )
    return table(rows, right=(1, 2, 3, 4, 5, 7))


def _csv(done: Sequence[Read], labels: Sequence[str]) -> str:
    """Return a row per face; the columns are named as those of `mien run --csv`."""
    text = io.StringIO()
    rows = csv_format.writer(text, lineterminator="\n")
    columns = ("picture", "face", "x", "y", "w", "h", "emotion", "confidence")
    rows.writerow([*columns, *(f"p_{label}" for label in labels)])
    for read in done:
        for number, face in enumerate(read.faces, 1):
            shares = [face["probabilities"][label] for label in labels]
            values = (*face["box"], face["emotion"], face["confidence"], *shares)
            rows.writerow([read.file, number, *values])
    return text.getvalue()
