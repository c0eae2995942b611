"""The feeders against the reference numbers, and what must hold for every draw."""

import json
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from rgbd_jax.preprocess import skeleton
from rgbd_jax.skeleton_layouts import CHOICES, LAYOUTS, NTU, NW_UCLA
from rgbd_jax.streams import STREAMS

GOLDEN = Path(__file__).parent.parent / "golden" / "gap"

# Reference streams by ours: the NTU feeder calls motion "vel".
NTU_STREAMS = {"joint": "joint", "bone": "bone", "joint_motion": "joint_vel", "bone_motion": "bone_vel"}

# Tolerances of the reference numbers, absolute: NTU in float32 at test and in training, UCLA in float64,
# and UCLA through float32.
NTU_TEST, NTU_TRAIN, UCLA_FLOAT64, UCLA_FLOAT32 = 2e-6, 5e-6, 1e-9, 1e-5


def from_reference(clips: np.ndarray) -> np.ndarray:
    """(N, C, T, V, M) as stored to (N, T, M, V, C)."""
    return clips.transpose(0, 2, 4, 3, 1)


@pytest.fixture(scope="module")
def ntu_test():
    return dict(np.load(GOLDEN / "feeder_ntu_test.npz"))


@pytest.fixture(scope="module")
def ntu_train():
    return dict(np.load(GOLDEN / "feeder_ntu_train.npz"))


@pytest.fixture(scope="module")
def ucla():
    return dict(np.load(GOLDEN / "feeder_ucla.npz"))


def ntu_clips(stored: dict) -> jax.Array:
    x = stored["x"]
    return jnp.asarray(x.reshape(*x.shape[:2], 2, 25, 3))


def ucla_clips(names: np.ndarray, dtype: type) -> tuple[jax.Array, jax.Array]:
    """The named clips as a raw batch holds them: zero padded (N, T, 1, 20, 3), and their numbers of
    frames."""
    clips = [
        np.array(json.loads((GOLDEN / "ucla" / f"{name}.json").read_text())["skeletons"]) for name in names
    ]
    padded = np.zeros((len(clips), max(map(len, clips)) + 7, 1, 20, 3), dtype)
    for row, clip in zip(padded, clips, strict=True):
        row[: len(clip), 0] = clip
    return jnp.asarray(padded), jnp.asarray([len(clip) for clip in clips], jnp.int32)


@pytest.mark.parametrize("stream", STREAMS)
def test_ntu_evaluation_equals_reference(ntu_test, stream):
    clips = jax.vmap(skeleton.ntu_evaluation_clip)(ntu_clips(ntu_test))
    got = jax.vmap(lambda clip: skeleton.derive_stream(clip, stream, NTU.parents))(clips)
    want = from_reference(ntu_test[NTU_STREAMS[stream]])
    np.testing.assert_allclose(got, want, rtol=0, atol=NTU_TEST)


def test_ntu_evaluation_with_another_crop_and_window_equals_reference(ntu_test):
    clips = ntu_clips(ntu_test)[:2]
    got = jax.vmap(lambda clip: skeleton.ntu_evaluation_clip(clip, window=48, fraction=0.5))(clips)
    np.testing.assert_allclose(got, from_reference(ntu_test["joint_p50_w48"]), rtol=0, atol=NTU_TEST)


@pytest.mark.parametrize("stream", STREAMS)
def test_ntu_training_with_recorded_draws_equals_reference(ntu_test, ntu_train, stream):
    def clip(joints, fraction, start, angles):
        length = skeleton.ntu_crop_length(skeleton.count_frames(joints), fraction)
        turned = skeleton.rotate_ntu(skeleton.crop_and_resize(joints, start, length, 64), angles)
        return skeleton.derive_stream(turned, stream, NTU.parents), length

    start, angles = ntu_train["start"].astype(np.int32), ntu_train["angles"]
    got, length = jax.vmap(clip)(ntu_clips(ntu_test), ntu_train["p"].astype(np.float32), start, angles)
    np.testing.assert_array_equal(length, ntu_train["length"])
    np.testing.assert_allclose(got, from_reference(ntu_train[NTU_STREAMS[stream]]), rtol=0, atol=NTU_TRAIN)


def test_ntu_frames_are_counted_not_located(ntu_test, ntu_train):
    clips = ntu_clips(ntu_test)
    np.testing.assert_array_equal(jax.vmap(skeleton.count_frames)(clips), ntu_train["valid"])
    filled = np.asarray(clips[0]).any(axis=(1, 2, 3))
    assert filled[ntu_train["valid"][0]], "the first clip should go on after its hole"


@pytest.mark.parametrize("fraction", [0.95, 0.9, 0.5])
def test_central_crop_equals_double_precision_for_every_length(fraction):
    lengths = jnp.arange(301, dtype=jnp.int32)
    start, length = jax.vmap(lambda n: skeleton.central_crop(n, fraction, 300))(lengths)
    want = [int((1 - fraction) * n / 2) for n in range(301)]
    np.testing.assert_array_equal(start, want)
    np.testing.assert_array_equal(length, [n - 2 * bias for n, bias in enumerate(want)])


def test_drawn_crop_lies_inside_the_clip_and_covers_its_range():
    keys = jax.random.split(jax.random.key(0), 2000)
    draw = jax.jit(jax.vmap(skeleton.draw_ntu_crop, in_axes=(0, None)))
    for frames in (1, 63, 64, 65, 128, 300):
        start, length = map(np.asarray, draw(keys, jnp.int32(frames)))
        assert start.min() >= 0
        assert (start + length <= frames).all()
        assert length.min() >= min(64, max(64, frames // 2), frames)
        if frames == 300:
            assert length.min() < 155
            assert length.max() > 295
            assert (start == 0).any()
            assert (start + length == frames).any()


def test_rotation_is_rigid_and_ordered_x_then_y_then_z():
    quarter = np.pi / 2
    along_y = jnp.array([0.0, 1.0, 0.0])[None, None, None]
    # About x, y goes to −z; then about y, −z goes to x; then about z, x goes to −y: the published,
    # clockwise sense.
    for angles, want in [
        ((quarter, 0, 0), (0, 0, -1)),
        ((quarter, quarter, 0), (1, 0, 0)),
        ((quarter, quarter, quarter), (0, -1, 0)),
    ]:
        got = skeleton.rotate_ntu(along_y, jnp.array(angles, jnp.float32))
        np.testing.assert_allclose(got[0, 0, 0], want, atol=1e-6)


@pytest.mark.parametrize("stream", STREAMS)
@pytest.mark.parametrize(("dtype", "tolerance"), [(np.float64, UCLA_FLOAT64), (np.float32, UCLA_FLOAT32)])
def test_ucla_evaluation_equals_reference(ucla, stream, dtype, tolerance):
    with jax.enable_x64(dtype is np.float64):
        joints, num_frames = ucla_clips(ucla["val_order"], dtype)
        clips = jax.jit(jax.vmap(skeleton.ucla_evaluation_clip))(joints, num_frames)
        got = jax.vmap(lambda clip: skeleton.derive_stream(clip, stream, NW_UCLA.parents))(clips)
        assert got.dtype == dtype
        np.testing.assert_allclose(got, from_reference(ucla[f"val_{stream}"]), rtol=0, atol=tolerance)


@pytest.mark.parametrize("stream", STREAMS)
@pytest.mark.parametrize(("dtype", "tolerance"), [(np.float64, UCLA_FLOAT64), (np.float32, UCLA_FLOAT32)])
def test_ucla_training_with_recorded_draws_equals_reference(ucla, stream, dtype, tolerance):
    def clip(joints, num_frames, angles, frames):
        view = skeleton.ucla_view(joints, num_frames, angles)[frames]
        return skeleton.derive_stream(view, stream, NW_UCLA.parents)

    with jax.enable_x64(dtype is np.float64):
        joints, num_frames = ucla_clips(np.tile(ucla["train_order"], 2), dtype)
        angles = jnp.asarray(ucla["train_angles_deg"].astype(dtype))
        got = jax.jit(jax.vmap(clip))(joints, num_frames, angles, ucla["train_index"])
        np.testing.assert_allclose(got, from_reference(ucla[f"train_{stream}"]), rtol=0, atol=tolerance)


def test_ucla_view_does_not_depend_on_the_padding():
    joints = jax.random.normal(jax.random.key(0), (30, 1, 20, 3))
    angles = jnp.array([20.0, -40.0])
    alone = skeleton.ucla_view(joints, jnp.int32(30), angles)
    padded = skeleton.ucla_view(jnp.pad(joints, ((0, 9), (0, 0), (0, 0), (0, 0))), jnp.int32(30), angles)
    np.testing.assert_array_equal(alone, padded[:30])


def test_ucla_flat_axis_is_zero():
    joints = jax.random.normal(jax.random.key(0), (30, 1, 20, 3)).at[..., 2].set(3.0)
    view = skeleton.ucla_view(joints, jnp.int32(30), jnp.zeros(2))
    np.testing.assert_array_equal(view[..., 2], 0)
    assert view[..., :2].min() == -1
    assert view[..., :2].max() == 1


def test_even_frames_equal_double_precision_for_every_length():
    lengths = jnp.arange(1, 202, dtype=jnp.int32)
    got = jax.vmap(lambda n: skeleton.even_frames(n, 52, 201))(lengths)
    np.testing.assert_array_equal(got, [np.linspace(0, n - 1, 52).astype(int) for n in range(1, 202)])


def test_drawn_frames_are_a_sample_without_replacement():
    draws, window, frames = 20_000, 52, 3
    keys = jax.random.split(jax.random.key(1), draws)
    drawn = jax.jit(jax.vmap(lambda key: skeleton.draw_ucla_frames(key, jnp.int32(frames), window)))(keys)
    drawn = np.asarray(drawn)
    assert (np.diff(drawn, axis=1) >= 0).all()
    assert drawn.min() == 0
    assert drawn.max() == frames - 1
    # How often a frame occurs in a draw follows the hypergeometric distribution: 52 of 300, of which 100
    # are this frame.
    counts = (drawn == 0).sum(1)
    mean = window / frames
    variance = mean * (1 - 1 / frames) * (300 - window) / (300 - 1)
    # Five standard errors; with replacement the variance would be 1.2 times as large.
    assert abs(counts.mean() - mean) < 5 * np.sqrt(variance / draws)
    assert abs(counts.var() / variance - 1) < 5 * np.sqrt(2 / draws)


@pytest.mark.parametrize("num_places, count", [(100, 100), (100, 52), (200, 65), (5, 1)])
def test_places_are_those_of_floyds_algorithm(num_places, count):
    """Step by step, as it was published."""
    newest = np.arange(num_places - count, num_places, dtype=np.int32)
    keys = jax.random.split(jax.random.key(count), 20)
    draw = jax.jit(lambda key: skeleton.draw_places(key, jnp.int32(num_places), count))
    for key in keys:
        places = []
        candidates = jax.random.randint(key, (count,), 0, newest + 1, jnp.int32)
        for candidate, last in zip(np.asarray(candidates), newest, strict=True):
            places.append(last if candidate in places else candidate)
        np.testing.assert_array_equal(draw(key), places)


def test_drawn_frames_of_a_single_frame_are_that_frame():
    np.testing.assert_array_equal(
        skeleton.draw_ucla_frames(jax.random.key(0), jnp.int32(1), 52), np.zeros(52)
    )


def test_too_large_a_window_is_refused():
    with pytest.raises(ValueError, match="window is 101"):
        skeleton.draw_ucla_frames(jax.random.key(0), jnp.int32(50), 101)


def test_unknown_stream_is_refused():
    with pytest.raises(ValueError, match="'velocity'; allowed are joint, bone"):
        skeleton.derive_stream(jnp.zeros((2, 1, 20, 3)), "velocity", NW_UCLA.parents)


def test_training_clips_depend_on_their_key_alone_and_keep_float32():
    joints = jax.random.normal(jax.random.key(0), (5, 80, 1, 20, 3))
    num_frames = jnp.array([80, 40, 1, 66, 80], jnp.int32)
    keys = jax.random.split(jax.random.key(2), 5)
    batch = jax.jit(jax.vmap(skeleton.ucla_training_clip))(joints, num_frames, keys)
    assert batch.shape == (5, 52, 1, 20, 3)
    assert batch.dtype == jnp.float32
    turned = jax.jit(jax.vmap(skeleton.ucla_training_clip))(joints[::-1], num_frames[::-1], keys[::-1])
    np.testing.assert_array_equal(batch, turned[::-1])
    ntu = jax.jit(jax.vmap(skeleton.ntu_training_clip))(joints, keys)
    assert ntu.shape == (5, 64, 1, 20, 3)
    assert ntu.dtype == jnp.float32
    assert not np.allclose(ntu, jax.vmap(skeleton.ntu_training_clip)(joints, keys[::-1]))


def test_padding_rows_stay_finite():
    empty = jnp.zeros((80, 2, 25, 3))
    key = jax.random.key(0)
    for clip in (
        skeleton.ntu_evaluation_clip(empty),
        skeleton.ntu_training_clip(empty, key),
        skeleton.ucla_evaluation_clip(empty, jnp.int32(0)),
        skeleton.ucla_training_clip(empty, jnp.int32(0), key),
    ):
        np.testing.assert_array_equal(clip, 0)


@pytest.mark.parametrize("layout", CHOICES)
def test_a_flip_exchanges_the_sides_of_the_skeleton(layout):
    """The bones lead to the same parents, and what stood on the left at x stands on the right at −x."""
    opposites, parents = np.array(LAYOUTS[layout].opposites), np.array(LAYOUTS[layout].parents)
    np.testing.assert_array_equal(opposites[opposites], np.arange(len(parents)))
    np.testing.assert_array_equal(parents[opposites], opposites[parents])
    clip = np.random.default_rng(0).normal(size=(6, 1, len(parents), 3)).astype(np.float32)
    flipped = skeleton.flip_some(jnp.asarray(clip), jax.random.key(0), tuple(opposites.tolist()), 1.0)
    left_wrist, right_wrist = map(LAYOUTS[layout].joints.index, ("left_wrist", "right_wrist"))
    np.testing.assert_array_equal(flipped[:, :, right_wrist], clip[:, :, left_wrist] * [-1, 1, 1])
    centre = LAYOUTS[layout].centre
    np.testing.assert_array_equal(flipped[:, :, centre], clip[:, :, centre] * [-1, 1, 1])
    again = skeleton.flip_some(flipped, jax.random.key(0), tuple(opposites.tolist()), 1.0)
    np.testing.assert_array_equal(again, clip)
    assert flipped.dtype == np.float32


def test_some_clips_are_flipped():
    clip = jnp.ones((2, 1, 25, 3))
    flips = jax.vmap(lambda key: skeleton.flip_some(clip, key, NTU.opposites, 0.3)[0, 0, 0, 0])
    share = float((flips(jax.random.split(jax.random.key(0), 2000)) < 0).mean())
    assert abs(share - 0.3) < 4 * (0.3 * 0.7 / 2000) ** 0.5
