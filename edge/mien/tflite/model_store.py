"""The installed model: it takes the place of the bundled `mien`, and the one before is kept.

A folder has the model files, named by their hash, and installed.json, which says which of them is
installed and which was before. A change of that file, one rename, is a change of the model: a
process that is killed leaves the model of before or the new one.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import re
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path

from mien.atomic import replacing
from mien.errors import UserError
from mien.file_lock import locked
from mien.tflite.minisign import signature_path

SYSTEM_FOLDER = Path("/var/lib/mien/models")
STATE_NAME = "installed.json"
MAX_STATE_BYTES = 4096
FILE_NAME = re.compile(r"[0-9a-f]{16}\.tflite")


@dataclass(frozen=True)
class StoreState:
    """File names of the models in a folder; None is the bundled model."""

    installed: str | None
    previous: str | None


def model_folder(environment: Mapping[str, str] | None = None) -> Path:
    """Return the folder of the installed model.

    The service's is models in its StateDirectory (systemd.exec(5)), root's /var/lib/mien/models,
    which is the same, and a user's mien/models in XDG_DATA_HOME.
    """
    given = os.environ if environment is None else environment
    service = given.get("STATE_DIRECTORY", "").split(":")[0]
    if service:
        return Path(service) / "models"
    if os.geteuid() == 0:
        return SYSTEM_FOLDER
    home = given.get("XDG_DATA_HOME") or Path(given.get("HOME", "/")) / ".local/share"
    return Path(home) / "mien" / "models"


def read_state(folder: Path) -> StoreState | None:
    """Return what is installed in a folder, None where nothing ever was; raises UserError."""
    file = folder / STATE_NAME
    try:
        with file.open("rb") as opened:
            content = json.loads(opened.read(MAX_STATE_BYTES))
        state = StoreState(content["installed"], content["previous"])
        names = [name for name in (state.installed, state.previous) if name is not None]
        if not all(FILE_NAME.fullmatch(name) for name in names):
            raise ValueError
    except (FileNotFoundError, NotADirectoryError):
        return None
    except OSError as error:
        raise UserError(
            f"{file} cannot be read ({error.strerror}); check its permissions, or use sudo."
        ) from error
    except (ValueError, KeyError, TypeError, RecursionError):
        raise UserError(
            f"{file} is damaged; remove it, and install the model again with `mien model install`."
        ) from None
    return state


def installed_model(folder: Path | None = None) -> Path | None:
    """Return the file of the installed model, None where the bundled one is in use."""
    folder = folder or model_folder()
    state = read_state(folder)
    return folder / state.installed if state and state.installed else None


def install(folder: Path, data: bytes, signature: bytes | None) -> bool:
    """Install a model file's bytes; return False where they are installed already.

    The model and its signature are written first and named in one rename. Raises UserError.
    """
    name = f"{hashlib.sha256(data).hexdigest()[:16]}.tflite"
    with _locked(folder):
        before = read_state(folder) or StoreState(None, None)
        for path, content in ((folder / name, data), (signature_path(folder / name), signature)):
            if content is not None:
                _write(path, content)
        if before.installed == name:
            return False
        _swap(folder, StoreState(name, before.installed))
    return True


def rollback(folder: Path) -> None:
    """Swap the installed and the previous model; raises UserError if none was installed."""
    with _locked(folder):
        state = previous_of(folder)
        _swap(folder, StoreState(state.previous, state.installed))


def previous_of(folder: Path) -> StoreState:
    """Return the state of a folder that has something to go back to; raises UserError."""
    state = read_state(folder)
    if state is None:
        raise UserError(
            f"No model was ever installed in {folder}, so there is none to go back to; "
            "`mien model list` shows what is in use."
        )
    return state


@contextlib.contextmanager
def _locked(folder: Path) -> Iterator[None]:
    try:
        folder.mkdir(mode=0o755, parents=True, exist_ok=True)
    except OSError as error:
        raise UserError(
            f"Folder {folder} cannot be made ({error.strerror}); use sudo, or name another with "
            "--folder."
        ) from error
    with locked(folder / STATE_NAME):
        yield


def _swap(folder: Path, state: StoreState) -> None:
    """Make a state the folder's, and remove the files that it does not name."""
    _write(folder / STATE_NAME, json.dumps(asdict(state)).encode() + b"\n")
    kept = {name for name in (state.installed, state.previous) if name}
    for file in folder.glob("*.tflite*"):
        if file.name.partition(".")[0] + ".tflite" not in kept:
            with contextlib.suppress(OSError):  # it costs space only
                file.unlink()


def _write(path: Path, data: bytes) -> None:
    with replacing(path, "--folder") as part:
        part.write_bytes(data)
        part.chmod(0o644)  # root installs, the service's user reads
