"""Puts an accepted model file and its card in place, both or neither half there."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from mien.atomic import temp_path
from mien.errors import UserError
from mien.tflite.model_file import Metadata, load_model


def card_path(out: Path) -> Path:
    """Return where the card of a model file stands: mien.md beside mien.tflite."""
    return out.with_suffix(".md")


def check_writable(out: Path) -> None:
    """Raise UserError where the output cannot be written, before minutes of work go into it."""
    if out.suffix != ".tflite":
        raise UserError(f"{out} must end in .tflite; correct --out.")
    if out.is_dir():
        raise UserError(f"{out} is a folder; name a file in it with --out.")
    try:
        out.parent.mkdir(parents=True, exist_ok=True)
        beside = temp_path(out)
        beside.write_bytes(b"")
        beside.unlink()
    except OSError as error:
        raise UserError(
            f"{out} cannot be written ({error.strerror}); choose another place with --out."
        ) from error


def write(out: Path, packed: bytes, card: Callable[[Metadata], str]) -> None:
    """Write the packed model and its card beside their places, load the model once, then rename.

    `card` makes the card's text from the metadata as the device loads them.
    """
    model, text = temp_path(out), temp_path(card_path(out))
    try:
        model.write_bytes(packed)
        text.write_text(card(load_model(model).metadata), "utf-8")
        text.replace(card_path(out))
        model.replace(out)
    except OSError as error:
        raise UserError(
            f"{out} cannot be written ({error.strerror}); choose another place with --out."
        ) from error
    finally:
        model.unlink(missing_ok=True)
        text.unlink(missing_ok=True)
