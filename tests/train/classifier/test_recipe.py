"""The recipe of the shipped models goes from its first weights to three networks by itself."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from mien_train.classifier.predict import load_model
from mien_train.data.fer2013 import load
from mien_train.data.ferplus import to_csv
from mien_train.data.labels import LABELS, VOTE_COLUMNS, VOTE_OF_LABEL

ROOT = Path(__file__).parents[3]


@pytest.mark.slow
def test_recipe_script_trains_three_models_by_itself(
    clean: Path, face_api_folder: Path, tmp_path: Path
) -> None:
    data = load(clean)
    told = np.zeros((len(data), len(VOTE_COLUMNS)), np.float32)
    columns = np.array([VOTE_COLUMNS.index(name) for name in VOTE_OF_LABEL])
    told[np.arange(len(data)), columns[data.labels]] = 9
    votes = tmp_path / "votes.csv"
    votes.write_text(to_csv(data, told))
    runs = tmp_path / "runs"
    small = "--head-epochs 0 --small-epochs 0 --epochs 1 --alpha 0.35 --size 32 --batch 28"
    program = [str(ROOT / "scripts" / "recipe.sh"), str(clean), str(votes), str(face_api_folder)]
    environment = os.environ | {
        "ARGS": small,
        "RUNS": str(runs),
        "BIN": str(Path(sys.executable).parent),
    }
    done = subprocess.run(
        [*program, "none", "none"], env=environment, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    for name in ("mien", "mien-nano", "mien-fer2013"):
        assert load_model(runs / name / "model.keras").output_shape == (None, len(LABELS))
    taught = json.loads((runs / "taught" / "run.json").read_text())
    assert [teacher["file"] for teacher in taught["teachers"]] == [
        "votes/model.keras",
        "mien-fer2013/model.keras",
        "face-api/model.keras",
    ]
    assert json.loads((runs / "mien" / "run.json").read_text())["logit_adjusted"] == 0.15
