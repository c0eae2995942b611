"""Random raw batches in the shape of a data set, for measuring speed where the data set itself is absent."""

import dataclasses
from collections.abc import Mapping
from typing import Any

import numpy as np

from rgbd_jax.data.builders import reading_of
from rgbd_jax.data.loader import Batch
from rgbd_jax.data.video_split import Formats, FrameFormat, choose_formats
from rgbd_jax.errors import UserError

_FARTHEST = 4500  # millimetres that a depth camera sees


@dataclasses.dataclass(frozen=True)
class SkeletonShape:
    """Number of classes, longest clip T, bodies M, joints V."""

    num_classes: int
    max_frames: int
    num_bodies: int
    num_joints: int

    def random_clips(self, batch_size: int, draw: np.random.Generator) -> Batch:
        """Gaussian joints in metres; every clip has the full length."""
        size = (batch_size, self.max_frames, self.num_bodies, self.num_joints, 3)
        return {
            "joints": draw.standard_normal(size, np.float32),
            "num_frames": np.full(batch_size, self.max_frames, np.int32),
        }


@dataclasses.dataclass(frozen=True)
class VideoShape:
    """Number of classes, the largest frame by modality, and how many frames are sampled."""

    num_classes: int
    formats: Formats
    num_frames: int = 64

    @property
    def modalities(self) -> tuple[str, ...]:
        return tuple(self.formats)

    def random_clips(self, batch_size: int, draw: np.random.Generator) -> Batch:
        """Noise; every frame has the full size."""
        clips = {"length": np.full(batch_size, self.num_frames, np.int32)}
        for modality, frame_format in self.formats.items():
            size = (batch_size, self.num_frames, *frame_format)
            largest = _FARTHEST if frame_format.dtype == np.uint16 else 255
            clips[modality] = draw.integers(largest, size=size, dtype=frame_format.dtype, endpoint=True)
            sizes = np.array((frame_format.height, frame_format.width), np.int32)
            clips[f"{modality}_size"] = np.tile(sizes, (batch_size, self.num_frames, 1))
        return clips


Shape = SkeletonShape | VideoShape


def _video(num_classes: int, **sizes: tuple[int, int, int]) -> VideoShape:
    return VideoShape(num_classes, {modality: FrameFormat(*size) for modality, size in sizes.items()})


SHAPES = {
    "nw_ucla": SkeletonShape(10, 201, 1, 20),
    "ntu60": SkeletonShape(60, 300, 2, 25),
    "ntu120": SkeletonShape(120, 300, 2, 25),
    "custom_skeletons": SkeletonShape(10, 300, 1, 25),
    "synthetic": SkeletonShape(10, 129, 1, 25),
    "ntu_rgbd": _video(60, rgb=(240, 320, 3), depth=(240, 320, 1)),
    "isogd": _video(249, rgb=(240, 320, 3), depth=(240, 320, 3)),
    "nvgesture": _video(25, rgb=(240, 320, 3), depth=(240, 320, 3)),
    "thu_read": _video(40, rgb=(480, 640, 3), depth=(480, 640, 3)),
    "synthetic_rgbd": _video(10, rgb=(64, 64, 3), depth=(64, 64, 1)),
    "jester": _video(27, rgb=(100, 176, 3)),
    "custom": _video(10, rgb=(480, 640, 3), depth=(480, 640, 1)),  # of a camera as people have it
}


def configured_shape(data: Mapping[str, Any]) -> Shape:
    """The shape of the data set of `config.data`, read as that says. UserError if it is not known."""
    shape = shape_of(data["name"])
    if not isinstance(shape, VideoShape):
        return shape
    reading = reading_of(data)
    if "modalities" in reading:
        modalities = reading.pop("modalities")
        reading["formats"] = choose_formats(shape.formats, modalities, data["name"])
    return dataclasses.replace(shape, **reading)


def shape_of(name: str) -> Shape:
    """The shape of the data set `name`, of video with all modalities."""
    if name not in SHAPES:
        raise UserError(
            f"data set {name!r}: is not prepared and its shape is not known; known are {', '.join(SHAPES)}"
        )
    return SHAPES[name]


def random_batch(shape: Shape, batch_size: int, seed: int = 0) -> Batch:
    """A batch as the loader makes them, of random clips.

    Returns:
      The clips, `label` int32 (B,), `seed` uint32 (B,), `mask` bool (B,), `id` (B,).
    """
    draw = np.random.default_rng(seed)
    return {
        **shape.random_clips(batch_size, draw),
        "label": draw.integers(shape.num_classes, size=batch_size, dtype=np.int32),
        "seed": draw.integers(2**32, size=batch_size, dtype=np.uint32),
        "mask": np.ones(batch_size, bool),
        "id": np.array([f"random_{i}" for i in range(batch_size)]),
    }
