"""The four streams in one run are four runs."""

import jax
import numpy as np
import pytest
from flax import nnx

from rgbd_jax.config import ConfigArguments, load_file
from rgbd_jax.data.random_clips import configured_shape, random_batch
from rgbd_jax.experiment import Experiment
from rgbd_jax.report.ensemble import published_weights
from rgbd_jax.streams import STREAMS, of_stream, stream_of
from rgbd_jax.tasks import make_task
from rgbd_jax.training import sharding
from rgbd_jax.training.state import Network

STEPS = 3
FLAGS = ["", ",plain"]


def config(variant, *overrides):
    """NW-UCLA's at debug size, with more left to chance."""
    overrides = (f"--config.{text}" for text in ("model.drop_out=0.5", *overrides))
    return ConfigArguments(None, tuple(overrides)).load(load_file(f"configs/gap/nw_ucla.py:{variant},debug"))


def task_of(config, **options):
    return make_task(config, configured_shape(config.data), **options)


def assert_close_trees(found, expected, **tolerance):
    jax.tree.map(lambda a, b: np.testing.assert_allclose(a, b, **tolerance), found, expected)


# ---------------------------------------------------------------------- the parts of a step


@pytest.mark.parametrize("flags", FLAGS)
def test_each_stream_has_the_config_of_its_own_run(flags):
    together = config(f"all{flags}")
    for stream in STREAMS:
        alone = config(f"{stream}{flags}")
        assert of_stream(together, stream).to_dict() == alone.to_dict()
        assert stream_of(alone) == stream
    assert together.task.stream == "all"


@pytest.mark.parametrize("flags", FLAGS)
def test_each_network_begins_as_in_its_own_run(flags):
    together = task_of(config(f"all{flags}")).network(nnx.Rngs(1))
    for stream in STREAMS:
        alone = task_of(config(f"{stream}{flags}")).network(nnx.Rngs(1))
        assert getattr(together.networks[stream], "k", None) == getattr(alone, "k", None)
        found, expected = (Network(network) for network in (together.networks[stream], alone))
        jax.tree.map(np.testing.assert_array_equal, found.params, expected.params)


@pytest.mark.parametrize("train", [True, False])
@pytest.mark.parametrize("flags", FLAGS)
def test_each_network_sees_what_it_sees_in_its_own_run(flags, train):
    together, key = config(f"all{flags}"), jax.random.key(3)
    batch = random_batch(configured_shape(together.data), 4)
    del batch["id"]

    def seen(config):
        task = task_of(config)
        return jax.jit(lambda batch: task.prepare(batch, key, train=train))(batch)

    found = seen(together)
    assert set(found) == set(STREAMS)
    for stream in STREAMS:
        np.testing.assert_allclose(found[stream], seen(config(f"{stream}{flags}")), rtol=0, atol=1e-6)


def random_outputs(batch):
    draw = np.random.default_rng(0)
    shapes = {"logits": (batch, 10), "text_features": (5, batch, 384)}
    fixed = {"logit_scale": np.ones(5, np.float32)}
    return {
        stream: fixed | {name: draw.standard_normal(shape, np.float32) for name, shape in shapes.items()}
        for stream in STREAMS
    }


def test_the_loss_is_the_sum_and_the_mean_is_reported():
    """Each stream draws its texts by the key that it would have alone."""
    together = task_of(config("all"), training=True)
    batch, outputs = random_batch(configured_shape(config("all").data), 16), random_outputs(16)
    key = jax.random.key(0)
    loss, sums = together.loss(outputs, batch, 0, key)
    alone = [
        task_of(config(stream), training=True).loss(outputs[stream], batch, 0, key) for stream in STREAMS
    ]
    np.testing.assert_allclose(loss, sum(loss for loss, _ in alone), rtol=1e-6)
    assert set(sums) == set(together.reported)
    for name in ("loss", "text_loss"):
        np.testing.assert_allclose(sums[name], np.mean([own[name] for _, own in alone]), rtol=1e-6)
    assert [float(sums[f"top1_{stream}"]) for stream in STREAMS] == [float(own["top1"]) for _, own in alone]
    weighted = sum(
        weight * outputs[stream]["logits"]
        for stream, weight in zip(STREAMS, (0.8, 0.8, 0.2, 0.2), strict=True)
    )
    assert float(sums["top1"]) == np.sum(weighted.argmax(1) == batch["label"])
    logits = together.logits(outputs, 0)
    np.testing.assert_allclose(next(iter(logits.values())), weighted, rtol=1e-5, atol=1e-6)
    for stream in STREAMS:
        np.testing.assert_array_equal(logits[stream], outputs[stream]["logits"])


def test_data_sets_without_published_weights_have_equal_ones():
    assert published_weights("synthetic", STREAMS) == (1, 1, 1, 1)
    assert published_weights("ntu60", STREAMS) == (0.8, 0.8, 0.2, 0.2)


# ---------------------------------------------------------------------- whole steps


def trained(config):
    """The state after some steps on random clips, and the figures of each."""
    mesh = sharding.make_mesh(jax.devices()[:1])
    shape = configured_shape(config.data)
    experiment = Experiment.build(config, shape, STEPS, mesh)
    network = experiment.network
    network.params, network.batch_stats = jax.tree.map(
        lambda x: np.asarray(x, np.float64), (network.params, network.batch_stats)
    )
    state, figures = experiment.initial_state(), []
    step = jax.jit(experiment.train_step, out_shardings=sharding.replicated(mesh))
    for number in range(STEPS):
        batch = random_batch(shape, config.batch_size, seed=number)
        batch["joints"] = batch["joints"].astype(np.float64)
        state, numbers = step(state, sharding.put_batch(batch, mesh))
        figures.append(sharding.to_host(numbers))
    return sharding.to_host(state), figures


@pytest.mark.parametrize(
    "flags, network, compared",
    [
        (",plain", "baseline_gcn", STREAMS[-1:]),
        pytest.param(",plain", "ctrgcn", STREAMS, marks=pytest.mark.slow),
        pytest.param("", "gap", STREAMS, marks=pytest.mark.slow),
    ],
)
def test_four_streams_in_one_run_equal_four_runs(flags, network, compared):
    """In float64, where three steps do not yet amplify rounding to something visible."""
    chosen = (f"model.name={network}", "schedule.warm_up=0.0", "ema_decay=0.9")
    with jax.enable_x64(True), jax.numpy_dtype_promotion("standard"):
        together, figures = trained(config(f"all{flags}", *chosen))
        for stream in compared:
            alone, own = trained(config(f"{stream}{flags}", *chosen))
            for arrays in ("params", "ema_params", "batch_stats"):
                found, expected = getattr(together, arrays)["networks"][stream], getattr(alone, arrays)
                assert_close_trees(found, expected, rtol=1e-8, atol=1e-10)
            assert [step[f"top1_{stream}"] for step in figures] == [step["top1"] for step in own]
