"""Resizing against Pillow, by numbers, and its own laws."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from rgbd_jax.preprocess.pixels import pack, unpack
from rgbd_jax.preprocess.resampling import Taps, bicubic_taps, resample_columns, resample_rows

UNIT = 1 << 22


@functools.partial(jax.jit, static_argnums=(1, 2))
def taps_of_each(sources: jax.Array, target: int, longest: int) -> Taps:
    outputs = jnp.arange(target, dtype=jnp.int32)
    return jax.vmap(lambda source: bicubic_taps(source, target, outputs, longest))(sources)


def taps(source: int, target: int, longest: int) -> Taps:
    """As for a clip of one frame."""
    return taps_of_each(jnp.array([source], jnp.int32), target, longest)


@pytest.mark.parametrize("target", [24, 40])
def test_weights_add_up_to_one_and_none_is_missing(target):
    sources = jnp.arange(1, 61, dtype=jnp.int32)
    tight, roomy = (taps_of_each(sources, target, longest) for longest in (60, 90))
    num_taps = tight.weight.shape[1]
    assert num_taps < roomy.weight.shape[1]
    np.testing.assert_array_equal(roomy.weight[:, :num_taps], tight.weight)
    np.testing.assert_array_equal(roomy.weight[:, num_taps:], 0)

    np.testing.assert_allclose(np.asarray(tight.weight).sum(axis=1), UNIT, atol=num_taps)
    used = np.where(tight.weight, tight.index, 0)
    assert used.min() == 0
    np.testing.assert_array_equal(used.max(axis=(1, 2)), sources - 1)


def test_frame_without_pixels_has_no_weights():
    np.testing.assert_array_equal(taps(0, 8, 16).weight, 0)


def test_a_ramp_stays_a_ramp():
    """Keys' filter reproduces straight lines away from the border."""
    ramp = jnp.broadcast_to((4 * jnp.arange(60)).astype(jnp.uint8)[None, None, :, None], (1, 5, 60, 3))
    wide = unpack(resample_columns(pack(ramp), taps(60, 40, 60)))
    expected = 4 * ((np.arange(40) + 0.5) * 1.5 - 0.5)
    inner = slice(4, -4)
    np.testing.assert_allclose(wide[0, 0, inner, 0], expected[inner], atol=0.501)


def test_rows_are_columns_turned_over():
    rng = np.random.default_rng(0)
    frames = pack(jnp.asarray(rng.integers(0, 256, (2, 19, 23, 3), dtype=np.uint8)))
    both = taps_of_each(jnp.array([23, 17], jnp.int32), 16, 23)
    turned = frames.swapaxes(1, 2)
    np.testing.assert_array_equal(resample_rows(turned, both), resample_columns(frames, both).swapaxes(1, 2))


def test_matches_pillow():
    """Random levels resized by Pillow 13.0.0: Image.fromarray(row).resize((6, 1))."""
    row = np.array([12, 250, 3, 77, 180, 201, 45, 99, 130, 8], np.uint8)
    # In green alone, so that what spills into the other channels is seen.
    pixels = pack(jnp.asarray(row[None, None, :, None] * np.array([0, 1, 0], np.uint8)))
    ours = unpack(resample_columns(pixels, taps(10, 6, 10)))
    np.testing.assert_array_equal(ours[0, 0, :, 1], [116, 74, 143, 141, 92, 61])
    np.testing.assert_array_equal(ours[..., ::2], 0)
