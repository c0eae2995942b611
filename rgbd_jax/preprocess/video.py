"""Video clips as the RGB-D networks read them: MotionRGBD's loader (CVPR 2022) on the device, clip by clip.

A raw clip is uint8 (T, H, W, 3) or, of measured depth, uint16 (T, H, W, 1), zero padded to the largest frame
of the data set; `sizes` (T, 2) has the height and width of each frame as stored. All frames of a clip are
turned, cut and flipped alike, in whole levels as in the published loader.

The functions take one clip. Map them over a batch with `jax.lax.map` rather than with `jax.vmap`: a clip
alone keeps a device busy and needs the least memory. Of its frames a CPU takes one after the other, which
then stays in its cache. Any other device takes all at once: a frame is so little work for it that most of the
time would go into beginning. The results are the same, but for the rounding of a rotation.
"""

from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array

from rgbd_jax.preprocess.pixels import pack, unpack
from rgbd_jax.preprocess.resampling import bicubic_taps, gaussian_taps, resample_columns, resample_rows
from rgbd_jax.preprocess.rotation import rotate_frames

# The blur meets half of the frames; its standard deviation in pixels. It looks three of them far.
BLUR_PROBABILITY = 0.5
BLUR_RADIUS = (0.1, 2.0)
_BLUR_REACH = 6


class Augmentation(NamedTuple):
    """How a clip is changed.

    Attributes:
      left, top: corner of the crop in the resized frame, int32 scalars.
      flip: whether left and right are exchanged, bool scalar.
      angle: of the rotation, in degrees counter-clockwise, float32 scalar; None for a clip without rotation.
      blur: standard deviation of the Gaussian blur of each frame in pixels, 0 where there is none, float32
        (T,); None for a clip without blur.
    """

    left: Array
    top: Array
    flip: Array
    angle: Array | None = None
    blur: Array | None = None


def draw_augmentation(
    key: Array,
    *,
    resize: tuple[int, int],
    crop: int,
    first: int = 0,
    flip: float = 0.0,
    rotated: float = 0.0,
    angles: tuple[int, int] = (0, 0),
    blurred_frames: int = 0,
) -> Augmentation:
    """Draw how a clip is changed in training. All ranges include their upper end.

    Args:
      resize: width and height of the resized frame.
      crop: side of the square cut from it.
      first: the smallest place of its corner along either axis; 10 for NvGesture as published.
      flip: probability of the flip.
      rotated: probability of the rotation.
      angles: the range of its angle, in whole degrees.
      blurred_frames: T, if the frames are to be blurred.
    """
    _check_crop(resize, crop, (first, first))
    left_key, top_key, flip_key, rotated_key, angle_key, blur_key = jax.random.split(key, 6)
    angle = jax.random.randint(angle_key, (), angles[0], angles[1] + 1, jnp.int32)
    angle = jnp.where(jax.random.bernoulli(rotated_key, rotated), angle, 0).astype(jnp.float32)
    return Augmentation(
        left=jax.random.randint(left_key, (), first, resize[0] - crop + 1, jnp.int32),
        top=jax.random.randint(top_key, (), first, resize[1] - crop + 1, jnp.int32),
        flip=jax.random.bernoulli(flip_key, flip),
        angle=angle if rotated else None,
        blur=_draw_blur(blur_key, blurred_frames) if blurred_frames else None,
    )


def evaluation_augmentation(
    *, resize: tuple[int, int], crop: int, corner: tuple[int, int] | None = None
) -> Augmentation:
    """The change in evaluation, a crop alone.

    Args:
      resize: width and height of the resized frame.
      crop: side of the square cut from it.
      corner: left and top of the crop, by default that of the middle. Published for NvGesture is (32, 32), at
        the lower right of 256×256.
    """
    left, top = corner or ((resize[0] - crop) // 2, (resize[1] - crop) // 2)
    _check_crop(resize, crop, (left, top))
    return Augmentation(jnp.int32(left), jnp.int32(top), jnp.bool_(False))


def transform_clip(
    frames: Array, sizes: Array, augmentation: Augmentation, *, resize: tuple[int, int], crop: int, size: int
) -> Array:
    """Rotate, resize, cut, blur and flip a clip, and resize it to the input of the network.

    Rotation is bilinear about the middle of the frame as stored, resizing bicubic with smoothing; the result
    of each step is rounded to whole levels.

    Args:
      frames: uint8 (T, H, W, 3), zero beyond the size of a frame.
      sizes: height and width of each frame as stored, int32 (T, 2). One of 0×0 gives a black frame.
      augmentation: the change, the same for all frames.
      resize: width and height of the resized frame.
      crop: side of the square cut from it.
      size: side of the result.

    Returns:
      uint8 (T, size, size, 3).
    """
    angle = augmentation.angle
    pixels = pack(frames) if angle is None else _packed_and_rotated(frames, sizes, angle)

    # Only what is cut out is computed, and already flipped.
    place = jnp.arange(crop, dtype=jnp.int32)
    columns = augmentation.left + jnp.where(augmentation.flip, crop - 1 - place, place)
    rows = augmentation.top + place
    _, height, width = pixels.shape
    column_taps = jax.vmap(lambda source: bicubic_taps(source, resize[0], columns, width))(sizes[:, 1])
    row_taps = jax.vmap(lambda source: bicubic_taps(source, resize[1], rows, height))(sizes[:, 0])
    pixels = resample_rows(resample_columns(pixels, column_taps), row_taps)

    if augmentation.blur is not None:
        taps = jax.vmap(lambda radius: gaussian_taps(radius, crop, _BLUR_REACH))(augmentation.blur)
        pixels = resample_rows(resample_columns(pixels, taps), taps)
    if crop != size:
        source = jnp.full(len(pixels), crop, jnp.int32)
        places = jnp.arange(size, dtype=jnp.int32)
        taps = jax.vmap(lambda source: bicubic_taps(source, size, places, crop))(source)
        pixels = resample_rows(resample_columns(pixels, taps), taps)
    return unpack(pixels)


def normalise(levels: Array) -> Array:
    """Levels, uint8, as the networks read them, float32 from −0.996 to 0.996."""
    return (levels.astype(jnp.float32) - 127.5) / 128


def to_levels(clip: np.ndarray) -> np.ndarray:
    """What `normalise` read: uint8, on the host."""
    return np.clip(np.rint(clip * 128 + 127.5), 0, 255).astype(np.uint8)


def _packed_and_rotated(frames: Array, sizes: Array, angle: Array) -> Array:
    def rotated(frames: Array) -> Array:
        return rotate_frames(pack(frames), sizes, angle)

    def rotated_if_needed(frames: Array) -> Array:
        # Packed in either branch: one that hands over what it got would copy it.
        return jax.lax.cond(angle != 0, rotated, pack, frames)

    # By an angle of 0 each pixel stays what it is. Where the host has to read the angle from a device before
    # it can go on, a rotation takes no longer than the question.
    return jax.lax.platform_dependent(frames, cpu=rotated_if_needed, default=rotated)


def _draw_blur(key: Array, num_frames: int) -> Array:
    blurred_key, radius_key = jax.random.split(key)
    radius = jax.random.uniform(radius_key, (num_frames,), jnp.float32, *BLUR_RADIUS)
    return jnp.where(jax.random.bernoulli(blurred_key, BLUR_PROBABILITY, (num_frames,)), radius, 0)


def _check_crop(resize: tuple[int, int], crop: int, corner: tuple[int, int]) -> None:
    if any(not 0 <= at <= side - crop for at, side in zip(corner, resize, strict=True)):
        raise ValueError(f"a crop of {crop} pixels at {corner} does not fit into frames resized to {resize}")
