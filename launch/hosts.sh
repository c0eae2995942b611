#!/usr/bin/env bash
# Trains or evaluates on several machines that see the same folders: starts one process on each over ssh, all GPUs
# of a machine to its process, and waits for all of them. They meet at the first machine.
#     bash launch/hosts.sh [--print] [--port=1234] HOST... -- --config=configs/X.py --workdir=runs/X
# --print prints what would be run on each machine instead, to be started there by hand.
set -euo pipefail
cd "$(dirname "$0")/.."

fail() {
    echo "error: $1; usage: bash launch/hosts.sh [--print] [--port=1234] HOST... -- ARGUMENTS of rgbd_jax.main" >&2
    exit 2
}

print=""
port=1234
hosts=()
while (($#)) && [[ $1 != -- ]]; do
    case $1 in
        --print) print=yes ;;
        --port=*) port=${1#*=} ;;
        -*) fail "unknown option $1" ;;
        *) hosts+=("$1") ;;
    esac
    shift
done
(($#)) || fail "no -- before the arguments of rgbd_jax.main"
((${#hosts[@]})) || fail "no host is named"
shift

command_of() {
    printf 'cd %q && exec .venv/bin/python -m rgbd_jax.main' "$PWD"
    printf ' %q' "${@:2}"
    printf ' --coordinator=%q --processes=%d --process=%d\n' "${hosts[0]##*@}:$port" "${#hosts[@]}" "$1"
}

if [[ $print ]]; then
    for i in "${!hosts[@]}"; do
        echo "# on ${hosts[i]}"
        command_of "$i" "$@"
    done
    exit
fi

started=()
for i in "${!hosts[@]}"; do
    # With a terminal of its own, what runs there ends when the connection does.
    ssh -tt -o BatchMode=yes "${hosts[i]}" "$(command_of "$i" "$@")" </dev/null &
    started+=($!)
done
trap 'kill "${started[@]}" 2>/dev/null' INT TERM
status=0
for process in "${started[@]}"; do
    # Waiting ends early when this script is asked to stop.
    while wait "$process" && ended=0 || ended=$?; kill -0 "$process" 2>/dev/null; do :; done
    ((status)) || status=$ended
done
exit "$status"
