"""What all skeleton data sets share."""

import os
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import tensorflow_datasets as tfds

from rgbd_jax.data.builders.builder import Builder
from rgbd_jax.data.records import damaged, open_records
from rgbd_jax.data.skeleton_sample import Sample
from rgbd_jax.data.skeleton_split import SkeletonSplit
from rgbd_jax.data.sound_clips import FaultyClip, check_joints
from rgbd_jax.errors import UserError


class SkeletonBuilder(Builder, skip_registration=True):
    """Base class of the skeleton data sets; `read` returns a `Sample`.

    Records have `joints` (T, M, V, 3) float32 in metres. The longest clip of all splits is kept as
    `info.metadata["max_frames"]`.
    """

    NUM_BODIES: ClassVar[int]
    NUM_JOINTS: ClassVar[int]
    REPEATS_LONE_BODY: ClassVar[bool] = False

    @classmethod
    def open_split(cls, data_dir: str | os.PathLike, split: str, *, limit: int = 0) -> SkeletonSplit:
        folder = cls.folder(data_dir)
        info, records = open_records(folder, split, limit=limit)
        max_frames = info.metadata.get("max_frames")
        if not isinstance(max_frames, int) or max_frames < 1:
            raise damaged(folder / "metadata.json", f"max_frames is {max_frames!r}")
        return SkeletonSplit(
            name=cls.name,
            version=str(cls.VERSION),
            split=split,
            source=records,
            max_frames=max_frames,
            repeats_lone_body=cls.REPEATS_LONE_BODY,
            **cls.stored_kind(folder, info),
        )

    @classmethod
    def stored_kind(cls, folder: Path, info: tfds.core.DatasetInfo) -> dict[str, Any]:
        """What clips the records in a folder hold: `class_names`, `num_bodies` and `num_joints`.

        Raises:
          OutsideError: `info` does not say it.
        """
        del folder, info  # the version that stands in the folder's name does
        return {"class_names": cls.CLASS_NAMES, "num_bodies": cls.NUM_BODIES, "num_joints": cls.NUM_JOINTS}

    def compare(self, sample: Sample, split: str, seen: dict[Any, Any]) -> None:
        """As of every data set; and the clip is sound."""
        try:
            check_joints(sample.joints)
        except FaultyClip as fault:
            raise UserError(f"{sample.place}: {fault}") from fault
        super().compare(sample, split, seen)

    def clip_features(self) -> dict[str, tfds.features.FeatureConnector]:
        shape = (None, self.NUM_BODIES, self.NUM_JOINTS, 3)
        return {"joints": tfds.features.Tensor(shape=shape, dtype=np.float32)}

    def clip_metadata(self) -> dict[str, Any]:
        return {"max_frames": 0}

    def record(self, sample: Sample) -> dict[str, Any]:
        joints = np.asarray(sample.joints, np.float32)
        metadata = self.info.metadata
        metadata["max_frames"] = max(metadata["max_frames"], len(joints))
        return {"joints": joints}
