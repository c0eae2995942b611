"""The preparation of video clips against the reference numbers, and what must hold for every draw."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from golden import motion_clips
from golden.motion_clips import assert_same_levels

from rgbd_jax.preprocess import depth, video

transform = jax.jit(video.transform_clip, static_argnames=("resize", "crop", "size"))


def random_clip(num_frames: int = 3, height: int = 30, width: int = 40) -> jax.Array:
    rng = np.random.default_rng(0)
    return jnp.asarray(rng.integers(0, 256, (num_frames, height, width, 3), dtype=np.uint8))


def sizes_of(frames: jax.Array) -> jax.Array:
    return jnp.tile(jnp.array(frames.shape[1:3], jnp.int32)[None], (len(frames), 1))


@pytest.mark.parametrize("name", motion_clips.CASES)
def test_matches_the_reference(name):
    case = motion_clips.load(name)
    frames = case.frames
    if case.modality == "depth":
        frames = depth.jet_colours(depth.wrapped_levels(frames), case.sizes)
    settings = dict(resize=case.resize, crop=case.crop)
    if case.fixed:
        augmentation = video.Augmentation(
            jnp.int32(case.fixed["left"]),
            jnp.int32(case.fixed["top"]),
            jnp.bool_(case.fixed["flip"]),
            jnp.float32(case.fixed["angle"]),
        )
    else:
        corner = (32, 32) if case.data_set == "NvGesture" else None
        augmentation = video.evaluation_augmentation(**settings, corner=corner)
    ours = transform(frames, case.sizes, augmentation, **settings, size=case.size)
    assert ours.dtype == jnp.uint8
    case.check(ours)


def test_frame_does_not_depend_on_its_batch_mates_nor_on_the_padding():
    clip = random_clip(2)
    small = clip[1, :22, :33]
    mixed = clip.at[1].set(0).at[1, :22, :33].set(small)
    sizes = jnp.array([[30, 40], [22, 33]], jnp.int32)
    augmentation = video.Augmentation(jnp.int32(3), jnp.int32(1), jnp.bool_(True), jnp.float32(20))
    settings = dict(resize=(32, 24), crop=20, size=20)
    both = transform(mixed, sizes, augmentation, **settings)
    alone = transform(small[None], sizes[1:], augmentation, **settings)
    assert_same_levels(both[1:], alone)


def test_mapping_over_clips_one_by_one_or_at_once_is_the_same():
    clips = jnp.stack([random_clip(), random_clip()[::-1]])
    sizes = jnp.stack([sizes_of(clips[0])] * 2)
    keys = jax.random.split(jax.random.key(0), 2)
    settings = dict(resize=(36, 28), crop=24)

    def prepared(inputs):
        clip, sizes, key = inputs
        drawn = video.draw_augmentation(key, flip=0.5, rotated=0.5, angles=(-30, 30), **settings)
        return video.transform_clip(clip, sizes, drawn, size=32, **settings)

    at_once = jax.jit(jax.vmap(prepared))((clips, sizes, keys))
    one_by_one = jax.jit(lambda batch: jax.lax.map(prepared, batch))((clips, sizes, keys))
    assert_same_levels(at_once, one_by_one)


@pytest.mark.parametrize(
    "angle, assert_same", [(0, np.testing.assert_array_equal), (-20, assert_same_levels)]
)
def test_taking_frames_one_by_one_or_at_once_is_the_same(choose_form, angle, assert_same):
    """The one is what a CPU does, the other what any other device does."""
    clip = random_clip().at[1].set(0).at[1, :22, :33].set(random_clip(1, 22, 33)[0])
    sizes = jnp.array([[30, 40], [22, 33], [30, 40]], jnp.int32)
    blur = jnp.array([0, 1, 2], jnp.float32)
    augmentation = video.Augmentation(jnp.int32(3), jnp.int32(1), jnp.bool_(True), jnp.float32(angle), blur)

    def transformed():
        transform = functools.partial(video.transform_clip, resize=(32, 24), crop=20, size=26)
        return jax.jit(transform)(clip, sizes, augmentation)

    one_by_one = transformed()
    choose_form("default")
    assert_same(transformed(), one_by_one)


def test_padding_of_a_batch_is_black():
    empty = jnp.zeros((2, 30, 40, 3), jnp.uint8)
    augmentation = video.evaluation_augmentation(resize=(32, 24), crop=20)
    ours = transform(empty, jnp.zeros((2, 2), jnp.int32), augmentation, resize=(32, 24), crop=20, size=20)
    np.testing.assert_array_equal(ours, 0)


def test_unchanged_size_leaves_the_frame():
    clip = random_clip(1, 32, 32)
    augmentation = video.evaluation_augmentation(resize=(32, 32), crop=32)
    ours = transform(clip, sizes_of(clip), augmentation, resize=(32, 32), crop=32, size=32)
    np.testing.assert_array_equal(ours, clip)


def test_rotation_turns_counter_clockwise_and_leaves_black_corners():
    clip = jnp.full((1, 32, 32, 3), 255, jnp.uint8).at[:, :, 16:].set(100)
    settings = dict(resize=(32, 32), crop=32)
    upright = video.evaluation_augmentation(**settings)
    turned = transform(clip, sizes_of(clip), upright._replace(angle=jnp.float32(90)), size=32, **settings)
    assert turned[0, 8, 16, 0] == 100 and turned[0, 24, 16, 0] == 255
    slanted = transform(clip, sizes_of(clip), upright._replace(angle=jnp.float32(45)), size=32, **settings)
    np.testing.assert_array_equal(slanted[0, [0, 0, -1, -1], [0, -1, 0, -1]], 0)


def test_draws_reach_both_ends_of_their_ranges():
    draw = jax.vmap(
        lambda key: video.draw_augmentation(
            key, resize=(18, 16), crop=14, first=1, flip=0.5, rotated=0.5, angles=(-2, 3)
        )
    )
    drawn = draw(jax.random.split(jax.random.key(1), 500))
    np.testing.assert_array_equal(np.unique(drawn.left), [1, 2, 3, 4])
    np.testing.assert_array_equal(np.unique(drawn.top), [1, 2])
    np.testing.assert_array_equal(np.unique(drawn.angle), [-2, -1, 0, 1, 2, 3])
    assert 0.4 < np.mean(drawn.flip) < 0.6
    assert 0.5 < np.mean(drawn.angle == 0) < 0.7  # not rotated, or by 0 of six angles
    assert drawn.blur is None


def test_draws_fit_where_nothing_is_cut_off():
    drawn = video.draw_augmentation(jax.random.key(0), resize=(24, 24), crop=24)
    assert (drawn.left, drawn.top, drawn.flip, drawn.angle) == (0, 0, False, None)


@pytest.mark.parametrize("corner", [None, (32, 32)])
def test_evaluation_crop(corner):
    shown = video.evaluation_augmentation(resize=(256, 240), crop=200, corner=corner)
    assert (shown.left, shown.top) == (corner or (28, 20))
    assert not shown.flip and shown.angle is None


def test_refuses_a_crop_that_does_not_fit():
    with pytest.raises(ValueError, match=r"224 pixels at \(32, 32\)"):
        video.evaluation_augmentation(resize=(256, 240), crop=224, corner=(32, 32))
    with pytest.raises(ValueError, match="does not fit"):
        video.draw_augmentation(jax.random.key(0), resize=(200, 240), crop=224)


def test_blur_is_drawn_for_each_frame_and_spreads_a_point():
    settings = dict(resize=(41, 41), crop=41)
    drawn = video.draw_augmentation(jax.random.key(3), blurred_frames=200, **settings)
    blurred = drawn.blur[drawn.blur > 0]
    assert 70 < len(blurred) < 130 and blurred.min() >= 0.1 and blurred.max() <= 2

    point = jnp.zeros((2, 41, 41, 3), jnp.uint8).at[:, 20, 20].set(255)
    radius = jnp.array([0, 1.5], jnp.float32)
    still = video.evaluation_augmentation(**settings)._replace(blur=radius)
    sharp, soft = transform(point, sizes_of(point), still, size=41, **settings)
    np.testing.assert_array_equal(sharp, point[0])
    # The peak of a Gaussian of that width, and nothing lost.
    np.testing.assert_allclose(np.float32(soft[20, 20]), 255 / (2 * np.pi * 1.5**2), atol=1)
    np.testing.assert_allclose(np.int32(soft).sum(axis=(0, 1)), 255, rtol=0.15)


def test_normalise():
    ours = video.normalise(jnp.array([0, 127, 255], jnp.uint8))
    assert ours.dtype == jnp.float32
    np.testing.assert_array_equal(ours, np.float32([-127.5, -0.5, 127.5]) / 128)


def test_levels_come_back_from_what_the_networks_read():
    levels = np.arange(256, dtype=np.uint8)
    np.testing.assert_array_equal(video.to_levels(np.asarray(video.normalise(levels))), levels)
