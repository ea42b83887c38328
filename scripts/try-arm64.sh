#!/usr/bin/env bash
# Tries Mien on an emulated aarch64 Debian with no compiler in reach; nothing else of Arm is needed.
#
#   scripts/try-arm64.sh [SYSTEM ...]           what a person does on a new Pi: install-pi.sh, `mien
#                                               doctor`, `mien run` on the clip, the installer once
#                                               more, its --uninstall; some five minutes a system
#   scripts/try-arm64.sh --tests [SYSTEM ...]   the installer, then the device's tests and the logits
#                                               of the shipped models, for arm64/logits.py to compare;
#                                               half an hour a system (`make arm64`)
#
# Systems: bookworm (Python 3.11) and trixie (3.13), both with ai-edge-litert, and bookworm-tflite,
# bookworm with tflite-runtime and NumPy 1 in its place. WHEEL is the wheel to install, TESTS
# what pytest is to run instead of tests/edge.
#
# What is fetched stays in a folder (ARM, by default ~/.cache/mien-arm; 0.5 GB a suite): QEMU 10
# from Debian trixie (7.2 of bookworm crashes inside the interpreter), an arm64 Debian unpacked from
# its packages, and aarch64 wheels, all from the mirrors that this machine's apt and pip use. Needs
# Linux 6.7 (emulation registered for one namespace alone), apt, dpkg, python3 with pip; no root.
set -euo pipefail
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
source=$(dirname "$here")
arm=${ARM:-${XDG_CACHE_HOME:-$HOME/.cache}/mien-arm}
python=${PYTHON:-python3}
source "$here/arm64/root.sh"
what=person systems=(bookworm trixie)
if [ "${1:-}" = --tests ]; then
    what=tests systems=(bookworm-tflite bookworm trixie)
    shift
fi
[ $# = 0 ] || systems=("$@")
for system in "${systems[@]}"; do
    case $system in
    bookworm | trixie | bookworm-tflite) ;;
    *)
        echo "mien: $system is no system: say bookworm, trixie or bookworm-tflite." >&2
        exit 2
        ;;
    esac
done

# What every system gets: the wheel and, as source/, what is not in it. Without the packages, so that
# the installed ones are tried.
gather() {
    mkdir -p "$new/mien/source"
    if [ -n "${WHEEL:-}" ]; then cp "$WHEEL" "$new/mien"; else build_wheel "$new/mien"; fi
    cp -r "$source/scripts" "$source"/constraints*.txt "$source/edge/mien/demo/clip.mp4" "$new/mien/source"
    if [ "$what" = tests ]; then
        cp -r "$source/tests" "$source/pyproject.toml" "$new/mien/source"
        "$python" "$here/arm64/logits.py" faces --out "$new/mien/faces.npz"
        "$python" "$here/arm64/logits.py" read --faces "$new/mien/faces.npz" --out "$out/x86.npz"
    fi
}

# Runs what was asked for in a fresh root of a system. $1 system
try() {
    local system=$1 suite=${1%-tflite} interpreter=ai-edge-litert root
    [ "$system" = "$suite" ] || interpreter=tflite-runtime
    [ -d "$arm/debian-$suite" ] || fetch_root "$suite"
    root=$new/$system
    cp -a "$arm/debian-$suite" "$root"
    rm -rf "$root"/{mien,wheels}
    # As Debian's installer leaves it; no package brings it.
    printf '127.0.0.1 localhost\n::1 localhost\n' >"$root/etc/hosts"
    cp -r "$(fetch_wheels "$suite")" "$root/wheels"
    if [ "$interpreter" = tflite-runtime ]; then
        # Two versions of a package may stand beside each other: constraints choose.
        cp "$(fetch_wheels "$suite" old)"/* "$root/wheels"
    fi
    cp -r "$new/mien" "$root/mien"
    [ "$what" = person ] || cp -r "$(fetch_pytest "$suite")" "$root/pytest"
    echo "==== $system on an emulated Cortex-A72"
    local code=0
    in_root "$root" TESTS="${TESTS:-}" bash /mien/source/scripts/arm64/inside.sh \
        "$what" "$interpreter" || code=$?
    # To be looked at, above all where it failed.
    rm -rf "$out/$system"
    cp -r "$root/mien/out" "$out/$system" || code=1
    rm -rf "$root"
    return "$code"
}

mkdir -p "$arm"
arm=$(cd "$arm" && pwd)
out=$source/out/arm64
mkdir -p "$out"
new=$(mktemp -d "$arm/new.XXXXXX")
trap 'rm -rf "$new"' EXIT
[ -x "$arm/qemu-aarch64-static" ] || fetch_qemu
gather
failed=()
for system in "${systems[@]}"; do
    # As a job of its own: in a condition `set -e` would be off for all that it calls.
    try "$system" &
    if wait $!; then
        echo "==== $system: well"
    else
        echo "==== $system: FAILED" >&2
        failed+=("$system")
    fi
done
if [ ${#failed[@]} -gt 0 ]; then
    echo "mien: failed: ${failed[*]} (see above and $out)." >&2
    exit 1
fi
