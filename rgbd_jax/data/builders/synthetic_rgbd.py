"""The people of the embedded data set, filmed in colour and depth. It is not real data."""

from collections.abc import Callable, Iterator
from typing import ClassVar, NamedTuple

import numpy as np
import tensorflow_datasets as tfds

from rgbd_jax.data import images
from rgbd_jax.data.builders.synthetic import CLIPS_PER_ACTION, Clip, clips
from rgbd_jax.data.builders.video_builder import ClipFiles, VideoBuilder
from rgbd_jax.data.sampling import sample_frames
from rgbd_jax.data.synthetic.actions import ACTIONS
from rgbd_jax.data.synthetic.performance import perform
from rgbd_jax.data.synthetic.rendering import film

NUM_FRAMES = 24  # of each clip, whatever its length


class SyntheticRgbd(VideoBuilder):
    """Colour and measured depth of the clips of `synthetic`, under the same ids."""

    # A change of what is generated is a new version.
    VERSION = tfds.core.Version("2.0.0")
    SUMMARY = "Generated colour and depth video of people who perform ten actions."
    CLASS_NAMES = tuple(ACTIONS)
    PUBLISHED_SIZES: ClassVar = {split: count * len(ACTIONS) for split, count in CLIPS_PER_ACTION.items()}
    LISTS: ClassVar = {}
    NEEDS_SOURCE = False
    NEEDS_ALL_SPLITS = True

    def items(self) -> list[Clip]:
        return clips(CLIPS_PER_ACTION)

    def files(self, item: Clip) -> ClipFiles:
        performance = item.performance()
        joints = perform(performance)[sample_frames(performance.num_frames, NUM_FRAMES)]
        # Not the numbers that make the errors of the measured skeleton.
        colour, depth = film(joints, np.random.default_rng([performance.seed, 1]))
        frames = {"rgb": Film(colour, images.encode_jpeg), "depth": Film(depth, images.encode_png)}
        return ClipFiles(self.name, item.id, performance.action, frames)


class Film(NamedTuple):
    """Frames that lie in no file, and how they are encoded."""

    frames: np.ndarray
    encode: Callable[[np.ndarray], bytes]

    def exists(self) -> bool:
        return True

    def read(self) -> Iterator[tuple[np.ndarray, bytes]]:
        return ((frame, self.encode(frame)) for frame in self.frames)
