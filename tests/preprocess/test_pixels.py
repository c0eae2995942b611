"""Packing is lossless, and each channel keeps its place."""

import jax.numpy as jnp
import numpy as np

from rgbd_jax.preprocess.pixels import join, pack, split, unpack


def test_packed_pixels_come_back():
    frames = np.random.default_rng(0).integers(0, 256, (2, 5, 7, 3), dtype=np.uint8)
    pixels = pack(jnp.asarray(frames))
    assert pixels.shape == (2, 5, 7) and pixels.dtype == jnp.uint32
    np.testing.assert_array_equal(unpack(pixels), frames)
    np.testing.assert_array_equal(jnp.stack(split(pixels), axis=-1), frames)
    np.testing.assert_array_equal(join(split(pixels)), pixels)


def test_red_is_in_the_lowest_byte():
    assert int(pack(jnp.array([1, 2, 3], jnp.uint8))) == 0x030201
