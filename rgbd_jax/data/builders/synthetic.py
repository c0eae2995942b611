"""The embedded data set: generated people, for demonstrations and tests. It is not real data."""

from typing import ClassVar, NamedTuple

import numpy as np
import tensorflow_datasets as tfds

from rgbd_jax.data.builders.skeleton_builder import Sample, SkeletonBuilder
from rgbd_jax.data.synthetic.actions import ACTIONS
from rgbd_jax.data.synthetic.body import NUM_JOINTS, NUMBER
from rgbd_jax.data.synthetic.performance import draw_performance, perform, sense

CLIPS_PER_ACTION = {"train": 60, "test": 20}


class Clip(NamedTuple):
    """The number-th clip of an action (by label) in a split."""

    split: str
    label: int
    number: int


class Synthetic(SkeletonBuilder):
    """Generated skeletons: 25 joints as in NTU RGB+D, one person.

    As NTU's preparation does, a clip is moved so that the middle of the spine begins at the origin.
    """

    # A change of what is generated is a new version.
    VERSION = tfds.core.Version("1.0.0")
    SUMMARY = "Generated skeletons of people who perform ten actions composed of movements of body parts."
    CLASS_NAMES = tuple(ACTIONS)
    PUBLISHED_SIZES: ClassVar = {split: count * len(ACTIONS) for split, count in CLIPS_PER_ACTION.items()}
    NUM_BODIES = 1
    NUM_JOINTS = NUM_JOINTS
    NEEDS_SOURCE = False

    def items(self) -> list[Clip]:
        return [
            Clip(split, label, number)
            for split, count in CLIPS_PER_ACTION.items()
            for label in range(len(ACTIONS))
            for number in range(count)
        ]

    def split_of(self, item: Clip) -> str:
        return item.split

    def read(self, item: Clip) -> Sample:
        seed = [list(CLIPS_PER_ACTION).index(item.split), item.label, item.number]
        performance = draw_performance(self.CLASS_NAMES[item.label], np.random.default_rng(seed))
        joints = sense(performance, perform(performance))
        centred = joints - joints[0, NUMBER["spine middle"]]
        name = f"{item.split}_a{item.label + 1:02d}_n{item.number:03d}"
        return Sample(id=name, class_name=performance.action, joints=centred[:, None])
