"""`mien eval`, run as a user does, and that it sees the bytes that `mien image` sees."""

from __future__ import annotations

import json
import shutil
import zipfile
from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
import pytest
from made import (
    LABELS,
    band_face,
    encode,
    is_one_sentence,
    write_faces,
    write_model,
    write_picture,
    zip_folder,
)
from mien.classification.classifier import Classifier
from mien.classification.prediction import softmax
from mien.classification.preprocess import preprocess_face
from mien.image import load_image
from mien.tflite.metadata import Metadata
from mien.tflite.model_file import Model

Mien = Callable[..., tuple[int, str, str]]


def test_scores_of_faces_that_the_model_knows(mien: Mien, model_path: Path, tmp_path: Path) -> None:
    """Two of each class, and one "sad" face put among the happy: 14 of 15 are right."""
    data = write_faces(tmp_path / "data")
    write_picture(data / "happy" / "wrong.png", band_face(5, 9))
    code, out, err = mien("eval", data, "--json", "--model", model_path)
    assert (code, err) == (0, "")
    document = json.loads(out)
    assert document["n"] == 15
    assert document["accuracy"] == pytest.approx(14 / 15)
    assert document["recall"] == pytest.approx(dict.fromkeys(LABELS, 1.0) | {"happy": 2 / 3})
    assert document["balanced_accuracy"] == pytest.approx((6 + 2 / 3) / 7)
    assert 0.9 < document["macro_f1"] < 1
    assert 0 <= document["ece"] < 0.5
    assert document["confusion"][3] == [0, 0, 0, 2, 0, 1, 0]
    assert document["model"]["name"] == "bands"
    assert (document["temperature"], document["threshold"]) == (1.25, 0.4)
    assert document["split"] is None
    assert document["skipped"] == []


def test_ece_and_uncertainty_come_from_the_models_temperature(
    mien: Mien, model: Model, tmp_path: Path
) -> None:
    data = write_faces(tmp_path / "data", 3)
    hot = write_model(tmp_path / "hot.tflite", temperature=20.0)
    _, out, _ = mien("eval", data, "--json", "--model", hot)
    document = json.loads(out)
    faces = np.stack([band_face(label, seed) for label in range(7) for seed in range(3)])
    confidence = softmax(Classifier(model).logits(faces), 20.0).max(axis=1)
    assert document["accuracy"] == 1.0
    assert document["ece"] == pytest.approx(1 - confidence.mean())
    assert document["uncertain"] == 1.0  # nothing reaches 0.4 at that heat


def test_the_table_stands_beside_what_the_file_promises(
    mien: Mien, model_path: Path, tmp_path: Path
) -> None:
    write_faces(tmp_path / "data" / "test", 1, "")
    write_faces(tmp_path / "data" / "train", 1, "")
    code, out, _ = mien("eval", tmp_path / "data", "--model", model_path)
    assert code == 0
    assert "bands 0.1 on 7 faces of" in out.splitlines()[0]
    assert "--split train" in out
    accuracy = next(line for line in out.splitlines() if line.startswith("accuracy"))
    assert accuracy.split() == ["accuracy", "100.0", "%", "100.0", "%"]
    happy = next(line for line in out.splitlines() if line.startswith("recall happy"))
    assert happy.split() == ["recall", "happy", "100.0", "%", "50.0", "%"]


def test_a_split_can_be_chosen(mien: Mien, model_path: Path, tmp_path: Path) -> None:
    write_faces(tmp_path / "data" / "test", 1, "PublicTest_")
    write_faces(tmp_path / "data" / "test", 2, "PrivateTest_")
    data = zip_folder(tmp_path / "data", tmp_path / "data.zip")
    for split, read, count in ((None, "PublicTest", 7), ("PrivateTest", "PrivateTest", 14)):
        words = ["--split", split] if split else []
        _, out, _ = mien("eval", data, *words, "--json", "--model", model_path)
        document = json.loads(out)
        assert (document["split"], document["n"]) == (read, count)


def faces_of_all_kinds(folder: Path) -> Path:
    """Class folders with faces as people have them: sizes, shapes, formats, colour."""
    write_faces(folder, 1, "face_")
    generator = np.random.default_rng(8)
    for index, label in enumerate(LABELS):
        for number, (shape, suffix) in enumerate(
            [((48, 48), ".jpg"), ((130, 96), ".jpg"), ((31, 40), ".png"), ((224, 224, 3), ".jpg")]
        ):
            patches = generator.integers(0, 256, (6, 6, *shape[2:]), dtype=np.uint8)
            picture = cv2.resize(patches, shape[1::-1], interpolation=cv2.INTER_CUBIC)
            write_picture(folder / label / f"kind_{number}{suffix}", picture)
        sixteen = band_face(index).astype(np.uint16) * 250
        write_picture(folder / label / "sixteen.png", sixteen)
    return folder


@pytest.fixture
def seen(monkeypatch: pytest.MonkeyPatch) -> list[np.ndarray]:
    """Every array that goes to the interpreter, in order."""
    arrays: list[np.ndarray] = []
    logits = Classifier.logits

    def spy(self: Classifier, faces: np.ndarray) -> np.ndarray:
        arrays.extend(face.copy() for face in faces)
        return logits(self, faces)

    monkeypatch.setattr(Classifier, "logits", spy)
    return arrays


def check_no_skew(
    mien: Mien, seen: list[np.ndarray], data: Path, files: list[Path], model_path: Path
) -> None:
    """The model sees the same bytes of the same pictures through image and through eval."""
    seen.clear()
    code, out, _ = mien("eval", data, "--json", "--model", model_path)
    assert code == 0
    by_eval = [face.copy() for face in seen]
    seen.clear()
    code, shown, _ = mien("image", *files, "--cropped", "--json", "--model", model_path)
    assert code == 0
    by_image = list(seen)
    assert len(by_image) == len(by_eval) == len(files) == json.loads(out)["n"]
    assert all(a.dtype == np.uint8 and a.shape == (48, 48) for a in by_eval)
    assert all(np.array_equal(a, b) for a, b in zip(by_eval, by_image, strict=True))
    right = sum(
        max(face["probabilities"], key=face["probabilities"].get) == Path(read["file"]).parent.name
        for read in json.loads(shown)["pictures"]
        for face in read["faces"]
    )
    assert right / len(files) == pytest.approx(json.loads(out)["accuracy"])


def test_image_and_eval_and_the_crop_give_the_model_the_same_bytes(
    mien: Mien, seen: list[np.ndarray], model_path: Path, metadata: Metadata, tmp_path: Path
) -> None:
    data = faces_of_all_kinds(tmp_path / "data")
    files = sorted(data.rglob("*.*"))
    check_no_skew(mien, seen, data, files, model_path)
    direct = [preprocess_face(load_image(file).gray, None, metadata) for file in files]
    assert all(np.array_equal(a, b) for a, b in zip(seen, direct, strict=True))
    check_no_skew(mien, seen, zip_folder(data, tmp_path / "data.zip"), files, model_path)


def test_no_skew_on_real_faces(
    mien: Mien, seen: list[np.ndarray], model_path: Path, fer2013: Path, tmp_path: Path
) -> None:
    with zipfile.ZipFile(fer2013) as archive:
        names = [name for name in archive.namelist() if "PublicTest_" in name]
        for label in LABELS:
            for name in [n for n in names if f"/{label}/" in n][:8]:
                archive.extract(name, tmp_path / "data")
    files = sorted((tmp_path / "data").rglob("*.jpg"))
    assert len(files) == 56
    check_no_skew(mien, seen, tmp_path / "data", files, model_path)
    for face, file in zip(seen, files, strict=True):
        assert np.array_equal(face, cv2.imread(str(file), cv2.IMREAD_GRAYSCALE))


def test_faces_that_cannot_be_read_are_told_and_left_out(
    mien: Mien, model_path: Path, tmp_path: Path
) -> None:
    data = write_faces(tmp_path / "data")
    (data / "sad" / "text.jpg").write_text("hello")
    code, out, err = mien("eval", data, "--json", "--model", model_path)
    assert code == 2
    assert is_one_sentence(err, "text.jpg")
    document = json.loads(out)
    assert document["n"] == 14
    assert len(document["skipped"]) == 1


def test_folders_that_are_no_class_are_told(mien: Mien, model_path: Path, tmp_path: Path) -> None:
    data = write_faces(tmp_path / "data")
    write_picture(data / "contempt" / "1.png", band_face(0))
    code, _, err = mien("eval", data, "--model", model_path)
    assert code == 0
    assert "left out contempt" in err


def bad(folder: Path, case: str) -> Path:
    data = folder / "data"
    if case == "missing":
        return data
    if case == "empty":
        data.mkdir()
        return data
    write_faces(data)
    if case == "class missing":
        shutil.rmtree(data / "disgust")
    elif case == "all text":
        for file in data.rglob("*.png"):
            file.write_text("hello")
    elif case == "unsafe":
        data = zip_folder(data, folder / "data.zip")
        with zipfile.ZipFile(data, "a") as archive:
            archive.writestr("../happy/1.jpg", encode(".jpg", band_face(0)))
    elif case == "no zip":
        data = folder / "data.zip"
        data.write_bytes(b"PK\x03\x04 and no more")
    return data


@pytest.mark.parametrize(
    ("case", "words"),
    [
        ("missing", "There is no"),
        ("empty", "holds no pictures"),
        ("class missing", "class folder disgust;"),
        ("unsafe", "unsafe file name"),
        ("no zip", "neither a folder nor a complete zip"),
    ],
)
def test_bad_data_gets_one_sentence(
    case: str, words: str, mien: Mien, model_path: Path, tmp_path: Path
) -> None:
    code, out, err = mien("eval", bad(tmp_path, case), "--model", model_path)
    assert (code, out) == (2, "")
    assert is_one_sentence(err, words)


def test_a_folder_of_nothing_but_text_ends_with_a_sentence(
    mien: Mien, model_path: Path, tmp_path: Path
) -> None:
    code, out, err = mien("eval", bad(tmp_path, "all text"), "--model", model_path)
    assert (code, out) == (2, "")
    assert all(line.startswith("mien: ") for line in err.splitlines())
    assert len(err.splitlines()) <= 7
    assert "None of the 14 pictures" in err
