"""The shape of the raw clips that a network takes, where they do not come through the loader."""

import dataclasses
from collections.abc import Sequence

import jax
import jax.numpy as jnp
from ml_collections import ConfigDict

from rgbd_jax.data.builders import builder_class
from rgbd_jax.data.builders.own_lists import OwnLists
from rgbd_jax.data.loader import is_prepared, open_configured_split
from rgbd_jax.data.random_clips import Shape, SkeletonShape, VideoShape, configured_shape
from rgbd_jax.data.skeleton_split import SkeletonSplit
from rgbd_jax.errors import UserError


def raw_shape(data: ConfigDict) -> Shape:
    """The shape of the raw clips of `config.data`: of what is prepared, else as it is published.

    Raises:
      UserError: if neither is known.
    """
    if not is_prepared(data.name, data.data_dir):
        if issubclass(builder_class(data.name), OwnLists):  # as large as somebody's recordings are
            raise UserError(f"data set {data.name!r}: is not prepared and its shape is not known")
        return configured_shape(data)
    split = open_configured_split(data, data.eval_split)
    if isinstance(split, SkeletonSplit):
        return SkeletonShape(split.num_classes, split.max_frames, split.num_bodies, split.num_joints)
    return VideoShape(split.num_classes, split.formats, split.num_frames)


def reshaped(
    shape: Shape, name: str, frame_sizes: Sequence[tuple[int, int]] | None, max_frames: int | None
) -> Shape:
    """A shape with what the options of `rgbd_jax.export` say.

    Args:
      name: of the data set.
      frame_sizes: of video, width and height of the raw frames, one for all modalities or one for each.
      max_frames: of skeletons, how many frames a clip has with its padding.

    Raises:
      UserError: if an option is of the other kind of data, or has a value that is not allowed.
    """
    if isinstance(shape, SkeletonShape):
        if frame_sizes is not None:
            raise UserError(f"--frame_size: is of video; the clips of {name} are skeletons, see --max_frames")
        if max_frames is None:
            return shape
        if max_frames < 1:
            raise UserError(f"--max_frames={max_frames}: must be 1 or more")
        return dataclasses.replace(shape, max_frames=max_frames)
    if max_frames is not None:
        raise UserError(
            f"--max_frames={max_frames}: is of skeletons; {name} is video, of which config.data.num_frames"
            " frames are sampled"
        )
    if frame_sizes is None:
        return shape
    if len(frame_sizes) not in (1, len(shape.modalities)):
        raise UserError(
            f"--frame_size: found {len(frame_sizes)} sizes; allowed is one, or one each of"
            f" {', '.join(shape.modalities)}"
        )
    if len(frame_sizes) == 1:
        frame_sizes = frame_sizes * len(shape.modalities)
    formats = {
        modality: frame_format._replace(width=width, height=height)
        for (modality, frame_format), (width, height) in zip(shape.formats.items(), frame_sizes, strict=True)
    }
    return dataclasses.replace(shape, formats=formats)


def raw_inputs(shape: Shape) -> dict[str, jax.ShapeDtypeStruct]:
    """What the file takes of one clip: of a skeleton joints (T, M, V, 3) and the number of frames before the
    padding; of video the sampled frames (T, H, W, 3 or 1) of each modality."""
    if isinstance(shape, SkeletonShape):
        joints = (shape.max_frames, shape.num_bodies, shape.num_joints, 3)
        return {
            "joints": jax.ShapeDtypeStruct(joints, jnp.float32),
            "num_frames": jax.ShapeDtypeStruct((), jnp.int32),
        }
    return {
        modality: jax.ShapeDtypeStruct((shape.num_frames, *frame_format), frame_format.dtype)
        for modality, frame_format in shape.formats.items()
    }
