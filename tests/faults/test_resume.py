"""A run that was stopped anywhere goes on as if nothing had happened; here all in this process."""

import contextlib
import itertools
import json
import os
import random
import shutil
import signal
import subprocess
import sys
import threading
from pathlib import Path

import jax
import numpy as np
import pytest
from checkpoint_damage import DAMAGES
from drive import Result
from going_on import go_on
from run_folder import rows

from rgbd_jax import train as training
from rgbd_jax.config import override, to_json
from rgbd_jax.data.records import Records
from rgbd_jax.errors import OutsideError, UserError
from rgbd_jax.provenance import read_sessions
from rgbd_jax.report.logs import RunLog
from rgbd_jax.train import train
from rgbd_jax.training import checkpoint, sharding
from rgbd_jax.training.checkpoint import Checkpoints
from rgbd_jax.training.memory import MeasuredStep


def killed_at(config, run, moment):
    """A folder as a run leaves it that is killed at a moment: a copy from then, and the run itself goes on.

    Whatever a process of Python does when it is ended in any other way than by SIGKILL (to finish a save, to
    close its log) is not in it.

    Args:
      moment: a function's owner and name, one of its calls, from 1, and whether the process is killed before
        the function has done anything or after it.
    """
    owner, name, call, after = moment
    left, function, calls = run.with_name(run.name + " killed"), getattr(owner, name), itertools.count(1)

    def copy():
        # The thread that saves may rename or remove what is being copied.
        with contextlib.suppress(shutil.Error):
            shutil.copytree(run, left)

    def watched(*args, **kwargs):
        dies = next(calls) == call
        if dies and not after and run.exists():
            copy()
        result = function(*args, **kwargs)
        if dies and after:
            copy()
        return result

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(owner, name, watched)
        train(config, run)
    assert next(calls) > call
    return left


class Left(BaseException):
    """In place of `os._exit`, where the test goes on."""


MOMENTS = {
    "before anything is written": (training, "claim_workdir", 1, False),
    "after config.json": (training, "claim_workdir", 1, True),
    "before the session is noted": (training, "record_session", 1, False),
    "before the first row": (RunLog, "write", 1, False),
    "before the first checkpoint": (Checkpoints, "save", 1, False),
    "after a row and before its checkpoint": (RunLog, "write", 4, True),
    "after an epoch's row and before its checkpoint": (RunLog, "write", 7, True),
    # All but its checksums is written then, in another thread.
    "while a checkpoint is written": (checkpoint, "add_checksums", 3, False),
    "before a validation": (Checkpoints, "save", 4, True),
    "after a validation and before its row": (RunLog, "write", 8, False),
    "after a validation's row and before it is noted": (Checkpoints, "add_validation", 2, False),
    "after a validation is noted": (Checkpoints, "add_validation", 2, True),
    "before the last validation is noted": (Checkpoints, "add_validation", 3, False),
}


# The others take as long; see docs/testing.md.
ALWAYS = ("while a checkpoint is written", "after a validation and before its row")


@pytest.mark.parametrize(
    "moment", [pytest.param(name, marks=() if name in ALWAYS else pytest.mark.slow) for name in MOMENTS]
)
def test_a_run_that_is_killed_goes_on_to_the_bit(small_config, straight, tmp_path, moment):
    left = killed_at(small_config, tmp_path / "run", MOMENTS[moment])
    if moment == "while a checkpoint is written":
        assert list(left.glob("checkpoints/3.*tmp*/state/*")) and not list(left.glob("checkpoints/3"))
    go_on(small_config, left)
    Result(left).compare(Result(straight))


def test_a_run_that_is_killed_when_all_is_done_is_over(small_config, straight, tmp_path):
    left = killed_at(small_config, tmp_path / "run", (Checkpoints, "add_validation", 3, True))
    train(small_config, left)
    assert len(read_sessions(left)) == 1
    Result(left).compare(Result(straight))


KILLED_WHILE_IT_SAVES = """
import os, pathlib, signal, sys

from rgbd_jax.config import from_json
from rgbd_jax.train import train
from rgbd_jax.training import checkpoint

finish, saves = checkpoint.add_checksums, []


def add_checksums(folder):
    saves.append(folder)
    if len(saves) == 3:
        os.kill(os.getpid(), signal.SIGKILL)
    finish(folder)


checkpoint.add_checksums = add_checksums
train(from_json(sys.argv[1]), pathlib.Path(sys.argv[2]))
"""


def test_a_process_that_is_killed_while_it_saves_goes_on_to_the_bit(small_config, straight, tmp_path):
    run = tmp_path / "run"
    ended = subprocess.run(
        [sys.executable, "-c", KILLED_WHILE_IT_SAVES, to_json(small_config), run],
        env=os.environ | {"JAX_NUM_CPU_DEVICES": "1"},
        capture_output=True,
        text=True,
    )
    assert ended.returncode == -signal.SIGKILL, ended.stderr
    assert list(run.glob("checkpoints/3.*tmp*/state/*")) and not list(run.glob("checkpoints/3"))
    go_on(small_config, run)
    Result(run).compare(Result(straight))


def test_a_config_that_is_half_written_is_not_in_the_way(small_config, tmp_path):
    """A process that was killed while it wrote."""
    run = tmp_path / "run"
    run.mkdir()
    (run / ".123.config.json").write_text('{"acc')
    training.claim_workdir(run, small_config)
    assert [path.name for path in run.iterdir()] == ["config.json"]


def test_clips_that_a_validation_left_out_are_counted_again(small_config, tmp_path, monkeypatch):
    read = Records.__getitem__

    def damaged(self, wanted):
        if wanted == 3 and "split test" in self._place:
            raise OutsideError("record 3 of test is damaged")
        return read(self, wanted)

    monkeypatch.setattr(Records, "__getitem__", damaged)
    config = override(small_config, ["--config.data.on_error=skip", "--config.data.max_unreadable=0.1"])
    straight = tmp_path / "straight"
    left = killed_at(config, straight, (Checkpoints, "add_validation", 2, False))
    go_on(config, left)
    Result(left).compare(Result(straight))
    assert [row["data_errors"] for row in rows(left, split="valid")] == [1, 1, 1]


@pytest.mark.slow
def test_a_schedule_that_follows_the_validation_goes_on_too(small_config, tmp_path):
    config = override(
        small_config,
        ["--config.schedule.name=plateau", "--config.schedule.patience=0", "--config.num_epochs=2"],
    )
    for name, call in (("save", 2), ("add_validation", 1)):
        straight = tmp_path / name
        left = killed_at(config, straight, (Checkpoints, name, call, True))
        go_on(config, left)
        Result(left).compare(Result(straight))


# ---------------------------------------------------------------------- SIGTERM


@pytest.fixture
def asked(monkeypatch):
    """A function that sends SIGTERM and waits until the process would have left; then it cannot go on."""
    gone = threading.Event()
    statuses = []

    def leave(status):
        statuses.append(status)
        gone.set()
        threading.Event().wait(0.5)  # while it would be leaving, nothing else is done

    monkeypatch.setattr(os, "_exit", leave)

    def ask():
        os.kill(os.getpid(), signal.SIGTERM)
        assert gone.wait(60) and statuses == [143]
        raise Left

    return ask


def test_a_request_during_a_validation_leaves_at_once(
    small_config, straight, tmp_path, monkeypatch, asked, capfd
):
    with monkeypatch.context() as patch:
        patch.setattr(training, "make_scorer", lambda *_: lambda *_: asked())
        with pytest.raises(Left):
            train(small_config, tmp_path / "run")
    assert f"SIGTERM: stopped and saved after step 2 of 6 in {tmp_path / 'run'}" in capfd.readouterr().err
    go_on(small_config, tmp_path / "run")
    Result(tmp_path / "run").compare(Result(straight))


def test_a_request_while_a_disk_does_not_answer_saves_what_was_done(
    small_config, tmp_path, monkeypatch, asked, capfd
):
    """The fourth batch does not come; no checkpoint was due by then."""
    config = override(small_config, ["--config.checkpoint_every=100"])
    train(config, tmp_path / "straight")
    fetch, calls = training.Throughput.fetch, []

    def stuck(self, batches):
        calls.append(None)
        batch = fetch(self, batches)
        return asked() if len(calls) == 4 else batch

    with monkeypatch.context() as patch:
        patch.setattr(training.Throughput, "fetch", stuck)
        with pytest.raises(Left):
            train(config, tmp_path / "run")
    assert "SIGTERM: stopped and saved after step 3 of 6" in capfd.readouterr().err
    go_on(config, tmp_path / "run")
    Result(tmp_path / "run").compare(Result(tmp_path / "straight"))


def test_a_request_before_the_first_step_changes_nothing(small_config, tmp_path, monkeypatch, asked, capfd):
    with monkeypatch.context() as patch:
        patch.setattr(training.sharding, "put_batch", lambda *_: asked())
        with pytest.raises(Left):
            train(small_config, tmp_path / "run")
    assert "SIGTERM: stopped before the first step" in capfd.readouterr().err
    assert not [path for path in (tmp_path / "run" / "checkpoints").iterdir() if path.name.isdigit()]


def test_a_request_whose_checkpoint_cannot_be_written_says_so(small_config, tmp_path, monkeypatch):
    """The state is written beside what goes on; the process may not leave before it knows."""
    take_step, taken = MeasuredStep.__call__, []

    def asked_in_the_third(self, state, batch):
        taken.append(state)
        if len(taken) == 3:
            monkeypatch.setattr("rgbd_jax.training.checkpoint.add_checksums", refuse)
            os.kill(os.getpid(), signal.SIGTERM)
        return take_step(self, state, batch)

    def refuse(folder):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(MeasuredStep, "__call__", asked_in_the_third)
    with pytest.raises(OutsideError, match="No space left on device.*; the last checkpoint is of step 2"):
        train(small_config, tmp_path / "run")


# ---------------------------------------------------------------------- what was damaged meanwhile


@pytest.fixture(scope="session")
def left_after_four_steps(small_config, tmp_path_factory):
    run = tmp_path_factory.mktemp("runs") / "half"
    with pytest.MonkeyPatch.context() as patch:
        one = sharding.make_mesh(jax.devices()[:1])
        patch.setattr(sharding, "make_mesh", lambda devices=None, fsdp=1: one)
        train(override(small_config, ["--config.stop_epoch=2"]), run)
    return run


@pytest.fixture
def half(left_after_four_steps, tmp_path):
    """A run that was left after its fourth step."""
    return Path(shutil.copytree(left_after_four_steps, tmp_path / "run"))


@pytest.mark.parametrize(
    "name",
    [
        "arrays with a bit turned",
        pytest.param("loader garbage", marks=pytest.mark.slow),
        pytest.param("nothing at all", marks=pytest.mark.slow),
    ],
)
def test_training_goes_on_from_the_newest_intact_checkpoint(half, small_config, straight, capsys, name):
    DAMAGES[name](half / "checkpoints" / "4", random.Random(0))
    go_on(small_config, half, damaged=4)
    warnings = [line for line in capsys.readouterr().err.splitlines() if line.startswith("warning: ")]
    assert len(warnings) == 1 and "checkpoints/4 is damaged" in warnings[0]
    assert (half / "checkpoints" / "4.damaged").is_dir()
    Result(half).compare(Result(straight))


def test_a_run_without_an_intact_checkpoint_is_refused_and_left_as_it_is(half, small_config):
    for step in ("3", "4"):
        DAMAGES["arrays cut off"](half / "checkpoints" / step, random.Random(0))
    if (half / "checkpoints" / "2").is_dir():
        shutil.rmtree(half / "checkpoints" / "2")
    before = {path: path.stat().st_mtime_ns for path in half.rglob("*")}
    with pytest.raises(UserError, match=r"no checkpoint is intact \(4 is damaged: .*; 3 is damaged: "):
        train(small_config, half)
    assert {path: path.stat().st_mtime_ns for path in half.rglob("*")} == before


@pytest.mark.slow
def test_rows_that_are_missing_are_told(half, small_config, capsys):
    path = half / "metrics.jsonl"
    lines = path.read_text().splitlines(keepends=True)
    path.write_text("".join(lines[:-3]) + lines[-3][:20])
    train(small_config, half)
    assert "metrics.jsonl: 3 of 8 rows up to step 4 are missing" in capsys.readouterr().err


@pytest.mark.slow
def test_a_line_of_a_clip_that_was_left_out_may_be_torn(small_config, straight, tmp_path, monkeypatch):
    """The process was killed while it wrote."""
    config = override(
        small_config,
        ["--config.data.on_error=skip", "--config.data.max_unreadable=0.2", "--config.num_epochs=2"],
    )
    read = Records.__getitem__

    def damaged(self, wanted):
        if wanted in (5, 6) and "split train" in self._place:
            raise OutsideError(f"record {wanted} is damaged")
        return read(self, wanted)

    monkeypatch.setattr(Records, "__getitem__", damaged)
    train(config, tmp_path / "straight")
    train(override(config, ["--config.stop_epoch=1"]), tmp_path / "run")
    path = tmp_path / "run" / "data_errors.jsonl"
    path.write_text(path.read_text()[:-10])
    train(config, tmp_path / "run")
    assert rows(tmp_path / "run") == rows(tmp_path / "straight")
    lines = [json.loads(line) for line in path.read_text().splitlines()]
    assert sorted(line["id"] for line in lines) == ["record 5 of train", "record 6 of train"]


# ---------------------------------------------------------------------- with other means


def test_another_number_of_devices_goes_on(half, small_config, straight, monkeypatch):
    eight = sharding.make_mesh(jax.devices())
    monkeypatch.setattr(sharding, "make_mesh", lambda devices=None, fsdp=1: eight)
    go_on(small_config, half)
    found, expected = rows(half), rows(straight)
    assert len(found) == len(expected)
    for row, wanted in zip(found, expected, strict=True):
        assert row.keys() == wanted.keys()
        np.testing.assert_allclose(row["loss"], wanted["loss"], rtol=1e-3)


def test_another_number_of_workers_is_refused(half, small_config):
    with pytest.raises(UserError, match="was saved with num_workers 0; found 2, use the same"):
        train(override(small_config, ["--config.data.num_workers=2"]), half)
