#!/usr/bin/env bash
# Tries on an emulated aarch64 Debian what a person does on a new Pi: install-pi.sh, `mien doctor`,
# `mien run` on the clip, the installer once more, its --uninstall. No compiler is in reach.
#
#   scripts/try-arm64.sh [bookworm|trixie ...]        both by default; some ten minutes each
#
# What is fetched stays in a folder (ARM, by default ~/.cache/mien-arm; 0.5 GB a system): QEMU 10
# from Debian trixie (7.2 of bookworm crashes inside the interpreter), an arm64 Debian unpacked from
# its packages, and aarch64 wheels, all from the mirrors that this machine's apt and pip use. Needs
# Linux 6.7 (emulation registered for one namespace alone), apt, dpkg, python3 with pip; no root.
set -euo pipefail
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
source=$(dirname "$here")
arm=${ARM:-${XDG_CACHE_HOME:-$HOME/.cache}/mien-arm}
python=${PYTHON:-python3}
source "$here/own-apt.sh"
suites=("$@")
[ $# -gt 0 ] || suites=(bookworm trixie)

fetch_qemu() {
    echo "fetching QEMU 10" >&2
    own_apt "$arm/apt-qemu" "$(dpkg --print-architecture)" deb trixie
    (cd "$arm/apt-qemu" && APT_CONFIG=$arm/apt-qemu/apt.conf apt-get download -qq qemu-user)
    dpkg-deb -x "$arm"/apt-qemu/qemu-user_*.deb "$arm/apt-qemu/unpacked"
    cp "$arm/apt-qemu/unpacked/usr/bin/qemu-aarch64" "$arm/qemu-aarch64-static.part"
    mv "$arm/qemu-aarch64-static.part" "$arm/qemu-aarch64-static"
    rm -rf "$arm/apt-qemu"
}

# What `apt install python3-venv libgl1 libglib2.0-0` brings, save Mesa's drivers, which nothing
# here loads: unpacked, for configuring it would be run under emulation.
fetch_root() { # $1 suite
    echo "unpacking an arm64 Debian $1" >&2
    local apt=$arm/apt-$1 new=$arm/debian-$1.part glib=libglib2.0-0
    [ "$1" = bookworm ] || glib=libglib2.0-0t64
    rm -rf "$apt" "$new"
    own_apt "$apt" arm64 deb "$1"
    APT_CONFIG=$apt/apt.conf apt-get install -qq --download-only -y base-files bash coreutils dash \
        findutils grep libc-bin sed python3-venv libstdc++6 "$glib" libx11-6 >/dev/null
    (cd "$apt/cache/archives" && APT_CONFIG=$apt/apt.conf apt-get download -qq libgl1 libglx0 libglvnd0)
    mkdir -p "$new"/usr/{bin,sbin,lib} "$new"/{root,proc,sys,dev,wheels,mien} "$new/tmp"
    for name in bin sbin lib; do ln -s "usr/$name" "$new/$name"; done
    # Not dpkg-deb -x: bookworm's packages hold /bin and /lib, which have to go through the links.
    for package in "$apt"/cache/archives/*.deb; do
        dpkg-deb --fsys-tarfile "$package" | tar x -C "$new" --keep-directory-symlink --no-same-owner
    done
    [ -e "$new/usr/bin/sh" ] || ln -s dash "$new/usr/bin/sh"
    echo 'root:x:0:0:root:/root:/bin/bash' >"$new/etc/passwd"
    echo 'root:x:0:' >"$new/etc/group"
    # What update-ca-certificates makes; trixie's pip does not start without it.
    mkdir -p "$new/etc/ssl/certs"
    [ ! -d "$new/usr/share/ca-certificates" ] ||
        cat "$new"/usr/share/ca-certificates/mozilla/*.crt >"$new/etc/ssl/certs/ca-certificates.crt"
    rm -rf "$apt"
    mv "$new" "$arm/debian-$1"
}

fetch_wheels() { # $1 suite
    echo "fetching aarch64 wheels for $1" >&2
    local version=3.11 platforms=() to=$arm/wheels-$1
    [ "$1" = bookworm ] || version=3.13
    for tag in manylinux_2_34 manylinux_2_28 manylinux_2_27 manylinux_2_17 manylinux2014; do
        platforms+=(--platform "${tag}_aarch64")
    done
    "$python" -m pip download -q -d "$to.part" --only-binary=:all: --implementation cp \
        --python-version "$version" "${platforms[@]}" --constraint "$source/constraints.txt" \
        numpy opencv-python ai-edge-litert typer
    mv "$to.part" "$to"
}

build_wheel() {
    rm -rf "$arm/mien"
    mkdir -p "$arm/mien/source"
    (cd "$source" && cp -r edge train convert pyproject.toml README.md LICENSE "$arm/mien/source")
    local isolation=()
    if "$python" -c 'import setuptools, sys; sys.exit(int(setuptools.__version__.split(".")[0]) < 77)' \
        2>/dev/null; then
        isolation=(--no-build-isolation)
    fi
    "$python" -m pip wheel -q --no-deps "${isolation[@]}" --wheel-dir "$arm/mien" "$arm/mien/source"
    cp -r "$source/scripts" "$source"/constraints*.txt "$arm/mien/source/"
}

# Runs inside new user, mount and process namespaces; $1 root, $2 the emulator.
inside='
set -euo pipefail
mount -t binfmt_misc binfmt_misc /proc/sys/fs/binfmt_misc
magic="\x7f\x45\x4c\x46\x02\x01\x01\x00\x00\x00\x00\x00\x00\x00\x00\x00\x02\x00\xb7\x00"
mask="\xff\xff\xff\xff\xff\xff\xff\x00\xff\xff\xff\xff\xff\xff\xff\xff\xfe\xff\xff\xff"
printf "%s" ":mien-aarch64:M::$magic:$mask:$2:F" >/proc/sys/fs/binfmt_misc/register
mount -t proc proc "$1/proc"
mount --rbind /sys "$1/sys"
mount --rbind /dev "$1/dev"
mount -t tmpfs tmpfs "$1/tmp"
exec chroot "$1" /usr/bin/env -i PATH=/usr/local/bin:/usr/sbin:/usr/bin HOME=/root LC_ALL=C.UTF-8 \
    QEMU_CPU=cortex-a72 PIP_NO_INDEX=1 PIP_FIND_LINKS=/wheels PIP_NO_COMPILE=1 bash -euo pipefail -c "$3"
'
# What the person does. Quiet steps print their time in seconds.
steps='
[ "$(uname -m)" = aarch64 ]
ldconfig
for compiler in cc gcc g++ clang cargo; do
    if command -v "$compiler"; then echo "a compiler is in reach: $compiler" >&2; exit 1; fi
done
install=/mien/source/scripts/install-pi.sh
wheel=$(echo /mien/mien-*.whl)
step() { echo "== $*"; SECONDS=0; "$@"; echo "== done in $SECONDS s"; }
step "$install" --camera usb --wheel "$wheel"
step mien doctor --json >/tmp/doctor.json
step mien run /mien/source/edge/demo/clip.mp4 --max-frames 30 --jsonl /tmp/faces.jsonl
step python3 -c "
import json
frames = [json.loads(line) for line in open(\"/tmp/faces.jsonl\")]
with_face = sum(bool(frame[\"faces\"]) for frame in frames)
print(len(frames), \"frames,\", with_face, \"with a face\")
assert len(frames) == 30 and with_face >= 24
"
step "$install" --camera usb --wheel "$wheel"
step "$install" --uninstall
[ ! -e /opt/mien ] && [ ! -e /usr/local/bin/mien ]
'

mkdir -p "$arm"
arm=$(cd "$arm" && pwd)
[ -x "$arm/qemu-aarch64-static" ] || fetch_qemu
build_wheel
for suite in "${suites[@]}"; do
    [ -d "$arm/debian-$suite" ] || fetch_root "$suite"
    [ -d "$arm/wheels-$suite" ] || fetch_wheels "$suite"
    echo "==== $suite on an emulated Cortex-A72"
    root=$arm/debian-$suite
    rm -rf "$root/opt/mien" "$root/usr/local/bin/mien" "$root/wheels" "$root/mien"
    cp -r "$arm/wheels-$suite" "$root/wheels"
    cp -r "$arm/mien" "$root/mien"
    unshare --user --map-root-user --mount --pid --fork --propagation private \
        bash -c "$inside" sh "$root" "$arm/qemu-aarch64-static" "$steps"
    echo "==== $suite: well"
done
