"""Starting from the weights of other runs: what is taken, what stays fresh, what is refused."""

import copy
import functools

import jax
import numpy as np
import pytest
from grain import MapDataset

from rgbd_jax.config import load_file, override
from rgbd_jax.data.random_clips import configured_shape
from rgbd_jax.errors import UserError
from rgbd_jax.experiment import Experiment
from rgbd_jax.tasks import TASKS
from rgbd_jax.training.checkpoint import Checkpoints, Description
from rgbd_jax.training.checkpoint_folders import resolve
from rgbd_jax.training.sharding import make_mesh
from rgbd_jax.training.state import named_leaves
from rgbd_jax.training.transfer import find_start, start_from

CLASSES = tuple(f"action {number}" for number in range(60))
FILES = {
    "rgb": "configs/rgbd/ntu_cs.py:rgb,debug",
    "depth": "configs/rgbd/ntu_cs.py:depth,debug",
    "fusion": "configs/rgbd/ntu_cs.py:fusion,debug",
    "skeleton": "configs/gap/ntu60_xsub.py:joint,plain,debug",
}


@functools.cache
def initial(name, *overrides):
    config = override(load_file(FILES[name]), overrides)
    mesh = make_mesh(jax.devices()[:1])
    return config, Experiment.build(config, configured_shape(config.data), 2, mesh).initial_state()


def make(name, seed=1):
    """The config of a tiny network, and its state, in which no two arrays are alike."""
    config, state = initial(name)
    draw = np.random.default_rng(seed)
    params, batch_stats = jax.tree.map(
        lambda leaf: jax.device_put(draw.random(leaf.shape, np.float32), leaf.sharding),
        (state.params, state.batch_stats),
    )
    return config, state.replace(params=params, batch_stats=batch_stats)


@pytest.fixture(scope="module")
def runs(tmp_path_factory):
    """A run with one checkpoint of each network."""
    folder = tmp_path_factory.mktemp("runs")
    loader = iter(MapDataset.range(10).repeat().to_iter_dataset())
    for seed, name in enumerate(("rgb", "depth", "fusion", "skeleton"), start=2):
        config, state = make(name, seed)
        with Checkpoints(folder / name / "checkpoints") as checkpoints:
            checkpoints.save(state, loader.get_state(), Description(config.to_dict(), CLASSES, {}, 1, 0))
    return folder


def start(name, **keys):
    """What `find_start` finds for a network, with keys of its config."""
    config = copy.deepcopy(make(name)[0])
    config.update(keys)
    return find_start(config, TASKS[config.task.name].trunks)


def arrays(state):
    return named_leaves(state.params) | named_leaves(state.batch_stats)


def taken_from(state, other, part=""):
    """The names of the arrays that equal those of another state, in which `part` is missing in the name."""
    found = {part + name: leaf for name, leaf in arrays(other).items()}
    return {
        name
        for name, leaf in arrays(state).items()
        if name in found and leaf.shape == found[name].shape and np.array_equal(leaf, found[name])
    }


def test_a_network_of_the_same_classes_is_taken_whole(runs, capsys):
    """Of another modality as well."""
    _, fresh = make("depth")
    _, saved = make("rgb", 2)
    state = start_from({"": resolve(runs / "rgb")}, fresh.replace(ema_params=fresh.params), CLASSES)
    assert taken_from(state, saved) == arrays(state).keys()
    jax.tree.map(np.testing.assert_array_equal, state.ema_params, state.params)
    assert "0 arrays start fresh; 0 arrays are not used" in capsys.readouterr().err


def test_the_head_for_as_many_other_classes_stays_fresh_and_is_named(runs, capsys):
    """By the shapes of the arrays alone it would fit."""
    _, fresh = make("rgb")
    _, saved = make("rgb", 2)
    state = start_from({"": resolve(runs / "rgb")}, fresh, (*CLASSES[1:], CLASSES[0]))
    heads = {
        f"heads/{branch}/dense/{array}"
        for branch in ("small", "media", "large")
        for array in ("bias", "kernel")
    }
    assert arrays(state).keys() - taken_from(state, saved) == heads
    assert taken_from(state, fresh) == heads
    named = ", ".join(sorted(heads))
    assert f"6 arrays ({named}) start fresh; 0 arrays are not used" in capsys.readouterr().err


def test_fusion_starts_from_two_trunks(runs):
    _, fresh = make("fusion")
    found = start("fusion", init_trunks=(str(runs / "rgb"), str(runs / "depth")))
    assert found == {"trunks/rgb/": resolve(runs / "rgb"), "trunks/depth/": resolve(runs / "depth")}
    state = start_from(found, fresh, CLASSES)
    for seed, modality in ((2, "rgb"), (3, "depth")):
        part = f"trunks/{modality}/"
        names = {name for name in arrays(state) if name.startswith(part)}
        assert names and taken_from(state, make(modality, seed)[1], part) == names
    rest = {name for name in arrays(state) if not name.startswith("trunks/")}
    assert rest and taken_from(state, fresh) == rest


@pytest.mark.parametrize(
    ("trunks", "message"),
    [
        (
            ("depth", "rgb"),
            "init_trunks: .*checkpoints/1 was trained on depth; rgb is needed here, the order",
        ),
        (("rgb", "fusion"), "was trained on rgb and depth; depth is needed here"),
    ],
)
def test_trunks_of_the_wrong_modality_are_refused(runs, trunks, message):
    with pytest.raises(UserError, match=message):
        start("fusion", init_trunks=tuple(str(runs / name) for name in trunks))


@pytest.mark.parametrize(("name", "source"), [("rgb", "skeleton"), ("rgb", "fusion")])
def test_a_network_that_gives_nothing_is_refused(runs, name, source):
    _, state = make(name)
    found = start(name, init_from=str(runs / source))
    with pytest.raises(
        UserError, match=f"init_from: .*{source}/checkpoints/1 has 0 % of the parameters in common with the n"
    ):
        start_from(found, state, CLASSES)


def test_a_network_of_another_width_is_refused(runs):
    """Though some arrays, such as those of the recoupling, do fit."""
    _, fresh = initial("rgb", "--config.model.width=0.25")
    shapes = {name: leaf.shape for name, leaf in arrays(make("rgb")[1]).items()}
    assert any(shapes[name] == leaf.shape for name, leaf in arrays(fresh).items() if "heads" not in name)
    with pytest.raises(UserError, match=r"rgb/checkpoints/1 has \d % of the .*; at least 50 % are needed"):
        start_from({"": resolve(runs / "rgb")}, fresh, CLASSES)


def test_a_trunk_that_gives_nothing_is_refused(runs):
    """Though the other one fits."""
    _, state = make("fusion")
    found = {"trunks/rgb/": resolve(runs / "rgb"), "trunks/depth/": resolve(runs / "skeleton")}
    with pytest.raises(UserError, match="init_trunks: .* has 0 % .* in common with trunks/depth, without he"):
        start_from(found, state, CLASSES)


def test_what_has_seen_the_classes_that_are_held_out_is_refused(runs, tmp_path):
    config, state = make("skeleton")
    hidden = ("action 3", "action 5")
    with pytest.raises(
        UserError, match="init_from: .* was trained on 'action 3', which config.data.held_out"
    ):
        start("skeleton", init_from=str(runs / "skeleton"), data={"held_out": hidden})
    assert start("skeleton", init_from=str(runs / "skeleton"), data={"held_out": ("another",)})
    config = copy.deepcopy(config)
    config.data.held_out = hidden
    loader = iter(MapDataset.range(10).repeat().to_iter_dataset())
    with Checkpoints(tmp_path / "checkpoints") as checkpoints:
        checkpoints.save(state, loader.get_state(), Description(config.to_dict(), CLASSES, {}, 1, 0))
    assert start("skeleton", init_from=str(tmp_path), data={"held_out": hidden[:1]})
