"""NTU RGB+D (Shahroudy et al., CVPR 2016), colour and masked depth, 60 actions.

A clip is called `SsssCcccPpppRrrrAaaa`: setup, camera, subject, repetition, action. The source folder holds
`nturgb+d_depth_masked/NAME/MDepth-%08d.png`, from 1, and

* as published: `nturgb+d_rgb/NAME_rgb.avi`. Each frame is cropped about the person in the depth frame of the
  same moment and made smaller;
* as MotionRGBD (CVPR 2022) reads it: `Images/NAME_rgb/%06d.jpg`, from 1, cropped already, and the lists
  `dataset_splits/{@CS,@CV}/{train,valid}.txt`, one protocol or both.

Depth is cropped about the person in both cases. The two protocols, by subject and by camera, are splits of
the same records: `cs_train`, `cs_test`, `cv_train`, `cv_test`.
"""

import itertools
import re
from collections.abc import Iterator
from typing import ClassVar, NamedTuple

import cv2
import numpy as np
import tensorflow_datasets as tfds

from rgbd_jax.data import images, person
from rgbd_jax.data.builders.video_builder import ClipFiles, Item, StoredFrame, VideoBuilder, merged
from rgbd_jax.data.formats.clip_list import Line, parse_listed_clip
from rgbd_jax.data.formats.frame_folder import FrameFolder
from rgbd_jax.data.formats.video_file import VideoFile
from rgbd_jax.data.records import JOINT
from rgbd_jax.errors import UserError

CLASS_NAMES = (
    "drink water",
    "eat meal",
    "brush teeth",
    "brush hair",
    "drop",
    "pick up",
    "throw",
    "sit down",
    "stand up",
    "clapping",
    "reading",
    "writing",
    "tear up paper",
    "put on jacket",
    "take off jacket",
    "put on a shoe",
    "take off a shoe",
    "put on glasses",
    "take off glasses",
    "put on a hat/cap",
    "take off a hat/cap",
    "cheer up",
    "hand waving",
    "kicking something",
    "reach into pocket",
    "hopping",
    "jump up",
    "phone call",
    "play with phone/tablet",
    "type on a keyboard",
    "point to something",
    "taking a selfie",
    "check time (from watch)",
    "rub two hands",
    "nod head/bow",
    "shake head",
    "wipe face",
    "salute",
    "put palms together",
    "cross hands in front",
    "sneeze/cough",
    "staggering",
    "falling down",
    "headache",
    "chest pain",
    "back pain",
    "neck pain",
    "nausea/vomiting",
    "fan self",
    "punch/slap",
    "kicking",
    "pushing",
    "pat on back",
    "point finger",
    "hugging",
    "giving object",
    "touch pocket",
    "shaking hands",
    "walking towards",
    "walking apart",
)

TRAINING_SUBJECTS = frozenset((1, 2, 4, 5, 8, 9, 13, 14, 15, 16, 17, 18, 19, 25, 27, 28, 31, 34, 35, 38))
TRAINING_CAMERAS = frozenset((2, 3))

# Width and height of the colour frames made from the videos, to which MotionRGBD resizes whatever it reads.
COLOUR_SIZE = (320, 240)

_NAME = re.compile(r"S(\d{3})C(\d{3})P(\d{3})R(\d{3})A(\d{3})")


class Capture(NamedTuple):
    """What the name of a clip says."""

    name: str
    camera: int
    subject: int
    action: int

    @property
    def splits(self) -> tuple[str, str]:
        """The split of each protocol."""
        return (
            "cs_train" if self.subject in TRAINING_SUBJECTS else "cs_test",
            "cv_train" if self.camera in TRAINING_CAMERAS else "cv_test",
        )


class NtuRgbd(VideoBuilder):
    """NTU RGB+D: 56,880 clips of 60 actions, colour and 16-bit depth; ids are the names without suffix."""

    VERSION = tfds.core.Version("1.0.0")
    SUMMARY = (
        "NTU RGB+D: actions of one or two people, colour and masked depth video, by subject and by camera."
    )
    CLASS_NAMES = CLASS_NAMES
    PUBLISHED_SIZES: ClassVar = {"cs_train": 40320, "cs_test": 16560, "cv_train": 37920, "cv_test": 18960}
    PREPARATION: ClassVar = {
        "jpeg_quality": images.JPEG_QUALITY,
        "depth_box": list(person.DEPTH_BOX),
        "colour_box_of_videos": "half of width and height",
        "colour_size_of_videos": list(COLOUR_SIZE),
        "colour_resize_of_videos": "area",
    }
    LISTS: ClassVar = {
        "frames": {
            f"{protocol.lower()}_{part}": (f"dataset_splits/@{protocol}/{name}.txt",)
            for protocol in ("CS", "CV")
            for part, name in (("train", "train"), ("test", "valid"))
        }
    }

    def items(self) -> list[Item]:
        videos = sorted((self.root / "nturgb+d_rgb").glob("*_rgb.avi"))
        if videos and not (self.root / "Images").is_dir():
            return [Item("videos", "", Line(path, 1, path.stem)) for path in videos]
        return merged(super().items())

    def split_of(self, item: Item) -> str:
        capture = _capture(item)
        for listed in item.split.split(JOINT) if item.split else ():
            if listed not in capture.splits:
                raise UserError(
                    f"{item.line}: {capture.name} is listed for {listed};"
                    f" by its name it belongs to {' and '.join(capture.splits)}"
                )
        return JOINT.join(capture.splits)

    def files(self, item: Item) -> ClipFiles:
        capture = _capture(item)
        masks = self.root / "nturgb+d_depth_masked" / capture.name
        if item.layout == "videos":
            place, count = str(item.line.path), None
            colour = VideoFile(item.line.path)
        else:
            clip = parse_listed_clip(item.line, len(CLASS_NAMES))
            if clip.label != capture.action - 1:
                raise UserError(
                    f"{item.line}: found label {clip.label}; by its name it is {capture.action - 1}"
                )
            place, count = str(item.line), clip.num_frames
            colour = FrameFolder(self.root / "Images" / f"{capture.name}_rgb", "%06d.jpg", 1, count)
        depth = FrameFolder(masks, "MDepth-%08d.png", 1, count, channels=images.DEPTH)
        name = CLASS_NAMES[capture.action - 1]
        return ClipFiles(place, capture.name, name, {"rgb": colour, "depth": depth})

    def frames(self, files: ClipFiles) -> Iterator[StoredFrame]:
        colour, depth = files.frames["rgb"], files.frames["depth"]
        if isinstance(colour, FrameFolder):
            if "rgb" in self.modalities:
                for image, content in colour.read():
                    yield StoredFrame("rgb", image, content)
            if "depth" in self.modalities:
                for image, _ in depth.read():
                    yield _cropped_depth(image)
            return
        # A video without masks is a fault: nothing else says where the person is.
        pairs = itertools.zip_longest(colour.read(), depth.read(), fillvalue=(None, None))
        for (image, _), (mask, _) in pairs:
            if mask is not None and "depth" in self.modalities:
                yield _cropped_depth(mask)
            if image is not None:
                yield _cropped_colour(image, mask)


def _capture(item: Item) -> Capture:
    name = item.line.text.split()[0].removesuffix("_rgb")
    match = _NAME.fullmatch(name)
    place = item.line.path if item.layout == "videos" else item.line
    if match is None:
        raise UserError(f"{place}: found {name}; a name of the form SsssCcccPpppRrrrAaaa is needed")
    _, camera, subject, _, action = map(int, match.groups())
    if not 1 <= action <= len(CLASS_NAMES):
        raise UserError(f"{place}: found action {action}; allowed are 1 to {len(CLASS_NAMES)}")
    return Capture(name, camera, subject, action)


def _cropped_depth(mask: np.ndarray) -> StoredFrame:
    box, found = person.depth_person_box(mask[..., 0])
    cropped = mask[box.top : box.bottom, box.left : box.right]
    return StoredFrame("depth", cropped, images.encode_png(cropped), found)


def _cropped_colour(image: np.ndarray, mask: np.ndarray | None) -> StoredFrame:
    if mask is None:  # there are more colour than depth frames, which is said when all are read
        return StoredFrame("rgb", image, b"")
    height, width, _ = image.shape
    box, found = person.rgb_roi_box(mask[..., 0], (width, height))
    cropped = image[box.top : box.bottom, box.left : box.right]
    small = cv2.resize(cropped, COLOUR_SIZE, interpolation=cv2.INTER_AREA)
    return StoredFrame("rgb", small, images.encode_jpeg(small), found)
