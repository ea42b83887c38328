"""`mien model`: real files, real signatures, and a process that is killed at the rename."""

from __future__ import annotations

import base64
import hashlib
import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from made import is_one_sentence, write_model
from mien.child import code_command
from mien.errors import UserError
from mien.tflite import model_store
from mien.tflite.minisign import PublicKey, signature_path, verify
from mien.tflite.model_file import MODELS, find_model, load_model

Mien = Callable[..., tuple[int, str, str]]
NANO = MODELS / "mien-nano.tflite"


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder of installed models that `mien run` looks into."""
    monkeypatch.setenv("STATE_DIRECTORY", str(tmp_path / "state"))
    return tmp_path / "state" / "models"


@dataclass(frozen=True)
class Key:
    """A key pair of minisign, made for a test."""

    private: Ed25519PrivateKey
    id: bytes

    @property
    def text(self) -> str:
        raw = self.private.public_key().public_bytes(
            serialization.Encoding.Raw, serialization.PublicFormat.Raw
        )
        return base64.b64encode(b"Ed" + self.id + raw).decode()

    def sign(self, path: Path, algorithm: bytes = b"ED") -> None:
        """Write PATH.minisig as minisign does."""
        data = path.read_bytes()
        data = hashlib.blake2b(data).digest() if algorithm == b"ED" else data
        signature = self.private.sign(data)
        comment = "timestamp:1764547200\tfile:" + path.name
        lines = (
            "untrusted comment: signature from minisign secret key",
            base64.b64encode(algorithm + self.id + signature).decode(),
            f"trusted comment: {comment}",
            base64.b64encode(self.private.sign(signature + comment.encode())).decode(),
        )
        signature_path(path).write_text("\n".join(lines) + "\n")


def make_key(number: int = 1) -> Key:
    return Key(Ed25519PrivateKey.generate(), bytes([number] * 8))


def names(out: str) -> list[tuple[str, ...]]:
    return [(row["model"], row["name"], row[""]) for row in json.loads(out)]


def test_install_list_and_rollback(mien: Mien, folder: Path, model_path: Path) -> None:
    code, out, err = mien("model", "install", NANO)
    assert code == 0, err
    assert "faces as the bundled model does" in out.splitlines()[0]
    assert load_model().metadata.name == "mien-nano"  # what --model mien means now
    assert load_model("mien-nano").path == NANO
    assert mien("model", "install", model_path)[0] == 0
    assert load_model().metadata.name == "bands"
    assert names(mien("model", "list", "--json")[1]) == [
        ("bundled", "mien", ""),
        ("installed", "bands", "*"),
        ("previous", "mien-nano", ""),
    ]
    code, out, _ = mien("model", "rollback")
    assert (code, load_model().metadata.name) == (0, "mien-nano")
    assert "back to mien-nano" in out
    mien("model", "rollback")
    assert load_model().metadata.name == "bands"
    mien("model", "install", write_model(model_path.parent / "third.tflite", version="3"))
    assert len(list(folder.glob("*.tflite"))) == 2  # one back is kept, not more


def test_the_first_rollback_goes_to_the_bundled_model(mien: Mien, folder: Path) -> None:
    mien("model", "install", NANO)
    code, out, _ = mien("model", "rollback")
    assert (code, find_model("mien").parent) == (0, MODELS)
    assert "the bundled model" in out
    assert [row[0] for row in names(mien("model", "list", "--json")[1])] == ["bundled", "previous"]


def test_installing_again_keeps_the_one_before(mien: Mien, folder: Path, model_path: Path) -> None:
    mien("model", "install", NANO)
    mien("model", "install", model_path)
    before = model_store.read_state(folder)
    code, out, _ = mien("model", "install", model_path)
    assert code == 0
    assert "already installed" in out
    assert model_store.read_state(folder) == before


def test_rollback_of_nothing_is_refused(mien: Mien, folder: Path) -> None:
    code, _, err = mien("model", "rollback")
    assert code == 2
    assert is_one_sentence(err, "No model was ever installed")
    assert not folder.exists()


def _no_model(path: Path) -> Path:
    path.write_text("not a model")
    return path


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (lambda p: _no_model(p), "carries no Mien metadata"),
        (lambda p: p, "There is no file"),
        (lambda p: write_model(p, source="bands_float"), "float model"),
        (lambda p: write_model(p, labels=("a", "b", "c", "d", "e", "f", "g")), "has the labels"),
    ],
    ids=["text", "missing", "float", "labels"],
)
def test_what_is_no_model_of_expressions_is_refused(
    mien: Mien, folder: Path, tmp_path: Path, make: Callable[[Path], Path], words: str
) -> None:
    path = tmp_path / "given.tflite"
    try:
        make(path)
    except ValueError:  # `pack` itself refuses it
        pytest.fail("not packed")
    code, _, err = mien("model", "install", path)
    assert code == 2
    assert is_one_sentence(err, words)
    assert not folder.exists()


def test_a_folder_that_cannot_be_written_is_named(mien: Mien, model_path: Path) -> None:
    code, _, err = mien("model", "install", model_path, "--folder", os.devnull + "/models")
    assert code == 2
    assert is_one_sentence(err, "/dev/null/models", "--folder")


@pytest.mark.skipif(os.geteuid() == 0, reason="root reads every folder")
def test_a_folder_that_cannot_be_read_is_named(mien: Mien, folder: Path, model_path: Path) -> None:
    mien("model", "install", model_path)
    folder.chmod(0)
    try:
        with pytest.raises(UserError, match="Permission denied"):
            find_model("mien")
    finally:
        folder.chmod(0o755)


@pytest.mark.parametrize(
    "text", ["", "[]", '{"installed": "../x.tflite", "previous": null}', '{"installed": 3}']
)
def test_a_damaged_state_is_named(folder: Path, text: str) -> None:
    folder.mkdir(parents=True)
    (folder / model_store.STATE_NAME).write_text(text)
    with pytest.raises(UserError, match="is damaged; remove it"):
        find_model("mien")


KILLED = """
import os, signal, sys
from pathlib import Path
from mien.tflite import model_store
rename = Path.replace
def replace(self, target):
    if Path(target).name == "installed.json":
        if sys.argv[3] == "after":
            rename(self, target)
        os.kill(os.getpid(), signal.SIGKILL)
    return rename(self, target)
Path.replace = replace
model_store.install(Path(sys.argv[1]), Path(sys.argv[2]).read_bytes(), None)
"""


@pytest.mark.parametrize(("when", "found"), [("before", "mien-nano"), ("after", "bands")])
def test_a_kill_at_the_rename_leaves_one_model_or_the_other(
    mien: Mien, folder: Path, model_path: Path, when: str, found: str
) -> None:
    mien("model", "install", NANO)
    source = "exec(sys.stdin.read())"
    command = code_command(source, str(folder), str(model_path), when)
    done = subprocess.run(command, input=KILLED, text=True, capture_output=True)
    assert done.returncode == -signal.SIGKILL, done.stderr
    assert load_model().metadata.name == found
    code, _, err = mien("model", "install", model_path)  # nothing stands in the way of another
    assert (code, load_model().metadata.name) == (0, "bands"), err
    assert sorted(p.name for p in folder.iterdir() if p.name.startswith(".part")) == []


@pytest.mark.parametrize("algorithm", [b"ED", b"Ed"])
def test_a_signed_model_is_installed(
    mien: Mien, folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, algorithm: bytes
) -> None:
    key, path = make_key(), write_model(tmp_path / "signed.tflite")
    key.sign(path, algorithm)
    monkeypatch.setenv("MIEN_MODEL_KEY", key.text)
    code, _, err = mien("model", "install", path)
    assert code == 0, err
    (_, row) = json.loads(mien("model", "list", "--json")[1])
    assert row["signature"] == "good"
    public = PublicKey.from_text(key.text)
    assert load_model("mien", public).metadata.name == "bands"  # checked at every start
    signature_path(find_model("mien")).unlink()
    with pytest.raises(UserError, match="is not signed"):
        load_model("mien", public)
    assert load_model(NANO, public)  # bundled


def _tamper_model(path: Path, key: Key) -> None:
    key.sign(path)
    write_model(path, version="other")


def _tamper_comment(path: Path, key: Key) -> None:
    key.sign(path)
    file = signature_path(path)
    file.write_text(file.read_text().replace("timestamp:1", "timestamp:2"))


def _cut_signature(path: Path, key: Key) -> None:
    key.sign(path)
    signature_path(path).write_text(signature_path(path).read_text()[:120])


@pytest.mark.parametrize(
    ("sign", "words"),
    [
        (lambda path, key: None, "is not signed"),
        (lambda path, key: make_key(2).sign(path), "signed by another key"),
        (lambda path, key: Key(make_key().private, key.id).sign(path), "does not verify"),
        (_tamper_model, "does not verify"),
        (_tamper_comment, "does not verify"),
        (_cut_signature, "is not a signature"),
    ],
    ids=["unsigned", "other-key", "same-id", "model", "comment", "cut"],
)
def test_an_unsigned_or_wrongly_signed_model_is_refused(
    mien: Mien,
    folder: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    sign: Callable[[Path, Key], None],
    words: str,
) -> None:
    key, path = make_key(), write_model(tmp_path / "given.tflite")
    sign(path, key)
    monkeypatch.setenv("MIEN_MODEL_KEY", key.text)
    code, _, err = mien("model", "install", path)
    assert code == 2
    assert is_one_sentence(err, words)
    assert not folder.exists()
    clip = MODELS.parent / "demo" / "clip.mp4"
    code, _, err = mien("run", clip, "--max-frames", 1, "--model", path)  # nor is it run
    assert code == 2
    assert words in err


def test_a_wrong_key_and_a_missing_package_are_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(UserError, match="not a public key of minisign"):
        PublicKey.from_text("untrusted comment")
    monkeypatch.setitem(sys.modules, "cryptography.exceptions", None)
    with pytest.raises(UserError, match=r"pip install 'mien\[signed\]'"):
        verify(b"", tmp_path / "x.tflite", PublicKey.from_text(make_key().text))
