"""Resizing and blurring of frames along one axis: each output is a weighted sum of a few neighbours.

The bicubic filter is Pillow's, to the bit: smoothed when an image shrinks, cut off at the border, with
weights in fixed point and a rounding to whole levels after each axis. Sizes may differ from frame to frame,
so the weights are computed with the frames.
"""

import functools
from typing import NamedTuple

import jax
import jax.numpy as jnp
from jax import Array

from rgbd_jax.preprocess.pixels import join, split

# How many bits of a weight stand behind the point. With eight bits of a level and two to spare they fill a
# signed number of 32 bits.
_FRACTION_BITS = 22

# The reach of the cubic filter to either side, in pixels of the coarser grid, and its sharpness.
_REACH = 2
_SHARPNESS = -0.5


class Taps(NamedTuple):
    """The neighbours that make up each output of a frame.

    Attributes:
      index: where in the input, int32 (..., K, N) for K neighbours of N outputs.
      weight: int32 (..., K, N), in units of 2⁻²²; they add up to 1 over K (to rounding), or are all 0 in a
        frame without pixels.
    """

    index: Array
    weight: Array


def bicubic_taps(source: Array, target: int, outputs: Array, longest: int) -> Taps:
    """The neighbours for resizing an axis of `source` pixels to `target` pixels.

    Args:
      source: int32 scalar, the pixels of this frame, at most `longest`.
      target: the pixels after resizing.
      outputs: which of those are wanted, int32 (N,).
      longest: the pixels of the largest frame. It sets the number of neighbours.
    """
    # Lengths are whole numbers of 1 / (2·target) input pixels.
    pixel = 2 * target
    reach = 2 * _REACH * jnp.maximum(source, target)
    centre = (2 * outputs[None] + 1) * source
    first = jnp.maximum((2 * (centre - reach) + pixel) // (2 * pixel), 0)
    end = jnp.minimum((2 * (centre + reach) + pixel) // (2 * pixel), source)

    num_taps = -(-2 * _REACH * max(longest, target) // target)
    index = first + jnp.arange(num_taps, dtype=jnp.int32)[:, None]
    distance = jnp.abs(pixel * (2 * index + 1) - 2 * centre)
    # Many outputs of the usual sizes lie just between two levels, so the last bit of a weight shows.
    with jax.enable_x64(True):
        position = _REACH * distance.astype(jnp.float64) / (2 * reach).astype(jnp.float64)
        weight = _fixed_point(jnp.where(index < end, _cubic(position), 0))
    return Taps(jnp.minimum(index, longest - 1), weight)


def gaussian_taps(radius: Array, length: int, widest: int) -> Taps:
    """The neighbours for a Gaussian blur of an axis of `length` pixels; the border is repeated.

    Args:
      radius: the standard deviation in pixels, float32 scalar; 0 leaves the frame as it is.
      widest: how far the blur looks to either side.
    """
    offset = jnp.arange(-widest, widest + 1, dtype=jnp.int32)[:, None]
    index = jnp.clip(jnp.arange(length, dtype=jnp.int32)[None] + offset, 0, length - 1)
    with jax.enable_x64(True):
        ratio = offset.astype(jnp.float64) / jnp.maximum(radius.astype(jnp.float64), 1e-3)
        weight = _fixed_point(jnp.exp(-(ratio**2) / 2))
    return Taps(index, jnp.broadcast_to(weight, index.shape))


def resample_columns(frames: Array, taps: Taps) -> Array:
    """Weighted sums along the columns, rounded to whole levels: packed pixels, uint32 (T, H, W) to (T, H, N).

    Args:
      taps: of each frame, (T, K, N).
    """
    return jax.lax.platform_dependent(
        frames,
        taps,
        cpu=lambda frames, taps: _swap(_rows_one_by_one(_swap(frames), taps)),
        default=jax.vmap(functools.partial(_sums, axis=1)),
    )


def resample_rows(frames: Array, taps: Taps) -> Array:
    """Weighted sums along the rows, rounded to whole levels: packed pixels, uint32 (T, H, W) to (T, N, W).

    Args:
      taps: of each frame, (T, K, N).
    """
    return jax.lax.platform_dependent(
        frames, taps, cpu=_rows_one_by_one, default=jax.vmap(functools.partial(_sums, axis=0))
    )


def _rows_one_by_one(frames: Array, taps: Taps) -> Array:
    # Whole rows are read, one frame after the other: on the CPU this is four times as fast as the product
    # with a matrix of weights. The loop also keeps the compiler from computing one axis anew for each
    # neighbour along the other.
    return jax.lax.map(lambda frame_and_taps: _sums(*frame_and_taps, axis=0), (frames, taps))


def _sums(frame: Array, taps: Taps, axis: int) -> Array:
    """Weighted sums along an axis of one frame, (H, W), rounded to whole levels."""
    totals = [jnp.int32(1 << _FRACTION_BITS - 1)] * 3
    for index, weight in zip(taps.index, taps.weight, strict=True):
        channels = split(frame[:, index] if axis else frame[index])
        weight = jnp.expand_dims(weight, 1 - axis)
        totals = [total + weight * levels for total, levels in zip(totals, channels, strict=True)]
    return join(jnp.clip(total >> _FRACTION_BITS, 0, 255) for total in totals)


def _swap(frames: Array) -> Array:
    return frames.swapaxes(1, 2)


def _cubic(x: Array) -> Array:
    """Keys' cubic convolution (1981) at distances x ≥ 0."""
    a = _SHARPNESS
    near = ((a + 2) * x - (a + 3)) * x * x + 1
    far = (((x - 5) * x + 8) * x - 4) * a
    return jnp.where(x < 1, near, jnp.where(x < 2, far, 0))


def _fixed_point(weight: Array) -> Array:
    """Weights float64 (K, N), scaled to add up to 1, rounded half away from 0."""
    total = weight.sum(axis=0, keepdims=True)
    scaled = weight / jnp.where(total == 0, 1, total) * (1 << _FRACTION_BITS)
    return (scaled + jnp.where(scaled < 0, -0.5, 0.5)).astype(jnp.int32)
