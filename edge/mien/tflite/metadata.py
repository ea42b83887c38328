"""Metadata of a model file: its fields, and the checks of what a foreign file states."""

from __future__ import annotations

import json
import math
from dataclasses import asdict, dataclass
from typing import Any

FORMAT = 1
LABEL_COUNT = 7  # format 1 is defined with logits [1, 7]
MAX_DEPTH = 12  # of the metadata's nesting
MAX_TEXT, MAX_LABEL, MAX_DIGITS = 200, 40, 30  # characters


@dataclass(frozen=True)
class Crop:
    """What is cut out around a detector's box."""

    margin: float  # fraction of the box's longer side added on EACH side; negative cuts into it
    shape: str = "square"


@dataclass(frozen=True)
class Metadata:
    """Everything the runtime knows about a model; the keys of metadata.json are these names."""

    format: int
    name: str
    version: str
    labels: tuple[str, ...]  # in the order of the logits
    input_size: int  # px, the side of the square input
    colour: str  # "gray"
    resize: str  # "area": cv2.INTER_AREA when shrinking, cv2.INTER_LINEAR when enlarging
    crop: Crop
    temperature: float  # divides the logits before the softmax
    threshold: float  # a confidence under it is read as "uncertain"
    metrics: dict[str, Any]
    training: dict[str, Any]
    licences: dict[str, Any]
    created: str  # ISO 8601, UTC
    sha256: str  # hex, of the flatbuffer

    def to_json(self) -> str:
        """Return the metadata as the JSON text that stands in the file."""
        return json.dumps(asdict(self), indent=1, ensure_ascii=False)

    @classmethod
    def from_json(cls, text: str | bytes) -> Metadata:
        """Read and check metadata; raises ValueError with a clause that says what is wrong."""
        try:
            fields = json.loads(
                text, parse_constant=_number, parse_int=_number, parse_float=_number
            )
        except (ValueError, RecursionError) as error:  # JSON, UTF-8, numbers, nesting
            raise ValueError("its metadata is not JSON") from error
        if not isinstance(fields, dict):
            raise ValueError("its metadata is not a JSON object")
        if _is_deeper(fields, MAX_DEPTH):
            raise ValueError(f"its metadata is nested more than {MAX_DEPTH} deep")
        if fields.get("format") != FORMAT:
            raise ValueError(f"its format is {_short(fields.get('format'))}, not {FORMAT}")
        return _checked(fields)


def _number(text: str) -> int | float:
    """Return a number of JSON; raises ValueError for one that no measure has."""
    if len(text) > MAX_DIGITS or not math.isfinite(float(text)):
        raise ValueError(f"{text[:20]} is not a number that can be used")
    return float(text) if any(c in text for c in ".eE") else int(text)


def _is_deeper(content: Any, depth: int) -> bool:
    level = [content]
    for _ in range(depth):
        inner: list[Any] = []
        for value in level:
            inner += value.values() if isinstance(value, dict) else value
        level = [value for value in inner if isinstance(value, (dict, list))]
        if not level:
            return False
    return True


def _is_line(text: str, length: int) -> bool:
    return 0 < len(text) <= length and text.isprintable()


def _short(value: Any) -> str:
    """Return a foreign value for a message: in ASCII, without control characters, cut short."""
    if isinstance(value, int) and abs(value) >= 10**20:
        return "a number of many digits"
    words = ascii(value)
    return words if len(words) <= 60 else f"{words[:57]}..."


def _checked(fields: dict[str, Any]) -> Metadata:
    def take(key: str, *types: type) -> Any:
        if key not in fields:
            raise ValueError(f"its metadata has no {key!r}")
        value = fields[key]
        if not isinstance(value, types) or isinstance(value, bool):
            raise ValueError(f"its metadata has {_short(value)} as {key!r}")
        if isinstance(value, str) and not _is_line(value, MAX_TEXT):
            raise ValueError(f"its {key} is not a line of printable text")
        return value

    def number(key: str, low: float, high: float) -> float:
        value = take(key, int, float)
        if not low <= value <= high:
            raise ValueError(f"its {key} is {_short(value)}, outside {low} to {high}")
        return float(value)

    labels = take("labels", list)
    if len(labels) != LABEL_COUNT:
        raise ValueError(f"it has {len(labels)} labels where the format has {LABEL_COUNT}")
    if not all(isinstance(label, str) and _is_line(label, MAX_LABEL) for label in labels) or (
        len(set(labels)) != len(labels)
    ):
        raise ValueError(f"its labels are not {LABEL_COUNT} different words")
    crop = take("crop", dict)
    margin = crop.get("margin")
    if not isinstance(margin, (int, float)) or not -0.5 < margin <= 2:
        raise ValueError(f"its crop margin is {_short(margin)}")
    for key, value, known in (
        ("colour", take("colour", str), "gray"),
        ("resize", take("resize", str), "area"),
        ("crop shape", crop.get("shape"), "square"),
    ):
        if value != known:
            raise ValueError(f"its {key} is {_short(value)} and this mien knows only {known!r}")
    size = take("input_size", int)
    if not 1 <= size <= 1024:
        raise ValueError(f"its input size is {_short(size)} px")
    return Metadata(
        format=FORMAT,
        name=take("name", str),
        version=take("version", str),
        labels=tuple(labels),
        input_size=size,
        colour="gray",
        resize="area",
        crop=Crop(float(margin), "square"),
        temperature=number("temperature", 1e-3, 1e3),
        threshold=number("threshold", 0.0, 1.0),
        metrics=take("metrics", dict),
        training=take("training", dict),
        licences=take("licences", dict),
        created=take("created", str),
        sha256=take("sha256", str),
    )
