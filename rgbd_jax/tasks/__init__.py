"""What joins a network to its data and its loss: one file for each modality."""

from collections.abc import Sequence

from ml_collections import ConfigDict

from rgbd_jax.config import check_choice
from rgbd_jax.tasks.skeleton import SkeletonTask
from rgbd_jax.tasks.task import Task

TASKS = {"skeleton": SkeletonTask}


def make_task(config: ConfigDict, class_names: Sequence[str]) -> Task:
    """The task that `config.task.name` names, for the classes of the data set."""
    check_choice("task.name", config.task.name, tuple(TASKS))
    return TASKS[config.task.name](config, len(class_names))
