"""Video pipeline: tracks faces and classifies each at intervals, with smoothed predictions."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence

import numpy as np

from mien.alertness.reader import AlertnessReader
from mien.alertness.signals import Alertness
from mien.boxes import clip_box, face_to_square
from mien.classification.classifier import Classifier
from mien.classification.preprocess import preprocess_face
from mien.classification.profile import Profile
from mien.classification.smoothing import TIME_CONSTANT_S, PredictionSmoother
from mien.detection import open_detector
from mien.detection.base import Detector
from mien.pipeline.results import Face, FrameResult
from mien.pipeline.still import ImagePipeline
from mien.sources.base import Frame
from mien.tflite.model_file import Model
from mien.tracking.track import Track
from mien.tracking.tracker import Tracker

MAX_FACES = 16
CLASSIFY_INTERVAL_S = 0.1  # s between two predictions for a face; expressions last tenths of a s
STATIC_CLASSIFY_INTERVAL_S = 0.5  # s, where nothing moves in the face's box
MAX_REPEAT_CLASSIFICATIONS = 1  # per frame: the faces of a crowd take turns, at the same rate
MAX_FIRST_CLASSIFICATIONS = 3  # per frame, of faces that have no prediction yet


class VideoPipeline:
    """Tracker and classifier for frames in their order; the computing part of `mien run`.

    `smooth` is the time constant of the predictions in s; 0 shows each prediction as it is.
    `max_faces` bounds the tracks; `profile` maps the logits. Pictures of a folder are independent:
    each gets the still pipeline. `alertness` reads eyes, mouth and head too. `detector` is by
    default the one that `open_detector` gives.
    Raises UserError where the model or the detector cannot be run.
    """

    def __init__(
        self,
        model: Model,
        threads: int = 1,
        smooth: float = TIME_CONSTANT_S,
        max_faces: int = MAX_FACES,
        profile: Profile | None = None,
        detector: Detector | None = None,
        alertness: AlertnessReader | None = None,
    ) -> None:
        self.metadata = model.metadata
        self._classifier = Classifier(model, threads, profile)
        self._alertness = alertness
        self._smooth = smooth
        self._max_faces = max_faces
        self._detector = detector or open_detector()
        self._tracker = Tracker(self._detector, max_faces=max_faces)
        self._smoothers: dict[int, PredictionSmoother] = {}  # by the face's id
        self._stills: ImagePipeline | None = None
        self._compute_budget = 1.0

    @property
    def compute_budget(self) -> float:
        """Share of the full search and classification rate, above 0 to 1; see the governor."""
        return self._compute_budget

    @compute_budget.setter
    def compute_budget(self, value: float) -> None:
        self._compute_budget = self._tracker.compute_budget = value

    def use_profile(self, profile: Profile) -> None:
        """Map the logits by another profile from the next prediction on."""
        self._classifier.profile = profile

    def process(self, frame: Frame) -> FrameResult:
        """Return the faces of a frame with their predictions, the largest first."""
        if frame.picture is not None:
            return self._process_still(frame)
        start = time.perf_counter()
        tracks = self._tracker.update(frame.gray, frame.time)
        found = time.perf_counter()
        self._drop_smoothers()
        for track in self._select(tracks, frame.time):
            self._classify(track, frame)
        alertness: Mapping[int, Alertness] = {}
        if self._alertness is not None:
            alertness = self._alertness.update(frame.gray, frame.time, tracks)
        faces = self._faces(tracks, frame, alertness)
        end = time.perf_counter()
        ms = {
            "detect": (found - start) * 1e3,
            "classify": (end - found) * 1e3,
            "total": (end - start) * 1e3,
        }
        captured = frame.capture_time
        latency = None if captured is None else max(0.0, time.monotonic() - captured)
        return FrameResult(frame.index, frame.time, faces, ms, latency)

    def _process_still(self, frame: Frame) -> FrameResult:
        if self._stills is None:
            self._stills = ImagePipeline(self._detector, self._classifier, self.metadata)
        result = self._stills.process(frame)
        faces = result.faces[: self._max_faces]
        return FrameResult(result.frame, result.time, faces, result.ms)

    def _drop_smoothers(self) -> None:
        alive = self._tracker.ids
        for removed in [number for number in self._smoothers if number not in alive]:
            del self._smoothers[removed]

    def _select(self, tracks: Sequence[Track], now: float) -> list[Track]:
        """Return the tracks to classify in this frame: those that have waited longest."""
        new, known = [], []
        for track in tracks:
            smoother = self._smoothers.get(track.id)
            if smoother is None:
                new.append(track)
                continue
            interval = STATIC_CLASSIFY_INTERVAL_S if track.still else CLASSIFY_INTERVAL_S
            # A time that goes back is another part of the video.
            if not 0 <= now - smoother.time < interval / self._compute_budget - 1e-3:
                known.append(track)
        known.sort(key=lambda track: self._smoothers[track.id].time)
        return new[:MAX_FIRST_CLASSIFICATIONS] or known[:MAX_REPEAT_CLASSIFICATIONS]

    def _classify(self, track: Track, frame: Frame) -> None:
        crop = preprocess_face(frame.gray, face_to_square(track.box), self.metadata)
        logits = self._classifier.logits(crop[np.newaxis])[0]
        smoother = self._smoothers.get(track.id)
        if smoother is None:
            smoother = self._smoothers[track.id] = PredictionSmoother(self.metadata, self._smooth)
        smoother.add(logits, frame.time)

    def _faces(
        self, tracks: Sequence[Track], frame: Frame, alertness: Mapping[int, Alertness]
    ) -> tuple[Face, ...]:
        """Return the faces that have a prediction; a new face may have to wait for its turn."""
        height, width = frame.gray.shape
        faces = []
        for track in sorted(tracks, key=lambda track: -track.side):
            smoother = self._smoothers.get(track.id)
            if smoother is not None and smoother.prediction is not None:
                age = max(0.0, frame.time - smoother.time)
                box = clip_box(track.box, width, height)
                told = alertness.get(track.id)
                faces.append(Face(box, smoother.prediction, track.id, age, track.landmarks, told))
        return tuple(faces)
