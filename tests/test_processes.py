"""Several real processes on this machine, which talk over gloo, train and evaluate as one."""

import json
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import time

import numpy as np
import pytest
from data.faulty_records import cut, rewrite
from run_folder import rows

from rgbd_jax import processes
from rgbd_jax.errors import OutsideError, UserError
from rgbd_jax.processes import SECONDS_OF_SILENCE, Job, watch
from rgbd_jax.report.scores import read_scores
from rgbd_jax.training.checkpoint import load_weights, saved_shapes
from rgbd_jax.training.checkpoint_folders import resolve
from rgbd_jax.training.sharding import make_mesh, replicated

# With this seed no value comes so near to 0 that rounding decides whether a ReLU lets it through, upon which
# runs that differ in nothing else would part.
SMALL = [
    "--config=configs/demo.py:debug",
    "--config.seed=2",
    "--config.model.name=baseline_gcn",
    "--config.batch_size=8",
    "--config.eval_batch_size=6",
    "--config.data.limit=32",
    "--config.num_epochs=3",
    "--config.checkpoint_every=2",
]


@pytest.fixture(scope="module")
def start(synthetic_data):
    """Starts `rgbd_jax.main` with a number of devices in each process."""

    def start(*arguments, devices=1):
        return subprocess.Popen(
            [sys.executable, "-m", "rgbd_jax.main", *arguments],
            env=os.environ | {"JAX_NUM_CPU_DEVICES": str(devices)},
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    def start_training(workdir, *arguments, devices=1):
        data = f"--config.data.data_dir={synthetic_data}"
        return start(*SMALL, data, f"--workdir={workdir}", *arguments, devices=devices)

    start.training = start_training
    return start


def finish(process, status=0, timeout=300):
    output, messages = process.communicate(timeout=timeout)
    assert process.returncode == status, messages
    return output, messages


@pytest.fixture(scope="module")
def one_with_two_devices(start, tmp_path_factory):
    workdir = tmp_path_factory.mktemp("runs") / "one"
    finish(start.training(workdir, devices=2))
    return workdir


@pytest.fixture(scope="module")
def two_processes(start, tmp_path_factory):
    """Of which each holds half of the parameters."""
    workdir = tmp_path_factory.mktemp("runs") / "two"
    _, messages = finish(start.training(workdir, "--processes=2", "--config.fsdp=2"))
    assert messages.count("epoch 3  step 12/12") == 1  # one of them speaks
    return workdir


def weights(run):
    checkpoint = resolve(run)
    import jax

    return load_weights(checkpoint, *saved_shapes(checkpoint), replicated(make_mesh(jax.devices()[:1])))


def assert_same_run(found, expected):
    for row, other in zip(rows(found), rows(expected), strict=True):
        assert [row.pop(name) for name in ("kind", "split")] == [
            other.pop(name) for name in ("kind", "split")
        ]
        assert row == pytest.approx(other, rel=1e-4, abs=1e-5)
    import jax

    jax.tree.map(
        lambda a, b: np.testing.assert_allclose(a, b, rtol=1e-4, atol=1e-5), weights(found), weights(expected)
    )


def test_two_processes_train_what_one_with_two_devices_trains(two_processes, one_with_two_devices):
    assert_same_run(two_processes, one_with_two_devices)
    (session,) = (json.loads(line) for line in (two_processes / "sessions.jsonl").read_text().splitlines())
    assert (session["processes"], session["device"]) == (2, "2 x cpu")


def test_two_processes_evaluate_every_sample_once(start, two_processes, synthetic_data, tmp_path):
    """32 samples in batches of 6: the last one is padded, in one process only. One sample, of those that the
    second process reads, is faulty."""
    run, data = tmp_path / "run", tmp_path / "data"
    shutil.copytree(two_processes, run)
    shutil.copytree(synthetic_data, data)
    rewrite(data / "synthetic" / "1.0.0", "test", {4: cut})
    skipping = [f"--config.data.{key}" for key in (f"data_dir={data}", "on_error=skip", "max_unreadable=0.1")]
    scores, skipped = [], []
    for arguments in ([], ["--processes=2"]):
        output, messages = finish(start("--mode=eval", f"--workdir={run}", *skipping, *arguments))
        assert re.findall(r"top-1 .* of 31 samples", output)
        assert messages.count("the clip is left out") == 1
        scores.append(read_scores(run / "eval" / "scores.npz"))
        skipped.append(json.loads((run / "eval" / "metrics.json").read_text())["skipped_ids"])
    assert skipped == [["record 4 of test"]] * 2
    alone, together = scores
    np.testing.assert_array_equal(together.ids, alone.ids)
    np.testing.assert_array_equal(together.labels, alone.labels)
    np.testing.assert_allclose(together.logits, alone.logits, rtol=1e-4, atol=1e-4)


def wait_for_session(workdir, number, *processes):
    """Until the training is about to begin, or to go on, for this time."""
    path, deadline = workdir / "sessions.jsonl", time.monotonic() + 240
    while not path.exists() or path.read_text().count("\n") < number:
        for process in processes:
            assert process.poll() is None, process.communicate()[1]
        assert time.monotonic() < deadline
        time.sleep(0.02)


def start_both(start, workdir):
    """As on two machines: each with a parent of its own."""
    job = Job.asked_for(None, 2, None)
    meeting = f"--coordinator={job.coordinator}", "--processes=2"
    return [start.training(workdir, *meeting, f"--process={index}") for index in (0, 1)]


@pytest.fixture(scope="module")
def stopped(start, tmp_path_factory):
    """A run of which the second process was asked to stop."""
    workdir = tmp_path_factory.mktemp("runs") / "stopped"
    both = start_both(start, workdir)
    wait_for_session(workdir, 1, *both)
    both[1].send_signal(signal.SIGTERM)
    for process, says in zip(both, (1, 0), strict=True):
        _, messages = finish(process, status=143)
        assert messages.count("stopped and saved after step") == says
    return workdir


@pytest.mark.parametrize("lost", [pytest.param(0, marks=pytest.mark.slow), 1])
def test_when_one_is_killed_the_other_ends_with_a_message_and_both_go_on(
    start, stopped, two_processes, tmp_path, lost
):
    workdir = tmp_path / "run"
    shutil.copytree(stopped, workdir)
    both = start_both(start, workdir)
    wait_for_session(workdir, 2, *both)
    both[lost].kill()
    killed = time.monotonic()
    _, messages = finish(both[1 - lost], status=3, timeout=SECONDS_OF_SILENCE + 30)
    assert time.monotonic() - killed < 60
    last = messages.splitlines()[-1]
    assert last.startswith(f"error: process {1 - lost} of 2") and "lost" in last
    assert re.search(r"the last checkpoint is of step \d+; the same commands go on there$", last)
    both[lost].communicate()

    for process in start_both(start, workdir):
        finish(process)
    assert_same_run(workdir, two_processes)


def test_a_mistake_that_only_the_first_can_see_ends_all(start, tmp_path):
    (tmp_path / "run").mkdir()
    (tmp_path / "run" / "thesis.txt").write_text("mine")
    _, messages = finish(start.training(tmp_path / "run", "--processes=2"), status=2)
    assert messages.count("error:") == 1
    assert (
        messages.splitlines()[-1]
        == f"error: {tmp_path / 'run'}: is no run and not empty; choose another --workdir"
    )


# In place of `rgbd_jax.main`: carries out the lines that it is given, as the process `index` of two.
WORKER = """
import sys, time
from pathlib import Path
from rgbd_jax import processes
from rgbd_jax.command import run_command
from rgbd_jax.errors import OutsideError, Preempted, UserError

processes.SECONDS_TO_AGREE = 2

def main(argv):
    coordinator, _, index = (flag.partition("=")[2] for flag in argv[-3:])
    index = int(index)
    exec(argv[0], globals() | dict(index=index, job=processes.Job(coordinator, 2, index)))

run_command(main)
"""


@pytest.fixture
def workers(monkeypatch, capfd):
    """Watches workers that carry out some lines; returns the lines of all that begin with `error: `."""

    def run(lines, job=None, status=None):
        monkeypatch.setattr(processes, "_PROGRAM", ("-c", WORKER, lines))
        with pytest.raises(SystemExit) as ended:
            watch(job or Job.asked_for(None, 2, None), [], None)
        assert ended.value.code == status
        return [line for line in capfd.readouterr().err.splitlines() if line.startswith(("error: ", "SIGT"))]

    return run


def test_who_ends_later_than_the_first_after_a_common_stop_is_not_lost(workers):
    lines = """
with processes.joined(job, Path("run")):
    time.sleep(3 * index)
    raise Preempted("SIGTERM: stopped")
"""
    assert workers(lines, status=143) == ["SIGTERM: stopped"]


def test_what_each_meets_is_said_by_each(workers):
    lines = """
with processes.joined(job, None):
    raise OutsideError(f"disk {index} is full")
"""
    assert sorted(workers(lines, status=3)) == ["error: disk 0 is full", "error: disk 1 is full"]


def test_who_waits_for_one_that_has_ended_is_ended(workers, monkeypatch):
    monkeypatch.setattr(processes, "SECONDS_TO_END", 120)
    started = time.monotonic()
    assert workers("time.sleep(1 if index else 120)\nraise UserError('no')", status=2) == ["error: no"]
    assert time.monotonic() - started < 60


@pytest.mark.parametrize("index", [0, 1])
def test_others_that_do_not_come_are_named_by_where_they_should(workers, index):
    job = Job(Job.asked_for(None, 2, None).coordinator, 2, index)
    words = (
        f"process {index} of 2 did not meet the others at {job.coordinator}: .* s without them; nothing was"
    )
    with pytest.raises(OutsideError, match=words):
        workers("processes.SECONDS_TO_MEET = 1\nwith processes.joined(job, None): pass", job)


def test_a_port_that_is_taken_is_named():
    with socket.create_server(("", 0)) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(
            UserError, match=f"--coordinator=node1:{port}: process 0 cannot take port {port} "
        ):
            processes._check_port(f"node1:{port}")
    processes._check_port(f"node1:{port}")


@pytest.mark.parametrize(
    "flags, message",
    [
        ((None, None, 1), "--process=1: needs --processes=N"),
        (("node:1", None, None), "--coordinator=node:1: needs --processes=N"),
        ((None, 0, None), "--processes=0: must be 1 or more"),
        ((None, 2, 0), "--process: needs --coordinator too"),
        (("node:1", 2, None), "--coordinator: needs --process too"),
        (("node:1", 2, 2), "--process=2: allowed is 0 to 1"),
        (("node", 2, 0), "--coordinator=node: must be HOST:PORT"),
        (("node:port", 2, 0), "--coordinator=node:port: must be HOST:PORT"),
        (("node:99999", 2, 0), "--coordinator=node:99999: must be HOST:PORT"),
    ],
)
def test_flags_that_do_not_fit_together_are_named(flags, message):
    with pytest.raises(UserError) as caught:
        Job.asked_for(*flags)
    assert str(caught.value).startswith(message)


def test_without_flags_there_is_no_job():
    assert Job.asked_for(None, None, None) is None
