"""Depth as levels and colours."""

import cv2
import jax.numpy as jnp
import numpy as np
import pytest

from rgbd_jax.preprocess import depth


def test_wrapped_levels_are_the_negative_modulo_256():
    millimetres = np.array([0, 1, 255, 256, 2202, 65535], np.uint16)
    levels = depth.wrapped_levels(jnp.asarray(millimetres))
    assert levels.dtype == jnp.uint8
    np.testing.assert_array_equal(levels, [0, 255, 1, 0, 102, 1])


def test_scaled_levels_grow_with_the_depth_and_spare_the_background():
    millimetres = jnp.array([0, 100, 500, 2250, 4000, 9000], jnp.uint16)
    levels = depth.scaled_levels(millimetres, 500, 4000)
    assert levels.dtype == jnp.uint8
    np.testing.assert_array_equal(levels, [0, 1, 1, 128, 255, 255])


def test_scaled_levels_refuse_an_empty_range():
    with pytest.raises(ValueError, match="4000 to 500 mm"):
        depth.scaled_levels(jnp.zeros((1,), jnp.uint16), 4000, 500)


def test_colours_are_those_of_opencv():
    levels = np.arange(256, dtype=np.uint8).reshape(16, 16)
    colours = depth.jet_colours(jnp.asarray(levels)[None, ..., None], jnp.array([[16, 16]], jnp.int32))
    np.testing.assert_array_equal(colours[0], cv2.applyColorMap(levels, cv2.COLORMAP_JET))


def test_colours_are_black_beyond_a_frame():
    levels = jnp.full((2, 4, 6, 1), 9, jnp.uint8)
    colours = depth.jet_colours(levels, jnp.array([[4, 6], [3, 2]], jnp.int32))
    is_frame = np.zeros((2, 4, 6), bool)
    is_frame[0] = is_frame[1, :3, :2] = True
    np.testing.assert_array_equal(np.asarray(colours).any(axis=-1), is_frame)
