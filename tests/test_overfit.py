"""One batch by heart: every config's network learns one, and what keeps it from that is said."""

import os
import re

import jax
import pytest
from test_configs import FILES

from rgbd_jax import overfit
from rgbd_jax.config import load_file, override
from rgbd_jax.errors import OutsideError, UserError
from rgbd_jax.overfit import Figures, at_constant_rate, learn_one_batch, rounds, verdict
from rgbd_jax.training.memory import MeasuredStep

SMALL = ["--config.model.name=baseline_gcn", "--config.model.base_width=16"]


def files_below(folder):
    return sorted(os.path.join(path, name) for path, _, names in os.walk(folder) for name in names)


def test_a_batch_of_the_demo_is_learned_and_nothing_written(synthetic_data, tmp_path, monkeypatch, capsys):
    config = f"--config={os.path.abspath('configs/demo.py')}:debug"
    monkeypatch.chdir(tmp_path)
    before = files_below(synthetic_data)
    overfit.main([config, f"--config.data.data_dir={synthetic_data}", *SMALL])
    out, err = capsys.readouterr()
    *steps, learned = out.splitlines()
    assert learned == "learned by heart: all 8 clips are named right"
    assert [line.partition(":")[0] for line in steps[:3]] == ["step 1", "step 2", "step 5"]
    assert steps[-1].endswith("top-1 100.0 %")
    assert "random clips" not in err
    assert files_below(synthetic_data) == before
    assert not list(tmp_path.iterdir())


def test_random_clips_stand_in_and_a_rate_that_is_too_high_is_named(tmp_path, capsys):
    arguments = ["--config=configs/demo.py:debug", f"--config.data.data_dir={tmp_path / 'data'}", *SMALL]
    with pytest.raises(
        UserError, match=r"not learned by heart: .*; not finite any more: config.schedule.base_lr=1e"
    ):
        overfit.main([*arguments, "--config.schedule.base_lr=1e30", "--steps=20"])
    out, err = capsys.readouterr()
    assert "learned" not in out
    assert "synthetic is not prepared in " in err and "random clips instead" in err
    assert not list(tmp_path.iterdir())


def test_what_a_step_needs_is_said_and_too_little_memory_is_explained(synthetic_data, monkeypatch, capsys):
    def exhausted(self, state, batch):
        raise jax.errors.JaxRuntimeError("RESOURCE_EXHAUSTED: Out of memory allocating 9 bytes.")

    monkeypatch.setattr(MeasuredStep, "__call__", exhausted)
    with pytest.raises(OutsideError, match="memory is exhausted.*; a step needs .*model.remat=True"):
        overfit.main(["--config=configs/demo.py:debug", f"--config.data.data_dir={synthetic_data}", *SMALL])
    assert "memory: a step needs " in capsys.readouterr().err


def test_parameters_are_shared_as_in_training(synthetic_data):
    """What one device holds of the state then is less."""
    config = override(
        load_file("configs/demo.py:debug"),
        [f"--config.data.data_dir={synthetic_data}", "--config.model.name=baseline_gcn"]
        + ["--config.model.stages=(1,)", "--config.model.base_width=256"],
    )
    held = []
    for parts in (1, 8):
        notes = []
        shared = override(config, [f"--config.fsdp={parts}"])
        assert next(learn_one_batch(shared, 10, notes.append)).is_finite
        held.append(float(re.search(r"parameters and optimizer ([0-9.]+) MiB", notes[0])[1]))
    assert held[1] < held[0] / 2


def test_few_steps_are_no_training():
    with pytest.raises(UserError, match="--steps=9: must be 10 or more"):
        overfit.main(["--config=configs/demo.py:debug", "--steps=9"])


def test_what_to_look_at_is_said():
    config = load_file("configs/demo.py:debug")
    nan = float("nan")
    for first, last, look in (
        (
            Figures(1, nan, 0.1, 1.0),
            Figures(1, nan, 0.1, 1.0),
            "not finite from the start: look at the clips",
        ),
        (
            Figures(1, 2.3, 0.1, nan),
            Figures(1, 2.3, 0.1, nan),
            "not finite from the start: look at the clips",
        ),
        (Figures(1, 2.3, 0.1, 1.0), Figures(7, 9.0, 0.1, nan), "base_lr=0.1 may be too high"),
        (Figures(1, 2.3, 0.1, 0.0), Figures(90, 2.3, 0.1, 0.0), "the gradient is 0"),
        (
            Figures(1, 2.3, 0.1, 1.0),
            Figures(90, 2.4, 0.1, 1.0),
            "the loss rose: .*base_lr=0.1 may be too high",
        ),
        (
            Figures(1, 2.3, 0.1, 1.0),
            Figures(90, 2.2, 0.1, 1.0),
            "base_lr=0.1 may be too low, or --steps=90 too",
        ),
        (
            Figures(1, 2.3, 0.1, 1.0),
            Figures(90, 1.0, 0.9, 1.0),
            "top-1 90.0 %, in 90 steps; .*different labels",
        ),
    ):
        assert re.search(look, verdict(first, last, config))


def test_a_batch_is_learned_when_it_is_named_right_for_a_while_and_the_loss_has_fallen():
    first = Figures(1, 4.0, 0.1, 1.0)
    right = [Figures(step, 3.0, 1.0, 1.0) for step in range(20, 30)]
    assert overfit.is_learned(first, right)
    assert not overfit.is_learned(first, right[1:])
    assert not overfit.is_learned(first, [right[0]._replace(top1=0.9), *right[1:]])
    assert not overfit.is_learned(first, [*right[:-1], right[-1]._replace(loss=3.1)])


def test_the_rate_neither_decays_nor_stays_in_the_warm_up():
    for file in FILES:
        config = load_file(file)
        made = at_constant_rate(config)
        assert (made.schedule.name, made.num_epochs) == ("constant", 1)
        assert made.schedule.warm_up == (0.1 if config.schedule.warm_up else 0.0)
        assert made.schedule.base_lr == config.schedule.base_lr


def test_the_steps_that_are_printed_grow():
    assert list(rounds(200)) == [1, 2, 5, 10, 20, 50, 100, 200]
    assert list(rounds(2)) == [1, 2]
    assert list(rounds(7)) == [1, 2, 5, 7]


@pytest.mark.slow
@pytest.mark.parametrize("file", FILES)
def test_each_config_learns_a_batch_at_debug_size(file, tmp_path, capsys):
    with jax.numpy_dtype_promotion("standard"):  # Optax's Adam needs it
        overfit.main([f"--config={file}:debug", f"--config.data.data_dir={tmp_path}"])
    assert "learned by heart" in capsys.readouterr().out
