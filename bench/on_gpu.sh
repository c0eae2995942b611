#!/usr/bin/env bash
# Measures on one GPU what docs/performance.md has no figures of yet, in at most a quarter of an hour: where checkouts
# are named, the published programs beside ours in mixed precision; training in bfloat16 of GAP and of I3DWTrans; the
# time to the first step with programs that were compiled before. Figures and messages go to OUT.
#     bash bench/on_gpu.sh OUT [GAP_CHECKOUT MOTIONRGBD_CHECKOUT]
# Needs the extras gpu and torch, and for the published programs einops, scipy and pillow.
# PYTHON=/path/to/python chooses the interpreter, .venv/bin/python if not given; JAX_COMPILATION_CACHE_DIR=DIR keeps
# the compiled programs there, for a second try.
set -uo pipefail
out=$(realpath -m "${1:?the folder for the figures is missing}")
gap=${2:+$(realpath "$2")} motion=${3:+$(realpath "$3")}
cd "$(dirname "$0")/.."
python=${PYTHON:-.venv/bin/python}
mkdir -p "$out"
export JAX_PLATFORMS=${JAX_PLATFORMS:-cuda} PYTHONPATH=.${PYTHONPATH:+:$PYTHONPATH}
export JAX_COMPILATION_CACHE_DIR JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS=0
if [[ ! ${JAX_COMPILATION_CACHE_DIR:-} ]]; then
    JAX_COMPILATION_CACHE_DIR=$(mktemp -d)
    trap 'rm -rf "$JAX_COMPILATION_CACHE_DIR"' EXIT
fi
failed=0

measure() { # NAME COMMAND...: what it prints, and how long it took, goes to NAME.txt
    local name=$1 begun=$SECONDS
    shift
    echo "== $name: $*"
    timeout 240 "$python" "$@" >"$out/$name.txt" 2>&1 || { failed=1; echo "$name failed, see $out/$name.txt"; }
    echo "$((SECONDS - begun)) s from start to end" >>"$out/$name.txt"
    tail -n 16 "$out/$name.txt"
}

bench() { # NAME CONFIG KEYS...
    local name=$1 config=$2
    shift 2
    measure "$name" -m rgbd_jax.bench --config="$config" --json="$out/$name.json" --config.dtype=bfloat16 "$@"
}

gap_config=configs/gap/ntu60_xsub.py:joint
i3d_config=configs/rgbd/ntu_cs.py:rgb

if [[ $gap && $motion ]]; then
    measure compare_gap bench/compare_gap.py --original="$gap" --mixed --batch_size=64 --rounds=20 \
        --json="$out/compare_gap.json"
    measure compare_i3dwtrans bench/compare_i3dwtrans.py --original="$motion" --mixed --batch_size=8 --rounds=10 \
        --json="$out/compare_i3dwtrans.json"
fi
bench gap_64 $gap_config --steps=30 --config.batch_size=64
# The second start finds all programs compiled.
bench gap_64_first_step $gap_config --steps=30 --config.batch_size=64
bench i3dwtrans_32 $i3d_config --steps=10 --config.batch_size=32
bench gap_512 $gap_config --steps=30 --config.batch_size=512
exit $failed
