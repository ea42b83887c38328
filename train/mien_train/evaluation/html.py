"""The page of `mien-train report`: one HTML text with its style, charts and pictures inside."""

from __future__ import annotations

import base64
from collections.abc import Callable, Sequence
from html import escape
from pathlib import Path
from typing import Any

import cv2

from mien_train.data.labels import LABELS
from mien_train.evaluation.report import Audited, Measured, Report
from mien_train.evaluation.svg import Line, lines, percent, reliability

STYLE = Path(__file__).parents[1] / "page.css"
TRUTHS = {"people": "people", "benchmark": "benchmark (FER-2013's labels)"}
STYLES = {"people": "s2", "benchmark": "s1"}


def page(found: Report) -> str:
    """The whole page; what is not known is left out."""
    sections = [
        _head(found),
        _curves(found.log),
        *([] if found.measured is None else [_confusions(found.measured), _sure(found.measured)]),
        _packed(found.packed),
        _robustness(found.robustness),
        *([] if found.measured is None else [_mistakes(found.measured)]),
        *([] if found.audit is None else [_audit(found.audit)]),
        _origin(found.record),
    ]
    return (
        '<!doctype html>\n<html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f"<title>{escape(found.name)}: report</title>\n"
        f"<style>\n{STYLE.read_text('utf-8')}</style></head>\n<body><main>\n"
        + "\n".join(section for section in sections if section)
        + "\n</main></body></html>\n"
    )


def _head(found: Report) -> str:
    record = found.record
    by = "people's votes" if record.get("labels") == "votes" else "FER-2013's labels"
    recipe = record.get("recipe", {})
    told = f"{record.get('images', 0):,} training faces ({record.get('subset', 'unknown')}) by {by}"
    width = f"MobileNetV2, width {recipe.get('alpha', '?')}, {recipe.get('size', '?')} px"
    tiles = []
    measured = found.measured
    scores = {} if measured is None else measured.scores
    if measured is None:  # what mien-train evaluate left
        scores = {k: found.evaluation[k] for k in TRUTHS if found.evaluation.get(k)}
    for truth in TRUTHS:
        if truth in scores:
            tiles.append((_percent(scores[truth]["accuracy"]), f"accuracy, {truth}"))
            tiles.append((_percent(scores[truth]["balanced_accuracy"]), f"balanced, {truth}"))
    if measured is not None:
        tiles.append((f"{measured.after.ece:.3f}", f"calibration error, {measured.truth}"))
        tiles.append((f"{measured.threshold:.2f}", '"uncertain" below'))
    shown = "".join(f'<div class="tile"><b>{b}</b><span>{escape(t)}</span></div>' for b, t in tiles)
    return (
        f"<h1>{escape(found.name)}</h1>"
        f'<p class="lead">{escape(width)}, trained on {escape(told)}. Measured on PublicTest: the '
        "float network, one crop a face.</p>"
        + (f'<div class="tiles">{shown}</div>' if tiles else "")
    )


def _section(title: str, body: str, note: str = "") -> str:
    told = f'<p class="note">{escape(note)}</p>' if note else ""
    return f"<section><h2>{escape(title)}</h2>{told}{body}</section>"


def _card(title: str, body: str) -> str:
    return f'<div class="card"><h3>{escape(title)}</h3>{body}</div>'


def _cards(*cards: str, kind: str = "") -> str:
    return f'<div class="{f"cards {kind}".strip()}">{"".join(cards)}</div>'


def _table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    top = "".join(f"<th>{escape(cell)}</th>" for cell in head)
    body = "".join(
        f"<tr>{''.join(f'<td>{escape(cell)}</td>' for cell in row)}</tr>" for row in rows
    )
    return f"<table><thead><tr>{top}</tr></thead><tbody>{body}</tbody></table>"


def _percent(share: Any) -> str:
    return f"{100 * share:.1f} %" if isinstance(share, (int, float)) else "-"


def _curves(log: Sequence[dict[str, str]]) -> str:
    if not log:
        return ""
    epochs = list(range(1, len(log) + 1))

    def column(name: str) -> list[float]:
        return [float(row.get(name) or "nan") for row in log]

    def line(name: str, style: str, of: str) -> Line:
        return Line(name, style, epochs, column(of))

    loss = [line("training", "dim", "loss"), line("validation", "s1", "val_loss")]
    right = [
        line("training", "dim", "accuracy"),
        line("validation", "s1", "val_accuracy"),
        line("validation, balanced", "s2", "val_balanced_accuracy"),
        line("validation, macro F1", "s3", "val_macro_f1"),
    ]
    stages = ", ".join(
        f"{sum(row['stage'] == stage for row in log)} {stage}"
        for stage in dict.fromkeys(row["stage"] for row in log)
    )
    return _section(
        "Training",
        _cards(
            _card("Loss", lines(loss, "epoch", y_text=lambda v: f"{v:g}")),
            _card("Accuracy", lines(right, "epoch")),
        ),
        f"Epochs by stage: {stages}. Training faces are augmented, so training looks worse than "
        "it is.",
    )


def _confusions(measured: Measured) -> str:
    cards = [
        _card(
            f"By {TRUTHS[truth]}, {measured.scores[truth]['n']:,} faces",
            _matrix(measured.scores[truth]["confusion"]),
        )
        for truth in TRUTHS
        if truth in measured.scores
    ]
    return _section(
        "What it takes for what",
        _cards(*cards, kind="wide"),
        "A row is what a face is, a column what was read; cells are percent of the row, so that "
        "recall stands on the diagonal. People means the majority of ten people's votes (FER+); "
        "faces without one are left out there.",
    )


def _matrix(counts: Sequence[Sequence[int]]) -> str:
    head = "<th></th>" + "".join(f"<th>{escape(label)}</th>" for label in LABELS)
    body = ""
    for label, row in zip(LABELS, counts, strict=True):
        total = sum(row)
        cells = ""
        for count in row:
            share = count / total if total else 0.0
            heat = f"color-mix(in srgb, var(--heat) {85 * share:.0f}%, transparent)"
            text = f"{100 * share:.0f}" if total else ""
            cells += f'<td style="background:{heat}" title="{count} faces">{text}</td>'
        body += f"<tr><th>{escape(label)}</th>{cells}</tr>"
    return f'<table class="matrix"><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>'


def _sure(measured: Measured) -> str:
    curve = measured.curve
    risk = Line("", "s1", [r["coverage"] for r in curve], [r["accuracy"] for r in curve])
    marked = [r for r in curve if round(r["coverage"], 3) in (1.0, 0.9, 0.8, 0.7)]
    rows = [
        [_percent(r["coverage"]), _percent(r["accuracy"]), f"{r['threshold']:.2f}"] for r in marked
    ]
    return _section(
        "How sure it is",
        _cards(
            _card(
                f"Temperature 1, calibration error {measured.before.ece:.3f}",
                reliability(measured.before),
            ),
            _card(
                f"Temperature {measured.temperature:.2f}, calibration error "
                f"{measured.after.ece:.3f}",
                reliability(measured.after, measured.threshold),
            ),
            _card(
                "Accuracy on the share it is surest of",
                lines([risk], "share of the faces answered", percent, width=340, height=230)
                + _table(["coverage", "accuracy", "confidence from"], rows),
            ),
        ),
        f"Fitted to {TRUTHS[measured.truth]}. Bars: how often it is right, the paler the fewer "
        'faces; dots: mean confidence; dashed: the threshold of "uncertain", which nine of ten '
        "faces reach.",
    )


def _packed(packed: dict[str, dict[str, Any]]) -> str:
    rows = []
    for file, metadata in packed.items():
        metrics = metadata.get("metrics", {})
        for truth, found in (("people", metrics.get("people", {})), ("benchmark", metrics)):
            for kind in ("float", "int8"):
                score = found.get(kind)
                if score:
                    cells = (_percent(score.get(k)) for k in ("accuracy", "balanced_accuracy"))
                    rows.append([f"{file}, {kind}", truth, *cells, f"{score.get('ece', 0):.3f}"])
    if not rows:
        return ""
    head = ["model file", "truth", "accuracy", "balanced", "calibration error"]
    return _section("Converted", _cards(_card("As mien-convert measured", _table(head, rows))))


def _robustness(found: dict[str, Any]) -> str:
    if not found.get("conditions"):
        return ""
    first, *rest = found["conditions"]
    truths = [truth for truth in TRUTHS if truth in first]
    families: dict[str, list[dict[str, Any]]] = {}
    for row in rest:
        families.setdefault(row["family"], []).append(row)
    top = 1.05 * max(row[truth]["accuracy"] for row in found["conditions"] for truth in truths)
    cards = []
    for family, rows in families.items():
        places: list[float] = [float(k) for k in range(len(rows))]
        series = []
        for truth in truths:
            before = first[truth]["accuracy"]
            ends = [-0.5, len(rows) - 0.5]
            series.append(Line("", "dim", ends, [before, before]))
            values = [row[truth]["accuracy"] for row in rows]
            series.append(Line(truth, STYLES[truth], places, values, dots=True))
        names = [row["level"] for row in rows]
        if len(rows) > 6:  # so many would run into each other
            names = [n.split()[0] if k % 3 == 1 else "" for k, n in enumerate(names)]
        chart = lines(series, "", y_range=(0, top), names=names, width=270, height=180)
        cards.append(_card(family, chart))
    return _section(
        "Under bad conditions",
        _cards(*cards, kind="small"),
        f"The int8 model file on {found.get('faces', 0):,} faces ({found.get('split', '')}); "
        "dashed: unchanged faces. Sizes and blur are of a face of 48 px.",
    )


def _mistakes(measured: Measured) -> str:
    figures = []
    for mistake in measured.worst:
        data = base64.b64encode(cv2.imencode(".png", mistake.image)[1].tobytes()).decode()
        figures.append(
            f'<figure><img alt="" title="{escape(mistake.name)}" '
            f'src="data:image/png;base64,{data}"><figcaption>{LABELS[mistake.truth]}, read '
            f"<b>{LABELS[mistake.read]}</b> {mistake.confidence:.0%}</figcaption></figure>"
        )
    return _section(
        "Surest mistakes",
        f'<div class="faces">{"".join(figures)}</div>',
        f"What it was most confident of and wrong about, by {TRUTHS[measured.truth]}.",
    )


def _audit(found: Audited) -> str:
    splits = list(found.counts)
    rows = [[label, *(f"{found.counts[s][label]:,}" for s in splits)] for label in LABELS]
    rows.append(["all", *(f"{sum(found.counts[s].values()):,}" for s in splits)])
    cards = [_card("Pictures", _table(["class", *splits], rows))]
    if found.agreement is not None:
        share: Callable[[dict[str, Any]], str] = lambda row: _percent(row["agree"])  # noqa: E731
        most = []
        for name, row in found.agreement.items():
            seen: dict[str, float] = row["seen"]  # type: ignore[assignment]
            others = sorted((v, k) for k, v in seen.items() if k not in (name, "none"))
            told = f"{others[-1][1]} {_percent(others[-1][0])}" if name != "all" else ""
            most.append([name, share(row), told])
        cards.append(
            _card("People agree with the label", _table(["label", "agree", "else mostly"], most))
        )
    told = "".join(f"<li>{escape(line)}</li>" for line in found.lines)
    return _section("The data", _cards(*cards) + f"<ul>{told}</ul>")


def _origin(record: dict[str, Any]) -> str:
    command = record.get("command")
    rows = "".join(
        f"<dt>{escape(key.replace('_', ' '))}</dt><dd>{escape(_plain(value))}</dd>"
        for key, value in record.items()
        if key != "command"
    )
    made = f"<pre>{escape(str(command))}</pre>" if command else ""
    return _section("How it was made", f'{made}<div class="card"><dl>{rows}</dl></div>')


def _plain(value: Any) -> str:
    if isinstance(value, dict):
        return ", ".join(f"{key.replace('_', ' ')} {_plain(v)}" for key, v in value.items())
    if isinstance(value, list):
        return ", ".join(_plain(v) for v in value) or "none"
    return f"{value:g}" if isinstance(value, float) else str(value)
