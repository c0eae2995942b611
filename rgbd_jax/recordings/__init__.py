"""Recordings that a person gives, read and made rows of a batch in the way of the data set that the network
was trained on."""

from collections.abc import Mapping, Sequence

from ml_collections import ConfigDict

from rgbd_jax.recordings.given import Given, parse_given
from rgbd_jax.recordings.reader import FPS, Reader, Recording, check_fps
from rgbd_jax.recordings.skeleton import SkeletonReader
from rgbd_jax.recordings.video import VideoReader

__all__ = [
    "FPS",
    "Given",
    "Reader",
    "Recording",
    "SkeletonReader",
    "VideoReader",
    "check_fps",
    "make_reader",
    "parse_given",
]


def make_reader(
    config: ConfigDict, class_names: Sequence[str], channels: Mapping[str, int] | None = None
) -> Reader:
    """The reader for the network of a config.

    Args:
      channels: of the frames of each modality that it was trained on, where that is known.

    Raises:
      UserError: the config names a data set or a layout that is not known.
    """
    if config.task.name == "skeleton":
        return SkeletonReader(config, tuple(class_names))
    return VideoReader(config, tuple(class_names), channels or {})
