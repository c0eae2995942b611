"""The training loop as a whole, on a few synthetic clips."""

import contextlib
import itertools
import json
import re
import shutil
import struct
from types import SimpleNamespace

import jax
import numpy as np
import optax
import pytest
from data.faulty_records import cut, rewrite, with_joints, with_label
from run_folder import rows
from tensorboardX.proto.event_pb2 import Event
from untrained_run import save_untrained

from rgbd_jax import train as train_module
from rgbd_jax.config import ConfigArguments, load_file, override
from rgbd_jax.data.clip_errors import ClipErrors
from rgbd_jax.data.loader import open_split, open_training_split, training_batches
from rgbd_jax.data.records import Records
from rgbd_jax.errors import OutsideError, Preempted, UserError
from rgbd_jax.evaluate import evaluate, make_scorer
from rgbd_jax.experiment import Experiment, compiler_options
from rgbd_jax.provenance import read_sessions
from rgbd_jax.run_folder import claim_workdir
from rgbd_jax.train import train
from rgbd_jax.training import sharding
from rgbd_jax.training.checkpoint import Checkpoints
from rgbd_jax.training.checkpoint_folders import resolve
from rgbd_jax.training.memory import MeasuredStep, compiled_bytes
from rgbd_jax.training.state import named_leaves

EPOCH_STEPS = 2


@pytest.fixture
def config(synthetic_data):
    """The demo at debug size, with a network that compiles soon: eight clips a batch, two steps an epoch."""
    return override(
        load_file("configs/demo.py:debug"),
        [f"--config.data.data_dir={synthetic_data}", "--config.batch_size=8", "--config.eval_batch_size=8"]
        + [
            "--config.model.name=baseline_gcn",
            "--config.model.stages=(1,)",
            "--config.data.limit=16",
            "--config.num_epochs=3",
            "--config.schedule.warm_up=0.0",
        ],
    )


def steps(config, num_devices, num_steps, dtype=np.float32, change_batch=lambda batch: batch):
    """The state after some training steps on some devices, and the figures of each step."""
    mesh = sharding.make_mesh(jax.devices()[:num_devices])
    split = open_split(config.data.name, config.data.data_dir, "train", limit=config.data.limit)
    batches = training_batches(split, batch_size=config.batch_size, seed=config.seed)
    experiment = Experiment.build(config, split, EPOCH_STEPS, mesh)
    network = experiment.network
    network.params, network.batch_stats = jax.tree.map(
        lambda x: np.asarray(x, dtype), (network.params, network.batch_stats)
    )
    state = experiment.initial_state()
    step = jax.jit(experiment.train_step, out_shardings=sharding.replicated(mesh))
    figures = []
    for _ in range(num_steps):
        batch = change_batch(next(batches))
        batch["joints"] = batch["joints"].astype(dtype)
        state, numbers = step(state, sharding.put_batch(batch, mesh))
        figures.append(sharding.to_host(numbers))
    return state, figures


def assert_close_trees(found, expected, **tolerance):
    jax.tree.map(
        lambda a, b: np.testing.assert_allclose(a, b, **tolerance),
        sharding.to_host(found),
        sharding.to_host(expected),
    )


# ---------------------------------------------------------------------- the step


def test_eight_devices_equal_one(config):
    """In float64, where five steps of a network with batch norm do not yet amplify rounding to something
    visible."""
    with jax.enable_x64(True), jax.numpy_dtype_promotion("standard"):
        one, figures_of_one = steps(config, 1, 5, np.float64)
        eight, figures_of_eight = steps(config, 8, 5, np.float64)
        for leaf in jax.tree.leaves(eight.params):
            assert leaf.dtype == np.float64 and leaf.sharding.is_fully_replicated and len(leaf.devices()) == 8
        assert_close_trees(eight.params, one.params, rtol=1e-8, atol=1e-10)
        assert_close_trees(eight.batch_stats, one.batch_stats, rtol=1e-8, atol=1e-10)
        # Sums are float32 whatever the rest is.
        assert_close_trees(figures_of_eight, figures_of_one, rtol=1e-5)


def test_accumulation_takes_the_mean_gradient_of_the_parts(config):
    """Of a batch in which each clip stands twice, both halves have the statistics and the gradient of the
    whole."""

    def each_twice(batch):
        return {name: np.repeat(rows[: len(rows) // 2], 2, axis=0) for name, rows in batch.items()}

    with jax.enable_x64(True), jax.numpy_dtype_promotion("standard"):
        whole, figures_of_whole = steps(config, 1, 2, np.float64, each_twice)
        halves, figures_of_halves = steps(
            override(config, ["--config.accumulate=2"]), 1, 2, np.float64, each_twice
        )
    assert_close_trees(halves.params, whole.params, rtol=1e-8, atol=1e-10)
    assert_close_trees(figures_of_halves, figures_of_whole, rtol=1e-5)


def test_bfloat16_keeps_parameters_and_statistics_in_float32(config):
    state, figures = steps(override(config, ["--config.dtype=bfloat16"]), 1, 2)
    assert {leaf.dtype.name for leaf in jax.tree.leaves((state.params, state.batch_stats))} == {"float32"}
    _, exact = steps(config, 1, 2)
    np.testing.assert_allclose(figures[0]["loss"], exact[0]["loss"], rtol=0.05)
    assert figures[0]["loss"] != exact[0]["loss"]


@pytest.mark.parametrize(("platform", "key"), [("gpu", "dot_merger"), ("cpu", "disable_hlo"), ("tpu", None)])
def test_each_compiler_is_told_what_it_knows(config, platform, key):
    """An option of one is an error for another."""
    config = override(config, ["--config.model.remat=True"])
    mesh = SimpleNamespace(devices=np.array([SimpleNamespace(platform=platform)]))
    told = compiler_options(config, mesh)
    assert [key in name for name in told] == ([True] if key else [])


@pytest.mark.parametrize(
    "changes",
    [
        ["--config.model.name=baseline_gcn"],
        pytest.param(["--config.model.name=ctrgcn"], marks=pytest.mark.slow),
    ],
)
def test_computing_twice_saves_memory_and_changes_nothing(config, changes):
    """On the CPU too, whose compiler would compute both at once if it were not told otherwise."""
    config = override(config, [*changes, "--config.model.stages=(3, 1, 1)", "--config.model.base_width=16"])
    mesh = sharding.make_mesh(jax.devices()[:1])
    split = open_split(config.data.name, config.data.data_dir, "train", limit=config.data.limit)
    batch = next(training_batches(split, batch_size=config.batch_size, seed=config.seed))
    found, needed = [], []
    for remat in (False, True):
        experiment = Experiment.build(
            override(config, [f"--config.model.remat={remat}"]), split, EPOCH_STEPS, mesh
        )
        state, placed = experiment.initial_state(), sharding.put_batch(batch, mesh)
        step = experiment.compiled_step().lower(state, placed).compile()
        found.append(step(state, placed)[0])
        needed.append(compiled_bytes(step))
    assert needed[1] < 0.6 * needed[0]
    assert_close_trees(found[1].params, found[0].params, rtol=1e-4, atol=1e-5)
    assert_close_trees(found[1].batch_stats, found[0].batch_stats, rtol=1e-4, atol=1e-5)


def test_the_moving_average_follows_the_parameters(config):
    state, _ = steps(override(config, ["--config.ema_decay=0.5"]), 1, 1)
    start, _ = steps(config, 1, 0)
    # The decay of the first step is 1 / 10.
    expected = jax.tree.map(lambda old, new: 0.1 * old + 0.9 * new, start.params, state.params)
    assert_close_trees(state.ema_params, expected, rtol=1e-5, atol=1e-7)
    assert state.eval_params is state.ema_params
    assert start.ema_params == {} and start.eval_params is start.params


def test_smoothing_and_clipping_reach_the_step(config):
    free, plain = steps(config, 1, 1)
    _, smoothed = steps(override(config, ["--config.task.label_smoothing=0.5"]), 1, 1)
    assert smoothed[0]["loss"] != plain[0]["loss"]
    clipped, _ = steps(override(config, ["--config.optimizer.clip_norm=1e-6"]), 1, 1)
    start, _ = steps(config, 1, 0)

    def distance(state):
        moved = jax.tree.map(
            lambda a, b: np.abs(np.asarray(a) - np.asarray(b)).max(), state.params, start.params
        )
        return max(jax.tree.leaves(moved))

    assert distance(clipped) < 1e-4 < distance(free)


@pytest.mark.parametrize("name", ["adam", "adamw"])
def test_the_other_optimizers_train(config, name):
    with jax.numpy_dtype_promotion("standard"):  # Optax counts the steps of Adam in integers
        _, figures = steps(override(config, [f"--config.optimizer.name={name}"]), 1, 2)
    assert np.isfinite(figures[1]["loss"])


def test_sums_start_anew_with_each_epoch(config):
    state, figures = steps(config, 1, 3)
    np.testing.assert_allclose(state.sums["count"], config.batch_size)
    np.testing.assert_allclose(state.sums["loss"], config.batch_size * figures[2]["loss"], rtol=1e-6)


def test_scores_do_not_depend_on_the_evaluation_batch(config):
    """Batches of 8 and of 24 (20, made to fit eight devices), of 20 samples: no sample's scores depend on its
    mates or on the padding."""
    split = open_split(config.data.name, config.data.data_dir, "test", limit=20)
    mesh, found = sharding.make_mesh(), []
    experiment = Experiment.build(config, split, EPOCH_STEPS, mesh)
    network = experiment.network
    for size in (8, 20):
        config_of_size = override(config, [f"--config.eval_batch_size={size}"])
        score = make_scorer(config_of_size, experiment.task, network, split, mesh, ClipErrors())
        found.append(score(network.params, network.batch_stats, 0))
    few, many = found
    assert len(few.ids) == len(set(few.ids)) == 20
    np.testing.assert_array_equal(few.ids, many.ids)
    np.testing.assert_allclose(few.logits, many.logits, atol=1e-5 * np.abs(few.logits).max())


# ---------------------------------------------------------------------- the loop


@pytest.fixture
def one_device(monkeypatch):
    """As on one CPU device, where a resumed run must equal an undisturbed one to the bit."""
    one = sharding.make_mesh(jax.devices()[:1])
    monkeypatch.setattr(sharding, "make_mesh", lambda devices=None, fsdp=1: one)


def test_a_run_leaves_what_the_contract_says(config, tmp_path, one_device):
    train(config, tmp_path / "run")
    run = tmp_path / "run"
    assert json.loads((run / "config.json").read_text())["num_epochs"] == 3
    epochs = rows(run, kind="epoch", split="train")
    assert [row["epoch"] for row in epochs] == [0, 1, 2]
    assert {"loss", "top1", "lr", "step"} <= epochs[0].keys()
    of_steps = rows(run, kind="step", split="train")
    assert [row["step"] for row in of_steps] == [1, 2, 3, 4, 5, 6]
    np.testing.assert_allclose(epochs[1]["loss"], np.mean([row["loss"] for row in of_steps[2:4]]), rtol=1e-6)
    assert all(0 <= row["top1"] <= 1 for row in rows(run, split="valid"))
    assert any((run / "tensorboard").iterdir())


def test_stop_epoch_ends_early_with_the_same_schedule_and_is_gone_on_with(config, tmp_path, one_device):
    train(config, tmp_path / "straight")
    train(override(config, ["--config.stop_epoch=1"]), tmp_path / "stopped")
    assert rows(tmp_path / "stopped") == rows(tmp_path / "straight")[: len(rows(tmp_path / "stopped"))]
    train(config, tmp_path / "stopped")
    assert rows(tmp_path / "stopped") == rows(tmp_path / "straight")


class StopsInTheMiddleOfTheSecondEpoch:
    """In place of SIGTERM: `received` turns true in the third step."""

    asked = 0

    def __init__(self, last_words):
        del last_words

    def wait_for_steps(self):
        pass

    def at_once(self, last_words):
        return contextlib.nullcontext()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        pass

    @property
    def received(self):
        self.asked += 1
        return self.asked >= 3


def test_a_request_to_stop_saves_and_a_resumed_run_equals_an_undisturbed_one(
    config, tmp_path, one_device, monkeypatch
):
    config = override(config, ["--config.ema_decay=0.9"])
    train(config, tmp_path / "straight")

    with monkeypatch.context() as patched:
        patched.setattr("rgbd_jax.train.StopRequest", StopsInTheMiddleOfTheSecondEpoch)
        with pytest.raises(Preempted, match="saved after step"):
            train(config, tmp_path / "stopped")
    train(config, tmp_path / "stopped")
    assert rows(tmp_path / "stopped") == rows(tmp_path / "straight")


def test_a_folder_of_another_experiment_is_refused(config, tmp_path):
    claim_workdir(tmp_path / "run", config)
    claim_workdir(tmp_path / "run", override(config, ["--config.stop_epoch=2"]))
    with pytest.raises(UserError, match=r"config.json: the run is another experiment \(seed: 1 -> 2\)"):
        claim_workdir(tmp_path / "run", override(config, ["--config.seed=2"]))
    (tmp_path / "broken").mkdir()
    (tmp_path / "broken" / "config.json").write_text("{")
    with pytest.raises(UserError, match="config.json: is not the config of a run"):
        claim_workdir(tmp_path / "broken", config)
    (tmp_path / "other").mkdir()
    (tmp_path / "other" / "thesis.txt").write_text("mine")
    with pytest.raises(UserError, match="is no run and not empty"):
        claim_workdir(tmp_path / "other", config)
    assert [path.name for path in (tmp_path / "other").iterdir()] == ["thesis.txt"]


def with_a_broken_clip(batch):
    joints = batch["joints"].copy()
    joints[0] = np.nan
    return batch | {"joints": joints}


def test_steps_that_are_not_finite_change_nothing_and_are_counted(config):
    start, _ = steps(config, 1, 0)
    state, figures = steps(config, 1, 3, change_batch=with_a_broken_clip)
    for part in ("params", "batch_stats"):
        jax.tree.map(np.testing.assert_array_equal, getattr(state, part), getattr(start, part))
    before = named_leaves(start.opt_state)
    for name, leaf in named_leaves(state.opt_state).items():
        np.testing.assert_array_equal(leaf, 3 if name.endswith("count") else before[name])
    assert [row["skipped"] for row in figures] == [1, 1, 1]
    assert (int(state.step), int(state.skipped_in_row)) == (3, 3)
    assert sharding.to_host(state.sums) == {"loss": 0, "top1": 0, "count": 0, "skipped": 1}  # of this epoch


def test_many_steps_in_a_row_that_are_not_finite_end_the_run(config, tmp_path, one_device):
    config = override(config, ["--config.schedule.base_lr=1e30", "--config.num_epochs=8"])
    with pytest.raises(
        OutsideError,
        match=r"not finite in 10 steps .*; config.max_skipped_steps=10 .*; the last checkpoint is of step 10",
    ):
        train(config, tmp_path / "run")
    with Checkpoints(tmp_path / "run" / "checkpoints") as checkpoints:
        assert checkpoints.newest is not None
    skipped = rows(tmp_path / "run", kind="skipped", split="train")
    # The first step is finite, and leads to parameters that are not any more of use.
    assert [row["step"] for row in skipped] == list(range(2, 2 + len(skipped)))
    assert len(skipped) == config.max_skipped_steps == 10
    # An epoch without a finite step has no mean.
    assert [row["loss"] is None for row in rows(tmp_path / "run", kind="epoch", split="train")] == (
        [False] + [True] * 4
    )
    batches = training_batches(
        open_training_split(config.data), batch_size=config.batch_size, seed=config.seed
    )
    next(batches)
    assert [row["ids"] for row in skipped] == [next(batches)["id"].tolist() for _ in skipped]
    # With more of them allowed the run is the same experiment.
    with pytest.raises(OutsideError, match=r"not finite in 12 steps up to step 13; .*max_skipped_steps=12 "):
        train(override(config, ["--config.max_skipped_steps=12"]), tmp_path / "run")


def test_a_skipped_step_does_not_hold_up_the_learning_rate(config):
    """Without momentum and decay a step's length is the rate times the norm of the gradient."""
    config = override(
        config,
        [
            "--config.schedule.name=constant",
            "--config.schedule.per=step",
            "--config.schedule.warm_up=1.0",
            "--config.optimizer.momentum=0.0",
            "--config.optimizer.nesterov=False",
            "--config.optimizer.weight_decay=0.0",
        ],
    )
    broken = iter([True, True, False])
    state, figures = steps(
        config, 1, 3, change_batch=lambda batch: with_a_broken_clip(batch) if next(broken) else batch
    )
    start, _ = steps(config, 1, 0)
    last = figures[2]
    np.testing.assert_allclose(last["lr"], 3 * figures[0]["lr"], rtol=1e-6)
    moved = optax.tree.norm(optax.tree.sub(state.params, start.params))
    np.testing.assert_allclose(moved, last["lr"] * last["grad_norm"], rtol=1e-3)


@pytest.fixture
def breaks(monkeypatch):
    """A function that makes the clips of these steps, from 1, broken, over all sessions."""

    def in_steps(broken):
        fetch, fetched = train_module.Throughput.fetch, itertools.count(1)

        def fetch_broken(self, batches):
            batch = fetch(self, batches)
            return with_a_broken_clip(batch) if next(fetched) in broken else batch

        monkeypatch.setattr(train_module.Throughput, "fetch", fetch_broken)

    return in_steps


def test_steps_in_a_row_end_the_run_also_if_no_row_is_logged_between_them_and_a_good_one(
    config, tmp_path, one_device, breaks
):
    """An epoch has eight steps here, at the end of which it is looked at."""
    breaks(range(2, 6))
    config = override(config, ["--config.data.repeat=4", "--config.log_every=100", "--config.num_epochs=1"])
    with pytest.raises(OutsideError, match=r"not finite in 4 steps up to step 5; .*; nothing was saved"):
        train(override(config, ["--config.max_skipped_steps=4"]), tmp_path / "run")


def test_steps_in_a_row_are_counted_over_two_sessions(config, tmp_path, one_device, monkeypatch, breaks):
    breaks(range(2, 6))
    config = override(config, ["--config.data.repeat=4", "--config.log_every=100", "--config.num_epochs=1"])
    config = override(config, ["--config.max_skipped_steps=4"])
    with monkeypatch.context() as patched:
        patched.setattr("rgbd_jax.train.StopRequest", StopsInTheMiddleOfTheSecondEpoch)
        with pytest.raises(Preempted, match="saved after step 3"):
            train(config, tmp_path / "run")
    with pytest.raises(OutsideError, match=r"in 4 steps up to step 5; .*; the last checkpoint is of step 3"):
        train(config, tmp_path / "run")


def test_starting_from_nowhere_leaves_nothing_behind(config, tmp_path):
    with pytest.raises(UserError, match="nowhere: there is no such folder"):
        train(override(config, [f"--config.init_from={tmp_path / 'nowhere'}"]), tmp_path / "run")
    assert not (tmp_path / "run").exists()


def test_a_run_is_gone_on_with_after_what_it_started_from_is_gone(config, tmp_path, one_device, capsys):
    config = override(config, ["--config.num_epochs=2"])
    train(override(config, ["--config.stop_epoch=1"]), tmp_path / "first")
    config = override(config, [f"--config.init_from={tmp_path / 'first'}"])
    train(override(config, ["--config.stop_epoch=1"]), tmp_path / "run")
    assert f"starting from {tmp_path / 'first'}" in capsys.readouterr().err
    (tmp_path / "first").rename(tmp_path / "moved")
    train(config, tmp_path / "run")
    assert [row["epoch"] for row in rows(tmp_path / "run", kind="epoch", split="valid")] == [0, 1]
    assert "starting from" not in capsys.readouterr().err


def test_frozen_norms_keep_their_statistics(config):
    moved, _ = steps(config, 1, 1)
    kept, _ = steps(override(config, ["--config.frozen_norm=True", "--config.init_from=a_run"]), 1, 1)
    for name, leaf in named_leaves(sharding.to_host(kept.batch_stats)).items():
        np.testing.assert_array_equal(leaf, 1.0 if name.endswith("var") else 0.0)
    assert any(
        np.any(leaf) for name, leaf in named_leaves(moved.batch_stats).items() if name.endswith("mean")
    )
    grown = [np.any(leaf) for name, leaf in named_leaves(kept.params).items() if name.endswith("norm/bias")]
    assert grown and all(grown)


def damage(monkeypatch, split, index):
    """Make a record of a split one that cannot be read."""
    read = Records.__getitem__

    def damaged(self, wanted):
        if wanted == index and f"split {split}" in self._place:
            raise OutsideError(f"record {index} of {split} is damaged")
        return read(self, wanted)

    monkeypatch.setattr(Records, "__getitem__", damaged)


def test_a_faulty_clip_ends_a_run_that_can_go_on_without_it(
    config, tmp_path, one_device, monkeypatch, capsys
):
    config = override(config, ["--config.num_epochs=2"])
    damage(monkeypatch, "train", 5)
    damage(monkeypatch, "test", 3)
    with pytest.raises(OutsideError, match="record 5 of train is damaged; with .*=skip.*; nothing was saved"):
        train(config, tmp_path / "run")
    config = override(config, ["--config.data.on_error=skip"])
    with pytest.raises(
        OutsideError, match=r"1 of 16 clips cannot be used.*; data.max_unreadable=0.01 allows"
    ):
        train(config, tmp_path / "run")
    train(override(config, ["--config.data.max_unreadable=0.1"]), tmp_path / "run")
    for split in ("train", "valid"):
        assert [row["data_errors"] for row in rows(tmp_path / "run", kind="epoch", split=split)] == [1, 1]
    lines = (tmp_path / "run" / "data_errors.jsonl").read_text().splitlines()
    assert [json.loads(line)["split"] for line in lines] == ["train", "test"]
    said = capsys.readouterr().err
    for place in ("record 5 of train", "record 3 of test"):
        assert said.count(f"warning: {place} is damaged; the clip is left out\n") == 1


def test_a_faulty_clip_of_training_and_validation_alike_is_named_once(
    config, tmp_path, one_device, monkeypatch, capsys
):
    damage(monkeypatch, "train", 5)
    changes = ["--config.data.on_error=skip", "--config.data.max_unreadable=0.1", "--config.num_epochs=1"]
    train(override(config, [*changes, "--config.data.eval_split=train"]), tmp_path / "run")
    assert len((tmp_path / "run" / "data_errors.jsonl").read_text().splitlines()) == 1
    assert capsys.readouterr().err.count("record 5 of train is damaged") == 1


def test_a_faulty_clip_of_the_validation_ends_a_run_that_says_what_was_saved(
    config, tmp_path, one_device, monkeypatch
):
    damage(monkeypatch, "test", 3)
    with pytest.raises(OutsideError, match="record 3 of test is .*; the last checkpoint is of step 2$"):
        train(override(config, ["--config.checkpoint_every=1"]), tmp_path / "run")


@pytest.fixture
def faulty(config, synthetic_data, tmp_path):
    """The config with faulty clips in both splits, which are left out. An epoch shows 16 of 20 clips."""
    data = tmp_path / "data"
    shutil.copytree(synthetic_data / "synthetic", data / "synthetic")
    nan, nobody = (
        with_joints(lambda numbers, value=value: [value] * len(numbers)) for value in (np.nan, 0.0)
    )
    folder = data / "synthetic" / "1.0.0"
    rewrite(folder, "train", {1: nan, 6: with_label(10), 9: cut, 14: nobody})
    rewrite(folder, "test", {0: nan, 7: nobody})
    overrides = [f"--config.data.data_dir={data}", "--config.data.on_error=skip"]
    return override(config, [*overrides, "--config.data.limit=20", "--config.data.max_unreadable=0.25"])


@pytest.mark.parametrize("num_workers", [0, pytest.param(2, marks=pytest.mark.slow)])
def test_a_resumed_run_without_faulty_clips_equals_an_undisturbed_one(
    faulty, tmp_path, one_device, monkeypatch, num_workers
):
    faulty = override(faulty, [f"--config.data.num_workers={num_workers}"])
    straight, stopped = tmp_path / "straight", tmp_path / "stopped"
    train(faulty, straight)
    counts = [row["data_errors"] for row in rows(straight, kind="epoch", split="train")]
    assert counts[0] < counts[-1] == 4, "clips are to be found in a later epoch too"
    assert [row["data_errors"] for row in rows(straight, kind="epoch", split="valid")] == [2, 2, 2]
    for split in ("train", "valid"):
        figures = logged_figures(straight, split)
        for row in rows(straight, kind="epoch", split=split):
            assert figures["epoch/data_errors", row["step"]] == row["data_errors"]
    with monkeypatch.context() as patched:
        patched.setattr("rgbd_jax.train.StopRequest", StopsInTheMiddleOfTheSecondEpoch)
        with pytest.raises(Preempted, match="saved after step"):
            train(faulty, stopped)
    # As after a kill later than the checkpoint: clips were named since, and one not to the end.
    written = (straight / "data_errors.jsonl").read_text()
    (stopped / "data_errors.jsonl").write_text(written + '{"split": "train", "id": "syn')
    train(faulty, stopped)
    assert rows(stopped) == rows(straight)
    lines = [json.loads(line) for line in written.splitlines()]
    assert len({(line["split"], line["id"]) for line in lines}) == len(lines) == 6


def logged_figures(run, split):
    """The figures in TensorBoard, by their names and steps."""
    found = {}
    for path in (run / "tensorboard" / split).iterdir():
        data, at = path.read_bytes(), 0
        while at < len(data):  # length, checksum, event, checksum
            (length,) = struct.unpack_from("<Q", data, at)
            event = Event.FromString(data[at + 12 : at + 12 + length])
            found |= {(value.tag, event.step): value.simple_value for value in event.summary.value}
            at += length + 16
    return found


def test_evaluation_names_the_clips_that_it_left_out(faulty, tmp_path, one_device, capsys):
    newest = resolve(save_untrained(tmp_path / "run", override(faulty, ["--config.model.stages=(1,1,1)"])))
    folder, metrics = evaluate(newest, ConfigArguments(None, ()))
    stored = json.loads((folder / "metrics.json").read_text())
    source = open_split("synthetic", faulty.data.data_dir, "test").source
    ids = [record["id"].decode() for record in source][:20]
    assert stored["skipped"] == metrics["skipped"] == 2
    assert stored["skipped_ids"] == [ids[0], ids[7]]
    assert stored["count"] == 18
    with np.load(folder / "scores.npz") as scores:
        assert scores["ids"].tolist() == [*ids[1:7], *ids[8:]]
    said = capsys.readouterr().err
    for name in stored["skipped_ids"]:
        assert f"warning: synthetic, split test, clip {name}: cannot be used (" in said
    few = ConfigArguments(None, ("--config.data.max_unreadable=0.09",))
    with pytest.raises(
        OutsideError, match=r"^2 of 20 clips cannot be used.*=0.09 allows.*; nothing was saved$"
    ):
        evaluate(newest, few)
    strict = ConfigArguments(None, ("--config.data.on_error=fail",))
    with pytest.raises(
        OutsideError, match=f"clip {ids[0]}: cannot be used .frame 0, person 0, joint 0: x is nan"
    ):
        evaluate(newest, strict)


def test_a_run_that_is_over_says_so(config, tmp_path, one_device, capsys):
    config = override(config, ["--config.num_epochs=1"])
    train(config, tmp_path / "run")
    logged = (tmp_path / "run" / "metrics.jsonl").read_text()
    train(config, tmp_path / "run")
    assert "was trained to the end already, step 2" in capsys.readouterr().err
    assert (tmp_path / "run" / "metrics.jsonl").read_text() == logged


def test_a_batch_that_does_not_divide_is_refused(config, tmp_path):
    with pytest.raises(UserError, match=r"config.batch_size=12: must be a positive multiple of 8"):
        train(override(config, ["--config.batch_size=12"]), tmp_path / "run")
    assert not (tmp_path / "run").exists()


# ---------------------------------------------------------------------- memory


def test_a_run_says_what_a_step_needs_before_the_first(config, tmp_path, one_device, capsys):
    train(override(config, ["--config.stop_epoch=1"]), tmp_path / "run")
    first, second, *_ = capsys.readouterr().err.splitlines()
    assert "compiling" in first
    assert re.match(r"memory: a step needs \d+\.\d MiB on each device", second)


def test_a_run_whose_device_has_too_little_memory_can_go_on(config, tmp_path, one_device, monkeypatch):
    take_step, taken = MeasuredStep.__call__, []

    def exhausted(self, state, batch):
        taken.append(state)
        if len(taken) == 4:
            raise jax.errors.JaxRuntimeError("RESOURCE_EXHAUSTED: Out of memory allocating 9 bytes.")
        return take_step(self, state, batch)

    with monkeypatch.context() as patched:
        patched.setattr(MeasuredStep, "__call__", exhausted)
        with pytest.raises(OutsideError) as caught:
            train(config, tmp_path / "run")
    for words in (
        "memory is exhausted",
        "a step needs ",
        "model.remat=True",
        "the last checkpoint is of step 2",
    ):
        assert words in str(caught.value)
    train(override(config, ["--config.model.remat=True"]), tmp_path / "run")
    assert rows(tmp_path / "run")[-1]["step"] == 3 * EPOCH_STEPS
    assert [session["step"] for session in read_sessions(tmp_path / "run")] == [0, EPOCH_STEPS]


def test_an_evaluation_that_needs_too_much_names_its_key(config, tmp_path, one_device, monkeypatch):
    def exhausted(*_):
        raise jax.errors.JaxRuntimeError("RESOURCE_EXHAUSTED: Out of memory allocating 9 bytes.")

    monkeypatch.setattr("rgbd_jax.evaluate.compiled_evaluation", lambda *_: exhausted)
    with pytest.raises(OutsideError, match="smaller eval_batch_size.*; the last checkpoint is of step 2"):
        train(config, tmp_path / "run")
