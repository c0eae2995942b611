"""Runs whose checkpoint is that of the first moment: what they say is of no use, but always the same."""

from pathlib import Path

import jax
from grain import MapDataset
from ml_collections import ConfigDict

from rgbd_jax.data.loader import open_training_split
from rgbd_jax.experiment import Experiment
from rgbd_jax.training.checkpoint import Checkpoints, Description
from rgbd_jax.training.sharding import make_mesh


def save_untrained(workdir: Path, config: ConfigDict) -> Path:
    """Save the checkpoint of a run before its first step, and return the run's folder."""
    split = open_training_split(config.data)
    experiment = Experiment.build(config, split, 1, make_mesh(jax.devices()[:1]))
    loader = iter(MapDataset.range(2).batch(1).to_iter_dataset())
    with Checkpoints(workdir / "checkpoints") as checkpoints:
        description = Description(config.to_dict(), tuple(split.class_names), {}, step=1, epoch=0)
        checkpoints.save(experiment.initial_state(), loader.get_state(), description)
        checkpoints.add_validation(1, 0.5)
    return workdir
