"""Measures the shipped models into docs/results.csv, and writes the tables of README and docs.

    python scripts/results.py measure fer2013.zip votes.csv lfw_expr.zip    # minutes
    python scripts/results.py tables                                        # a test says when due

`measure` replaces the rows of Mien's own models; rows of other systems stay and are edited by hand.
A table stands between `<!-- results: NAME -->` and `<!-- end of results -->`. `train_status` is
"trained", "tuned" (chose epoch, weights, temperature or threshold, or was looked at meanwhile),
"unseen" or "unknown", after py-feat and timm.
"""

from __future__ import annotations

import argparse
import csv
import json
import re
import subprocess
import sys
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Any

from mien.console import percent
from mien.tflite.model_file import load_model

ROOT = Path(__file__).parents[1]
RESULTS = ROOT / "docs" / "results.csv"
PAGES = (ROOT / "README.md", ROOT / "docs" / "model.md")
MODELS = ("mien", "mien-nano", "mien-fer2013")
BLOCK = re.compile(r"<!-- results: (\w+) -->\n.*?<!-- end of results -->", re.DOTALL)
PUBLIC_TEST, LFW = "FER-2013 PublicTest", "LFW expressions"


@dataclass(frozen=True)
class Result:
    """One figure: shares are fractions, sizes MB."""

    model: str
    version: str
    data: str
    measure: str
    value: float
    n: int  # faces
    train_status: str
    command: str


def read_results() -> list[Result]:
    """Return the rows of docs/results.csv."""
    with RESULTS.open(encoding="utf-8", newline="") as file:
        return [
            Result(**{**row, "value": float(row["value"]), "n": int(row["n"])})
            for row in csv.DictReader(file)
        ]


def measure(fer2013: Path, votes: Path, lfw: Path) -> list[Result]:
    """Measure the shipped models on PublicTest (one crop) and end to end on LFW photographs."""
    found = []
    for model in MODELS:
        crop = _run("mien", "eval", fer2013, "--split", "PublicTest", "--votes", votes, model=model)
        command = f"mien eval fer2013.zip --votes votes.csv --model {model}"
        base = {"model": model, "version": crop["model"]["version"]}

        def add(data: str, status: str, command: str, n: int, **values: Any) -> None:
            for name, value in values.items():
                row = {"data": data, "measure": name, "value": round(value, 4), "n": n}
                found.append(Result(**base, **row, train_status=status, command=command))  # noqa: B023

        for truth, scores in (
            ("benchmark", crop),
            ("people", crop["people"]),
            ("agreed", crop["agreed"]),
        ):
            keys = ("accuracy", "balanced_accuracy", "ece")
            named = {f"{truth}_{key}": scores[key] for key in keys}
            add(PUBLIC_TEST, "tuned", command, scores["n"], **named)
        rule = crop["ferplus_rule"]
        add(PUBLIC_TEST, "tuned", command, rule["n"], ferplus_rule_accuracy=rule["accuracy"])
        metrics = load_model(model).metadata.metrics
        for truth, group in (("benchmark", metrics), ("people", metrics["people"])):
            without = group["without_duplicates"]
            named = {f"{truth}_without_twins_accuracy": without["int8"]["accuracy"]}
            add(PUBLIC_TEST, "tuned", f"mien info {model} --json", without["n"], **named)
        whole = _run("mien-convert", "end-to-end", model, lfw)
        keys = ("accuracy", "balanced_accuracy", "missed", "ece_of_found", "accuracy_of_certain")
        command = f"mien-convert end-to-end {model} lfw_expr.zip"
        add(LFW, "tuned", command, whole["n"], **{key: whole[key] for key in keys})
        file = ROOT / "edge" / "mien" / "models" / f"{model}.tflite"
        add("", "", f"ls -l edge/mien/models/{model}.tflite", 0, file_mb=file.stat().st_size / 1e6)
    return found


def _run(program: str, *words: object, model: str | None = None) -> dict[str, Any]:
    command = [str(Path(sys.executable).with_name(program)), *map(str, words), "--json"]
    command += ["--model", model] if model else []
    print(" ".join(command), file=sys.stderr)
    done = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True)
    return dict(json.loads(done.stdout))


def table_models(results: list[Result]) -> str:
    """README's table: one row a model."""
    head = (
        "| name | file | agreed faces | people | benchmark | news photographs, end to end |\n"
        "|---|---|---|---|---|---|"
    )
    rows = []
    for model in MODELS:
        value = {(row.data, row.measure): row.value for row in results if row.model == model}
        cells = [f"`{model}`", f"{value['', 'file_mb']:.1f} MB"]
        cells += [
            f"{percent(value[PUBLIC_TEST, f'{truth}_accuracy'])} "
            f"({percent(value[PUBLIC_TEST, f'{truth}_balanced_accuracy'])})"
            for truth in ("agreed", "people", "benchmark")
        ]
        cells.append(
            f"{percent(value[LFW, 'accuracy'])} ({percent(value[LFW, 'balanced_accuracy'])})"
        )
        rows.append("| " + " | ".join(cells) + " |")
    return "\n".join([head, *rows])


def table_all(results: list[Result]) -> str:
    """The table of docs/model.md: every figure with its data and command."""
    rows = [
        "| model | data | measure | value | faces | status | command |",
        "|---|---|---|---|---|---|---|",
    ]
    for row in results:
        value = f"{row.value:.2f} MB" if row.measure == "file_mb" else percent(row.value)
        cells = (row.model, row.data, row.measure.replace("_", " "), value, f"{row.n or ''}")
        rows.append("| " + " | ".join((*cells, row.train_status, f"`{row.command}`")) + " |")
    return "\n".join(rows)


TABLES = {"models": table_models, "all": table_all}


def with_tables(page: str, results: list[Result]) -> str:
    """Return a page with its tables made anew."""

    def block(match: re.Match[str]) -> str:
        text = TABLES[match[1]](results)
        return f"<!-- results: {match[1]} -->\n{text}\n<!-- end of results -->"

    return BLOCK.sub(block, page)


def main() -> None:
    """Measure, or write the tables."""
    parser = argparse.ArgumentParser(description="Results of the shipped models.")
    commands = parser.add_subparsers(dest="command", required=True)
    measuring = commands.add_parser("measure")
    for name in ("fer2013", "votes", "lfw"):
        measuring.add_argument(name, type=Path)
    commands.add_parser("tables")
    arguments = parser.parse_args()
    results = read_results() if RESULTS.exists() else []
    if arguments.command == "measure":
        others = [row for row in results if row.model not in MODELS]
        results = measure(arguments.fer2013, arguments.votes, arguments.lfw) + others
        with RESULTS.open("w", encoding="utf-8", newline="") as file:
            names = [field.name for field in fields(Result)]
            writer = csv.DictWriter(file, names, lineterminator="\n")
            writer.writeheader()
            writer.writerows(asdict(row) for row in results)
    for page in PAGES:
        text = page.read_text("utf-8")
        page.write_text(with_tables(text, results), "utf-8")


if __name__ == "__main__":
    main()
