"""Depth frames as colour frames: millimetres to levels, and levels to the colours of OpenCV's JET map."""

import jax.numpy as jnp
from jax import Array


def wrapped_levels(depth: Array) -> Array:
    """The published levels, −d mod 256, which the published weights on NTU depth have seen.

    Args:
      depth: in millimetres, uint16 of any shape; 0 is background, and so are then all multiples of 256.

    Returns:
      uint8 of the same shape.
    """
    return (-depth.astype(jnp.int32) & 0xFF).astype(jnp.uint8)


def scaled_levels(depth: Array, nearest: int, farthest: int) -> Array:
    """Levels that grow with the depth, 1 at `nearest` to 255 at `farthest` and beyond; 0 is background.

    Args:
      depth: in millimetres, uint16 of any shape, 0 where there is nothing.

    Returns:
      uint8 of the same shape.
    """
    if not 0 <= nearest < farthest:
        raise ValueError(f"the range of depth is {nearest} to {farthest} mm; it must grow from 0 or more")
    share = (depth.astype(jnp.float32) - nearest) / (farthest - nearest)
    levels = jnp.round(1 + 254 * jnp.clip(share, 0, 1))
    return jnp.where(depth == 0, 0, levels).astype(jnp.uint8)


def jet_colours(levels: Array, sizes: Array) -> Array:
    """Paint levels as OpenCV's COLORMAP_JET does, blue first.

    Args:
      levels: uint8 (T, H, W, 1).
      sizes: height and width of each frame, int32 (T, 2); beyond them all is black, as it is around any
        frame.

    Returns:
      uint8 (T, H, W, 3), from dark blue (0) by way of green to dark red (255).
    """
    v = 4 * levels.astype(jnp.int32)
    # The map has 1, not 2, where the blue runs out.
    blue = jnp.where(v == 4 * 159, 1, jnp.minimum(v + 128, 638 - v))
    green = jnp.minimum(v - 128, 892 - v)
    red = jnp.minimum(v - 382, 1148 - v)
    colours = jnp.clip(jnp.concatenate((blue, green, red), axis=-1), 0, 255).astype(jnp.uint8)
    _, height, width, _ = levels.shape
    rows, columns = jnp.arange(height, dtype=jnp.int32), jnp.arange(width, dtype=jnp.int32)
    in_rows = rows[None, :, None, None] < sizes[:, 0, None, None, None]
    in_columns = columns[None, None, :, None] < sizes[:, 1, None, None, None]
    return jnp.where(in_rows & in_columns, colours, 0)
