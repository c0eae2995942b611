"""Print the table of docs/models.md: what the networks of the configs cost, and how fast they are here.

    python bench/model_table.py [--rows TEXT ...] [--speed]

Parameters and FLOPs are found by tracing, without running anything. With `--speed` each network that has a
batch size below also trains and predicts, in a process of its own (`rgbd_jax.bench`, on random clips). On a
larger machine `taskset --cpu-list 0,1` before the command gives it two cores.
"""

import argparse
import dataclasses
import json
import shlex
import subprocess
import sys
import tempfile
from pathlib import Path

import jax

from rgbd_jax.config import load_file, override
from rgbd_jax.costs import costs_of, parameters_of, shape_text

GIGA = 1e9


@dataclasses.dataclass(frozen=True)
class Row:
    """A network of the table.

    Attributes:
      name: for people.
      config: its file with variant, then overrides.
      batch_size: of the measurement; 0: not measured.
      steps: how many training steps and predictions are timed.
      alike: the network of a row before, but for its number of classes; only its parameters have a cell.
    """

    name: str
    config: str
    batch_size: int = 0
    steps: int = 5
    alike: bool = False


VIDEO = ("isogd", "nvgesture", "thu_read")
BASELINE = "configs/gap/nw_ucla.py:joint,plain --config.model.name=baseline_gcn"
ROWS = (
    Row("CTR-GCN", "configs/gap/ntu60_xsub.py:joint,plain", batch_size=8, steps=3),
    Row("CTR-GCN", "configs/gap/ntu120_xsub.py:joint,plain", alike=True),
    Row("CTR-GCN", "configs/gap/nw_ucla.py:joint,plain", batch_size=16),
    Row("GAP", "configs/gap/ntu60_xsub.py:joint", batch_size=8, steps=3),
    Row("GAP", "configs/gap/ntu120_xsub.py:joint", alike=True),
    Row("GAP", "configs/gap/nw_ucla.py:joint", batch_size=16),
    Row("GAP, four streams", "configs/gap/nw_ucla.py:all"),
    Row("baseline GCN", BASELINE, batch_size=16),
    Row("I3DWTrans", "configs/rgbd/ntu_cs.py:rgb", batch_size=1, steps=2),
    *(Row("I3DWTrans", f"configs/rgbd/{name}.py:rgb", alike=True) for name in (*VIDEO, "jester")),
    Row("FusionNet", "configs/rgbd/ntu_cs.py:fusion", batch_size=1, steps=1),
    *(Row("FusionNet", f"configs/rgbd/{name}.py:fusion", alike=True) for name in VIDEO),
    Row("CTR-GCN, small", "configs/demo.py", batch_size=16, steps=20),
    Row("GAP, small", "configs/gap/zero_shot.py:march_push", batch_size=16, steps=20),
    Row("I3DWTrans, small", "configs/demo_rgbd.py:rgb", batch_size=10, steps=10),
    Row("FusionNet, small", "configs/demo_rgbd.py:fusion", batch_size=10, steps=10),
)
HEADER = (
    "| network | config | input | parameters | GFLOP, prediction | GFLOP, training"
    " | samples/s, prediction | samples/s, training |\n"
    "| --- | --- | --- | --- | --- | --- | --- | --- |"
)


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--rows", nargs="+", metavar="TEXT", help="only those whose name or config has it")
    parser.add_argument("--speed", action="store_true", help="also measure it")
    given = parser.parse_args()
    rows = [
        row
        for row in ROWS
        if not given.rows or any(text in f"{row.name} {row.config}" for text in given.rows)
    ]
    if not rows:
        parser.error(f"--rows {' '.join(given.rows)}: no row has any of it in its name or config")
    jax.config.update("jax_platforms", "cpu")  # counting leaves the accelerator to the measurement
    print(HEADER)
    for row in rows:
        print(line(row, measured(row) if given.speed and row.batch_size else None), flush=True)


def line(row: Row, figures: dict | None) -> str:
    """A row as Markdown; `figures` are those of `rgbd_jax.bench`."""
    file, *overrides = shlex.split(row.config)
    config = override(load_file(file), overrides)
    cells = [""] * 6
    if row.alike:
        cells[1] = f"{parameters_of(config):,}"
    else:
        costs = costs_of(config)
        cells[:2] = shape_text(costs.inputs), f"{costs.parameters:,}"
        cells[2:4] = (f"{flops / GIGA:.3g}" for flops in (costs.prediction_flops, costs.training_flops))
        cells[4:] = ("", "") if row.batch_size else ("–", "–")
    if figures:
        cells[4:] = (f"{figures[name]:.3g}" for name in ("prediction_samples_per_s", "samples_per_s"))
    return "".join(f"| {cell} " if cell else "| " for cell in (row.name, f"`{row.config}`", *cells)) + "|"


def measured(row: Row) -> dict:
    """What `rgbd_jax.bench` finds in a process of its own, whose memory is free again for the next."""
    file, *overrides = shlex.split(row.config)
    with tempfile.TemporaryDirectory() as nowhere:
        found = Path(nowhere) / "bench.json"
        subprocess.run(
            [sys.executable, "-m", "rgbd_jax.bench", f"--config={file}", *overrides]
            + [f"--config.batch_size={row.batch_size}", f"--config.data.data_dir={nowhere}"]
            + [f"--steps={row.steps}", f"--json={found}"],
            check=True,
            stdout=sys.stderr,
        )
        return json.loads(found.read_text())


if __name__ == "__main__":
    main()
