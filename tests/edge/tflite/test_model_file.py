from __future__ import annotations

import io
import json
import pickle
import re
import subprocess
import sys
import zipfile
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from made import BANDS, DATA, LABELS, flatbuffer, is_one_sentence, pack_unchecked, write_model
from mien.child import code_command
from mien.classification import classifier
from mien.errors import UserError
from mien.tflite import model_file as modelfile
from mien.tflite import trial
from mien.tflite.flatbuffer import FlatbufferError
from mien.tflite.metadata import Crop, Metadata
from mien.tflite.model_file import load_model, pack
from mien.tflite.signature import Tensor, io_signature
from mien.tflite.verifier import verify_model

Mien = Callable[..., tuple[int, str, str]]


def test_what_was_packed_is_loaded(model_path: Path) -> None:
    model = load_model(model_path)
    assert model.flatbuffer == flatbuffer()
    assert replace(model.metadata, sha256="") == BANDS
    assert model.metadata.crop == Crop(0.1, "square")
    assert model.path == model_path


def test_a_model_file_is_a_zip_and_a_flatbuffer(model_path: Path) -> None:
    with zipfile.ZipFile(model_path) as archive:
        assert archive.namelist() == ["metadata.json"]
        keys = list(json.loads(archive.read("metadata.json")))
    assert keys == list(Metadata.__dataclass_fields__)
    interpreter_class = classifier.interpreter_class()
    interpreter = interpreter_class(model_content=model_path.read_bytes())  # with the zip
    interpreter.allocate_tensors()
    assert interpreter.get_input_details()[0]["dtype"] == np.uint8


def test_packing_twice_gives_the_same_bytes() -> None:
    assert pack(flatbuffer(), BANDS) == pack(flatbuffer(), replace(BANDS, sha256="old"))


def test_pack_refuses_what_could_not_be_loaded() -> None:
    with pytest.raises(ValueError, match="temperature"):
        pack(flatbuffer(), replace(BANDS, temperature=0.0))


@pytest.mark.parametrize("name", ["bands", "bands_float", "bands_eight", "bands_24"])
def test_signature_is_the_interpreters(name: str) -> None:
    interpreter = classifier.interpreter_class()(model_content=flatbuffer(name))
    signature = io_signature(flatbuffer(name))
    for ours, theirs in (
        (signature.inputs, interpreter.get_input_details()),
        (signature.outputs, interpreter.get_output_details()),
    ):
        expected = [Tensor(np.dtype(t["dtype"]).name, tuple(t["shape"])) for t in theirs]
        assert list(ours) == expected


def test_a_damaged_flatbuffer_is_a_value_error_at_worst() -> None:
    whole = flatbuffer()
    generator = np.random.default_rng(1)
    damaged = [whole[:length] for length in range(0, len(whole), 3)]
    for _ in range(600):
        data = bytearray(whole)
        for place in generator.integers(0, len(data), 8):
            data[place] = generator.integers(256)
        damaged.append(bytes(data))
    readable = 0
    for data in damaged:
        try:
            io_signature(data)
            readable += 1
        except ValueError:
            continue
    assert 0 < readable < len(damaged)


def _flip(data: bytes, place: int) -> bytes:
    return data[:place] + bytes([data[place] ^ 1]) + data[place + 1 :]


def _without_key(key: str) -> bytes:
    fields = json.loads(BANDS.to_json())
    del fields[key]
    return _with_metadata(json.dumps(fields))


def _with_metadata(text: str) -> bytes:
    buffer = io.BytesIO(flatbuffer())
    with zipfile.ZipFile(buffer, "a") as archive:
        archive.writestr("metadata.json", text)
    return buffer.getvalue()


def _with_fields(**changes: object) -> bytes:
    fields = json.loads(BANDS.to_json())
    return _with_metadata(json.dumps({**fields, **changes}))


def _encrypted() -> bytes:
    data = bytearray(GOOD)
    for signature, flags in ((b"PK\x03\x04", 6), (b"PK\x01\x02", 8)):
        data[data.rindex(signature) + flags] |= 1
    return bytes(data)


def _compressed(method: int, size: int | None = None) -> bytes:
    buffer = io.BytesIO(flatbuffer())
    with zipfile.ZipFile(buffer, "a", method) as archive:
        archive.writestr("metadata.json", BANDS.to_json() if size is None else b" " * size)
    return buffer.getvalue()


def _nested(depth: int) -> str:
    return json.dumps({**json.loads(BANDS.to_json()), "metrics": 0}).replace(
        '"metrics": 0', '"metrics": ' + '{"a": ' * depth + "0" + "}" * depth
    )


GOOD = pack(flatbuffer(), BANDS)
ESCAPES = "\x1b[2J\x1b]0;owned\x07"
EIGHT = (*LABELS, "contempt")
BAD = {
    "empty": (b"", "no Mien metadata"),
    "text": (b"hello", "no Mien metadata"),
    "truncated in the archive": (GOOD[:-30], "cut short"),
    "truncated in the flatbuffer": (GOOD[:900], "cut short"),
    "cut out of the middle": (GOOD[:800] + GOOD[1000:], "damaged"),
    "a bit flipped": (_flip(GOOD, 700), "damaged"),
    "hash of another": (pack_unchecked(flatbuffer(), sha256="0" * 64), "damaged"),
    "float without metadata": (flatbuffer("bands_float"), "float"),
    "float": (pack_unchecked(flatbuffer("bands_float")), "float"),
    "int8 without metadata": (flatbuffer(), "mien-convert"),
    "eight labels, seven logits": (pack_unchecked(flatbuffer(), labels=EIGHT), "8 labels"),
    "seven labels, eight logits": (pack_unchecked(flatbuffer("bands_eight")), "[1, 8]"),
    "eight of both": (pack_unchecked(flatbuffer("bands_eight"), labels=EIGHT), "8 labels"),
    "a label twice": (pack_unchecked(flatbuffer(), labels=("sad",) * 7), "labels"),
    "another size": (pack_unchecked(flatbuffer("bands_24")), "[1, 24, 24, 1]"),
    "no flatbuffer": (pack_unchecked(b"x" * 100), "its identifier is missing"),
    "a newer format": (pack_unchecked(flatbuffer(), format=2), "format is 2"),
    "colour": (pack_unchecked(flatbuffer(), colour="rgb"), "colour is 'rgb'"),
    "resize": (pack_unchecked(flatbuffer(), resize="cubic"), "resize is 'cubic'"),
    "crop shape": (pack_unchecked(flatbuffer(), crop=Crop(0.1, "oval")), "crop shape is 'oval'"),
    "crop margin": (pack_unchecked(flatbuffer(), crop=Crop(-0.5)), "margin"),
    "threshold": (pack_unchecked(flatbuffer(), threshold=1.5), "threshold is 1.5"),
    "temperature": (pack_unchecked(flatbuffer(), temperature=float("nan")), "not JSON"),
    "no labels": (_without_key("labels"), "no 'labels'"),
    "no JSON": (_with_metadata("{"), "not JSON"),
    "a list": (_with_metadata("[]"), "not a JSON object"),
    "encrypted": (_encrypted(), "no Mien metadata"),
    "LZMA": (_compressed(zipfile.ZIP_LZMA), "no Mien metadata"),
    "100 MB of metadata": (_compressed(zipfile.ZIP_DEFLATED, 10**8), "100000000 bytes of metadata"),
    "a number of 400 digits": (_with_fields(temperature=10**400), "not JSON"),
    "a number of 400 digits in a metric": (_with_fields(metrics={"n": 10**400}), "not JSON"),
    "infinity": (_with_metadata('{"format": 1e999}'), "not JSON"),
    "nested so deep that JSON gives up": (_with_metadata("[" * 200_000), "not JSON"),
    "nested": (_with_metadata(_nested(300)), "nested more than 12 deep"),
    "an escape in its name": (_with_fields(name=ESCAPES), "not a line of printable text"),
    "an escape in a label": (_with_fields(labels=[ESCAPES, *LABELS[1:]]), "not 7 different words"),
    "an escape as its format": (_with_fields(format=ESCAPES), "format is '"),
    "a label without an end": (_with_fields(labels=["x" * 99, *LABELS[1:]]), "words"),
}


@pytest.mark.parametrize("case", BAD)
def test_a_model_that_does_not_fit_is_refused_before_the_interpreter(
    case: str, tmp_path: Path, mien: Mien, monkeypatch: pytest.MonkeyPatch
) -> None:
    data, words = BAD[case]
    (tmp_path / "bad.tflite").write_bytes(data)

    def touched() -> None:
        raise AssertionError("the interpreter saw a bad file")

    monkeypatch.setattr(classifier, "interpreter_class", touched)
    code, out, err = mien("info", tmp_path / "bad.tflite")
    assert (code, out) == (2, "")
    assert is_one_sentence(err, "bad.tflite", words, "; ")
    faces = tmp_path / "face.png"
    code, out, err = mien("image", faces, "--model", tmp_path / "bad.tflite")
    assert (code, out) == (2, "")
    assert is_one_sentence(err, "bad.tflite")


def test_escapes_in_what_is_shown_do_not_reach_the_terminal(mien: Mien, tmp_path: Path) -> None:
    path = write_model(tmp_path / "m.tflite", training={ESCAPES: [ESCAPES, "\x9b2J"]})
    for options in (["--all"], ["--json"]):
        code, out, _ = mien("info", path, *options)
        assert code == 0
        assert all(c == "\n" or c.isprintable() for c in out)
        assert "owned" in out


def _damaged(count: int) -> Iterator[bytes]:
    whole = flatbuffer()
    generator = np.random.default_rng(2)
    for _ in range(count):
        data = bytearray(whole)
        for place in generator.integers(8, len(data), 3):
            data[place] = generator.choice([0, 1, 127, 128, 255, generator.integers(256)])
        yield bytes(data)


def test_what_passes_the_verifier_never_ends_the_interpreter_of_this_process() -> None:
    """A child runs what passes, all after another; a crash would end it early."""
    passed = []
    for data in _damaged(800):
        try:
            verify_model(data)
            passed.append(data)
        except FlatbufferError:
            continue
    assert 20 < len(passed) < 800  # weights change, and that is no fault of the structure
    script = (
        "import sys, pickle\n"
        "from mien.tflite.interpreter import interpreter_class\n"
        "for data in pickle.load(sys.stdin.buffer):\n"
        "    try:\n"
        "        interpreter = interpreter_class()(model_content=data)\n"
        "        interpreter.allocate_tensors()\n"
        "        interpreter.invoke()\n"
        "    except (RuntimeError, ValueError):\n"
        "        pass\n"
        "print('end')\n"
    )
    command = [sys.executable, "-c", script]
    done = subprocess.run(command, input=pickle.dumps(passed), capture_output=True, timeout=60)
    assert done.stdout.endswith(b"end\n"), done.returncode


def test_a_foreign_model_is_tried_in_a_child_before_it_is_trusted(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    trial.check_runs(flatbuffer(), "x")
    with pytest.raises(UserError, match=r"^x cannot be run: .*; convert"):
        trial.check_runs(flatbuffer()[:1500], "x")
    monkeypatch.setattr(trial, "TRIAL_S", 0.05)
    with pytest.raises(UserError, match="does not end within"):
        trial.check_runs(flatbuffer() + b"x", "x")


def test_the_trial_says_what_ended_the_child(monkeypatch: pytest.MonkeyPatch) -> None:
    suicide = code_command("import os; os.kill(os.getpid(), 11)")
    monkeypatch.setattr(trial, "module_command", lambda module: suicide)
    with pytest.raises(UserError, match="ends the interpreter with SIGSEGV"):
        trial.check_runs(flatbuffer() + b"y", "x")


def test_only_foreign_models_are_tried(model_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    tried: list[str] = []
    monkeypatch.setattr(classifier, "check_runs", lambda data, name: tried.append(name))
    classifier.Classifier(load_model("mien-nano"))
    classifier.Classifier(load_model(model_path))
    assert tried == [str(model_path)]


def test_a_model_by_name_and_what_has_no_model(
    tmp_path: Path, mien: Mien, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(modelfile, "MODELS", tmp_path)
    monkeypatch.chdir(tmp_path)
    code, _, err = mien("info", "bands")
    assert code == 2
    assert is_one_sentence(err, "no model bands")
    write_model(tmp_path / "bands.tflite")
    (tmp_path / "bands").mkdir()  # a folder of that name does not stand in the way
    assert load_model("bands").path == tmp_path / "bands.tflite"
    assert load_model("bands.tflite").metadata.name == "bands"
    code, _, err = mien("info", "nobody.tflite")
    assert code == 2
    assert is_one_sentence(err, "nobody.tflite", "(bands)")
    code, _, err = mien("info", tmp_path)
    assert code == 2
    assert is_one_sentence(err, "is a folder")


def test_what_was_not_loaded_from_a_file_is_checked_as_well() -> None:
    model = modelfile.Model(DATA / "bands_float.tflite", flatbuffer("bands_float"), BANDS)
    with pytest.raises(UserError, match="float model"):
        classifier.Classifier(model)


@pytest.mark.parametrize(
    ("name", "megabytes", "truth"),
    [("mien", 2.8, "votes"), ("mien-nano", 0.8, "votes"), ("mien-fer2013", 2.8, "fer2013")],
)
def test_the_shipped_models_are_what_their_cards_and_names_say(
    name: str, megabytes: float, truth: str
) -> None:
    model = load_model(name)
    assert model.metadata.name == name
    assert model.path.stat().st_size < megabytes * 1e6
    assert model.metadata.training["labels"] == truth
    assert model.metadata.metrics["judged_by"] == truth
    card = model.path.with_suffix(".md").read_text()
    assert model.metadata.sha256 in card
    found = model.metadata.metrics["people"]["int8"]["accuracy"]
    assert f"| {100 * found:.1f} % |" in card
    readme = Path(__file__).parents[3] / "README.md"
    if readme.exists():  # not beside an installed wheel
        assert re.search(rf"`{name}` .*{100 * found:.1f} %", readme.read_text())
