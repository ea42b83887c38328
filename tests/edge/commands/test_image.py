"""`mien image`, run as a user does."""

from __future__ import annotations

import base64
import csv
import http.server
import json
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import cv2
import numpy as np
import pytest
from made import (
    LABELS,
    PORTRAITS,
    band_face,
    encode,
    is_one_sentence,
    with_orientation,
    write_picture,
)
from mien.boxes import iou
from mien.classification.classifier import Classifier
from mien.detection import open_detector
from mien.image import load_image
from mien.pipeline.still import ImagePipeline
from mien.sources.base import Frame
from mien.tflite.model_file import Model

Mien = Callable[..., tuple[int, str, str]]


def test_a_table_of_every_face_of_every_picture(mien: Mien, model_path: Path) -> None:
    files = [PORTRAITS / f"{name}.jpg" for name in ("both", "noface", "collins")]
    code, out, err = mien("image", *files, "--model", model_path)
    assert (code, err) == (0, "")
    head, *rows = out.splitlines()
    assert head.split()[:3] == ["picture", "face", "x"]
    assert [row.split()[0] for row in rows] == [str(files[i]) for i in (0, 0, 1, 2)]
    assert [row.split()[1] for row in rows] == ["1", "2", "-", "1"]
    assert "no face found" in rows[2]
    place = head.index("emotion")
    assert all(row[place - 1] == " " != row[place] for row in rows)  # aligned


def test_json_is_all_that_stdout_holds(mien: Mien, model_path: Path, model: Model) -> None:
    files = [PORTRAITS / "both.jpg", PORTRAITS / "noface.jpg"]
    code, out, err = mien("image", *files, "--json", "--model", model_path)
    assert (code, err) == (0, "")
    document = json.loads(out)
    assert document["model"] == {"name": "bands", "version": "0.1"}
    both, noface = document["pictures"]
    assert (both["file"], both["width"], both["height"]) == (str(files[0]), 640, 480)
    assert noface["faces"] == []
    assert len(both["faces"]) == 2
    pipeline = ImagePipeline(open_detector(), Classifier(model), model.metadata)
    read = pipeline.process(Frame(0, 0.0, load_image(files[0]).gray)).faces
    assert [{"id": None, **face} for face in both["faces"]] == [face.to_json() for face in read]


def test_cropped_pictures_are_one_face_each(mien: Mien, model_path: Path, tmp_path: Path) -> None:
    files = [
        write_picture(tmp_path / f"{label}.png", band_face(index))
        for index, label in enumerate(LABELS)
    ]
    code, out, _ = mien("image", *files, "--cropped", "--json", "--model", model_path)
    assert code == 0
    faces = [picture["faces"] for picture in json.loads(out)["pictures"]]
    assert [face["emotion"] for (face,) in faces] == list(LABELS)
    assert all(face["box"] == [0, 0, 48, 48] for (face,) in faces)


@pytest.mark.parametrize("as_json", [False, True])
def test_a_bad_picture_is_told_and_the_rest_is_read(
    as_json: bool, mien: Mien, model_path: Path, tmp_path: Path
) -> None:
    (tmp_path / "text.jpg").write_text("hello")
    files = [PORTRAITS / "collins.jpg", tmp_path / "text.jpg", PORTRAITS / "hopper.jpg"]
    words = ["--json"] if as_json else []
    code, out, err = mien("image", *files, *words, "--model", model_path)
    assert code == 2
    assert is_one_sentence(err, "text.jpg", "JPEG or PNG")
    if as_json:
        document = json.loads(out)
        assert len(document["pictures"]) == 2
        assert document["errors"][0]["file"] == str(files[1])
        assert document["errors"][0]["error"] in err
    else:
        assert "collins.jpg" in out
        assert "hopper.jpg" in out
        assert "text.jpg" not in out


@pytest.mark.parametrize("name", ["none.jpg", "empty.jpg", "."])
def test_what_cannot_be_a_picture(name: str, mien: Mien, model_path: Path, tmp_path: Path) -> None:
    (tmp_path / "empty.jpg").touch()
    out_folder = tmp_path / "out"
    words = ("--annotate", out_folder, "--model", model_path)
    code, out, err = mien("image", tmp_path / name, *words)
    assert (code, out) == (2, "")
    assert is_one_sentence(err)
    assert not out_folder.exists()


def test_annotated_pictures_show_the_faces(mien: Mien, model_path: Path, tmp_path: Path) -> None:
    source = PORTRAITS / "both.jpg"
    target = tmp_path / "a" / "new" / "folder"
    code, out, _ = mien("image", source, "--annotate", target, "--model", model_path)
    assert code == 0
    assert str(target) in out
    drawn, original = cv2.imread(str(target / "both.jpg")), cv2.imread(str(source))
    different = np.abs(drawn.astype(int) - original).max(axis=2) > 100
    rows, columns = np.nonzero(different)
    assert 0.003 < different.mean() < 0.1
    assert columns.min() > 80  # the faces' boxes and labels, and nothing elsewhere
    assert columns.max() < 580
    assert rows.max() < 340
    assert [file.name for file in target.iterdir()] == ["both.jpg"]  # nothing half written


def test_same_names_do_not_meet_and_inputs_stay(
    mien: Mien, model_path: Path, tmp_path: Path
) -> None:
    """Two folders with equal names; one is also where the annotated pictures go."""
    files = [tmp_path / "a" / "face.jpg", tmp_path / "b" / "face.jpg", tmp_path / "a" / "face.bmp"]
    files.append(tmp_path / "a" / "face-annotated.jpg")
    for file in files:
        write_picture(file, cv2.imread(str(PORTRAITS / "collins.jpg")))
    (tmp_path / "link").symlink_to(tmp_path / "a")
    before = {file: file.read_bytes() for file in files}
    words = ("--annotate", tmp_path / "link", "--json", "--model", model_path)
    code, out, _ = mien("image", *files, *words)
    assert code == 0
    assert {file: file.read_bytes() for file in files} == before
    targets = [Path(picture["annotated"]) for picture in json.loads(out)["pictures"]]
    assert [target.name for target in targets] == [
        "face-annotated-2.jpg",
        "face-annotated-3.jpg",
        "face.png",
        "face-annotated-annotated.jpg",
    ]
    assert not {target.resolve() for target in targets} & {file.resolve() for file in files}
    assert all(cv2.imread(str(target)).shape == (480, 400, 3) for target in targets)


def test_annotating_again_replaces(mien: Mien, model_path: Path, tmp_path: Path) -> None:
    words = ("--annotate", tmp_path, "--model", model_path)
    for _ in range(2):
        mien("image", PORTRAITS / "collins.jpg", *words)
    assert [file.name for file in tmp_path.iterdir()] == ["collins.jpg"]


def test_annotating_into_a_file_is_refused(mien: Mien, model_path: Path, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("mine")
    words = ("--annotate", tmp_path / "file", "--model", model_path)
    code, out, err = mien("image", PORTRAITS / "collins.jpg", *words)
    assert (code, out) == (2, "")
    assert is_one_sentence(err, "--annotate needs a folder")
    assert (tmp_path / "file").read_text() == "mine"


def test_a_small_cropped_picture_is_enlarged_for_its_label(
    mien: Mien, model_path: Path, tmp_path: Path
) -> None:
    face = write_picture(tmp_path / "face.png", band_face(2))
    mien("image", face, "--cropped", "--annotate", tmp_path / "out", "--model", model_path)
    assert cv2.imread(str(tmp_path / "out" / "face.png")).shape == (336, 336, 3)


def test_forms_of_the_same_picture_read_alike(mien: Mien, model_path: Path, tmp_path: Path) -> None:
    """Gray, colour, 16 bits, opaque RGBA: one face, one reading."""
    gray = band_face(3)
    colour = cv2.cvtColor(gray, cv2.COLOR_GRAY2BGR)
    files = [
        write_picture(tmp_path / "gray.png", gray),
        write_picture(tmp_path / "colour.png", colour),
        write_picture(tmp_path / "gray16.png", gray.astype(np.uint16) * 257),
        write_picture(tmp_path / "colour16.png", colour.astype(np.uint16) * 257),
        write_picture(tmp_path / "rgba.png", cv2.cvtColor(colour, cv2.COLOR_BGR2BGRA)),
    ]
    _, out, _ = mien("image", *files, "--cropped", "--json", "--model", model_path)
    faces = [picture["faces"] for picture in json.loads(out)["pictures"]]
    assert faces[0][0]["emotion"] == "happy"
    assert all(face == faces[0] for face in faces)


def test_a_turned_photo_is_read_upright(mien: Mien, model_path: Path, tmp_path: Path) -> None:
    upright = cv2.imread(str(PORTRAITS / "collins.jpg"))
    stored = np.ascontiguousarray(np.rot90(upright))  # what a phone held sideways stores
    (tmp_path / "turned.jpg").write_bytes(with_orientation(encode(".jpg", stored), 6))
    (tmp_path / "lying.jpg").write_bytes(encode(".jpg", stored))
    files = (tmp_path / "turned.jpg", tmp_path / "lying.jpg")
    _, out, _ = mien("image", *files, "--json", "--model", model_path)
    turned, lying = json.loads(out)["pictures"]
    assert (turned["width"], turned["height"]) == (400, 480)
    (face,) = turned["faces"]
    assert iou(face["box"], (142, 59, 92, 114)) > 0.6
    assert lying["faces"] == []


def test_a_full_disk_leaves_nothing_half_written(
    mien: Mien, model_path: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(path: Path, data: bytes) -> int:
        with path.open("wb") as file:
            file.write(data[:10])
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Path, "write_bytes", full)
    words = ("--annotate", tmp_path / "out", "--model", model_path)
    code, _, err = mien("image", PORTRAITS / "collins.jpg", *words)
    assert code == 2
    assert is_one_sentence(err, "No space left")
    assert list((tmp_path / "out").iterdir()) == []


def test_a_folder_stands_for_its_pictures_in_natural_order(
    mien: Mien, model_path: Path, tmp_path: Path
) -> None:
    for name in ("face10.png", "face2.png"):
        write_picture(tmp_path / "in" / name, band_face(1))
    (tmp_path / "in" / "notes.txt").write_text("text")
    (tmp_path / "empty").mkdir()
    words = ("--cropped", "--json", "--model", model_path)
    code, out, err = mien("image", tmp_path / "in", tmp_path / "empty", *words)
    assert code == 2
    names = [Path(picture["file"]).name for picture in json.loads(out)["pictures"]]
    assert names == ["face2.png", "face10.png"]
    left_out, nothing = err.splitlines()
    assert "notes" not in out
    assert ".txt: 1" in left_out
    assert is_one_sentence(nothing, "empty", "holds no pictures")


def test_a_table_for_pandas_has_a_row_per_face(
    mien: Mien, model_path: Path, tmp_path: Path
) -> None:
    files = [PORTRAITS / "both.jpg", PORTRAITS / "noface.jpg", PORTRAITS / "collins.jpg"]
    table = tmp_path / "faces.csv"
    code, out, _ = mien("image", *files, "--csv", table, "--json", "--model", model_path)
    assert code == 0
    rows = list(csv.DictReader(table.read_text().splitlines()))
    faces = [(p["file"], f) for p in json.loads(out)["pictures"] for f in p["faces"]]
    assert len(rows) == len(faces) == 3
    for row, (file, face) in zip(rows, faces, strict=True):
        assert row["picture"] == file
        assert [int(row[key]) for key in "xywh"] == face["box"]
        assert row["emotion"] == face["emotion"]
        assert float(row["p_happy"]) == face["probabilities"]["happy"]
    assert [row["face"] for row in rows] == ["1", "2", "1"]
    code, _, err = mien("image", files[0], "--csv", tmp_path / "no" / "faces.csv")
    assert code == 2
    assert is_one_sentence(err, "Folder", "does not exist")


class Camera(http.server.BaseHTTPRequestHandler):
    """A camera's snapshot behind a password; it knows no HEAD."""

    def do_GET(self) -> None:
        wanted = "Basic " + base64.b64encode(b"admin:a b#c").decode()
        if self.path.startswith("/snap") and self.headers.get("Authorization") != wanted:
            self.send_response(401)
            self.send_header("WWW-Authenticate", 'Basic realm="camera"')
            self.end_headers()
            return
        kind, body = "text/html", b"<p>hello"
        if self.path.startswith("/snap"):
            kind, body = "image/jpeg", (PORTRAITS / "collins.jpg").read_bytes()
        self.send_response(200 if self.path != "/gone" else 404)
        self.send_header("Content-Type", kind)
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None: ...


@pytest.fixture
def camera() -> Iterator[str]:
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Camera) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"127.0.0.1:{server.server_port}"
        server.shutdown()


def test_an_address_is_fetched_and_its_password_is_not_shown(
    mien: Mien, model_path: Path, camera: str, tmp_path: Path
) -> None:
    url = f"http://admin:a%20b%23c@{camera}/snap.jpg?size=full"
    words = ("--json", "--annotate", tmp_path, "--model", model_path)
    code, out, err = mien("image", url, *words)
    assert (code, err) == (0, "")
    (picture,) = json.loads(out)["pictures"]
    assert picture["file"] == f"http://{camera}/snap.jpg?..."
    assert len(picture["faces"]) == 1
    assert Path(picture["annotated"]).name == "snap.jpg"
    assert "a%20b" not in out


@pytest.mark.parametrize(
    ("path", "said"),
    [("/snap.jpg", "USER:PASSWORD"), ("/page", "text/html"), ("/gone", "404 Not Found")],
)
def test_an_address_without_a_picture_says_why(
    path: str, said: str, mien: Mien, model_path: Path, camera: str
) -> None:
    code, out, err = mien("image", f"http://{camera}{path}", "--model", model_path)
    assert (code, out) == (2, "")
    assert is_one_sentence(err, said, camera)


def test_an_address_that_nobody_serves_says_why(mien: Mien, model_path: Path) -> None:
    code, _, err = mien("image", "http://127.0.0.1:9/snap.jpg", "--model", model_path)
    assert code == 2
    assert is_one_sentence(err, "refuses the connection")


def test_no_file_at_all_is_a_usage_error(mien: Mien) -> None:
    code, _, err = mien("image")
    assert code == 2
    assert "FILE" in err
    assert "Traceback" not in err
