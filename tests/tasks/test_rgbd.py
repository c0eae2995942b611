"""The tasks on colour, on depth and on both."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import nnx

from rgbd_jax.config import load_file, override
from rgbd_jax.data.random_clips import configured_shape, random_batch
from rgbd_jax.errors import UserError
from rgbd_jax.experiment import Experiment
from rgbd_jax.models.video_layers import ConvUnit
from rgbd_jax.tasks import make_task
from rgbd_jax.tasks.description_scores import DescriptionScores
from rgbd_jax.tasks.text_supervision import described_classes
from rgbd_jax.tasks.video_task import distillation_weight
from rgbd_jax.training import sharding
from rgbd_jax.training.state import Network


def make(variant, *overrides):
    config = override(load_file(f"configs/rgbd/ntu_cs.py:{variant},debug"), overrides)
    shape = configured_shape(config.data)
    return config, make_task(config, shape, training=True), random_batch(shape, 2)


@pytest.fixture(scope="module", params=["rgb", "depth", "fusion"])
def made(request):
    """A task at debug size, a raw batch of two clips, and random numbers for what its network makes of them.
    Colour is taught by texts too."""
    overrides = ["--config.task.text_weight=0.5"] if request.param == "rgb" else []
    config, task, batch = make(request.param, *overrides)
    arrays = {name: rows for name, rows in batch.items() if name != "id"}
    network = Network(task.network(nnx.Rngs(0)))
    inputs = jax.jit(lambda arrays: task.prepare(arrays, jax.random.key(0), train=False))(arrays)
    apply = functools.partial(network.apply, train=False)
    outputs, _ = jax.eval_shape(apply, network.params, network.batch_stats, inputs)
    draw = np.random.default_rng(0)
    outputs = jax.tree.map(lambda output: jnp.asarray(draw.random(output.shape, output.dtype)), outputs)
    epoch, key = jnp.int32(0), jax.random.key(0)
    return (
        config,
        task,
        arrays,
        (inputs, outputs, task.loss(outputs, arrays, epoch, key), task.logits(outputs, epoch)),
    )


def test_a_raw_batch_becomes_clips_and_heat_maps(made):
    config, task, _, (inputs, *_) = made
    clips = inputs.values() if config.task.name == "fusion" else [inputs]
    for prepared in clips:
        assert prepared["clip"].shape == (2, 8, 32, 32, 3)
        assert prepared["heat"].shape == (2, 8, 32, 32, 1)
        assert -1 < float(prepared["clip"].min()) < 0 < float(prepared["clip"].max()) < 1
        assert 0 <= float(prepared["heat"].min()) < 1 < float(prepared["heat"].max()) <= 2


def test_sums_are_of_what_the_task_reports_and_fit_the_loss(made):
    _, task, arrays, (_, _, (loss, sums), logits) = made
    assert set(sums) == set(task.reported)
    np.testing.assert_allclose(sums["loss"], 2 * loss, rtol=1e-6)
    first = next(iter(logits))
    right = (np.asarray(logits[first]).argmax(-1) == arrays["label"]).sum()
    assert float(sums["top1"]) == right


def test_the_published_figure_is_of_branches_that_there_are(made):
    _, task, _, (_, _, _, logits) = made
    assert {name for names in task.published for name in names} <= set(logits)
    assert all(scores.shape == (2, 60) and scores.dtype == np.float32 for scores in logits.values())


@pytest.mark.parametrize("made", ["rgb"], indirect=True)
def test_held_out_classes_are_scored_by_their_descriptions(made):
    config, _, arrays, (_, outputs, (loss, _), _) = made
    config = override(config, ["--config.data.held_out=('drink water',)"])
    shape = configured_shape(config.data)
    task = make_task(config, shape, training=True)
    epoch = jnp.int32(0)
    logits = task.logits(outputs, epoch)
    assert (task.published, list(logits)) == ((), ["logits"])
    scores = DescriptionScores(described_classes(config, shape))
    np.testing.assert_array_equal(logits["logits"], scores(outputs))
    same_loss, sums = task.loss(outputs, arrays, epoch, jax.random.key(0))
    assert float(same_loss) == float(loss)
    right = (np.asarray(logits["logits"]).argmax(-1) == arrays["label"]).sum()
    assert float(sums["top1"]) == right and set(sums) == set(task.reported)


@pytest.mark.parametrize("made", ["rgb", "depth"], indirect=True)
def test_what_is_reported_of_branches_weighs_as_the_config_says(made):
    """Without smoothing, distillation and branches the loss is the cross entropy of the fused scores."""
    _, task, arrays, (_, outputs, _, logits) = made
    plain = ["--config.task.label_smoothing=0.0", "--config.task.branch_weights=(1.0, 0.0, 0.0, 0.0)"]
    plain += ["--config.task.distillation=0.0"]
    _, plain_task, _ = make(task.view, *plain)
    loss, _ = plain_task.loss(outputs, arrays, jnp.int32(0), jax.random.key(0))
    log_p = jax.nn.log_softmax(logits["fused"])
    np.testing.assert_allclose(loss, -log_p[np.arange(2), arrays["label"]].mean(), rtol=1e-5)


@pytest.mark.parametrize(("name", "epochs"), [("ntu_train", 100), ("isogd_train", 300), ("nv_train", 100)])
def test_distillation_sets_in_when_the_published_one_does(golden, name, epochs):
    recorded = golden("motion/schedules.npz")[f"distill_weight.{name}"]
    config = load_file("configs/rgbd/ntu_cs.py:rgb" if epochs == 100 else "configs/rgbd/isogd.py:rgb")
    found = [float(distillation_weight(config, epoch)) for epoch in range(epochs)]
    np.testing.assert_allclose(np.array(found) / config.task.distillation_batch, recorded)


@pytest.mark.parametrize("file", ["ntu_cs", "isogd"])
def test_fusion_distils_from_the_first_epoch_on(file):
    config = load_file(f"configs/rgbd/{file}.py:fusion")
    assert float(distillation_weight(config, 0)) == config.task.distillation_batch


def test_the_momentum_of_the_statistics_reaches_every_convolution():
    _, task, _ = make("fusion", "--config.model.norm_momentum=0.5")
    units = [
        module for _, module in nnx.iter_modules(task.network(nnx.Rngs(0))) if isinstance(module, ConvUnit)
    ]
    assert len(units) == 2 * (3 + 6 * 4 + 3 * 4)
    assert {unit.norm.momentum for unit in units} == {0.5}


def test_the_draws_of_an_evaluation_reach_every_trunk():
    _, task, _ = make("fusion", "--config.model.eval_draws=3")
    assert [trunk.temporal.eval_draws for trunk in task.network(nnx.Rngs(0)).trunks.values()] == [3, 3]


def test_both_modalities_are_cut_alike_unless_it_is_switched_off():
    config, _, batch = make("fusion", "--config.data.name=isogd")
    arrays = {name: rows for name, rows in batch.items() if name != "id"}
    arrays["depth"], arrays["depth_size"] = arrays["rgb"], arrays["rgb_size"]

    def clips(*overrides):
        task = make_task(override(config, overrides), configured_shape(config.data))
        return jax.jit(lambda arrays: task.prepare(arrays, jax.random.key(0), train=True))(arrays)

    alike = clips()
    np.testing.assert_array_equal(alike["rgb"]["clip"], alike["depth"]["clip"])
    apart = clips("--config.task.shared_augmentation=False")
    assert np.abs(apart["rgb"]["clip"] - apart["depth"]["clip"]).max() > 0.1


@pytest.mark.slow
@pytest.mark.parametrize("modality", ["depth", "fusion"])
def test_eight_devices_train_as_one(modality):
    """Each device prepares its own clips; in float64, so that rounding stays invisible."""
    config = load_file(f"configs/rgbd/isogd.py:{modality},debug")
    shape = configured_shape(config.data)
    batch = random_batch(shape, 8)

    def step_on(num_devices):
        mesh = sharding.make_mesh(jax.devices()[:num_devices])
        experiment = Experiment.build(config, shape, 2, mesh)
        network = experiment.network
        network.params, network.batch_stats = jax.tree.map(
            lambda x: np.asarray(x, np.float64), (network.params, network.batch_stats)
        )
        state = experiment.initial_state()
        return experiment.compiled_step()(state, sharding.put_batch(batch, mesh))

    with jax.enable_x64(True), jax.numpy_dtype_promotion("standard"):
        one, figures_of_one = step_on(1)
        eight, figures_of_eight = step_on(8)
        for found, expected in zip(jax.tree.leaves(eight.params), jax.tree.leaves(one.params), strict=True):
            np.testing.assert_allclose(np.asarray(found), np.asarray(expected), rtol=1e-8, atol=1e-10)
    np.testing.assert_allclose(figures_of_eight["loss"], figures_of_one["loss"], rtol=1e-5)


@pytest.mark.parametrize(
    "variant, overrides, message",
    [
        ("rgb", ["--config.data.modalities=('rgb', 'depth')"], "config.data.modalities"),
        ("fusion", ["--config.data.modalities=('depth',)"], "config.data.modalities"),
        ("rgb", ["--config.task.crop_rule=corner"], "config.task.crop_rule='corner': allowed are centre"),
        ("rgb", ["--config.task.depth_levels=raw"], "config.task.depth_levels='raw': allowed are wrapped"),
    ],
)
def test_what_does_not_fit_is_refused(variant, overrides, message):
    with pytest.raises(UserError, match=message.replace("(", r"\(")):
        make(variant, *overrides)
