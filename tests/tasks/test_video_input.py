"""What each key of the config does to a raw clip on its way through `task.prepare`."""

import types

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from golden import motion_clips

from rgbd_jax.defaults import rgbd_config
from rgbd_jax.preprocess import video
from rgbd_jax.preprocess.dynamic_image import dynamic_image
from rgbd_jax.tasks import make_task

# Of the frames whose pixels tell their place.
WIDTH, HEIGHT, CROP = 66, 64, 32
KEY = jax.random.key(0)


def config_of(modality, **task):
    config = rgbd_config(modality)
    config.task.update({"rank_pooling": 0} | task)
    return config


def prepare(config, frames, sizes, seeds=(0,), *, train):
    """Clips and heat maps of the same frames under each seed, and the levels of the clips."""
    (modality,) = config.data.modalities
    task = make_task(config, types.SimpleNamespace(num_classes=2, modalities=(modality,)))
    batch = {
        modality: np.broadcast_to(frames, (len(seeds), *frames.shape)),
        f"{modality}_size": np.broadcast_to(sizes, (len(seeds), *sizes.shape)),
        "seed": np.asarray(seeds, np.uint32),
    }
    inputs = jax.jit(lambda batch: task.prepare(batch, KEY, train=train))(batch)
    return inputs, video.to_levels(np.asarray(inputs["clip"]))


def seed_that_draws(config, left, top):
    """The random number of a clip that is cut at this corner in training."""

    def corner(seed):
        drawn = video.draw_augmentation(
            jax.random.fold_in(KEY, seed), resize=tuple(config.task.resize), crop=config.task.crop
        )
        return drawn.left, drawn.top

    lefts, tops = jax.vmap(corner)(jnp.arange(5000, dtype=jnp.uint32))
    return int(np.flatnonzero((lefts == left) & (tops == top))[0])


@pytest.mark.parametrize("name", ["data_ntu_depth_valid", "data_nv_valid", "data_thu_like_train"])
def test_clips_and_heat_maps_are_those_of_the_reference(name):
    """In evaluation nothing is drawn; in training the recorded corner is, under a random number that fits."""
    case = motion_clips.load(name)
    config = config_of(
        case.modality,
        resize=case.resize,
        crop=case.crop,
        size=case.size,
        crop_rule="nvgesture" if case.data_set == "NvGesture" else "centre",
        rank_pooling=case.window,
    )
    seed, fixed = 0, case.fixed
    if fixed:
        config.task.update(flip=float(fixed["flip"]), rotated=1.0, angles=(fixed["angle"],) * 2)
        seed = seed_that_draws(config, fixed["left"], fixed["top"])
    else:
        config.task.update(flip=1.0, rotated=1.0, angles=(90, 90), blur=True)
    inputs, (levels,) = prepare(config, case.frames, case.sizes, [seed], train=bool(fixed))
    case.check(levels)
    expected = jax.jit(dynamic_image, static_argnums=1)(levels, case.window)
    np.testing.assert_allclose(inputs["heat"][0], expected, rtol=1e-5, atol=1e-6)


def test_training_on_nvgesture():
    """The upper and left border are never seen, as published; each corner beyond them is. Frames whose red is
    the column and whose green the row of each pixel tell; blue stripes fade where there is blur."""
    frame = np.zeros((1, HEIGHT, WIDTH, 3), np.uint8)
    frame[0, ..., 0], frame[0, ..., 1] = np.arange(WIDTH), np.arange(HEIGHT)[:, None]
    frame[0, :, ::2, 2] = 200
    config = config_of(
        "rgb",
        resize=(WIDTH, HEIGHT),
        crop=CROP,
        size=CROP,
        crop_rule="nvgesture",
        flip=0.75,
        rotated=0.0,
        angles=(90, 90),
        blur=True,
    )
    inputs, levels = prepare(config, frame, np.array([[HEIGHT, WIDTH]], np.int32), range(240), train=True)
    assert "heat" not in inputs
    # Where the blur does not meet the border of the crop.
    inner = levels[:, 0, 8:-8, 8:-8].astype(int)
    rows, columns = inner[..., 1], inner[..., 0]
    half = (CROP - 1) / 2
    assert set(np.rint(columns.mean((1, 2)) - half)) == set(range(10, WIDTH - CROP + 1))
    assert set(np.rint(rows.mean((1, 2)) - half)) == set(range(10, HEIGHT - CROP + 1))
    assert (np.diff(rows, axis=1) == 1).mean() > 0.9  # upright
    assert abs((columns[:, 0, -1] < columns[:, 0, 0]).mean() - 0.75) < 0.1
    assert 0.25 < np.mean(np.ptp(inner[..., 2], axis=(1, 2)) < 200) < 0.75


def test_depth_is_scaled_from_its_range():
    """Modulo 256 are the levels of a reference clip above."""
    depth = np.linspace(0, 3000, CROP * CROP).astype(np.uint16).reshape(1, CROP, CROP, 1)
    keys = dict(resize=(CROP, CROP), crop=CROP, size=CROP, depth_levels="scaled", depth_range=(500, 2500))
    sizes = np.full((1, 2), CROP, np.int32)
    _, (levels,) = prepare(config_of("depth", **keys), depth, sizes, train=False)

    def colours(seen):
        return len(np.unique(levels[seen[..., 0]], axis=0))

    assert colours((depth > 0) & (depth <= 500)) == colours(depth >= 2500) == 1
    assert colours((depth > 500) & (depth < 2500)) > 200
