# An arm64 Debian under QEMU's user emulation, for scripts that try Mien there; sourced by try-arm64.sh,
# which sets: arm (folder of what is fetched), source (this repository), python, here.
source "$(dirname "${BASH_SOURCE[0]}")/own-apt.sh"

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

# What pip may find inside, as a folder of wheels; anew where the list has changed.
# $1 suite, $2 old for what goes with NumPy 1, and with the older interpreter; prints the folder
fetch_wheels() {
    local version=3.11 platforms=() constraints=$source/constraints.txt to wanted
    wanted=(numpy opencv-python ai-edge-litert typer starlette uvicorn prometheus-client paho-mqtt)
    [ "$1" = bookworm ] || version=3.13
    if [ "${2:-}" = old ]; then
        constraints=$source/constraints-bookworm.txt
        wanted=(numpy opencv-python ai-edge-litert tflite-runtime==2.14.0 typer)
    fi
    to=$arm/wheels-$1-$(cat "$constraints" <(echo "${wanted[@]}") | cksum | cut -d ' ' -f 1)
    if [ ! -d "$to" ]; then
        echo "fetching aarch64 wheels for $1${2:+ ($2)}" >&2
        for tag in manylinux_2_34 manylinux_2_28 manylinux_2_27 manylinux_2_17 manylinux2014; do
            platforms+=(--platform "${tag}_aarch64")
        done
        "$python" -m pip --disable-pip-version-check download -qq -d "$to.part" --only-binary=:all: \
            --implementation cp --python-version "$version" "${platforms[@]}" \
            --constraint "$constraints" "${wanted[@]}" >&2
        mv "$to.part" "$to"
    fi
    echo "$to"
}

# What only the tests need, all of it Python alone: unpacked, so that the environment inside stays as
# the installer made it. $1 suite; prints the folder
fetch_pytest() {
    local to=$arm/pytest-$1 version=3.11
    [ "$1" = bookworm ] || version=3.13
    if [ ! -d "$to" ]; then
        echo "fetching pytest for $1" >&2
        "$python" -m pip --disable-pip-version-check install -qq --target "$to.part" --only-binary=:all: \
            --platform any --python-version "$version" --constraint "$source/constraints.txt" pytest >&2
        mv "$to.part" "$to"
    fi
    echo "$to"
}

# Builds this checkout's wheel, in a copy: the checkout stays as it is. $1 folder
build_wheel() {
    local copy isolation=()
    copy=$(mktemp -d)
    (cd "$source" && cp -r edge train convert pyproject.toml README.md LICENSE "$copy")
    if "$python" -c 'import setuptools, sys; sys.exit(int(setuptools.__version__.split(".")[0]) < 77)' \
        2>/dev/null; then
        isolation=(--no-build-isolation)
    fi
    "$python" -m pip wheel -qq --no-deps "${isolation[@]}" --wheel-dir "$1" "$copy"
    rm -rf "$copy"
}

# Runs inside new user, mount and process namespaces; $1 root, $2 the emulator, then a command.
inside='
set -euo pipefail
mount -t binfmt_misc binfmt_misc /proc/sys/fs/binfmt_misc
magic="\x7f\x45\x4c\x46\x02\x01\x01\x00\x00\x00\x00\x00\x00\x00\x00\x00\x02\x00\xb7\x00"
mask="\xff\xff\xff\xff\xff\xff\xff\x00\xff\xff\xff\xff\xff\xff\xff\xff\xfe\xff\xff\xff"
printf "%s" ":mien-aarch64:M::$magic:$mask:$2:F" >/proc/sys/fs/binfmt_misc/register
root=$1
shift 2
mount -t proc proc "$root/proc"
mount --rbind /sys "$root/sys"
mount --rbind /dev "$root/dev"
mount -t tmpfs tmpfs "$root/tmp"
exec chroot "$root" /usr/bin/env -i PATH=/usr/local/bin:/usr/sbin:/usr/bin HOME=/root \
    LC_ALL=C.UTF-8 QEMU_CPU=cortex-a72 PIP_NO_INDEX=1 PIP_FIND_LINKS=/wheels \
    PIP_NO_COMPILE=1 "$@"
'

# Runs a command in a Debian. $1 root, then the command.
in_root() {
    local root=$1
    shift
    unshare --user --map-root-user --mount --pid --fork --propagation private \
        bash -c "$inside" sh "$root" "$arm/qemu-aarch64-static" "$@"
}
