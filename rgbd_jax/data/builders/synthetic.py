"""The embedded data set: generated people, for demonstrations and tests. It is not real data."""

from collections.abc import Mapping
from typing import ClassVar, NamedTuple

import numpy as np
import tensorflow_datasets as tfds

from rgbd_jax.data.builders.skeleton_builder import SkeletonBuilder
from rgbd_jax.data.skeleton_sample import Sample
from rgbd_jax.data.synthetic.actions import ACTIONS
from rgbd_jax.data.synthetic.body import NUM_JOINTS, NUMBER
from rgbd_jax.data.synthetic.performance import Performance, draw_performance, perform, sense

CLIPS_PER_ACTION = {"train": 60, "test": 20}


class Clip(NamedTuple):
    """The number-th clip of an action (by label) in a split."""

    split: str
    label: int
    number: int

    @property
    def id(self) -> str:
        return f"{self.split}_a{self.label + 1:02d}_n{self.number:03d}"

    def performance(self) -> Performance:
        """What is performed in it: the same however many other clips there are."""
        seed = [list(CLIPS_PER_ACTION).index(self.split), self.label, self.number]
        return draw_performance(tuple(ACTIONS)[self.label], np.random.default_rng(seed))


def clips(per_action: Mapping[str, int]) -> list[Clip]:
    """So many clips of each action in each split."""
    return [
        Clip(split, label, number)
        for split, count in per_action.items()
        for label in range(len(ACTIONS))
        for number in range(count)
    ]


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
        return clips(CLIPS_PER_ACTION)

    def split_of(self, item: Clip) -> str:
        return item.split

    def read(self, item: Clip) -> Sample:
        performance = item.performance()
        joints = sense(performance, perform(performance))
        centred = joints - joints[0, NUMBER["spine middle"]]
        return Sample(place=self.name, id=item.id, class_name=performance.action, joints=centred[:, None])
