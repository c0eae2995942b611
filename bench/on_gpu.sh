#!/usr/bin/env bash
# Measures on one GPU what docs/performance.md asks of it, in about ten minutes: training in bfloat16 of GAP and of
# I3DWTrans, the time to the first step with programs that were compiled before, and, where checkouts are named, the
# published programs beside ours in mixed precision. Figures and messages go to OUT.
#     bash bench/on_gpu.sh OUT [GAP_CHECKOUT MOTIONRGBD_CHECKOUT]
# PYTHON=/path/to/python chooses the interpreter, .venv/bin/python if not given.
set -uo pipefail
out=$(realpath -m "${1:?the folder for the figures is missing}")
gap=${2:+$(realpath "$2")} motion=${3:+$(realpath "$3")}
cd "$(dirname "$0")/.."
python=${PYTHON:-.venv/bin/python}
mkdir -p "$out"
export JAX_COMPILATION_CACHE_DIR=${JAX_COMPILATION_CACHE_DIR:-$out/compiled} JAX_PLATFORMS=${JAX_PLATFORMS:-cuda} PYTHONPATH=.

measure() { # NAME COMMAND...: what it prints, and how long it took, goes to NAME.txt
    local name=$1 begun=$SECONDS
    shift
    echo "== $name: $*"
    "$python" "$@" >"$out/$name.txt" 2>&1 || echo "$name failed, see $out/$name.txt"
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

for batch_size in 64 256 1024; do
    bench "gap_$batch_size" $gap_config --steps=30 --config.batch_size=$batch_size
done
# A second start finds all programs compiled.
bench gap_first_step $gap_config --steps=1 --config.batch_size=64
for batch_size in 8 32; do
    bench "i3dwtrans_$batch_size" $i3d_config --steps=10 --config.batch_size=$batch_size
done
bench i3dwtrans_64_remat $i3d_config --steps=5 --config.batch_size=64 --config.model.remat=True

if [[ $gap && $motion ]]; then
    for batch_size in 64 256; do
        measure "compare_gap_$batch_size" bench/compare_gap.py --original="$gap" --mixed --batch_size=$batch_size \
            --rounds=20 --json="$out/compare_gap_$batch_size.json"
    done
    measure compare_i3dwtrans bench/compare_i3dwtrans.py --original="$motion" --mixed --batch_size=8 --rounds=10 \
        --json="$out/compare_i3dwtrans.json"
fi
