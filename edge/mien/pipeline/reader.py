"""`mien.Reader`: the library's way to pictures, videos and cameras."""

from __future__ import annotations

import contextlib
import logging
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import numpy.typing as npt

from mien.alertness.reader import AlertnessReader
from mien.classification.classifier import Classifier
from mien.classification.profile import load_profile
from mien.classification.smoothing import TIME_CONSTANT_S
from mien.detection import DEFAULT_DETECTOR, open_detector
from mien.image import load_image
from mien.pipeline.results import Face, FrameResult
from mien.pipeline.still import ImagePipeline
from mien.pipeline.video import MAX_FACES, VideoPipeline
from mien.sources import Frame, Source, open_source
from mien.sources.base import Pixels
from mien.tflite.model_file import load_model

_log = logging.getLogger("mien")


class Reader:
    """Reads the expressions of faces in pictures, videos and camera streams.

    Loads model and detector once. Not for use from several threads at once; give each thread a
    reader of its own.

    Args:
        model: Name of a bundled model ("mien", "mien-nano", "mien-fer2013"), or the path of a
            .tflite file of mien-convert.
        detector: Face detector: "haar", or "yunet:FILE.onnx".
        threads: Threads of the classifier.
        smooth: Time constant of the predictions in a stream, s; 0 turns smoothing off.
        max_faces: Faces that are tracked at once in a stream.
        profile: Path of a profile that `mien calibrate` wrote for the model.

    Raises:
        UserError: If the model, the profile or the detector cannot be loaded.
    """

    def __init__(
        self,
        model: str | Path = "mien",
        detector: str = DEFAULT_DETECTOR,
        threads: int = 1,
        smooth: float = TIME_CONSTANT_S,
        max_faces: int = MAX_FACES,
        profile: str | Path | None = None,
    ) -> None:
        self._detector = open_detector(detector)
        self._model = load_model(str(model))
        self._profile = None if profile is None else load_profile(profile, self._model.metadata)
        self._threads, self._smooth, self._max_faces = threads, smooth, max_faces
        self._stills: ImagePipeline | None = None

    @property
    def labels(self) -> tuple[str, ...]:
        """The emotions that the model tells apart, in the order of `Face.probabilities`."""
        return self._model.metadata.labels

    def read(self, picture: str | Path | npt.NDArray[np.uint8]) -> list[Face]:
        """Return the faces of one picture, the largest first.

        Args:
            picture: Path of a picture file, or pixels: uint8 [H, W] gray or [H, W, 3] BGR.

        Raises:
            UserError: If the file is missing or cannot be decoded.
            ValueError: If the array has another shape or dtype.
        """
        gray = _gray(picture) if isinstance(picture, np.ndarray) else load_image(picture).gray
        if self._stills is None:
            classifier = Classifier(self._model, self._threads, self._profile)
            self._stills = ImagePipeline(self._detector, classifier, self._model.metadata)
        return list(self._stills.process(Frame(0, 0.0, gray)).faces)

    def stream(
        self, source: str | Source = "auto", color: bool = False, alertness: bool = False
    ) -> Iterator[FrameResult]:
        """Yield the tracked faces of every frame of a source, as `mien run` does.

        Each call starts a tracker of its own; ids begin at 1. A live source gives its newest frame
        and is reopened when it is lost. What the source reports meanwhile goes to the logger
        "mien". The source is closed when the iterator ends or is closed.

        Args:
            source: Any source of `mien run` ("usb", "picamera", "clip.mp4", "rtsp://..."), or one
                from `open_source`.
            color: Whether `FrameResult.image` is BGR; otherwise it is gray, which is cheaper. A
                source from `open_source` decides itself.
            alertness: Whether eyes, mouth and head are read too, into `Face.alertness`.

        Raises:
            UserError: If the source cannot be opened or read.
        """
        if isinstance(source, str):
            source = open_source(source, color, say=_log.warning)
        with contextlib.closing(source):
            pipeline = VideoPipeline(
                self._model,
                self._threads,
                self._smooth,
                self._max_faces,
                self._profile,
                self._detector,
                AlertnessReader() if alertness else None,
            )
            for frame in source.frames():
                if isinstance(frame, Frame):
                    image = frame.gray if frame.bgr is None else frame.bgr
                    yield replace(pipeline.process(frame), image=image)


def _gray(pixels: npt.NDArray[np.uint8]) -> Pixels:
    if pixels.dtype != np.uint8 or pixels.size == 0 or pixels.ndim not in (2, 3):
        shape = list(pixels.shape)
        raise ValueError(f"A picture must be uint8 [H, W] or [H, W, 3], got {pixels.dtype} {shape}")
    if pixels.ndim == 2:
        return pixels
    if pixels.shape[2] != 3:
        raise ValueError(f"A color picture must be uint8 [H, W, 3], got {list(pixels.shape)}")
    return np.asarray(cv2.cvtColor(pixels, cv2.COLOR_BGR2GRAY), np.uint8)
