"""ChaLearn LAP IsoGD (Wan et al., "ChaLearn Looking at People RGB-D Isolated and Continuous Datasets for
Gesture Recognition", CVPR Workshops 2016).

As published, the source folder holds `IsoGD_phase_1` with `train_list.txt`, `valid_list.txt` and the videos
that these name, and `IsoGD_phase_2` with `test_list.txt`; or it is one of these folders. A line of a list
names the colour video, the depth video and the label from 1:

    train/001/M_00001.avi train/001/K_00001.avi 1

As MotionRGBD (CVPR 2022) reads it, it holds `dataset_splits/{train,valid,test}.txt` and the frames, from 0,
in `rgb/train/001/M_00001/` and `depth/train/001/K_00001/`.
"""

import re
from typing import ClassVar

import tensorflow_datasets as tfds

from rgbd_jax.data.builders.video_builder import ClipFiles, Item, VideoBuilder
from rgbd_jax.data.formats.clip_list import parse_label, parse_listed_clip, path_below
from rgbd_jax.data.formats.frame_folder import FrameFolder
from rgbd_jax.data.formats.video_file import VideoFile
from rgbd_jax.errors import UserError
from rgbd_jax.numbered_lines import Line

# The gestures were published with numbers alone.
NUM_CLASSES = 249

# How the names of videos and folders begin.
PREFIXES = {"rgb": "M_", "depth": "K_"}


def _published(split: str, phase: str) -> tuple[str, ...]:
    return f"{phase}/{split}_list.txt", f"{split}_list.txt"


class Isogd(VideoBuilder):
    """IsoGD: 47,933 clips of 249 gestures, colour and depth; ids are like `train/001/00001`."""

    VERSION = tfds.core.Version("1.0.0")
    SUMMARY = "ChaLearn LAP IsoGD: isolated gestures of many kinds, colour and depth video, split by subject."
    CLASS_NAMES = tuple(f"class_{number:03d}" for number in range(1, NUM_CLASSES + 1))
    # In the lists of MotionRGBD two training clips are missing.
    PUBLISHED_SIZES: ClassVar = {"train": 35878, "valid": 5784, "test": 6271}
    LISTS: ClassVar = {
        "videos": {
            "train": _published("train", "IsoGD_phase_1"),
            "valid": _published("valid", "IsoGD_phase_1"),
            "test": _published("test", "IsoGD_phase_2"),
        },
        "frames": {
            split: (f"dataset_splits/{split}.txt", f"dataset_splits/rgb/{split}.txt")
            for split in ("train", "valid", "test")
        },
    }

    def files(self, item: Item) -> ClipFiles:
        if item.layout == "frames":
            clip = parse_listed_clip(item.line, NUM_CLASSES)
            paths, label = _of_each_modality(item.line, clip.path), clip.label
            frames = {
                modality: FrameFolder(self.root / modality / path, "%06d.jpg", 0, clip.num_frames)
                for modality, path in paths.items()
            }
        else:
            columns = item.line.text.split()
            if len(columns) != 3:
                raise UserError(
                    f"{item.line}: found {len(columns)} columns ({item.line.text});"
                    " colour video, depth video and label are needed"
                )
            paths = {
                modality: path_below(item.line, path)
                for modality, path in zip(PREFIXES, columns[:2], strict=True)
            }
            label = parse_label(item.line, columns[2], first=1, num_classes=NUM_CLASSES)
            frames = {modality: VideoFile(item.line.path.parent / path) for modality, path in paths.items()}
        return ClipFiles(str(item.line), _id(item.line, paths["rgb"]), self.CLASS_NAMES[label], frames)


def _of_each_modality(line: Line, path: str) -> dict[str, str]:
    """The path of a clip with the prefix of each modality, whichever it is given with."""
    folder, _, name = _id(line, path).rpartition("/")
    return {modality: f"{folder}/{prefix}{name}" for modality, prefix in PREFIXES.items()}


def _id(line: Line, path: str) -> str:
    match = re.fullmatch(r"(?:\./)?(.*/)[MK]_([^/]*?)(?:\.avi)?", path)
    if match is None:
        raise UserError(f"{line}: found {path}; a path such as train/001/M_00001 is needed")
    return "".join(match.groups())
