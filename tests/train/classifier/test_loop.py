"""A run killed at any moment is resumed by the same command, and never leaves half a file."""

from __future__ import annotations

import _thread
import csv
import hashlib
import json
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from dataclasses import asdict, replace
from pathlib import Path

import cv2
import keras
import numpy as np
import pytest
from mien.classification.prediction import softmax
from mien.errors import UserError
from mien_train.classifier import checkpoint
from mien_train.classifier.distillation import opinions
from mien_train.classifier.loop import fit
from mien_train.classifier.predict import load_model, logits
from mien_train.classifier.recipe import BALANCED, Augmentation
from mien_train.classifier.run import (
    LABELLED_REPEATS,
    run_training,
    training_set,
    with_unlabelled,
)
from mien_train.data import subset
from mien_train.data.fer2013 import Dataset, load
from mien_train.data.ferplus import VOTE_COLUMNS
from mien_train.data.labels import LABELS


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Seven classes of noise around a bar whose place tells the class, in Kaggle's layout."""
    folder = tmp_path_factory.mktemp("fer")
    rng = np.random.default_rng(0)
    for split, prefix, count in (("train", "Training", 12), ("test", "PublicTest", 4)):
        for index, label in enumerate(LABELS):
            place = folder / split / label
            place.mkdir(parents=True)
            for i in range(count):
                face = rng.integers(0, 90, (48, 48), np.uint8)
                face[4 + 6 * index : 8 + 6 * index] += 150
                cv2.imwrite(str(place / f"{prefix}_{index}{i:03d}.png"), face)
    return folder


def command(data: Path, run: Path, *more: str) -> list[str]:
    options = "--weights none --alpha 0.35 --size 32 --batch 28 --head-epochs 1"
    options += " --small-epochs 0 --epochs 3 --augment 0.5 --jitter 2"
    run_option = ["--run", str(run), *options.split(), *more]
    program = "from mien_train.cli import main; main()"
    return [sys.executable, "-c", program, "fit", str(data), *run_option]


def test_fit_command_killed_then_resumed_completes_the_run(data: Path, tmp_path: Path) -> None:
    run = tmp_path / "run"
    process = subprocess.Popen(
        command(data, run), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    try:
        deadline = time.monotonic() + 240
        while not (run / checkpoint.STATE).exists():
            assert process.poll() is None, "the run ended before it could be killed"
            assert time.monotonic() < deadline
            time.sleep(0.05)
    finally:
        process.send_signal(signal.SIGKILL)
        process.wait()
    (run / ".part-state-all-0002.weights.h5").write_bytes(b"what a kill at another moment leaves")
    before = json.loads((run / checkpoint.STATE).read_text())
    assert (run / before["weights"]).is_file()

    done = subprocess.run(command(data, run, "--resume"), capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert "best validation at epoch" in done.stdout
    state = checkpoint.read(run)
    assert state is not None
    assert state["history"][: len(before["history"])] == before["history"]
    with (run / "log.csv").open() as file:
        rows = [(row["stage"], row["epoch"]) for row in csv.DictReader(file)]
    assert rows == [("head", "1"), ("all", "1"), ("all", "2"), ("all", "3")]
    assert load_model(run / "model.keras").output_shape == (None, len(LABELS))
    record = json.loads((run / "run.json").read_text())
    assert record["images"] == 7 * 12
    assert record["recipe"]["epochs"] == 3
    changes, usual = Augmentation(**record["recipe"]["augmentation"]), BALANCED.augmentation
    assert (changes.rotate, changes.mixup) == (usual.rotate / 2, usual.mixup / 2)
    assert (changes.zoom, changes.shift) == (usual.zoom * 2, usual.shift * 2)
    assert {file.name for file in run.iterdir()} == {
        "model.keras",
        "log.csv",
        "run.json",
        "subset.csv",
        "state.json",
    } | {state["weights"]}

    # Another recipe must not go on from these weights, nor a second run write over the first.
    same = replace(BALANCED, **json.loads((run / "run.json").read_text())["recipe"])
    same = replace(same, augmentation=changes)
    with pytest.raises(UserError, match=r"other options \(rate 0.001, now 0.5\)"):
        run_training(run, load(data), "balanced", "none", replace(same, rate=0.5), True)
    with pytest.raises(UserError, match="give --resume"):
        run_training(run, load(data), "balanced", "none", same, False)
    # A finished run has nothing left to do, and says what it found.
    assert run_training(run, load(data), "balanced", "none", same, True) == state["best"]
    # More epochs extend it, and the record keeps from where.
    run_training(run, load(data), "balanced", "none", replace(same, epochs=4), True)
    extended = checkpoint.read(run)
    assert extended is not None
    assert extended["history"][: len(state["history"])] == state["history"]
    assert (extended["stage"], extended["epoch"]) == ("all", 4)
    assert json.loads((run / "run.json").read_text())["extended_from"] == [3]
    with pytest.raises(UserError, match=r"other options \(epochs 4, now 3\)"):
        run_training(run, load(data), "balanced", "none", same, True)


def test_fit_command_interrupted_exits_130_and_says_how_to_resume(
    data: Path, tmp_path: Path, mien_train: Callable[..., tuple[int, str, str]]
) -> None:
    run = tmp_path / "run"

    def interrupt() -> None:
        while not (run / checkpoint.STATE).exists():
            time.sleep(0.05)
        _thread.interrupt_main()

    threading.Thread(target=interrupt, daemon=True).start()
    code, _, err = mien_train(*command(data, run)[3:], "--seed", "5")
    assert code == 130
    assert "stage head: 1 epoch of 3 batches" in err
    assert "head epoch 1/1: loss" in err
    assert "resume after the last complete epoch with: mien-train fit" in err
    assert err.rstrip().endswith("--resume")
    assert checkpoint.read(run) is not None


def test_run_training_without_validation_images_raises(data: Path, tmp_path: Path) -> None:
    only = tmp_path / "only"
    only.mkdir()
    (only / "train").symlink_to(data / "train")
    with pytest.raises(UserError, match="PublicTest"):
        run_training(tmp_path / "run", load(only), "balanced", "none", BALANCED, False)
    assert not (tmp_path / "run").exists()


def test_training_set_with_votes_has_their_distribution_as_target(data: Path) -> None:
    dataset = load(data)
    voted = np.zeros((len(dataset), len(VOTE_COLUMNS)), np.float32)
    voted[0, VOTE_COLUMNS.index("happiness")] = 7
    voted[0, VOTE_COLUMNS.index("sadness")] = 2
    voted[0, VOTE_COLUMNS.index("fear")] = 1  # a slip
    voted[1, VOTE_COLUMNS.index("contempt")] = 10
    found = training_set(dataset, np.array([0, 1]), voted)
    np.testing.assert_allclose(found.targets[0], [0, 0, 0, 7 / 9, 0, 2 / 9, 0])
    assert not found.targets[1].any()
    assert found.labels.tolist() == [LABELS.index("happy"), -1]


def test_fit_command_with_labels_votes_without_file_exits_2(data: Path, tmp_path: Path) -> None:
    refused = subprocess.run(
        command(data, tmp_path / "run", "--labels", "votes"), capture_output=True, text=True
    )
    assert refused.returncode == 2
    assert "--votes" in refused.stderr
    assert not (tmp_path / "run").exists()


def little(size: int) -> keras.Model:
    """A network that compiles in no time."""
    return keras.Sequential(
        [
            keras.Input((size, size, 1)),
            keras.layers.Conv2D(4, 3, strides=2, padding="same"),
            keras.layers.BatchNormalization(),
            keras.layers.GlobalAveragePooling2D(),
            keras.layers.Dense(7, name="logits"),
        ]
    )


def test_fit_runs_small_stage_first_and_teacher_in_last_stage(data: Path, tmp_path: Path) -> None:
    dataset, seen = load(data), []

    def teach(x):
        seen.append(tuple(x.shape[1:]))
        return keras.ops.tile(keras.ops.ones((1, 7)) / 7, (keras.ops.shape(x)[0], 1))

    part = training_set(dataset, np.arange(len(dataset)), None)
    recipe = replace(
        BALANCED, size=32, small_size=16, batch=28, head_epochs=1, small_epochs=2, epochs=1
    )
    network = little(32)
    before = network.get_weights()[0]
    state = fit(tmp_path, network, part, part, recipe, teach)
    stages = [(row["stage"], row["epoch"], "val_accuracy" in row) for row in state["history"]]
    # A network of small faces is never what is kept.
    assert stages == [("head", 1, True), ("small", 1, False), ("small", 2, False), ("all", 1, True)]
    assert set(seen) == {(32, 32, 1)}
    assert load_model(tmp_path / "model.keras").input_shape == (None, 32, 32, 1)
    assert not np.array_equal(network.get_weights()[0], before)


def test_fit_resumed_after_small_stage_takes_over_its_weights(data: Path, tmp_path: Path) -> None:
    dataset = load(data)
    part = training_set(dataset, np.arange(len(dataset)), None)
    recipe = replace(BALANCED, size=32, small_size=16, batch=28, head_epochs=0, small_epochs=3)
    # The last stage's rate is next to nothing: what it ends with is what it began with.
    fit(tmp_path, first := little(32), part, part, replace(recipe, epochs=0))
    state = checkpoint.read(tmp_path)
    assert state is not None
    assert (state["stage"], state["epoch"]) == ("small", 3)
    fit(tmp_path, again := little(32), part, part, replace(recipe, epochs=1, rate=1e-9, ema=0.0))
    np.testing.assert_allclose(again.get_weights()[0], first.get_weights()[0], atol=1e-5)


def test_with_unlabelled_targets_are_teacher_probabilities(data: Path, tmp_path: Path) -> None:
    teacher = tmp_path / "teacher.keras"
    little(48).save(teacher)
    dataset = load(data)
    known = training_set(dataset, np.flatnonzero(dataset.labels == 3)[:5], None)
    others = dataset.images[dataset.labels == 5]
    found = with_unlabelled(known, others, opinions([teacher, teacher], others))
    assert len(found.images) == LABELLED_REPEATS * 5 + len(others)
    assert (found.labels[-len(others) :] == -1).all()
    np.testing.assert_array_equal(found.images[-len(others) :], others)
    told = softmax(logits(load_model(teacher), others))
    np.testing.assert_allclose(found.targets[-len(others) :], told, atol=1e-6)
    assert (found.targets[: LABELLED_REPEATS * 5].argmax(axis=1) == 3).all()
    assert found.targets.dtype == np.float32


def test_opinions_are_the_weighted_mean_of_probabilities(data: Path, tmp_path: Path) -> None:
    teachers = [tmp_path / "one.keras", tmp_path / "two.keras"]
    for teacher in teachers:
        little(48).save(teacher)
    faces = load(data).images[:5]
    one, two = (softmax(logits(load_model(teacher), faces)) for teacher in teachers)
    found = opinions(teachers, faces, [3.0, 1.0])
    np.testing.assert_allclose(found, 0.75 * one + 0.25 * two, atol=1e-6)
    with pytest.raises(UserError, match="2 teachers want 2 weights"):
        opinions(teachers, faces, [1.0])


def test_fit_with_teach_once_learns_what_the_teacher_says(
    data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("mien_train.classifier.run.build", lambda *_: little(32))
    teacher, run = tmp_path / "teacher.keras", tmp_path / "run"
    sure = little(48)  # takes every face for surprise, whatever its label
    sure.get_layer("logits").set_weights([np.zeros((4, 7)), 9.0 * np.eye(7)[6]])
    sure.save(teacher)
    recipe = replace(BALANCED, size=32, batch=28, head_epochs=0, small_epochs=0, epochs=3, ema=0.0)
    recipe = replace(recipe, teacher_share=1.0, rate=0.1)
    once = {"teachers": [teacher], "teach_once": True}
    run_training(run, load(data), "balanced", "none", recipe, False, **once)
    state = checkpoint.read(run)
    assert state is not None
    assert state["history"][-1]["accuracy"] > 0.9  # of the targets, which are the teacher's
    kept = np.load(run / "opinions.npy")
    assert (kept.argmax(axis=1) == 6).all()
    # A resumed run does not ask again, nor does one with other weights go on from here.
    np.save(run / "opinions.npy", kept[:, ::-1].copy())
    longer = replace(recipe, epochs=4)
    run_training(run, load(data), "balanced", "none", longer, True, **once)
    np.testing.assert_array_equal(np.load(run / "opinions.npy"), kept[:, ::-1])
    with pytest.raises(UserError, match="other options"):
        run_training(run, load(data), "balanced", "none", longer, True, **once, teacher_weights=[2])


def test_fit_command_with_unlabelled_without_teacher_exits_2(data: Path, tmp_path: Path) -> None:
    refused = subprocess.run(
        command(data, tmp_path / "run", "--unlabelled"), capture_output=True, text=True
    )
    assert refused.returncode == 2
    assert "--unlabelled needs a --teacher" in refused.stderr
    assert not (tmp_path / "run").exists()


def test_fit_command_with_teach_once_without_teacher_exits_2(data: Path, tmp_path: Path) -> None:
    refused = subprocess.run(
        command(data, tmp_path / "run", "--teach-once"), capture_output=True, text=True
    )
    assert refused.returncode == 2
    assert "--teach-once needs a --teacher" in refused.stderr


def test_run_training_resumed_with_another_teacher_raises(data: Path, tmp_path: Path) -> None:
    earlier, run = tmp_path / "earlier.keras", tmp_path / "run"
    little(48).save(earlier)
    dataset = load(data)
    small = replace(BALANCED, size=32)
    with pytest.raises(UserError, match="takes faces of 48 px and not of 32"):
        run_training(run, dataset, "balanced", "none", small, False, teachers=[earlier])
    with pytest.raises(UserError, match="another network than the one asked for"):
        run_training(run, dataset, "balanced", str(earlier), BALANCED, False)
    assert not run.exists()
    run.mkdir()
    (run / checkpoint.STATE).write_text(json.dumps({"stage": "all", "epoch": 1}))
    manifest = {"manifest_sha256": sha256_of_manifest(dataset), "labels": "fer2013"}
    (run / "run.json").write_text(
        json.dumps(manifest | {"recipe": asdict(BALANCED), "teachers": []})
    )
    with pytest.raises(UserError, match="another teacher"):
        run_training(run, dataset, "balanced", "none", BALANCED, True, teachers=[earlier])


def sha256_of_manifest(dataset: Dataset) -> str:
    text = subset.manifest_text(dataset, subset.balanced(dataset, BALANCED.seed), "balanced set")
    return hashlib.sha256(text.encode()).hexdigest()
