"""The launchers of several machines, on stand-ins for the programs that start processes elsewhere."""

import os
import subprocess

import pytest
import yaml
from test_launch import ROOT, Checkout

MAIN = ["--config=configs/demo.py", "--workdir=runs/my run"]

# Each runs what it is given as the real one would, here.
STAND_INS = {
    # The connection's options, the host, the command.
    "ssh": 'echo "$1 $2 $3 $4" >>hosts.txt; exec bash -c "${@: -1}"',
    "sbatch": "cat >batch.sh; SLURM_JOB_ID=20007 SLURM_JOB_NODELIST='node[3-4]' exec bash batch.sh",
    "scontrol": '[[ $1 == requeue ]] && echo "$*" >>requeued.txt || printf "node3\\nnode4\\n"',
    "srun": """while [[ $1 == -* ]]; do shift; done
status=0
for i in 0 1; do SLURM_NTASKS=2 SLURM_PROCID=$i "$@" || status=$?; done
exit ${SRUN_STATUS:-$status}""",
    "kubectl": 'echo "$*" >kubectl.txt; cat >job_set.yaml',
}


@pytest.fixture
def checkout(tmp_path):
    """A checkout whose environment is made, with the stand-ins before all other programs."""
    made = Checkout(tmp_path)
    made.run("launch/environment.sh")
    (tmp_path / "bin").mkdir()
    for name, body in STAND_INS.items():
        (tmp_path / "bin" / name).write_text(f"#!/usr/bin/env bash\n{body}\n")
        (tmp_path / "bin" / name).chmod(0o755)
    return made


def launch(checkout, script, *arguments, **environment):
    path = f"{checkout.folder / 'bin'}:{os.environ['PATH']}"
    return checkout.run(f"launch/{script}.sh", *arguments, PATH=path, **environment)


def output(script, *arguments):
    ended = subprocess.run(
        ["bash", ROOT / "launch" / f"{script}.sh", *arguments], capture_output=True, text=True
    )
    assert (ended.returncode, ended.stderr) == (0, "")
    return ended.stdout


def calls_of(coordinator):
    return [
        f"rgbd_jax.main {' '.join(MAIN)} --coordinator={coordinator} --processes=2 --process={index}"
        for index in (0, 1)
    ]


def test_hosts_are_given_one_process_each(checkout):
    status, _, calls = launch(checkout, "hosts", "--port=77", "me@one", "two", "--", *MAIN)
    assert (status, sorted(calls)) == (0, calls_of("one:77"))
    assert sorted((checkout.folder / "hosts.txt").read_text().splitlines()) == [
        "-tt -o BatchMode=yes me@one",
        "-tt -o BatchMode=yes two",
    ]


def test_a_host_that_fails_gives_its_status(checkout):
    (checkout.folder / ".venv" / "bin" / "python").write_text(
        "#!/usr/bin/env bash\nfor last; do :; done; [[ $last == --process=0 ]] || exit 3\n"
    )
    assert launch(checkout, "hosts", "one", "two", "--", *MAIN)[0] == 3


def test_a_batch_job_of_slurm_is_one_process_a_machine(checkout):
    status, _, calls = launch(checkout, "slurm", "--nodes=2", "--time=1:00:00", "--", *MAIN)
    assert (status, calls) == (0, calls_of("node3:20007"))
    batch = (checkout.folder / "batch.sh").read_text().splitlines()
    assert {"#SBATCH --nodes=2", "#SBATCH --time=1:00:00", "#SBATCH --signal=TERM@120"} <= set(batch)
    assert not (checkout.folder / "requeued.txt").exists()


@pytest.mark.parametrize("status, queued_again", [(143, True), (3, False)])
def test_a_job_that_was_stopped_with_its_state_saved_is_queued_again(checkout, status, queued_again):
    assert launch(checkout, "slurm", "--nodes=2", "--", *MAIN, SRUN_STATUS=str(status))[0] == status
    requeued = checkout.folder / "requeued.txt"
    assert requeued.exists() == queued_again
    assert not queued_again or requeued.read_text() == "requeue 20007\n"


def pod_of(job_set):
    (job,) = job_set["spec"]["replicatedJobs"]
    return job["template"]["spec"], job["template"]["spec"]["template"]["spec"]


def test_a_job_set_runs_the_command_with_each_index(checkout):
    options = ["--name=ntu", "--image=registry/rgbd:1", "--machines=2", "--gpus=4", "--claim=data"]
    arguments = [*MAIN, '--config.text.prompts=a "quoted" \\ $(HOME) file.txt']
    assert launch(checkout, "kubernetes", *options, "--", *arguments)[0] == 0
    assert (checkout.folder / "kubectl.txt").read_text() == "apply -f -\n"
    written = (checkout.folder / "job_set.yaml").read_text()
    assert written == output("kubernetes", "--print", *options, "--", *arguments)

    job_set = yaml.safe_load(written)
    job, pod = pod_of(job_set)
    assert (job["parallelism"], job["completions"], job["backoffLimit"]) == (2, 2, 0)
    assert job_set["spec"]["failurePolicy"]["maxRestarts"] == 10
    (rule,) = job["podFailurePolicy"]["rules"]
    assert rule == {"action": "FailJob", "onExitCodes": {"operator": "In", "values": [2]}}
    (container,) = pod["containers"]
    assert container["image"] == "registry/rgbd:1"
    assert container["resources"] == {"limits": {"nvidia.com/gpu": 4}}
    assert {mount["mountPath"] for mount in container["volumeMounts"]} == {"/dev/shm", "/shared"}
    # As the container would run it, after Kubernetes has turned $$( into $(.
    command = [word.replace("$$(", "$(") for word in container["command"]]
    calls = checkout.folder / "calls.txt"
    calls.write_text("")
    environment = os.environ | {"JOB_COMPLETION_INDEX": "1"}
    subprocess.run(command, cwd=checkout.folder, env=environment, check=True)
    last = "--coordinator=ntu-machine-0-0.ntu:1234 --processes=2 --process=1"
    assert calls.read_text() == f"rgbd_jax.main {' '.join(arguments)} {last}\n"


def test_without_a_claim_nothing_is_mounted():
    written = output("kubernetes", "--print", "--name=a", "--image=b", "--machines=1", "--", *MAIN)
    _, pod = pod_of(yaml.safe_load(written))
    assert [volume["name"] for volume in pod["volumes"]] == ["memory"]


@pytest.mark.parametrize(
    "script, options",
    [
        ("hosts", ["one", "two"]),
        ("slurm", ["--nodes=2"]),
        ("kubernetes", ["--name=a", "--image=b", "--machines=2"]),
    ],
)
def test_printing_starts_nothing(checkout, script, options):
    before = sorted(checkout.folder.rglob("*"))
    status, _, calls = launch(checkout, script, "--print", *options, "--", *MAIN)
    assert (status, calls, sorted(checkout.folder.rglob("*"))) == (0, [], before)


def test_what_is_printed_for_hosts_and_slurm_is_for_a_shell():
    for text in (output("hosts", "--print", "a", "b", "--", *MAIN), output("slurm", "--print", "--", *MAIN)):
        subprocess.run(["bash", "-n"], input=text, text=True, check=True)
        assert "--workdir=runs/my\\ run" in text


@pytest.mark.parametrize(
    "script, arguments, message",
    [
        ("hosts", MAIN, "unknown option --config=configs/demo.py"),
        ("hosts", ["--", *MAIN], "no host is named"),
        ("hosts", ["one"], "no -- before the arguments"),
        ("slurm", ["--nodes=2"], "no -- before the arguments"),
        ("slurm", ["--nodes", "2", "--", *MAIN], "--nodes: options of sbatch are written --name=value"),
        ("kubernetes", ["--image=a", "--machines=2", "--", *MAIN], "--name is missing"),
        ("kubernetes", ["--name=a", "--image=b", "--machines=two", "--"], "--machines=two: must be a number"),
        (
            "kubernetes",
            ["--name=A b", "--image=b", "--machines=2", "--"],
            "--name=A b: must be small letters",
        ),
        (
            "kubernetes",
            ["--name=a", "--image=b", "--machines=2", "--", "--workdir=runs/a\nb"],
            "$'--workdir=runs/a\\nb': must have no line breaks",
        ),
    ],
)
def test_mistakes_start_nothing(checkout, script, arguments, message):
    status, stderr, calls = launch(checkout, script, *arguments)
    assert (status, calls) == (2, [])
    assert stderr.startswith(f"error: {message}") and stderr.count("\n") == 1
