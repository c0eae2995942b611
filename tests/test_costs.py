"""What the networks cost: as counted on real arrays, as published, and as docs/models.md says."""

import json
import re
import runpy
import shlex
from pathlib import Path

import jax
import pytest

from rgbd_jax.config import load_file, override
from rgbd_jax.costs import costs_of, parameters_of, shape_text
from rgbd_jax.data.random_clips import configured_shape, random_batch
from rgbd_jax.experiment import Experiment
from rgbd_jax.training import sharding
from rgbd_jax.training.flops import count_flops

ROOT = Path(__file__).parents[1]
SCRIPT = runpy.run_path(str(ROOT / "bench" / "model_table.py"))
ROWS = SCRIPT["ROWS"]
# Tracing takes seconds, of the video networks more.
QUICK = ("configs/demo.py", "gap_ctrgcn_ntu120_fixed", "gap_ucla_bone", "gap_baseline_ucla")
# Published networks, as the configs make them; text vectors are 512 wide there.
PUBLISHED = {
    "gap_ctrgcn_ntu60": "configs/gap/ntu60_xsub.py:joint,plain",
    "gap_ctrgcn_ntu120_fixed": "configs/gap/ntu120_xsub.py:joint,plain --config.model.adaptive=False",
    "gap_ntu60_joint": "configs/gap/ntu60_xsub.py:joint --config.text.width=512",
    "gap_ntu60_bone": "configs/gap/ntu60_xsub.py:bone --config.text.width=512",
    "gap_ntu120_joint": "configs/gap/ntu120_xsub.py:joint --config.text.width=512",
    "gap_ucla_joint": "configs/gap/nw_ucla.py:joint --config.text.width=512",
    "gap_ucla_bone": "configs/gap/nw_ucla.py:bone --config.text.width=512",
    "gap_baseline_ucla": "configs/gap/nw_ucla.py:joint,plain --config.model.name=baseline_gcn",
    "motion_i3dwtrans": "configs/rgbd/ntu_cs.py:rgb",
    "motion_fusionnet": "configs/rgbd/ntu_cs.py:fusion",
}


@pytest.fixture(autouse=True)
def in_the_checkout(monkeypatch):
    monkeypatch.chdir(ROOT)


def load(words):
    file, *overrides = shlex.split(words)
    return override(load_file(file), overrides)


def table():
    """The cells of the page by config."""
    page = (ROOT / "docs" / "models.md").read_text()
    rows = [line for line in page.splitlines() if re.match(r"\|.*`configs/", line)]
    return {row.split("`")[1]: cells_of(row) for row in rows}


def cells_of(row):
    return [cell.strip() for cell in row[1:-1].split("|")]


def test_costs_are_those_of_real_arrays():
    config = load("configs/gap/zero_shot.py:march_push,debug")
    shape, mesh = configured_shape(config.data), sharding.make_mesh()
    experiment = Experiment.build(config, shape, 1, mesh)
    state = experiment.initial_state()
    batch = sharding.put_batch(random_batch(shape, config.batch_size), mesh)
    flops = count_flops(experiment.compiled_step().trace(state, batch).jaxpr)
    costs = costs_of(config)
    assert costs.training_flops == flops / config.batch_size
    assert 2.5 < costs.training_flops / costs.prediction_flops < 3.5
    assert costs.parameters == sum(leaf.size for leaf in jax.tree.leaves(state.params))
    assert costs.inputs == ((16, 1, 25, 3),)


def test_shapes_are_told_with_equal_ones_together():
    assert shape_text(((8, 3), (8, 1), (8, 3))) == "2 of 8×3, 8×1"


def quick_or_slow(value, name):
    return pytest.param(value, id=name, marks=[] if name in QUICK else [pytest.mark.slow])


@pytest.mark.parametrize("name", [quick_or_slow(name, name) for name in PUBLISHED])
def test_a_network_has_as_many_parameters_as_published(name):
    config = load(PUBLISHED[name])
    manifest = json.loads((ROOT / "tests" / "golden" / "spec" / f"{name}_manifest.json").read_text())
    assert parameters_of(config) == manifest["parameters"]


def test_the_page_has_the_rows_of_the_script():
    assert SCRIPT["HEADER"] in (ROOT / "docs" / "models.md").read_text()
    assert list(table()) == [row.config for row in ROWS]


def test_each_config_file_has_a_row_or_is_named_below():
    page = (ROOT / "docs" / "models.md").read_text()
    assert [str(path) for path in sorted(Path("configs").rglob("*.py")) if f"`{path}" not in page] == []


@pytest.mark.parametrize("row", [quick_or_slow(row, row.config) for row in ROWS])
def test_the_page_says_what_a_network_costs(row):
    """All but the last two cells, which are the speed."""
    with jax.numpy_dtype_promotion("standard"):  # Optax counts the steps of Adam in integers
        assert table()[row.config][:-2] == cells_of(SCRIPT["line"](row, None))[:-2]


@pytest.mark.slow
def test_the_script_measures_speed(monkeypatch, capsys):
    """By the command of the page; the speed of a row is the last that a line says."""
    page = (ROOT / "docs" / "models.md").read_text()
    (command,) = re.findall(r"^python (bench/model_table.py .*--speed)$", page, flags=re.MULTILINE)
    monkeypatch.setattr("sys.argv", shlex.split(command))
    SCRIPT["main"]()
    *_, row = capsys.readouterr().out.splitlines()
    *_, prediction, training = cells_of(row)
    assert float(prediction) > float(training) > 0
