#!/bin/sh
# Makes the virtual environment where it is missing, or says in one sentence why it cannot.
#     scripts/venv.sh PYTHON FOLDER [options of venv]
set -eu
python=$1
folder=$2
shift 2

refuse() {
    echo "mien: $*" >&2
    exit 2
}

if [ -e "$folder" ]; then
    python=$folder/bin/python
    "$python" -c '' 2>/dev/null || refuse "$folder holds no working Python: run 'make clean' and try again."
fi
command -v "$python" >/dev/null || refuse "there is no $python: install Python 3.10 to 3.13, or name one: make setup PYTHON=python3.12"
"$python" -c 'import sys; sys.exit(not (3, 10) <= sys.version_info[:2] <= (3, 13))' ||
    refuse "$python is $("$python" --version 2>&1), and Mien needs Python 3.10 to 3.13: name one: make setup PYTHON=python3.12"
"$python" -c 'import sys; sys.exit(sys.maxsize < 2**32)' ||
    refuse "$python is a 32-bit Python, for which the TFLite interpreter has no wheels: install the 64-bit Raspberry Pi OS."
[ -e "$folder" ] && exit 0
"$python" -c 'import ensurepip, venv' 2>/dev/null ||
    refuse "$python cannot make virtual environments: install its venv module (Debian, Raspberry Pi OS: sudo apt install python3-venv)."
"$python" -m venv "$@" "$folder"
