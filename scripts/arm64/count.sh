#!/usr/bin/env bash
# Counts the Arm instructions that Mien needs, without an Arm machine and without noise.
#
#   scripts/arm64/count.sh [--cpu cortex-a72|cortex-a76] [ARGUMENTS of scripts/arm64/count.py]
#
# The first call prepares a folder (ARM, by default ~/.cache/mien-arm; 1 GB, some 15 minutes): QEMU
# 10's user emulator built with plugins from Debian's source, scripts/arm64/count_plugin.c built against
# it, and an arm64 Debian (Python 3.11) with the device's wheels. No root needed. On Debian or
# Ubuntu (x86-64), first: apt install gcc ninja-build pkg-config libglib2.0-dev flex bison \
#     python3-venv dpkg-dev xz-utils debian-archive-keyring
# QEMU before 9 does not do: 7.2 crashes inside the interpreter.
set -euo pipefail
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
arm=${ARM:-${XDG_CACHE_HOME:-$HOME/.cache}/mien-arm}
source "$here/own-apt.sh"
cpu=cortex-a72
if [ "${1:-}" = --cpu ]; then
    cpu=$2
    shift 2
fi

build_qemu() {
    echo "building QEMU with plugins in $arm (some ten minutes)" >&2
    local work=$arm/qemu-build
    rm -rf "$work"
    own_apt "$work" "$(dpkg --print-architecture)" deb-src trixie
    (cd "$work" && APT_CONFIG=$work/apt.conf apt-get source --download-only -qq qemu)
    tar xJf "$work"/qemu_10*.orig.tar.xz -C "$work"
    local source
    source=$(echo "$work"/qemu-10*/)
    # Debian's source comes without the wheels that configure would take its meson from.
    python3 -m venv "$work/venv"
    "$work/venv/bin/pip" -q install meson pycotap distlib
    mkdir "$work/build"
    (cd "$work/build" && PATH=$work/venv/bin:$PATH "$source/configure" \
        --target-list=aarch64-linux-user --without-default-features --enable-linux-user \
        --enable-plugins --disable-install-blobs --disable-werror \
        --python="$work/venv/bin/python3" >"$work/log" 2>&1 &&
        nice ninja qemu-aarch64 >>"$work/log" 2>&1) || { tail -20 "$work/log" >&2; exit 1; }
    mkdir -p "$arm/include"
    cp "$source/include/qemu/qemu-plugin.h" "$arm/include/"
    strip -o "$arm/qemu-aarch64" "$work/build/qemu-aarch64"
    rm -rf "$work"
}

build_root() {
    echo "unpacking an arm64 Debian in $arm/root" >&2
    local work=$arm/root-build
    rm -rf "$work" "$arm/root.part"
    own_apt "$work" arm64 deb bookworm
    APT_CONFIG=$work/apt.conf apt-get install -qq --download-only -y \
        python3 libstdc++6 >/dev/null
    mkdir -p "$arm/root.part"
    for package in "$work"/cache/archives/*.deb; do
        dpkg-deb -x "$package" "$arm/root.part"
    done
    rm -rf "$work"
    mv "$arm/root.part" "$arm/root"
}

install_wheels() {
    echo "installing the device's wheels for aarch64" >&2
    local work=$arm/wheels platforms=()
    for tag in manylinux_2_34 manylinux_2_28 manylinux_2_27 manylinux_2_17 manylinux2014; do
        platforms+=(--platform "${tag}_aarch64")
    done
    rm -rf "$work" "$arm/site.part"
    # Headless: the same OpenCV without a window, so that the root needs no X libraries.
    python3 -m pip download -q -d "$work" --only-binary=:all: --implementation cp \
        --python-version 3.11 "${platforms[@]}" \
        numpy 'opencv-python-headless>=4.10,<5' ai-edge-litert typer
    python3 -m pip install -q --no-deps --ignore-requires-python --target "$arm/site.part" \
        --only-binary=:all: --implementation cp --python-version 3.11 "${platforms[@]}" \
        "$work"/*.whl
    rm -rf "$work"
    mv "$arm/site.part" "$arm/site"
}

mkdir -p "$arm"
arm=$(cd "$arm" && pwd)
[ -x "$arm/qemu-aarch64" ] || build_qemu
[ -d "$arm/root" ] || build_root
[ -d "$arm/site" ] || install_wheels
if [ "$here/count_plugin.c" -nt "$arm/count.so" ]; then
    # shellcheck disable=SC2046
    gcc -O2 -fPIC -shared -I"$arm/include" $(pkg-config --cflags glib-2.0) \
        -o "$arm/count.so" "$here/count_plugin.c"
fi

counted=$(mktemp)
trap 'rm -f "$counted"' EXIT
# PYTHONHASHSEED: dictionaries alike in every run, so that counts are.
"$arm/qemu-aarch64" -cpu "$cpu" -L "$arm/root" -plugin "$arm/count.so,out=$counted" \
    -E MIEN_COUNT="$counted" -E MIEN_ARM_CPU="$cpu" -E PYTHONPATH="$arm/site:$here/../../edge" \
    -E PYTHONHASHSEED=0 -E PYTHONDONTWRITEBYTECODE=1 \
    -E OPENBLAS_NUM_THREADS=1 -E OMP_NUM_THREADS=1 \
    "$arm/root/usr/bin/python3" "$here/count.py" "$@"
