"""Face detection: the detectors by name."""

from __future__ import annotations

from pathlib import Path

from mien.detection.base import Detector
from mien.errors import UserError

DEFAULT_DETECTOR = "ssd"
WEIGHTS = Path(__file__).parent / "weights" / "face_ssd.tflite"


def open_detector(spec: str = DEFAULT_DETECTOR) -> Detector:
    """Return a detector by NAME or NAME:FILE.

    Args:
        spec: "ssd" (Mien's own network; "ssd:FILE" another of mien-convert's), "haar" (OpenCV's
            cascade) or "yunet:FILE" (an ONNX file of YuNet).

    Raises:
        UserError: If the name is unknown, or the file is missing or cannot be used.
    """
    name, _, file = spec.partition(":")
    if name == "ssd":
        from mien.detection.ssd import SsdDetector
        from mien.tflite.model_file import load_flatbuffer
        from mien.tflite.trial import check_runs

        flatbuffer = load_flatbuffer(Path(file) if file else WEIGHTS)
        if file:
            check_runs(flatbuffer, file)
        return SsdDetector(flatbuffer, file or WEIGHTS.name)
    if name == "haar" and not file:
        from mien.detection.haar import HaarDetector

        return HaarDetector()
    if name == "yunet":
        from mien.detection.yunet import YuNetDetector

        if not file:
            raise UserError(
                "YuNet does not come with Mien; name its file: --detector yunet:FILE.onnx."
            )
        return YuNetDetector(file)
    raise UserError(f"Unknown detector {spec!r}: use ssd, haar or yunet:FILE.")
