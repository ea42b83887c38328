#!/usr/bin/env bash
# Installs Mien on a Raspberry Pi, or on another 64-bit Debian; run it again to upgrade.
#
#   sudo scripts/install-pi.sh [--camera auto|pi|usb] [--wheel FILE] [--minimal] [--service]
#   sudo scripts/install-pi.sh --uninstall
#
#   --camera    whether a Raspberry Pi camera is to be used, so that python3-picamera2 is needed
#               (pi), or not (usb); auto looks whether one is connected
#   --wheel     the wheel to install, from `make wheel`; without it this checkout's is built
#   --minimal   without the page (--web) and MQTT (--mqtt), which are installed otherwise
#   --extras    what to install on top, with commas, instead of web,mqtt
#   --service   also start Mien with the system: `mien service install`
#   --prefix    where to install, /opt/mien by default
#   --bin       where to put the link to the command, /usr/local/bin by default
#   --python    the Python to use, /usr/bin/python3 by default: picamera2 is only for that one
#   --uninstall removes service, environment and link; options, recordings and apt's packages stay
#
# Fetches from apt what is missing, and from pip's index only finished wheels: no compiler is
# needed. Changes nothing but the prefix, the link, apt's packages and, with --service, the service.
set -euo pipefail
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
source=$(dirname "$here")
root=${MIEN_ROOT:-} # a test's stand-in for the file system that is looked at
camera=auto wheel='' extras=web,mqtt service='' uninstall=''
prefix=/opt/mien bin=/usr/local/bin python=/usr/bin/python3

refuse() {
    echo "mien: $*" >&2
    exit 2
}
say() { echo "- $*"; }

while [ $# -gt 0 ]; do
    case $1 in
    --service) service=yes ;;
    --minimal) extras='' ;;
    --uninstall) uninstall=yes ;;
    --camera | --wheel | --extras | --prefix | --bin | --python)
        [ $# -gt 1 ] || refuse "$1 wants a value: see the first lines of $0."
        printf -v "${1#--}" '%s' "$2"
        shift
        ;;
    -h | --help)
        sed -n '2,/^set /{s/^# \{0,1\}//p}' "$0"
        exit 0
        ;;
    *) refuse "there is no option $1: see $0 --help." ;;
    esac
    shift
done
case $camera in auto | pi | usb) ;; *) refuse "--camera $camera: say auto, pi or usb." ;; esac
case $prefix in /*/* | /[!/]*) ;; *) refuse "--prefix $prefix: give a folder's whole path, as /opt/mien." ;; esac
venv=$prefix/venv

# --- what must be so ------------------------------------------------------------------------------

may_write() { # a folder, or the nearest one above it that exists
    local folder=$1
    while [ ! -e "$folder" ]; do folder=$(dirname "$folder"); done
    [ -w "$folder" ] || refuse "this user may not write $1: put sudo in front."
}

check_machine() {
    [ "$(getconf LONG_BIT)" = 64 ] ||
        refuse "this is a 32-bit system, for which there is no TFLite interpreter: install the 64-bit Raspberry Pi OS."
    case $(uname -m) in
    aarch64 | x86_64) ;;
    *) refuse "$(uname -m) is neither aarch64 nor x86_64, for which the interpreter is made." ;;
    esac
    local id='' like='' codename='' name=''
    if [ -r "$root/etc/os-release" ]; then
        id=$(value_of ID) like=$(value_of ID_LIKE) codename=$(value_of VERSION_CODENAME)
        name=$(value_of PRETTY_NAME)
    fi
    case $codename in
    buster | bullseye) refuse "$name is too old: install Raspberry Pi OS bookworm or trixie." ;;
    bookworm | trixie) ;;
    *)
        case " $id $like " in
        *" debian "*) say "${name:-this system} was never tried; going on" ;;
        *) refuse "${name:-this system} is no Debian: install with pip instead (README.md)." ;;
        esac
        ;;
    esac
    say "${name:-an unnamed system}, $(uname -m)"
}

value_of() { sed -n "s/^$1=//p" "$root/etc/os-release" | tr -d '"' | head -n 1; }

is_pi() { grep -aqs 'Raspberry Pi' "$root/proc/device-tree/model"; }

choose_camera() {
    [ "$camera" = auto ] || return 0
    camera=usb
    # A camera's sensor is there as a sub-device once the kernel has found it at its ribbon.
    if is_pi && compgen -G "$root/sys/class/video4linux/v4l-subdev*" >/dev/null; then camera=pi; fi
    say "a camera of the kind: $camera (--camera says otherwise)"
}

# --- apt ------------------------------------------------------------------------------------------

has_library() { grep -q "$1" <<<"$(PATH=$PATH:/usr/sbin:/sbin ldconfig -p 2>/dev/null)"; }

install_packages() {
    local wanted=()
    "$python" -c 'import ensurepip, venv' 2>/dev/null || wanted+=(python3-venv)
    has_library 'libGL\.so\.1 ' || wanted+=(libgl1)
    has_library 'libgthread-2\.0\.so\.0 ' || wanted+=(libglib2.0-0)
    if [ "$camera" = pi ] && ! "$python" -c 'import importlib.util as u, sys; sys.exit(not u.find_spec("picamera2"))'; then
        wanted+=(python3-picamera2)
    fi
    if [ ${#wanted[@]} = 0 ]; then
        say "apt has nothing to add"
        return 0
    fi
    [ "$(id -u)" = 0 ] || refuse "apt has to install ${wanted[*]}: put sudo in front."
    say "apt installs ${wanted[*]}"
    apt-get update -qq
    case " ${wanted[*]} " in
    *" python3-picamera2 "*)
        apt-cache show python3-picamera2 >/dev/null 2>&1 ||
            refuse "python3-picamera2 is only in Raspberry Pi OS's archive: for a webcam say --camera usb."
        ;;
    esac
    DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "${wanted[@]}" >/dev/null
}

# --- the environment ------------------------------------------------------------------------------

make_environment() {
    local minor='import sys; print(*sys.version_info[:2])'
    if [ -e "$venv" ]; then
        # After an upgrade of the system its Python is another.
        if [ "$("$venv/bin/python" -c "$minor" 2>/dev/null)" = "$("$python" -c "$minor")" ] &&
            grep -qs 'include-system-site-packages = true' "$venv/pyvenv.cfg"; then
            say "$venv is there"
            return 0
        fi
        rm -rf "$venv"
    fi
    mkdir -p "$prefix"
    # The system's packages are visible in it: picamera2 is one of them.
    "$here/venv.sh" "$python" "$venv" --system-site-packages
    say "made $venv"
}

pip() { "$venv/bin/python" -m pip --disable-pip-version-check --no-cache-dir "$@"; }

find_wheel() {
    if [ -n "$wheel" ]; then
        [ -f "$wheel" ] || refuse "there is no $wheel: build it with 'make wheel', it is in dist/."
        return 0
    fi
    say "building this checkout's wheel"
    built=$(mktemp -d)
    trap 'rm -rf "$built"' EXIT
    # In a copy: root's left-overs have no place in somebody's checkout.
    mkdir "$built/source"
    (cd "$source" && cp -r edge train convert pyproject.toml README.md LICENSE "$built/source")
    pip wheel --quiet --no-deps --wheel-dir "$built" "$built/source"
    wheel=$(echo "$built"/mien-*.whl)
}

choose_constraints() {
    constraints=$source/constraints.txt
    # picamera2 of bookworm is built on NumPy 1.24 and does not import under 2.
    local theirs
    theirs=$("$python" -c 'import importlib.metadata as m; print(m.version("numpy"))' 2>/dev/null || true)
    if [ "$camera" = pi ] && [ "${theirs%%.*}" = 1 ]; then
        constraints=$source/constraints-bookworm.txt
        say "NumPy stays $theirs, for the system's picamera2"
    fi
}

install_wheel() {
    local name
    name=$(basename "$wheel")
    say "installing $name${extras:+ with $extras} (some 100 MB the first time)"
    pip install --quiet --only-binary=:all: --constraint "$constraints" "$wheel${extras:+[$extras]}"
    # The same version may have another content.
    pip install --quiet --no-deps --no-index --force-reinstall "$wheel"
    mkdir -p "$bin"
    ln -sfn "$venv/bin/mien" "$bin/mien"
    say "$bin/mien is $("$venv/bin/python" -c 'import importlib.metadata as m; print("mien", m.version("mien"))')"
}

# --- and away -------------------------------------------------------------------------------------

remove() {
    if [ -e "$root/etc/systemd/system/mien.service" ] && [ -x "$venv/bin/mien" ]; then
        "$venv/bin/mien" service uninstall
    fi
    if [ "$(readlink "$bin/mien" 2>/dev/null)" = "$venv/bin/mien" ]; then rm -f "$bin/mien"; fi
    if [ -d "$venv" ]; then
        rm -rf "$venv"
        say "removed $venv"
    else
        say "there was no $venv"
    fi
    rmdir "$prefix" 2>/dev/null || true
    say "apt's packages, /etc/mien.toml and /var/lib/mien stay as they are"
}

if [ -n "$uninstall" ]; then
    if [ -e "$prefix" ]; then may_write "$prefix"; fi
    remove
    exit 0
fi
check_machine
[ -x "$python" ] || python=$(command -v "$python") || refuse "there is no $python: sudo apt install python3."
"$python" -c 'import sys; sys.exit(not (3, 10) <= sys.version_info[:2] <= (3, 13))' 2>/dev/null ||
    refuse "$python is $("$python" --version 2>&1 || true), and Mien needs Python 3.10 to 3.13."
may_write "$venv"
may_write "$bin/mien"
choose_camera
install_packages
make_environment
find_wheel
choose_constraints
install_wheel
if [ -n "$service" ]; then "$venv/bin/mien" service install; fi
echo
if "$venv/bin/mien" doctor; then
    echo
    echo "ready: mien run"
else
    echo
    echo "mien: it is installed, and the lines with FAIL say what still stands in the way." >&2
    exit 1
fi
