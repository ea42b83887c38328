"""`mien-train report`: one page, all inside, with the figures that were measured."""

from __future__ import annotations

import csv
import json
import re
import zipfile
from collections.abc import Callable
from html.parser import HTMLParser
from pathlib import Path

import keras
import numpy as np
import pytest
from mien.evaluation.metrics import reliability
from mien_train.data.fer2013 import load
from mien_train.data.ferplus import to_csv
from mien_train.data.labels import LABELS, VOTE_COLUMNS, VOTE_OF_LABEL
from mien_train.evaluation import charts
from mien_train.evaluation.html import page
from mien_train.evaluation.report import gather, measure

Run = Callable[..., tuple[int, str, str]]

LOG = """epoch,stage,loss,accuracy,val_loss,val_accuracy,val_balanced_accuracy,val_macro_f1,\
learning_rate,seconds
1,head,2.0,0.2,,,,,0.001,3
1,all,1.5,0.4,1.4,0.5,0.45,0.44,0.001,9
2,all,1.2,0.5,1.3,0.55,0.5,0.5,0.001,9
"""
RECORD = {
    "subset": "full",
    "images": 112,
    "labels": "votes",
    "recipe": {"alpha": 0.35, "size": 48},
    "command": "mien-train fit fer2013.zip --run runs/<x>",
}


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run's folder with an untrained network, a measured robustness and a model file."""
    folder = tmp_path_factory.mktemp("runs") / "small & fine"
    folder.mkdir()
    keras.utils.set_random_seed(1)
    face = keras.Input((48, 48, 1))
    x = keras.layers.Flatten()(keras.layers.AveragePooling2D(12)(face))
    output = keras.layers.Dense(7, kernel_initializer="random_normal")(x)
    keras.Model(face, output * 20).save(folder / "model.keras")
    (folder / "log.csv").write_text(LOG)
    (folder / "run.json").write_text(json.dumps(RECORD))
    rows = [
        {"family": family, "level": level, "people": {"accuracy": 0.8 - 0.1 * k}}
        for k, (family, level) in enumerate(
            [("as it is", ""), ("blur", "1 px"), ("blur", "2 px"), ("noise", "sd 5")]
        )
    ]
    document = {"faces": 7, "split": "validation", "conditions": rows}
    (folder / "robustness.json").write_text(json.dumps(document))
    people = {"int8": {"accuracy": 0.8125, "balanced_accuracy": 0.7, "ece": 0.02}}
    with zipfile.ZipFile(folder / "mien.tflite", "w") as archive:
        archive.writestr("metadata.json", json.dumps({"metrics": {"people": people}}))
    (folder / "other.tflite").write_bytes(b"another program's")
    return folder


class Outside(HTMLParser):
    """Collects what a page would fetch, and what it does not close."""

    def __init__(self) -> None:
        super().__init__()
        self.fetched: list[str] = []
        self.open: list[str] = []
        self.pictures = 0

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        for name, value in attrs:
            if name in ("src", "href") and not (value or "").startswith("data:image/png;base64,"):
                self.fetched.append(f"{tag} {value}")
        self.pictures += tag == "img"
        if tag not in ("meta", "img", "link"):
            self.open.append(tag)
        elif tag == "link":
            self.fetched.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        pass

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag


def checked(text: str) -> Outside:
    parser = Outside()
    parser.feed(text)
    assert parser.open == []
    assert parser.fetched == []
    assert not re.search(r"url\((?!#)", text)  # clips refer to the page itself
    assert "@import" not in text
    assert not re.search(r"\bnan\b", re.sub(r"base64,[^\"]*", "", text))
    return parser


def test_report_command_with_data_writes_a_self_contained_page(
    run: Path, fer: Path, tmp_path: Path, mien_train: Run
) -> None:
    data = load(fer)
    votes = np.zeros((len(data), 10), np.float32)
    for i, label in enumerate(data.labels):
        votes[i, VOTE_COLUMNS.index(VOTE_OF_LABEL[label])] = 8
    file, out = tmp_path / "votes.csv", tmp_path / "deep" / "page.html"
    file.write_text(to_csv(data, votes))
    code, text, err = mien_train("report", run, "--data", fer, "--votes", file, "--out", out)
    assert code == 0, err
    assert str(out) in text
    shown = out.read_text("utf-8")
    parser = checked(shown)
    assert 10 < parser.pictures <= 22  # nearly all of 22 faces are read wrongly
    for words in (
        "small &amp; fine",
        "runs/&lt;x&gt;",
        "by people&#39;s votes",
        "accuracy, people",
        "Epochs by stage: 1 head, 2 all",
        "dotted: unchanged",
        "81.2 %",
        "Most confident mistakes",
        "pictures are copies of others byte for byte",
        "People agree with the label",
        "files could not be read",
    ):
        assert words in shown, words


def test_report_command_without_data_shows_what_the_run_holds(run: Path, mien_train: Run) -> None:
    code, _, err = mien_train("report", run)
    assert code == 0, err
    shown = (run / "report.html").read_text("utf-8")
    assert checked(shown).pictures == 0
    assert "Most confident mistakes" not in shown
    assert "Robustness" in shown
    (run / "report.html").unlink()


def test_page_of_an_empty_record_is_valid_html(tmp_path: Path) -> None:
    (tmp_path / "run.json").write_text("{}")
    checked(page(gather(tmp_path, None, None, None)))


def test_report_command_with_wrong_input_exits_2_with_a_sentence(
    run: Path, tmp_path: Path, mien_train: Run
) -> None:
    code, _, err = mien_train("report", tmp_path)
    assert (code, "is not a run" in err) == (2, True)
    code, _, err = mien_train("report", run, "--votes", tmp_path / "votes.csv")
    assert (code, "--votes needs --data" in err) == (2, True)
    (tmp_path / "run.json").write_text("[]")
    code, _, err = mien_train("report", tmp_path)
    assert (code, "not a JSON object" in err) == (2, True)


def test_measure_fits_confidence_to_the_truth_of_training(fer: Path) -> None:
    """A network that people would call right and FER-2013 wrong, sure beyond measure."""
    data = load(fer)
    part = np.flatnonzero(data.splits == "validation")
    votes = np.zeros((len(data), 10), np.float32)
    votes[part[:-2], VOTE_COLUMNS.index("happiness")] = 8
    votes[part[-2:], VOTE_COLUMNS.index("sadness")] = 8

    def happy(images: np.ndarray) -> np.ndarray:
        return np.tile(np.eye(7, dtype=np.float32)[3] * 30, (len(images), 1))

    found = measure(data, votes, happy, "votes")
    assert found.truth == "people"
    assert found.scores["people"]["accuracy"] == pytest.approx(20 / 22)
    assert found.scores["benchmark"]["accuracy"] == pytest.approx(3 / 22)
    assert found.before.ece == pytest.approx(2 / 22, abs=1e-3)
    assert found.after.ece < found.before.ece
    assert [mistake.truth for mistake in found.worst] == [LABELS.index("sad")] * 2
    assert found.curve[0]["accuracy"] == pytest.approx(20 / 22)
    assert measure(data, votes, happy, "fer2013").truth == "benchmark"
    assert measure(data, None, happy, "votes").truth == "benchmark"


def test_charts_as_svg_have_the_values_and_the_pages_text_color() -> None:
    labels = np.array([0, 0, 1, 1])
    probabilities = np.full((4, 7), 0.02, np.float32)
    probabilities[:, 0] = 0.88
    figure = charts.reliability(reliability(labels, probabilities), "half are right")
    assert [bar.get_height() for bar in figure.axes[0].patches] == [0.5]
    svg = charts.to_svg(figure)
    assert svg.startswith("<svg")
    assert "half are right" in svg  # text stays text
    assert "currentColor" in svg
    assert charts.INK not in svg
    loss = charts.curves(list(csv.DictReader(LOG.splitlines()))).axes[0].lines[1]
    assert loss.get_xydata().tolist() == [[2, 1.4], [3, 1.3]]  # the first epoch has no validation
