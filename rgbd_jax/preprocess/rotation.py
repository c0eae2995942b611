"""Rotation of frames about their middle, with the numbers of OpenCV's `warpAffine`."""

from typing import NamedTuple

import jax
import jax.numpy as jnp
from jax import Array

from rgbd_jax.preprocess.pixels import join, split

# Frames lie in a black margin of this width, in which the neighbours of all outside places are found.
_MARGIN = 2


class _Origin(NamedTuple):
    """Where the pixels of a rotated frame come from, each (H, W).

    Attributes:
      corner: index of the upper left of the four neighbours in a flat frame with margin, int32.
      right, lower: the share of the right and of the lower ones, float32 in [0, 1).
    """

    corner: Array
    right: Array
    lower: Array


def rotate_frames(frames: Array, sizes: Array, angle: Array) -> Array:
    """Rotate each frame about its own middle, by bilinear interpolation, black where nothing was.

    Args:
      frames: packed pixels, uint32 (T, H, W), black beyond the size of a frame.
      sizes: height and width of each frame, int32 (T, 2).
      angle: in degrees, float32 scalar, counter-clockwise.

    Returns:
      uint32 (T, H, W), meaningless beyond the size of a frame.
    """
    _, height, width = frames.shape

    def origin(size: Array) -> _Origin:
        return _origin(height, width, size, angle)

    def one_by_one(frames: Array, sizes: Array) -> Array:
        def rotate(before: tuple[Array, _Origin], frame_and_size: tuple[Array, Array]):
            frame, size = frame_and_size
            size_before, origin_before = before
            # Most clips have frames of one size, and finding the places costs more than fetching the pixels.
            here = jax.lax.cond(jnp.any(size != size_before), origin, lambda _: origin_before, size)
            return (size, here), _fetch(jnp.pad(frame, _MARGIN), here)

        return jax.lax.scan(rotate, (sizes[0], origin(sizes[0])), (frames, sizes))[1]

    def at_once(frames: Array, sizes: Array) -> Array:
        frames = jnp.pad(frames, [(0, 0), (_MARGIN, _MARGIN), (_MARGIN, _MARGIN)])
        here = jax.vmap(origin)(sizes)
        first = jnp.arange(len(frames), dtype=jnp.int32) * (frames.shape[1] * frames.shape[2])
        # Finished before they are used: otherwise the four neighbours of all pixels go through memory.
        frames, corner = jax.lax.optimization_barrier((frames, here.corner + first[:, None, None]))
        return _fetch(frames, here._replace(corner=corner))

    return jax.lax.platform_dependent(frames, sizes, cpu=one_by_one, default=at_once)


def _origin(height: int, width: int, size: Array, angle: Array) -> _Origin:
    cos, sin = jnp.cos(jnp.deg2rad(angle)), jnp.sin(jnp.deg2rad(angle))
    middle_y, middle_x = size.astype(jnp.float32) / 2
    y = jnp.arange(height, dtype=jnp.float32)[:, None] - middle_y
    x = jnp.arange(width, dtype=jnp.float32)[None] - middle_x
    # Finished products, so that places and shares, which two programs may find, agree: one that rounded
    # product and sum together might take the shares of other neighbours.
    cos_x, sin_x, cos_y, sin_y = jax.lax.optimization_barrier((cos * x, sin * x, cos * y, sin * y))
    from_x = cos_x - sin_y + middle_x
    from_y = sin_x + cos_y + middle_y
    left, upper = jnp.floor(from_x), jnp.floor(from_y)
    column = jnp.clip(left.astype(jnp.int32) + _MARGIN, 0, width + _MARGIN)
    row = jnp.clip(upper.astype(jnp.int32) + _MARGIN, 0, height + _MARGIN)
    return _Origin(row * (width + 2 * _MARGIN) + column, from_x - left, from_y - upper)


def _fetch(frame: Array, origin: _Origin) -> Array:
    """The rotated frame, (H, W) like its origin, of one with its margin; or several, (T, H, W)."""
    next_row = frame.shape[-1]
    flat = frame.reshape(-1)
    # All places lie in the frame with its margin, so that none needs a check.
    neighbours = [
        flat.at[origin.corner + step].get(mode="promise_in_bounds", wrap_negative_indices=False)
        for step in (0, 1, next_row, next_row + 1)
    ]
    channels = []
    for levels in zip(*map(split, neighbours), strict=True):
        upper_left, upper_right, lower_left, lower_right = (level.astype(jnp.float32) for level in levels)
        upper = upper_left * (1 - origin.right) + upper_right * origin.right
        lower = lower_left * (1 - origin.right) + lower_right * origin.right
        channels.append(jnp.round(upper * (1 - origin.lower) + lower * origin.lower).astype(jnp.int32))
    return join(channels)
