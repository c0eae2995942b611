import dataclasses
import json
import random
import shutil
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
from checkpoint_damage import BESIDE, DAMAGES, turn_a_bit
from flax import nnx
from grain import MapDataset

from rgbd_jax.errors import OutsideError, UserError
from rgbd_jax.training.checkpoint import Checkpoints, Description, describe, load_weights
from rgbd_jax.training.checkpoint_folders import newest_intact, resolve, run_of, set_aside_newer
from rgbd_jax.training.sharding import make_mesh, place, replicated, state_shardings
from rgbd_jax.training.state import Network, create_state, update_average
from rgbd_jax.training.transfer import start_from

MESH = make_mesh(jax.devices()[:1])
PLACEMENT = replicated(MESH)
LOADER = {"num_workers": 0, "process_count": 1}


class TinyNetwork(nnx.Module):
    def __init__(self, num_classes: int, rngs: nnx.Rngs):
        self.layers = nnx.List([nnx.Linear(3, 4, rngs=rngs), nnx.Linear(4, num_classes, rngs=rngs)])
        self.norm = nnx.BatchNorm(4, rngs=rngs)


def make_state(num_classes=2, seed=0, ema=False):
    network = Network(TinyNetwork(num_classes, nnx.Rngs(seed)))
    state = create_state(network, optax.sgd(0.1, momentum=0.9), ema=ema, reported=("loss",), plateau={})
    return place(state, state_shardings(state, MESH))


def description(step):
    config = {"seed": 1, "task": {"steps": [1, 2]}}
    return Description(config, ("wave", "sit"), LOADER, step, epoch=step // 2, channels={"depth": 1})


def numbers():
    return iter(MapDataset.range(100).seed(1).shuffle().repeat().batch(4).to_iter_dataset())


def assert_equal_trees(found, expected):
    jax.tree.map(np.testing.assert_array_equal, found, expected)


@pytest.fixture(scope="module")
def saved(tmp_path_factory):
    """A run with six checkpoints saved, of which the second is the best."""
    loader, folder = numbers(), tmp_path_factory.mktemp("saved") / "run"
    with Checkpoints(folder / "checkpoints") as checkpoints:
        for step, top1 in enumerate([0.1, 0.9, None, 0.3, None, None], start=1):
            next(loader)
            state = make_state(seed=step).replace(step=jnp.asarray(step, jnp.int32))
            checkpoints.save(state, loader.get_state(), description(step))
            if top1 is not None:
                checkpoints.add_validation(step, top1)
    return folder


@pytest.fixture
def run(saved, tmp_path):
    """A copy of it, to be changed."""
    return Path(shutil.copytree(saved, tmp_path / "run"))


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


# ---------------------------------------------------------------------- damaged ones


@pytest.mark.parametrize("name", DAMAGES)
def test_a_damaged_checkpoint_is_passed_over_or_refused(run, capsys, name):
    folder = run / "checkpoints"
    DAMAGES[name](folder / "6", random.Random(0))
    assert resolve(run) == newest_intact(folder) == folder / "5"
    said = capsys.readouterr().err.splitlines()
    assert len(said) == 2 and all(
        line.startswith(f"warning: {folder}/6 is damaged: ") and line.endswith("; going back to 5")
        for line in said
    )
    with pytest.raises(UserError, match=r"checkpoints/6: is damaged: ") as refusal:
        resolve(folder / "6")
    assert "\n" not in str(refusal.value)
    DAMAGES[name](folder / "5", random.Random(1))
    DAMAGES[name](folder / "2", random.Random(2))
    with pytest.raises(UserError, match=r"no checkpoint is intact \(6 is damaged: .*; 5 is .*; 2 is damaged"):
        resolve(run)
    if name not in ("nothing but metadata", "nothing at all"):  # which leave no validation either
        with pytest.raises(UserError, match=r"/2: the best checkpoint is damaged: .*; --which=newest takes"):
            resolve(run, "best")


@pytest.mark.parametrize("name", BESIDE)
def test_what_lies_beside_the_checkpoints_does_not_matter(run, name):
    folder = run / "checkpoints"
    BESIDE[name](folder, folder / "6")
    assert resolve(run) == folder / "6"
    set_aside_newer(folder, folder / "6")
    with Checkpoints(folder) as checkpoints:
        checkpoints.save(make_state(seed=7), {}, description(7))
    assert {"2", "6", "7"} <= {path.name for path in folder.iterdir()}
    assert resolve(run) == folder / "7"


def test_a_damaged_checkpoint_is_not_in_the_way_of_its_successor(run):
    folder = run / "checkpoints"
    for _ in range(2):
        turn_a_bit(folder / "6" / "_CHECKPOINT_METADATA", random.Random(0))
        newest = newest_intact(folder)
        assert newest == folder / "5"
        set_aside_newer(folder, newest)
        with Checkpoints(folder) as checkpoints:
            assert checkpoints.newest == 5
            checkpoints.save(make_state(seed=66), {}, description(6))
    assert sorted(path.name for path in folder.iterdir()) == ["2", "5", "6", "6.damaged", "6.damaged-2"]
    assert resolve(run) == folder / "6" and resolve(run, "best") == folder / "2"
    params, _ = load_weights(folder / "6", make_state().params, make_state().batch_stats, PLACEMENT)
    assert_equal_trees(params, make_state(seed=66).params)


def test_a_checkpoint_that_has_not_got_its_name_is_not_chosen(run, monkeypatch):
    """A process that is killed while the checksums are written."""

    def killed(folder, but):
        raise RuntimeError("killed")

    folder = run / "checkpoints"
    monkeypatch.setattr("rgbd_jax.training.checkpoint_folders.write_checksums", killed)
    with pytest.raises(OutsideError, match="the last checkpoint is of step 6"), Checkpoints(folder) as some:
        some.save(make_state(seed=7), {}, description(7))
    assert resolve(run) == folder / "6" and resolve(run, "best") == folder / "2"
    assert {path.name for path in folder.iterdir()} == {"2", "5", "6", "7.orbax-checkpoint-tmp"}


def test_a_run_of_an_earlier_version_is_evaluated_but_not_gone_on_with(run):
    folder = run / "checkpoints" / "6"
    stored = json.loads((folder / "_CHECKPOINT_METADATA").read_text())
    stored["custom_metadata"]["format"] = 1
    (folder / "_CHECKPOINT_METADATA").write_text(json.dumps(stored))
    (folder / "checksums.json").unlink()
    (folder / "metrics").mkdir()
    (folder / "metrics" / "metrics").write_text('{"top1": 0.95}')
    assert resolve(run) == resolve(run, "best") == folder
    with Checkpoints(run / "checkpoints") as checkpoints, pytest.raises(UserError, match="not gone on with"):
        checkpoints.restore(6, make_state(), numbers(), LOADER)
