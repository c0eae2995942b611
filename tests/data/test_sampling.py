"""The frames of a clip against the reference numbers."""

import numpy as np
import pytest

from rgbd_jax.data.sampling import sample_frames, segments


@pytest.fixture(scope="module")
def stored(golden):
    return golden("motion/frame_sampling.npz")


def test_matches_the_reference(stored):
    for name in stored:
        rule, _, counts = name.partition(".")
        available, wanted = map(int, counts.split("_"))
        first, last = segments(available, wanted)
        ours = {
            "loader_valid": sample_frames(available, wanted),
            "network_centre": sample_frames(available, wanted),
            "segment_first": first,
            "segment_last": last,
        }[rule]
        np.testing.assert_array_equal(ours, stored[name], err_msg=name)


@pytest.mark.parametrize("available", [1, 17, 64, 259])
def test_draws_every_frame_of_each_segment(available):
    first, last = segments(available, 16)
    rng = np.random.default_rng(0)
    draws = np.stack([sample_frames(available, 16, rng) for _ in range(300)])
    assert draws.dtype == np.int64
    np.testing.assert_array_equal(draws.min(axis=0), first)
    np.testing.assert_array_equal(draws.max(axis=0), last)


def test_refuses_an_empty_recording():
    with pytest.raises(ValueError, match="0 frames"):
        sample_frames(0, 64)
