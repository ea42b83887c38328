"""`mien calibrate` from folders and from a video, and what the other commands make of a profile."""

from __future__ import annotations

import io
import json
from collections.abc import Callable
from pathlib import Path

import mien as library
import pytest
from made import LABELS, PORTRAITS, band_face, is_one_sentence, write_faces, write_picture
from running import CLIP

Mien = Callable[..., tuple[int, str, str]]
SWAP = {"angry": "sad", "sad": "angry"}


def swapped_faces(folder: Path, each: int, seed: int = 0) -> Path:
    """Write class folders of an observer who takes anger for sadness and sadness for anger."""
    for index, label in enumerate(LABELS):
        for number in range(each):
            name = f"{SWAP.get(label, label)}/{number}.png"
            write_picture(folder / name, band_face(index, seed + number))
    return folder


@pytest.fixture
def profile(mien: Mien, model_path: Path, tmp_path: Path) -> Path:
    data = swapped_faces(tmp_path / "mine", 5)
    path = tmp_path / "anna.profile.json"
    code, out, err = mien("calibrate", data, "--cropped", "--model", model_path, "--out", path)
    assert (code, err) == (0, "")
    assert out.startswith("reads 35 of 35 correctly with the profile, 25 without")
    return path


def test_a_profile_from_a_folder_reads_new_pictures_as_its_person_does(
    mien: Mien, model_path: Path, profile: Path, tmp_path: Path
) -> None:
    new = swapped_faces(tmp_path / "new", 3, seed=50)
    _, plain, _ = mien("eval", new, "--json", "--model", model_path)
    _, mapped, _ = mien("eval", new, "--json", "--model", model_path, "--profile", profile)
    assert json.loads(plain)["accuracy"] == pytest.approx(5 / 7)
    assert json.loads(mapped)["accuracy"] == 1.0


def test_a_profile_holds_no_picture_and_says_what_it_is_for(profile: Path, mien: Mien) -> None:
    content = json.loads(profile.read_text())
    assert content["name"] == "me"
    assert content["model"] == "bands 0.1"
    assert content["pictures"] == dict.fromkeys(LABELS, 5)
    assert profile.stat().st_size < 4000


def test_mien_image_and_the_library_apply_a_profile(
    mien: Mien, model_path: Path, profile: Path, tmp_path: Path
) -> None:
    face = write_picture(tmp_path / "face.png", band_face(LABELS.index("sad"), 99))
    _, out, _ = mien(
        "image", face, "--cropped", "--json", "--model", model_path, "--profile", profile
    )
    read = json.loads(out)["pictures"][0]["faces"][0]
    assert max(read["probabilities"], key=read["probabilities"].get) == "angry"
    picture = PORTRAITS / "hopper.jpg"
    plain = library.Reader(model_path).read(picture)[0]
    mapped = library.Reader(model_path, profile=profile).read(picture)[0]
    assert plain.box == mapped.box
    assert plain.probabilities != mapped.probabilities


def test_mien_run_applies_a_profile_and_refuses_that_of_another_model(
    mien: Mien, model_path: Path, profile: Path, tmp_path: Path
) -> None:
    file = tmp_path / "out.jsonl"
    few = ("--max-frames", 8, "--jsonl", file)
    shown = []
    for words in ((), ("--profile", profile)):
        code, _, _ = mien("run", CLIP, *few, "--model", model_path, *words)
        assert code == 0
        shown.append(json.loads(file.read_text().splitlines()[-1])["faces"])
    assert shown[0]
    assert shown[0] != shown[1]
    code, _, err = mien("run", CLIP, *few, "--profile", profile)
    assert code == 2
    assert is_one_sentence(err, "was fitted for bands 0.1", "--model")


def test_where_the_model_reads_all_of_it_no_profile_is_written(
    mien: Mien, model_path: Path, tmp_path: Path
) -> None:
    data = write_faces(tmp_path / "data", 3)
    path = tmp_path / "p.profile.json"
    code, _, err = mien("calibrate", data, "--cropped", "--model", model_path, "--out", path)
    assert code == 2
    assert is_one_sentence(err, "No profile was written", "21 without")
    assert not path.exists()


def test_pictures_without_a_face_are_counted(mien: Mien, model_path: Path, tmp_path: Path) -> None:
    data = tmp_path / "data"
    (data / "happy").mkdir(parents=True)
    (data / "happy" / "1.jpg").write_bytes((PORTRAITS / "noface.jpg").read_bytes())
    code, _, err = mien("calibrate", data, "--model", model_path, "--name", tmp_path / "x")
    assert code == 2
    assert "No face was found in 1 of 1 pictures" in err
    assert err.splitlines()[-1].endswith("can be used.")


@pytest.mark.parametrize("answers", ["q\n", "", "s\n" * 14])
def test_takes_that_are_all_skipped_write_nothing(
    mien: Mien, model_path: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, answers: str
) -> None:
    monkeypatch.setattr("sys.stdin", io.StringIO(answers))
    path = tmp_path / "p.profile.json"
    code, out, err = mien("calibrate", CLIP, "--model", model_path, "--out", path)
    assert code == 2
    assert out.count("Look angry for 3 s") == (2 if "s" in answers else 1)
    assert is_one_sentence(err, "No face was captured")
    assert not path.exists()


def test_the_detector_is_chosen(mien: Mien, model_path: Path, tmp_path: Path) -> None:
    data = tmp_path / "data"
    (data / "happy").mkdir(parents=True)
    (data / "happy" / "1.jpg").write_bytes((PORTRAITS / "collins.jpg").read_bytes())
    words = ("calibrate", data, "--model", model_path, "--name", tmp_path / "x", "--detector")
    code, _, err = mien(*words, f"yunet:{tmp_path}/none.onnx")
    assert (code, "none.onnx" in err) == (2, True)
    code, _, err = mien(*words, "haar")  # which finds the face: the reason is another
    assert (code, "add a second expression" in err) == (2, True)


def test_a_resting_face_is_taken_from_a_camera(
    mien: Mien, model_path: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sys.stdin", io.StringIO("\n"))
    path = tmp_path / "rest.profile.json"
    words = ("--neutral", "--model", model_path, "--out", path)
    code, out, err = mien("calibrate", CLIP, *words)
    assert "Look neutral for 10 s" in out
    assert "predictions: " in out
    assert (code, err) == (0, "")
    assert json.loads(path.read_text())["kind"] == "neutral"
