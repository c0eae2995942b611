"""How this program takes a training step, as `rgbd_jax.main` does."""

import jax
from taking_turns import Step

from rgbd_jax.allocator import share_one_heap
from rgbd_jax.data.loader import Batch
from rgbd_jax.experiment import Experiment
from rgbd_jax.training import sharding
from rgbd_jax.training.memory import MeasuredStep

# Before JAX starts threads, which happens when a network is made: who measures imports this first.
share_one_heap()


def training_step(experiment: Experiment, batch: Batch) -> Step:
    """A step with the same batch each time, which lies on the devices.

    Args:
      batch: raw, as the loader makes it.
    """
    state, batch = experiment.initial_state(), sharding.put_batch(batch, experiment.mesh)
    train_step = MeasuredStep(experiment.compiled_step(), experiment.config, experiment.mesh)
    train_step.compile(state, batch)

    def step() -> None:
        nonlocal state
        state, _ = jax.block_until_ready(train_step(state, batch))

    return step
