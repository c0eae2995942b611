"""20BN-Jester V1 (Materzynska et al., "The Jester Dataset: A Large-Scale Video Dataset of Human Gestures",
ICCV Workshops 2019): colour alone, published as JPEG frames.

The source folder holds `20bn-jester-v1/NUMBER/%05d.jpg`, from 1, and

* as published: `jester-v1-train.csv` and `jester-v1-validation.csv`, a clip a line, `number;class name`;
* as MotionRGBD (CVPR 2022) reads it: `dataset_splits/{train,valid}.txt`. Their labels count the lines of
  `jester-v1-labels.csv`, if that is there, and the classes in the order below if not.
"""

import functools
import os
from pathlib import Path
from typing import ClassVar

import tensorflow_datasets as tfds

from rgbd_jax.data.builders.video_builder import ClipFiles, Item, VideoBuilder
from rgbd_jax.data.formats.clip_list import parse_listed_clip, path_below, read_lines
from rgbd_jax.data.formats.frame_folder import FrameFolder
from rgbd_jax.errors import UserError
from rgbd_jax.numbered_lines import Line

CLASS_NAMES = (
    "Swiping Left",
    "Swiping Right",
    "Swiping Down",
    "Swiping Up",
    "Pushing Hand Away",
    "Pulling Hand In",
    "Sliding Two Fingers Left",
    "Sliding Two Fingers Right",
    "Sliding Two Fingers Down",
    "Sliding Two Fingers Up",
    "Pushing Two Fingers Away",
    "Pulling Two Fingers In",
    "Rolling Hand Forward",
    "Rolling Hand Backward",
    "Turning Hand Clockwise",
    "Turning Hand Counterclockwise",
    "Zooming In With Full Hand",
    "Zooming Out With Full Hand",
    "Zooming In With Two Fingers",
    "Zooming Out With Two Fingers",
    "Thumb Up",
    "Thumb Down",
    "Shaking Hand",
    "Stop Sign",
    "Drumming Fingers",
    "No gesture",
    "Doing other things",
)

LABELS = "jester-v1-labels.csv"
FRAMES = "20bn-jester-v1"


class Jester(VideoBuilder):
    """Jester: 133,349 labelled clips of 27 gestures, colour; ids are the published numbers."""

    VERSION = tfds.core.Version("1.0.0")
    SUMMARY = "20BN-Jester V1: hand gestures in front of a camera, colour video."
    CLASS_NAMES = CLASS_NAMES
    PUBLISHED_SIZES: ClassVar = {"train": 118562, "valid": 14787}
    MODALITIES = ("rgb",)
    PREPARATION: ClassVar = {}
    LISTS: ClassVar = {
        "published": {"train": ("jester-v1-train.csv",), "valid": ("jester-v1-validation.csv",)},
        "frames": {"train": ("dataset_splits/train.txt",), "valid": ("dataset_splits/valid.txt",)},
    }

    def files(self, item: Item) -> ClipFiles:
        if item.layout == "frames":
            clip = parse_listed_clip(item.line, len(CLASS_NAMES))
            path, count, name = clip.path, clip.num_frames, self._numbered_names[clip.label]
        else:
            (path, name), count = _number_and_class(item.line), None
        folder = self.root / path
        if not os.path.isdir(folder):  # which, unlike Path's, takes any name
            folder = self.root / FRAMES / path
        return ClipFiles(
            str(item.line), Path(path).name, name, {"rgb": FrameFolder(folder, "%05d.jpg", 1, count)}
        )

    @functools.cached_property
    def _numbered_names(self) -> tuple[str, ...]:
        """The class names in the order of the labels in the lists."""
        path = self.root / LABELS
        if not path.is_file():
            return CLASS_NAMES
        names = tuple(line.text for line in read_lines(path))
        if sorted(names) != sorted(CLASS_NAMES):
            raise UserError(f"{path}: holds other classes than the 27 of Jester V1")
        return names


def _number_and_class(line: Line) -> tuple[str, str]:
    columns = [column.strip() for column in line.text.split(";")]
    if len(columns) != 2:
        raise UserError(f"{line}: found {len(columns)} columns ({line.text}); number;class name are needed")
    if columns[1] not in CLASS_NAMES:
        raise UserError(f"{line}: found the class {columns[1]!r}; allowed are the 27 of Jester V1")
    return path_below(line, columns[0]), columns[1]
