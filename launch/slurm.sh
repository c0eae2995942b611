#!/usr/bin/env bash
# Submits a training or an evaluation to SLURM: one process on each machine, with all GPUs that it is given there.
#     bash launch/slurm.sh [--print] --nodes=4 --gpus-per-node=8 --time=24:00:00 -- --config=configs/X.py --workdir=runs/X
# What stands before -- goes to sbatch. --print prints the batch script instead of submitting it. Two minutes before
# the time limit, or when the job is to make room for another, the state is saved and the job queued again.
set -euo pipefail
cd "$(dirname "$0")/.."

print=""
options=()
while (($#)) && [[ $1 != -- ]]; do
    case $1 in
        --print) print=yes ;;
        --*=*) options+=("${1%%=*}=$(printf %q "${1#*=}")") ;;
        *)
            echo "error: $1: options of sbatch are written --name=value" >&2
            exit 2
            ;;
    esac
    shift
done
if ((!$#)); then
    echo "error: no -- before the arguments of rgbd_jax.main; usage: bash launch/slurm.sh [--print] [options of sbatch] -- ARGUMENTS" >&2
    exit 2
fi
shift

batch_script() {
    cat <<-'SCRIPT'
	#!/usr/bin/env bash
	#SBATCH --job-name=rgbd_jax
	#SBATCH --ntasks-per-node=1
	#SBATCH --requeue
	#SBATCH --open-mode=append
	#SBATCH --signal=TERM@120
	SCRIPT
    ((${#options[@]} == 0)) || printf '#SBATCH %s\n' "${options[@]}"
    printf 'cd %q\narguments=(' "$PWD"
    printf ' %q' "$@"
    cat <<-'SCRIPT'
	 )
	# Machines that are given out again may still hold the port of the job before.
	export COORDINATOR=$(scontrol show hostnames "$SLURM_JOB_NODELIST" | head -n 1):$((20000 + SLURM_JOB_ID % 20000))
	# When a process is lost the others end by themselves, and say why: no need to kill them.
	srun --ntasks-per-node=1 --kill-on-bad-exit=0 --wait=300 bash -c 'exec .venv/bin/python -m rgbd_jax.main "$@" \
	    --coordinator="$COORDINATOR" --processes="$SLURM_NTASKS" --process="$SLURM_PROCID"' rgbd_jax "${arguments[@]}"
	status=$?
	if ((status == 143)); then scontrol requeue "$SLURM_JOB_ID"; fi
	exit "$status"
	SCRIPT
}

if [[ $print ]]; then
    batch_script "$@"
else
    batch_script "$@" | sbatch
fi
