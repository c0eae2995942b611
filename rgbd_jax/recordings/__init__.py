"""Recordings that a person gives, read and made rows of a batch in the way of the data set that the network
was trained on."""

from collections.abc import Sequence

from ml_collections import ConfigDict

from rgbd_jax.recordings.given import Given, parse_given
from rgbd_jax.recordings.reader import FPS, Reader, Recording
from rgbd_jax.recordings.skeleton import SkeletonReader
from rgbd_jax.recordings.video import VideoReader

__all__ = [
    "FPS",
    "Given",
    "Reader",
    "Recording",
    "SkeletonReader",
    "VideoReader",
    "make_reader",
    "parse_given",
]


def make_reader(config: ConfigDict, class_names: Sequence[str]) -> Reader:
    """The reader for the network of a config.

    Raises:
      UserError: the config names a data set or a layout that is not known.
    """
    return (SkeletonReader if config.task.name == "skeleton" else VideoReader)(config, tuple(class_names))
