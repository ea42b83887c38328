#!/usr/bin/env bash
# Trains a small model on a subset, converts it and reads a face with it: ten minutes on two cores.
#
#     scripts/tour.sh fer2013.zip [WEIGHTS]     or: make tour DATA=fer2013.zip [WEIGHTS=FILE]
#
# What a killed tour has trained is kept: the same command goes on. Results are in runs/tour.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
data=$1
weights=${2:-imagenet}
bin=${BIN:-.venv/bin}
run=runs/tour

step() { printf '\n--- %s\n    %s\n' "$1" "${*:2}"; "${@:2}"; }

step "1. Look at the data: classes, copies, conflicting labels" \
    "$bin/mien-train" audit "$data"
step "2. Fine-tune MobileNetV2, width 0.35, on 2,562 faces, equally many of each class" \
    "$bin/mien-train" fit "$data" --subset balanced --weights "$weights" --alpha 0.35 \
    --head-epochs 1 --small-epochs 16 --epochs 6 --augment 0.7 --run "$run" --resume
step "3. Convert it to int8 and check that it lost nothing" \
    "$bin/mien-convert" "$run/model.keras" "$data" --max-drop 1.5
step "4. Read the faces of a picture with it" \
    "$bin/mien" image edge/mien/demo/portraits/both.jpg --model "$run/tour.tflite"
step "5. Measure the network before int8, with charts" \
    "$bin/mien-train" evaluate "$run/model.keras" "$data"
echo
echo "Look at $run/evaluation-validation. This network gives 44 % of FER-2013's labels on PublicTest (chance: 14);"
echo "make train and make convert make a full one."
