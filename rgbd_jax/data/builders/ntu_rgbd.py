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
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import ClassVar

import cv2
import numpy as np
import tensorflow_datasets as tfds

from rgbd_jax.data import images, person
from rgbd_jax.data.builders.video_builder import ClipFiles, Item, Sources, StoredFrame, VideoBuilder, merged
from rgbd_jax.data.formats.clip_list import parse_listed_clip
from rgbd_jax.data.formats.frame_folder import FrameFolder
from rgbd_jax.data.formats.video_file import VideoFile
from rgbd_jax.data.ntu.edition import NTU60, Capture
from rgbd_jax.data.records import JOINT
from rgbd_jax.errors import UserError
from rgbd_jax.numbered_lines import Line

# Width and height of the colour frames made from the videos, to which MotionRGBD resizes whatever it reads.
COLOUR_SIZE = (320, 240)

# What MotionRGBD calls the protocols.
_PROTOCOLS = {"xsub": "cs", "xview": "cv"}


class NtuRgbd(VideoBuilder):
    """NTU RGB+D: 56,880 clips of 60 actions, colour and 16-bit depth; ids are the names without suffix."""

    VERSION = tfds.core.Version("1.0.0")
    SUMMARY = (
        "NTU RGB+D: actions of one or two people, colour and masked depth video, by subject and by camera."
    )
    CLASS_NAMES = NTU60.class_names
    PUBLISHED_SIZES: ClassVar = {"cs_train": 40320, "cs_test": 16560, "cv_train": 37920, "cv_test": 18960}
    PREPARATION: ClassVar = {
        "jpeg_quality": images.JPEG_QUALITY,
        "person": person.PARAMETERS,
        "depth_box": list(person.DEPTH_BOX),
        "colour_box_of_videos": "half of width and height",
        "colour_size_of_videos": list(COLOUR_SIZE),
        "colour_resize_of_videos": "area",
    }
    CUT_OUT = ("rgb", "depth")
    MASKED = ("depth",)  # published are also clips in whose masks nobody is
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
        splits = tuple(
            f"{_PROTOCOLS[protocol]}_{part}"
            for protocol, part in (split.split("_") for split in NTU60.splits(capture))
        )
        for listed in item.split.split(JOINT) if item.split else ():
            if listed not in splits:
                raise UserError(
                    f"{item.line}: {capture.name} is listed for {listed};"
                    f" by its name it belongs to {' and '.join(splits)}"
                )
        return JOINT.join(splits)

    def files(self, item: Item) -> ClipFiles:
        capture = _capture(item)
        masks = self.root / "nturgb+d_depth_masked" / capture.name
        if item.layout == "videos":
            place, count = str(item.line.path), None
            colour = VideoFile(item.line.path)
        else:
            clip = parse_listed_clip(item.line, len(self.CLASS_NAMES))
            if clip.label != capture.action - 1:
                raise UserError(
                    f"{item.line}: found label {clip.label}; by its name it is {capture.action - 1}"
                )
            place, count = str(item.line), clip.num_frames
            colour = FrameFolder(self.root / "Images" / f"{capture.name}_rgb", "%06d.jpg", 1, count)
        depth = FrameFolder(masks, "MDepth-%08d.png", 1, count, channels=images.DEPTH)
        name = self.CLASS_NAMES[capture.action - 1]
        return ClipFiles(place, capture.name, name, {"rgb": colour, "depth": depth})

    @classmethod
    def frames(cls, sources: Sources, modalities: Sequence[str]) -> Iterator[StoredFrame]:
        colour, depth = sources.get("rgb"), sources.get("depth")
        if getattr(depth, "channels", None) != images.DEPTH:  # of a recording that is not NTU's
            yield from super().frames(sources, modalities)
            return
        if not isinstance(colour, VideoFile):
            if "rgb" in modalities:
                yield from super().frames(sources, ("rgb",))
            if "depth" in modalities:
                for number, (image, _) in enumerate(depth.read()):
                    yield _cropped_depth(image, depth.file(number))
            return
        # A video without masks is a fault: nothing else says where the person is.
        pairs = itertools.zip_longest(colour.read(), depth.read(), fillvalue=(None, None))
        for number, ((image, _), (mask, _)) in enumerate(pairs):
            if mask is not None and "depth" in modalities:
                yield _cropped_depth(mask, depth.file(number))
            if image is not None and "rgb" in modalities:
                yield _cropped_colour(image, mask, depth.file(number))


def _capture(item: Item) -> Capture:
    name = item.line.text.split()[0].removesuffix("_rgb")
    place = item.line.path if item.layout == "videos" else item.line
    return NTU60.capture(name, str(place))


def _cropped_depth(mask: np.ndarray, file: Path) -> StoredFrame:
    box, found = person.depth_person_box(mask[..., 0])
    cropped = mask[box.top : box.bottom, box.left : box.right]
    return StoredFrame("depth", cropped, images.encode_png(cropped), "" if found else str(file))


def _cropped_colour(image: np.ndarray, mask: np.ndarray | None, file: Path) -> StoredFrame:
    if mask is None:  # there are more colour than depth frames, which is said when all are read
        return StoredFrame("rgb", image, b"")
    height, width, _ = image.shape
    box, found = person.rgb_roi_box(mask[..., 0], (width, height))
    cropped = image[box.top : box.bottom, box.left : box.right]
    small = cv2.resize(cropped, COLOUR_SIZE, interpolation=cv2.INTER_AREA)
    return StoredFrame("rgb", small, images.encode_jpeg(small), "" if found else str(file))
