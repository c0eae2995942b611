"""The reference clips: files as published, and what the original's loader made of them."""

import dataclasses
import json
from typing import Any

import jax.numpy as jnp
import numpy as np
from golden.motion_cases import FOLDER
from jax import Array

from rgbd_jax.data import images
from rgbd_jax.data.person import depth_person_box

CASES = {
    case["case"]: case
    for case in json.loads((FOLDER / "cases.json").read_text())["cases"]
    if case["kind"] == "data"
}

# The margin of zeros in which the frames of a case are handed over, as in a batch.
MARGIN = (3, 5)


@dataclasses.dataclass(frozen=True)
class Clip:
    """A clip of the original's loader, in training with a known change.

    Attributes:
      data_set: as the original calls it.
      modality: rgb or depth.
      encoding: png or jpeg.
      frames: the sampled frames as the host delivers them, (T, H, W, C).
      sizes: of the frames, (T, 2).
      resize, crop, size, window: how the clip was prepared.
      fixed: left, top, flip and angle of a clip in training; empty in evaluation.
      levels: what became of the frames, uint8 (T, size, size, 3).
      heat: and their heat maps, (T, size, size, 1).
      atol: the tolerance of the heat maps.
    """

    data_set: str
    modality: str
    encoding: str
    frames: Array
    sizes: Array
    resize: tuple[int, int]
    crop: int
    size: int
    window: int
    fixed: dict[str, Any]
    levels: np.ndarray
    heat: np.ndarray
    atol: float

    def check(self, levels: Any):
        """Assert that `levels` are those of the original, as far as decoders agree."""
        if self.encoding == "jpeg":
            np.testing.assert_allclose(np.int32(levels), np.int32(self.levels), rtol=0, atol=2)
        else:
            assert_same_levels(levels, self.levels)

    def check_heat(self, heat: Any):
        """Assert that `heat`, of the original's levels, is that of the original.

        A pixel at the threshold may fall to the other side; one in a thousand is allowed for that.
        """
        assert heat.shape == self.heat.shape
        assert np.mean(np.abs(np.asarray(heat) - self.heat) > self.atol) <= 1e-3


def load(name: str) -> Clip:
    """A clip by the name of its case."""
    params, arguments = CASES[name]["params"], CASES[name]["params"]["args"]
    with np.load(FOLDER / f"{name}.npz") as arrays:
        stored = dict(arrays)
    frames, sizes = _frames(stored, params["modality"])
    width, height = (int(number) for number in arguments["resize"].strip("()").split(","))
    return Clip(
        data_set=params["dataset"],
        modality=params["modality"],
        encoding=params["encoding"],
        frames=jnp.asarray(frames),
        sizes=jnp.asarray(sizes),
        resize=(width, height),
        crop=arguments["crop_size"],
        size=arguments["sample_size"],
        window=arguments["w"],
        fixed=params.get("fixed", {}),
        levels=stored["clip_u8"],
        heat=stored["heat"],
        atol=CASES[name]["atol"],
    )


def assert_same_levels(ours: Any, expected: Any):
    """Of a thousand values, one may be rounded to the other side in the rotation."""
    assert ours.shape == expected.shape
    off = np.abs(np.asarray(ours, np.int32) - np.asarray(expected, np.int32))
    assert off.max() <= 1 and np.mean(off > 0) <= 1e-3


def _frames(stored: dict[str, np.ndarray], modality: str) -> tuple[np.ndarray, np.ndarray]:
    """The sampled frames with zeros around them, and their sizes."""
    channels = images.DEPTH if modality == "depth" else images.COLOUR
    decoded = [images.decode(stored[f"file_{i:02d}"].tobytes(), channels) for i in stored["sampled"]]
    if modality == "depth":
        boxes = [depth_person_box(frame[..., 0])[0] for frame in decoded]
        decoded = [frame[b.top : b.bottom, b.left : b.right] for frame, b in zip(decoded, boxes, strict=True)]
    sizes = np.array([frame.shape[:2] for frame in decoded], np.int32)
    frames = np.zeros((len(decoded), *(sizes.max(axis=0) + MARGIN), channels), decoded[0].dtype)
    for place, frame in zip(frames, decoded, strict=True):
        place[: frame.shape[0], : frame.shape[1]] = frame
    return frames, sizes
