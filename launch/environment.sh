#!/usr/bin/env bash
# Makes the virtual environment .venv, or completes it: the package from this checkout, at the versions of
# requirements.txt, with the extras of pyproject.toml that are named as arguments (dev, torch, gpu).
# Installs nothing if that has been done before and neither file has changed since.
# PYTHON=/path/to/python chooses the interpreter of a new environment.
set -euo pipefail
cd "$(dirname "$0")/.."

new_enough() {
    "$1" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null
}

if ! new_enough .venv/bin/python; then
    for python in ${PYTHON:-python3 python3.13 python3.12 python3.11}; do
        new_enough "$python" && break
        python=""
    done
    if [[ -z $python ]]; then
        echo "error: Python 3.11 or newer is needed; found: $("${PYTHON:-python3}" --version 2>&1 || true)" >&2
        exit 2
    fi
    "$python" -m venv --clear .venv
fi

# One stamp for each extra: what has been installed for the tests also serves the demo.
version=$(cat requirements.txt pyproject.toml | .venv/bin/python -c 'import hashlib, sys; print(hashlib.sha256(sys.stdin.buffer.read()).hexdigest())')
missing=()
for part in package "$@"; do
    [[ $(cat ".venv/installed-$part" 2>/dev/null) == "$version" ]] || missing+=("$part")
done

if ((${#missing[@]})); then
    echo "installing into .venv: ${missing[*]} (once; takes a minute or more)" >&2
    extras=$(IFS=,; echo "$*")
    # Not compiled ahead: Python compiles what it imports, and the rest would take another 150 MB.
    .venv/bin/python -m pip install -qq --no-compile --disable-pip-version-check \
        --constraint requirements.txt --editable ".${extras:+[$extras]}" || {
        echo "error: the installation into .venv failed, see above; start again to go on" >&2
        exit 3
    }
    # TensorFlow Datasets names pyarrow, 170 MB, among its needs, for Parquet files alone; our records are not.
    .venv/bin/python -m pip uninstall -qq --yes --disable-pip-version-check pyarrow
    for part in "${missing[@]}"; do
        echo "$version" >".venv/installed-$part"
    done
fi
