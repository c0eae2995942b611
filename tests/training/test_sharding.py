"""What lies where, and what moves between the devices: found in the compiled training step."""

import math
import re
from collections import Counter

import jax
import numpy as np
import pytest
from jax.sharding import PartitionSpec

from rgbd_jax.config import load_file, override
from rgbd_jax.data.random_clips import configured_shape, random_batch
from rgbd_jax.errors import UserError
from rgbd_jax.experiment import Experiment
from rgbd_jax.training import sharding
from rgbd_jax.training.state import named_leaves

# As XLA writes it: `%name = f32[8,3]{1,0} all-reduce(...)`, or with a tuple of shapes.
COLLECTIVE = re.compile(
    r"= (?P<shapes>\(.*?\)|\S+) (?P<kind>all-reduce|all-gather|reduce-scatter|all-to-all|collective-\w+)"
    r"(-start)?\("
)
DTYPE_AND_SHAPE = re.compile(r"([a-z]+\d+)\[([\d,]*)\]")


class Step:
    """The compiled training step of a config on some devices, and what its devices tell each other."""

    def __init__(self, variant, *changes, fsdp=1, num_devices=4):
        self.config = override(load_file(variant), [f"--config.fsdp={fsdp}", *changes])
        self.mesh = sharding.make_mesh(jax.devices()[:num_devices], fsdp=fsdp)
        shape = configured_shape(self.config.data)
        experiment = Experiment.build(self.config, shape, 2, self.mesh)
        self.state = experiment.initial_state()
        self.batch = sharding.put_batch(random_batch(shape, self.config.batch_size), self.mesh)
        self.compiled = experiment.compiled_step().lower(self.state, self.batch).compile()
        self.moves = [
            (found["kind"], dtype, tuple(map(int, filter(None, dimensions.split(",")))))
            for found in COLLECTIVE.finditer(self.compiled.as_text())
            for dtype, dimensions in DTYPE_AND_SHAPE.findall(found["shapes"])
        ]

    def moved(self, kind):
        return {(dtype, shape) for found, dtype, shape in self.moves if found == kind}

    @property
    def largest_parameter(self):
        return max(leaf.size for leaf in jax.tree.leaves(self.state.params))


@pytest.fixture(scope="module")
def gap():
    """GAP on NW-UCLA at debug size, eight samples on four devices."""
    return Step("configs/gap/nw_ucla.py:joint,debug")


@pytest.fixture(scope="module")
def sharded_gap():
    """The same, two devices to a copy of the parameters."""
    return Step("configs/gap/nw_ucla.py:joint,debug", fsdp=2)


FEATURES, LABELS = ("f32", (5, 8, 384)), ("s32", (8,))


def test_with_data_parallelism_only_sums_move_and_gaps_features_and_labels(gap):
    assert {kind for kind, *_ in gap.moves} == {"all-reduce", "all-gather"}
    assert gap.moved("all-gather") == {FEATURES, LABELS}
    # Gradients are as large as parameters; nothing else is larger than the features of the batch.
    largest = max(math.prod(shape) for _, _, shape in gap.moves)
    assert largest <= max(gap.largest_parameter, math.prod(FEATURES[1]))


def test_fsdp_adds_only_parameters(gap, sharded_gap):
    assert {kind for kind, *_ in sharded_gap.moves} <= {"all-reduce", "all-gather", "reduce-scatter"}
    sizes = {leaf.size for leaf in jax.tree.leaves(sharded_gap.state.params)}
    added = sharded_gap.moved("all-gather") - gap.moved("all-gather")
    assert added
    assert {math.prod(shape) for _, shape in added} <= sizes
    assert max(math.prod(shape) for _, _, shape in sharded_gap.moves) <= max(
        sharded_gap.largest_parameter, math.prod(FEATURES[1])
    )


@pytest.mark.slow
def test_weak_scaling_moves_no_more_but_features(gap):
    """Twice the devices with twice the samples: what moves is the same, but for the samples' axis."""
    twice = Step("configs/gap/nw_ucla.py:joint,debug", "--config.batch_size=16", num_devices=8)
    assert twice.moved("all-gather") == {("f32", (5, 16, 384)), ("s32", (16,))}

    def by_samples(step):
        size = step.config.batch_size
        return Counter(
            (kind, dtype, tuple("B" if axis == size else axis for axis in shape))
            for kind, dtype, shape in step.moves
            if kind != "all-reduce" or size in shape or math.prod(shape) > 64
        )

    assert by_samples(twice) == by_samples(gap)


def test_parameters_and_momenta_are_split_and_all_else_is_whole(sharded_gap):
    split, whole = [], []
    for name, leaf in named_leaves(sharded_gap.state).items():
        (split if not leaf.sharding.is_fully_replicated else whole).append(name)
        parts = {shard.data.size for shard in leaf.addressable_shards}
        assert parts == {leaf.size // (1 if leaf.sharding.is_fully_replicated else 2)}
    assert {name.split("/")[0] for name in split} == {"params", "opt_state"}
    assert all(name.endswith("kernel") for name in split)
    sizes = {name: leaf.size for name, leaf in named_leaves(sharded_gap.state.params).items()}
    of_split = sum(size for name, size in sizes.items() if f"params/{name}" in split)
    assert of_split > 0.9 * sum(sizes.values())
    assert not any(name.endswith("kernel") for name in whole)


def test_splitting_saves_memory(gap, sharded_gap):
    whole, split = (step.compiled.memory_analysis().argument_size_in_bytes for step in (gap, sharded_gap))
    assert split < 0.7 * whole


@pytest.mark.parametrize(
    "name, shape, axes",
    [
        ("params/fc/kernel", (6, 8), (None, "model")),
        ("params/fc/kernel", (6, 7), ("model", None)),  # the outputs do not divide
        ("params/fc/kernel", (3, 7), ()),
        ("params/refinement/xi_kernel", (3, 8, 4), (None, None, "model")),
        ("opt_state/0/trace/fc/kernel", (6, 8), (None, "model")),
        ("params/fc/bias", (8,), ()),
        ("batch_stats/norm/mean", (8,), ()),
        ("step", (), ()),
    ],
)
def test_the_table_says_which_axis_is_split(name, shape, axes):
    tree = np.zeros(shape, np.float32)
    for key in reversed(name.split("/")):
        tree = {key: tree}
    mesh = sharding.make_mesh(jax.devices()[:4], fsdp=2)
    (found,) = jax.tree.leaves(sharding.state_shardings(tree, mesh))
    assert tuple(found.spec) + (None,) * (len(shape) - len(found.spec)) == tuple(PartitionSpec(*axes)) + (
        None,
    ) * (len(shape) - len(axes))


def test_devices_that_cannot_be_grouped_are_refused():
    with pytest.raises(UserError, match="config.fsdp=3: does not divide the 8 devices"):
        sharding.make_mesh(fsdp=3)


def test_every_device_of_the_cpu_has_memory_of_its_own():
    """What a step takes over on one must not change on another."""
    mesh = sharding.make_mesh(jax.devices()[:2])
    source = np.arange(2**20, dtype=np.float32)
    placed = sharding.place({"a": source}, {"a": sharding.replicated(mesh)})["a"]
    pointers = {shard.data.unsafe_buffer_pointer() for shard in placed.addressable_shards}
    assert len(pointers) == 2 and source.ctypes.data not in pointers


def test_eight_devices_sharing_parameters_train_what_one_trains():
    found = []
    for fsdp, num_devices in ((1, 1), (4, 8)):
        with jax.enable_x64(True), jax.numpy_dtype_promotion("standard"):
            config = override(load_file("configs/demo.py:debug"), ["--config.model.name=baseline_gcn"])
            mesh = sharding.make_mesh(jax.devices()[:num_devices], fsdp=fsdp)
            shape = configured_shape(config.data)
            experiment = Experiment.build(config, shape, 2, mesh)
            network = experiment.network
            network.params, network.batch_stats = jax.tree.map(
                lambda x: np.asarray(x, np.float64), (network.params, network.batch_stats)
            )
            state, step = experiment.initial_state(), experiment.compiled_step()
            rows = random_batch(shape, config.batch_size)
            rows["joints"] = rows["joints"].astype(np.float64)
            for _ in range(3):
                state, _ = step(state, sharding.put_batch(rows, mesh))
            found.append(sharding.to_host((state.params, state.opt_state, state.batch_stats)))
    jax.tree.map(lambda a, b: np.testing.assert_allclose(a, b, rtol=1e-8, atol=1e-10), *found)
