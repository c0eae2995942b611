"""Rotation of frames about their middle, with the numbers of OpenCV's `warpAffine`."""

import jax
import jax.numpy as jnp
from jax import Array

# Frames lie in a black margin of this width, in which the neighbours of all outside places are found.
_MARGIN = 2


def rotate_frames(frames: Array, sizes: Array, angle: Array) -> Array:
    """Rotate each frame about its own middle, by bilinear interpolation, black where nothing was.

    Args:
      frames: levels, uint8 (T, H, W, 3), black beyond the size of a frame.
      sizes: height and width of each frame, int32 (T, 2).
      angle: in degrees, float32 scalar, counter-clockwise.

    Returns:
      uint8 (T, H, W, 3), meaningless beyond the size of a frame.
    """
    _, height, width, _ = frames.shape
    cos, sin = jnp.cos(jnp.deg2rad(angle)), jnp.sin(jnp.deg2rad(angle))
    row = jnp.arange(height, dtype=jnp.float32)[:, None]
    column = jnp.arange(width, dtype=jnp.float32)[None]
    row_length = width + 2 * _MARGIN

    def one_frame(inputs: tuple[Array, Array]) -> Array:
        frame, size = inputs
        centre_y, centre_x = size.astype(jnp.float32) / 2
        y, x = row - centre_y, column - centre_x
        from_x = cos * x - sin * y + centre_x
        from_y = sin * x + cos * y + centre_y
        left, above = jnp.floor(from_x), jnp.floor(from_y)
        to_right, to_below = from_x - left, from_y - above
        left = jnp.clip(left.astype(jnp.int32) + _MARGIN, 0, width + _MARGIN)
        above = jnp.clip(above.astype(jnp.int32) + _MARGIN, 0, height + _MARGIN)
        place = above * row_length + left

        # All channels of a pixel travel in one number, so that each neighbour is fetched once.
        pixels = frame.astype(jnp.uint32)
        pixels = pixels[..., 0] | pixels[..., 1] << 8 | pixels[..., 2] << 16
        pixels = jnp.pad(pixels, _MARGIN).reshape(-1)
        neighbours = [pixels[place + step] for step in (0, 1, row_length, row_length + 1)]
        channels = []
        for shift in (0, 8, 16):
            levels = [(pixel >> shift & 0xFF).astype(jnp.int32).astype(jnp.float32) for pixel in neighbours]
            upper = levels[0] * (1 - to_right) + levels[1] * to_right
            lower = levels[2] * (1 - to_right) + levels[3] * to_right
            channels.append(jnp.round(upper * (1 - to_below) + lower * to_below).astype(jnp.uint8))
        return jnp.stack(channels, axis=-1)

    return jax.lax.map(one_frame, (frames, sizes))
