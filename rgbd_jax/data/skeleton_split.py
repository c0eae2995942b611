"""Skeleton clips as rows of a batch."""

import dataclasses

import numpy as np

from rgbd_jax.data.records import Record
from rgbd_jax.data.split import Row, Split


@dataclasses.dataclass(frozen=True)
class SkeletonSplit(Split):
    """Records with `joints` (T, M, V, C) in metres.

    Attributes:
      max_frames: the longest clip of the data set, over all splits.
      num_bodies: M.
      num_joints: V.
    """

    max_frames: int
    num_bodies: int
    num_joints: int

    def clip_row(self, record: Record) -> Row:
        """`joints` float32 (T = max_frames, M, V, C), zeros after the clip's end; `num_frames` int32."""
        joints = record["joints"]
        padded = np.zeros((self.max_frames, *joints.shape[1:]), np.float32)
        padded[: len(joints)] = joints
        return {"joints": padded, "num_frames": np.int32(len(joints))}

    def empty_clip(self) -> Record:
        return {"joints": np.zeros((0, self.num_bodies, self.num_joints, 3), np.float32)}
