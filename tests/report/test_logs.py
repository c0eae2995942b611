import io
import json
import math
import re
import struct
import subprocess
import sys

import pytest
from tensorboardX.proto.event_pb2 import Event, SessionLog

from rgbd_jax.errors import UserError
from rgbd_jax.report.logs import ProgressLine, RunLog, read_rows


def write_steps(log, steps):
    for step in steps:
        log.write("step", "train", step, step // 10, loss=1 / (step + 1), lr=0.1)
    log.write("epoch", "valid", steps[-1], steps[-1] // 10, loss=0.5, count=464)


def events(folder):
    """All events below a folder, in the order of the files' names: length, checksum, event, checksum."""
    found = []
    for path in sorted(folder.rglob("events.*")):
        data, at = path.read_bytes(), 0
        while at < len(data):
            (length,) = struct.unpack_from("<Q", data, at)
            found.append(Event.FromString(data[at + 12 : at + 12 + length]))
            at += length + 16
    return found


def test_rows_and_events_carry_the_same_numbers(tmp_path):
    with RunLog(tmp_path) as log:
        write_steps(log, [10, 20])
    rows = read_rows(tmp_path / "metrics.jsonl")
    assert rows == [
        {"kind": "step", "split": "train", "step": 10, "epoch": 1, "loss": 1 / 11, "lr": 0.1},
        {"kind": "step", "split": "train", "step": 20, "epoch": 2, "loss": 1 / 21, "lr": 0.1},
        {"kind": "epoch", "split": "valid", "step": 20, "epoch": 2, "loss": 0.5, "count": 464},
    ]
    for split in ("train", "valid"):
        logged = {
            (event.step, value.tag): value.simple_value
            for event in events(tmp_path / "tensorboard" / split)
            for value in event.summary.value
        }
        assert logged == pytest.approx(
            {
                (row["step"], f"{row['kind']}/{name}"): row[name]
                for row in rows
                if row["split"] == split
                for name in ("loss", "lr", "count")
                if name in row
            }
        )


def test_a_row_is_on_the_disk_when_it_is_written(tmp_path):
    with RunLog(tmp_path) as log:
        log.write("step", "train", 1, 0, loss=1.0)
        assert len(read_rows(tmp_path / "metrics.jsonl")) == 1


def test_a_number_that_is_not_finite_is_null(tmp_path):
    with RunLog(tmp_path) as log:
        log.write("step", "train", 1, 0, loss=math.nan)
    assert json.loads((tmp_path / "metrics.jsonl").read_text())["loss"] is None


def test_training_and_evaluation_do_not_import_pytorch():
    code = "import sys, rgbd_jax.train, rgbd_jax.evaluate; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code]).returncode == 0


def test_going_on_cuts_back_to_the_checkpoint(tmp_path):
    with RunLog(tmp_path) as undisturbed:
        write_steps(undisturbed, [10, 20])
    expected = (tmp_path / "metrics.jsonl").read_text()
    with RunLog(tmp_path, resume_step=20) as log:
        write_steps(log, [30, 40, 50])
    with (tmp_path / "metrics.jsonl").open("a") as file:
        file.write('{"kind": "step", "st')  # killed while it wrote
    with RunLog(tmp_path, resume_step=20) as log:
        assert (tmp_path / "metrics.jsonl").read_text() == expected
        log.write("step", "train", 30, 3, loss=0.25)
    assert [row["step"] for row in read_rows(tmp_path / "metrics.jsonl")] == [10, 20, 20, 30]
    # TensorBoard hides what earlier sessions say of the steps after this mark.
    starts = [
        event.step
        for event in events(tmp_path / "tensorboard" / "train")
        if event.session_log.status == SessionLog.START
    ]
    assert set(starts) == {21}


def test_a_new_run_starts_with_an_empty_log(tmp_path):
    with RunLog(tmp_path) as log:
        write_steps(log, [10])
    with RunLog(tmp_path):
        assert read_rows(tmp_path / "metrics.jsonl") == []


ROW_OF_LOG = {"kind": "step", "split": "train", "step": 1, "epoch": 0}
LACKING = [
    json.dumps({key: ROW_OF_LOG[key] for key in ROW_OF_LOG if key != lacking}) for lacking in ROW_OF_LOG
]


@pytest.mark.parametrize("line", ["no json", '{"kind": "step"', "[1]", "3", "", *LACKING])
def test_a_broken_line_in_the_middle_is_named(tmp_path, line):
    path, good = tmp_path / "metrics.jsonl", json.dumps(ROW_OF_LOG)
    path.write_text(f"{good}\n{line}\n{good}\n")
    with pytest.raises(UserError, match=re.escape(f"{path}, line 2: is no row of a run's log")):
        read_rows(path)


class Terminal(io.StringIO):
    def isatty(self):
        return True


@pytest.fixture
def clock(monkeypatch):
    """A clock that the test sets."""
    seconds = [0.0]
    monkeypatch.setattr("time.monotonic", lambda: seconds[0])
    return seconds


ROW = {"loss": 0.92812, "top1": 0.656, "samples_per_s": 153.04, "data_wait": 0.004, "lr": 0.1}


def test_the_line_shows_figures_and_remaining_time(clock):
    stream = io.StringIO()
    with ProgressLine(100, 1000, stream, seconds=0) as progress:
        progress.show(110, 0, ROW)
        clock[0] = 80.0
        progress.show(190, 1, ROW)  # a step a second since the first report, 810 more to come
        progress.epoch(190, 1, ROW, {"loss": 0.5, "top1": 0.778, "count": 464})
    figures = "loss 0.9281  top-1 65.6 %  153.0 samples/s  0.4 % waiting for data"
    assert stream.getvalue().splitlines() == [
        "step 100/1000  compiling the training step",
        f"epoch 1  step 110/1000  {figures}  remaining time not known yet",
        f"epoch 2  step 190/1000  {figures}  13 min 30 s left",
        f"epoch 2  step 190/1000  train: {figures}  valid: loss 0.5000  top-1 77.8 %",
    ]


def test_without_a_terminal_a_line_comes_every_half_minute(clock):
    stream = io.StringIO()
    with ProgressLine(0, 10_000, stream) as progress:
        for step in range(1, 100):
            clock[0] = float(step)
            progress.show(step, 0, ROW)
    steps = [int(line.split()[3].split("/")[0]) for line in stream.getvalue().splitlines()[1:]]
    assert steps == [1, 31, 61, 91]


def test_on_a_terminal_one_line_is_overwritten(clock, monkeypatch):
    monkeypatch.setenv("COLUMNS", "40")
    stream = Terminal()
    with ProgressLine(0, 100, stream) as progress:
        for step in (1, 2, 3):
            progress.show(step, 0, ROW)
        progress.epoch(3, 0, ROW, ROW)
        progress.show(4, 1, ROW)
    running, _, last = stream.getvalue().partition("\n")
    assert len(running.split("\r\x1b[K")) == 6  # nothing, compiling, three steps, the epoch
    assert "valid" in running.split("\r\x1b[K")[-1]
    assert all(len(text) < 40 for text in running.split("\r\x1b[K")[:5])
    assert last.endswith("\n")


@pytest.mark.parametrize(
    ("seconds", "text"), [(59.4, "59 s left"), (61, "1 min 01 s left"), (7260, "2 h 01 min left")]
)
def test_remaining_time_is_readable(clock, seconds, text):
    stream = io.StringIO()
    progress = ProgressLine(0, 2, stream, seconds=0)
    progress.show(0, 0, {})
    clock[0] = seconds
    progress.show(1, 0, {})
    assert stream.getvalue().splitlines()[-1].endswith(text)
