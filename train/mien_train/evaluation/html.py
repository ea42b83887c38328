"""The page of `mien-train report`: one HTML file with its style, charts and pictures inside."""

from __future__ import annotations

import base64
from typing import Any

import cv2
from jinja2 import Environment, PackageLoader, StrictUndefined
from mien.console import percent
from mien.errors import UserError

from mien_train.data.labels import LABELS
from mien_train.evaluation import charts
from mien_train.evaluation.report import Measured, Report

TRUTHS = {"people": "people", "benchmark": "benchmark (FER-2013's labels)"}


def page(found: Report) -> str:
    """Render the page; sections without data are left out."""
    environment = Environment(
        loader=PackageLoader("mien_train", "evaluation"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters |= {"percent": percent, "plain": _plain, "svg": charts.to_svg}
    measured = found.measured
    return environment.get_template("report.html.j2").render(
        found=found,
        measured=measured,
        labels=LABELS,
        truths=TRUTHS,
        tiles=_tiles(found),
        curves=_curves(found.log),
        charts=charts,
        converted=_converted(found.packed),
        mistakes=[] if measured is None else _mistakes(measured),
    )


def _tiles(found: Report) -> list[tuple[str, str]]:
    """Value and caption of the figures at the top."""
    measured = found.measured
    scores = (  # without data: of mien-train evaluate
        {truth: found.evaluation[truth] for truth in TRUTHS if found.evaluation.get(truth)}
        if measured is None
        else measured.scores
    )
    tiles = [
        (percent(scores[truth][key]), f"{name}, {truth}")
        for truth in TRUTHS
        if truth in scores
        for key, name in (("accuracy", "accuracy"), ("balanced_accuracy", "balanced"))
    ]
    if measured is not None:
        tiles.append((f"{measured.after.ece:.3f}", f"calibration error, {measured.truth}"))
        tiles.append((f"{measured.threshold:.2f}", '"uncertain" below'))
    return tiles


def _curves(log: list[dict[str, str]]) -> dict[str, Any] | None:
    if not log:
        return None
    stages = [row.get("stage", "") for row in log]
    try:
        figure = charts.curves(log)
    except (KeyError, ValueError, TypeError) as error:
        raise UserError("log.csv is not a log of mien-train fit; remove it.") from error
    return {
        "figure": figure,
        "epochs": ", ".join(f"{stages.count(name)} {name}" for name in dict.fromkeys(stages)),
    }


def _converted(packed: dict[str, dict[str, Any]]) -> list[tuple[str, str, dict[str, Any]]]:
    """Model file and variant, truth and metrics of each file in the run."""
    return [
        (f"{file}, {kind}", truth, scores[kind])
        for file, metadata in packed.items()
        for metrics in [metadata.get("metrics", {})]
        for truth, scores in (("people", metrics.get("people", {})), ("benchmark", metrics))
        for kind in ("float", "int8")
        if scores.get(kind)
    ]


def _mistakes(measured: Measured) -> list[dict[str, Any]]:
    return [
        {
            "name": mistake.name,
            "truth": LABELS[mistake.truth],
            "predicted": LABELS[mistake.predicted],
            "confidence": mistake.confidence,
            "png": base64.b64encode(cv2.imencode(".png", mistake.image)[1].tobytes()).decode(),
        }
        for mistake in measured.worst
    ]


def _plain(value: Any) -> str:
    """A value of run.json as text without brackets."""
    if isinstance(value, dict):
        return ", ".join(f"{key.replace('_', ' ')} {_plain(v)}" for key, v in value.items())
    if isinstance(value, list):
        return ", ".join(_plain(v) for v in value) or "none"
    return f"{value:g}" if isinstance(value, float) else str(value)
