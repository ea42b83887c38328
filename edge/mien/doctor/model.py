"""Check: the model file, fast kernels, and the reference prediction on a reference face."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from mien.boxes import iou
from mien.doctor.check import Check

# Written by scripts/record_answers.py; the key is the SHA-256 of the flatbuffer.
REFERENCES = Path(__file__).parent.parent / "models" / "references.json"
DEMO = Path(__file__).parent.parent / "demo"
# Kernels for different processors differ by a few int8 steps of the logits; a broken one, or
# another crop, by far more.
TOLERANCE = 0.15  # of any probability
OVERLAP = 0.6  # IoU of the box found here with that of the reference


def model(name: str = "mien", threads: int = 1) -> Iterator[Check]:
    """Check a model by its name or file."""
    from mien.classification.classifier import Classifier
    from mien.errors import UserError
    from mien.tflite.model_file import load_model

    try:
        loaded = load_model(name)
        classifier = Classifier(loaded, threads)
    except UserError as error:
        sentence, _, remedy = str(error).partition("; ")
        yield Check("model", "fail", sentence, remedy or "reinstall mien")
        return
    metadata = loaded.metadata
    size = len(loaded.flatbuffer) / 1e6
    yield Check("model", "ok", f"{metadata.name} {metadata.version}, {size:.1f} MB, hash checked")
    if classifier.xnnpack is False:
        remedy = "XNNPACK needs /sys and /proc/cpuinfo: do not hide them (containers, units)"
        yield Check("kernels", "warn", "the plain, slow ones", remedy)
    else:
        found = "XNNPACK" if classifier.xnnpack else "the interpreter does not say"
        yield Check("kernels", "ok" if classifier.xnnpack else "skip", found)
    yield _reference(classifier)


def answer(classifier: Any, picture: str) -> dict[str, Any]:
    """Return box and probabilities of the largest face in a demo picture."""
    from mien.detection import open_detector
    from mien.image import load_image
    from mien.pipeline.still import ImagePipeline
    from mien.sources.base import Frame

    pipeline = ImagePipeline(open_detector(), classifier, classifier.metadata)
    faces = pipeline.process(Frame(0, 0.0, load_image(DEMO / picture).gray)).faces
    if not faces:
        return {"picture": picture, "box": None, "probabilities": {}}
    content = faces[0].to_json()
    return {"picture": picture, **{key: content[key] for key in ("box", "probabilities")}}


def _reference(classifier: Any) -> Check:
    known = json.loads(REFERENCES.read_text()).get(classifier.metadata.sha256)
    if known is None:
        return Check("reference face", "skip", "none is recorded for this model")
    got = answer(classifier, known["picture"])
    if got["box"] is None or iou(got["box"], known["box"]) < OVERLAP:
        found = f"the face stands at {known['box']}, found was {got['box']}"
        return Check("reference face", "fail", found, "reinstall opencv-python")
    pairs = [(got["probabilities"][label], p) for label, p in known["probabilities"].items()]
    off = max(abs(here - there) for here, there in pairs)
    best = max(got["probabilities"], key=lambda label: got["probabilities"][label])
    found = f"{best} {got['probabilities'][best]:.2f}, at most {off:.2f} off the recorded answer"
    if off > TOLERANCE:
        remedy = "reinstall mien and ai-edge-litert: what this model reads here cannot be trusted"
        return Check("reference face", "fail", found, remedy)
    return Check("reference face", "ok", found)
