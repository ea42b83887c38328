"""docs/results.csv, and the tables and sizes that pages make of it."""

from __future__ import annotations

import re
from pathlib import Path

from script_modules import load_script

ROOT = Path(__file__).parents[1]
results = load_script(ROOT / "scripts" / "results.py")


def test_tables_of_the_pages_are_those_of_the_results() -> None:
    rows = results.read_results()
    for page in results.PAGES:
        text = page.read_text("utf-8")
        assert results.with_tables(text, rows) == text, "python scripts/results.py tables"
    assert "<!-- results: models -->\n| name" in (ROOT / "README.md").read_text("utf-8")


def test_results_are_of_the_shipped_files() -> None:
    from mien.tflite.model_file import load_model

    rows = results.read_results()
    for name in results.MODELS:
        model = load_model(name)
        mine = {row.measure: row for row in rows if row.model == name}
        assert {row.version for row in mine.values()} == {model.metadata.version}
        assert abs(mine["file_mb"].value - model.path.stat().st_size / 1e6) < 1e-3
        measured = model.metadata.metrics["int8"]
        for key in ("accuracy", "balanced_accuracy"):
            assert abs(mine[f"benchmark_{key}"].value - measured[key]) < 1e-3


def test_every_result_has_its_status_and_command() -> None:
    for row in results.read_results():
        assert row.command
        assert row.train_status in ("trained", "tuned", "unseen", "unknown", "")
        assert row.measure == "file_mb" or 0 <= row.value <= 1


def pages() -> dict[str, str]:
    """Text by name of the README, the documentation and the model card's template."""
    files = [ROOT / "README.md", *(ROOT / "docs").glob("*.md")]
    files.append(ROOT / "convert" / "mien_convert" / "model_card.py")
    return {file.name: " ".join(file.read_text("utf-8").split()) for file in files}


def test_sizes_of_the_model_file_are_the_models_own_everywhere() -> None:
    sizes = {f"{row.value:.1f}" for row in results.read_results() if row.measure == "file_mb"}
    for name, text in pages().items():
        assert set(re.findall(r"model file of (\d+\.\d+) MB", text)) <= sizes, name


def test_share_of_labels_that_people_share_is_one_figure_everywhere() -> None:
    (row,) = (r for r in results.read_results() if r.measure == "majority_of_votes_agrees")
    figure = f"{100 * row.value:.1f}"
    found = {
        name: re.findall(r"own label (?:in|for) (\d+\.\d) %|same label for (\d+\.\d) %", text)
        for name, text in pages().items()
    }
    assert {name for name, shares in found.items() if shares} >= {"model.md", "model_card.py"}
    assert {share for shares in found.values() for pair in shares for share in pair if share} == {
        figure
    }
