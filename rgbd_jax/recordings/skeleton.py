"""Recordings of joints."""

import dataclasses

import numpy as np
from ml_collections import ConfigDict

from rgbd_jax.config import check_choice
from rgbd_jax.data.builders import builder_class
from rgbd_jax.data.formats.joint_archive import check_joints
from rgbd_jax.data.joint_files import JOINT_FILES, read_joints
from rgbd_jax.data.loader import Batch
from rgbd_jax.data.ntu.actors import NoActor, centre, without_empty_frames
from rgbd_jax.data.skeleton_split import SkeletonSplit
from rgbd_jax.errors import UserError
from rgbd_jax.recordings.given import Given
from rgbd_jax.recordings.reader import FPS, Reader, Recording, batch_of_one
from rgbd_jax.skeleton_layouts import CHOICES, LAYOUTS, SkeletonLayout

# Clips are padded to a multiple of so many frames, so that the network is compiled for few lengths.
_FRAMES_STEP = 256


class SkeletonReader(Reader):
    """Reads `.skeleton` files of NTU RGB+D, `.json` files of NW-UCLA, `.npz` files of joints, and arrays
    (T, V, 3) or (T, M, V, 3)."""

    def __init__(self, config: ConfigDict, class_names: tuple[str, ...]):
        model = config.model
        check_choice("model.layout", model.layout, CHOICES)
        self.layout: SkeletonLayout = LAYOUTS[model.layout]
        self.window = config.task.window
        # The feeder of NW-UCLA moves a clip itself; records of NTU RGB+D have been moved.
        self._centres = config.task.feeder == "ntu"
        self.split = SkeletonSplit(
            name=config.data.name,
            version="",
            split="",
            source=(),
            class_names=class_names,
            max_frames=_FRAMES_STEP,
            num_bodies=model.num_persons,
            num_joints=self.layout.num_joints,
            repeats_lone_body=getattr(builder_class(config.data.name), "REPEATS_LONE_BODY", False),
        )

    def read(self, given: Given | np.ndarray, fps: float | None = None) -> Recording:
        if isinstance(given, Given):
            joints, name = self._joints(given), str(given)
        else:
            name = "the array"
            joints = check_joints(np.asarray(given), name)
        _, num_bodies, num_joints, _ = joints.shape
        if num_joints != self.layout.num_joints:
            raise UserError(
                f"{name}: found {num_joints} joints; the network reads the {self.layout.num_joints} of"
                f" {self.layout.name}"
            )
        if num_bodies > self.split.num_bodies:
            raise UserError(f"{name}: found {num_bodies} persons; the network sees {self.split.num_bodies}")
        recording = Recording(name, {"joints": joints}, FPS if fps is None else fps)
        if self.is_empty(recording):
            raise UserError(f"{name}: all joints are 0; somebody must be there")
        return recording

    def row(self, recording: Recording) -> Batch:
        joints = without_empty_frames(recording.clip["joints"])  # as in all records
        # In all records the first person is there; in a part of a recording it may be another one alone.
        joints = np.roll(joints, -int(joints.any(axis=(0, 2, 3)).argmax()), axis=1)
        if self._centres:
            joints = centre(joints, self.layout.centre)
        padded = -(-len(joints) // _FRAMES_STEP) * _FRAMES_STEP
        return batch_of_one(dataclasses.replace(self.split, max_frames=padded), {"joints": joints})

    def is_empty(self, recording: Recording) -> bool:
        return not recording.clip["joints"].any()

    def _joints(self, given: Given) -> np.ndarray:
        path = given.paths[0]
        if len(given.paths) > 1 or path.suffix.lower() not in JOINT_FILES or path.is_dir():
            raise UserError(
                f"{given}: is no file of joints; the network reads {', '.join(JOINT_FILES)} of"
                f" {self.layout.num_joints} joints ({self.layout.name})"
            )
        try:
            joints = read_joints(path)
        except NoActor as reason:
            raise UserError(f"{path}: {reason}") from reason
        if given.end is not None and given.end > len(joints):
            raise UserError(f"{path}: ends after {len(joints)} frames; frames to {given.end} are needed")
        if path.suffix.lower() == ".skeleton":
            joints = joints[:, : self.split.num_bodies]  # who moves most comes first
        return joints[given.first : given.end]
