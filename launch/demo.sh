#!/usr/bin/env bash
# Sets everything up in .venv, trains the demo in a new folder runs/demo-<n> and evaluates its newest checkpoint.
# Environment, data and compiled programs are kept for the next time. Arguments go to the training:
#     bash launch/demo.sh --config.num_epochs=3
set -euo pipefail
cd "$(dirname "$0")/.."

for argument; do
    if [[ $argument == --workdir || $argument == --workdir=* ]]; then
        echo "error: $argument: the demo chooses its folder, runs/demo-<n>; for another use rgbd_jax.main" >&2
        exit 2
    fi
done

bash launch/environment.sh

n=1
while [[ -e runs/demo-$n ]]; do n=$((n + 1)); done
run=runs/demo-$n

.venv/bin/python -m rgbd_jax.main --config=configs/demo.py --workdir="$run" "$@"
.venv/bin/python -m rgbd_jax.main --mode=eval --workdir="$run"
echo "the run, with its checkpoints and logs: $run"
echo "metrics, scores, errors and confusion matrix: $run/eval"
