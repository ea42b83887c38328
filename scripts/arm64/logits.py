"""Compares the shipped models' logits on Arm with those on x86, over one set of faces.

    python scripts/arm64/logits.py faces --out faces.npz      the set, made on one machine alone
    python scripts/arm64/logits.py read --faces faces.npz --out logits.npz
    python scripts/arm64/logits.py compare out/arm64 [--docs docs/arm.md]

`scripts/try-arm64.sh --tests` does the first on x86, and the second there and inside each emulated
system; `make arm64` then the third.
"""

from __future__ import annotations

import argparse
import json
import platform
import sys
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt
from mien.boxes import face_to_square
from mien.classification.classifier import Classifier
from mien.classification.prediction import softmax
from mien.classification.preprocess import preprocess_face
from mien.detection import open_detector
from mien.image import load_image
from mien.tflite.model_file import MODELS, load_model

EVERY = 4  # frames of the clip between two that are taken
MADE = 200  # generated faces of each kind
SEED = 5
BEGIN, END = "<!-- made by scripts/arm64/logits.py -->", "<!-- end -->"
OWN = ":own"  # after the model's name: of the faces that the machine found and cut out by itself
LIMIT = 1  # steps of the int8 output between x86 and Arm, both under XNNPACK
Faces = npt.NDArray[np.uint8]


def natural() -> Faces:
    """Return the faces of the demo's portraits and clip as the models get them, uint8 [n, S, S]."""
    detector = open_detector()
    metadata = load_model("mien").metadata
    demo = MODELS.parent / "demo"
    pictures = [load_image(path).gray for path in sorted((demo / "portraits").glob("*.jpg"))]
    clip = cv2.VideoCapture(str(demo / "clip.mp4"))
    index = 0
    while clip.grab():
        if index % EVERY == 0:
            pictures.append(cv2.cvtColor(clip.retrieve()[1], cv2.COLOR_BGR2GRAY))
        index += 1
    return np.stack(
        [
            preprocess_face(gray, face_to_square(found.box), metadata)
            for gray in pictures
            for found in detector.detect(gray)
            if found.score >= detector.still_score
        ]
    )


def generated(faces: Faces) -> Faces:
    """Return faces that nobody has: two natural ones mixed and shifted in light, and noise."""
    rng = np.random.default_rng(SEED)
    size = faces.shape[1]
    made = []
    for _ in range(MADE):
        one, other = faces[rng.integers(0, len(faces), 2)].astype(np.float32)
        mixed = one + rng.random() * (other[:, ::-1] - one)
        mixed = (mixed - 128) * rng.uniform(0.3, 1.6) + 128 + rng.uniform(-60, 60)
        made.append(mixed + rng.normal(0, rng.uniform(0, 12), mixed.shape))
        coarse = rng.integers(0, 256, (rng.integers(3, size), rng.integers(3, size)))
        made.append(cv2.resize(coarse.astype(np.float32), (size, size)))
    return np.clip(np.rint(made), 0, 255).astype(np.uint8)


def make_faces(out: Path) -> None:
    """Write the set: natural ones, and all."""
    seen = natural()
    np.savez_compressed(out, natural=seen, faces=np.concatenate([seen, generated(seen)]))


def read(faces: Path, out: Path) -> None:
    """Write every shipped model's logits of the set, and of the faces that are cut out here."""
    given, here = np.load(faces), natural()
    logits, uses_delegate = {}, []
    for path in sorted(MODELS.glob("*.tflite")):
        classifier = Classifier(load_model(str(path)))
        logits[path.stem] = classifier.logits(given["faces"])
        logits[path.stem + OWN] = classifier.logits(here)
        uses_delegate.append(classifier.xnnpack)
    alike = {face.tobytes() for face in given["natural"]} & {face.tobytes() for face in here}
    about = {
        "machine": platform.machine(),
        "python": platform.python_version(),
        "numpy": np.__version__,
        "opencv": cv2.__version__,
        "interpreter": _interpreter(),
        "xnnpack": all(bool(state) for state in uses_delegate),
        "faces": len(given["faces"]),
        "natural": len(given["natural"]),
        "found": len(here),
        "cut_alike": len(alike),
    }
    np.savez_compressed(out, about=np.array(json.dumps(about)), **logits)


def _interpreter() -> str:
    for name in ("ai-edge-litert", "tflite-runtime"):
        try:
            return f"{name} {version(name)}"
        except PackageNotFoundError:
            continue
    raise SystemExit("no interpreter is installed")


def compare(folder: Path, docs: Path | None) -> int:
    """Print the differences of every system from x86 as a table; 1 where one is over the limit."""
    reference = np.load(folder / "x86.npz")
    here = json.loads(str(reference["about"]))
    rows, wrong = [], []
    for file in sorted(folder.glob("*/logits.npz")):
        found = np.load(file)
        about = json.loads(str(found["about"]))
        for name in sorted(n for n in found.files if n != "about" and not n.endswith(OWN)):
            row = difference(name, reference[name], found[name])
            kernels = "XNNPACK" if about["xnnpack"] else "plain"
            rows.append(
                f"| {file.parent.name} | {about['python']} | {about['interpreter']} | {kernels} "
                f"| `{name}` | {row['max']:.0f} | {row['mean']:.3f} | {row['same']:.1%} "
                f"| {row['same_faces']:.1%} | {row['labels']} | {row['probability']:.3f} "
                f"| {own(reference, found, name)} |"
            )
            if about["xnnpack"] and here["xnnpack"] and row["max"] > LIMIT:
                wrong.append(f"{file.parent.name}: {name} differs by {row['max']:.0f} steps")
        print(file.parent.name, json.dumps(about), file=sys.stderr)
    table = "\n".join(
        [
            "| system | Python | interpreter | kernels | model | largest | mean | equal logits "
            "| equal faces | labels changed | probability | labels changed, own faces |",
            "|---|---|---|---|---|---|---|---|---|---|---|---|",
            *rows,
        ]
    )
    print(table)
    if docs is not None:
        before, _, rest = docs.read_text().partition(BEGIN)
        docs.write_text(f"{before}{BEGIN}\n{table}\n{END}{rest.partition(END)[2]}")
    for sentence in wrong:
        print(f"mien: {sentence}, and {LIMIT} is allowed.", file=sys.stderr)
    return int(bool(wrong) or not rows)


def own(reference: Any, found: Any, name: str) -> str:
    """Return how many labels change where each machine decodes, finds and cuts out by itself."""
    one, other = reference[name + OWN], found[name + OWN]
    if one.shape != other.shape:
        return f"{len(one)} faces on x86, {len(other)} here"
    return f"{int((one.argmax(1) != other.argmax(1)).sum())} of {len(one)}"


def difference(
    name: str, one: npt.NDArray[np.float32], other: npt.NDArray[np.float32]
) -> dict[str, float]:
    """Return how far two sets of logits, [n, K], are apart, in steps of the model's output."""
    model = load_model(name)
    steps = np.rint(np.abs(one - other) / Classifier(model).step)
    warm = model.metadata.temperature
    apart = np.abs(softmax(one, warm) - softmax(other, warm))
    return {
        "max": float(steps.max()),
        "mean": float(steps.mean()),
        "same": float((steps == 0).mean()),
        "same_faces": float((steps == 0).all(axis=1).mean()),
        "labels": int((one.argmax(1) != other.argmax(1)).sum()),
        "probability": float(apart.max()),
    }


def main() -> None:
    """Do what the first word says."""
    parser = argparse.ArgumentParser(description="Compare logits on Arm with those on x86.")
    parts = parser.add_subparsers(dest="what", required=True)
    parts.add_parser("faces").add_argument("--out", type=Path, required=True)
    reading = parts.add_parser("read")
    reading.add_argument("--faces", type=Path, required=True)
    reading.add_argument("--out", type=Path, required=True)
    comparing = parts.add_parser("compare")
    comparing.add_argument("folder", type=Path)
    comparing.add_argument("--docs", type=Path)
    given = parser.parse_args()
    if given.what == "faces":
        make_faces(given.out)
    elif given.what == "read":
        read(given.faces, given.out)
    else:
        raise SystemExit(compare(given.folder, given.docs))


if __name__ == "__main__":
    main()
