"""Random batches look like those of the loader."""

import numpy as np
import pytest
from data.video_files import write_folder, write_list

from rgbd_jax.data import loader, random_clips
from rgbd_jax.data.builders import BUILDERS
from rgbd_jax.data.builders.nvgesture import Nvgesture
from rgbd_jax.errors import UserError


def forms(batch):
    return {name: (value.shape, value.dtype) for name, value in batch.items() if name != "id"}


def config_data(name, data_dir="", **reading):
    return {"name": name, "data_dir": data_dir, "limit": 0, **reading}


def test_skeletons_have_the_form_of_the_loaders(small_data):
    split = loader.open_configured_split(config_data("nw_ucla", small_data, modalities=("rgb",)), "train")
    (want,) = loader.evaluation_batches(split, batch_size=7)
    shape = random_clips.SkeletonShape(10, split.max_frames, split.num_bodies, split.num_joints)
    assert forms(random_clips.random_batch(shape, 7)) == forms(want)


@pytest.mark.parametrize("modalities", [("rgb",), ("depth",), ("rgb", "depth")])
def test_video_has_the_form_of_the_loaders(tmp_path, modalities):
    for modality in ("rgb", "depth"):
        write_folder(tmp_path / modality / "train" / "a" / "b", "%06d.jpg", 0, 3, height=240, width=320)
    write_list(tmp_path / "dataset_splits" / "train.txt", ["train/a/b 3 0"])
    Nvgesture(data_dir=tmp_path / "data", source=tmp_path).prepare()
    data = config_data("nvgesture", tmp_path / "data", modalities=modalities, num_frames=5)
    split = loader.open_configured_split(data, "train")
    (want,) = loader.evaluation_batches(split, batch_size=1)
    shape = random_clips.configured_shape(data)
    assert (shape.modalities, shape.num_frames) == (split.modalities, split.num_frames) == (modalities, 5)
    assert forms(random_clips.random_batch(shape, 1)) == forms(want)


def test_measured_depth_is_of_16_bits():
    shape = random_clips.configured_shape(config_data("ntu_rgbd", modalities=("depth",), num_frames=2))
    batch = random_clips.random_batch(shape, 2)
    assert batch["depth"].dtype == np.uint16
    assert batch["depth"].shape == (2, 2, 240, 320, 1)
    assert batch["depth"].max() > 255


def test_a_modality_that_the_data_set_lacks_is_refused():
    with pytest.raises(UserError, match=r"modalities=\('depth',\): jester has no depth; it has rgb"):
        random_clips.configured_shape(config_data("jester", modalities=("depth",), num_frames=64))
    with pytest.raises(UserError, match="'kinetics': is not prepared and its shape is not known"):
        random_clips.shape_of("kinetics")


@pytest.mark.parametrize("name", ["ntu_rgbd", "isogd", "nvgesture", "thu_read", "jester"])
def test_each_video_data_set_has_a_shape(name):
    shape = random_clips.shape_of(name)
    assert shape.num_classes == len(BUILDERS[name].CLASS_NAMES)
    assert shape.modalities == BUILDERS[name].MODALITIES


@pytest.mark.parametrize("name", ["nw_ucla", "ntu60", "ntu120", "synthetic"])
def test_each_skeleton_data_set_has_a_shape(name):
    shape, builder = random_clips.shape_of(name), BUILDERS[name]
    found = shape.num_classes, shape.num_bodies, shape.num_joints
    assert found == (len(builder.CLASS_NAMES), builder.NUM_BODIES, builder.NUM_JOINTS)
