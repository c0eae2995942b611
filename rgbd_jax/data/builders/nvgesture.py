"""NVGesture (Molchanov et al., "Online Detection and Classification of Dynamic Hand Gestures with Recurrent
3D Convolutional Neural Networks", CVPR 2016).

As published, the source folder holds two lists and `Video_data/`. A line of a list names a folder, of each
sensor the video in it and the frames of the gesture (the last is the one before the second number), and the
label from 1:

    path:./Video_data/class_01/subject13_r0 depth:sk_depth:138:218 color:sk_color:138:218 label:1

As MotionRGBD (CVPR 2022) reads it, it holds `dataset_splits/{train,valid}.txt` and the frames of the
gestures, from 0, in `rgb/PATH/` and `depth/PATH/`.
"""

from pathlib import PurePosixPath
from typing import ClassVar

import tensorflow_datasets as tfds

from rgbd_jax.data.builders.video_builder import MODALITIES, ClipFiles, Item, VideoBuilder
from rgbd_jax.data.formats.clip_list import parse_label, parse_listed_clip, parse_number, path_below
from rgbd_jax.data.formats.frame_folder import FrameFolder
from rgbd_jax.data.formats.video_file import VideoFile
from rgbd_jax.errors import UserError
from rgbd_jax.numbered_lines import Line

CLASS_NAMES = (
    "move hand left",
    "move hand right",
    "move hand up",
    "move hand down",
    "move two fingers left",
    "move two fingers right",
    "move two fingers up",
    "move two fingers down",
    "click with the index finger",
    "beckon",
    "open hand",
    "shake hand",
    "show index finger",
    "show two fingers",
    "show three fingers",
    "push hand up",
    "push hand down",
    "push hand out",
    "pull hand in",
    "rotate two fingers clockwise",
    "rotate two fingers counter-clockwise",
    "push two fingers forward",
    "close hand twice",
    "thumb up",
    "OK",
)

SENSORS = {"rgb": "color", "depth": "depth"}


class Nvgesture(VideoBuilder):
    """NVGesture: 1,532 clips of 25 gestures in a car, colour and depth; ids are `class_CC/subjectS_rR`.

    Of each recording only the 80 frames of the gesture are kept, as the published lists give them.
    """

    VERSION = tfds.core.Version("1.0.0")
    SUMMARY = "NVGesture: dynamic hand gestures in a car, colour and depth video, split by subject."
    CLASS_NAMES = CLASS_NAMES
    PUBLISHED_SIZES: ClassVar = {"train": 1050, "test": 482}
    LISTS: ClassVar = {
        "videos": {
            "train": ("nvgesture_train_correct_cvpr2016_v2.lst",),
            "test": ("nvgesture_test_correct_cvpr2016_v2.lst",),
        },
        "frames": {
            "train": ("dataset_splits/train.txt", "dataset_splits/rgb/train.txt"),
            "test": ("dataset_splits/valid.txt", "dataset_splits/rgb/valid.txt"),
        },
    }

    def files(self, item: Item) -> ClipFiles:
        return self._videos(item.line) if item.layout == "videos" else self._folders(item.line)

    def _videos(self, line: Line) -> ClipFiles:
        fields = {key: value for key, _, value in (field.partition(":") for field in line.text.split())}
        for key in ("path", *SENSORS.values(), "label"):
            if key not in fields:
                raise UserError(f"{line}: found no {key}:; path, color, depth and label are needed")
        frames, path = {}, path_below(line, fields["path"])
        for modality, sensor in SENSORS.items():
            parts = fields[sensor].split(":")
            if len(parts) != 3:
                raise UserError(f"{line}: found {sensor}:{fields[sensor]}; {sensor}:VIDEO:FROM:TO is needed")
            video = path_below(line, f"{parts[0]}.avi")
            first, end = (parse_number(line, sensor, part) for part in parts[1:])
            if not 0 <= first < end:
                raise UserError(
                    f"{line}: found {sensor} frames {first} to {end}; TO must be larger than FROM"
                )
            frames[modality] = VideoFile(self.root / path / video, first, end)
        label = parse_label(line, fields["label"], first=1, num_classes=len(CLASS_NAMES))
        return ClipFiles(str(line), _id(path), CLASS_NAMES[label], frames)

    def _folders(self, line: Line) -> ClipFiles:
        clip = parse_listed_clip(line, len(CLASS_NAMES))
        frames = {
            modality: FrameFolder(self.root / modality / clip.path, "%06d.jpg", 0, clip.num_frames)
            for modality in MODALITIES
        }
        return ClipFiles(str(line), _id(clip.path), CLASS_NAMES[clip.label], frames)


def _id(path: str) -> str:
    """Class and recording, whatever the list has before them."""
    return "/".join(PurePosixPath(path).parts[-2:])
