"""Model card: Markdown text that is written into a model file."""

from __future__ import annotations

import shlex
from pathlib import Path
from typing import Any

import typer
from mien.console import percent
from mien.tflite.metadata import Metadata

# Regulation (EU) 2024/1689; Annex III, point 1(c), and Article 50(3) hold where Article 5 does not.
FORBIDDEN = """\
**The EU AI Act, Article 5(1)(f), forbids systems that infer the emotions of persons at work
and in schools and other education**, save for medical or safety reasons. Do not use this model
there. Where emotion recognition is allowed it is a high-risk use (Annex III, 1(c)), and the
persons exposed to it must be told (Article 50(3)). Do not use it to judge a person
anywhere: not for hiring, grading, policing, insurance, credit or lie detection."""

LIMITS = """\
- A network reads the expression of a face, not what the person feels.
- FER-2013's labels are not what people see: the majority of ten people (FER+) gives the same label
  for 61.6 % of the training pictures (happy 92 %, fear 13 %). A score beyond about 70 % on them is
  learnt labelling.
- The pictures were found by web search: posed and theatrical faces, of unknown age, sex, origin and
  skin colour. How the errors are spread over groups of people is not known, so assume that they
  are not spread evenly.
- Frontal faces of about 48 px and more. Profile, masks and hands were not measured; what blur,
  noise, darkness and small faces cost, `mien-convert robustness` measures.
- {n} validation faces also chose the temperature and the threshold (and in training the best
  weights), so the figures flatter a little. {copies}
- Disgust and fear are the rarest or least agreed classes: read their recall above before you rely
  on them."""


def reproduction_commands(context: typer.Context, training: dict[str, Any]) -> list[str]:
    """Return the commands that make the model again: training's, if known, and this one's.

    Paths outside the working folder are cut to their last part.
    """
    words = ["mien-convert", context.info_name or "model"]
    for parameter in context.command.params:
        source = context.get_parameter_source(parameter.name or "")
        if source is None or source.name != "COMMANDLINE":
            continue
        value = context.params[parameter.name or ""]
        outside = isinstance(value, Path) and (value.is_absolute() or ".." in value.parts)
        shown = value.name if outside else str(value)
        if parameter.param_type_name == "option":
            words.append(parameter.opts[0])
        if not isinstance(value, bool):  # a flag is said by its name
            words.append(shown)
    trained = training.get("command")
    return [*([str(trained)] if trained else []), shlex.join(words)]


def model_card(metadata: Metadata, commands: list[str]) -> str:
    """Return the card's text; `commands` are shell lines that make the model again."""
    measured, original = metadata.metrics, metadata.metrics.get("without_duplicates", {})
    dropped = measured["n"] - original.get("n", 0)
    copies = (
        f"{dropped} of them are byte-identical to a training picture; without them the int8 "
        f"accuracy is {percent(original['int8']['accuracy'])}."
        if original
        else "All of them are byte-identical to a training picture."
    )
    parts = [
        f"# {metadata.name} {metadata.version}",
        "Reads one of seven facial expressions in a gray face of "
        f"{metadata.input_size}x{metadata.input_size} px: {', '.join(metadata.labels)}. "
        "An int8 TFLite network for a Raspberry Pi, run by `mien`.",
        "## Who must not use it",
        FORBIDDEN,
        "## Data",
        _data(metadata),
        "## Commands",
        "```sh\n" + "\n".join(commands) + "\n```",
        "## Measured",
        f"On {measured['n']} faces, split {measured['split']}, truth: FER-2013's own labels. "
        "`float` is the Keras model, `int8` this file read by the device's own code."
        + _people(measured),
        _measures(metadata),
        f"int8 sees the same expression as float in {percent(measured['agreement'])} of the "
        f"faces; mean KL divergence {measured['mean_kl']:.4f} nats.",
        "## Confidence",
        f"Logits are divided by the temperature {metadata.temperature:.3f} before the softmax. "
        f"Under a confidence of {metadata.threshold:.2f} the device says `uncertain`. Accuracy on "
        "the most confident share of the faces:",
        _coverage(measured["risk_coverage"]),
        "## Limits",
        LIMITS.format(n=measured["n"], copies=copies),
        "## Licences",
        "\n".join(f"- {what}: {terms}" for what, terms in metadata.licences.items()),
        "## Made",
        f"{metadata.created}, SHA-256 of the flatbuffer `{metadata.sha256}`. "
        + ", ".join(f"{t} {v}" for t, v in metadata.training["convert_versions"].items())
        + ".",
    ]
    return "\n\n".join(parts) + "\n"


def _rows(head: list[str], rows: list[list[str]]) -> str:
    lines = [head, ["---", *("---:" for _ in head[1:])], *rows]
    return "\n".join("| " + " | ".join(line) + " |" for line in lines)


def _data(metadata: Metadata) -> str:
    known = [
        f"- {key.replace('_', ' ')}: {_plain(value)}"
        for key, value in metadata.training.items()
        if key not in ("convert_versions", "command")
    ]
    return "\n".join(
        [
            "FER-2013 (Goodfellow et al., 2013), 48x48 gray faces: trained on its training split, "
            "measured on PublicTest. As the training wrote it down:",
            "",
            *known,
        ]
    )


def _plain(value: Any) -> str:
    if isinstance(value, dict):
        return ", ".join(f"{key} {_plain(inner)}" for key, inner in value.items())
    if isinstance(value, list):
        return ", ".join(_plain(inner) for inner in value)
    return f"{value:g}" if isinstance(value, float) else str(value)


def _people(measured: dict[str, Any]) -> str:
    if "people" not in measured:
        return ""
    judge = "people" if measured["judged_by"] == "votes" else "FER-2013's labels"
    return (
        f" `people` is the majority of ten people's votes (FER+) on the {measured['people']['n']} "
        "faces where there is one of the seven; `agreed` are those that FER-2013 labels alike. The "
        f"temperature and the threshold were fitted to {judge}, on the faces as they are and on "
        "the same blurred, noisy, dark, compressed, small and rotated."
    )


def _measures(metadata: Metadata) -> str:
    measured = metadata.metrics
    groups = [("", measured)]
    groups += [
        (title, measured[key])
        for title, key in (
            (", no copies", "without_duplicates"),
            (", people", "people"),
            (", agreed", "agreed"),
        )
        if key in measured
    ]
    people = measured.get("people", {})
    if "without_duplicates" in people:
        groups.append((", people, no copies", people["without_duplicates"]))
    scores = [
        (f"{kind}{suffix}", group[kind]) for suffix, group in groups for kind in ("float", "int8")
    ]
    rows = [
        [title, *(percent(score[key]) for _, score in scores)]
        for title, key in (
            ("accuracy", "accuracy"),
            ("balanced accuracy", "balanced_accuracy"),
            ("macro F1", "macro_f1"),
        )
    ]
    rows += [
        [f"recall, {label}", *(percent(score["recall"][label]) for _, score in scores)]
        for label in metadata.labels
    ]
    rows.append(["expected calibration error", *(f"{score['ece']:.3f}" for _, score in scores)])
    return _rows(["", *(title for title, _ in scores)], rows)


def _coverage(curve: list[dict[str, float]]) -> str:
    rows = [
        [
            percent(row["coverage"]),
            percent(row["accuracy"]),
            f"{row['threshold']:.2f}",
        ]
        for row in curve
    ]
    return _rows(["coverage", "accuracy", "confidence at least"], rows)
