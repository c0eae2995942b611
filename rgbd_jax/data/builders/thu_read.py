"""THU-READ (Tang et al., "Multi-stream Deep Neural Networks for RGB-D Egocentric Action Recognition", IEEE
TCSVT 2019): actions of the hands, seen from the head.

There are four protocols, each tests on two of the eight subjects. A clip is called `ACTION_SUBJECT_TAKE`; its
colour and depth have `RGB_` and `D_` before it. The source folder holds the frames of each clip, `%06d.jpg`
from 0, or a video `.avi` of it, below folders called `RGB` and `Depth`, and the lists of one or more
protocols K, `path frames label`:

* as MotionRGBD (CVPR 2022) reads it, `dataset_splits/@K/{train,valid}.txt`, or, for depth alone,
  `dataset_splits/@K/depth_{train,valid}_lst.txt`;
* as published, `train_test_split/cs_K_{train,test}.txt`.

A path may be a bare name or lead from the source, or from `frames/` in it, to the clip's colour or
depth.
"""

import os
from pathlib import PurePosixPath
from typing import ClassVar

import tensorflow_datasets as tfds

from rgbd_jax.data.builders.video_builder import ClipFiles, Item, VideoBuilder, merged
from rgbd_jax.data.formats.clip_list import parse_listed_clip
from rgbd_jax.data.formats.frame_folder import FrameFolder
from rgbd_jax.data.formats.video_file import VideoFile
from rgbd_jax.data.records import JOINT
from rgbd_jax.errors import UserError

# As the published names call the actions.
CLASS_NAMES = (
    "zip up",
    "close drawer",
    "open laptop",
    "use mobilephone",
    "cut paper",
    "draw paper",
    "stir",
    "open drawer",
    "wear watch",
    "water plant",
    "clean table",
    "cut fruit",
    "use mouse",
    "push button",
    "bounce ball",
    "manicure",
    "fetch water",
    "wear glove",
    "use chopstick",
    "sweep floor",
    "tear paper",
    "open door",
    "wave hand",
    "throw paperplane",
    "clap hand",
    "tie shoelaces",
    "use stapler",
    "write",
    "twist towel",
    "lift weights",
    "wash fruit",
    "fold",
    "umbrella",
    "wash hand",
    "squeeze toothpaste",
    "insert tube",
    "plug",
    "thumb",
    "knock door",
    "read book",
)

FOLDERS = {"rgb": "RGB", "depth": "Depth"}
PREFIXES = {"rgb": "RGB_", "depth": "D_"}
PROTOCOLS = (1, 2, 3, 4)


class ThuRead(VideoBuilder):
    """THU-READ: 960 clips of 40 actions, colour and depth, in four protocols `csK_train`, `csK_test`."""

    VERSION = tfds.core.Version("1.0.0")
    SUMMARY = "THU-READ: actions of the hands seen from the head, colour and depth video, split by subject."
    CLASS_NAMES = CLASS_NAMES
    PUBLISHED_SIZES: ClassVar = {
        f"cs{protocol}_{part}": size
        for protocol in PROTOCOLS
        for part, size in (("train", 720), ("test", 240))
    }
    LISTS: ClassVar = {
        "frames": {
            f"cs{protocol}_{part}": (
                f"dataset_splits/@{protocol}/{name}.txt",
                f"dataset_splits/@CS{protocol}/{name}.txt",
                f"dataset_splits/@CS{protocol}/rgb/{name}.txt",
                f"dataset_splits/@{protocol}/depth_{name}_lst.txt",
                f"dataset_splits/@CS{protocol}/depth_{name}_lst.txt",
            )
            for protocol in PROTOCOLS
            for part, name in (("train", "train"), ("test", "valid"))
        },
        "published": {
            f"cs{protocol}_{part}": (f"train_test_split/cs_{protocol}_{part}.txt",)
            for protocol in PROTOCOLS
            for part in ("train", "test")
        },
    }

    def items(self) -> list[Item]:
        return merged(super().items())

    def split_of(self, item: Item) -> str:
        splits = item.split.split(JOINT)
        if len({split.partition("_")[0] for split in splits}) < len(splits):
            raise UserError(
                f"{item.line}: the clip stands in {' and '.join(splits)}; one of a protocol is allowed"
            )
        return item.split

    def files(self, item: Item) -> ClipFiles:
        clip = parse_listed_clip(item.line, len(CLASS_NAMES))
        path = PurePosixPath(clip.path)
        name = path.name
        for prefix in PREFIXES.values():
            name = name.removeprefix(prefix)
        frames = {
            modality: self._frames(_twin(path.parent, name, modality), clip.num_frames)
            for modality in FOLDERS
        }
        return ClipFiles(str(item.line), name, CLASS_NAMES[clip.label], frames)

    def _frames(self, path: PurePosixPath, count: int) -> FrameFolder | VideoFile:
        """The folder of frames, or the video, of one modality of a clip; the folder if there is neither."""
        for root in (self.root, self.root / "frames"):
            folder, video = root / path, root / f"{path}.avi"
            if os.path.isdir(folder):  # which, unlike Path's, takes any name
                return FrameFolder(folder, "%06d.jpg", 0, count)
            if os.path.isfile(video):
                return VideoFile(video, 0, count)
        return FrameFolder(self.root / path, "%06d.jpg", 0, count)


def _twin(folder: PurePosixPath, name: str, modality: str) -> PurePosixPath:
    """The path of a modality of a clip that a list names with this folder, or with none."""
    parts = [FOLDERS[modality] if part in FOLDERS.values() else part for part in folder.parts]
    return PurePosixPath(*(parts or [FOLDERS[modality]]), PREFIXES[modality] + name)
