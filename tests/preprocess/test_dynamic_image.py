"""Heat maps of motion against the reference numbers, and what must be exact in them."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from golden import motion_cases, motion_clips
from golden.motion_tools import rank_pooling

from rgbd_jax.preprocess.dynamic_image import dynamic_image

heat_of = jax.jit(dynamic_image, static_argnames="window")


def random_levels(*shape: int) -> jax.Array:
    return jnp.asarray(np.random.default_rng(0).integers(0, 256, shape, dtype=np.uint8))


@pytest.mark.parametrize("name", motion_clips.CASES)
def test_matches_the_reference(name):
    case = motion_clips.load(name)
    ours = heat_of(jnp.asarray(case.levels), case.window)
    assert ours.dtype == jnp.float32
    case.check_heat(ours)


@pytest.mark.parametrize("name", motion_cases.names("frp_video"))
@pytest.mark.parametrize("output", ["y", "y_per_sample"])
def test_rank_pooling_matches_the_reference(name, output):
    case = motion_cases.load(name)
    ours = rank_pooling(jnp.asarray(case.inputs["x"]), case.params["w"], batch_global=output == "y")
    # The reference goes on behind the clip with shorter windows, which nothing reads.
    expected = case.outputs[output][:, : ours.shape[1]]
    np.testing.assert_allclose(ours, expected, rtol=case.rtol, atol=case.atol)


@pytest.mark.parametrize("window", [1, 2, 5, 8, 40])
def test_nothing_moves_in_a_still_clip(window):
    still = jnp.broadcast_to(random_levels(1, 20, 24, 3), (40, 20, 24, 3))
    np.testing.assert_array_equal(heat_of(still, window), 0)


def test_window_sums_are_exact():
    """The map of a frame is, to the bit, that of a clip which ends there and holds just its window."""
    levels, window = random_levels(64, 12, 14, 3), 10
    whole = heat_of(levels, window)
    for end in (window, 37, 64):
        alone = heat_of(levels[end - window : end], window)
        np.testing.assert_array_equal(whole[end - 1], alone[-1])


def test_still_frames_after_motion_have_no_heat():
    levels = random_levels(30, 24, 28, 3).at[9:].set(random_levels(24, 28, 3)[None])
    heat = np.asarray(heat_of(levels, 4))
    assert heat[3:12].any(axis=(1, 2, 3)).all()
    np.testing.assert_array_equal(heat[12:], 0)


def test_range_and_first_frames():
    heat = np.asarray(heat_of(random_levels(12, 16, 16, 3), 4))
    np.testing.assert_array_equal(heat[:3], 0)
    assert heat.min() >= 0 and heat.max() <= 2 and (heat[3:].max(axis=(1, 2, 3)) > 1).all()


def test_clip_shorter_than_its_window_has_no_heat():
    np.testing.assert_array_equal(heat_of(random_levels(5, 8, 8, 3), 6), 0)


@pytest.mark.parametrize("window", [1, 4, 13])
def test_pooling_windows_one_by_one_or_at_once_is_the_same(choose_form, window):
    """The one is what a CPU does, the other what any other device does."""
    levels = random_levels(12, 16, 20, 3)
    one_by_one = heat_of(levels, window)
    choose_form("default")
    at_once = jax.jit(lambda levels: dynamic_image(levels, window))(levels)
    np.testing.assert_array_equal(at_once, one_by_one)


def test_refuses_an_empty_window():
    with pytest.raises(ValueError, match="window of 0 frames"):
        dynamic_image(random_levels(4, 8, 8, 3), 0)
