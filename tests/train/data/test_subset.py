"""Honest subsets: what is left out, how it is written down, that a seed means the same anywhere."""

from __future__ import annotations

import hashlib
from pathlib import Path

import numpy as np
from mien_train.data.fer2013 import Dataset, load
from mien_train.data.labels import LABELS
from mien_train.data.subset import balanced, full, manifest_text
from small_fer import pack


def made(*rows: tuple[str, str, str]) -> Dataset:
    """A data set of (split, label, content), where equal content means equal pixels."""
    images = np.array([np.full((48, 48), ord(c), np.uint8) for _, _, c in rows])
    return Dataset(
        names=[f"{s}/{label}/{i:03d}.jpg" for i, (s, label, _) in enumerate(rows)],
        images=images,
        labels=np.array([LABELS.index(label) for _, label, _ in rows]),
        splits=np.array([s for s, _, _ in rows]),
        sha256=[hashlib.sha256(image.tobytes()).hexdigest() for image in images],
        problems=[],
    )


def test_full_leaves_out_copies_conflicts_and_test_images() -> None:
    data = made(
        ("train", "happy", "a"),  # 0: kept
        ("train", "happy", "a"),  # a copy
        ("train", "sad", "b"),  # two labels
        ("train", "fear", "b"),
        ("train", "sad", "c"),  # stands in validation
        ("validation", "sad", "c"),
        ("train", "sad", "d"),  # stands in test, there with another label
        ("test", "angry", "d"),
        ("validation", "sad", "e"),
        ("train", "angry", "f"),  # 9: kept
    )
    assert full(data).tolist() == [0, 9]


def test_balanced_takes_the_size_of_the_smallest_class(fer: Path) -> None:
    data = load(fer)
    honest = np.bincount(data.labels[full(data)]).tolist()
    # surprise lost one to a conflict with fear, sad one to PublicTest.
    assert honest == [17, 16, 16, 16, 17, 15, 15]
    chosen = balanced(data, 7)
    assert np.bincount(data.labels[chosen]).tolist() == [15] * 7
    assert set(chosen) <= set(full(data))
    assert len({data.sha256[i] for i in chosen}) == len(chosen)
    few = balanced(data, 7, 4)
    assert np.bincount(data.labels[few]).tolist() == [4] * 7
    assert set(few) <= set(chosen)
    assert set(balanced(data, 8, 4)) != set(few)


def test_balanced_with_one_seed_chooses_known_images(fer: Path, tmp_path: Path) -> None:
    """The order is written out here anew, from nothing but SHA-256 and the pixels."""
    data = load(fer)
    for seed in (7, 8):
        happy = [i for i in full(data) if LABELS[data.labels[i]] == "happy"]
        happy.sort(key=lambda i: hashlib.sha256(f"{seed}|{data.sha256[i]}".encode()).hexdigest())
        chosen = [i for i in balanced(data, seed, 5) if LABELS[data.labels[i]] == "happy"]
        assert chosen == sorted(happy[:5])
    zipped = load(pack(fer, tmp_path / "fer.zip"))
    assert balanced(zipped, 7).tolist() == balanced(data, 7).tolist()


def test_balanced_of_real_data_has_known_counts(real: Dataset) -> None:
    data = real
    assert np.bincount(data.labels[balanced(data, 7)]).tolist() == [366] * 7
    # What seed 7 means, on any machine and with any version of NumPy.
    text = manifest_text(data, balanced(data, 7), "balanced subset, honest: 2562 images, seed 7")
    assert hashlib.sha256(text.encode()).hexdigest() == (
        "f2dc54efc9e120b83a227ed38f7611c381806d255e8ba2cb75e97538300938f8"
    )
    honest = np.bincount(data.labels[full(data)]).tolist()
    assert honest == [3804, 366, 3842, 7057, 4845, 4693, 2563]
