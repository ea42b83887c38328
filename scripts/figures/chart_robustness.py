"""Draws docs/images/robustness.png from a document of `mien-convert robustness`.

mien-convert robustness mien fer2013.zip --votes votes.csv --out robustness.json
python scripts/figures/chart_robustness.py robustness.json --out docs/images/robustness.png
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path

from mien_train.evaluation.charts import robustness, save_png


def main() -> None:
    """Draw."""
    parser = argparse.ArgumentParser(description="Draws the accuracy under each condition.")
    parser.add_argument("document", type=Path)
    parser.add_argument("--out", type=Path, required=True)
    arguments = parser.parse_args()
    save_png(robustness(json.loads(arguments.document.read_text("utf-8"))), arguments.out)


if __name__ == "__main__":
    main()
