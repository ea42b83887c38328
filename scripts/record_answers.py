"""Records what each shipped model reads on a demo portrait, for `mien doctor` to compare with.

    python scripts/record_answers.py

Run it after a model in edge/mien/models/ was replaced; a test says when it is due.
"""

from __future__ import annotations

import json

from mien.classification.classifier import Classifier
from mien.doctor.model import REFERENCES, answer
from mien.tflite.model_file import MODELS, load_model

PICTURE = "portraits/hopper.jpg"


def references() -> dict[str, object]:
    """Return the answer of every shipped model by the SHA-256 of its flatbuffer."""
    found = {}
    for file in sorted(MODELS.glob("*.tflite")):
        model = load_model(file)
        found[model.metadata.sha256] = answer(Classifier(model), PICTURE)
    return found


if __name__ == "__main__":
    REFERENCES.write_text(json.dumps(references(), indent=1) + "\n")
