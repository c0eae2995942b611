"""The way of the README from recordings of one's own to a trained network, as it stands there."""

import importlib
import re
import shlex
from pathlib import Path

import numpy as np
import pytest

ROOT = Path(__file__).parents[1]
# A smaller network and fewer steps than those of the page.
SMALL = [
    "--config.model.name=baseline_gcn",
    "--config.model.base_width=8",
    "--config.task.window=16",
    "--config.batch_size=8",
    "--config.eval_batch_size=8",
    "--config.num_epochs=1",
    "--config.data.repeat=1",
]


def commands(containing):
    """The lines of the block that has these words."""
    blocks = re.findall(
        r"^```bash\n(.*?)^```", (ROOT / "README.md").read_text(), flags=re.MULTILINE | re.DOTALL
    )
    (block,) = [block for block in blocks if containing in block]
    return [shlex.split(line) for line in block.splitlines()]


def write_clips(folder, names, draw):
    folder.mkdir(parents=True)
    for name in names:
        steps = draw.normal(0, 0.02, (30, 25, 3)).cumsum(axis=0)
        np.savez(folder / name, joints=(steps + draw.normal(0, 0.5, (25, 3))).astype(np.float32))


@pytest.fixture
def in_a_checkout(tmp_path, monkeypatch):
    """An empty folder with the configs, as a checkout that nothing was done in."""
    (tmp_path / "configs").symlink_to(ROOT / "configs")
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_from_joints_of_ones_own_to_what_is_done_in_another(in_a_checkout, capsys):
    prepare, train, evaluate, predict = commands("prepare custom_skeletons")
    (source,) = [argument.partition("=")[2] for argument in prepare if argument.startswith("--source=")]
    draw = np.random.default_rng(0)
    for name in ("wave", "clap your hands"):
        write_clips(Path(source, "skeletons", name), [f"{number}.npz" for number in range(12)], draw)
    write_clips(Path("elsewhere"), ["another.npz"], draw)
    Path("elsewhere", "another.npz").rename("another.npz")

    for _, _, module, *arguments in (prepare, [*train, *SMALL], evaluate, predict):
        importlib.import_module(module).main(arguments)

    printed = capsys.readouterr().out
    assert re.search(r"^wave +9 +3$", printed, flags=re.MULTILINE)
    assert re.search(
        r"^top-1 \d+\.\d\d %, top-5 100\.00 % of 6 samples; see \S+/runs/my_skeletons/eval$", printed, re.M
    )
    assert re.search(r"^another\.npz: 30 frames, 1\.0 s\n +1  \S.* +\d+\.\d %$", printed, re.M)
    assert Path("runs/my_skeletons/eval/report.html").is_file() and Path("seen.mp4").is_file()

    page = (ROOT / "docs" / "prediction.md").read_text()
    (lines,) = re.findall(r"^```python\n(.*?)^```", page, flags=re.MULTILINE | re.DOTALL)
    exec(lines.replace("runs/nvgesture_depth", "runs/my_skeletons").replace("take.avi", "another.npz"), {})
    first = capsys.readouterr().out.splitlines()[-1]
    assert "wave" in first and "clap your hands" in first
