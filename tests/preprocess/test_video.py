"""The preparation of video clips against the reference numbers, and what must hold for every draw."""

import json

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from golden.motion_cases import FOLDER

from rgbd_jax.data import images
from rgbd_jax.data.person import depth_person_box
from rgbd_jax.preprocess import depth, video

CASES = {
    case["case"]: case["params"]
    for case in json.loads((FOLDER / "cases.json").read_text())["cases"]
    if case["kind"] == "data"
}

# The margin of zeros in which the frames of a case are handed over, as in a batch.
MARGIN = (3, 5)

transform = jax.jit(video.transform_clip, static_argnames=("resize", "crop", "size"))


def stored_clip(stored: dict, modality: str) -> tuple[jax.Array, jax.Array]:
    """The sampled frames of a case and their sizes as the host delivers them."""
    channels = images.DEPTH if modality == "depth" else images.COLOUR
    decoded = [images.decode(stored[f"file_{i:02d}"].tobytes(), channels) for i in stored["sampled"]]
    if modality == "depth":
        boxes = [depth_person_box(frame[..., 0])[0] for frame in decoded]
        decoded = [frame[b.top : b.bottom, b.left : b.right] for frame, b in zip(decoded, boxes, strict=True)]
    sizes = np.array([frame.shape[:2] for frame in decoded], np.int32)
    frames = np.zeros((len(decoded), *(sizes.max(axis=0) + MARGIN), channels), decoded[0].dtype)
    for place, frame in zip(frames, decoded, strict=True):
        place[: frame.shape[0], : frame.shape[1]] = frame
    return jnp.asarray(frames), jnp.asarray(sizes)


def integers(text: str) -> tuple[int, ...]:
    """A pair as the reference's configs write it, `(80, 60)`."""
    return tuple(int(number) for number in text.strip("()").split(","))


def random_clip(num_frames: int = 3, height: int = 30, width: int = 40) -> jax.Array:
    rng = np.random.default_rng(0)
    return jnp.asarray(rng.integers(0, 256, (num_frames, height, width, 3), dtype=np.uint8))


def sizes_of(frames: jax.Array) -> jax.Array:
    return jnp.tile(jnp.array(frames.shape[1:3], jnp.int32)[None], (len(frames), 1))


def assert_same_levels(ours: jax.Array, expected: jax.Array | np.ndarray):
    """Of a thousand values, one may be rounded to the other side in the rotation."""
    off = np.abs(np.asarray(ours, np.int32) - np.asarray(expected, np.int32))
    assert off.max() <= 1 and np.mean(off > 0) <= 1e-3


@pytest.mark.parametrize("name", CASES)
def test_matches_the_reference(name, golden):
    params = CASES[name]
    arguments, stored = params["args"], golden(f"motion/{name}.npz")
    frames, sizes = stored_clip(stored, params["modality"])
    if params["modality"] == "depth":
        frames = depth.jet_colours(depth.wrapped_levels(frames), sizes)
    resize, crop = integers(arguments["resize"]), arguments["crop_size"]
    if "fixed" in params:
        fixed = params["fixed"]
        augmentation = video.Augmentation(
            jnp.int32(fixed["left"]),
            jnp.int32(fixed["top"]),
            jnp.bool_(fixed["flip"]),
            jnp.float32(fixed["angle"]),
        )
    else:
        corner = (32, 32) if params["dataset"] == "NvGesture" else None
        augmentation = video.evaluation_augmentation(resize=resize, crop=crop, corner=corner)
    ours = transform(frames, sizes, augmentation, resize=resize, crop=crop, size=arguments["sample_size"])
    assert ours.dtype == jnp.uint8 and ours.shape == stored["clip_u8"].shape
    if params["encoding"] == "jpeg":  # decoders differ
        np.testing.assert_allclose(np.int32(ours), np.int32(stored["clip_u8"]), rtol=0, atol=2)
    else:
        assert_same_levels(ours, stored["clip_u8"])


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
    assert (drawn.left, drawn.top, drawn.flip, drawn.angle) == (0, 0, False, 0)


@pytest.mark.parametrize("corner", [None, (32, 32)])
def test_evaluation_crop(corner):
    shown = video.evaluation_augmentation(resize=(256, 240), crop=200, corner=corner)
    assert (shown.left, shown.top) == (corner or (28, 20))
    assert not shown.flip and shown.angle == 0


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
