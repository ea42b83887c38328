#!/usr/bin/env bash
# Inside the emulated Debian of try-arm64.sh: what a person does on a new Pi, or the device's tests.
#
#   inside.sh person|tests ai-edge-litert|tflite-runtime
#
# /mien holds the wheel, the repository's scripts and tests (as source/, without the packages, so that
# only the installed wheel can be imported) and out/ for what is to be looked at outside.
set -euo pipefail
what=$1 interpreter=$2
source=/mien/source
install=$source/scripts/install-pi.sh
wheel=$(echo /mien/mien-*.whl)
venv=/opt/mien/venv

# Quiet steps print their time in seconds.
step() {
    echo "== $*"
    local start=$SECONDS
    "$@"
    echo "== done in $((SECONDS - start)) s"
}

first_of_all() {
    [ "$(uname -m)" = aarch64 ]
    ldconfig
    for compiler in cc gcc g++ clang cargo; do
        if command -v "$compiler"; then
            echo "a compiler is in reach: $compiler" >&2
            exit 1
        fi
    done
}

# What docs/install.md says of the older interpreter, with what runs beside Pi OS bookworm's picamera2.
take_older_interpreter() {
    "$venv/bin/python" -m pip install --quiet --only-binary=:all: \
        --constraint "$source/constraints-bookworm.txt" "$wheel[tflite-runtime]"
    "$venv/bin/python" -m pip uninstall --quiet --yes ai-edge-litert
}

clip() {
    mien run "$source/clip.mp4" --max-frames 30 --jsonl /tmp/faces.jsonl
    python3 -c '
import json
frames = [json.loads(line) for line in open("/tmp/faces.jsonl")]
with_face = sum(bool(frame["faces"]) for frame in frames)
print(len(frames), "frames,", with_face, "with a face")
assert len(frames) == 30 and with_face >= 24
'
}

doctor() { mien doctor --json >/mien/out/doctor.json; }

run_tests() {
    cd "$source"
    local left_out=() what
    # Of each line a file or a test; the reason stands behind it.
    while read -r what _; do
        case $what in
        *::*) left_out+=("--deselect=$what") ;;
        tests/*) left_out+=("--ignore=$what") ;;
        esac
    done <tests/edge/not-emulated.txt
    # A test that hangs shows where after a quarter of an hour.
    PYTHONPATH=/pytest TEST_PATIENCE=10 "$venv/bin/python" -P -m pytest -p no:cacheprovider -v --color=no \
        -o faulthandler_timeout=900 --durations=30 --junitxml=/mien/out/tests.xml "${left_out[@]}" \
        ${TESTS:-tests/edge}
}

compare_logits() {
    PYTHONPATH='' "$venv/bin/python" -P "$source/scripts/arm64/logits.py" read \
        --faces /mien/faces.npz --out /mien/out/logits.npz
}

first_of_all
mkdir -p /mien/out
step "$install" --camera usb --wheel "$wheel"
[ "$interpreter" = ai-edge-litert ] || step take_older_interpreter
step doctor
step clip
case $what in
person)
    step "$install" --camera usb --wheel "$wheel"
    step "$install" --uninstall
    [ ! -e /opt/mien ] && [ ! -e /usr/local/bin/mien ]
    ;;
tests)
    step compare_logits
    step run_tests
    ;;
esac
