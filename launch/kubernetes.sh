#!/usr/bin/env bash
# Starts a training or an evaluation on Kubernetes, as a JobSet: one process on each machine, with all of its GPUs.
#     bash launch/kubernetes.sh [--print] --name=NAME --image=IMAGE --machines=4 [--gpus=8] [--claim=CLAIM] [--restarts=10] \
#         -- --config=configs/X.py --workdir=/shared/runs/X --config.data.data_dir=/shared/data
# IMAGE holds this checkout with its .venv as working folder; CLAIM is a volume for data and runs, mounted at /shared.
# --print prints the JobSet instead of giving it to kubectl. When a machine is lost all processes are started again,
# so many times at most, and go on from the last checkpoint; after a mistake of the user (status 2) they are not.
set -euo pipefail
cd "$(dirname "$0")/.."

fail() {
    echo "error: $1; usage: bash launch/kubernetes.sh [--print] --name=NAME --image=IMAGE --machines=N [--gpus=8] [--claim=CLAIM] [--restarts=10] -- ARGUMENTS of rgbd_jax.main" >&2
    exit 2
}

print="" name="" image="" machines="" gpus=8 claim="" restarts=10
while (($#)) && [[ $1 != -- ]]; do
    case $1 in
        --print) print=yes ;;
        --name=* | --image=* | --machines=* | --gpus=* | --claim=* | --restarts=*)
            option=${1%%=*}
            printf -v "${option#--}" %s "${1#*=}"
            ;;
        *) fail "unknown option $1" ;;
    esac
    shift
done
(($#)) || fail "no -- before the arguments of rgbd_jax.main"
shift
for option in name image machines; do
    [[ ${!option} ]] || fail "--$option is missing"
done
for option in machines gpus restarts; do
    [[ ${!option} =~ ^[0-9]+$ ]] || fail "--$option=${!option}: must be a number"
done
for text in "$image" "$claim" "$@"; do
    [[ $text != *[[:cntrl:]]* ]] || fail "$(printf %q "$text"): must have no line breaks or other control characters"
done
[[ $name =~ ^[a-z]([-a-z0-9]*[a-z0-9])?$ ]] || fail "--name=$name: must be small letters, digits and -"

# A string of JSON, which is one of YAML too. Kubernetes puts variables in place of $(NAME), but not of $$(NAME).
quoted() {
    local text=${1//\\/\\\\}
    text=${text//\"/\\\"}
    printf '"%s"' "${text//\$(/\$\$(}"
}

job_set() {
    cat <<YAML
apiVersion: jobset.x-k8s.io/v1alpha2
kind: JobSet
metadata:
  name: $name
spec:
  failurePolicy:
    maxRestarts: $restarts
    rules:
      - name: mistake
        action: FailJobSet
        onJobFailureReasons: [PodFailurePolicy]
  replicatedJobs:
    - name: machine
      replicas: 1
      template:
        spec:
          parallelism: $machines
          completions: $machines
          completionMode: Indexed
          backoffLimit: 0
          podFailurePolicy:
            rules:
              - action: FailJob
                onExitCodes: {operator: In, values: [2]}
          template:
            spec:
              restartPolicy: Never
              terminationGracePeriodSeconds: 120
              containers:
                - name: rgbd-jax
                  image: $(quoted "$image")
                  command:
                    - bash
                    - -c
                    - >-
                      exec .venv/bin/python -m rgbd_jax.main "\$@" --coordinator=$name-machine-0-0.$name:1234
                      --processes=$machines --process="\$JOB_COMPLETION_INDEX"
                    - rgbd_jax
$(for argument; do echo "                    - $(quoted "$argument")"; done)
                  ports:
                    - containerPort: 1234
                  resources:
                    limits: {nvidia.com/gpu: $gpus}
                  volumeMounts:
                    - {name: memory, mountPath: /dev/shm}
$([[ ! $claim ]] || echo "                    - {name: shared, mountPath: /shared}")
              volumes:
                - {name: memory, emptyDir: {medium: Memory}}
$([[ ! $claim ]] || echo "                - {name: shared, persistentVolumeClaim: {claimName: $(quoted "$claim")}}")
YAML
}

if [[ $print ]]; then
    job_set "$@"
else
    job_set "$@" | kubectl apply -f -
fi
