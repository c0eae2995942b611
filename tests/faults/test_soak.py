"""Long runs need no more memory than short ones."""

import json
import os
import statistics
import subprocess
import sys
import time
from pathlib import Path

import pytest

STEPS_PER_EPOCH = 37  # of the demo
WINDOW = 300  # steps


@pytest.mark.slow
@pytest.mark.parametrize(
    ("num_workers", "first", "last"), [(0, 500, 2500), (2, 300, 1000)], ids=["threads", "workers"]
)
def test_host_memory_is_flat_over_epochs(tmp_path, num_workers, first, last):
    """The demo with loader, validation, checkpoints and logs: resident memory, that of all its processes."""
    run = tmp_path / "run"
    command = [sys.executable, "-m", "rgbd_jax.main", "--config=configs/demo.py", f"--workdir={run}"]
    command += [f"--config.data.data_dir={tmp_path / 'data'}", f"--config.data.num_workers={num_workers}"]
    command += [f"--config.num_epochs={(last + WINDOW) // STEPS_PER_EPOCH + 1}"]
    # As a person starts it: the tests' own flags make steps slow.
    environment = {name: value for name, value in os.environ.items() if name != "XLA_FLAGS"}
    messages = tmp_path / "messages"
    with messages.open("w") as file:
        process = subprocess.Popen(command, env=environment | {"JAX_NUM_CPU_DEVICES": "1"}, stderr=file)
    samples = {}
    while process.poll() is None:
        samples[newest_step(run / "metrics.jsonl")] = resident_mebibytes(process.pid)
        time.sleep(0.1)
    assert process.returncode == 0, messages.read_text()
    before, after = (
        [memory for step, memory in samples.items() if around - WINDOW / 2 <= step < around + WINDOW / 2]
        for around in (first, last)
    )
    assert min(len(before), len(after)) >= 20
    # What is held while a step runs: between steps and after an epoch some of it is given back.
    high_before, high_after = (statistics.quantiles(memory, n=10)[-1] for memory in (before, after))
    growth = high_after / high_before - 1
    assert growth < 0.02, [(step, round(memory)) for step, memory in samples.items()]


def newest_step(log: Path) -> int:
    """The step of the last complete row of a run's log; 0 before there is one."""
    try:
        lines = log.read_bytes()[-2000:].split(b"\n")
        return json.loads(lines[-2])["step"]
    except (OSError, IndexError, ValueError):
        return 0


def resident_mebibytes(process: int) -> float:
    """Of a process and its children; 0 of one that is gone."""
    try:
        fields = dict(
            line.split(":") for line in Path(f"/proc/{process}/smaps_rollup").read_text().splitlines()[1:]
        )
        own = int(fields["Rss"].split()[0]) / 1024
        children = Path(f"/proc/{process}/task/{process}/children").read_text().split()
    except OSError:
        return 0.0
    return own + sum(map(resident_mebibytes, children))
