"""Random raw batches in the shape of a data set, for measuring speed where the data set itself is absent."""

import dataclasses

import numpy as np

from rgbd_jax.data.loader import Batch
from rgbd_jax.errors import UserError


@dataclasses.dataclass(frozen=True)
class Shape:
    """Number of classes, longest clip T, bodies M, joints V."""

    num_classes: int
    max_frames: int
    num_bodies: int
    num_joints: int


SHAPES = {
    "nw_ucla": Shape(10, 201, 1, 20),
    "ntu60": Shape(60, 300, 2, 25),
    "synthetic": Shape(10, 129, 1, 25),
}


def shape_of(name: str) -> Shape:
    """The shape of the data set `name`."""
    if name not in SHAPES:
        raise UserError(
            f"data set {name!r}: is not prepared and its shape is not known; known are {', '.join(SHAPES)}"
        )
    return SHAPES[name]


def random_batch(shape: Shape, batch_size: int, seed: int = 0) -> Batch:
    """A batch as the loader makes them, of Gaussian joints in metres; every clip has the full length.

    Returns:
      `joints` float32 (B, T, M, V, C), `num_frames`, `label` int32 (B,), `seed` uint32 (B,), `mask` bool
      (B,), `id` (B,).
    """
    draw = np.random.default_rng(seed)
    size = (batch_size, shape.max_frames, shape.num_bodies, shape.num_joints, 3)
    return {
        "joints": draw.standard_normal(size, np.float32),
        "num_frames": np.full(batch_size, shape.max_frames, np.int32),
        "label": draw.integers(shape.num_classes, size=batch_size, dtype=np.int32),
        "seed": draw.integers(2**32, size=batch_size, dtype=np.uint32),
        "mask": np.ones(batch_size, bool),
        "id": np.array([f"random_{i}" for i in range(batch_size)]),
    }
