"""Heat maps of motion by rank pooling over short windows of frames (MotionRGBD, CVPR 2022, FRP).

A window of N frames is pooled to Σ_j (2j − N − 1)·frame_j: what has become brighter in it is positive. On
whole levels, as clips come, and of up to 300 frames, the sum is exact in any order.
"""

from collections.abc import Callable

import jax
import jax.numpy as jnp
from jax import Array

# Red, green and blue in grey.
_GREY = (0.2989, 0.587, 0.114)


def dynamic_image(levels: Array, window: int) -> Array:
    """The heat map that modulates the features of a clip.

    The map of a frame belongs to the window that ends there. It is (R + S)·S, where R is the rectified pooled
    window, scaled to [0, 1] and made grey, and S what is left of R above its mean after the opening of small
    specks, scaled again.

    Args:
      levels: 0 to 255, uint8 (T, H, W, 3), or whole numbers in float32; blue first in depth that was painted.
      window: frames to a window, at least 1.

    Returns:
      float32 (T, H, W, 1) in [0, 2]; 0 in the first `window` − 1 frames, and where nothing moves.
    """

    def heat(pooled: Array) -> Array:
        moving = grey(unit_range(jnp.maximum(pooled, 0)), axis=0)
        salient = jnp.where(moving > moving.mean(), moving, 0)
        salient = unit_range(_dilate(_erode(salient)))
        return (moving + salient) * salient

    # Each channel in a plane of its own: the CPU computes faster on whole rows than on threes. Stacked, not
    # transposed: so the compiler makes the planes straight from packed pixels if `levels` come from these.
    planes = jnp.stack(jnp.unstack(levels, axis=-1), axis=1)
    return pool_windows(planes, window, heat)[..., None]


def pool_windows(frames: Array, window: int, finish: Callable[[Array], Array]) -> Array:
    """`finish` of each pooled window, at the frame where it ends: (T, …) to (T, …), 0 where there is none.

    Raises:
      ValueError: if `window` is less than 1.
    """
    if window < 1:
        raise ValueError(f"a window of {window} frames cannot be pooled; it needs at least 1")

    return jax.lax.platform_dependent(
        frames,
        cpu=lambda frames: _pool_one_by_one(frames, window, finish),
        default=lambda frames: _pool_at_once(frames, window, finish),
    )


def _pool_one_by_one(frames: Array, window: int, finish: Callable[[Array], Array]) -> Array:
    # The sum moves on from frame to frame by what enters and what leaves the window, so its cost does not
    # depend on the window.
    def move_on(sums: tuple[Array, Array], time: Array) -> tuple[tuple[Array, Array], Array]:
        plain, pooled = sums
        entering = frames[time].astype(jnp.float32)
        leaving = frames[jnp.maximum(time - window, 0)].astype(jnp.float32)
        leaving = jnp.where(time < window, 0, leaving)
        staying = plain - leaving
        pooled += (window - 1) * (entering + leaving) - 2 * staying
        return (staying + entering, pooled), jnp.where(time < window - 1, 0, finish(pooled))

    nothing = jnp.zeros(frames.shape[1:], jnp.float32)
    times = jnp.arange(len(frames), dtype=jnp.int32)
    return jax.lax.scan(move_on, (nothing, nothing), times)[1]


def _pool_at_once(frames: Array, window: int, finish: Callable[[Array], Array]) -> Array:
    # Each window is read anew, which costs little from a cache and makes one program of all the sums.
    count = max(len(frames) - window + 1, 0)
    pooled = sum((2 * j + 1 - window) * frames[j : j + count].astype(jnp.float32) for j in range(window))
    finished = jax.vmap(finish)(pooled)
    return jnp.pad(finished, [(len(frames) - count, 0)] + [(0, 0)] * (finished.ndim - 1))


def unit_range(x: Array) -> Array:
    """Stretched to [0, 1]; 0 if all values are equal."""
    # The last axis last: the CPU reduces leading axes many values at a time, but all axes at once one by one.
    leading = tuple(range(x.ndim - 1))
    lowest, highest = x.min(leading).min(), x.max(leading).max()
    return (x - lowest) / jnp.where(highest == lowest, 1, highest - lowest)


def grey(x: Array, axis: int = -1) -> Array:
    """Colours in grey; `axis` has the three channels and falls away."""
    return sum(weight * channel for weight, channel in zip(_GREY, jnp.unstack(x, axis=axis), strict=True))


# Repeating the border changes no extreme.


def _erode(x: Array) -> Array:
    """The smallest of each 2×2 square that ends at a pixel, (H, W); there is nothing beyond the border."""
    x = jnp.pad(x, ((1, 0), (1, 0)), mode="edge")
    x = jnp.minimum(x[:-1], x[1:])
    return jnp.minimum(x[:, :-1], x[:, 1:])


def _dilate(x: Array) -> Array:
    """The largest of each 3×3 square around a pixel, (H, W); there is nothing beyond the border."""
    x = jnp.pad(x, 1, mode="edge")
    x = jnp.maximum(jnp.maximum(x[:-2], x[1:-1]), x[2:])
    return jnp.maximum(jnp.maximum(x[:, :-2], x[:, 1:-1]), x[:, 2:])
