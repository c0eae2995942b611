"""Several real processes on this machine, which talk over gloo, train and evaluate as one."""

import json
import os
import re
import shutil
import signal
import subprocess
import sys
import time

import numpy as np
import pytest
from run_folder import rows

from rgbd_jax.errors import UserError
from rgbd_jax.processes import SECONDS_OF_SILENCE, Job
from rgbd_jax.report.scores import read_scores
from rgbd_jax.training.checkpoint import load_weights, saved_shapes
from rgbd_jax.training.checkpoint_folders import resolve
from rgbd_jax.training.sharding import make_mesh, replicated

SMALL = [
    "--config=configs/demo.py:debug",
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
    workdir = tmp_path_factory.mktemp("runs") / "two"
    _, messages = finish(start.training(workdir, "--processes=2"))
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


def test_two_processes_evaluate_every_sample_once(start, two_processes, tmp_path):
    """32 samples in batches of 6: the last one is padded, in one process only."""
    run = tmp_path / "run"
    shutil.copytree(two_processes, run)
    scores = []
    for arguments in ([], ["--processes=2"]):
        output, _ = finish(start("--mode=eval", f"--workdir={run}", *arguments))
        assert re.findall(r"top-1 .* of 32 samples", output)
        scores.append(read_scores(run / "eval" / "scores.npz"))
    alone, together = scores
    np.testing.assert_array_equal(together.ids, alone.ids)
    np.testing.assert_array_equal(together.labels, alone.labels)
    np.testing.assert_allclose(together.logits, alone.logits, rtol=1e-4, atol=1e-4)


def wait_for_checkpoint(workdir, step, *processes):
    deadline = time.monotonic() + 240
    while time.monotonic() < deadline:
        for process in processes:
            assert process.poll() is None, process.communicate()[1]
        if any((workdir / "checkpoints" / str(n) / "commit_success.txt").exists() for n in range(step, 13)):
            return
        time.sleep(0.02)
    raise AssertionError(f"no checkpoint of step {step} appeared")


def test_when_one_is_killed_the_other_ends_with_a_message_and_both_go_on(start, two_processes, tmp_path):
    workdir, job = tmp_path / "run", Job.asked_for(None, 2, None)

    def start_both():
        meeting = f"--coordinator={job.coordinator}", "--processes=2"
        return [start.training(workdir, *meeting, f"--process={index}") for index in (0, 1)]

    both = start_both()
    wait_for_checkpoint(workdir, 2, *both)
    both[1].kill()
    killed = time.monotonic()
    _, messages = finish(both[0], status=3, timeout=SECONDS_OF_SILENCE + 30)
    assert time.monotonic() - killed < 60
    last = messages.splitlines()[-1]
    assert last.startswith("error: process 0 of 2") and "lost" in last
    assert re.search(r"the last checkpoint is of step \d+; the same commands go on there$", last)
    both[1].communicate()

    for process in start_both():
        finish(process)
    assert_same_run(workdir, two_processes)


def test_both_save_and_stop_when_one_is_asked_to(start, two_processes, tmp_path):
    workdir = tmp_path / "run"
    process = start.training(workdir, "--processes=2", "--config.num_epochs=3")
    wait_for_checkpoint(workdir, 2, process)
    process.send_signal(signal.SIGTERM)
    _, messages = finish(process, status=143)
    assert "stopped and saved after step" in messages.splitlines()[-1]
    finish(start.training(workdir, "--processes=2"))
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
