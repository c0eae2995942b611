"""Colour pixels as one number each: red in the lowest byte of a uint32, then green, then blue.

A pixel of three bytes is slow to move: neither the CPU nor the GPU moves three bytes at once. Rotation and
resampling mostly move pixels, so frames are packed before them and unpacked behind them.
"""

from collections.abc import Iterable

import jax.numpy as jnp
from jax import Array

_SHIFTS = (0, 8, 16)


def pack(frames: Array) -> Array:
    """uint8 (..., 3) to uint32 (...)."""
    return join(frames[..., channel] for channel in range(len(_SHIFTS)))


def unpack(pixels: Array) -> Array:
    """uint32 (...) to uint8 (..., 3)."""
    # As one expression, not a stack of channels, which the CPU writes five times as slowly.
    shifts = jnp.array(_SHIFTS, jnp.uint32).reshape((1,) * pixels.ndim + (-1,))
    return (pixels[..., None] >> shifts & 0xFF).astype(jnp.uint8)


def split(pixels: Array) -> list[Array]:
    """The levels of the three channels, each int32 (...): the CPU converts them faster than uint32."""
    return [(pixels >> shift & 0xFF).astype(jnp.int32) for shift in _SHIFTS]


def join(levels: Iterable[Array]) -> Array:
    """Pixels from the levels of their channels, whole numbers from 0 to 255."""
    red, green, blue = (
        level.astype(jnp.uint32) << shift for level, shift in zip(levels, _SHIFTS, strict=True)
    )
    return red | green | blue
