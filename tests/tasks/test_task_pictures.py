"""What each task draws of a sample."""

import types

import numpy as np
import pytest

from rgbd_jax.defaults import rgbd_config, skeleton_config
from rgbd_jax.skeleton_layouts import NTU, NW_UCLA
from rgbd_jax.streams import STREAMS
from rgbd_jax.tasks import make_task
from rgbd_jax.tasks.skeleton import join_bones

RNG = np.random.default_rng(0)
FRAMES = {"small": 4, "media": 6, "large": 8}
CLIP_PICTURES = {"cam", "mixed_4b", "attention", "attention_similarity", "rank_pooling", "enhancement"}


def random(*shape):
    return RNG.random(shape, np.float32)


def trunk_outputs(batch):
    attention = {f"attention_{name}": random(batch, 2, n + 1, n + 1) for name, n in FRAMES.items()}
    return attention | {
        "enhancement": random(batch, 8, 16),
        "mixed_4b": random(batch, 8, 2, 2),
        "mixed_5c": random(batch, 8, 1, 1),
    }


def clips(batch):
    return {"clip": 2 * random(batch, 8, 32, 32, 3) - 1, "heat": 2 * random(batch, 8, 32, 32, 1)}


def video_task(modality):
    config = rgbd_config(modality)
    return make_task(config, types.SimpleNamespace(num_classes=3, modalities=config.data.modalities))


def shown(figure):
    return figure.axes[0].images[0].get_array()


@pytest.mark.parametrize("modality", ["rgb", "depth"])
def test_a_clip_has_its_pictures(modality, tmp_path):
    task, inputs, outputs = video_task(modality), clips(2), trunk_outputs(2)
    assert set(task.pictured) == outputs.keys()
    figures = task.pictures(inputs, outputs, 1)
    assert figures.keys() == CLIP_PICTURES
    for name, figure in figures.items():
        figure.savefig(tmp_path / f"{name}.png")
    np.testing.assert_array_equal(shown(figures["enhancement"]), outputs["enhancement"][1])
    # Without rank pooling there is no heat map, without recoupling no weights.
    del inputs["heat"], outputs["enhancement"]
    assert task.pictures(inputs, outputs, 1).keys() == CLIP_PICTURES - {"rank_pooling", "enhancement"}


def test_frames_are_shown_as_they_were_before_normalisation():
    levels = RNG.integers(256, size=(1, 8, 32, 32, 3)).astype(np.float32)
    inputs = clips(1) | {"clip": (levels - 127.5) / 128}
    sheet = shown(video_task("rgb").pictures(inputs, trunk_outputs(1), 0)["rank_pooling"])
    np.testing.assert_array_equal(sheet[:32, :32], levels[0, 0])


def test_the_common_similarity_is_the_mean_over_the_samples():
    task, outputs = video_task("rgb"), trunk_outputs(3)
    single = [shown(task.pictures(clips(3), outputs, i)["attention_similarity"]) for i in range(3)]
    common = shown(task.common_pictures(outputs)["attention_similarity"])
    np.testing.assert_allclose(common, np.mean(single, axis=0), rtol=1e-12)
    assert common.shape == (6, 6)


def test_fusion_draws_both_modalities():
    task = video_task("fusion")
    trunks = {name: trunk_outputs(2) for name in ("rgb", "depth")}
    outputs = {f"{trunk}_{name}": x for trunk, found in trunks.items() for name, x in found.items()}
    assert set(task.pictured) == outputs.keys()
    figures = task.pictures({name: clips(2) for name in trunks}, outputs, 1)
    assert figures.keys() == {f"{trunk}/{name}" for trunk in trunks for name in CLIP_PICTURES}
    for trunk, found in trunks.items():
        np.testing.assert_array_equal(shown(figures[f"{trunk}/enhancement"]), found["enhancement"][1])
    assert task.common_pictures(outputs).keys() == {
        "rgb_attention_similarity",
        "depth_attention_similarity",
    }


@pytest.mark.parametrize("stream", STREAMS)
def test_a_skeleton_is_drawn_as_its_stream_allows(stream):
    config = skeleton_config()
    config.task.stream = stream
    task = make_task(config, types.SimpleNamespace(num_classes=3, num_bodies=2, num_joints=25))
    clips = random(2, 8, 2, 25, 3)
    picture = "motion" if stream.endswith("motion") else "skeleton"
    assert list(task.pictures(clips, {}, 1)) == [picture]
    assert task.pictured == ("class_activation",)
    figures = task.pictures(clips, {"class_activation": random(2, 2, 4, 25)}, 1)
    assert list(figures) == [picture, "joint_activation"]
    assert task.common_pictures({}) == {}


def test_all_streams_are_drawn_in_folders_of_their_own():
    config = skeleton_config()
    config.task.stream = "all"
    task = make_task(config, types.SimpleNamespace(num_classes=3, num_bodies=2, num_joints=25))
    clips = {stream: random(2, 8, 2, 25, 3) for stream in STREAMS}
    outputs = {name: random(2, 2, 4, 25) for name in task.pictured}
    figures = task.pictures(clips, outputs, 1)
    assert list(figures) == [
        "joint/skeleton",
        "joint/joint_activation",
        "bone/skeleton",
        "bone/joint_activation",
        "joint_motion/motion",
        "joint_motion/joint_activation",
        "bone_motion/motion",
        "bone_motion/joint_activation",
    ]
    for stream in STREAMS:
        image = figures[f"{stream}/joint_activation"].axes[-2].images[0].get_array()
        own = np.repeat(outputs[f"{stream}/class_activation"][1, -1], 2, axis=0).T
        np.testing.assert_allclose(image / image.max(), own / own.max(), rtol=1e-6)
    assert task.common_pictures({}) == {}


@pytest.mark.parametrize("parents", [NTU.parents, NW_UCLA.parents])
def test_bones_are_joined_to_the_skeleton(parents):
    joints = random(3, 2, len(parents), 3)
    (root,) = (joint for joint, parent in enumerate(parents) if joint == parent)
    joined = join_bones(joints - joints[:, :, list(parents)], parents)
    np.testing.assert_allclose(joined, joints - joints[:, :, [root]], atol=1e-5)
