"""See whether the network can learn one batch by heart: what it cannot, it will not learn from more clips.

python -m rgbd_jax.overfit --config=configs/X.py[:variant] [--steps=N] [--config.key=value ...]

The first batch of the training goes through the compiled training step again and again, cut, turned and
dropped out as at the first time. The learning rate rises in the first tenth of the steps, if the config has a
warm-up, and stays. Where the data set is not prepared, random clips of its shape are learned. Nothing is
written.
"""

import math
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from typing import NamedTuple

import jax
import numpy as np
from ml_collections import ConfigDict

from rgbd_jax.command import ArgumentParser, run_command
from rgbd_jax.config import ConfigArguments
from rgbd_jax.data.clip_errors import ClipErrors
from rgbd_jax.data.loader import Batch, is_prepared, open_training_split, training_batches
from rgbd_jax.data.random_clips import Shape, configured_shape, random_batch
from rgbd_jax.data.split import Split
from rgbd_jax.errors import UserError
from rgbd_jax.experiment import Experiment
from rgbd_jax.leaving import say
from rgbd_jax.report.logs import ProgressLine
from rgbd_jax.training import sharding
from rgbd_jax.training.memory import MeasuredStep
from rgbd_jax.training.transfer import find_start, start_from

STEPS = 300
WARM_UP = 0.1  # of the steps

# A batch is learned when its clips were all named right in so many steps in a row, and so much of the loss is
# left at most. Smoothed labels, descriptions and distillation leave some that no network loses.
RIGHT_STEPS = 10
REST = 0.75


class Figures(NamedTuple):
    """What a step reports: its number, and of the batch before it the loss, the share of clips named right
    and the norm of the gradient."""

    step: int
    loss: float
    top1: float
    grad_norm: float

    @property
    def is_finite(self) -> bool:
        return math.isfinite(self.loss) and math.isfinite(self.grad_norm)

    def __str__(self) -> str:
        return f"step {self.step}: loss {self.loss:.4f}, top-1 {100 * self.top1:.1f} %"


def parser() -> ArgumentParser:
    arguments = ArgumentParser(prog="rgbd_jax.overfit", description=__doc__)
    arguments.add_argument("--steps", type=int, default=STEPS, help=f"at most so many ({STEPS})")
    return arguments


def main(argv: list[str]) -> None:
    config_arguments, rest = ConfigArguments.split_from(argv)
    given = parser().parse_args(rest)
    if given.steps < RIGHT_STEPS:
        raise UserError(f"--steps={given.steps}: must be {RIGHT_STEPS} or more")
    config = config_arguments.load()
    first, recent = None, deque(maxlen=RIGHT_STEPS)
    shown = set(rounds(given.steps))
    with ProgressLine(0, given.steps) as progress:
        for figures in learn_one_batch(config, given.steps, progress.note):
            first = first or figures
            recent.append(figures)
            if figures.step in shown:
                progress.close()
                print(figures, flush=True)
            else:
                progress.show(figures.step, 0, {"loss": figures.loss, "top1": figures.top1})
            if is_learned(first, recent) or not figures.is_finite:
                break
    if figures.step not in shown:
        print(figures)
    if not is_learned(first, recent):
        raise UserError(verdict(first, figures, config))
    print(f"learned by heart: all {config.batch_size} clips are named right")


def learn_one_batch(config: ConfigDict, steps: int, note: Callable[[str], None]) -> Iterator[Figures]:
    """Train on the first batch of `config`'s training alone.

    Args:
      note: is told what the step needs of the memory, in lines.

    Yields:
      After each step its figures.

    Raises:
      UserError: the config does not fit the task, the data or the weights that it starts from.
      OutsideError: a clip is faulty, or a device has not enough memory.
    """
    config = at_constant_rate(config)
    mesh = sharding.make_mesh(fsdp=config.fsdp)
    sharding.check_batch_size("batch_size", config.batch_size, mesh, config.accumulate)
    data, batch = first_batch(config)
    experiment = Experiment.build(config, data, steps, mesh)
    state = experiment.initial_state()
    if starts := find_start(config, experiment.task.trunks):
        state = start_from(starts, state, getattr(data, "class_names", ()))
    batch = sharding.put_batch(batch, mesh)
    train_step = MeasuredStep(experiment.compiled_step(), config, mesh)
    with train_step.explaining_exhaustion():
        for line in train_step.compile(state, batch):
            note(line)
        for step in range(1, steps + 1):
            # The step's random keys follow from its number: it is always the first. The optimizer counts
            # itself.
            first = jax.device_put(np.int32(0), sharding.replicated(mesh))
            state, figures = train_step(state.replace(step=first), batch)
            yield Figures(step, *(float(figures[name]) for name in ("loss", "top1", "grad_norm")))


def at_constant_rate(config: ConfigDict) -> ConfigDict:
    """The config with the peak of its learning rate for all steps, which are one epoch, after a warm-up."""
    config = config.copy_and_resolve_references()
    with config.unlocked():
        config.num_epochs, config.stop_epoch = 1, 0
        config.schedule.name, config.schedule.per = "constant", "step"
        config.schedule.warm_up = WARM_UP if config.schedule.warm_up else 0.0
    return config


def first_batch(config: ConfigDict) -> tuple[Split | Shape, Batch]:
    """What the task must know of the config's data set, and the first batch of its training."""
    data = config.data
    if not is_prepared(data.name, data.data_dir):
        say(f"{data.name} is not prepared in {data.data_dir}: random clips instead")
        shape = configured_shape(data)
        return shape, random_batch(shape, config.batch_size, config.seed)
    split = open_training_split(data)
    errors = ClipErrors(data.on_error, max_share=data.max_unreadable)
    batches = training_batches(
        split, batch_size=config.batch_size, seed=config.seed, repeat=data.repeat, errors=errors
    )
    return split, next(batches)


def rounds(last: int) -> Iterator[int]:
    """The steps that are printed: 1, 2, 5, 10, 20, 50, ... and the last."""
    power = 1
    while power < last:
        yield from (factor * power for factor in (1, 2, 5) if factor * power < last)
        power *= 10
    yield last


def is_learned(first: Figures, recent: Sequence[Figures]) -> bool:
    """Whether a batch is learned, from the figures of its first and of its last `RIGHT_STEPS` steps."""
    all_right = len(recent) == RIGHT_STEPS and all(figures.top1 == 1 for figures in recent)
    return all_right and recent[-1].loss <= REST * first.loss


def verdict(first: Figures, last: Figures, config: ConfigDict) -> str:
    """Why a batch was not learned, and what to look at."""
    rate = f"config.schedule.base_lr={config.schedule.base_lr:g}"
    if not first.is_finite:
        look = "not finite from the start: look at the clips, and at what the config does with them"
    elif not last.is_finite:
        look = f"not finite any more: {rate} may be too high"
    elif first.grad_norm == 0:
        look = "the gradient is 0: nothing that the loss depends on is trained"
    elif last.loss > first.loss:
        look = f"the loss rose: {rate} may be too high"
    elif last.loss > 0.9 * first.loss:
        look = f"the loss hardly fell: {rate} may be too low, or --steps={last.step} too few"
    else:
        look = (
            f"the loss fell, but not far enough: more than --steps={last.step} may be needed, or clips that"
            " are alike have different labels, or the network is too small"
        )
    return (
        f"the batch was not learned by heart: from loss {first.loss:.4f} to {last.loss:.4f}, top-1"
        f" {100 * last.top1:.1f} %, in {last.step} steps; {look}"
    )


if __name__ == "__main__":
    run_command(main)
