"""A run that was stopped anywhere goes on as if nothing had happened; here all in this process."""

import json
import os
import random
import shutil
import signal
import threading
from pathlib import Path

import jax
import numpy as np
import pytest
from checkpoint_damage import DAMAGES
from drive import Result
from run_folder import rows

from rgbd_jax import train as training
from rgbd_jax.config import override
from rgbd_jax.data.records import Records
from rgbd_jax.errors import OutsideError, UserError
from rgbd_jax.report.logs import RunLog
from rgbd_jax.train import train
from rgbd_jax.training import sharding
from rgbd_jax.training.checkpoint import Checkpoints
from rgbd_jax.training.memory import MeasuredStep


class Killed(BaseException):
    """In place of SIGKILL: nothing catches it."""


def kill_at(monkeypatch, owner, name, call, *, after=False):
    """Let a run end in this call, counted from 1, of a function, before it has done anything or after it."""
    function, calls = getattr(owner, name), []

    def killed(*args, **kwargs):
        calls.append(None)
        if len(calls) == call and not after:
            raise Killed
        result = function(*args, **kwargs)
        if len(calls) == call:
            raise Killed
        return result

    monkeypatch.setattr(owner, name, killed)


MOMENTS = {
    "before anything is written": (training, "claim_workdir", 1, False),
    "after config.json": (training, "claim_workdir", 1, True),
    "before the session is noted": (training, "record_session", 1, False),
    "before the first row": (RunLog, "write", 1, False),
    "before the first checkpoint": (Checkpoints, "save", 1, False),
    "after a row and before its checkpoint": (RunLog, "write", 4, True),
    "after an epoch's row and before its checkpoint": (RunLog, "write", 7, True),
    "while a checkpoint is written": (Checkpoints, "save", 3, True),
    "before a validation": (Checkpoints, "save", 4, True),
    "after a validation and before its row": (RunLog, "write", 8, False),
    "after a validation's row and before it is noted": (Checkpoints, "add_validation", 2, False),
    "after a validation is noted": (Checkpoints, "add_validation", 2, True),
    "before the last validation is noted": (Checkpoints, "add_validation", 3, False),
    "after the last validation": (Checkpoints, "add_validation", 3, True),
}


# The others take as long; see docs/testing.md.
ALWAYS = (
    "while a checkpoint is written",
    "after a validation and before its row",
    "after the last validation",
)


@pytest.mark.parametrize(
    "moment", [pytest.param(name, marks=() if name in ALWAYS else pytest.mark.slow) for name in MOMENTS]
)
def test_a_run_that_is_killed_goes_on_to_the_bit(small_config, straight, tmp_path, monkeypatch, moment):
    with monkeypatch.context() as patch:
        kill_at(patch, *MOMENTS[moment][:3], after=MOMENTS[moment][3])
        with pytest.raises(Killed):
            train(small_config, tmp_path / "run")
    train(small_config, tmp_path / "run")
    Result(tmp_path / "run").compare(Result(straight))


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
    train(config, tmp_path / "straight")
    with monkeypatch.context() as patch:
        kill_at(patch, Checkpoints, "add_validation", 2, after=False)
        with pytest.raises(Killed):
            train(config, tmp_path / "run")
    train(config, tmp_path / "run")
    Result(tmp_path / "run").compare(Result(tmp_path / "straight"))
    assert [row["data_errors"] for row in rows(tmp_path / "run", split="valid")] == [1, 1, 1]


@pytest.mark.slow
def test_a_schedule_that_follows_the_validation_goes_on_too(small_config, tmp_path, monkeypatch):
    config = override(
        small_config,
        ["--config.schedule.name=plateau", "--config.schedule.patience=0", "--config.num_epochs=2"],
    )
    train(config, tmp_path / "straight")
    for moment in ("before a validation", "after a validation is noted"):
        owner, name, _, after = MOMENTS[moment]
        with monkeypatch.context() as patch:
            kill_at(patch, owner, name, 2 if name == "save" else 1, after=after)
            with pytest.raises(Killed):
                train(config, tmp_path / moment)
        train(config, tmp_path / moment)
        Result(tmp_path / moment).compare(Result(tmp_path / "straight"))


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
        raise Killed

    return ask


def test_a_request_during_a_validation_leaves_at_once(
    small_config, straight, tmp_path, monkeypatch, asked, capfd
):
    with monkeypatch.context() as patch:
        patch.setattr(training, "make_scorer", lambda *_: lambda *_: asked())
        with pytest.raises(Killed):
            train(small_config, tmp_path / "run")
    assert f"SIGTERM: stopped and saved after step 2 of 6 in {tmp_path / 'run'}" in capfd.readouterr().err
    train(small_config, tmp_path / "run")
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
        with pytest.raises(Killed):
            train(config, tmp_path / "run")
    assert "SIGTERM: stopped and saved after step 3 of 6" in capfd.readouterr().err
    train(config, tmp_path / "run")
    Result(tmp_path / "run").compare(Result(tmp_path / "straight"))


def test_a_request_before_the_first_step_changes_nothing(small_config, tmp_path, monkeypatch, asked, capfd):
    with monkeypatch.context() as patch:
        patch.setattr(training.sharding, "put_batch", lambda *_: asked())
        with pytest.raises(Killed):
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
    train(small_config, half)
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
    train(small_config, half)
    found, expected = rows(half), rows(straight)
    assert len(found) == len(expected)
    for row, wanted in zip(found, expected, strict=True):
        assert row.keys() == wanted.keys()
        np.testing.assert_allclose(row["loss"], wanted["loss"], rtol=1e-3)


def test_another_number_of_workers_is_refused(half, small_config):
    with pytest.raises(UserError, match="was saved with num_workers 0; found 2, use the same"):
        train(override(small_config, ["--config.data.num_workers=2"]), half)
