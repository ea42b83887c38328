"""`mien calibrate`: fits a profile to a person, a camera or a room."""

from __future__ import annotations

import contextlib
import sys
from collections import Counter
from pathlib import Path
from typing import Annotated

import typer

from mien.atomic import check_target
from mien.classification.classifier import Classifier
from mien.classification.profile import NEUTRAL, SUFFIX, ProfileFit
from mien.commands.options import DetectorOption, ModelOption, ThreadsOption
from mien.console import progress
from mien.detection import DEFAULT_DETECTOR, open_detector
from mien.detection.base import Detector
from mien.errors import UserError
from mien.evaluation.dataset import list_all
from mien.log import warn_user
from mien.pipeline.results import Face
from mien.pipeline.samples import TAKE_S, Samples, record_take, sample_picture, samples_of_take
from mien.pipeline.still import ImagePipeline
from mien.pipeline.video import VideoPipeline
from mien.sources import open_source
from mien.tflite.model_file import DEFAULT_MODEL, Model, load_model

NEUTRAL_TAKE_S = 10.0  # s; blinks and glances belong to a resting face
ROUNDS = 2  # takes of each emotion: one teaches, the other measures
SKIP, QUIT = "s", "q"


def calibrate(
    source: Annotated[
        str,
        typer.Argument(
            metavar="SOURCE",
            help="A camera or video as of `mien run`, or a folder or zip of pictures in class "
            "folders (happy/1.jpg).",
        ),
    ] = "auto",
    name: Annotated[
        str, typer.Option(metavar="NAME", help="Whom or what the profile is for.")
    ] = "me",
    out: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="Write the profile here, not to NAME.profile.json."),
    ] = None,
    model: ModelOption = DEFAULT_MODEL,
    detector: DetectorOption = DEFAULT_DETECTOR,
    neutral: Annotated[
        bool,
        typer.Option("--neutral", help="Only remove a resting face's bias: 10 s of doing nothing."),
    ] = False,
    rounds: Annotated[
        int, typer.Option(metavar="N", min=1, help="Takes of each expression.")
    ] = ROUNDS,
    cropped: Annotated[
        bool, typer.Option("--cropped", help="Take each picture as one face, already cut out.")
    ] = False,
    threads: ThreadsOption = 1,
) -> None:
    """Fit a profile of a person, for --profile of the other commands.

    From a camera it asks for one expression after the other, three seconds each. The profile is
    measured on pictures that it was not fitted on, and is written only where it reads more of them
    correctly than the model alone; otherwise the exit code is 2. It holds no picture.
    """
    target = out or Path(f"{name}{SUFFIX}")
    check_target(target)
    loaded = load_model(model)
    opened = open_detector(detector)
    if Path(source).is_dir() or source.lower().endswith(".zip"):
        samples = _from_pictures(Path(source), loaded, opened, threads, cropped, neutral)
    else:
        samples = _from_camera(source, loaded, opened, threads, neutral, rounds)
    fit = samples.fit(loaded.metadata, name, lambda groups: progress(groups, len(groups), "fits"))
    if fit.profile is None:
        raise UserError(f"No profile was written: {fit.reason} ({_score(fit)}).")
    fit.profile.save(target)
    print(f"{_score(fit)}\nwrote {target}; use it with --profile {target}")


def _score(fit: ProfileFit) -> str:
    return (
        f"reads {fit.correct_after} of {fit.total} correctly with the profile, "
        f"{fit.correct_before} without"
    )


def _from_pictures(
    path: Path, model: Model, detector: Detector, threads: int, cropped: bool, neutral: bool
) -> Samples:
    """Return a sample for each picture of a labelled folder or zip; raises UserError."""
    metadata = model.metadata
    listing = list_all(path, metadata.labels)
    files = [
        file for file in listing.files if not neutral or metadata.labels[file.label] == NEUTRAL
    ]
    if not files:
        raise UserError(f"{path} has no pictures in a folder {NEUTRAL}; leave --neutral out.")
    pipeline = ImagePipeline(detector, Classifier(model, threads), metadata)
    samples = Samples()
    faceless = 0
    with listing.open() as archive:
        for file in progress(files, len(files), "pictures"):
            try:
                row = sample_picture(pipeline, listing.read(archive, file), cropped)
            except UserError as error:
                warn_user(f"{path}/{error}")
                continue
            if row is None:
                faceless += 1
            else:
                samples.add([row], file.label)
    if faceless:
        warn_user(
            f"No face was found in {faceless} of {len(files)} pictures; "
            "where they show nothing but a face, give --cropped."
        )
    if not samples:
        raise UserError(f"No picture in {path} can be used.")
    return samples


def _from_camera(
    source: str, model: Model, detector: Detector, threads: int, neutral: bool, rounds: int
) -> Samples:
    """Return the samples of takes, each asked for on the terminal; raises UserError."""
    metadata = model.metadata
    asked = [NEUTRAL] if neutral else [*metadata.labels] * rounds
    seconds = NEUTRAL_TAKE_S if neutral else TAKE_S
    pipeline = VideoPipeline(model, threads, smooth=0.0, max_faces=1, detector=detector)
    samples = Samples()
    with contextlib.closing(open_source(source, say=warn_user)) as opened:
        frames = opened.frames()
        print(f"For each expression: Enter starts, {SKIP} skips it, {QUIT} ends.")
        for label in asked:
            answer = _ask(f"Look {label} for {seconds:.0f} s: ")
            if answer == QUIT:
                break
            if answer == SKIP:
                continue
            faces = record_take(frames, pipeline, seconds)
            print(_captured(faces))
            samples.add(samples_of_take(faces, metadata, seconds), metadata.labels.index(label))
    if not samples:
        raise UserError("No face was captured; no profile was written.")
    return samples


def _ask(prompt: str) -> str:
    """Return the first letter of a line that the user enters; "q" at the end of the input."""
    print(prompt, end="", flush=True)
    line = sys.stdin.readline()
    return line.strip().lower()[:1] if line else QUIT


def _captured(faces: list[Face]) -> str:
    """Return the predictions of a take as text, the most frequent first."""
    if not faces:
        return "  no face was seen"
    counts = Counter(max(face.probabilities, key=face.probabilities.__getitem__) for face in faces)
    read = ", ".join(f"{label} {count}" for label, count in counts.most_common(3))
    return f"  {len(faces)} predictions: {read}"
