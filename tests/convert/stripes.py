"""Generated faces and a tiny network that go through the whole real line in seconds."""

from __future__ import annotations

import zipfile
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
from mien_train.data.labels import LABELS

TRAIN, VALIDATION = 73, 30  # of each class; 7 * 73 is just over the 500 that calibration wants


@dataclass(frozen=True)
class Line:
    """What one run of the whole line left."""

    out: Path
    code: int
    stdout: str
    stderr: str


def faces(per_class: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Noisy stripes in seven directions that overlap, uint8 [n, 48, 48], and labels int64 [n]."""
    generator = np.random.default_rng(seed)
    y, x = np.mgrid[0:48, 0:48]
    found = []
    for label in range(len(LABELS)):
        for _ in range(per_class):
            angle = np.pi * (label + generator.uniform(-0.6, 0.6)) / len(LABELS)
            wave = np.sin(0.8 * (x * np.cos(angle) + y * np.sin(angle)) + generator.uniform(0, 7))
            noise = cv2.blur(generator.normal(0, 150, (48, 48)), (2, 2))
            found.append(np.clip(128 + 40 * wave + noise, 0, 255))
    return np.asarray(found).astype(np.uint8), np.repeat(np.arange(len(LABELS)), per_class)


def write_zip(path: Path) -> None:
    """FER-2013's Kaggle archive with generated faces; one validation face of each is a copy."""
    train, validation = faces(TRAIN, seed=1), faces(VALIDATION, seed=2)
    for label in range(len(LABELS)):
        validation[0][label * VALIDATION] = train[0][label * TRAIN]
    with zipfile.ZipFile(path, "w") as archive:
        for folder, prefix, (pictures, labels) in (
            ("train", "Training", train),
            ("test", "PublicTest", validation),
        ):
            for number, (picture, label) in enumerate(zip(pictures, labels, strict=True)):
                data = cv2.imencode(".jpg", picture, [cv2.IMWRITE_JPEG_QUALITY, 95])[1].tobytes()
                archive.writestr(f"{folder}/{LABELS[label]}/{prefix}_{number}.jpg", data)


def write_model(path: Path) -> None:
    """Train a few convolutions with MobileNet's means for seconds.

    Without padding, so that an all-black face shows the network nothing at all.
    """
    import keras
    from keras import layers

    keras.utils.set_random_seed(5)
    pictures, labels = faces(150, seed=3)
    inputs = x = keras.Input((48, 48, 1), name="gray")
    for filters in (8, 16, 24):
        x = layers.Conv2D(filters, 3, 2, use_bias=False)(x)
        x = layers.BatchNormalization(momentum=0.8)(x)
        x = layers.ReLU(6.0)(x)
    x = layers.DepthwiseConv2D(3, use_bias=False)(x)
    x = layers.BatchNormalization(momentum=0.8)(x)
    x = layers.GlobalAveragePooling2D()(layers.ReLU(6.0)(x))
    model = keras.Model(inputs, layers.Dense(len(LABELS))(x), name="tiny")
    model.compile("adam", keras.losses.SparseCategoricalCrossentropy(from_logits=True))
    model.optimizer.learning_rate = 0.01
    model.fit(pictures[..., None] / 127.5 - 1, labels, batch_size=50, epochs=4, verbose=0)
    model.save(path)
