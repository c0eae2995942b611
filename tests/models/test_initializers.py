"""Initial weights: the same numbers wherever they are asked for, and none where only their shape is."""

import jax
import numpy as np
import pytest

from rgbd_jax.models.initializers import normal, uniform


@pytest.mark.parametrize("init", [normal(0.5, mean=1.0), uniform(0.25)], ids=["normal", "uniform"])
def test_within_a_traced_function_the_numbers_are_the_same(init):
    key = jax.random.key(3)
    expected = init(key, (4, 5))
    assert len(np.unique(expected)) == 20
    np.testing.assert_array_equal(jax.jit(lambda key: init(key, (4, 5)))(key), expected)


def test_a_shape_is_found_without_drawing():
    """These weights would fit no machine."""
    found = jax.eval_shape(lambda: normal(1.0)(jax.random.key(0), (1 << 25, 1 << 25)))
    assert (found.shape, found.dtype) == ((1 << 25, 1 << 25), np.float32)
