import dataclasses
import json
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
from flax import nnx
from grain import MapDataset

from rgbd_jax.errors import OutsideError, UserError
from rgbd_jax.training.checkpoint import Checkpoints, Description, describe, load_weights, resolve, run_of
from rgbd_jax.training.sharding import make_mesh, replicated
from rgbd_jax.training.state import Network, create_state, update_average
from rgbd_jax.training.transfer import start_from

PLACEMENT = replicated(make_mesh(jax.devices()[:1]))
LOADER = {"num_workers": 0, "process_count": 1}


class TinyNetwork(nnx.Module):
    def __init__(self, num_classes: int, rngs: nnx.Rngs):
        self.layers = nnx.List([nnx.Linear(3, 4, rngs=rngs), nnx.Linear(4, num_classes, rngs=rngs)])
        self.norm = nnx.BatchNorm(4, rngs=rngs)


def make_state(num_classes=2, seed=0, ema=False):
    network = Network(TinyNetwork(num_classes, nnx.Rngs(seed)))
    return create_state(
        network, optax.sgd(0.1, momentum=0.9), PLACEMENT, ema=ema, reported=("loss",), plateau={}
    )


def description(step):
    config = {"seed": 1, "task": {"steps": [1, 2]}}
    return Description(config, ("wave", "sit"), LOADER, step, epoch=step // 2, channels={"depth": 1})


def numbers():
    return iter(MapDataset.range(100).seed(1).shuffle().repeat().batch(4).to_iter_dataset())


def assert_equal_trees(found, expected):
    jax.tree.map(np.testing.assert_array_equal, found, expected)


@pytest.fixture
def run(tmp_path):
    """A run with six checkpoints saved, of which the second is the best."""
    loader = numbers()
    with Checkpoints(tmp_path / "checkpoints") as checkpoints:
        for step, top1 in enumerate([0.1, 0.9, None, 0.3, None, None], start=1):
            next(loader)
            state = make_state(seed=step).replace(step=jnp.asarray(step, jnp.int32))
            checkpoints.save(state, loader.get_state(), description(step))
            if top1 is not None:
                checkpoints.add_validation(step, top1)
    return tmp_path


def test_the_newest_two_and_the_best_are_kept(run):
    assert sorted(path.name for path in (run / "checkpoints").iterdir()) == ["2", "5", "6"]
    assert resolve(run) == resolve(run / "checkpoints") == run / "checkpoints" / "6"
    assert resolve(run, "best") == run / "checkpoints" / "2"
    assert resolve(run / "checkpoints" / "2") == run / "checkpoints" / "2"
    assert run_of(run / "checkpoints" / "2") == run


def test_state_and_loader_come_back(run):
    straight, resumed = numbers(), numbers()
    for _ in range(6):
        next(straight)
    with Checkpoints(run / "checkpoints") as checkpoints:
        assert checkpoints.newest == 6
        state = checkpoints.restore(6, make_state(), resumed, LOADER)
    assert_equal_trees(state, make_state(seed=6).replace(step=jnp.asarray(6, jnp.int32)))
    assert state.step.sharding.is_fully_replicated
    np.testing.assert_array_equal(next(resumed), next(straight))


def test_a_path_below_the_run_is_understood_too(run, monkeypatch):
    monkeypatch.chdir(run / "checkpoints")
    assert run_of(resolve(Path("2"))) == run.resolve()


def test_damaged_arrays_are_named(run):
    folder = resolve(run)
    for path in sorted((folder / "state").rglob("*"), reverse=True):
        path.unlink() if path.is_file() else path.rmdir()
    state = make_state()
    with pytest.raises(UserError, match="6: cannot be read as a checkpoint"):
        load_weights(folder, state.params, state.batch_stats, PLACEMENT)
    with Checkpoints(run / "checkpoints") as checkpoints, pytest.raises(UserError):
        checkpoints.restore(6, state, numbers(), LOADER)


def test_what_cannot_be_written_is_trouble_from_outside(run, monkeypatch):
    def full(*_, **__):
        raise OSError(28, "No space left on device")

    with (
        pytest.raises(OutsideError, match="No space left on device.*the last checkpoint is of step 6"),
        Checkpoints(run / "checkpoints") as checkpoints,
    ):
        monkeypatch.setattr(checkpoints._checkpointer, "save_checkpointables_async", full)
        checkpoints.save(make_state(), {}, description(7))


def test_the_position_of_other_workers_is_refused(run):
    with (
        Checkpoints(run / "checkpoints") as checkpoints,
        pytest.raises(UserError, match="num_workers"),
    ):
        checkpoints.restore(6, make_state(), numbers(), LOADER | {"num_workers": 3})


def test_a_checkpoint_describes_itself(run):
    assert describe(resolve(run)) == description(6)


def test_an_older_checkpoint_does_not_know_its_depth(run):
    file = resolve(run) / "_CHECKPOINT_METADATA"
    stored = json.loads(file.read_text())
    del stored["custom_metadata"]["channels"]
    stored["custom_metadata"]["format"] = 1
    file.write_text(json.dumps(stored))
    (file.parent / "checksums.json").unlink()
    assert describe(resolve(run)) == dataclasses.replace(description(6), channels={})


def test_weights_to_evaluate_with_are_the_moving_average_if_there_is_one(tmp_path):
    state = make_state(ema=True)
    state = state.replace(ema_params=jax.tree.map(lambda x: x + 1, state.params))
    with Checkpoints(tmp_path / "checkpoints") as checkpoints:
        checkpoints.save(state, {}, description(1))
    params, batch_stats = load_weights(resolve(tmp_path), state.params, state.batch_stats, PLACEMENT)
    assert_equal_trees(params, state.ema_params)
    assert_equal_trees(batch_stats, state.batch_stats)


def test_weights_of_another_network_are_refused(run):
    other = make_state(num_classes=7)
    with pytest.raises(UserError, match=r"another network: layers/1/bias is \(2,\), needed is \(7,\)"):
        load_weights(resolve(run), other.params, other.batch_stats, PLACEMENT)


def test_what_only_training_needs_is_passed_over(tmp_path):
    """Where it is not asked for; nothing else is."""
    state = make_state()
    layers = state.params["layers"]
    params = state.params | {"text_tower": {"embedding": jnp.ones(3)}}
    with Checkpoints(tmp_path / "checkpoints") as checkpoints:
        checkpoints.save(state.replace(params=params), {}, description(1))
    found, _ = load_weights(resolve(tmp_path), state.params, state.batch_stats, PLACEMENT)
    assert_equal_trees(found, state.params)
    found, _ = load_weights(resolve(tmp_path), params, state.batch_stats, PLACEMENT)
    assert_equal_trees(found, params)
    with pytest.raises(UserError, match=r"another network: layers/1/bias is \(2,\), needed is none"):
        load_weights(resolve(tmp_path), {"layers": {0: layers[0]}}, state.batch_stats, PLACEMENT)


@pytest.mark.parametrize("inside", ["", "checkpoints"])
def test_a_folder_without_checkpoint_is_named(tmp_path, inside):
    (tmp_path / "run" / inside).mkdir(parents=True)
    with pytest.raises(UserError, match="run: holds no complete checkpoint"):
        resolve(tmp_path / "run")
    with pytest.raises(UserError, match="nowhere: there is no such folder"):
        resolve(tmp_path / "nowhere")


def test_the_best_of_a_run_that_was_never_validated(tmp_path):
    with Checkpoints(tmp_path / "checkpoints") as checkpoints:
        checkpoints.save(make_state(), {}, description(1))
    with pytest.raises(UserError, match="no checkpoint has been validated"):
        resolve(tmp_path, "best")


def test_starting_from_a_run_replaces_the_head_and_says_so(run, capsys):
    fresh = make_state(num_classes=7, ema=True)
    state = start_from({"": resolve(run)}, fresh, [f"class {number}" for number in range(7)])
    saved = make_state(seed=6)
    assert_equal_trees(state.params["layers"][0], saved.params["layers"][0])
    assert_equal_trees(state.params["layers"][1], fresh.params["layers"][1])
    assert_equal_trees(state.ema_params, state.params)
    said = "2 arrays (layers/1/bias, layers/1/kernel) start fresh; 0 arrays are not used"
    assert said in capsys.readouterr().err


def test_the_moving_average_forgets_its_start_soon():
    average, params = {"w": jnp.array(1.0)}, {"w": jnp.array(0.0)}
    early = update_average(average, params, jnp.asarray(0, jnp.int32), 0.999)
    late = update_average(average, params, jnp.asarray(10**6, jnp.int32), 0.999)
    np.testing.assert_allclose([early["w"], late["w"]], [0.1, 0.999], rtol=1e-6)
