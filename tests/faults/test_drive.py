"""Runs that are broken at random, in processes of their own, and gone on with."""

import contextlib
import random
import signal
import subprocess
import time
from pathlib import Path

import pytest
from drive import GRACE, KINDS, Life, Lost, Result, drive, ended, prepare, start, table

from rgbd_jax.provenance import record_session
from rgbd_jax.training.checkpoint_folders import COMPLETE


@pytest.fixture
def saved_twice(tmp_path):
    """A run with checkpoints of its steps 1 and 2."""
    for step in (1, 2):
        (tmp_path / "checkpoints" / str(step)).mkdir(parents=True)
        (tmp_path / "checkpoints" / str(step) / COMPLETE).touch()
    record_session(tmp_path, 0)
    return Life(tmp_path, tmp_path, random.Random(0), seconds_to_start=0.0)


@pytest.mark.parametrize(("step", "lost"), [(2, False), (1, True), (0, True)])
def test_a_run_that_begins_before_its_newest_checkpoint_is_lost(saved_twice, monkeypatch, step, lost):
    """Its result is that of a run that was left alone: it has only done some steps twice."""

    def begin(data, workdir):
        record_session(workdir, step)
        return subprocess.Popen(["true"], stderr=subprocess.PIPE, text=True)

    monkeypatch.setattr("drive.start", begin)
    said = pytest.raises(Lost, match=f"began after step {step}; there was a checkpoint of step 2")
    with said if lost else contextlib.nullcontext():
        saved_twice.ended(saved_twice.start())


@pytest.mark.parametrize(
    ("said", "lost"),
    [
        ("its logs cannot be written; the last checkpoint is of step 2", False),
        ("config.json: cannot be written; nothing was replaced", False),
        ("its logs cannot be written; the last checkpoint is of step 1", True),
        ("its logs cannot be written; nothing was saved", True),
    ],
)
def test_what_a_full_disk_left_must_be_said(saved_twice, monkeypatch, said, lost):
    def fail(data, workdir, largest_file):
        shell = ["sh", "-c", f"echo 'error: {said}' >&2; exit 3"]
        return subprocess.Popen(shell, stderr=subprocess.PIPE, text=True)

    monkeypatch.setattr("drive.start", fail)
    with pytest.raises(Lost, match="in fact") if lost else contextlib.nullcontext():
        assert saved_twice.fill() == "survived"


@pytest.mark.slow
def test_a_run_that_is_killed_equals_one_that_was_left_alone(tmp_path):
    outcomes = drive(tmp_path, seed=5, faults=1, kinds=("kill",))
    assert outcomes == {("kill", "survived"): 1}


@pytest.mark.slow
def test_faults_of_all_kinds_lose_nothing(tmp_path):
    outcomes = drive(tmp_path, seed=0, faults=30, kinds=KINDS)
    print(table(outcomes))
    assert sum(outcomes.values()) == 30
    assert not [kind for kind, outcome in outcomes if outcome == "lost"]


@pytest.fixture
def with_two_workers(tmp_path):
    """Starts training whose clips are read by two processes."""
    data = prepare(tmp_path / "data")

    def start_run(workdir, *changes):
        return start(
            data, tmp_path / workdir, "--config.data.num_workers=2", "--config.num_epochs=3", *changes
        )

    return start_run


def workers_of(process):
    """The processes that a process has started, in any of its threads."""
    lists = Path(f"/proc/{process.pid}/task").glob("*/children")
    return [int(child) for found in lists for child in found.read_text().split()]


@pytest.mark.slow
@pytest.mark.skipif(not Path("/proc/self/task").is_dir(), reason="needs Linux's /proc")
def test_a_run_with_workers_that_is_killed_goes_on_and_its_workers_end(with_two_workers, tmp_path):
    status, messages = ended(with_two_workers("straight"))
    assert status == 0, messages
    for stop, expected in ((signal.SIGKILL, -signal.SIGKILL), (signal.SIGTERM, 143)):
        run = tmp_path / stop.name
        process = with_two_workers(stop.name)
        while not list(run.glob("checkpoints/3")):
            assert process.poll() is None, process.communicate()
            time.sleep(0.01)
        workers = workers_of(process)
        assert len(workers) >= 2
        process.send_signal(stop)
        assert ended(process, GRACE)[0] == expected
        deadline = time.monotonic() + 60
        while any(Path(f"/proc/{worker}").exists() for worker in workers):
            assert time.monotonic() < deadline, f"workers {workers} are still there"
            time.sleep(0.1)
        status, messages = ended(with_two_workers(stop.name, "--config.data.num_workers=0"))
        assert status == 2 and "was saved with num_workers 2; found 0, use the same" in messages
        status, messages = ended(with_two_workers(stop.name))
        assert status == 0, messages
        Result(run).compare(Result(tmp_path / "straight"))
