"""Skeleton clips as rows of a batch."""

import dataclasses

import numpy as np

from rgbd_jax.data.records import Record
from rgbd_jax.data.sound_clips import check_joints, check_shape
from rgbd_jax.data.split import Row, Split


@dataclasses.dataclass(frozen=True)
class SkeletonSplit(Split):
    """Records with `joints` (T, m, V, C) in metres, m ≤ M.

    Attributes:
      max_frames: the longest clip of the data set, over all splits.
      num_bodies: M.
      num_joints: V.
      repeats_lone_body: what stands for the bodies that a record lacks: copies of its one body, or zeros.
    """

    max_frames: int
    num_bodies: int
    num_joints: int
    repeats_lone_body: bool = False

    def clip_row(self, record: Record) -> Row:
        """`joints` float32 (T = max_frames, M, V, C), zeros after the clip's end; `num_frames` int32."""
        joints = record["joints"]
        num_frames, num_bodies = joints.shape[:2]
        padded = np.zeros((self.max_frames, self.num_bodies, *joints.shape[2:]), np.float32)
        padded[:num_frames, :num_bodies] = joints
        if self.repeats_lone_body and num_bodies == 1:
            padded[:num_frames] = joints  # of each body
        return {"joints": padded, "num_frames": np.int32(num_frames)}

    def sound_row(self, record: Record) -> Row:
        """See `clip_row`; the clip fits the data set, is finite, and somebody is there."""
        joints = record["joints"]
        check_shape(
            joints, max_frames=self.max_frames, num_bodies=self.num_bodies, num_joints=self.num_joints
        )
        check_joints(joints)
        return self.clip_row(record)

    def empty_clip(self) -> Record:
        return {"joints": np.zeros((0, self.num_bodies, self.num_joints, 3), np.float32)}
