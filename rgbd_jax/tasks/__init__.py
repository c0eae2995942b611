"""What joins a network to its data and its loss: one file for each modality."""

from typing import Any

from ml_collections import ConfigDict

from rgbd_jax.config import check_choice
from rgbd_jax.streams import ALL
from rgbd_jax.tasks.fusion import FusionTask
from rgbd_jax.tasks.rgbd import RgbdTask
from rgbd_jax.tasks.skeleton import SkeletonTask
from rgbd_jax.tasks.streams import StreamsTask
from rgbd_jax.tasks.task import Task

TASKS = {"skeleton": SkeletonTask, "rgbd": RgbdTask, "fusion": FusionTask}


def make_task(config: ConfigDict, data: Any, *, training: bool = False) -> Task:
    """The task that `config.task.name` names; of skeletons also `config.task.stream`.

    Args:
      data: what the task must know of the data set, as attributes: a `Split`, or the `Shape` of an absent
        one.
      training: whether the loss will be asked for; what only that needs is not read otherwise.
    """
    check_choice("task.name", config.task.name, tuple(TASKS))
    if config.task.name == "skeleton" and config.task.stream == ALL:
        return StreamsTask(config, data, training=training)
    return TASKS[config.task.name](config, data, training=training)
