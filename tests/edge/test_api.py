"""The public Python API: pictures, arrays, streams, the documentation's examples."""

from __future__ import annotations

import csv
import re
import shutil
import subprocess
import sys
from pathlib import Path

import mien
import numpy as np
import pytest
from mien.image import load_image
from mien.tflite.model_file import MODELS

ROOT = Path(__file__).parents[2]
DEMO = MODELS.parent / "demo"
BLOCKS = re.findall(r"```python\n(.*?)```", (ROOT / "docs/python.md").read_text(), re.S)


@pytest.fixture(scope="module")
def reader() -> mien.Reader:
    return mien.Reader()


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A working directory with the files that the examples name."""
    for source, name in (
        ("portraits/hopper.jpg", "portrait.jpg"),
        ("portraits/both.jpg", "group.jpg"),
    ):
        shutil.copy(DEMO / source, tmp_path / name)
    shutil.copy(DEMO / "clip.mp4", tmp_path / "clip.mp4")
    monkeypatch.chdir(tmp_path)
    return tmp_path


def run_python(*arguments: str | Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, *map(str, arguments)], capture_output=True, text=True, check=False
    )


def test_import_loads_no_opencv_tensorflow_or_server() -> None:
    heavy = ("cv2", "tensorflow", "keras", "uvicorn", "starlette", "paho", "typer")
    done = run_python("-c", f"import sys, mien; print([m for m in {heavy} if m in sys.modules])")
    assert done.stdout == "[]\n"


def test_every_public_name_is_there_and_no_other() -> None:
    for name in mien.__all__:
        assert getattr(mien, name) is not None
        assert name in dir(mien)
    with pytest.raises(AttributeError, match="no attribute 'Raeder'"):
        _ = mien.Raeder  # type: ignore[attr-defined]


def test_read_gives_the_same_faces_for_a_path_and_for_its_pixels(reader: mien.Reader) -> None:
    path = DEMO / "portraits" / "both.jpg"
    picture = load_image(path)
    faces = reader.read(path)
    assert [face.emotion for face in faces] == ["neutral", "happy"]
    assert faces[0].box[2] >= faces[1].box[2]
    assert reader.read(str(path)) == faces
    assert reader.read(picture.bgr) == reader.read(picture.gray) == faces
    assert tuple(faces[0].probabilities) == reader.labels
    assert sum(faces[0].probabilities.values()) == pytest.approx(1)
    assert reader.read(DEMO / "portraits" / "noface.jpg") == []


@pytest.mark.parametrize(
    "pixels",
    [
        np.zeros((40, 40), np.float32),
        np.zeros((40, 40, 4), np.uint8),
        np.zeros(40, np.uint8),
        np.zeros((0, 40), np.uint8),
    ],
)
def test_read_refuses_an_array_that_is_no_picture(reader: mien.Reader, pixels: np.ndarray) -> None:
    with pytest.raises(ValueError, match="must be uint8"):
        reader.read(pixels)


def test_stream_has_ids_and_images_and_starts_anew_each_time(reader: mien.Reader) -> None:
    results = []
    for result in reader.stream(str(DEMO / "clip.mp4"), color=True):
        results.append(result)
        if len(results) == 40:
            break
    assert results[-1].image is not None
    assert results[-1].image.shape == (480, 640, 3)
    ids = {face.id for result in results for face in result.faces}
    assert ids == {1, 2}
    again = next(iter(reader.stream(str(DEMO / "clip.mp4"))))
    assert again.frame == 0
    assert again.image is not None
    assert again.image.ndim == 2


def test_stream_takes_an_opened_source_and_closes_it(reader: mien.Reader) -> None:
    source = mien.open_source(str(DEMO / "portraits"))
    closed = []
    source.close = lambda: closed.append(True)  # type: ignore[method-assign]
    names = [len(result.faces) for result in reader.stream(source)]
    assert names == [2, 1, 1, 0]
    assert closed == [True]


def test_a_user_error_says_what_to_do() -> None:
    with pytest.raises(mien.UserError, match=r"missing\.jpg"):
        mien.Reader().read("missing.jpg")
    with pytest.raises(mien.UserError, match="detector 'dnn'"):
        mien.Reader(detector="dnn")
    with pytest.raises(mien.UserError, match="nosuchmodel"):
        mien.Reader(model="nosuchmodel")


@pytest.mark.parametrize("block", BLOCKS, ids=[str(index) for index in range(len(BLOCKS))])
def test_each_example_of_the_documentation_runs(
    block: str, folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    code = block.replace('"usb"', '"clip.mp4"')  # here is no camera
    exec(compile(code, "docs/python.md", "exec"), {})
    if "print" in block:
        assert capsys.readouterr().out


def test_the_readme_runs_beside_modules_with_the_names_of_the_old_packages(folder: Path) -> None:
    for name in ("train.py", "convert.py", "edge.py"):
        (folder / name).write_text("raise SystemExit('imported from the working directory')")
    block = re.search(r"```python\n(.*?)```", (ROOT / "README.md").read_text(), re.S)
    assert block
    done = run_python("-c", block[1].replace('"usb"', '"clip.mp4"'))
    assert done.returncode == 0, done.stderr
    assert "neutral" in done.stdout


def test_the_example_of_a_picture_prints_every_probability(folder: Path) -> None:
    done = run_python(ROOT / "examples/picture.py", "portrait.jpg")
    assert done.stdout.count("#") >= 38
    assert "neutral, confidence" in done.stdout


def test_the_example_of_a_callback_prints_changes(folder: Path) -> None:
    done = run_python(ROOT / "examples/camera_callback.py", "clip.mp4")
    assert "face 1: unknown -> " in done.stdout, done.stderr


def test_the_example_of_an_output_writes_each_smile_once(folder: Path) -> None:
    done = run_python(ROOT / "examples/own_output.py", "clip.mp4", "smiles")
    written = list((folder / "smiles").glob("*.png"))
    assert done.stdout.splitlines() == [f"smiles/{file.name}" for file in written] != []
    assert load_image(written[0]).bgr.size > 0


def test_the_example_of_a_folder_writes_a_row_per_face(folder: Path) -> None:
    shutil.copytree(DEMO / "portraits", "photos")
    (folder / "photos" / "notes.txt").write_text("no picture")
    done = run_python(ROOT / "examples/folder_to_csv.py", "photos", "faces.csv")
    assert "notes.txt" in done.stderr
    rows = list(csv.DictReader((folder / "faces.csv").open()))
    assert [(row["file"], row["emotion"]) for row in rows] == [
        ("both.jpg", "neutral"),
        ("both.jpg", "happy"),
        ("collins.jpg", "happy"),
        ("hopper.jpg", "neutral"),
    ]
