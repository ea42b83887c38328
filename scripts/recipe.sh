#!/usr/bin/env bash
# Trains the three shipped models from ImageNet's weights: about four hours on two idle cores.
#
#     scripts/recipe.sh fer2013.zip fer2013new.csv FACE_API [WEIGHTS [NANO_WEIGHTS]]     or: make models
#
# FACE_API is the folder 'model' of the npm package @vladmandic/face-api. WEIGHTS are MobileNetV2's, of
# width 1.0 and 0.35. What a killed run has trained is kept: the same command goes on. The networks
# are runs/models/{mien,mien-nano,mien-fer2013}. ARGS are added to each training.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
data=$1
votes=$2
face_api=$3
weights=${4:-imagenet}
nano_weights=${5:-imagenet}
bin=${BIN:-.venv/bin}
runs=${RUNS:-runs/models}
read -ra args <<< "${ARGS:-}"

step() { printf '\n--- %s\n    %s\n' "$1" "${*:2}"; "${@:2}"; }
fit() { step "$1" "$bin/mien-train" fit "$data" --subset full --resume "${@:2}" "${args[@]}"; }
voted=(--labels votes --votes "$votes")

echo "mien: this takes about four hours on two idle cores; stop it at any time, the same command goes on."
fit "1. Learn what people see (two hours)" \
    --run "$runs/votes" --weights "$weights" "${voted[@]}"
fit "2. From there learn FER-2013's labels: mien-fer2013 (75 minutes)" \
    --run "$runs/mien-fer2013" --weights "$runs/votes/model.keras" \
    --small-epochs 6 --epochs 14 --logit-adjust 0.2
if [ ! -e "$runs/start/model.keras" ]; then
    step "3. Average both" "$bin/mien-train" average "$runs/votes/model.keras" \
        "$runs/mien-fer2013/model.keras" "$data" --share 0.7 --share 0.3 --run "$runs/start"
fi
if [ ! -e "$runs/face-api/model.keras" ]; then
    step "4. A third teacher, which learned from other faces" \
        "$bin/mien-train" face-api "$face_api" --run "$runs/face-api"
fi
fit "5. Learn what the three teachers say (25 minutes)" \
    --run "$runs/taught" --weights "$runs/start/model.keras" "${voted[@]}" \
    --teacher "$runs/votes/model.keras" --teacher "$runs/mien-fer2013/model.keras" \
    --teacher "$runs/face-api/model.keras" \
    --teacher-weight 0.5 --teacher-weight 0.3 --teacher-weight 0.2 \
    --teach-once --teacher-share 0.8 \
    --head-epochs 0 --small-epochs 0 --epochs 6 --rate 0.0005 --augment 0.75 --degrade 0.15
if [ ! -e "$runs/mien/model.keras" ]; then
    step "6. Be fairer to rare classes: mien" "$bin/mien-train" average "$runs/taught/model.keras" \
        "$data" --logit-adjust 0.15 --votes "$votes" --run "$runs/mien"
fi
fit "7. The small one learns from it: mien-nano (30 minutes)" \
    --run "$runs/mien-nano" --weights "$nano_weights" --alpha 0.35 "${voted[@]}" \
    --teacher "$runs/mien/model.keras" --teach-once --teacher-share 0.8 \
    --small-epochs 12 --epochs 11 --augment 0.75 --degrade 0.08
